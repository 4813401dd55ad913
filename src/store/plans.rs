//! Asserts that every statement of the hot paths stands on an index, on both dialects.
//!
//! While an operation runs under [`PLANS`], the executor asks the database how it would run each
//! statement, and keeps the answer.

mod audit;
mod backups;
mod callers;
mod invoices;
mod leases;
mod limits;
mod rows;

use super::db::{Dialect, Tx, TxOn, Value};
use super::*;
use leases::held;
use rows::{credit, of_a_stranger};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use std::cell::RefCell;
use std::sync::atomic::{AtomicU32, Ordering};
use xrpayd_core::address::AccountId;
use xrpayd_core::amount::Amount;
use xrpayd_core::deposit::{Counted, Credit, id_of};
use xrpayd_core::ids::{InvoiceId, LedgerHash, LedgerIndex, PaymentId, TxHash, UnixMs};
use xrpayd_core::journal::{Cursor, Delivered, Entry};
use xrpayd_core::limits::Caps;
use xrpayd_core::money::Drops;
use xrpayd_core::payment::{Event, NewAttempt, Order, Payment, Slot, Status, Substatus, decide};

tokio::task_local! {
    /// The statements of the running operation, each with the database's plan for it.
    static PLANS: RefCell<Vec<(String, String)>>;
}

/// Keeps the plan of a statement that is about to run, where somebody listens.
pub(super) async fn record(tx: &mut Tx, sql: &str, values: &[Value]) {
    if PLANS.try_with(|_| ()).is_err() || sql.starts_with("explain") {
        return;
    }
    let (explain, column) = match &mut tx.on {
        TxOn::Sqlite(_) => (format!("explain query plan {sql}"), "detail"),
        TxOn::Postgres(connection) => {
            // On tables as small as a test's a scan is cheaper than any index.
            connection
                .execute("set local enable_seqscan = off")
                .await
                .unwrap();
            (format!("explain {sql}"), "QUERY PLAN")
        }
    };
    let rows = Box::pin(tx.fetch(explain, values.to_vec())).await.unwrap();
    let lines: Vec<String> = rows.iter().map(|row| row.text(column).unwrap()).collect();
    PLANS.with(|plans| plans.borrow_mut().push((sql.to_owned(), lines.join("\n"))));
}

/// The plans of everything that `operation` ran.
pub(super) async fn plans_of<T>(operation: impl Future<Output = T>) -> Vec<(String, String)> {
    PLANS
        .scope(RefCell::new(Vec::new()), async {
            operation.await;
            PLANS.with(|plans| plans.take())
        })
        .await
}

/// Tables that grow with every payment.
const GROWING: [(&str, &str); 15] = [
    ("leases", "leases"),
    ("lease_log", "lease_log"),
    ("audit_log", "audit_log"),
    ("payments", "p"),
    ("invoices", "i"),
    ("attempts", "a"),
    ("events", "events"),
    ("journal_entries", "e"),
    ("deposits", "d"),
    ("webhook_deliveries", "d"),
    ("webhook_deliveries", "b"),
    ("webhook_messages", "m"),
    ("webhook_attempts", "webhook_attempts"),
    ("key_counts", "c"),
    ("used_signatures", "used_signatures"),
];

/// Indexes that may be read from end to end: those that hold only what is on its way or waits for an
/// approval, and those that a page walks from their newest end.
const WALKED: [&str; 6] = [
    "attempts_still_open",
    "payments_processing",
    "payments_awaiting",
    "payments_by_time",
    "deposits_by_time",
    "deposits_unmatched",
];

/// The lines of a plan that read a growing table from end to end.
pub(super) fn scans(plan: &str) -> Vec<&str> {
    let is_scan = |line: &&str| {
        GROWING.iter().any(|(table, alias)| {
            let names = |verb: &str, name: &str| {
                let after = line.split_once(verb).map(|(_, rest)| rest);
                after.is_some_and(|rest| rest.split_whitespace().next() == Some(name))
            };
            let of_sqlite = names("SCAN ", table) || names("SCAN ", alias);
            let walked = WALKED.iter().any(|index| line.contains(index));
            (of_sqlite && !walked) || names("Seq Scan on ", table)
        })
    };
    plan.lines().filter(is_scan).collect()
}

#[tokio::test]
async fn a_statement_without_an_index_is_caught() {
    for (store, _folder) in stores().await {
        for offender in [
            "select p.id from payments p where p.stage = 'internal'",
            "select id from payments where fingerprint is null",
            "select count(*) from events where version = 1",
            "select d.id from deposits d where d.version = 2",
        ] {
            let plans = plans_of(async {
                let mut tx = store.db().read().await.unwrap();
                tx.fetch(offender, Vec::new()).await.unwrap();
            })
            .await;
            assert_eq!(plans.len(), 1);
            assert!(!scans(&plans[0].1).is_empty(), "{offender}: {}", plans[0].1);
        }
    }
}

static DATABASES: AtomicU32 = AtomicU32::new(0);

pub(super) async fn stores() -> Vec<(Store, Option<tempfile::TempDir>)> {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("plans.db").display());
    let sqlite = Store::open(&StoreConfig::new(url), Access::Daemon)
        .await
        .unwrap();
    let mut stores = vec![(sqlite, Some(folder))];
    match std::env::var("XRPAYD_TEST_POSTGRES_URL") {
        Ok(server) => {
            let n = DATABASES.fetch_add(1, Ordering::Relaxed);
            let name = format!("xrpayd_plans_{}_{n}", std::process::id());
            let mut connection = PgConnection::connect(&server).await.unwrap();
            for verb in ["drop database if exists", "create database"] {
                connection
                    .execute(AssertSqlSafe(format!("{verb} {name}")))
                    .await
                    .unwrap();
            }
            let (base, options) = server.split_once('?').unwrap_or((&server, ""));
            let (host, _) = base.rsplit_once('/').unwrap();
            let url = format!("{host}/{name}?{options}");
            stores.push((
                Store::open(&StoreConfig::new(url), Access::Daemon)
                    .await
                    .unwrap(),
                None,
            ));
        }
        Err(_) => {
            assert!(
                std::env::var_os("CI").is_none(),
                "XRPAYD_TEST_POSTGRES_URL is not set under CI"
            );
            eprintln!("LEFT OUT: the plans of PostgreSQL; run by tests/postgres.sh or make test");
        }
    }
    stores
}

pub(super) const T0: UnixMs = UnixMs(1_800_000_000_000);

pub(super) fn new_payment(n: u8) -> NewPayment {
    NewPayment {
        id: PaymentId(u128::try_from(T0.0).unwrap() << 80 | u128::from(n)),
        client: "shop".to_owned(),
        asked_by: "k1".to_owned(),
        wallet: "hot".to_owned(),
        order: Order {
            destination: AccountId([7; 20]),
            destination_tag: None,
            amount: Drops::new(1_000_000).unwrap(),
            source_tag: None,
            invoice_id: None,
            memos: Vec::new(),
            max_fee: None,
            reference: Some("ref".to_owned()),
            metadata: Default::default(),
            expires_at: Some(T0.plus_ms(9)),
            idempotency_key: format!("key {n}"),
            payback: None,
        },
        fingerprint: [n; 32],
        stage: "internal".to_owned(),
        words: 0,
        caps: Caps {
            min_payment: Drops::ZERO,
            max_payment: Drops::MAX,
            daily: Drops::MAX,
            max_pending: 99,
        },
        scoped: Default::default(),
        approval: None,
        now: T0,
    }
}

fn signed(payment: &Payment) -> Change {
    let attempt = NewAttempt {
        hash: TxHash([9; 32]),
        slot: Slot::Sequence(5),
        fee: Drops::new(10).unwrap(),
        first_ledger: LedgerIndex(101),
        last_ledger: LedgerIndex(120),
        signed_at: T0,
    };
    let after = decide(payment, Event::Sign(attempt.clone()), T0)
        .unwrap()
        .unwrap()
        .payment;
    Change {
        before: payment.version,
        payment: after,
        new_blobs: vec![(attempt.hash, vec![1])],
        settled: None,
    }
}

#[tokio::test]
async fn no_statement_of_a_hot_path_reads_a_growing_table_from_end_to_end() {
    let cursor = Cursor {
        start: LedgerIndex(100),
        at: LedgerIndex(100),
        at_hash: LedgerHash([1; 32]),
        next_sequence: 5,
        balance: Drops::ZERO,
        owner_count: 0,
    };
    for (store, _folder) in stores().await {
        let dialect = match store.db().dialect() {
            Dialect::Sqlite(_) => "SQLite",
            Dialect::Postgres(_) => "PostgreSQL",
        };
        store
            .anchor_lane(
                &held(&store).await,
                AccountId([1; 20]),
                0,
                &cursor,
                &Before::default(),
                T0,
            )
            .await
            .unwrap();
        let mut seen = plans_of(async { store.accept(new_payment(1)).await.unwrap() }).await;
        let tenure = held(&store).await;
        seen.extend(plans_of(async { store.accept(new_payment(1)).await.unwrap() }).await);
        store.accept(new_payment(2)).await.unwrap();
        let one = store.payment(new_payment(1).id).await.unwrap().unwrap();
        seen.extend(plans_of(async { store.queued("hot", Some(one.id), 10).await.unwrap() }).await);
        let words = [Substatus::Queued, Substatus::LowBalance, Substatus::FeeHold];
        seen.extend(plans_of(async { store.queued_as("hot", &words, 10).await.unwrap() }).await);
        seen.extend(
            plans_of(async { store.past_expiry("hot", T0.plus_ms(10), 10).await.unwrap() }).await,
        );
        let commit = LaneCommit {
            changes: vec![signed(&one)],
            ..LaneCommit::new("hot", T0)
        };
        seen.extend(plans_of(async { store.commit(&tenure, &commit).await.unwrap() }).await);
        let commit = LaneCommit {
            journal: Some(JournalCommit {
                from: LedgerIndex(101),
                cursor: Cursor {
                    at: LedgerIndex(102),
                    ..cursor.clone()
                },
                entries: vec![of_a_stranger(LedgerIndex(101))],
                remembered: Vec::new(),
                tickets: Vec::new(),
                sign_from: None,
                credits: vec![credit()],
                closed_at: None,
            }),
            ..LaneCommit::new("hot", T0)
        };
        seen.extend(plans_of(async { store.commit(&tenure, &commit).await.unwrap() }).await);
        seen.extend(plans_of(async { store.load_lane("hot").await.unwrap() }).await);
        seen.extend(plans_of(async { store.payment(one.id).await.unwrap() }).await);
        seen.extend(plans_of(async { store.payment_events(one.id).await.unwrap() }).await);
        let filter = FeedFilter {
            client: Some("shop".to_owned()),
            house: true,
            types: vec!["payment.processing".to_owned()],
            objects: vec!["payment".to_owned()],
        };
        seen.extend(plans_of(async { store.feed(1, &filter, 10).await.unwrap() }).await);
        let day = T0.plus_ms(86_400_000);
        seen.extend(plans_of(async { store.limit_usage(day).await.unwrap() }).await);
        let caps = new_payment(1).caps;
        seen.extend(
            plans_of(async { store.resets_at(&caps, &[], Drops::MAX, T0).await.unwrap() }).await,
        );
        seen.extend(plans_of(async { store.totals().await.unwrap() }).await);
        let tip = LedgerIndex(9);
        seen.extend(plans_of(async { store.attempts_overdue(tip).await.unwrap() }).await);
        seen.extend(plans_of(async { store.queued_amount("hot").await.unwrap() }).await);
        seen.extend(plans_of(async { store.loads().await.unwrap() }).await);
        seen.extend(
            plans_of(async {
                let by = Person {
                    key: "k1",
                    of: "house",
                    client: None,
                };
                let (id, event) = (new_payment(2).id, Event::Cancel);
                store
                    .rule(id, by, event, Past::Read(&["hot"]), T0)
                    .await
                    .unwrap()
            })
            .await,
        );
        let entries = store.journal_entries("hot", LedgerIndex(1), LedgerIndex(9));
        seen.extend(plans_of(async { entries.await.unwrap() }).await);

        assert!(
            seen.len() > 40,
            "{dialect}: only {} statements were seen",
            seen.len()
        );
        for (sql, plan) in &seen {
            assert_eq!(scans(plan), Vec::<&str>::new(), "{dialect}: {sql}\n{plan}");
        }
        for index in [
            "payments_queued",
            "payments_expiring",
            "payments_processing",
            "payments_awaiting",
            "payments_by_time",
            "attempts_still_open",
            "attempts_of_payment",
            "events_of_object",
        ] {
            assert!(
                seen.iter().any(|(_, plan)| plan.contains(index)),
                "{dialect}: nothing uses {index}"
            );
        }
    }
}

#[tokio::test]
async fn every_list_walks_the_index_that_was_made_for_it() {
    let by_name = |filter: &PaymentFilter| match (&filter.reference, &filter.destination) {
        (Some(_), _) => Some("payments_by_reference"),
        (None, Some(_)) => Some("payments_by_destination"),
        (None, None) => None,
    };
    for (store, _folder) in stores().await {
        let is_sqlite = matches!(store.db().dialect(), Dialect::Sqlite(_));
        let one = match store.accept(new_payment(1)).await.unwrap() {
            AcceptOutcome::Created(payment) => payment,
            other => panic!("{other:?}"),
        };
        for client in [None, Some("shop".to_owned())] {
            for status in std::iter::once(None).chain(Status::ALL.map(Some)) {
                for names in 0..4_u8 {
                    for cursor in [None, Some(one.id)] {
                        let filter = PaymentFilter {
                            house: false,
                            client: client.clone(),
                            status,
                            reference: (names & 1 > 0).then(|| "ref".to_owned()),
                            destination: (names & 2 > 0).then_some(AccountId([7; 20])),
                            created_after: Some(T0),
                            created_before: None,
                        };
                        let page = Page { cursor, limit: 50 };
                        let plans =
                            plans_of(async { store.payments(&filter, &page).await.unwrap() }).await;
                        for (sql, plan) in &plans {
                            assert_eq!(
                                scans(plan),
                                Vec::<&str>::new(),
                                "{filter:?}\n{sql}\n{plan}"
                            );
                        }
                        let ended = status != Some(Status::Processing);
                        let expected = match by_name(&filter).filter(|_| ended) {
                            Some(index) => index,
                            None if client.is_some() => "payments_by_client",
                            None => match status {
                                Some(
                                    Status::AwaitingApproval
                                    | Status::Failed
                                    | Status::Expired
                                    | Status::Cancelled
                                    | Status::Rejected,
                                ) => "payments_not_delivered",
                                Some(Status::Processing) => "payments_processing",
                                Some(Status::Succeeded) | None => "payments_by_time",
                            },
                        };
                        // PostgreSQL weighs indexes by statistics that a test's tables do not have.
                        if is_sqlite {
                            let walked = plans.iter().any(|(_, plan)| plan.contains(expected));
                            assert!(walked, "{filter:?} does not walk {expected}: {plans:#?}");
                        }
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn every_list_of_deposits_walks_the_index_that_was_made_for_it() {
    let cursor = Cursor {
        start: LedgerIndex(100),
        at: LedgerIndex(100),
        at_hash: LedgerHash([1; 32]),
        next_sequence: 5,
        balance: Drops::ZERO,
        owner_count: 0,
    };
    for (store, _folder) in stores().await {
        let is_sqlite = matches!(store.db().dialect(), Dialect::Sqlite(_));
        store
            .anchor_lane(
                &held(&store).await,
                AccountId([1; 20]),
                0,
                &cursor,
                &Before::default(),
                T0,
            )
            .await
            .unwrap();
        let one = id_of(0, AccountId([1; 20]), &credit());
        for choice in 0..64_u8 {
            let has = |bit: u8| choice & (1 << bit) > 0;
            let filter = DepositFilter {
                client: has(0).then(|| "shop".to_owned()),
                matched: has(1).then(|| has(2)),
                wallet: has(2).then(|| "hot".to_owned()),
                invoice: has(3).then_some(InvoiceId(5)),
                from: has(4).then_some(AccountId([9; 20])),
                tx_hash: has(5).then_some(TxHash([9; 32])),
                destination_tag: Some(7),
                created_after: Some(T0),
                created_before: None,
            };
            let expected = match &filter {
                DepositFilter {
                    tx_hash: Some(_), ..
                } => "sqlite_autoindex_deposits",
                DepositFilter {
                    invoice: Some(_), ..
                } => "deposits_of_invoice",
                DepositFilter { from: Some(_), .. } => "deposits_by_sender",
                DepositFilter {
                    matched: Some(false),
                    ..
                } => "deposits_unmatched",
                DepositFilter {
                    client: Some(_), ..
                } => "deposits_by_client",
                _ => "deposits_by_time",
            };
            for cursor in [None, Some(one)] {
                let page = Page { cursor, limit: 50 };
                let plans = plans_of(async { store.deposits(&filter, &page).await.unwrap() }).await;
                for (sql, plan) in &plans {
                    assert_eq!(scans(plan), Vec::<&str>::new(), "{filter:?}\n{sql}\n{plan}");
                }
                // PostgreSQL weighs indexes by statistics that a test's tables do not have. A cursor
                // that names no deposit ends the list before its walk.
                if is_sqlite && cursor.is_none() {
                    let walked = plans.iter().any(|(_, plan)| plan.contains(expected));
                    assert!(walked, "{filter:?} does not walk {expected}: {plans:#?}");
                }
            }
        }
    }
}
