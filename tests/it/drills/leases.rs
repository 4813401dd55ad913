//! Who writes a wallet when replicas end, die, freeze, thaw and lose the database: one at a time, and each
//! soon after the last.

use super::pair::SEED;
use super::scene::{GRACE, PATIENCE, SHOP, is_final};
use crate::store::fresh_postgres;
use crate::support::daemon::{Setup, WALLET};
use crate::support::fleet::Fleet;
use crate::support::ledger::Ledger;
use crate::support::merchant::Merchant;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, Row as _};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const TTL: Duration = Duration::from_secs(2);

/// Two daemons on one database, each with its own name.
struct Two {
    fleet: Fleet,
    ledger: Ledger,
    store: String,
    key: String,
    paid: u32,
    _folder: tempfile::TempDir,
}

/// One taking of a wallet's lease.
#[derive(Debug)]
struct Term {
    epoch: i64,
    holder: String,
    taken_at: i64,
    ended_at: Option<i64>,
}

impl Two {
    /// None of them running; `None` where there is no PostgreSQL.
    async fn new() -> Option<Self> {
        let store = fresh_postgres().await?;
        let folder = tempfile::tempdir().unwrap();
        let key = xrpayd_codec::Keypair::from_seed(SEED).unwrap();
        let second = key.public_key().account_id().to_string();
        let funds = [
            (WALLET.0, "10000"),
            (second.as_str(), "10000"),
            (SHOP, "1000"),
        ];
        let ledger = Ledger::start(folder.path(), "200ms", &funds);
        let setup = |name: &str| {
            let folder = folder.path().join(name);
            std::fs::create_dir(&folder).unwrap();
            let layer = format!("[lease]\nttl = \"{}s\"\nname = \"{name}\"\n", TTL.as_secs());
            Setup::new(&folder, &ledger.urls, &store, "").with(&layer)
        };
        let fleet = Fleet::of(["one", "other"].map(setup).into());
        let key = fleet
            .setup(0)
            .create_key("shop", &["payments:read", "payments:write", "admin"]);
        Some(Self {
            fleet,
            ledger,
            store,
            key,
            paid: 0,
            _folder: folder,
        })
    }

    async fn database(&self) -> PgConnection {
        PgConnection::connect(&self.store).await.unwrap()
    }

    async fn terms(&self, wallet: &str) -> Vec<Term> {
        let mut connection = self.database().await;
        let sql = format!(
            "select epoch, holder, taken_at, ended_at from lease_log \
             where wallet = '{wallet}' order by epoch"
        );
        let rows = connection.fetch_all(AssertSqlSafe(sql)).await.unwrap();
        connection.close().await.unwrap();
        let term = |row: &sqlx::postgres::PgRow| Term {
            epoch: row.get("epoch"),
            holder: row.get("holder"),
            taken_at: row.get("taken_at"),
            ended_at: row.get("ended_at"),
        };
        rows.iter().map(term).collect()
    }

    /// Waits until the one with this name has taken the wallet, more often than `known` times in all.
    async fn until_taken(&self, wallet: &str, name: &str, known: usize) -> Term {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut terms = self.terms(wallet).await;
            if terms.len() > known
                && let Some(last) = terms.pop()
                && last.holder.starts_with(&format!("{name}-"))
                && last.ended_at.is_none()
            {
                return last;
            }
            assert!(
                Instant::now() < deadline,
                "{name} never takes {wallet}: {terms:?}"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn merchant(&self, place: usize) -> Merchant {
        Merchant::new(&self.fleet.setup(place).api, &self.key)
    }

    /// Asks one of them for a payment, which has to succeed, whoever signs it.
    async fn pays(&mut self, place: usize) -> Value {
        self.paid += 1;
        let order = json!({
            "destination": SHOP,
            "destination_tag": self.paid,
            "amount": { "currency": "XRP", "value": "1" },
            "wallet": "hot",
        });
        let merchant = self.merchant(place);
        let made = merchant
            .create(&format!("order-{}", self.paid), &order)
            .await;
        let id = made["id"]
            .as_str()
            .unwrap_or_else(|| panic!("{made}"))
            .to_owned();
        let payment = merchant.payment(&id, is_final).await;
        assert_eq!(payment["status"], "succeeded", "{payment}");
        payment
    }

    /// Asks one of them for a payment from one wallet or the other, in turns of two tags, and says which
    /// payment that is.
    async fn asks(&self, place: usize, tag: usize) -> String {
        let wallet = ["hot", "hot2"][tag / 2 % 2];
        let order = json!({
            "destination": SHOP,
            "destination_tag": tag,
            "amount": { "currency": "XRP", "value": "1" },
            "wallet": wallet,
        });
        let merchant = self.merchant(place);
        let made = merchant.create(&format!("pair-{tag}"), &order).await;
        made["id"].as_str().expect("an id").to_owned()
    }

    /// Waits until the database says so.
    async fn comes_true(&self, question: &'static str) {
        let mut database = self.database().await;
        let deadline = Instant::now() + PATIENCE;
        while !database
            .fetch_one(question)
            .await
            .unwrap()
            .get::<bool, _>(0)
        {
            assert!(Instant::now() < deadline, "{question}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        database.close().await.unwrap();
    }

    /// The lease's check in one's health, which needs no database.
    async fn lease(&self, place: usize) -> Value {
        let url = format!("{}/health", self.fleet.setup(place).api);
        let health: Value = reqwest::get(url).await.unwrap().json().await.unwrap();
        health["checks"]["lease"].clone()
    }

    async fn until_role(&self, place: usize, role: &str) -> Value {
        self.until(place, |lease| lease["role"] == role).await
    }

    /// Waits until one of them says who holds the wallet.
    async fn until_held_by(&self, place: usize, name: &str) -> Value {
        let says = |lease: &Value| lease["wallets"]["hot"]["holder"] == name;
        self.until(place, says).await
    }

    async fn until(&self, place: usize, wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let lease = self.lease(place).await;
            if wanted(&lease) {
                return lease;
            }
            assert!(Instant::now() < deadline, "{lease}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

fn ms(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_wallet_goes_from_one_to_the_other_and_back_and_nothing_is_paid_twice() {
    let Some(mut two) = Two::new().await else {
        return;
    };
    two.fleet.start(0);
    two.fleet.ready(0).await;
    two.until_taken("hot", "one", 0).await;
    two.fleet.start(1);
    two.fleet.ready(1).await;
    two.pays(1).await;
    let standby = two.until_held_by(1, "one").await;
    assert_eq!(
        (&standby["role"], &standby["held"]),
        (&json!("standby"), &json!(false))
    );
    let holder = two.lease(0).await;
    assert_eq!(
        (&holder["role"], &holder["count"]),
        (&json!("holder"), &json!(1))
    );

    // Asked to end, it hands over at once.
    let known = two.terms("hot").await.len();
    let code = two.fleet.terminate(0, GRACE).await;
    assert_eq!(code, Some(0), "{}", two.fleet.setup(0).log());
    let taken = two.until_taken("hot", "other", known).await;
    let given = two.terms("hot").await.remove(known - 1).ended_at.unwrap();
    let gap = taken.taken_at - given;
    assert!((0..1_000).contains(&gap), "{gap} ms without a holder");
    two.pays(1).await;

    // Killed, it is followed after its lease and no later than a second more.
    two.fleet.start(0);
    two.fleet.ready(0).await;
    let known = two.terms("hot").await.len();
    let killed = now_ms();
    two.fleet.kill(1);
    let taken = two.until_taken("hot", "one", known).await;
    let waited = taken.taken_at - killed;
    assert!(waited <= ms(TTL) + 1_000, "{waited} ms");
    let payment = two.pays(0).await;
    let mut database = two.database().await;
    let sql = format!(
        "select epoch from attempts where payment_id = '{}'",
        payment["id"].as_str().unwrap()
    );
    let signed = database.fetch_one(AssertSqlSafe(sql)).await.unwrap();
    assert_eq!(signed.get::<i64, _>("epoch"), taken.epoch);
    database.close().await.unwrap();

    // Frozen with work in hand it is followed too, and finds that out when it thaws.
    two.fleet.start(1);
    two.fleet.ready(1).await;
    let known = two.terms("hot").await.len();
    two.fleet.freeze(0);
    two.until_taken("hot", "other", known).await;
    for _ in 0..3 {
        two.pays(1).await;
    }
    two.fleet.thaw(0);
    let thawed = two.until_held_by(0, "other").await;
    assert_eq!(thawed["role"], "standby", "{thawed}");
    two.pays(0).await;
    assert_eq!(
        two.terms("hot").await.len(),
        known + 1,
        "nobody took it in between"
    );

    // Without a database both stop, by their own clocks, and one goes on when it is back.
    let database = two.store.rsplit('/').next().unwrap();
    let database = database.split('?').next().unwrap().to_owned();
    let mut server =
        PgConnection::connect(&two.store.replace(&format!("/{database}"), "/postgres"))
            .await
            .unwrap();
    let closed = format!("alter database {database} allow_connections false");
    server.execute(AssertSqlSafe(closed)).await.unwrap();
    let cut = format!(
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = '{database}'"
    );
    server.execute(AssertSqlSafe(cut)).await.unwrap();
    two.until_role(1, "standby").await;
    assert_eq!(two.lease(0).await["held"], false);
    let opened = format!("alter database {database} allow_connections true");
    server.execute(AssertSqlSafe(opened)).await.unwrap();
    server.close().await.unwrap();
    two.pays(0).await;
    two.pays(1).await;

    // Every payment is on the ledger once, and was signed under the epoch of its time.
    let paid = two.ledger.truth_of(WALLET.0).await;
    let ours = paid
        .iter()
        .filter(|tx| tx["account"] == WALLET.0 && tx["type"] == "Payment");
    let mut tags: Vec<u64> = ours
        .filter(|tx| tx["result"] == "tesSUCCESS")
        .map(|tx| tx["destination_tag"].as_u64().unwrap())
        .collect();
    tags.sort_unstable();
    let wanted: Vec<u64> = (1..=u64::from(two.paid)).collect();
    assert_eq!(tags, wanted, "{paid:#?}");
    let mut database = two.database().await;
    let strays = "select count(*) as strays from attempts a left join lease_log l \
        on l.wallet = a.wallet and l.epoch = a.epoch where l.epoch is null";
    let strays: i64 = database.fetch_one(strays).await.unwrap().get("strays");
    database.close().await.unwrap();
    assert_eq!(strays, 0);
    let terms = two.terms("hot").await;
    for pair in terms.windows(2) {
        let over = pair[0]
            .ended_at
            .is_some_and(|ended| ended <= pair[1].taken_at);
        assert!(over && pair[0].epoch < pair[1].epoch, "{terms:#?}");
    }
    two.fleet.terminate_all(GRACE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newcomer_is_given_its_share_and_both_pay_at_once_until_one_dies() {
    let Some(mut two) = Two::new().await else {
        return;
    };
    let second = xrpayd_codec::Keypair::from_seed(SEED).unwrap();
    let layer = format!(
        "[wallets.hot2]\naddress = \"{}\"\nseed = \"env:SECOND_SEED\"\n",
        second.public_key().account_id()
    );
    let surroundings = crate::support::process::Surroundings {
        launcher: Vec::new(),
        environment: vec![("SECOND_SEED".to_owned(), SEED.to_owned())],
    };
    let setups = (0..2).map(|place| {
        let setup = two.fleet.setup(place).clone().with(&layer);
        setup.surrounded(surroundings.clone())
    });
    two.fleet = Fleet::of(setups.collect());
    two.fleet.start(0);
    two.fleet.ready(0).await;
    let alone = two.until_role(0, "holder").await;
    assert_eq!(alone["count"], 2, "{alone}");
    two.fleet.start(1);
    two.fleet.ready(1).await;
    two.until_role(1, "mixed").await;
    let [one, other] = [
        two.until_role(0, "mixed").await,
        two.until_role(1, "mixed").await,
    ];
    assert_eq!((&one["count"], &other["count"]), (&json!(1), &json!(1)));
    let takings = async || two.terms("hot").await.len() + two.terms("hot2").await.len();
    let settled = takings().await;
    assert_eq!(settled, 3, "one wallet moved, once");
    // Some looks and rests later all is as it was.
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert_eq!(takings().await, settled);

    // Both pay at once, each from the wallet that it holds, and one dies in the middle of it.
    let mut asked = Vec::new();
    for tag in 1..=24 {
        asked.push(two.asks(tag % 2, tag).await);
    }
    two.comes_true("select count(distinct wallet) = 2 from attempts")
        .await;
    two.fleet.kill(1);
    for tag in 25..=36 {
        asked.push(two.asks(0, tag).await);
    }
    for id in &asked {
        let payment = two.merchant(0).payment(id, is_final).await;
        assert_eq!(payment["status"], "succeeded", "{payment:#}");
    }
    let lease = two.until_role(0, "holder").await;
    assert_eq!(lease["count"], 2, "{lease}");
    let mut tags = Vec::new();
    for (wallet, account) in [
        WALLET.0.to_owned(),
        second.public_key().account_id().to_string(),
    ]
    .iter()
    .enumerate()
    {
        for tx in two.ledger.truth_of(account).await {
            let is_ours = tx["account"] == *account && tx["type"] == "Payment";
            if is_ours && tx["result"] == "tesSUCCESS" {
                let tag = usize::try_from(tx["destination_tag"].as_u64().unwrap()).unwrap();
                assert_eq!(tag / 2 % 2, wallet, "{tx:#}");
                tags.push(tag);
            }
        }
    }
    tags.sort_unstable();
    assert_eq!(tags, (1..=36).collect::<Vec<_>>(), "each once");
    two.fleet.terminate_all(GRACE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_that_knows_fewer_takings_than_this_machine_is_waited_for() {
    let Some(mut two) = Two::new().await else {
        return;
    };
    let kept = tempfile::tempdir().unwrap();
    let layer = format!(
        "[store]\nlast_run_dir = \"{}\"\n[wallets.hot]\nledger_window = 5\n",
        kept.path().display()
    );
    let setup = two.fleet.setup(0).clone().with(&layer);
    two.fleet = Fleet::of(vec![setup]);
    two.fleet.start(0);
    two.fleet.ready(0).await;
    two.pays(0).await;
    assert_eq!(two.fleet.terminate(0, GRACE).await, Some(0));
    two.fleet.start(0);
    two.fleet.ready(0).await;
    let known = two.until_taken("hot", "one", 1).await.epoch;
    two.pays(0).await;
    assert_eq!(two.fleet.terminate(0, GRACE).await, Some(0));
    let waits = "the database is older than what this machine signed last";
    let log = two.fleet.setup(0).log_path();
    let before = std::fs::read_to_string(&log).unwrap();
    assert!(!before.contains(waits), "a restart is none: {before}");
    // All that was signed is in it, and not who has held the wallet since: another may have signed more.
    let mut database = two.database().await;
    let older = format!("update leases set epoch = {known} - 1");
    database.execute(AssertSqlSafe(older)).await.unwrap();
    let older = format!("delete from lease_log where epoch >= {known}");
    database.execute(AssertSqlSafe(older)).await.unwrap();
    database.close().await.unwrap();
    two.fleet.start(0);
    two.fleet.ready(0).await;
    two.pays(0).await;
    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.contains(waits), "{log}");
    assert_eq!(two.fleet.terminate(0, GRACE).await, Some(0));
}
