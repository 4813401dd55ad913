//! Where a drill takes place: a model ledger, one way to start a daemon on it, a merchant, and the
//! audit at the end.

use crate::support::daemon::{Setup, WALLET};
use crate::support::ledger::Ledger;
use crate::support::merchant::Merchant;
use crate::support::process::Process;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// The account that is paid.
pub const SHOP: &str = "rPT1Sjq2YGrBMTttX4GZHjKu9dyfzbpAYe";
/// How long a drill waits for what has to come: long, because the machine may be busy.
pub const PATIENCE: Duration = Duration::from_secs(120);
/// How long a daemon may take to end.
pub const GRACE: Duration = Duration::from_secs(30);
/// A server that does not answer is not waited for long.
pub const IMPATIENT: &str = "[xrpl]\nrequest_timeout = \"500ms\"\n";
/// Attempts that live for five ledgers.
pub const SHORT_LIVED: &str =
    "[xrpl]\nrequest_timeout = \"300ms\"\n[wallets.hot]\nledger_window = 5\n";

/// One drill's processes and files.
pub struct Scene {
    /// The ledger.
    pub ledger: Ledger,
    /// How the daemon is started.
    pub setup: Setup,
    /// A client of the daemon.
    pub merchant: Merchant,
    folder: tempfile::TempDir,
}

impl Scene {
    /// A ledger that closes every `close`, or by hand where that is `manual`, on which the wallet
    /// has `xrp`; `layer` is laid over the daemon's configuration.
    pub fn new(close: &str, xrp: &str, layer: &str) -> Self {
        Self::on(close, xrp, layer, &[])
    }

    /// The same on a ledger that is started with `more` arguments.
    pub fn on(close: &str, xrp: &str, layer: &str, more: &[&str]) -> Self {
        Self::with_store(None, close, xrp, layer, more)
    }

    /// The same on the database at `store`; without one, on a SQLite file of its own.
    pub fn with_store(
        store: Option<&str>,
        close: &str,
        xrp: &str,
        layer: &str,
        more: &[&str],
    ) -> Self {
        Self::staged(1, (close, xrp), more, |folder, ledger| {
            let store = store.map_or_else(|| store_in(folder), str::to_owned);
            Setup::new(folder, &ledger.urls, &store, "").with(layer)
        })
    }

    /// The same with all of the configuration in one file, as an operator has it: tables, and the lines
    /// that they have besides.
    pub fn in_one_file(close: &str, xrp: &str, settings: &[(&str, &str)]) -> Self {
        Self::staged(1, (close, xrp), &[], |folder, ledger| {
            Setup::in_one_file(folder, &ledger.urls, &store_in(folder), settings)
        })
    }

    /// The same on a ledger with as many servers again, of which the daemon knows nothing yet.
    pub fn with_spare_servers(close: &str, xrp: &str, settings: &[(&str, &str)]) -> Self {
        Self::staged(2, (close, xrp), &[], |folder, ledger| {
            Setup::in_one_file(folder, ledger.urls_of(0), &store_in(folder), settings)
        })
    }

    /// A ledger for as many daemons, on which the wallet has what it has, and one daemon beside it.
    fn staged(
        daemons: usize,
        (close, xrp): (&str, &str),
        more: &[&str],
        setup: impl FnOnce(&Path, &Ledger) -> Setup,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let fund = [(WALLET.0, xrp), (SHOP, "1000")];
        let ledger = Ledger::start_for(daemons, folder.path(), close, &fund, more);
        let setup = setup(folder.path(), &ledger);
        let merchant = merchant_of(&setup);
        Self {
            ledger,
            setup,
            merchant,
            folder,
        }
    }

    /// Starts the daemon and waits until it knows its wallet.
    pub async fn start(&self) -> Process {
        let daemon = self.setup.start();
        self.setup.ready().await;
        self.merchant
            .until("/v1/wallets/hot", |wallet| !wallet["balance"].is_null())
            .await;
        daemon
    }

    /// The folder with the daemon's files.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Posts `count` payments of 1 XRP with tags from `first` on.
    pub async fn pay(&self, first: u32, count: u32) -> Vec<String> {
        let mut ids = Vec::new();
        for tag in first..first + count {
            ids.push(self.pay_one(tag, "1").await);
        }
        ids
    }

    /// Posts one payment of `xrp` and returns its id.
    pub async fn pay_one(&self, tag: u32, xrp: &str) -> String {
        let key = format!("drill-{tag}");
        id_of(&self.merchant.pay(&key, SHOP, tag, xrp).await)
    }

    /// The value of a metric, by the whole text before it; 0 where it was never counted.
    pub async fn metric(&self, name: &str) -> f64 {
        let text = self.metrics().await;
        let found = text.lines().find_map(|line| line.strip_prefix(name));
        found.map_or(0.0, |value| value.trim().parse().unwrap())
    }

    /// Waits until a metric is as `wanted`: gauges are measured now and then.
    pub async fn until_metric(&self, name: &str, wanted: impl Fn(f64) -> bool) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let value = self.metric(name).await;
            if wanted(value) {
                return;
            }
            assert!(
                tokio::time::Instant::now() < deadline,
                "{name} stays {value}"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Everything that is measured.
    pub async fn metrics(&self) -> String {
        let answer = reqwest::get(&self.setup.metrics).await.unwrap();
        assert!(answer.status().is_success());
        answer.text().await.unwrap()
    }

    /// Every substatus that a payment was ever in, by its durable events.
    pub async fn substatuses(&self, id: &str) -> Vec<String> {
        let events = self
            .merchant
            .get(&format!("/v1/payments/{id}/events"))
            .await;
        let seen = events["data"].as_array().unwrap().iter();
        seen.filter_map(|event| event["data"]["substatus"].as_str())
            .map(str::to_owned)
            .collect()
    }

    /// Waits until all payments have their end, and audits them. Returns them by tag.
    pub async fn settle(&self) -> BTreeMap<u64, Value> {
        self.merchant.all_final(PATIENCE).await;
        self.audit(&[]).await
    }

    /// Closes ledgers by hand until every payment has its end.
    pub async fn settle_by_hand(&self) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        let path = "/v1/payments?status=processing&limit=5";
        loop {
            let waiting = self.merchant.get(path).await;
            if waiting["data"] == json!([]) {
                return;
            }
            assert!(
                tokio::time::Instant::now() < deadline,
                "no end in sight: {waiting:#}"
            );
            self.close_slowly().await;
        }
    }

    /// Closes a ledger by hand and lets the daemon see to it: attempts must not die of closes that
    /// come faster than answers.
    pub async fn close_slowly(&self) {
        self.ledger.close().await;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }

    /// Waits until all payments have their end, audits them and demands that all `count` succeeded.
    pub async fn all_succeed(&self, count: usize) -> BTreeMap<u64, Value> {
        let payments = self.settle().await;
        assert_eq!(payments.len(), count);
        for payment in payments.values() {
            assert_eq!(payment["status"], "succeeded", "{payment:#}");
        }
        payments
    }

    /// Holds what the API says against what the ledger did: each payment is on the ledger once
    /// where it succeeded and not at all where it did not, and the wallet paid for nothing else but
    /// the transactions `foreign` that a drill sent past the daemon.
    pub async fn audit(&self, foreign: &[&str]) -> BTreeMap<u64, Value> {
        let (payments, unknown) = self.compare(foreign).await;
        assert!(unknown.is_empty(), "paid without a payment: {unknown:#?}");
        payments
    }

    /// The same while payments are posted: one may be on the ledger that was not listed yet.
    pub async fn audit_in_flow(&self) {
        self.compare(&[]).await;
    }

    /// Holds each payment against the ledger; returns the payments, and what no payment explains.
    async fn compare(&self, foreign: &[&str]) -> (BTreeMap<u64, Value>, BTreeMap<u64, Vec<Value>>) {
        // The API first: what it calls final has been on the ledger for some time.
        let listed = self.merchant.all_payments().await;
        let mut paid: BTreeMap<u64, Vec<Value>> = BTreeMap::new();
        for tx in self.ledger.truth_of(WALLET.0).await {
            let by_us = tx["account"] == WALLET.0 && tx["type"] == "Payment";
            let known = foreign.iter().any(|hash| tx["hash"] == *hash);
            if by_us && !known && tx["result"] == "tesSUCCESS" {
                let tag = tx["destination_tag"].as_u64().unwrap();
                paid.entry(tag).or_default().push(tx);
            }
        }
        let mut payments = BTreeMap::new();
        for payment in listed {
            let tag = payment["destination_tag"].as_u64().unwrap();
            let on_ledger = paid.remove(&tag).unwrap_or_default();
            let status = payment["status"].as_str().unwrap();
            match (status, &on_ledger[..]) {
                ("succeeded", [once]) => {
                    assert_eq!(payment["tx_hash"], once["hash"], "{payment:#}");
                    assert_eq!(payment["ledger_index"], once["ledger_index"], "{payment:#}");
                    assert_eq!(payment["destination"], once["destination"], "{payment:#}");
                    assert_eq!(payment["delivered_amount"], payment["amount"]);
                    let xrp = payment["amount"]["value"].as_str().unwrap();
                    let drops = xrpayd_core::money::Drops::from_xrp(xrp).unwrap();
                    assert_eq!(once["delivered"], drops.to_string(), "{payment:#}");
                    assert_eq!(payment["proof"]["kind"], "validated", "{payment:#}");
                    let servers = payment["proof"]["servers"].as_array().unwrap();
                    assert!(servers.len() >= 2, "{payment:#}");
                }
                ("failed" | "expired" | "cancelled" | "rejected", []) => {
                    assert!(payment["proof"].is_object(), "{payment:#}");
                }
                ("awaiting_approval", []) | ("processing", [] | [_]) => {}
                (_, on_ledger) => panic!("{payment:#} is {on_ledger:#?} on the ledger"),
            }
            let doubled = payments.insert(tag, payment);
            assert!(doubled.is_none(), "two payments have the tag {tag}");
        }
        (payments, paid)
    }
}

/// The URL of the database in `folder`.
pub fn store_in(folder: &Path) -> String {
    format!("sqlite://{}", folder.join("xrpayd.db").display())
}

/// A merchant with a key of its own.
pub fn merchant_of(setup: &Setup) -> Merchant {
    let key = setup.create_key("shop", &["payments:read", "payments:write"]);
    Merchant::new(&setup.api, &key)
}

/// The id of a payment.
pub fn id_of(payment: &Value) -> String {
    payment["id"].as_str().unwrap().to_owned()
}

/// The sequences of a payment's attempts, in the order in which they were signed.
pub fn sequences(payment: &Value) -> Vec<u64> {
    let attempts = payment["attempts"].as_array().unwrap().iter();
    attempts
        .map(|attempt| attempt["sequence"].as_u64().unwrap())
        .collect()
}

/// Whether a payment has its end.
pub fn is_final(payment: &Value) -> bool {
    payment["status"] != "processing" && payment["status"] != "awaiting_approval"
}

/// No request of the kind `submit` reaches a server.
pub fn submissions_are_lost() -> Value {
    json!({ "kind": "drop_requests", "per_mille": 1000, "only": "submit" })
}

/// No server tells of any account.
pub fn accounts_are_untold() -> Value {
    json!({ "kind": "drop_requests", "per_mille": 1000, "only": "account_info" })
}
