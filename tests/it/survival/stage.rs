//! Where a daemon is hurt: a model ledger, a store, shoppers, and the audit.

use super::history::{History, is_final};
use super::shoppers::{Manners, Pace, Shoppers, Tolerates};
use crate::support::daemon::{Setup, WALLET};
use crate::support::fleet::Fleet;
use crate::support::ledger::Ledger;
use crate::support::merchant::Merchant;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use xrpayd_core::money::Drops;

/// The account that is paid.
pub const SHOP: &str = "rPT1Sjq2YGrBMTttX4GZHjKu9dyfzbpAYe";
/// How long is waited for what has to come: long, because the machine may be busy.
pub const PATIENCE: Duration = Duration::from_secs(180);
/// How long a shopper waits for the only daemon there is.
const SHOPPERS_PATIENCE: Duration = Duration::from_secs(3);
/// How long a shopper waits for one daemon of several.
const IMPATIENCE: Duration = Duration::from_secs(1);
/// How long a daemon may take to end.
pub const GRACE: Duration = Duration::from_secs(30);
/// The name of the SQLite database.
const DATABASE: &str = "xrpayd.db";
/// What the wallet begins with.
const FUNDS_XRP: &str = "100000";
/// Attempts that live for seven ledgers, and servers that are not waited for long.
const HASTE: &str = "[xrpl]\nrequest_timeout = \"300ms\"\nreconnect_max = \"100ms\"\n\
                     silence_timeout = \"2s\"\n[wallets.hot]\nledger_window = 7\n\
                     [lease]\nttl = \"2s\"\n";

/// For several daemons on one machine: no more in flight than the servers take while an attempt lives, even
/// where the machine is slow. What they do not take in time dies and is signed again, by all of them.
const MODESTY: &str = "[wallets.hot]\nmax_in_flight = 64\n";

/// One run's processes and files.
pub struct Stage {
    /// The seed of its draws.
    pub seed: u64,
    /// The ledger.
    pub ledger: Ledger,
    /// How the daemon is started.
    pub setup: Setup,
    /// What the shoppers were told.
    pub history: Arc<History>,
    key: String,
    apis: Vec<String>,
    folder: tempfile::TempDir,
}

impl Stage {
    /// A daemon on the database at `store`, or on a SQLite file of its own.
    pub fn new(seed: u64, store: Option<&str>) -> Self {
        Self::with(seed, store, |setup| setup)
    }

    /// The same; `arrange` changes the daemon before anything of it is run.
    pub fn with(seed: u64, store: Option<&str>, arrange: impl FnOnce(Setup) -> Setup) -> Self {
        println!("XRPAYD_TEST_SEED={seed}");
        let folder = tempfile::tempdir().unwrap();
        let funds = [(WALLET.0, FUNDS_XRP), (SHOP, "1000")];
        let ledger = Ledger::start(folder.path(), "200ms", &funds);
        let file = format!("sqlite://{}", folder.path().join(DATABASE).display());
        let store = store.unwrap_or(&file);
        let setup = Setup::new(folder.path(), &ledger.urls, store, "").with(HASTE);
        Self::set(seed, folder, ledger, &[arrange(setup)])
    }

    /// `count` daemons on the PostgreSQL database at `store`, each with servers of the ledger of its own,
    /// none of them running; `arrange` changes each before anything of it is run. What is asked of the
    /// stage's own `setup` is asked of the first.
    pub fn of_fleet(
        seed: u64,
        store: &str,
        count: usize,
        mut arrange: impl FnMut(usize, Setup) -> Setup,
    ) -> (Self, Fleet) {
        println!("XRPAYD_TEST_SEED={seed}");
        let folder = tempfile::tempdir().unwrap();
        let funds = [(WALLET.0, FUNDS_XRP), (SHOP, "1000")];
        let ledger = Ledger::start_for(count, folder.path(), "400ms", &funds, &[]);
        let setups: Vec<Setup> = (0..count)
            .map(|place| {
                let own = folder.path().join(format!("daemon-{place}"));
                std::fs::create_dir(&own).unwrap();
                let setup = Setup::new(&own, ledger.urls_of(place), store, "").with(HASTE);
                arrange(place, setup.with(MODESTY))
            })
            .collect();
        let stage = Self::set(seed, folder, ledger, &setups);
        (stage, Fleet::of(setups))
    }

    fn set(seed: u64, folder: tempfile::TempDir, ledger: Ledger, setups: &[Setup]) -> Self {
        let setup = setups[0].clone();
        let key = setup.create_key("shop", &["payments:read", "payments:write"]);
        let logs = setups.iter().map(Setup::log_path).collect();
        Self {
            seed,
            ledger,
            setup,
            history: Arc::new(History::new(seed, logs)),
            key,
            apis: setups.iter().map(|setup| setup.api.clone()).collect(),
            folder,
        }
    }

    /// Where the daemon's SQLite database is.
    pub fn database(&self) -> PathBuf {
        self.folder.path().join(DATABASE)
    }

    /// Where this run's files are.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The shoppers' API key.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// A patient client, for questions that are not part of the history.
    pub fn merchant(&self) -> Merchant {
        Merchant::new(&self.setup.api, &self.key)
    }

    /// Sends shoppers out.
    pub fn shoppers(&self, count: u64, pause_ms: u64, tolerates: Tolerates) -> Shoppers {
        self.send_out(count, Pace::Leisure(pause_ms), tolerates, SHOPPERS_PATIENCE)
    }

    /// Sends shoppers out who keep up so many payments a second between them, at all daemons in turn; who
    /// gets no answer asks the next one soon.
    pub fn steady_shoppers(&self, count: u64, per_second: u64, tolerates: Tolerates) -> Shoppers {
        let pace = Pace::PerSecond(per_second);
        self.send_out(count, pace, tolerates, IMPATIENCE)
    }

    fn send_out(
        &self,
        count: u64,
        pace: Pace,
        tolerates: Tolerates,
        patience: Duration,
    ) -> Shoppers {
        let manners = Manners {
            apis: self.apis.clone(),
            key: self.key.clone(),
            tolerates,
            pace,
            patience,
        };
        Shoppers::open(count, self.seed, &manners, &self.history)
    }

    /// What the wallet's successful payments were, by destination tag, by the ledger's truth.
    async fn paid(&self) -> BTreeMap<u64, Vec<Value>> {
        let mut paid: BTreeMap<u64, Vec<Value>> = BTreeMap::new();
        for tx in self.ledger.truth_of(WALLET.0).await {
            let by_us = tx["account"] == WALLET.0 && tx["type"] == "Payment";
            if by_us && tx["result"] == "tesSUCCESS" {
                let tag = tx["destination_tag"].as_u64().unwrap();
                paid.entry(tag).or_default().push(tx);
            }
        }
        for (tag, txs) in &paid {
            let evidence = json!(txs);
            self.history
                .check(txs.len() == 1, "a payment was paid twice", &evidence);
            let asked = self.history.was_asked(*tag).is_some();
            self.history
                .check(asked, "what nobody asked for was paid", &evidence);
        }
        paid
    }

    /// Holds what clients know by now against the ledger, whether a daemon lives or not: nothing is
    /// paid twice, and what was told as final is so.
    pub async fn glance(&self) {
        // What is final was so before the ledger is asked.
        let known = self.history.known();
        let paid = self.paid().await;
        for (tag, known) in known {
            self.agrees(&known.newest, paid.get(&tag).map(Vec::as_slice));
        }
    }

    fn agrees(&self, payment: &Value, on_ledger: Option<&[Value]>) {
        let check = |holds: bool, what: &str| {
            let evidence = json!({ "told": payment, "on the ledger": on_ledger });
            self.history.check(holds, what, &evidence);
        };
        match (payment["status"].as_str().unwrap(), on_ledger) {
            ("succeeded", Some([once])) => {
                let xrp = payment["amount"]["value"].as_str().unwrap();
                let drops = Drops::from_xrp(xrp).unwrap().to_string();
                check(payment["tx_hash"] == once["hash"], "another transaction");
                check(
                    payment["ledger_index"] == once["ledger_index"],
                    "another ledger",
                );
                check(once["delivered"] == drops, "another amount was delivered");
                check(
                    payment["delivered_amount"] == payment["amount"],
                    "another amount is told",
                );
                let servers = payment["proof"]["servers"].as_array().unwrap();
                check(servers.len() >= 2, "one server's word was believed");
            }
            ("succeeded", _) => check(false, "a success that is not on the ledger once"),
            ("failed" | "expired" | "cancelled" | "rejected", Some(_)) => {
                check(false, "an end without delivery that was delivered");
            }
            ("failed" | "expired" | "cancelled" | "rejected", None) => {
                check(payment["proof"].is_object(), "an end without a proof");
            }
            _ => check(!is_final(payment), "an unknown status"),
        }
    }

    /// The audit at the end, with a daemon that lives and nothing that hurts any more: every payment
    /// gets its end, and the API, the ledger, the limits and the wallet's balance tell one story.
    /// Returns how many payments there were and how many of them succeeded.
    pub async fn audit(&self) -> (usize, usize) {
        let merchant = self.merchant();
        merchant.all_final(PATIENCE).await;
        let floors = self.history.floors();
        let listed = merchant.all_payments().await;
        self.history.saw_all(&listed, &floors);
        let paid = self.paid().await;
        let mut by_tag = BTreeMap::new();
        for payment in &listed {
            let tag = payment["destination_tag"].as_u64().unwrap();
            let asked = self.history.was_asked(tag);
            self.history.check(
                asked.is_some_and(|xrp| payment["amount"]["value"] == *xrp),
                "a payment of nobody's asking",
                payment,
            );
            self.agrees(payment, paid.get(&tag).map(Vec::as_slice));
            let twice = by_tag.insert(tag, payment["id"].clone());
            self.history
                .check(twice.is_none(), "two payments for one key", payment);
        }
        for (tag, known) in self.history.known() {
            let found = by_tag.get(&tag) == Some(&known.newest["id"]);
            self.history
                .check(found, "an accepted payment is lost", &known.newest);
        }
        let succeeded = self.balance_books(&merchant, &listed).await;
        (listed.len(), succeeded)
    }

    /// Limits count what was delivered, and the wallet holds what it began with less that and fees.
    async fn balance_books(&self, merchant: &Merchant, listed: &[Value]) -> usize {
        let mut delivered = Drops::ZERO;
        let succeeded = listed.iter().filter(|one| one["status"] == "succeeded");
        let count = succeeded.clone().count();
        for payment in succeeded {
            let xrp = payment["amount"]["value"].as_str().unwrap();
            delivered = delivered
                .checked_add(Drops::from_xrp(xrp).unwrap())
                .unwrap();
        }
        let limits = merchant.get("/v1/limits").await;
        let used =
            json!({ "daily": { "currency": "XRP", "value": delivered.to_xrp() }, "pending": 0 });
        let evidence = json!({ "shown": limits["used"], "by the payments": used });
        self.history
            .check(limits["used"] == used, "the limits are off", &evidence);
        let mut fees = Drops::ZERO;
        for tx in self.ledger.truth_of(WALLET.0).await {
            if tx["account"] == WALLET.0 {
                let fee = tx["fee"].as_str().unwrap().parse().unwrap();
                fees = fees.checked_add(Drops::new(fee).unwrap()).unwrap();
            }
        }
        let spent = delivered.checked_add(fees).unwrap();
        let begun = Drops::from_xrp(FUNDS_XRP).unwrap();
        let left = begun.checked_sub(spent).unwrap().to_xrp();
        let shown = |wallet: &Value| wallet["balance"]["value"] == *left;
        merchant.until("/v1/wallets/hot", shown).await;
        // The same once more, and all that the database says, by the daemon's own reckoning.
        let (code, found, errors) = self.setup.try_command(&["reconcile"]);
        let evidence = json!({ "found": found, "errors": errors });
        self.history
            .check(code == Some(0), "the books are off", &evidence);
        count
    }
}
