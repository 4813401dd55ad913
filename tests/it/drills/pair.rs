//! Two hot wallets of one service on one ledger, and the audit of both.

use super::memory::lose_database;
use super::scene::{PATIENCE, SHOP, merchant_of, store_in};
use crate::support::daemon::{Setup, WALLET};
use crate::support::ledger::Ledger;
use crate::support::merchant::Merchant;
use crate::support::process::Process;
use serde_json::Value;
use std::collections::BTreeMap;

/// A second throw-away seed.
pub const SEED: &str = "sEdTM1uX8pu2do5XvTnutH6HsouMaM2";

/// Two wallets on one ledger.
pub struct Pair {
    pub ledger: Ledger,
    pub setup: Setup,
    pub merchant: Merchant,
    /// The account of each wallet by its name.
    pub accounts: BTreeMap<&'static str, String>,
    pub folder: tempfile::TempDir,
}

impl Pair {
    /// The wallets `hot` and `hot2` with so many XRP, on SQLite.
    pub fn new(hot: &str, hot2: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = store_in(folder.path());
        Self::at(folder, "200ms", &store, [hot, hot2])
    }

    /// The same on the database at `store`, with a ledger that closes every `pace`.
    pub fn at(folder: tempfile::TempDir, pace: &str, store: &str, [hot, hot2]: [&str; 2]) -> Self {
        let key = xrpayd_codec::Keypair::from_seed(SEED).unwrap();
        let second = key.public_key().account_id().to_string();
        let funds = [(WALLET.0, hot), (second.as_str(), hot2), (SHOP, "1000")];
        let ledger = Ledger::start(folder.path(), pace, &funds);
        let seed = folder.path().join("seed2");
        std::fs::write(&seed, SEED).unwrap();
        let mut permissions = std::fs::metadata(&seed).unwrap().permissions();
        std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o600);
        std::fs::set_permissions(&seed, permissions).unwrap();
        let layer = format!(
            "[xrpl]\nrequest_timeout = \"300ms\"\n[wallets.hot]\nledger_window = 5\n\
             [wallets.hot2]\naddress = \"{second}\"\nseed = \"file:{}\"\nledger_window = 5\n",
            seed.display()
        );
        let setup = Setup::new(folder.path(), &ledger.urls, store, "").with(&layer);
        let merchant = merchant_of(&setup);
        let accounts = [("hot", WALLET.0.to_owned()), ("hot2", second)].into();
        Self {
            ledger,
            setup,
            merchant,
            accounts,
            folder,
        }
    }

    /// Starts the daemon and waits until it knows both wallets.
    pub async fn start(&self) -> Process {
        let daemon = self.setup.start();
        self.setup.ready().await;
        for name in self.accounts.keys() {
            let path = format!("/v1/wallets/{name}");
            self.merchant
                .until(&path, |wallet| !wallet["balance"].is_null())
                .await;
        }
        daemon
    }

    /// Posts payments with these tags at once, and returns them as they were accepted.
    pub async fn pay(&self, tags: impl IntoIterator<Item = u32>, xrp: &'static str) -> Vec<Value> {
        let posts = tags.into_iter().map(|tag| {
            let merchant = self.merchant.clone();
            tokio::spawn(async move { merchant.pay(&key_of(tag), SHOP, tag, xrp).await })
        });
        let mut accepted = Vec::new();
        for post in posts.collect::<Vec<_>>() {
            accepted.push(post.await.unwrap());
        }
        accepted
    }

    /// Goes on with an empty database: that of SQLite is removed, and a server of PostgreSQL has a
    /// `fresh` one. The merchant gets a key that the new one knows.
    pub fn lose_database(&mut self, fresh: Option<&str>) {
        match fresh {
            Some(url) => {
                let layer = format!("[store]\nurl = \"{url}\"\n");
                self.setup = self.setup.clone().with(&layer);
            }
            None => lose_database(self.folder.path()),
        }
        self.merchant = merchant_of(&self.setup);
    }

    /// Waits until everything has its end and holds it against both wallets' truth: every payment
    /// succeeded, on the ledger once, from the wallet that it names, or was cancelled and is not there
    /// at all. Returns them by tag.
    pub async fn audit(&self) -> BTreeMap<u64, Value> {
        self.audit_with(&[]).await
    }

    /// The same, where strangers paid with these tags.
    pub async fn audit_with(&self, strangers: &[u64]) -> BTreeMap<u64, Value> {
        self.merchant.all_final(PATIENCE).await;
        let mut paid: BTreeMap<u64, Vec<Value>> = BTreeMap::new();
        for account in self.accounts.values() {
            for tx in self.ledger.truth_of(account).await {
                let by_us = tx["account"] == *account && tx["type"] == "Payment";
                if by_us && tx["result"] == "tesSUCCESS" {
                    let tag = tx["destination_tag"].as_u64().unwrap();
                    if !strangers.contains(&tag) {
                        paid.entry(tag).or_default().push(tx);
                    }
                }
            }
        }
        let mut payments = BTreeMap::new();
        for payment in self.merchant.all_payments().await {
            let tag = payment["destination_tag"].as_u64().unwrap();
            let on_ledger = paid.remove(&tag).unwrap_or_default();
            if payment["status"] == "cancelled" {
                assert!(on_ledger.is_empty(), "{payment:#} is {on_ledger:#?}");
                payments.insert(tag, payment);
                continue;
            }
            assert_eq!(payment["status"], "succeeded", "{payment:#}");
            let [once] = &on_ledger[..] else {
                panic!("{payment:#} is {on_ledger:#?} on the ledger");
            };
            assert_eq!(payment["tx_hash"], once["hash"], "{payment:#}");
            let name = payment["wallet"].as_str().unwrap();
            assert_eq!(once["account"], self.accounts[name], "{payment:#}");
            assert_eq!(payment["source"], once["account"], "{payment:#}");
            payments.insert(tag, payment);
        }
        assert!(paid.is_empty(), "paid without a payment: {paid:#?}");
        // What moved from one wallet's books into the other's is where its money came from.
        self.setup.command(&["reconcile"]);
        payments
    }
}

/// The idempotency key under which the payment with a tag is posted.
pub fn key_of(tag: u32) -> String {
    format!("pair-{tag}")
}

/// How many of these are paid from each wallet.
pub fn shares<'a>(payments: impl IntoIterator<Item = &'a Value>) -> [usize; 2] {
    let mut shares = [0; 2];
    for payment in payments {
        shares[usize::from(payment["wallet"] == "hot2")] += 1;
    }
    shares
}
