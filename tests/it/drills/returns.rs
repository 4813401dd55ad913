//! What came in goes back, on a real daemon and a model ledger: once, whoever asks and whatever is killed
//! or restored; never as a bounce of a bounce; and refunds up to what came and not a drop more.

use super::memory::lose_database;
use super::party::Party;
use super::scene::{GRACE, Scene, is_final};
use crate::support::daemon::WALLET;
use crate::support::merchant::Merchant;
use serde_json::{Value, json};

/// The flag of an account that takes only from those whom it knows.
const DEPOSIT_AUTH: u32 = 9;
const LAYER: &str = "[xrpl]\nrequest_timeout = \"500ms\"\n";

/// A client that may do all that is done here.
fn till(scene: &Scene) -> Merchant {
    let scopes = [
        "payments:read",
        "payments:write",
        "invoices:read",
        "invoices:write",
    ];
    let key = scene.setup.create_key("till", &scopes);
    Merchant::new(&scene.setup.api, &key)
}

fn xrp(value: &str) -> Value {
    json!({ "currency": "XRP", "value": value })
}

fn to_wallet(drops: &str) -> Value {
    json!({ "TransactionType": "Payment", "Destination": WALLET.0, "Amount": drops, "SourceTag": 55 })
}

/// The deposit of a transaction, once it is there.
async fn deposit(till: &Merchant, hash: &str) -> Value {
    let path = format!("/v1/deposits?tx_hash={hash}");
    let there = |page: &Value| page["data"].as_array().is_some_and(|all| !all.is_empty());
    till.until(&path, there).await["data"][0].clone()
}

fn path(deposit: &Value) -> String {
    format!("/v1/deposits/{}", deposit["id"].as_str().unwrap())
}

/// What the wallet paid to an account, by the ledger's own truth.
async fn paid_to(scene: &Scene, account: &str) -> Vec<Value> {
    let all = scene.ledger.truth_of(account).await.into_iter();
    all.filter(|tx| {
        tx["account"] == WALLET.0 && tx["destination"] == account && tx["result"] == "tesSUCCESS"
    })
    .collect()
}

/// Closes ledgers until a payment has its end.
async fn settled(scene: &Scene, till: &Merchant, payment: &Value) -> Value {
    let path = format!("/v1/payments/{}", payment["id"].as_str().unwrap());
    loop {
        let now = till.get(&path).await;
        if is_final(&now) {
            return now;
        }
        scene.close_slowly().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deposit_goes_back_once_though_asked_ten_times_at_once_and_killed_in_between() {
    let scene = Scene::new("manual", "10000", LAYER);
    let payer = Party::funded(&scene, "payer").await;
    let daemon = scene.start().await;
    let till = till(&scene);
    let hash = payer.does(&scene, to_wallet("12000000")).await;
    let came = deposit(&till, &hash).await;
    let to = format!("{}/return", path(&came));

    let above = json!({ "amount": xrp("12.000001") });
    let (status, refused) = till.post(&to, None, &above).await;
    assert_eq!(
        (status, &refused["code"]),
        (422, &json!("return_above_delivered"))
    );
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..10 {
        let (till, to) = (till.clone(), to.clone());
        asking.spawn(async move { till.post(&to, None, &json!({ "reason": "no tag" })).await });
    }
    let answers = asking.join_all().await;
    let created: Vec<_> = answers
        .iter()
        .filter(|(status, _)| *status == 201)
        .collect();
    let [(_, payment)] = created[..] else {
        panic!("{answers:#?}")
    };
    for (status, answer) in &answers {
        assert!(matches!(status, 200 | 201), "{answer:#}");
        assert_eq!(answer["id"], payment["id"]);
    }
    assert_eq!(payment["return_of"], came["id"]);
    assert_eq!(payment["destination_tag"], 55);
    let pending = till.get(&path(&came)).await;
    assert_eq!(pending["returned_by"], payment["id"]);
    assert_eq!(pending["return"]["status"], "pending");
    daemon.kill();

    let _daemon = scene.start().await;
    let done = settled(&scene, &till, payment).await;
    assert_eq!(done["status"], "succeeded", "{done:#}");
    let returned = till.get(&path(&came)).await;
    assert_eq!(returned["return"]["status"], "succeeded", "{returned:#}");
    let (status, again) = till.post(&to, None, &json!({})).await;
    assert_eq!((status, &again["id"]), (200, &payment["id"]));
    let (status, other) = till.post(&to, None, &json!({ "amount": xrp("1") })).await;
    assert_eq!((status, &other["code"]), (409, &json!("already_returned")));
    for _ in 0..3 {
        scene.close_slowly().await;
    }
    let paid = paid_to(&scene, &payer.address).await;
    assert_eq!(paid.len(), 1, "{paid:#?}");
    assert_eq!(paid[0]["delivered"], "12000000");

    // Whoever it went to sends it here once more: that is not given back again.
    let bounced = payer.does(&scene, to_wallet("11999990")).await;
    let bounced = deposit(&till, &bounced).await;
    let (status, refused) = till
        .post(&format!("{}/return", path(&bounced)), None, &json!({}))
        .await;
    assert_eq!(
        (status, &refused["code"]),
        (409, &json!("is_a_return")),
        "{refused:#}"
    );
    let mut marked = to_wallet("500000000");
    let memo_type = hex::encode_upper("xrpayd/return");
    marked["Memos"] = json!([{ "Memo": { "MemoType": memo_type } }]);
    let marked = payer.does(&scene, marked).await;
    let marked = deposit(&till, &marked).await;
    assert_eq!(marked["is_return"], true, "{marked:#}");
    let (status, refused) = till
        .post(&format!("{}/return", path(&marked)), None, &json!({}))
        .await;
    assert_eq!(
        (status, &refused["code"]),
        (409, &json!("is_a_return")),
        "{refused:#}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_return_that_fails_can_be_tried_again_once_its_payer_takes_it() {
    let scene = Scene::new("manual", "10000", LAYER);
    let payer = Party::funded(&scene, "payer").await;
    let _daemon = scene.start().await;
    let till = till(&scene);
    let hash = payer.does(&scene, to_wallet("7000000")).await;
    let shy = json!({ "TransactionType": "AccountSet", "SetFlag": DEPOSIT_AUTH });
    payer.does(&scene, shy).await;
    let came = deposit(&till, &hash).await;
    let to = format!("{}/return", path(&came));
    // The daemon has not looked at the payer yet, so it is accepted, and refused when it is to be signed.
    let (status, first) = till.post(&to, None, &json!({})).await;
    assert_eq!(status, 201, "{first:#}");
    let failed = settled(&scene, &till, &first).await;
    assert_eq!(failed["status"], "failed", "{failed:#}");
    let free = till.get(&path(&came)).await;
    assert_eq!(free["returned_by"], json!(null));
    assert_eq!(free["return"]["status"], "failed");
    assert_eq!(free["return"]["payment_id"], first["id"]);

    let takes = json!({ "TransactionType": "AccountSet", "ClearFlag": DEPOSIT_AUTH });
    payer.does(&scene, takes).await;
    let second = loop {
        let (status, answer) = till.post(&to, None, &json!({})).await;
        if status == 201 {
            break answer;
        }
        // What the daemon saw of the payer is as old as its newest ledger.
        assert_eq!(
            answer["code"], "destination_requires_authorization",
            "{answer:#}"
        );
        scene.close_slowly().await;
    };
    assert_ne!(second["id"], first["id"]);
    assert_eq!(settled(&scene, &till, &second).await["status"], "succeeded");
    assert_eq!(paid_to(&scene, &payer.address).await.len(), 1);
    let done = till.get(&path(&came)).await;
    assert_eq!(done["returned_by"], second["id"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_database_returns_nothing_a_second_time() {
    let scene = Scene::new("manual", "10000", LAYER);
    let payer = Party::funded(&scene, "payer").await;
    let daemon = scene.start().await;
    let till = till(&scene);
    let hash = payer.does(&scene, to_wallet("9000000")).await;
    let came = deposit(&till, &hash).await;
    assert_eq!(daemon.terminate(GRACE), Some(0));
    let backup = scene.folder().join("backup.db");
    std::fs::copy(scene.folder().join("xrpayd.db"), &backup).unwrap();
    let daemon = scene.start().await;
    let to = format!("{}/return", path(&came));
    let (status, payment) = till.post(&to, None, &json!({})).await;
    assert_eq!(status, 201, "{payment:#}");
    let first = settled(&scene, &till, &payment).await;
    assert_eq!(first["status"], "succeeded");
    daemon.kill();

    lose_database(scene.folder());
    std::fs::copy(&backup, scene.folder().join("xrpayd.db")).unwrap();
    let _daemon = scene.start().await;
    let (status, again) = till.say(&to, &json!({})).await;
    assert_eq!(status, 201, "{again:#}");
    let found = settled(&scene, &till, &again).await;
    assert_eq!(found["status"], "succeeded", "{found:#}");
    assert_eq!(found["tx_hash"], first["tx_hash"], "the ledger named it");
    assert_eq!(paid_to(&scene, &payer.address).await.len(), 1);
    assert_eq!(
        till.get(&path(&came)).await["return"]["status"],
        "succeeded"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_assigned_pays_its_invoice_and_is_refunded_to_the_last_drop() {
    let scene = Scene::new("manual", "10000", LAYER);
    let payer = Party::funded(&scene, "payer").await;
    let _daemon = scene.start().await;
    let till = till(&scene);
    let body = json!({ "amount": xrp("10"), "expires_in": 360_000 });
    let (status, invoice) = till.post("/v1/invoices", None, &body).await;
    assert_eq!(status, 201, "{invoice:#}");
    let hash = payer.does(&scene, to_wallet("10000000")).await;
    let came = deposit(&till, &hash).await;
    assert_eq!(came["unmatched_reason"], "no_tag");
    let to = format!("{}/assign", path(&came));
    let body = json!({ "invoice_id": invoice["id"], "version": came["version"] });
    let (status, assigned) = till.post(&to, None, &body).await;
    assert_eq!(
        (status, &assigned["invoice_id"]),
        (200, &invoice["id"]),
        "{assigned:#}"
    );
    assert_eq!(
        till.post(&to, None, &body).await.0,
        200,
        "the same once more"
    );
    let (status, refused) = till
        .post(&format!("{}/return", path(&came)), None, &json!({}))
        .await;
    assert_eq!(
        (status, &refused["code"]),
        (409, &json!("is_matched")),
        "{refused:#}"
    );

    let at = format!("/v1/invoices/{}", invoice["id"].as_str().unwrap());
    assert_eq!(till.get(&at).await["status"], "paid");
    let refunds = format!("{at}/refunds");
    let part = json!({ "amount": xrp("3.5"), "reason": "one of two" });
    let (status, first) = till.post(&refunds, Some("part"), &part).await;
    assert_eq!(
        (status, &first["refund_of"]),
        (201, &invoice["id"]),
        "{first:#}"
    );
    let (status, again) = till.post(&refunds, Some("part"), &part).await;
    assert_eq!((status, &again["id"]), (200, &first["id"]));
    let above = json!({ "amount": xrp("6.500001") });
    let (status, refused) = till.post(&refunds, None, &above).await;
    assert_eq!(
        (status, &refused["code"]),
        (422, &json!("refund_above_received")),
        "{refused:#}"
    );
    let (status, rest) = till.post(&refunds, None, &json!({})).await;
    assert_eq!(
        (status, &rest["amount"]["value"]),
        (201, &json!("6.5")),
        "{rest:#}"
    );
    let (status, refused) = till.post(&refunds, None, &json!({})).await;
    assert_eq!(
        (status, &refused["code"]),
        (422, &json!("refund_above_received"))
    );
    for refund in [&first, &rest] {
        assert_eq!(settled(&scene, &till, refund).await["status"], "succeeded");
    }
    let shown = till.get(&at).await;
    assert_eq!(shown["amount_refunded"]["value"], "10", "{shown:#}");
    assert_eq!(shown["refunds"].as_array().unwrap().len(), 2);
    let paid = paid_to(&scene, &payer.address).await;
    let drops: u64 = paid
        .iter()
        .map(|tx| tx["delivered"].as_str().unwrap().parse::<u64>().unwrap())
        .sum();
    assert_eq!((paid.len(), drops), (2, 10_000_000));
}
