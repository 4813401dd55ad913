//! The items of the checklist: what each is called, what it asks, and who answers it.

/// Who answers an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answered {
    /// The program, by what it finds.
    ByProgram,
    /// A person, whose word holds for so many days.
    ByPerson {
        /// How many.
        days: u16,
    },
}

/// One item.
#[derive(Debug, PartialEq, Eq)]
pub struct Item {
    /// What it is called, in reports and on the command line: its area, a dot, and a word.
    pub id: &'static str,
    /// What must be so.
    pub asks: &'static str,
    /// What to do where it is not.
    pub remedy: &'static str,
    /// Who answers it.
    pub answered: Answered,
}

impl Item {
    /// The first part of its name.
    #[must_use]
    pub fn area(&self) -> &'static str {
        self.id.split('.').next().unwrap_or(self.id)
    }
}

macro_rules! items {
    ($($name:ident = $id:literal, $asks:literal, $remedy:literal $(, days $days:literal)?;)+) => {
        $(
            #[doc = $asks]
            pub static $name: Item = Item {
                id: $id,
                asks: $asks,
                remedy: $remedy,
                answered: items!(@answered $($days)?),
            };
        )+
        /// Every item, in the order of the report.
        pub static ITEMS: &[&Item] = &[$(&$name),+];
    };
    (@answered) => { Answered::ByProgram };
    (@answered $days:literal) => { Answered::ByPerson { days: $days } };
}

items! {
    CONFIG_VALID = "config.valid", "The configuration has no error, and nothing in it is warned of.",
        "`xrpayd config check` says what and where.";
    CONFIG_FILES = "config.files", "Nobody but their owner may change the configuration's files.",
        "`chmod go-w FILE`, and the owner is the daemon's user or root.";
    BUILD_COMMIT = "build.commit", "The binary tells the commit it was built from.",
        "Build with git present, or with `XRPAYD_COMMIT` set.";
    BUILD_RELEASE = "build.release", "The binary is a release build.",
        "`cargo build --release --locked --no-default-features`.";
    BUILD_SANDBOX = "build.sandbox", "The model ledger is not built into the binary.",
        "Build with `--no-default-features`.";

    SERVER_REACHABLE = "xrpl.reachable", "Each server is connected, in sync, and answers.",
        "`xrpayd servers` shows why of a running daemon; replace a server that stays away.";
    SERVER_TLS = "xrpl.encrypted", "Each server is spoken to over TLS, or is on this machine.",
        "Use its `wss://` URL.";
    SERVER_CERTIFICATE = "xrpl.certificate", "Each server's certificate is trusted and holds for two weeks at least.",
        "Its operator renews it; a private authority is named by `xrpl.ca_file`.";
    SERVER_NETWORK = "xrpl.network", "Each server is of the configured network.",
        "Correct `network.id` or `xrpl.servers`.";
    SERVER_AMENDMENTS = "xrpl.amendments", "No server is amendment-blocked.",
        "Its operator upgrades it; use another one meanwhile.";
    SERVER_VERSION = "xrpl.version", "Each server tells its version, and none is older by a major version than the newest.",
        "Its operator upgrades it.";
    LEDGER_AGREED = "xrpl.agreement", "As many servers as the quorum agree on a validated ledger of just now, and none contradicts it.",
        "Look at each server's ledger and hash; take the one out that follows another chain.";
    LEDGER_HISTORY = "xrpl.history", "As many servers as the quorum hold every ledger that a wallet still has to read.",
        "Add servers with longer history (`complete_ledgers`), or set a later `start_ledger`.";
    SERVER_OPERATORS = "xrpl.operators", "The servers are run by as many operators as must agree, and one of them may fail.",
        "Name servers of another operator.";
    CLOCK_LEDGER = "clock.ledger", "This machine's clock agrees with the ledger's close times.",
        "Mend the time synchronisation of this machine.";

    WALLET_EXISTS = "wallet.exists", "Each wallet's account exists on the ledger and is somebody's own.",
        "Fund the address with at least the reserve.";
    WALLET_KEY = "wallet.key", "The configured key may sign for each wallet.",
        "Set the account's regular key to the key's own address, or configure the right key.";
    WALLET_REGULAR_KEY = "wallet.regular_key", "Each hot wallet is signed for by a regular key, not by its master key.",
        "`xrpayd wallet set-regular-key`.";
    WALLET_MASTER = "wallet.master_key", "Each hot wallet's master key is disabled, or kept offline behind a regular key that is disabled last.",
        "`xrpayd wallet disable-master`, with the master key on a machine that is offline.";
    WALLET_TAG = "wallet.require_tag", "Each wallet requires a destination tag of those who pay it.",
        "`xrpayd wallet require-tag`, with a key that may sign for the account.";
    WALLET_DEPOSIT = "wallet.deposit_auth", "No wallet that is to be paid takes payments only from preauthorised accounts.",
        "Clear DepositAuth, or preauthorise whoever refills and pays it.";
    WALLET_SIGNERS = "wallet.signer_list", "Each wallet can be recovered by several people together, and by none of them alone.",
        "`xrpayd wallet signer-list`: three or more signers, a quorum of two or more.";
    WALLET_BALANCE = "wallet.balance", "Each hot wallet holds more than its low and critical balance.",
        "Refill it from the warm wallet.";
    WALLET_CAP = "wallet.balance_cap", "Each hot wallet has a balance cap and holds no more than that.",
        "Set `balance_cap_xrp`; move what is above to a colder wallet.";
    WALLET_LISTED = "wallet.address_list", "Each wallet's address is the one on the production list.",
        "Find out which of the two is wrong before anything is paid; `preflight.address_list` names the list.",
        days 90;

    SECRET_FILES = "secret.files", "Each secret is a file that its owner alone may read, in a folder that others may not write to.",
        "`chmod 0400 FILE`, owned by the daemon's user.";
    SECRET_ENVIRONMENT = "secret.environment", "No seed stands in this process's environment.",
        "Move it into a file; treat the seed as exposed.";

    STORE_REACHABLE = "store.reachable", "The database answers and takes a write.",
        "See runbooks/StoreDown.md.";
    STORE_SCHEMA = "store.schema", "The database is at this program's schema.",
        "The first start of this version migrates it: back it up, start one daemon, look again.";
    STORE_HOME = "store.home", "The database belongs to this profile and network, and its books are here.",
        "Use this environment's own database.";
    STORE_TLS = "store.encrypted", "A database on another machine is verified by TLS.",
        "Add `?sslmode=verify-full` to its URL.";
    STORE_DURABLE = "store.durable", "The database's server keeps what it has committed.",
        "Set `fsync` and `full_page_writes` to on.";
    STORE_CONNECTIONS = "store.connections", "The database has connections enough for every replica.",
        "Raise the server's `max_connections`, or lower `store.max_connections`.";
    STORE_LINEAGE = "store.lineage", "The database is the one that the wallets were last worked on in.",
        "It is a copy or was promoted: see docs/POSTGRES.md before a daemon starts on it.";
    STORE_BACKUP = "store.backup", "A backup of the last 26 hours was found whole.",
        "`xrpayd store backup`; see docs/BACKUPS.md.";
    CLOCK_STORE = "clock.store", "The database's clock agrees with this machine's.",
        "Mend the time synchronisation of both.";
    SIGNING_HALTED = "wallet.halted", "No wallet is halted.",
        "See runbooks/WalletHalted.md.";

    KEYS_ADMIN = "keys.admin", "There is a key that may administer the service.",
        "`xrpayd keys create --scope admin --cidr … --expires-in 90d`.";
    KEYS_BOUND = "keys.bounds", "Each API key holds from named addresses alone, or ends.",
        "Rotate it with `--cidr` or `--expires-in`, and revoke the old one.";
    KEYS_HERE = "keys.environment", "No API key is called after another environment.",
        "Revoke it: `xrpayd keys revoke ID`.";
    KEYS_DUTIES = "keys.duties", "No client may both ask for payments and approve them.",
        "Give approvers keys of their own.";
    AUTH_ON = "http.auth", "Requests need an API key.",
        "`auth.enabled = true`.";
    HTTP_EXPOSED = "http.exposure", "The API is reached from this machine alone, or through proxies that are named.",
        "Bind `http.listen` to loopback or a private address and name the proxies in `http.trusted_proxies`.";
    HTTP_PORT = "http.port", "The API's address is free, or this service answers there and is ready.",
        "End what listens there, or look at `/health`.";
    HTTP_RATES = "http.rate_limits", "Each key's requests are limited.",
        "Lower `rate_limit.per_minute` and `rate_limit.per_hour`: 30 and 500 are shipped.";
    HTTP_CERTIFICATE = "http.certificate", "Clients find the API under a trusted certificate that holds for two weeks at least.",
        "Renew the certificate of the proxy; `preflight.public_url` says where to look.", days 30;
    METRICS_EXPOSED = "metrics.exposure", "The metrics are not reached from the public internet.",
        "Bind `telemetry.listen` to loopback or a private address.";

    ALERTS_RECEIVER = "alerts.receiver", "Alertmanager tells receivers that are somebody's and take it, and who that is is written down.",
        "Set `preflight.alertmanager_url` and `telemetry.alert_receiver`; put your receivers into alerts/alertmanager.yml, start it, and send a test page.";
    WEBHOOK_RECEIVERS = "webhooks.receivers", "Each webhook endpoint that is enabled can be reached.",
        "Tell its owner; `POST /v1/webhook-endpoints/{id}/test` tries it.";

    LIMITS_CAPS = "limits.caps", "The hard caps are set, in proportion, and no higher than they are meant to be.",
        "Lower `limits.max_payment_xrp` and `limits.daily_limit_xrp`.";
    LIMITS_APPROVAL = "limits.approval", "Large payments wait for a second person.",
        "Set `limits.approval_threshold` below `limits.max_payment_xrp`.";
    ROLLOUT_STAGE = "rollout.stage", "The rollout begins at its first stage, or has been promoted from there.",
        "Set `rollout.stage` to the first stage.";

    HOST_DISK = "host.disk", "The database's disk has room: 2 GiB at least, and a tenth of it.",
        "Free or add space.";
    HOST_LAST_RUN = "host.last_run", "What this machine signed last can be written down.",
        "Make `store.last_run_dir` writable for the daemon's user; on PostgreSQL it must be set.";
    HOST_FILES = "host.open_files", "As many files may be open as the service takes connections.",
        "Raise `LimitNOFILE` of the unit.";
    HOST_CORE = "host.core_dumps", "A crash leaves no memory image, which would hold the key.",
        "`LimitCORE=0` in the unit, or `ulimit -c 0`.";
    HOST_USER = "host.user", "The service does not run as root.",
        "Run this command, and the daemon, as the daemon's own user.";

    PEOPLE_ON_CALL = "people.on_call", "Somebody is on call, knows it, and is reached by a page that was sent for a test.",
        "Send a test alert through Alertmanager and have it acknowledged.", days 30;
    PEOPLE_RUNBOOKS = "people.runbooks", "Who is on call has read the runbooks and has the access that they need.",
        "Walk through one runbook together.", days 90;
    PEOPLE_INCIDENTS = "people.incident_plan", "There are an incident plan, message templates, contacts and a status page.",
        "See runbooks/incident-template.md.", days 180;
    KEYS_CUSTODY = "custody.master_keys", "Master and cold keys are offline, and backed up in several places.",
        "Count the copies and see that each can be read.", days 180;
    TIERS = "custody.tiers", "Warm and cold wallets hold what the hot wallet does not, and their custodians know the refill procedure.",
        "Walk through runbooks/hot-wallet-refill.md with them.", days 90;
    RESTORE_DRILL = "drill.restore", "A backup has been restored on another machine, and the service started on it.",
        "See docs/BACKUPS.md.", days 90;
    ROLLBACK_DRILL = "drill.roll_back", "The roll-back has been rehearsed on staging.",
        "See docs/DEPLOYS.md.", days 90;
    LOAD_TEST = "drill.load", "Twice the expected peak has been carried on staging for a day.",
        "`make bench`, then traffic on staging.", days 180;
    NETWORK_CLOSED = "network.firewall", "A firewall lets nobody but the proxies to the API, nobody to the metrics and the database from outside, and floods are bounded before it.",
        "Scan the machine's addresses from outside.", days 90;
    SECURITY_REVIEW = "security.review", "Somebody who did not write it has tested the installation for weaknesses.",
        "See docs/SECURITY.md for what has been looked at.", days 365;
    REVIEWED = "people.go_live", "Two people have read this report and agree to go live.",
        "Keep the report: `--report FILE`.", days 30;
}

/// The item of that name.
#[must_use]
pub fn find(id: &str) -> Option<&'static Item> {
    ITEMS.iter().find(|item| item.id == id).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_item_has_a_name_of_its_own_and_says_what_to_do() {
        let ids: BTreeSet<&str> = ITEMS.iter().map(|item| item.id).collect();
        assert_eq!(ids.len(), ITEMS.len());
        for item in ITEMS {
            assert!(item.id.split('.').count() == 2, "{}", item.id);
            assert!(
                item.asks.ends_with('.') && item.remedy.ends_with('.'),
                "{}",
                item.id
            );
            assert_eq!(find(item.id), Some(*item));
        }
        assert_eq!(find("people.nobody"), None);
    }
}
