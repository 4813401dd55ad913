//! Invoices on a real daemon and a ledger whose time is moved by hand: paid exactly, in parts, twice, too
//! much, too late, in tokens, during an outage and across kills; every state with its events in order.

use super::party::Party;
use super::scene::{GRACE, Scene, id_of};
use crate::support::daemon::WALLET;
use crate::support::ledger::Ledger;
use crate::support::merchant::Merchant;
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

const RIPPLE_EPOCH_S: u64 = 946_684_800;
const PARTIAL_PAYMENT: u32 = 0x0002_0000;
/// How long the invoices of a drill live, in seconds of the ledger's time.
const LIFE_S: u64 = 600;

/// A client that issues invoices.
fn till(scene: &Scene) -> Merchant {
    let scopes = ["invoices:read", "invoices:write", "payments:read"];
    let key = scene.setup.create_key("till", &scopes);
    Merchant::new(&scene.setup.api, &key)
}

/// Closes a ledger at the present moment: time that is kept by hand begins in the past.
async fn at_present(ledger: &Ledger) {
    let ask = json!({ "command": "ledger", "ledger_index": "validated" });
    let newest = ledger.ask(ask).await;
    let closed = newest["ledger"]["close_time"].as_u64().unwrap() + RIPPLE_EPOCH_S;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    pass(ledger, now.as_secs().saturating_sub(closed).max(1)).await;
}

/// Closes a ledger so many seconds after the one before it.
async fn pass(ledger: &Ledger, seconds: u64) {
    ledger
        .ask(json!({ "command": "ledger_accept", "advance_s": seconds }))
        .await;
}

async fn issue(till: &Merchant, amount: Value, more: Value) -> Value {
    let mut body = json!({ "amount": amount, "expires_in": LIFE_S });
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    let (status, invoice) = till.post("/v1/invoices", None, &body).await;
    assert_eq!(status, 201, "{invoice:#}");
    assert_eq!(invoice["status"], "open");
    invoice
}

fn path(invoice: &Value) -> String {
    format!("/v1/invoices/{}", id_of(invoice))
}

fn xrp(value: &str) -> Value {
    json!({ "currency": "XRP", "value": value })
}

/// A payment to an invoice, as its payer's wallet would make it.
fn to(invoice: &Value, amount: Value) -> Value {
    json!({ "TransactionType": "Payment", "Destination": invoice["address"], "Amount": amount,
        "DestinationTag": invoice["destination_tag"] })
}

/// The invoice once it has a status and has received so much.
async fn until(till: &Merchant, invoice: &Value, status: &str, received: &str) -> Value {
    let wanted =
        |now: &Value| now["status"] == status && now["amount_received"]["value"] == received;
    let now = till.until(&path(invoice), wanted).await;
    let deposits = now["deposits"].as_array().unwrap();
    let whole = deposits.iter().map(|deposit| {
        assert_eq!(deposit["invoice_id"], invoice["id"], "{now:#}");
        let value = deposit["delivered_amount"]["value"].as_str().unwrap();
        value.parse::<f64>().unwrap()
    });
    let received: f64 = received.parse().unwrap();
    assert!((whole.sum::<f64>() - received).abs() < 1e-9, "{now:#}");
    now
}

/// Whether an invoice is overpaid, and whether it was paid late.
fn flags(invoice: &Value) -> (bool, bool) {
    let flag = |name: &str| invoice[name].as_bool().unwrap();
    (flag("overpaid"), flag("paid_late"))
}

/// The types of everything that was told of an object, in order.
async fn told(till: &Merchant, of: &Value) -> Vec<String> {
    let feed = till.get("/v1/events?after=0&limit=200").await;
    let events = feed["data"].as_array().unwrap();
    assert!(events.len() < 200, "one page holds all of a drill");
    let of_it = events
        .iter()
        .filter(|event| event["data"]["id"] == of["id"]);
    of_it
        .map(|event| event["type"].as_str().unwrap().to_owned())
        .collect()
}

/// Waits until the daemon has read every validated ledger.
async fn read_all(scene: &Scene) {
    let newest = u32::try_from(scene.ledger.validated().await).unwrap();
    let read = r#"journal_cursor_ledger{wallet_type="hot"}"#;
    let newest = f64::from(newest);
    scene.until_metric(read, |ledger| ledger >= newest).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_way_to_pay_an_invoice_ends_as_it_should_with_its_events_in_order() {
    let scene = Scene::new("manual", "10000", "");
    let payer = Party::funded(&scene, "payer").await;
    at_present(&scene.ledger).await;
    let _daemon = scene.start().await;
    let till = till(&scene);
    let ten = || issue(&till, xrp("10"), json!({}));
    let drops = |xrp: &str| {
        json!(
            xrpayd_core::money::Drops::from_xrp(xrp)
                .unwrap()
                .to_string()
        )
    };

    let exact = ten().await;
    let parts = ten().await;
    let over = ten().await;
    let twice = ten().await;
    let forgiving = issue(&till, xrp("10"), json!({ "tolerance_bps": 100 })).await;
    let gone = ten().await;
    let late = ten().await;
    let short = ten().await;
    let unpaid = ten().await;
    for (invoice, amount) in [
        (&exact, "10"),
        (&parts, "2.5"),
        (&over, "10.000001"),
        (&twice, "10"),
        (&forgiving, "9.9"),
        (&gone, "4"),
        (&short, "1"),
    ] {
        payer.does(&scene, to(invoice, drops(amount))).await;
    }
    let partial = until(&till, &parts, "partially_paid", "2.5").await;
    let uri = partial["payment_uri"].as_str().unwrap();
    assert!(uri.contains("?amount=7.5&"), "the rest is asked for: {uri}");
    until(&till, &gone, "partially_paid", "4").await;
    let (status, cancelled) = till
        .post(&format!("{}/cancel", path(&gone)), None, &json!({}))
        .await;
    assert_eq!((status, &cancelled["status"]), (200, &json!("cancelled")));
    assert_eq!(cancelled["deposits"].as_array().unwrap().len(), 1);
    for (invoice, amount) in [(&parts, "7.5"), (&twice, "10"), (&gone, "6")] {
        payer.does(&scene, to(invoice, drops(amount))).await;
    }
    for (invoice, received, flagged) in [
        (&exact, "10", (false, false)),
        (&parts, "10", (false, false)),
        (&over, "10.000001", (true, false)),
        (&twice, "20", (true, false)),
        (&forgiving, "9.9", (false, false)),
    ] {
        let paid = until(&till, invoice, "paid", received).await;
        assert_eq!(flags(&paid), flagged, "{paid:#}");
        assert_eq!(paid["amount_due"], xrp("0"));
        assert_eq!(paid["payment_uri"], Value::Null);
    }
    // Before the journal has read a ledger from after the end, nothing has ended.
    assert_eq!(till.get(&path(&late)).await["status"], "open");
    pass(&scene.ledger, LIFE_S * 2).await;
    until(&till, &unpaid, "expired", "0").await;
    for (invoice, amount) in [(&late, "10"), (&short, "2"), (&exact, "1")] {
        payer.does(&scene, to(invoice, drops(amount))).await;
    }
    let paid = until(&till, &late, "paid", "10").await;
    assert_eq!(flags(&paid), (false, true), "{paid:#}");
    let still = until(&till, &short, "expired", "3").await;
    assert_eq!(flags(&still), (false, true), "{still:#}");
    assert_eq!(still["amount_due"], xrp("7"));
    let over_late = until(&till, &exact, "paid", "11").await;
    assert_eq!(flags(&over_late), (true, false), "it was paid in time");

    let (partly, full, more, end) = (
        "invoice.partially_paid",
        "invoice.paid",
        "invoice.overpaid",
        "invoice.expired",
    );
    for (invoice, events) in [
        (&exact, vec![full, more]),
        (&parts, vec![partly, full]),
        (&over, vec![full, more]),
        (&twice, vec![full, more]),
        (&forgiving, vec![full]),
        (&gone, vec![partly, "invoice.cancelled"]),
        (&late, vec![end, full]),
        (&short, vec![partly, end, partly]),
        (&unpaid, vec![end]),
    ] {
        assert_eq!(told(&till, invoice).await, events, "{invoice:#}");
    }
    let unmatched = till.get("/v1/deposits?matched=false").await;
    let unmatched = unmatched["data"].as_array().unwrap();
    assert_eq!(unmatched.len(), 1, "{unmatched:#?}");
    assert_eq!(unmatched[0]["unmatched_reason"], "invoice_cancelled");
    assert_eq!(unmatched[0]["delivered_amount"], xrp("6"));
    assert_eq!(told(&till, &unmatched[0]).await, ["deposit.unmatched"]);
    let (status, refused) = till
        .post(&format!("{}/cancel", path(&exact)), None, &json!({}))
        .await;
    assert_eq!((status, &refused["code"]), (409, &json!("already_final")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_and_issuances_pay_their_own_invoices_by_what_was_delivered() {
    let mut scene = Scene::new("manual", "10000", "");
    let (payer, gateway, wallet) = (
        Party::funded(&scene, "payer").await,
        Party::funded(&scene, "gateway").await,
        Party::wallet(),
    );
    let trust = || json!({ "TransactionType": "TrustSet", "LimitAmount": gateway.usd("1000") });
    let ripple = json!({ "TransactionType": "AccountSet", "SetFlag": 8 });
    gateway.does(&scene, ripple).await;
    for holder in [&payer, &wallet] {
        holder.does(&scene, trust()).await;
    }
    let pay = |to: &str, amount: Value| json!({ "TransactionType": "Payment", "Destination": to, "Amount": amount });
    gateway
        .does(&scene, pay(&payer.address, gateway.usd("500")))
        .await;
    gateway
        .does(
            &scene,
            json!({ "TransactionType": "MPTokenIssuanceCreate" }),
        )
        .await;
    let ask =
        json!({ "command": "account_objects", "account": gateway.address, "type": "mpt_issuance" });
    let made = scene.ledger.ask(ask).await;
    let issuance = made["account_objects"][0]["mpt_issuance_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let authorize = json!({ "TransactionType": "MPTokenAuthorize", "MPTokenIssuanceID": issuance });
    wallet.does(&scene, authorize).await;
    at_present(&scene.ledger).await;
    let assets = json!([format!("USD.{}", gateway.address), issuance]);
    scene.setup = scene
        .setup
        .clone()
        .with(&format!("[invoices]\nassets = {assets}\n"));
    let _daemon = scene.start().await;
    let till = till(&scene);
    let units = |value: &str| json!({ "mpt_issuance_id": issuance, "value": value });

    let dollars = issue(&till, gateway.usd("12.5"), json!({})).await;
    let tokens = issue(&till, units("100"), json!({})).await;
    let attacked = issue(&till, gateway.usd("100"), json!({})).await;
    let crossed = issue(&till, xrp("5"), json!({})).await;
    payer.does(&scene, to(&dollars, gateway.usd("12.5"))).await;
    gateway.does(&scene, to(&tokens, units("60"))).await;
    gateway.does(&scene, to(&tokens, units("41"))).await;
    // A hundred are written in the transaction, and two arrive.
    let mut attack = to(&attacked, gateway.usd("100"));
    attack["Flags"] = json!(PARTIAL_PAYMENT);
    attack["SendMax"] = gateway.usd("2");
    payer.does(&scene, attack).await;
    payer.does(&scene, to(&crossed, gateway.usd("5"))).await;
    // Nothing moves, and an amount is written in it.
    let refused = to(&crossed, json!("99000000000000"));
    payer.sends(&scene, refused, "tecUNFUNDED_PAYMENT").await;

    let paid = until(&till, &dollars, "paid", "12.5").await;
    assert_eq!(paid["amount_received"], gateway.usd("12.5"));
    let over = until(&till, &tokens, "paid", "101").await;
    assert_eq!(over["amount_received"], units("101"));
    assert_eq!(flags(&over), (true, false));
    let short = until(&till, &attacked, "partially_paid", "2").await;
    assert_eq!(short["amount_due"], gateway.usd("98"));
    read_all(&scene).await;
    assert_eq!(till.get(&path(&crossed)).await, crossed);
    let unmatched = till.get("/v1/deposits?matched=false").await;
    let unmatched = unmatched["data"].as_array().unwrap();
    assert_eq!(unmatched.len(), 1, "{unmatched:#?}");
    assert_eq!(unmatched[0]["unmatched_reason"], "other_asset");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_paid_in_time_during_an_outage_is_in_time_when_the_servers_are_back() {
    let layer = "[xrpl]\nrequest_timeout = \"500ms\"\nreconnect_max = \"1s\"\n";
    let scene = Scene::new("manual", "10000", layer);
    let payer = Party::funded(&scene, "payer").await;
    at_present(&scene.ledger).await;
    let _daemon = scene.start().await;
    let till = till(&scene);
    let paid = issue(&till, xrp("10"), json!({ "expires_in": 60 })).await;
    let unpaid = issue(&till, xrp("10"), json!({ "expires_in": 60 })).await;
    read_all(&scene).await;
    scene.ledger.fault_all(&json!({ "kind": "refuse" })).await;
    payer.does(&scene, to(&paid, json!("10000000"))).await;
    pass(&scene.ledger, LIFE_S).await;
    payer.does(&scene, to(&paid, json!("1000000"))).await;
    for invoice in [&paid, &unpaid] {
        assert_eq!(
            &till.get(&path(invoice)).await,
            invoice,
            "nobody has told of it"
        );
    }
    scene.ledger.clear().await;
    let after = until(&till, &paid, "paid", "11").await;
    assert_eq!(flags(&after), (true, false), "{after:#}");
    until(&till, &unpaid, "expired", "0").await;
    let events = ["invoice.paid", "invoice.overpaid"];
    assert_eq!(told(&till, &paid).await, events);
    assert_eq!(told(&till, &unpaid).await, ["invoice.expired"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_between_deposits_every_one_is_counted_once_on_sqlite() {
    survive(None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_between_deposits_every_one_is_counted_once_on_postgresql() {
    if let Some(store) = crate::store::fresh_postgres().await {
        survive(Some(&store)).await;
    }
}

/// Deposits come in while the daemon is killed again and again; at the end every invoice has what the
/// ledger's own truth says was paid to its tag.
async fn survive(store: Option<&str>) {
    const INVOICES: usize = 8;
    const ROUNDS: usize = 12;
    let scene = Scene::with_store(store, "manual", "10000", "", &[]);
    let payer = Party::funded(&scene, "payer").await;
    at_present(&scene.ledger).await;
    let mut daemon = scene.start().await;
    let till = till(&scene);
    let mut invoices = Vec::new();
    for _ in 0..INVOICES {
        invoices.push(issue(&till, xrp("3"), json!({})).await);
    }
    for round in 0..ROUNDS {
        for n in 0..3 {
            let invoice = &invoices[(round * 3 + n) % INVOICES];
            payer.does(&scene, to(invoice, json!("1000000"))).await;
        }
        // At any instant: while it reads, while it writes, before it has begun.
        let pause = u64::try_from(round * 37 % 90).unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(pause)).await;
        daemon.kill();
        daemon = scene.setup.start();
    }
    scene.setup.ready().await;
    read_all(&scene).await;
    let truth = scene.ledger.truth_of(WALLET.0).await;
    for invoice in &invoices {
        let of_tag = |tx: &&Value| {
            tx["destination_tag"] == invoice["destination_tag"] && tx["result"] == "tesSUCCESS"
        };
        let paid = truth.iter().filter(of_tag).count();
        assert!(paid >= 3, "{paid} payments to {invoice:#}");
        let after = until(&till, invoice, "paid", &paid.to_string()).await;
        assert_eq!(after["deposits"].as_array().unwrap().len(), paid);
        assert_eq!(flags(&after), (paid > 3, false), "{after:#}");
    }
    assert_eq!(daemon.terminate(GRACE), Some(0));
}
