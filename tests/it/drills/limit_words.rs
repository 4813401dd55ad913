//! One replica is told another limit: what is stricter holds on all of them, what is looser once all of
//! them have it.

use super::scene::{GRACE, SHOP};
use crate::store::fresh_postgres;
use crate::support::daemon::{Setup, WALLET};
use crate::support::fleet::Fleet;
use crate::support::ledger::Ledger;
use crate::support::merchant::Merchant;
use serde_json::{Value, json};
use sqlx::{Connection as _, Executor as _, PgConnection};
use std::time::{Duration, Instant};

/// What one replica is told is known everywhere within this.
const SOON: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(60);

fn at_most(xrp: &str) -> String {
    format!("[limits]\nmax_payment_xrp = \"{xrp}\"\n")
}

/// Three daemons that say the same of limits, and a client of theirs.
struct Three {
    fleet: Fleet,
    key: String,
    store: String,
    asked: u32,
    _ledger: Ledger,
    _folder: tempfile::TempDir,
}

impl Three {
    async fn start() -> Option<Self> {
        let store = fresh_postgres().await?;
        let folder = tempfile::tempdir().unwrap();
        let funds = [(WALLET.0, "10000"), (SHOP, "1000")];
        let ledger = Ledger::start(folder.path(), "200ms", &funds);
        let setup = |name: &str| {
            let folder = folder.path().join(name);
            std::fs::create_dir(&folder).unwrap();
            let name = format!("[lease]\nname = \"{name}\"\n");
            Setup::new(&folder, &ledger.urls, &store, "")
                .with(&name)
                .with(&at_most("100"))
        };
        let mut fleet = Fleet::of(["one", "other", "third"].map(setup).into());
        let key = fleet
            .setup(0)
            .create_key("shop", &["payments:read", "payments:write", "admin"]);
        fleet.start_all().await;
        let three = Self {
            fleet,
            key,
            store,
            asked: 0,
            _ledger: ledger,
            _folder: folder,
        };
        for place in 0..3 {
            let knows = |wallet: &Value| !wallet["balance"].is_null();
            three.at(place).until("/v1/wallets/hot", knows).await;
        }
        Some(three)
    }

    fn at(&self, place: usize) -> Merchant {
        Merchant::new(&self.fleet.setup(place).api, &self.key)
    }

    /// The status and the code with which one of them answers a payment.
    async fn asks(&mut self, place: usize, xrp: &str) -> (u16, Value) {
        self.asked += 1;
        let order = json!({ "destination": SHOP, "destination_tag": self.asked,
            "amount": { "currency": "XRP", "value": xrp } });
        let key = format!("limit-{}", self.asked);
        let (status, answer) = self
            .at(place)
            .post("/v1/payments", Some(&key), &order)
            .await;
        (status, answer["code"].clone())
    }

    /// Gives one of them another limit, and waits until it has answered by it.
    async fn tell(&self, place: usize, xrp: &str) -> Instant {
        let setup = self.fleet.setup(place);
        setup.rewrite_last_layer(&at_most(xrp));
        let before = reloads(setup);
        self.fleet.ask_to_reload(place);
        let deadline = Instant::now() + PATIENCE;
        while reloads(setup) == before {
            assert!(
                Instant::now() < deadline,
                "it never reads it: {}",
                setup.log()
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Instant::now()
    }

    /// Waits until one of them takes so much: what became looser is known after the next look at what the
    /// others say.
    async fn until_taken(&mut self, place: usize, xrp: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.asks(place, xrp).await {
                (201, _) => return,
                (status, code) => {
                    assert_eq!((status, code), (422, json!("amount_above_stage_limit")));
                }
            }
            assert!(Instant::now() < deadline, "replica {place} takes no {xrp}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn store_check(&self, place: usize) -> Value {
        let url = format!("{}/health", self.fleet.setup(place).api);
        let answer = reqwest::get(url).await.unwrap();
        assert_eq!(answer.status().as_u16(), 200, "degraded is served");
        let health: Value = answer.json().await.unwrap();
        health["checks"]["store"].clone()
    }

    async fn until_store_is(&self, place: usize, status: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let check = self.store_check(place).await;
            if check["status"] == status {
                return;
            }
            assert!(Instant::now() < deadline, "{check}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

fn reloads(setup: &Setup) -> usize {
    let done = "are those of the new configuration";
    setup.log().matches(done).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_that_one_replica_is_told_holds_on_all_and_outlives_it() {
    let Some(mut three) = Three::start().await else {
        return;
    };
    for place in 0..3 {
        assert_eq!(three.asks(place, "50").await.0, 201);
        three.until_store_is(place, "healthy").await;
    }

    // Stricter: from the moment it is told, on whichever replica is asked.
    let told = three.tell(0, "5").await;
    for place in [2, 1, 0] {
        let above = (422, json!("amount_above_stage_limit"));
        assert_eq!(three.asks(place, "50").await, above, "replica {place}");
        assert_eq!(three.asks(place, "5").await.0, 201);
        let shown = three.at(place).get("/v1/limits").await;
        assert_eq!(shown["caps"]["max_payment"]["value"], "5", "{shown:#}");
    }
    assert!(told.elapsed() < SOON, "{:?}", told.elapsed());
    for place in 0..3 {
        three.until_store_is(place, "degraded").await;
    }

    // Whoever said so dies: nobody said otherwise.
    three.fleet.kill(0);
    tokio::time::sleep(Duration::from_secs(11)).await;
    for place in [1, 2] {
        assert_eq!(three.asks(place, "50").await.0, 422, "replica {place}");
    }
    // Back with the configuration of the others, it says what they say.
    three.fleet.setup(0).rewrite_last_layer(&at_most("100"));
    three.fleet.start(0);
    three.fleet.all_ready().await;
    for place in 0..3 {
        three.until_taken(place, "50").await;
        three.until_store_is(place, "healthy").await;
    }

    // What a promotion loses is said again.
    three.tell(1, "5").await;
    let mut database = PgConnection::connect(&three.store).await.unwrap();
    let lose = "delete from limit_words where replica like 'other-%'";
    assert_eq!(database.execute(lose).await.unwrap().rows_affected(), 1);
    let deadline = Instant::now() + PATIENCE;
    let stands = "select 1 from limit_words where replica like 'other-%'";
    while database.fetch_optional(stands).await.unwrap().is_none() {
        assert!(Instant::now() < deadline, "it is not said again");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(three.asks(0, "50").await.0, 422);
    three.tell(1, "100").await;
    for place in 0..3 {
        three.until_taken(place, "50").await;
    }

    // Looser: once the last of them has it.
    for place in 0..3 {
        let all_say_so = three.asks(0, "150").await.0 == 201;
        assert!(!all_say_so, "before replica {place} was told");
        three.tell(place, "200").await;
    }
    for place in 0..3 {
        three.until_taken(place, "150").await;
    }

    // One that is ended in order takes its word with it.
    three.tell(1, "5").await;
    assert_eq!(three.asks(2, "50").await.0, 422);
    assert_eq!(three.fleet.terminate(1, GRACE).await, Some(0));
    three.until_taken(2, "50").await;
    three.fleet.terminate_all(GRACE).await;
}
