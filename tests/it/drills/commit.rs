//! A deposit whose page was read and agreed and could not be committed when the daemon died: it is
//! booked by the next one, once and to the drop, and told once.

use super::party::Party;
use super::scene::{GRACE, PATIENCE, Scene, store_in};
use crate::support::daemon::WALLET;
use crate::support::merchant::Merchant;
use serde_json::{Value, json};
use sqlx::{Connection as _, Executor as _, PgConnection, Row as _, SqliteConnection};
use std::time::{Duration, Instant};

/// Servers that have to agree on a page.
const QUORUM: usize = 2;

/// Somebody who keeps the daemon from writing deposits down.
enum Lock {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

const COUNT: &str = "select count(*) as n from deposits";

impl Lock {
    async fn taken(store: &str) -> Self {
        if store.starts_with("sqlite") {
            let mut connection = SqliteConnection::connect(store).await.unwrap();
            connection.execute("begin immediate").await.unwrap();
            Self::Sqlite(connection)
        } else {
            let mut connection = PgConnection::connect(store).await.unwrap();
            connection.execute("begin").await.unwrap();
            let lock = "lock table deposits in exclusive mode";
            connection.execute(lock).await.unwrap();
            Self::Postgres(connection)
        }
    }

    /// How many deposits are written down, and free to be written from now on.
    async fn released(self) -> i64 {
        match self {
            Self::Sqlite(mut connection) => {
                let row = connection.fetch_one(COUNT).await.unwrap();
                connection.execute("rollback").await.unwrap();
                connection.close().await.unwrap();
                row.get("n")
            }
            Self::Postgres(mut connection) => {
                let row = connection.fetch_one(COUNT).await.unwrap();
                connection.execute("rollback").await.unwrap();
                connection.close().await.unwrap();
                row.get("n")
            }
        }
    }
}

/// How often each of the daemon's servers was asked for the wallet's transactions.
async fn pages_read(scene: &Scene) -> Vec<u64> {
    let counts = json!({ "command": "sandbox_counts" });
    let counts = scene.ledger.ask(counts).await;
    let servers = counts["servers"].as_array().unwrap().iter();
    servers
        .map(|server| server["account_tx"].as_u64().unwrap_or(0))
        .collect()
}

/// Waits until a quorum of servers was asked once more than `before`.
async fn until_read(scene: &Scene, before: &[u64]) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let now = pages_read(scene).await;
        let more = now.iter().zip(before).filter(|(now, before)| now > before);
        if more.count() >= QUORUM {
            return;
        }
        assert!(Instant::now() < deadline, "the page is never read: {now:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn died_between(store: Option<&str>) {
    let scene = Scene::with_store(store, "manual", "10000", "", &[]);
    let own = store_in(scene.folder());
    let store = store.unwrap_or(&own);
    let payer = Party::funded(&scene, "payer").await;
    let daemon = scene.start().await;
    let scopes = ["invoices:read", "invoices:write", "payments:read"];
    let key = scene.setup.create_key("till", &scopes);
    let till = Merchant::new(&scene.setup.api, &key);
    let asks =
        json!({ "amount": { "currency": "XRP", "value": "5.000001" }, "expires_in": 86_400 });
    let (status, invoice) = till.post("/v1/invoices", None, &asks).await;
    assert_eq!(status, 201, "{invoice:#}");
    let newest = scene.ledger.validated().await;
    let has_read = |wallet: &Value| wallet["journal_ledger"].as_u64() >= Some(newest);
    till.until("/v1/wallets/hot", has_read).await;

    let lock = Lock::taken(store).await;
    let before = pages_read(&scene).await;
    let gift = json!({ "TransactionType": "Payment", "Destination": WALLET.0,
        "Amount": "5000001", "DestinationTag": invoice["destination_tag"] });
    let hash = payer.does(&scene, gift).await;
    until_read(&scene, &before).await;
    // The page is with the daemon, or on its way to it; its commit waits for the lock.
    tokio::time::sleep(Duration::from_millis(200)).await;
    daemon.kill();
    assert_eq!(
        lock.released().await,
        0,
        "it was written in spite of the lock"
    );

    let daemon = scene.start().await;
    let path = format!("/v1/invoices/{}", invoice["id"].as_str().unwrap());
    let paid = till.until(&path, |now| now["status"] == "paid").await;
    assert_eq!(paid["amount_received"]["value"], "5.000001", "{paid:#}");
    assert_eq!(paid["overpaid"], false);
    assert_eq!(paid["deposits"].as_array().unwrap().len(), 1);
    let all = till.all("/v1/deposits").await;
    let of_it: Vec<&Value> = all.iter().filter(|row| row["tx_hash"] == hash).collect();
    assert_eq!((all.len(), of_it.len()), (1, 1), "{all:#?}");
    let events = till.all_events().await;
    let told = |kind: &str| events.iter().filter(|event| event["type"] == kind).count();
    let kinds = ["deposit.received", "deposit.unmatched", "invoice.paid"];
    assert_eq!(kinds.map(told), [1, 0, 1], "{events:#?}");
    assert_eq!(daemon.terminate(GRACE), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_between_read_and_commit_books_a_deposit_once_on_sqlite() {
    died_between(None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_between_read_and_commit_books_a_deposit_once_on_postgresql() {
    if let Some(store) = crate::store::fresh_postgres().await {
        died_between(Some(&store)).await;
    }
}
