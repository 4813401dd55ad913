//! The one table of every setting: what may be written, what it means. Unknown keys, the reading of
//! environment variables and `docs/CONFIG.md` all follow from it.

mod backups;
mod http;
mod kind;
mod limits;
mod lookup;
mod preflight;
mod rollout;
mod sections;

pub(super) use kind::Kind;
pub(super) use lookup::{child, find, has_children, not_a_setting};
pub(super) use sections::SECTIONS;

use std::sync::LazyLock;

/// One row of the table.
#[derive(Clone, Copy)]
pub(super) struct Setting {
    /// The key; `<name>` stands for any name, `[]` for each element of a list.
    pub key: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// What it does, in one or two sentences.
    pub meaning: &'static str,
}

const fn row(key: &'static str, kind: Kind, meaning: &'static str) -> Setting {
    Setting { key, kind, meaning }
}

/// Every setting; sections that fill a page of their own have a file of their own.
pub(super) static SETTINGS: LazyLock<Vec<Setting>> = LazyLock::new(|| {
    [
        ROWS,
        limits::ROWS,
        http::ROWS,
        rollout::ROWS,
        backups::ROWS,
        preflight::ROWS,
    ]
    .concat()
});

const ROWS: &[Setting] = &[
    row(
        "profile",
        Kind::Choice(&["development", "sandbox", "testnet", "staging", "production"]),
        "What kind of place this is; the same as `--profile`. Where both are given, or several \
         layers name one, they must agree.",
    ),
    row(
        "network.id",
        Kind::Number,
        "The network's identifier: 0 is the main network, 1 the test network, 2 the development \
         network. A server that reports another is not used.",
    ),
    row(
        "network.sandbox",
        Kind::Switch,
        "Whether the network is this program's own model ledger. Never in production.",
    ),
    row(
        "xrpl.servers",
        Kind::Servers,
        "The websocket servers, at least as many as `xrpl.quorum`. Either URLs or tables.",
    ),
    row(
        "xrpl.servers[].url",
        Kind::Url,
        "The server's `wss://` or `ws://` URL. Its path and query, where tokens live, are never shown.",
    ),
    row(
        "xrpl.servers[].name",
        Kind::Text,
        "Its name in metrics, logs and `/v1/servers`. Without one: host and port.",
    ),
    row(
        "xrpl.servers[].operator",
        Kind::Text,
        "Who runs it. Without one: the last two labels of its host.",
    ),
    row(
        "xrpl.servers[].priority",
        Kind::Number,
        "The lower, the sooner it is asked. Without one: 10.",
    ),
    row(
        "xrpl.servers[].trusted",
        Kind::Switch,
        "`true`: it is your own, and its word alone may make a quorum of one, as the production profile asks. \
         `false`: its word counts for nothing; it is only submitted to and asked for the fee. Without it: \
         its word counts with those of others.",
    ),
    row(
        "xrpl.servers[].pin_sha256",
        Kind::List,
        "The keys that the server may show, each the SHA-256 of a certificate's `SubjectPublicKeyInfo` in \
         hexadecimal or base64; checked in addition to the chain of trust. Without any: whatever the chain \
         vouches for.",
    ),
    row(
        "xrpl.ca_file",
        Kind::Text,
        "A PEM file of the root certificates that `wss://` servers must chain to, instead of Mozilla's \
         that are bundled with this program.",
    ),
    row(
        "xrpl.quorum",
        Kind::Number,
        "How many servers must agree on a ledger and on what it holds before anything is final.",
    ),
    row(
        "xrpl.submit_to",
        Kind::Number,
        "How many servers each transaction is given to at once.",
    ),
    row(
        "xrpl.request_timeout",
        Kind::Duration,
        "How long a server may take to answer one request.",
    ),
    row(
        "xrpl.connect_timeout",
        Kind::Duration,
        "How long a connection may take to stand.",
    ),
    row(
        "xrpl.silence_timeout",
        Kind::Duration,
        "How long a server may report no new ledger before it is passed over.",
    ),
    row(
        "xrpl.reconnect_max",
        Kind::Duration,
        "The longest wait between attempts to connect to a server that cannot be reached.",
    ),
    row(
        "xrpl.in_flight_max",
        Kind::Number,
        "How many requests may wait for their answers on one connection.",
    ),
    row(
        "wallets.<name>.address",
        Kind::Address,
        "The account that pays.",
    ),
    row(
        "wallets.<name>.seed",
        Kind::Secret,
        "Where the seed is kept: `file:PATH` or `env:NAME`; never the seed itself.",
    ),
    row(
        "wallets.<name>.algorithm",
        Kind::Choice(&["secp256k1", "ed25519"]),
        "How the key follows from the seed. Without it the form of the seed tells: `sEd…` is ed25519, others secp256k1.",
    ),
    row(
        "wallets.<name>.max_in_flight",
        Kind::Number,
        "How many transactions may be signed by sequence and not yet final at once: no more than the servers \
         take within `ledger_window`. Those by ticket, which pass by a lane that is stuck, are bounded by theirs.",
    ),
    row(
        "wallets.<name>.max_fee_drops",
        Kind::Drops,
        "The most that one transaction may pay as its fee.",
    ),
    row(
        "wallets.<name>.ledger_window",
        Kind::Number,
        "How many ledgers a transaction has to be included, after which it is proven dead.",
    ),
    row(
        "wallets.<name>.ticket_low_water",
        Kind::Number,
        "With fewer free tickets than this the wallet makes new ones by itself; 0 is never. A ticket lets \
         a payment pass by a transaction that is stuck, and costs an owner reserve while it stands.",
    ),
    row(
        "wallets.<name>.ticket_refill_to",
        Kind::Number,
        "How many free tickets it then has; at least `ticket_low_water`, at most 250.",
    ),
    row(
        "wallets.<name>.source_tag",
        Kind::Number,
        "The SourceTag of every payment that brings none of its own.",
    ),
    row(
        "wallets.<name>.start_ledger",
        Kind::Number,
        "The ledger from which on everything that touched the account is booked, deposits among it. Read when \
         the wallet is new to the database, and without effect later; left out, its journal begins at that moment. \
         Payments do not wait for the past. The servers must hold every ledger from there on.",
    ),
    row(
        "wallets.<name>.wallet_type",
        Kind::Choice(&["hot", "warm", "cold"]),
        "The label of the wallet's metrics. Payments that name no wallet are paid from those that are `hot`, or from the only one.",
    ),
    row(
        "wallets.<name>.low_balance_patience",
        Kind::Duration,
        "How long smaller payments may pass by one that the balance does not bear; after that the wallet keeps its money for it.",
    ),
    row(
        "wallets.<name>.low_balance_xrp",
        Kind::Xrp,
        "Below this balance the wallet asks for a refill.",
    ),
    row(
        "wallets.<name>.critical_balance_xrp",
        Kind::Xrp,
        "Below this balance the on-call is paged.",
    ),
    row(
        "wallets.<name>.require_regular_key",
        Kind::Switch,
        "Whether a key that is the account's master key is refused.",
    ),
    row(
        "auth.enabled",
        Kind::Switch,
        "Whether requests need an API key. Production does not start without.",
    ),
    row(
        "auth.admin_cidrs",
        Kind::List,
        "The networks or addresses from which alone keys with the scope `admin` hold, beside what a key's \
         own list says. Empty: anywhere.",
    ),
    row(
        "rate_limit.per_minute",
        Kind::Number,
        "Writes of one key in a minute.",
    ),
    row(
        "rate_limit.per_hour",
        Kind::Number,
        "Writes of one key in an hour.",
    ),
    row(
        "rate_limit.reads_per_minute",
        Kind::Number,
        "Reads of one key in a minute.",
    ),
    row(
        "rate_limit.admin_per_minute",
        Kind::Number,
        "Changes of stages and pauses by one key in a minute. Without it: as `per_minute`.",
    ),
    row(
        "rate_limit.checks_per_minute",
        Kind::Number,
        "Requests by one key in a minute that make the ledger's servers work and change nothing: \
         `/v1/payments/validate`, `/v1/quotes`. Without it: as `per_minute`.",
    ),
    row(
        "rate_limit.failures_per_minute",
        Kind::Number,
        "Requests without a valid key from one address in a minute; of IPv6 a network of 64 bits is one.",
    ),
    row(
        "store.url",
        Kind::Url,
        "`sqlite:///path/to/file.db` or `postgres://…`; or, where it holds a password, a secret reference to the whole URL. Several servers of PostgreSQL are named with commas, `postgres://a:5432,b:5432/pay`: whichever is the primary is used, and looked for again when it fails.",
    ),
    row(
        "store.listen_url",
        Kind::Url,
        "A way to the same PostgreSQL past a pooler that deals out connections by the transaction, where `store.url` leads through one: on it a replica listens for hints of what the others have done, which is faster than looking by up to a second. Everything works without.",
    ),
    row(
        "store.max_connections",
        Kind::Number,
        "The most connections that are held to the database for what requests, wallets and webhooks ask of it. \
         On PostgreSQL a quarter of them, and two at least, is the wallets' alone, so that payments go on \
         whatever requests do; five more keep the leases, take them, and listen.",
    ),
    row(
        "store.idle_timeout",
        Kind::Duration,
        "How long an idle connection is kept.",
    ),
    row(
        "store.acquire_timeout",
        Kind::Duration,
        "How long a request waits for a free connection before it is refused.",
    ),
    row(
        "store.statement_timeout",
        Kind::Duration,
        "How long PostgreSQL may take for one statement. A second after that its answer is given up on, a commit's too: what was asked is undone, or unknown and looked up, and the request is answered with 503. Longer than `lock_timeout`.",
    ),
    row(
        "store.lock_timeout",
        Kind::Duration,
        "How long a statement waits on PostgreSQL for what other transactions have locked, before it is tried again and then refused. What an engine writes waits for a quarter of `lease.ttl` at most, so that no successor is kept out by it.",
    ),
    row(
        "store.idle_in_transaction_timeout",
        Kind::Duration,
        "After how long PostgreSQL ends a transaction that its client does not go on with, and frees what that has locked: so long a process that is frozen in the middle holds up the others. Never longer than half of `lease.ttl`, whatever is set, so that nothing is locked any more when a lease has run out.",
    ),
    row(
        "store.pooler",
        Kind::Choice(&["none", "transaction"]),
        "What lies between the daemon and PostgreSQL: `transaction` for a pooler that deals out connections by the transaction, such as PgBouncer's `pool_mode = transaction`. Behind one that is not named here the daemon does not start.",
    ),
    row(
        "store.read_url",
        Kind::Url,
        "A standby of the PostgreSQL at `url`, written like that one: lists of payments, invoices and deposits are read there, once it shows everything that was committed before they were asked for, and at `url` where it does not in time or is away.",
    ),
    row(
        "store.read_lag",
        Kind::Duration,
        "How long a list waits for the standby at `read_url` to catch up before it is read at `url`.",
    ),
    row(
        "store.replicas",
        Kind::Number,
        "How many daemons share this database. SQLite serves one.",
    ),
    row(
        "store.last_run_dir",
        Kind::Text,
        "A folder in which this machine writes down what it signed last and, on PostgreSQL, who held its wallets last, so that a backup in the database's place is told from a restart: the wallet then waits until nothing of the lost database can be in flight. Left out, it is written beside the file of an SQLite database, which tells of a backup of that file alone, and not at all on PostgreSQL. Leave it out of the backups.",
    ),
    row(
        "invoices.wallet",
        Kind::Text,
        "The wallet that is paid where an invoice names none. Without it: the only wallet, where there is only one.",
    ),
    row(
        "invoices.assets",
        Kind::List,
        "What invoices may ask for besides XRP, each as `\"USD.r…\"`, a currency and its issuer, or as the 48 hex digits of an issuance.",
    ),
    row(
        "invoices.expires_in",
        Kind::Duration,
        "How long an invoice that does not say is to be paid, by the ledger's clock.",
    ),
    row(
        "invoices.tag_quarantine",
        Kind::Duration,
        "How long a destination tag rests after its invoice's end, or after what came last to it, before another invoice may get it. Whoever pays late, or again to a tag that an address book kept, still pays the invoice it was made for.",
    ),
    row(
        "events.retention",
        Kind::Duration,
        "How long the feed hands an event out; a day at least. A payment's own events stay for as long as the payment does.",
    ),
    row(
        "events.heartbeat",
        Kind::Duration,
        "After how long without an event a stream sends a comment, so that nobody on the way takes it for dead; a minute at most.",
    ),
    row(
        "events.streams_per_key",
        Kind::Number,
        "How many streams one API key may hold open at a time.",
    ),
    row(
        "webhooks.encryption_key",
        Kind::Secret,
        "The key that seals the endpoints' secrets in the database: the base64 or the hexadecimal digits of 32 random bytes, the same for all replicas. Left out, the daemon makes one on its first start and keeps it in a file beside an SQLite database, with the ending `.webhook-key`; on PostgreSQL no endpoint can be made without it. Back it up apart from the database: without it every endpoint's secret has to be rotated.",
    ),
    row(
        "webhooks.allow_http",
        Kind::Switch,
        "Whether endpoints may be plain `http://`.",
    ),
    row(
        "webhooks.allow_private",
        Kind::Switch,
        "Whether endpoints may be at private and loopback addresses. Link-local addresses and those of cloud metadata are refused either way.",
    ),
    row(
        "webhooks.ca_file",
        Kind::Text,
        "A PEM file of root certificates that endpoints may chain to, besides Mozilla's that are bundled with this program.",
    ),
    row(
        "webhooks.timeout",
        Kind::Duration,
        "How long one try may take, from the resolution of the name to the answer's head.",
    ),
    row(
        "webhooks.retry_waits",
        Kind::List,
        "The waits between the tries of a delivery, each lengthened by up to a fifth at random. There is one try more than there are waits.",
    ),
    row(
        "webhooks.disable_after",
        Kind::Duration,
        "An endpoint that has failed for so long without one success is disabled, with an event.",
    ),
    row(
        "webhooks.keep_log",
        Kind::Duration,
        "How long deliveries that ended, and their tries, can be looked at and sent again.",
    ),
    row(
        "webhooks.in_flight_max",
        Kind::Number,
        "The most tries at a time, all endpoints together.",
    ),
    row(
        "webhooks.in_flight_per_endpoint",
        Kind::Number,
        "The most tries at a time at one endpoint. One that only fails is tried once at a time.",
    ),
    row(
        "reconcile.interval",
        Kind::Duration,
        "How long after each other the passes are made. The first comes within a minute of the start.",
    ),
    row(
        "reconcile.ledgers",
        Kind::Number,
        "How many of the newest ledgers a pass reads from the servers again. Older ones are compared by `xrpayd reconcile`.",
    ),
    row(
        "telemetry.listen",
        Kind::Listen,
        "Where `/metrics` is served.",
    ),
    row(
        "telemetry.log_level",
        Kind::Choice(&["error", "warn", "info", "debug", "trace"]),
        "How much is logged. Production refuses debug and trace.",
    ),
    row(
        "telemetry.log_format",
        Kind::Choice(&["auto", "human", "json"]),
        "The form of the logs, on standard error. `auto`: human on a terminal, JSON lines otherwise.",
    ),
    row(
        "telemetry.otlp_endpoint",
        Kind::Text,
        "The base URL of an OpenTelemetry collector that takes OTLP over HTTP, such as \"http://collector:4318\". `serve` sends traces to its `/v1/traces`, as JSON. Without it no trace is made.",
    ),
    row(
        "telemetry.otlp_headers",
        Kind::Secret,
        "Headers for the collector, such as its access token: a line `name: value` each. To another machine they go over `https://` alone: production refuses `http://`, and the other profiles warn of it.",
    ),
    row(
        "telemetry.trace_ratio",
        Kind::Share,
        "The share of the traces that is kept, as a decimal from 0 to 1. A request whose caller is known by a key and keeps its trace is kept.",
    ),
    row(
        "telemetry.alert_receiver",
        Kind::Text,
        "Who is told when an alert fires, such as the address of Alertmanager's receiver. The daemon does not call it; without one the check warns.",
    ),
    row(
        "telemetry.latency_threshold",
        Kind::Duration,
        "From where on the best server's answers are slow enough that `/health` is degraded, and the alert `XrplSlow` fires.",
    ),
    row(
        "telemetry.pending_threshold",
        Kind::Duration,
        "From where on a payment is on its way for so long that `/health` is degraded, and the alert `PaymentStuck` fires.",
    ),
    row(
        "telemetry.alerts",
        Kind::List,
        "What degrades `/health`: `latency`, `ledger_age`, `oldest_payment`, `low_balance`, `books`, `webhooks`. What is left out is still measured and shown, and of `latency`, `oldest_payment` and `webhooks` the alerts `XrplSlow`, `PaymentStuck` and `WebhookBacklog` never fire then. A halted wallet and servers that do not agree always do.",
    ),
    row(
        "lease.ttl",
        Kind::Duration,
        "How long a replica that holds a wallet may be silent before another takes the wallet over, from 2s \
         to 60s. It renews five times in it, gives each renewal that has no answer up after a fifth of it, \
         and stops signing a quarter of it before the end. Set it alike on all replicas. A SQLite file has one daemon, which needs none.",
    ),
    row(
        "lease.name",
        Kind::Text,
        "How this replica is shown to the others. Without it: the machine's name.",
    ),
    row(
        "shutdown.notice",
        Kind::Duration,
        "How long the daemon goes on serving after SIGTERM or SIGINT while `/health/ready` says 503 already and every answer ends its connection: as long as a load balancer needs to notice. At most half of the grace, of which it is a part. See DEPLOYS.md.",
    ),
    row(
        "shutdown.grace",
        Kind::Duration,
        "How long the notice and work in hand may take to end after SIGTERM or SIGINT.",
    ),
];
