//! What is found out about a payment before it is signed, against accounts of a real ledger: who wants
//! a tag, who takes money from nobody, who does not exist; servers that lie about them, and none.

use super::scene::{
    PATIENCE, SHOP, SHORT_LIVED, Scene, accounts_are_untold, id_of, is_final, submissions_are_lost,
};
use crate::support::daemon::WALLET;
use serde_json::{Value, json};
use std::time::Duration;

/// AccountSet: every payment needs a tag; payments need leave.
pub(super) const REQUIRE_DESTINATION_TAG: u32 = 1;
const DISALLOW_XRP: u32 = 3;
const DEPOSIT_AUTH: u32 = 9;
/// Ledgers close fast; attempts live long enough for a busy machine.
const CLOSE: &str = "300ms";
pub(super) const PATIENT: &str = "[xrpl]\nrequest_timeout = \"2s\"\n";

/// An account of somebody else's, with its secret.
pub(super) struct Stranger {
    pub(super) address: String,
    secret: String,
}

/// An account that holds `xrp`, of somebody who can sign.
pub(super) async fn stranger(scene: &Scene, xrp: u64) -> Stranger {
    let made = scene
        .ledger
        .ask(json!({ "command": "wallet_propose" }))
        .await;
    let text = |name: &str| made[name].as_str().unwrap().to_owned();
    let stranger = Stranger {
        address: text("account_id"),
        secret: text("master_seed"),
    };
    fund(scene, &stranger.address, xrp * 1_000_000).await;
    stranger
}

async fn fund(scene: &Scene, account: &str, drops: u64) {
    let request =
        json!({ "command": "sandbox_fund", "account": account, "drops": drops.to_string() });
    scene.ledger.ask(request).await;
}

impl Stranger {
    /// Signs `tx` and waits until it is validated.
    async fn does(&self, scene: &Scene, mut tx: Value) {
        tx["Account"] = json!(self.address);
        let request = json!({ "command": "submit", "secret": self.secret, "tx_json": tx });
        let told = scene.ledger.ask(request).await;
        assert_eq!(told["engine_result"], "tesSUCCESS", "{told:#}");
        next_ledger(scene).await;
    }

    pub(super) async fn sets(&self, scene: &Scene, flag: u32) {
        let tx = json!({ "TransactionType": "AccountSet", "SetFlag": flag });
        self.does(scene, tx).await;
    }
}

/// Waits until the daemon stands on a ledger that is not validated yet.
async fn next_ledger(scene: &Scene) {
    let next = scene.ledger.validated().await + 2;
    scene.ledger.reach(next).await;
    let stands = "xrpl_validated_ledger_index ";
    let next = f64::from(u32::try_from(next).unwrap());
    scene.until_metric(stands, |index| index >= next).await;
}

pub(super) fn order(destination: &str, xrp: &str) -> Value {
    json!({ "destination": destination, "amount": { "currency": "XRP", "value": xrp } })
}

async fn validate(scene: &Scene, body: &Value) -> Value {
    let path = "/v1/payments/validate";
    let (status, answer) = scene.merchant.post(path, None, body).await;
    assert_eq!(status, 200, "{answer:#}");
    answer
}

/// The codes of the checks that came to `status`.
fn codes(answer: &Value, status: &str) -> Vec<String> {
    let checks = answer["checks"].as_array().unwrap().iter();
    let found = checks.filter(|check| check["status"] == status);
    found
        .map(|check| check["code"].as_str().unwrap().to_owned())
        .collect()
}

/// Validates until the verdict is the one that is wanted: servers become ready one after the other.
async fn until_verdict(scene: &Scene, body: &Value, wanted: &str) -> Value {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let answer = validate(scene, body).await;
        if answer["verdict"] == wanted {
            return answer;
        }
        assert!(
            tokio::time::Instant::now() < deadline,
            "it stays {answer:#}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_destination_is_told_for_what_it_is() {
    let scene = Scene::new(CLOSE, "100", PATIENT);
    let _daemon = scene.start().await;
    let good = until_verdict(&scene, &order(SHOP, "2"), "valid").await;
    assert_eq!(codes(&good, "fail"), Vec::<String>::new());
    assert_eq!(
        good["simulation"]["engine_result"], "tesSUCCESS",
        "{good:#}"
    );
    assert_eq!(good["would"]["fee_drops"], "10");
    assert!(good["servers"].as_array().unwrap().len() >= 2);
    assert!(good["ledger_index"].as_u64().unwrap() > 2);

    let nobody = "rrrrrrrrrrrrrrrrrrrn5RM1rHd";
    let small = until_verdict(&scene, &order(nobody, "0.999999"), "invalid").await;
    assert_eq!(codes(&small, "fail"), ["destination_not_funded"]);
    assert_eq!(small["simulation"]["engine_result"], "tecNO_DST_INSUF_XRP");
    until_verdict(&scene, &order(nobody, "1"), "valid").await;

    let tagged = stranger(&scene, 20).await;
    tagged.sets(&scene, REQUIRE_DESTINATION_TAG).await;
    let untagged = until_verdict(&scene, &order(&tagged.address, "2"), "invalid").await;
    assert_eq!(codes(&untagged, "fail"), ["destination_tag_required"]);
    assert_eq!(untagged["simulation"]["engine_result"], "tecDST_TAG_NEEDED");
    assert_eq!(codes(&untagged, "warn"), ["simulation"]);
    let mut with_tag = order(&tagged.address, "2");
    with_tag["destination_tag"] = json!(0);
    until_verdict(&scene, &with_tag, "valid").await;

    let shy = stranger(&scene, 20).await;
    shy.sets(&scene, DISALLOW_XRP).await;
    let unwanted = until_verdict(&scene, &order(&shy.address, "2"), "valid").await;
    assert_eq!(codes(&unwanted, "warn"), ["destination_disallows_xrp"]);

    let dear = until_verdict(&scene, &order(SHOP, "99.5"), "invalid").await;
    assert_eq!(codes(&dear, "fail"), ["insufficient_balance"]);
    assert_eq!(dear["simulation"]["engine_result"], "tecUNFUNDED_PAYMENT");
    let own = validate(&scene, &order(WALLET.0, "1")).await;
    assert_eq!(codes(&own, "fail"), ["destination_is_self"]);
    let all = scene.merchant.all_payments().await;
    assert_eq!(all, Vec::<Value>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guarded_account_is_paid_by_those_it_knows_and_in_need() {
    let scene = Scene::new(CLOSE, "100", PATIENT);
    let _daemon = scene.start().await;
    let guarded = stranger(&scene, 20).await;
    guarded.sets(&scene, DEPOSIT_AUTH).await;
    let refused = until_verdict(&scene, &order(&guarded.address, "1"), "invalid").await;
    let code = "destination_requires_authorization";
    assert_eq!(codes(&refused, "fail"), [code]);
    assert_eq!(refused["simulation"]["engine_result"], "tecNO_PERMISSION");

    let leave = json!({ "TransactionType": "DepositPreauth", "Authorize": WALLET.0 });
    guarded.does(&scene, leave).await;
    until_verdict(&scene, &order(&guarded.address, "50"), "valid").await;

    // One that holds no more than its reserve is let in as much again, and not a drop more.
    let poor = stranger(&scene, 1).await;
    fund(&scene, &poor.address, 10).await;
    poor.sets(&scene, DEPOSIT_AUTH).await;
    let saved = until_verdict(&scene, &order(&poor.address, "1"), "valid").await;
    assert_eq!(saved["simulation"]["engine_result"], "tesSUCCESS");
    let more = until_verdict(&scene, &order(&poor.address, "1.000001"), "invalid").await;
    assert_eq!(codes(&more, "fail"), [code]);
    assert_eq!(more["simulation"]["engine_result"], "tecNO_PERMISSION");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_do_not_try_that_lie_and_that_are_gone() {
    let scene = Scene::new(CLOSE, "100", "[xrpl]\nrequest_timeout = \"500ms\"\n");
    let _daemon = scene.start().await;
    until_verdict(&scene, &order(SHOP, "2"), "valid").await;

    let deaf = json!({ "kind": "drop_requests", "per_mille": 1000, "only": "simulate" });
    scene.ledger.fault_all(&deaf).await;
    let untried = until_verdict(&scene, &order(SHOP, "2"), "valid").await;
    assert_eq!(untried["simulation"], Value::Null);
    scene.ledger.clear().await;

    // A guarded account that one server says is poor would have to be let in: the lie is proven, or
    // nothing is said; it is never believed.
    let guarded = stranger(&scene, 20).await;
    guarded.sets(&scene, DEPOSIT_AUTH).await;
    until_verdict(&scene, &order(&guarded.address, "1"), "invalid").await;
    let lie = json!({ "kind": "lie_balance", "account": guarded.address, "balance": "1000000" });
    scene.ledger.fault(0, &lie).await;
    for _ in 0..8 {
        let answer = validate(&scene, &order(&guarded.address, "1")).await;
        assert_ne!(answer["verdict"], "valid", "{answer:#}");
        next_ledger(&scene).await;
    }
    let disputes = scene.metric("xrpl_server_disagreements_total ").await;
    assert!(disputes >= 1.0, "nobody noticed the lie");
    scene.ledger.clear().await;

    let gone = json!({ "kind": "refuse", "ms": 600_000 });
    scene.ledger.fault_all(&gone).await;
    let body = order(SHOP, "3");
    let answer = until_verdict(&scene, &body, "unknown").await;
    assert_eq!(answer["valid"], false);
    let unknown = codes(&answer, "unknown");
    assert!(
        unknown.contains(&"destination_not_funded".to_owned()),
        "{unknown:?}"
    );
    assert_eq!(answer["ledger_index"], Value::Null);
    let accepted = scene.merchant.create("while-gone", &body).await;
    assert_eq!(accepted["status"], "processing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn however_many_ask_about_an_account_the_servers_are_asked_once_a_ledger() {
    let scene = Scene::new("manual", "100", PATIENT);
    let _daemon = scene.start().await;
    let body = order(SHOP, "2");
    until_verdict(&scene, &body, "valid").await;
    let before = asked(&scene).await;
    scene.close_slowly().await;
    next_by_hand(&scene).await;
    let all = (0..40).map(|_| validate(&scene, &body));
    let answers = futures_util::future::join_all(all).await;
    for answer in &answers {
        assert_eq!(answer["verdict"], "valid", "{answer:#}");
        assert_eq!(answer["ledger_index"], answers[0]["ledger_index"]);
    }
    let after = asked(&scene).await;
    let (sum, sum_before): (u64, u64) = (after.iter().sum(), before.iter().sum());
    assert!(sum > sum_before, "nobody was asked: {after:?}");
    for (server, (before, after)) in before.iter().zip(&after).enumerate() {
        assert!(after - before <= 1, "server {server}: {before} and {after}");
    }
}

/// Accepts a payment and waits for its end.
async fn pay(scene: &Scene, key: &str, body: &Value) -> Value {
    let id = id_of(&scene.merchant.create(key, body).await);
    scene.merchant.payment(&id, is_final).await
}

/// The results of the payments that the wallet has on the ledger.
async fn results(scene: &Scene) -> Vec<String> {
    let all = scene.ledger.truth_of(WALLET.0).await;
    let ours = all
        .iter()
        .filter(|tx| tx["account"] == WALLET.0 && tx["type"] == "Payment");
    ours.map(|tx| tx["result"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_ledger_must_refuse_fails_without_a_fee_and_says_where_that_was_read() {
    let scene = Scene::new(CLOSE, "100", PATIENT);
    let _daemon = scene.start().await;
    let tagged = stranger(&scene, 20).await;
    tagged.sets(&scene, REQUIRE_DESTINATION_TAG).await;
    let guarded = stranger(&scene, 20).await;
    guarded.sets(&scene, DEPOSIT_AUTH).await;
    let nobody = "rrrrrrrrrrrrrrrrrrrn5RM1rHd";
    for (key, body, code, result) in [
        (
            "untagged",
            order(&tagged.address, "2"),
            "destination_tag_required",
            "tecDST_TAG_NEEDED",
        ),
        (
            "unfunded",
            order(nobody, "0.5"),
            "destination_not_funded",
            "tecNO_DST_INSUF_XRP",
        ),
        (
            "unwelcome",
            order(&guarded.address, "2"),
            "destination_requires_authorization",
            "tecNO_PERMISSION",
        ),
    ] {
        next_ledger(&scene).await;
        let failed = pay(&scene, key, &body).await;
        assert_eq!(failed["status"], "failed", "{failed:#}");
        assert_eq!(failed["failure"]["code"], code);
        assert_eq!(failed["failure"]["ledger_code"], result);
        assert_eq!(failed["failure"]["fee_charged"], false);
        assert_eq!(failed["attempts"], json!([]));
        assert_eq!(failed["fee_drops"], Value::Null);
        let proof = &failed["proof"];
        assert_eq!(
            (&proof["kind"], &proof["would_be"]),
            (&json!("preflight"), &json!(result))
        );
        assert!(proof["servers"].as_array().unwrap().len() >= 2, "{proof:#}");
        assert!(proof["ledger_index"].as_u64().unwrap() > 2);
        // The same key has the same end for ever, and another one is refused or ends alike.
        let again = scene.merchant.create(key, &body).await;
        assert_eq!(again, failed);
        let path = "/v1/payments";
        let other = format!("{key}-2");
        let (status, answer) = scene.merchant.post(path, Some(&other), &body).await;
        if status == 201 {
            let path = format!("/v1/payments/{}", id_of(&answer));
            let end = scene.merchant.until(&path, is_final).await;
            assert_eq!(end["failure"]["code"], code, "{end:#}");
        } else {
            assert_eq!((status, &answer["code"]), (422, &json!(code)), "{answer:#}");
        }
    }
    assert_eq!(results(&scene).await, Vec::<String>::new());
    assert_eq!(
        scene.merchant.get("/v1/wallets/hot").await["balance"]["value"],
        "100"
    );

    // What was missing comes: the next payment goes through.
    let leave = json!({ "TransactionType": "DepositPreauth", "Authorize": WALLET.0 });
    guarded.does(&scene, leave).await;
    let mut with_tag = order(&tagged.address, "2");
    with_tag["destination_tag"] = json!(0);
    for (key, body) in [
        ("tagged", with_tag),
        ("funded", order(nobody, "1")),
        ("welcome", order(&guarded.address, "2")),
    ] {
        let paid = pay(&scene, key, &body).await;
        assert_eq!(paid["status"], "succeeded", "{paid:#}");
    }
    assert_eq!(results(&scene).await, ["tesSUCCESS"; 3]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_that_nobody_tells_of_holds_nothing_up_and_the_ledger_decides() {
    let scene = Scene::new(CLOSE, "100", PATIENT);
    let _daemon = scene.start().await;
    let tagged = stranger(&scene, 20).await;
    tagged.sets(&scene, REQUIRE_DESTINATION_TAG).await;
    scene.ledger.fault_all(&accounts_are_untold()).await;
    next_ledger(&scene).await;
    let paid = pay(&scene, "unseen", &order(SHOP, "2")).await;
    assert_eq!(paid["status"], "succeeded", "{paid:#}");
    let failed = pay(&scene, "untagged", &order(&tagged.address, "2")).await;
    assert_eq!(failed["failure"]["code"], "destination_tag_required");
    assert_eq!(failed["failure"]["fee_charged"], true);
    assert_eq!(failed["proof"]["kind"], "validated", "{failed:#}");
    assert_eq!(results(&scene).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_lies_about_a_destination_fails_no_payment() {
    let scene = Scene::new(CLOSE, "100", PATIENT);
    let _daemon = scene.start().await;
    let poor = stranger(&scene, 1).await;
    fund(&scene, &poor.address, 10).await;
    poor.sets(&scene, DEPOSIT_AUTH).await;
    // It may be helped, and would not be if it were as rich as this server says.
    let lie = json!({ "kind": "lie_balance", "account": poor.address, "balance": "20000000" });
    scene.ledger.fault(1, &lie).await;
    next_ledger(&scene).await;
    let paid = pay(&scene, "helped", &order(&poor.address, "1")).await;
    assert_eq!(paid["status"], "succeeded", "{paid:#}");
    assert_eq!(results(&scene).await, ["tesSUCCESS"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_signed_before_the_account_changed_is_proven_dead_before_it_is_refused() {
    let scene = Scene::new(CLOSE, "100", SHORT_LIVED);
    let _daemon = scene.start().await;
    let changing = stranger(&scene, 20).await;
    next_ledger(&scene).await;
    scene.ledger.fault_all(&submissions_are_lost()).await;
    let body = order(&changing.address, "2");
    let id = id_of(&scene.merchant.create("late", &body).await);
    let is_signed = |payment: &Value| payment["attempts"] != json!([]);
    scene.merchant.payment(&id, is_signed).await;
    changing.sets(&scene, REQUIRE_DESTINATION_TAG).await;
    let failed = scene.merchant.payment(&id, is_final).await;
    assert_eq!(
        failed["failure"]["code"], "destination_tag_required",
        "{failed:#}"
    );
    assert_eq!(failed["failure"]["fee_charged"], false);
    assert_eq!(failed["proof"]["kind"], "preflight");
    let attempts = failed["attempts"].as_array().unwrap();
    assert!(!attempts.is_empty());
    for attempt in attempts {
        assert_eq!(attempt["state"], "dead", "{failed:#}");
        let last = attempt["last_ledger_sequence"].as_u64().unwrap();
        assert!(failed["proof"]["ledger_index"].as_u64().unwrap() >= last);
    }
    assert_eq!(results(&scene).await, Vec::<String>::new());
}

/// Waits until the daemon stands on the newest ledger.
async fn next_by_hand(scene: &Scene) {
    let newest = f64::from(u32::try_from(scene.ledger.validated().await).unwrap());
    let stands = "xrpl_validated_ledger_index ";
    scene.until_metric(stands, |index| index >= newest).await;
}

/// How often each server was asked for an account root.
pub(super) async fn asked(scene: &Scene) -> Vec<u64> {
    let counts = scene
        .ledger
        .ask(json!({ "command": "sandbox_counts" }))
        .await;
    let servers = counts["servers"].as_array().unwrap().iter();
    servers
        .map(|server| server["account_info"].as_u64().unwrap_or(0))
        .collect()
}
