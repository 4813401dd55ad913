//! Every result code of the table, as what servers answer to a submission and as what a ledger is
//! validated with: the real daemon ends each payment as the table says, and delivers none twice.
//!
//! The tag of a payment is the place of its code in the table, so that one ledger shows them all.

use super::scene::{Scene, is_final, sequences};
use crate::support::process::Process;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use xrpayd_core::ledger::codes::{Class, Code, OnSubmit, OnValidated, TABLE};

/// Room for every code at once, and attempts that live for eight ledgers.
const ROOMY: &str = "[xrpl]\nrequest_timeout = \"5s\"\n\
                     [wallets.hot]\nledger_window = 8\nmax_in_flight = 400\n";

/// Codes of versions newer than the model's: no ledger of the model can hold them, so servers are made
/// to tell of them.
const NEWER: [&str; 7] = [
    "tecWRONG_ASSET",
    "tecLIMIT_EXCEEDED",
    "tecPSEUDO_ACCOUNT",
    "tecPRECISION_LOSS",
    "tecNO_DELEGATE_PERMISSION",
    "tecBAD_PROOF",
    "tecNO_SPONSOR_PERMISSION",
];

/// The codes that `wanted` holds for, by the tag that stands for them.
fn codes(wanted: impl Fn(&Code) -> bool) -> BTreeMap<u32, &'static Code> {
    let tagged = TABLE.iter().zip(1..);
    tagged
        .filter(|(code, _)| wanted(code))
        .map(|(code, tag)| (tag, code))
        .collect()
}

/// Whether the servers carry out what they answer falsely.
#[derive(Clone, Copy)]
enum Taken {
    Yes,
    No,
}

/// Lets every server answer the submissions of these payments with their codes, and posts them.
async fn answer_all(scene: &Scene, codes: &BTreeMap<u32, &Code>, taken: Taken) {
    let taken = matches!(taken, Taken::Yes);
    for (tag, code) in codes {
        let answer = json!({
            "kind": "answer_submit", "destination_tag": tag, "result": code.name, "taken": taken,
        });
        scene.ledger.ask(for_all(answer)).await;
    }
    for tag in codes.keys() {
        scene.pay_one(*tag, "1").await;
    }
}

fn for_all(mut fault: Value) -> Value {
    fault["command"] = json!("sandbox_fault");
    fault["server"] = json!("all");
    fault
}

/// Waits until every payment was signed, sent and answered.
async fn all_answered(scene: &Scene) {
    let deadline = tokio::time::Instant::now() + super::scene::PATIENCE;
    loop {
        let payments = scene.merchant.all_payments().await;
        let waiting = payments.iter().find(|payment| {
            let is_new = |attempt: &Value| attempt["state"] == "signed";
            let attempts = payment["attempts"].as_array().unwrap();
            !is_final(payment) && (attempts.is_empty() || attempts.iter().any(is_new))
        });
        let Some(waiting) = waiting else { return };
        assert!(tokio::time::Instant::now() < deadline, "{waiting:#}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

async fn is_halted(scene: &Scene) -> bool {
    scene.merchant.get("/v1/wallets/hot").await["status"] == "halted"
}

/// Ends the lies and a person's work: the wallet goes on, in a daemon that reads so at its start.
async fn resume(scene: &Scene, daemon: Process) -> Process {
    scene.ledger.ask(for_all(json!({ "kind": "clear" }))).await;
    scene
        .setup
        .command(&["wallet", "resume", "--wallet", "hot"]);
    daemon.kill();
    let daemon = scene.start().await;
    scene.settle_by_hand().await;
    daemon
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_to_what_the_ledger_takes_ends_in_one_delivery() {
    let scene = Scene::new("manual", "10000", ROOMY);
    let _daemon = scene.start().await;
    let taken = codes(|code| code.on_submit != OnSubmit::OwnFault);
    answer_all(&scene, &taken, Taken::Yes).await;
    all_answered(&scene).await;
    scene.settle_by_hand().await;
    // The audit holds each against the ledger: delivered once.
    let payments = scene.all_succeed(taken.len()).await;
    for (tag, code) in &taken {
        let payment = &payments[&u64::from(*tag)];
        assert_eq!(
            payment["result_code"], "tesSUCCESS",
            "{}: {payment:#}",
            code.name
        );
        assert!(payment["failure"].is_null(), "{}: {payment:#}", code.name);
    }
    assert!(!is_halted(&scene).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_to_what_no_server_takes_ends_nothing_but_what_is_malformed() {
    let scene = Scene::new("manual", "10000", ROOMY);
    let _daemon = scene.start().await;
    let malformed = codes(|code| code.on_submit == OnSubmit::Never);
    answer_all(&scene, &malformed, Taken::No).await;
    all_answered(&scene).await;
    scene.settle_by_hand().await;
    let payments = scene.audit(&[]).await;
    assert_eq!(payments.len(), malformed.len());
    for (tag, code) in &malformed {
        let payment = &payments[&u64::from(*tag)];
        let failure = &payment["failure"];
        let told = (
            payment["status"].as_str().unwrap(),
            failure["code"].as_str().unwrap(),
            failure["ledger_code"].as_str().unwrap(),
            failure["fee_charged"].as_bool().unwrap(),
        );
        let expected = ("failed", "transaction_malformed", code.name, false);
        assert_eq!(told, expected, "{payment:#}");
        assert_eq!(payment["proof"]["kind"], "absent", "{payment:#}");
    }

    // Every other code says nothing: the payment is signed again once its absence is proven.
    let others = codes(|code| !matches!(code.on_submit, OnSubmit::Never | OnSubmit::OwnFault));
    answer_all(&scene, &others, Taken::No).await;
    all_answered(&scene).await;
    let signed_again = |payments: &[Value]| {
        let others = payments.iter().filter(|payment| {
            let tag = u32::try_from(payment["destination_tag"].as_u64().unwrap()).unwrap();
            others.contains_key(&tag)
        });
        others.clone().all(|payment| sequences(payment).len() > 1)
    };
    let deadline = tokio::time::Instant::now() + super::scene::PATIENCE;
    loop {
        let payments = scene.merchant.all_payments().await;
        for payment in &payments {
            let tag = u32::try_from(payment["destination_tag"].as_u64().unwrap()).unwrap();
            assert_eq!(
                is_final(payment),
                malformed.contains_key(&tag),
                "{payment:#}"
            );
        }
        if signed_again(&payments) {
            break;
        }
        assert!(tokio::time::Instant::now() < deadline, "not signed again");
        scene.close_slowly().await;
    }
    scene.ledger.ask(for_all(json!({ "kind": "clear" }))).await;
    scene.settle_by_hand().await;
    let payments = scene.audit(&[]).await;
    for (tag, code) in &others {
        let payment = &payments[&u64::from(*tag)];
        assert_eq!(payment["status"], "succeeded", "{}: {payment:#}", code.name);
    }
    assert!(!is_halted(&scene).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_that_is_a_fault_of_our_own_halts_the_wallet_and_fails_no_payment() {
    let scene = Scene::new("manual", "10000", ROOMY);
    let mut daemon = scene.start().await;
    let own_faults = codes(|code| code.on_submit == OnSubmit::OwnFault);
    assert!(own_faults.len() > 8);
    for (nth, (tag, code)) in own_faults.iter().enumerate() {
        let taken = if nth % 2 == 0 { Taken::Yes } else { Taken::No };
        let one = BTreeMap::from([(*tag, *code)]);
        answer_all(&scene, &one, taken).await;
        let halted = |wallet: &Value| wallet["status"] == "halted";
        let wallet = scene.merchant.until("/v1/wallets/hot", halted).await;
        let reason = wallet["halted_reason"].as_str().unwrap();
        assert!(reason.contains(code.name), "{reason}");
        let later = scene.pay_one(1_000 + tag, "1").await;
        scene.close_slowly().await;
        let waiting = scene.merchant.get(&format!("/v1/payments/{later}")).await;
        assert_eq!(waiting["substatus"], "queued", "{waiting:#}");
        daemon = resume(&scene, daemon).await;
        assert!(!is_halted(&scene).await, "{}", code.name);
    }
    scene.all_succeed(2 * own_faults.len()).await;
}

/// What the API calls a validated failure.
fn failure_code(code: &str) -> &'static str {
    match code {
        "tecNO_DST" | "tecNO_DST_INSUF_XRP" => "destination_not_funded",
        "tecDST_TAG_NEEDED" => "destination_tag_required",
        "tecNO_PERMISSION" => "destination_requires_authorization",
        _ => "ledger_refused",
    }
}

fn failed_by(payment: &Value, code: &Code) {
    let failure = &payment["failure"];
    assert_eq!(payment["status"], "failed", "{}: {payment:#}", code.name);
    assert_eq!(failure["code"], failure_code(code.name), "{payment:#}");
    assert_eq!(failure["ledger_code"], code.name, "{payment:#}");
    assert_eq!(failure["fee_charged"], true, "{payment:#}");
    assert_eq!(payment["proof"]["kind"], "validated", "{payment:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_code_that_a_ledger_is_validated_with_ends_as_the_table_says() {
    let scene = Scene::new("manual", "10000", ROOMY);
    let mut daemon = scene.start().await;
    let claimed = codes(|code| Class::of(code.name) == Class::Tec && !NEWER.contains(&code.name));
    for (tag, code) in &claimed {
        let force = json!({ "kind": "force_result", "destination_tag": tag, "result": code.name });
        scene.ledger.ask(for_all(force)).await;
    }
    for tag in claimed.keys() {
        scene.pay_one(*tag, "1").await;
    }
    all_answered(&scene).await;
    scene.settle_by_hand().await;
    let payments = scene.audit(&[]).await;
    assert_eq!(payments.len(), claimed.len());
    for (tag, code) in &claimed {
        let payment = &payments[&u64::from(*tag)];
        match code.on_validated {
            OnValidated::Failed | OnValidated::ServerFault => failed_by(payment, code),
            // The ledger charged for nothing, and the payment itself is sound: it is paid with the next.
            OnValidated::OwnShortage => {
                assert_eq!(payment["status"], "succeeded", "{}: {payment:#}", code.name);
                assert_eq!(sequences(payment).len(), 2, "{payment:#}");
                assert_eq!(payment["attempts"][0]["state"], "validated", "{payment:#}");
            }
            OnValidated::Delivered | OnValidated::Impossible => panic!("{code:?}"),
        }
    }
    assert!(!is_halted(&scene).await);

    // Codes that the model's version does not know are told of instead of the one that it holds.
    for (tag, code) in codes(|code| NEWER.contains(&code.name)) {
        let force = json!({ "kind": "force_result", "destination_tag": tag, "result": "tecCLAIM" });
        scene.ledger.ask(for_all(force)).await;
        let payment = told_of(&scene, tag, code.name, is_final).await;
        failed_by(&payment, code);
        // The next lie ends this one, and then the books do differ: no reconciliation of the daemon's,
        // which makes its first a minute after its start, is to see that.
        daemon.kill();
        daemon = scene.start().await;
    }
    scene.audit(&[]).await;
}

/// Pays, and lets every server tell of the validated transaction with another result than the true one,
/// until the payment is as `wanted` or the wallet is halted.
async fn told_of(scene: &Scene, tag: u32, code: &str, wanted: fn(&Value) -> bool) -> Value {
    let id = scene.pay_one(tag, "1").await;
    let is_sent = |payment: &Value| payment["substatus"] == "submitted";
    let sent = scene.merchant.payment(&id, is_sent).await;
    let hash = &sent["attempts"][0]["tx_hash"];
    let lie = json!({ "kind": "lie_result", "hash": hash, "result": code });
    scene.ledger.ask(for_all(lie)).await;
    scene.ledger.close().await;
    let deadline = tokio::time::Instant::now() + super::scene::PATIENCE;
    loop {
        let payment = scene.merchant.get(&format!("/v1/payments/{id}")).await;
        if wanted(&payment) || is_halted(scene).await {
            return payment;
        }
        assert!(tokio::time::Instant::now() < deadline, "{payment:#}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_that_no_ledger_can_hold_is_believed_of_nobody() {
    let scene = Scene::new("manual", "10000", ROOMY);
    let mut daemon = scene.start().await;
    // One of each class: what the table calls impossible is refused before the code matters.
    let impossible = ["telINSUF_FEE_P", "temMALFORMED", "tefPAST_SEQ", "terQUEUED"];
    for name in impossible {
        let (tag, code) = codes(|code| code.name == name).pop_first().unwrap();
        assert_eq!(code.on_validated, OnValidated::Impossible);
        let payment = told_of(&scene, tag, name, is_final).await;
        assert!(!is_final(&payment), "{payment:#}");
        assert!(is_halted(&scene).await, "{name}");
        daemon = resume(&scene, daemon).await;
    }
    scene.all_succeed(impossible.len()).await;
}
