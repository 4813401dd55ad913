//! Several hot wallets of one service: the load is shared, one steps in for the other, and a lost
//! database pays nothing again from the other one.

use super::memory::lose_database;
use super::scene::{GRACE, PATIENCE, SHOP, id_of, merchant_of, store_in};
use crate::support::daemon::{Setup, WALLET};
use crate::support::ledger::Ledger;
use crate::support::merchant::Merchant;
use crate::support::process::Process;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use xrpayd::store::{Access, Store, StoreConfig};
use xrpayd_core::ids::UnixMs;

/// A second throw-away seed.
const SEED: &str = "sEdTM1uX8pu2do5XvTnutH6HsouMaM2";

/// Two wallets on one ledger.
struct Pair {
    ledger: Ledger,
    setup: Setup,
    merchant: Merchant,
    /// The account of each wallet by its name.
    accounts: BTreeMap<&'static str, String>,
    folder: tempfile::TempDir,
}

impl Pair {
    /// The wallets `hot` and `hot2` with so many XRP.
    fn new(hot: &str, hot2: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = xrpayd_codec::Keypair::from_seed(SEED).unwrap();
        let second = key.public_key().account_id().to_string();
        let funds = [(WALLET.0, hot), (second.as_str(), hot2), (SHOP, "1000")];
        let ledger = Ledger::start(folder.path(), "200ms", &funds);
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
        let store = store_in(folder.path());
        let setup = Setup::new(folder.path(), &ledger.urls, &store, "").with(&layer);
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
    async fn start(&self) -> Process {
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
    async fn pay(&self, tags: impl IntoIterator<Item = u32>, xrp: &'static str) -> Vec<Value> {
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

    /// Waits until everything has its end and holds it against both wallets' truth: every payment
    /// succeeded, on the ledger once, from the wallet that it names. Returns them by tag.
    async fn audit(&self) -> BTreeMap<u64, Value> {
        self.merchant.all_final(PATIENCE).await;
        let mut paid: BTreeMap<u64, Vec<Value>> = BTreeMap::new();
        for account in self.accounts.values() {
            for tx in self.ledger.truth_of(account).await {
                let by_us = tx["account"] == *account && tx["type"] == "Payment";
                if by_us && tx["result"] == "tesSUCCESS" {
                    let tag = tx["destination_tag"].as_u64().unwrap();
                    paid.entry(tag).or_default().push(tx);
                }
            }
        }
        let mut payments = BTreeMap::new();
        for payment in self.merchant.all_payments().await {
            assert_eq!(payment["status"], "succeeded", "{payment:#}");
            let tag = payment["destination_tag"].as_u64().unwrap();
            let on_ledger = paid.remove(&tag).unwrap_or_default();
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
        payments
    }
}

fn key_of(tag: u32) -> String {
    format!("pair-{tag}")
}

/// How many of these are paid from each wallet.
fn shares<'a>(payments: impl IntoIterator<Item = &'a Value>) -> [usize; 2] {
    let mut shares = [0; 2];
    for payment in payments {
        shares[usize::from(payment["wallet"] == "hot2")] += 1;
    }
    shares
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_wallets_share_the_load_and_one_goes_on_where_the_other_is_drained_or_halted() {
    let pair = Pair::new("10000", "60");
    let daemon = pair.start().await;
    let [hot, hot2] = shares(&pair.pay(1..=40, "1").await);
    assert!(hot >= 15 && hot2 >= 15, "{hot} and {hot2}");
    // Forty more are left in the second one, above its reserve of one: seven of these at most.
    let accepted = pair.pay(41..=60, "5").await;
    let [_, hot2] = shares(&accepted);
    assert!(
        (1..=7).contains(&hot2),
        "{hot2} of 20 from a wallet of 39 XRP"
    );
    for payment in pair.audit().await.values() {
        let path = format!("/v1/payments/{}/events", id_of(payment));
        let events = pair.merchant.get(&path).await.to_string();
        assert!(
            !events.contains("low_balance"),
            "nothing had to wait for money"
        );
    }
    let drained = pair.pay(61..=66, "40").await;
    assert_eq!(shares(&drained), [6, 0]);
    pair.audit().await;

    // The first one is halted by a person; the second, with new money, goes on alone.
    assert_eq!(daemon.terminate(GRACE), Some(0));
    let url = store_in(pair.folder.path());
    let store = Store::open(&StoreConfig::new(url), Access::Tool)
        .await
        .unwrap();
    let reason = Some("a drill");
    store.set_halt("hot", reason, UnixMs(1)).await.unwrap();
    store.close().await;
    let refill = json!({
        "command": "sandbox_fund", "account": pair.accounts["hot2"], "drops": "1000000000",
    });
    pair.ledger.ask(refill).await;
    let _daemon = pair.start().await;
    let rich = |wallet: &Value| {
        let balance = wallet["balance"]["value"].as_str();
        balance.is_some_and(|xrp| xrp.parse::<f64>().unwrap() > 900.0)
    };
    pair.merchant.until("/v1/wallets/hot2", rich).await;
    let alone = pair.pay(71..=90, "2").await;
    assert_eq!(shares(&alone), [0, 20]);
    let named = json!({
        "destination": SHOP, "destination_tag": 91, "wallet": "hot",
        "amount": { "currency": "XRP", "value": "2" },
    });
    let named = pair.merchant.create(&key_of(91), &named).await;
    for payment in &alone {
        let paid = |payment: &Value| payment["status"] == "succeeded";
        pair.merchant.payment(&id_of(payment), paid).await;
    }
    let path = format!("/v1/payments/{}", id_of(&named));
    let waiting = pair.merchant.get(&path).await;
    assert_eq!(
        (&waiting["wallet"], &waiting["substatus"]),
        (&json!("hot"), &json!("queued")),
        "a named wallet is waited for"
    );
    pair.setup.command(&["wallet", "resume", "--wallet", "hot"]);
    pair.audit().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_an_empty_database_no_key_is_paid_again_from_the_other_wallet() {
    let mut pair = Pair::new("10000", "10000");
    let daemon = pair.start().await;
    pair.pay(1..=40, "1").await;
    let before = pair.audit().await;
    let [hot, hot2] = shares(before.values());
    assert!(hot >= 10 && hot2 >= 10, "{hot} and {hot2}");
    assert_eq!(daemon.terminate(GRACE), Some(0));
    lose_database(pair.folder.path());
    pair.merchant = merchant_of(&pair.setup);
    let _daemon = pair.start().await;
    // In another order and with others among them, so that the choice falls otherwise.
    let mut moved = 0;
    for tag in (1..=50).rev() {
        let accepted = pair.merchant.pay(&key_of(tag), SHOP, tag, "1").await;
        let known = before.get(&u64::from(tag));
        moved += usize::from(known.is_some_and(|known| known["wallet"] != accepted["wallet"]));
    }
    assert!(moved >= 5, "only {moved} were given to the other wallet");
    let after = pair.audit().await;
    assert_eq!(after.len(), 50);
    for (tag, payment) in &before {
        for field in ["wallet", "tx_hash", "ledger_index", "fee_drops"] {
            assert_eq!(after[tag][field], payment[field], "{:#}", after[tag]);
        }
    }
}
