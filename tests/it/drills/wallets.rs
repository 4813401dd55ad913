//! Several hot wallets of one service: the load is shared, and one steps in for the other.

use super::pair::{Pair, key_of, shares};
use super::scene::{GRACE, SHOP, id_of, is_final, store_in};
use serde_json::{Value, json};
use xrpayd::store::{Access, Actor, Store, StoreConfig};
use xrpayd_core::ids::UnixMs;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_belongs_to_another_account_holds_up_that_wallet_alone() {
    let mut pair = Pair::new("10000", "10000");
    let daemon = pair.start().await;
    pair.pay(1..=10, "1").await;
    pair.audit().await;
    assert_eq!(daemon.terminate(GRACE), Some(0));
    let layer = format!("[wallets.hot2]\naddress = \"{SHOP}\"\n");
    pair.setup = pair.setup.clone().with(&layer);
    let _daemon = pair.setup.start();
    pair.setup.ready().await;
    let accepted = pair.pay(11..=20, "1").await;
    assert_eq!(shares(&accepted), [10, 0]);
    for payment in &accepted {
        let paid = pair.merchant.payment(&id_of(payment), is_final).await;
        assert_eq!(paid["status"], "succeeded", "{paid:#}");
    }
    assert!(pair.setup.log().contains("give it another name"));
    let other = pair.merchant.get("/v1/wallets/hot2").await;
    assert_eq!(other["status"], "unknown", "{other:#}");
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
    store
        .set_halt("hot", reason, &Actor::Daemon, UnixMs(1))
        .await
        .unwrap();
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
