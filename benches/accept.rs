//! How fast payments are accepted durably, beside the raw limit of the same machine in the same run.
//!
//! The store: 64 callers, each waiting for its commit before it asks again, SQLite with synchronous
//! FULL. The limit: one loop that writes 64 rows with a unique random key and 64 event rows by two
//! multi-row statements and commits, with nothing else to do. Both take turns, the order rotated;
//! medians are compared. With XRPAYD_TEST_POSTGRES_URL set the same is done there, against `unnest`.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a measuring program: it prints, and stops where it cannot go on"
)]

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, PgConnection};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use xrpayd::clock::{Clock as _, Entropy as _, SeededEntropy, SystemClock, uuid_v7};
use xrpayd::store::{AcceptOutcome, Access, NewPayment, Store, StoreConfig};
use xrpayd::supervise::Supervisor;
use xrpayd_core::address::AccountId;
use xrpayd_core::ids::PaymentId;
use xrpayd_core::limits::Caps;
use xrpayd_core::money::Drops;
use xrpayd_core::payment::Order;

const CALLERS: u64 = 64;
const ROUNDS: usize = 5;

struct Machine {
    clock: SystemClock,
    entropy: SeededEntropy,
    rows: u64,
}

impl Machine {
    fn key(&self) -> String {
        let mut bytes = [0_u8; 16];
        self.entropy.fill(&mut bytes);
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn request(&self) -> NewPayment {
        let now = self.clock.now();
        NewPayment {
            id: PaymentId(uuid_v7(now, &self.entropy)),
            words: 0,
            client: "shop".to_owned(),
            asked_by: "k1".to_owned(),
            wallet: "hot".to_owned(),
            order: Order {
                destination: AccountId([7; 20]),
                destination_tag: Some(42),
                amount: Drops::new(1_000_000).unwrap(),
                source_tag: None,
                invoice_id: None,
                memos: Vec::new(),
                max_fee: None,
                reference: None,
                metadata: Default::default(),
                expires_at: None,
                idempotency_key: self.key(),
                payback: None,
            },
            fingerprint: [3; 32],
            stage: "general".to_owned(),
            caps: Caps {
                min_payment: Drops::ZERO,
                max_payment: Drops::MAX,
                daily: Drops::MAX,
                max_pending: u32::MAX,
            },
            scoped: Default::default(),
            approval: None,
            now,
        }
    }

    fn rate(&self, rows: u64, took: Duration) -> u64 {
        rows * 1_000_000 / u64::try_from(took.as_micros()).unwrap().max(1)
    }
}

/// Payments a second that the store accepts.
async fn through_the_store(machine: &Arc<Machine>, url: String) -> u64 {
    let store = Store::open(&StoreConfig::new(url), Access::Daemon)
        .await
        .unwrap();
    let supervisor = Supervisor::new();
    store.start_accept_writer(&supervisor);
    let left = Arc::new(AtomicU64::new(machine.rows));
    let began = machine.clock.monotonic();
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let (store, left, machine) = (store.clone(), Arc::clone(&left), Arc::clone(machine));
            tokio::spawn(async move {
                while left
                    .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1))
                    .is_ok()
                {
                    let outcome = store.accept(machine.request()).await.unwrap();
                    assert!(matches!(outcome, AcceptOutcome::Created(_)), "{outcome:?}");
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap();
    }
    let took = machine.clock.monotonic() - began;
    supervisor.shutdown(Duration::from_secs(10)).await;
    store.close().await;
    machine.rate(machine.rows, took)
}

const RAW_SCHEMA: &str = "create table payments (id text primary key, client text not null, \
    idempotency_key text not null, order_doc text not null, created_at bigint not null, \
    unique (client, idempotency_key)); \
    create table events (sequence SEQUENCE, payment_id text not null, data text not null)";

fn raw_row(machine: &Machine) -> (String, String, String) {
    let new = machine.request();
    let id = new.id.to_string();
    (
        id,
        new.order.idempotency_key.clone(),
        serde_json::to_string(&new.order).unwrap(),
    )
}

/// Rows a second of the same batches with nothing around them.
async fn raw_sqlite(machine: &Machine, path: &Path) -> u64 {
    let mut connection = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .disable_statement_logging()
        .connect()
        .await
        .unwrap();
    let schema = RAW_SCHEMA.replace("SEQUENCE", "integer primary key autoincrement");
    connection.execute(AssertSqlSafe(schema)).await.unwrap();
    // Unnumbered places: SQLite would look up numbered ones by their names.
    let places = |columns: usize| {
        let row = format!("({})", vec!["?"; columns].join(", "));
        (0..CALLERS)
            .map(|_| row.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    };
    let payments = format!(
        "insert into payments (id, client, idempotency_key, order_doc, created_at) values {}",
        places(5)
    );
    let events = format!("insert into events (payment_id, data) values {}", places(2));
    let batches = machine.rows / CALLERS;
    let began = machine.clock.monotonic();
    for _ in 0..batches {
        let mut tx = connection.begin_with("begin immediate").await.unwrap();
        let rows: Vec<_> = (0..CALLERS).map(|_| raw_row(machine)).collect();
        let mut query = sqlx::query(AssertSqlSafe(payments.as_str()));
        for (id, key, doc) in &rows {
            query = query.bind(id).bind("shop").bind(key).bind(doc).bind(1_i64);
        }
        query.execute(&mut *tx).await.unwrap();
        let mut query = sqlx::query(AssertSqlSafe(events.as_str()));
        for (id, ..) in &rows {
            query = query
                .bind(id)
                .bind("{\"status\":\"processing\",\"substatus\":\"queued\"}");
        }
        query.execute(&mut *tx).await.unwrap();
        tx.commit().await.unwrap();
    }
    machine.rate(batches * CALLERS, machine.clock.monotonic() - began)
}

async fn raw_postgres(machine: &Machine, url: &str) -> u64 {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let sequence = "bigint generated always as identity primary key";
    let schema = RAW_SCHEMA.replace("SEQUENCE", sequence);
    connection.execute(AssertSqlSafe(schema)).await.unwrap();
    let batches = machine.rows / CALLERS;
    let began = machine.clock.monotonic();
    for _ in 0..batches {
        let rows: Vec<_> = (0..CALLERS).map(|_| raw_row(machine)).collect();
        let ids: Vec<_> = rows.iter().map(|(id, ..)| id.clone()).collect();
        let keys: Vec<_> = rows.iter().map(|(_, key, _)| key.clone()).collect();
        let docs: Vec<_> = rows.iter().map(|(.., doc)| doc.clone()).collect();
        let mut tx = connection.begin().await.unwrap();
        sqlx::query(
            "insert into payments (id, client, idempotency_key, order_doc, created_at) \
             select id, 'shop', key, doc, 1 from unnest($1::text[], $2::text[], $3::text[]) as v (id, key, doc)",
        )
        .bind(&ids)
        .bind(keys)
        .bind(docs)
        .execute(&mut *tx)
        .await
        .unwrap();
        sqlx::query("insert into events (payment_id, data) select id, '{}' from unnest($1::text[]) as v (id)")
            .bind(&ids)
            .execute(&mut *tx)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }
    machine.rate(batches * CALLERS, machine.clock.monotonic() - began)
}

fn median(mut rates: Vec<u64>) -> u64 {
    rates.sort_unstable();
    rates[rates.len() / 2]
}

fn report(what: &str, store: Vec<u64>, raw: Vec<u64>) {
    let (store, raw) = (median(store), median(raw));
    println!(
        "{what}: accepted {store}/s, raw {raw}/s, ratio {} %",
        store * 100 / raw.max(1)
    );
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let rows = std::env::var("XRPAYD_BENCH_ROWS")
        .ok()
        .and_then(|rows| rows.parse().ok());
    let machine = Arc::new(Machine {
        clock: SystemClock::new(),
        entropy: SeededEntropy::new(1),
        rows: rows.unwrap_or(40_000),
    });
    let folder = tempfile::tempdir().unwrap();
    let (mut store, mut raw) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let url = format!(
            "sqlite://{}",
            folder.path().join(format!("store-{round}.db")).display()
        );
        let path = folder.path().join(format!("raw-{round}.db"));
        if round % 2 == 0 {
            store.push(through_the_store(&machine, url).await);
            raw.push(raw_sqlite(&machine, &path).await);
        } else {
            raw.push(raw_sqlite(&machine, &path).await);
            store.push(through_the_store(&machine, url).await);
        }
    }
    report("SQLite FULL, 64 callers", store, raw);

    let Ok(server) = std::env::var("XRPAYD_TEST_POSTGRES_URL") else {
        println!("PostgreSQL: left out; run by tests/postgres.sh cargo bench --bench accept");
        return;
    };
    let (mut store, mut raw) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let of_store = postgres_database(&server, &format!("xrpayd_bench_store_{round}")).await;
        let of_raw = postgres_database(&server, &format!("xrpayd_bench_raw_{round}")).await;
        store.push(through_the_store(&machine, of_store).await);
        raw.push(raw_postgres(&machine, &of_raw).await);
    }
    report("PostgreSQL, 64 callers", store, raw);
}

async fn postgres_database(server: &str, name: &str) -> String {
    let mut connection = PgConnection::connect(server).await.unwrap();
    for verb in ["drop database if exists", "create database"] {
        connection
            .execute(AssertSqlSafe(format!("{verb} {name}")))
            .await
            .unwrap();
    }
    let (base, options) = server.split_once('?').unwrap_or((server, ""));
    let (host, _) = base.rsplit_once('/').unwrap();
    format!("{host}/{name}?{options}")
}
