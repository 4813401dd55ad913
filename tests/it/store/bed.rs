//! A fresh database on either store, and the payments that the tests put into it.

use crate::support::held::Held as _;
use crate::support::outside::outside;
use sqlx::{
    AssertSqlSafe, Connection as _, Executor as _, PgConnection, Row as _, SqliteConnection,
};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use xrpayd::store::{
    AcceptOutcome, Access, Change, LaneCommit, NewPayment, Page, Past, Person, RulingOutcome,
    Store, StoreConfig,
};
use xrpayd::supervise::Supervisor;
use xrpayd_core::address::AccountId;
use xrpayd_core::ids::{LedgerHash, LedgerIndex, PaymentId, TxHash, UnixMs};
use xrpayd_core::journal::Cursor;
use xrpayd_core::limits::Caps;
use xrpayd_core::money::Drops;
use xrpayd_core::payment::{
    Absence, AbsenceReason, Answer, Effect, Event, Finding, NewAttempt, Order, Payment, Slot,
    decide,
};

pub const WALLET: &str = "hot";
pub const CLIENT: &str = "shop";
/// The time at which the tests begin.
pub const T0: UnixMs = UnixMs(1_800_000_000_000);

/// Runs each test on SQLite and on PostgreSQL.
macro_rules! on_both_stores {
    ($(async fn $name:ident($bed:ident) $body:block)+) => {
        $(async fn $name($bed: &$crate::store::bed::Bed) $body)+

        mod on_sqlite {$(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(&$crate::store::bed::Bed::sqlite().await).await;
            }
        )+}

        mod on_postgresql {$(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                if let Some(bed) = $crate::store::bed::Bed::postgres().await {
                    super::$name(&bed).await;
                }
            }
        )+}
    };
}

/// A database of one test.
pub struct Bed {
    pub url: String,
    folder: Option<tempfile::TempDir>,
    supervisor: Supervisor,
}

impl Bed {
    pub async fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("xrpayd.db").display());
        Self {
            url,
            folder: Some(folder),
            supervisor: Supervisor::new(),
        }
    }

    pub async fn postgres() -> Option<Self> {
        let url = fresh_postgres().await?;
        Some(Self {
            url,
            folder: None,
            supervisor: Supervisor::new(),
        })
    }

    pub const fn is_sqlite(&self) -> bool {
        self.folder.is_some()
    }

    pub fn config(&self) -> StoreConfig {
        StoreConfig {
            acquire_timeout: Duration::from_secs(20),
            ..StoreConfig::new(&self.url)
        }
    }

    /// The store without its accept writer: each accept is a transaction of its own.
    pub async fn open(&self) -> Store {
        self.try_open(Access::Daemon).await.unwrap()
    }

    pub async fn try_open(&self, access: Access) -> Result<Store, xrpayd::store::StoreError> {
        Store::open(&self.config(), access).await
    }

    /// The store as the daemon runs it.
    pub async fn open_with_writer(&self) -> Store {
        let store = self.open().await;
        store.start_accept_writer(&self.supervisor);
        store
    }

    /// The store as another process opens it, beside one that is open: SQLite serves one daemon.
    pub async fn open_with_writer_beside(&self) -> Store {
        if self.is_sqlite() {
            return self.try_open(Access::Tool).await.unwrap();
        }
        self.open_with_writer().await
    }

    /// Runs a statement behind the store's back.
    pub async fn raw(&self, sql: &str) {
        self.try_raw(sql).await.unwrap();
    }

    /// Runs a statement behind the store's back that the schema may refuse.
    pub async fn try_raw(&self, sql: &str) -> Result<(), sqlx::Error> {
        run_on(&self.url, sql).await
    }

    /// The first column of the first row as a whole number.
    pub async fn number(&self, sql: &str) -> i64 {
        let sql = AssertSqlSafe(sql.to_owned());
        if self.is_sqlite() {
            let mut connection = SqliteConnection::connect(&self.url).await.unwrap();
            connection.fetch_one(sql).await.unwrap().get(0)
        } else {
            let mut connection = PgConnection::connect(&self.url).await.unwrap();
            connection.fetch_one(sql).await.unwrap().get(0)
        }
    }

    /// The first column of the first row as a text.
    pub async fn word(&self, sql: &str) -> String {
        let sql = AssertSqlSafe(sql.to_owned());
        if self.is_sqlite() {
            let mut connection = SqliteConnection::connect(&self.url).await.unwrap();
            connection.fetch_one(sql).await.unwrap().get(0)
        } else {
            let mut connection = PgConnection::connect(&self.url).await.unwrap();
            connection.fetch_one(sql).await.unwrap().get(0)
        }
    }

    /// What every table holds, so that a test can tell that nothing at all was written.
    pub async fn everything(&self) -> Vec<(&'static str, i64, i64)> {
        let mut seen = Vec::new();
        for (table, sum) in [
            ("payments", "version"),
            ("invoices", "version"),
            ("attempts", "open"),
            ("events", "version"),
            ("feed", "sequence"),
            ("journal_entries", "ledger_index"),
            ("remembered", "ledger_index"),
            ("wallets", "cursor_at"),
            ("payment_ends", "reached"),
            ("limit_state", "used_drops + pending"),
            ("audit_head", "sequence"),
        ] {
            let rows = self
                .number(&format!("select cast(count(*) as bigint) from {table}"))
                .await;
            let sum = format!("select cast(coalesce(sum({sum}), 0) as bigint) from {table}");
            seen.push((table, rows, self.number(&sum).await));
        }
        seen
    }
}

/// Runs a statement on the database at `url`, beside whoever uses it.
pub async fn run_on(url: &str, sql: &str) -> Result<(), sqlx::Error> {
    let sql = AssertSqlSafe(sql.to_owned());
    if url.starts_with("sqlite") {
        let mut connection = SqliteConnection::connect(url).await?;
        let answer = connection.execute(sql).await.map(|_| ());
        connection.close().await?;
        answer
    } else {
        let mut connection = PgConnection::connect(url).await?;
        let answer = connection.execute(sql).await.map(|_| ());
        connection.close().await?;
        answer
    }
}

static DATABASES: AtomicU64 = AtomicU64::new(0);

/// The URL of a fresh PostgreSQL database; `None`, said aloud, where there is no server to make it
/// on. Under CI that fails.
pub async fn fresh_postgres() -> Option<String> {
    let server = outside(
        "XRPAYD_TEST_POSTGRES_URL",
        "a test on PostgreSQL",
        "postgres.sh",
    )?;
    let n = DATABASES.fetch_add(1, Ordering::Relaxed);
    let name = format!("xrpayd_test_{}_{n}", std::process::id());
    let mut connection = PgConnection::connect(&server).await.unwrap();
    // What an earlier run on the same server left behind under the same number is of no interest.
    for statement in [
        format!("drop database if exists {name}"),
        format!("create database {name}"),
    ] {
        connection.execute(AssertSqlSafe(statement)).await.unwrap();
    }
    connection.close().await.unwrap();
    let (base, options) = server.split_once('?').unwrap_or((&server, ""));
    let (host, _) = base.rsplit_once('/').unwrap();
    Some(format!("{host}/{name}?{options}"))
}

/// Waits until so many sessions of the database wait for a lock.
pub async fn waiters(url: &str, count: i64) {
    let sql = "select count(*) from pg_stat_activity \
        where datname = current_database() and wait_event_type = 'Lock'";
    let mut database = PgConnection::connect(url).await.unwrap();
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    while database.fetch_one(sql).await.unwrap().get::<i64, _>(0) < count {
        assert!(tokio::time::Instant::now() < deadline, "nobody waits");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Everything that is `expected` of what an event tells, whatever else it tells.
pub fn tells(data: &serde_json::Value, expected: &serde_json::Value) {
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(data.get(name), Some(value), "{name} in {data}");
    }
}

/// The first page of a list.
pub const fn first_page<I>(limit: u32) -> Page<I> {
    Page {
        cursor: None,
        limit,
    }
}

pub fn xrp(text: &str) -> Drops {
    Drops::from_xrp(text).unwrap()
}

pub fn roomy() -> Caps {
    Caps {
        min_payment: xrp("0.001"),
        max_payment: xrp("10000"),
        daily: xrp("1000000"),
        max_pending: 20_000,
    }
}

pub fn account(n: u8) -> AccountId {
    AccountId([n; 20])
}

pub fn order(key: &str, amount: Drops) -> Order {
    Order {
        destination: account(7),
        destination_tag: Some(0),
        amount,
        source_tag: None,
        invoice_id: None,
        memos: Vec::new(),
        max_fee: None,
        reference: None,
        metadata: [("order".to_owned(), "42".to_owned())].into(),
        expires_at: None,
        idempotency_key: key.to_owned(),
        payback: None,
    }
}

static IDS: AtomicU64 = AtomicU64::new(1);

/// An id that sorts by its time, as the daemon makes them.
pub fn id_at(at: UnixMs) -> PaymentId {
    let n = IDS.fetch_add(1, Ordering::Relaxed);
    PaymentId(u128::try_from(at.0).unwrap() << 80 | u128::from(n))
}

/// A request for a payment, as HTTP hands it in.
pub fn request(key: &str, amount: &str, now: UnixMs) -> NewPayment {
    let amount = xrp(amount);
    let mut fingerprint = [0_u8; 32];
    fingerprint[..8].copy_from_slice(&amount.get().to_le_bytes());
    NewPayment {
        id: id_at(now),
        client: CLIENT.to_owned(),
        asked_by: "maker".to_owned(),
        wallet: WALLET.to_owned(),
        order: order(key, amount),
        fingerprint,
        stage: "internal".to_owned(),
        words: 0,
        caps: roomy(),
        scoped: Default::default(),
        approval: None,
        now,
    }
}

/// What becomes of the wish of a key of `client` to call a payment off.
pub async fn cancel(
    store: &Store,
    id: PaymentId,
    client: Option<&str>,
    now: UnixMs,
) -> RulingOutcome {
    let by = Person {
        key: "maker",
        of: "house",
        client,
    };
    let past = Past::Read(&[WALLET]);
    store.rule(id, by, Event::Cancel, past, now).await.unwrap()
}

/// Accepts a payment that has to be new.
pub async fn accepted(store: &Store, new: NewPayment) -> Payment {
    match store.accept(new).await.unwrap() {
        AcceptOutcome::Created(payment) => payment,
        other => panic!("not created: {other:?}"),
    }
}

pub fn cursor(at: u32) -> Cursor {
    Cursor {
        start: LedgerIndex(100),
        at: LedgerIndex(at),
        at_hash: LedgerHash([u8::try_from(at % 256).unwrap(); 32]),
        next_sequence: 10,
        balance: xrp("5000"),
        owner_count: 1,
    }
}

/// A store whose wallet is anchored at ledger 100.
pub async fn anchored(bed: &Bed) -> Store {
    let store = bed.open().await;
    store
        .anchor_held(WALLET, account(1), 0, &cursor(100), None, T0)
        .await
        .unwrap();
    store
}

/// What the machine makes of `event`, as a change to commit.
pub fn change(payment: &Payment, event: Event, now: UnixMs) -> Change {
    let decision = decide(payment, event, now).unwrap().unwrap();
    let settled = decision.effects.iter().find_map(|effect| match effect {
        Effect::Settle { delivered } => Some(*delivered),
        Effect::Submit(_) | Effect::HaltWallet { .. } => None,
    });
    Change {
        before: payment.version,
        payment: decision.payment,
        new_blobs: Vec::new(),
        settled,
    }
}

pub fn hash(n: u32) -> TxHash {
    let mut bytes = [0xA5; 32];
    bytes[..4].copy_from_slice(&n.to_be_bytes());
    TxHash(bytes)
}

pub fn signed(payment: &Payment, sequence: u32, now: UnixMs) -> Change {
    let attempt = NewAttempt {
        hash: hash(sequence),
        slot: Slot::Sequence(sequence),
        fee: Drops::new(10).unwrap(),
        first_ledger: LedgerIndex(101),
        last_ledger: LedgerIndex(120),
        signed_at: now,
    };
    let blob = vec![1, 2, 3, u8::try_from(sequence % 256).unwrap()];
    Change {
        new_blobs: vec![(attempt.hash, blob)],
        ..change(payment, Event::Sign(attempt), now)
    }
}

pub fn submitted(payment: &Payment, now: UnixMs) -> Change {
    let hash = payment.attempts.last().unwrap().hash;
    let answer = Answer::Engine("tesSUCCESS".to_owned());
    change(payment, Event::Answered { hash, answer }, now)
}

pub fn found(payment: &Payment, result: &str, now: UnixMs) -> Change {
    let finding = Finding::Found {
        hash: payment.attempts.last().unwrap().hash,
        result: result.to_owned(),
        ledger_index: LedgerIndex(105),
        ledger_hash: LedgerHash([5; 32]),
        delivered: (result == "tesSUCCESS").then_some(payment.order.amount),
        servers: vec!["one".to_owned(), "two".to_owned()],
    };
    change(payment, Event::Journal(finding), now)
}

pub fn absent(payment: &Payment, now: UnixMs) -> Change {
    let proof = Absence {
        from: LedgerIndex(101),
        to: LedgerIndex(121),
        to_hash: LedgerHash([6; 32]),
        servers: vec!["one".to_owned()],
        reason: AbsenceReason::SlotFree {
            at: LedgerIndex(121),
            account_sequence: 10,
        },
    };
    let hash = payment.attempts.last().unwrap().hash;
    change(
        payment,
        Event::Journal(Finding::Absent { hash, proof }),
        now,
    )
}

pub fn commit_of(changes: Vec<Change>, now: UnixMs) -> LaneCommit {
    LaneCommit {
        changes,
        ..LaneCommit::new(WALLET, now)
    }
}

/// Commits one change and returns the payment after it.
pub async fn committed(store: &Store, change: Change) -> Payment {
    let payment = change.payment.clone();
    store
        .commit_held(&commit_of(vec![change], payment.updated_at))
        .await
        .unwrap();
    payment
}

/// Takes an accepted payment to its delivery.
pub async fn delivered(store: &Store, payment: &Payment, sequence: u32, now: UnixMs) -> Payment {
    let payment = committed(store, signed(payment, sequence, now)).await;
    let payment = committed(store, submitted(&payment, now)).await;
    committed(store, found(&payment, "tesSUCCESS", now)).await
}
