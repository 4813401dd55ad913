//! Payments that wait for a second person's word: who sees them, who rules on them, once.

use super::bed::{Answer, Bed, HOT, SHOP, get, order, post, post_payment, xrp};
use crate::support::held::Held as _;
use axum::http::StatusCode;
use serde_json::{Value, json};
use std::time::Duration;
use xrpayd::http::Rules;
use xrpayd::http::state::Auth;
use xrpayd::store::Remembered;
use xrpayd_core::ids::{LedgerHash, LedgerIndex, TxHash};
use xrpayd_core::journal::{Cursor, Delivered};
use xrpayd_core::marker;
use xrpayd_core::money::Drops;
use xrpayd_core::payment::{ApprovalRule, Slot};

/// Payments of 10 XRP and more wait for an hour.
fn with_threshold(rules: &mut Rules) {
    rules.policy.approval = Some(ApprovalRule {
        threshold: xrp("10"),
        expires_in_ms: 3_600_000,
    });
}

/// A bed on each store.
async fn beds() -> Vec<Bed> {
    let mut beds = vec![Bed::with(with_threshold, Auth::Required).await];
    beds.extend(Bed::postgres(with_threshold).await);
    beds
}

/// The keys of three people: one who asks, and two of another client who approve.
struct People {
    asks: String,
    boss: String,
    chief: String,
}

async fn people(bed: &Bed) -> People {
    let approver = &["payments:approve", "payments:read"];
    People {
        asks: bed.merchant().await,
        boss: bed.key("treasury", approver).await,
        chief: bed.key("treasury", approver).await,
    }
}

/// Posts a payment of 10 XRP and returns its id.
async fn waiting(bed: &Bed, people: &People, key: &str) -> String {
    let payment = bed.pay(&people.asks, key, order("10")).await;
    assert_eq!(payment["status"], "awaiting_approval", "{payment:#}");
    payment["id"].as_str().unwrap().to_owned()
}

async fn say(bed: &Bed, token: &str, id: &str, verb: &str, body: &Value) -> Answer {
    let path = format!("/v1/payments/{id}/{verb}");
    bed.send(post(&path, token).json(body)).await
}

async fn approve(bed: &Bed, token: &str, id: &str, version: u32) -> Answer {
    say(bed, token, id, "approve", &json!({ "version": version })).await
}

async fn used(bed: &Bed, token: &str) -> Value {
    bed.send(get("/v1/limits", token)).await.body["used"].clone()
}

#[tokio::test]
async fn a_payment_at_the_threshold_waits_and_says_until_when() {
    for bed in beds().await {
        let people = people(&bed).await;
        let body = order("10");
        let path = "/v1/payments/validate";
        let checked = bed.send(post(path, &people.asks).json(&body)).await;
        assert_eq!(checked.body["would"]["awaiting_approval"], true);
        let id = waiting(&bed, &people, "k1").await;
        let payment = bed
            .send(get(&format!("/v1/payments/{id}"), &people.asks))
            .await
            .body;
        assert_eq!(
            (&payment["substatus"], &payment["version"]),
            (&Value::Null, &json!(1))
        );
        assert_eq!(
            payment["approval"],
            json!({
                "decision": null, "expires_at": "2027-01-15T09:00:00.000Z", "requested_by": "k0",
                "decided_by": null, "decided_at": null, "reason": null,
            })
        );
        let small = bed.pay(&people.asks, "k2", order("9.999999")).await;
        assert_eq!(
            (&small["substatus"], &small["approval"]),
            (&json!("queued"), &Value::Null)
        );
        let again = bed.send(post_payment(&people.asks, "k1", &body)).await;
        assert_eq!((again.status, &again.body), (StatusCode::OK, &payment));
        let limits = bed.send(get("/v1/limits", &people.asks)).await.body;
        assert_eq!(limits["caps"]["approval_threshold"]["value"], "10");
        assert_eq!(limits["used"]["daily"]["value"], "19.999999");
        let listed = bed
            .send(get("/v1/payments?status=awaiting_approval", &people.asks))
            .await;
        assert_eq!(listed.body["data"], json!([payment]));
        bed.end().await;
    }
}

#[tokio::test]
async fn another_key_approves_what_it_read_and_may_say_so_again() {
    for bed in beds().await {
        let people = people(&bed).await;
        let id = waiting(&bed, &people, "k1").await;
        bed.clock.advance(Duration::from_secs(9));
        let approved = approve(&bed, &people.boss, &id, 1).await;
        assert_eq!(approved.status, StatusCode::OK, "{}", approved.body);
        let payment = &approved.body;
        assert_eq!(
            (
                &payment["status"],
                &payment["substatus"],
                &payment["version"]
            ),
            (&json!("processing"), &json!("queued"), &json!(2))
        );
        assert_eq!(
            payment["approval"],
            json!({
                "decision": "approved", "expires_at": "2027-01-15T09:00:00.000Z",
                "requested_by": "k0", "decided_by": "k1",
                "decided_at": "2027-01-15T08:00:09.000Z", "reason": null,
            })
        );
        let woken = bed.live.woken.lock().unwrap().clone();
        assert_eq!(woken, ["hot", "hot"], "accepted, then approved");
        // The answer may have been lost: the same word again is answered with what came of it.
        let again = approve(&bed, &people.boss, &id, 1).await;
        assert_eq!((again.status, &again.body), (StatusCode::OK, payment));
        approve(&bed, &people.chief, &id, 2)
            .await
            .refused(409, "not_awaiting_approval");
        let events = bed
            .send(get(&format!("/v1/payments/{id}/events"), &people.boss))
            .await
            .body;
        let told: Vec<(&Value, &Value)> = events["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|event| (&event["type"], &event["data"]["by"]))
            .collect();
        assert_eq!(
            told,
            [
                (&json!("payment.awaiting_approval"), &json!("k0")),
                (&json!("payment.processing"), &json!("k1")),
            ]
        );
        bed.end().await;
    }
}

#[tokio::test]
async fn a_rejection_ends_it_with_its_reason_and_frees_the_limits() {
    for bed in beds().await {
        let people = people(&bed).await;
        let id = waiting(&bed, &people, "k1").await;
        let body = json!({ "version": 1, "reason": "twice the usual" });
        let rejected = say(&bed, &people.boss, &id, "reject", &body).await;
        assert_eq!(rejected.status, StatusCode::OK, "{}", rejected.body);
        assert_eq!(
            (&rejected.body["status"], &rejected.body["proof"]),
            (&json!("rejected"), &json!({ "kind": "nothing_signed" }))
        );
        assert_eq!(rejected.body["approval"]["decision"], "rejected");
        assert_eq!(rejected.body["approval"]["reason"], "twice the usual");
        let zero = json!({ "daily": { "currency": "XRP", "value": "0" }, "pending": 0 });
        assert_eq!(used(&bed, &people.asks).await, zero);
        let again = say(&bed, &people.boss, &id, "reject", &body).await;
        assert_eq!(
            (again.status, &again.body),
            (StatusCode::OK, &rejected.body)
        );
        let ended = &bed.metrics.payments_total;
        assert_eq!(
            ended.with_label_values(&["rejected"]).get(),
            1,
            "counted once"
        );
        for (verb, token) in [("approve", &people.boss), ("reject", &people.chief)] {
            let body = json!({ "version": 2 });
            say(&bed, token, &id, verb, &body)
                .await
                .refused(409, "already_final");
        }
        let replay = bed
            .send(post_payment(&people.asks, "k1", &order("10")))
            .await;
        assert_eq!(replay.body["status"], "rejected", "a key is used once");
        let path = format!("/v1/payments/{id}/events");
        let events = bed.send(get(&path, &people.asks)).await.body;
        assert_eq!(events["data"][1]["type"], "payment.rejected");
        assert_eq!(events["data"][1]["data"]["reason"], "twice the usual");
        bed.end().await;
    }
}

#[tokio::test]
async fn nobody_rules_alone_late_unseen_or_on_another_version() {
    for bed in beds().await {
        let people = people(&bed).await;
        let id = waiting(&bed, &people, "k1").await;
        let both = ["payments:write", "payments:approve", "payments:read"];
        let alone = bed.key("shop", &both).await;
        let mine = bed.pay(&alone, "k2", order("10")).await;
        let mine = mine["id"].as_str().unwrap();
        for verb in ["approve", "reject"] {
            let say = |token, id, body| {
                let body: Value = body;
                let bed = &bed;
                async move { say(bed, token, id, verb, &body).await }
            };
            let own = say(&alone, mine, json!({ "version": 1 })).await;
            own.refused(403, "self_approval");
            let stale = say(&people.boss, &id, json!({ "version": 2 })).await;
            stale.refused(409, "version_mismatch");
            assert_eq!(stale.body["current_version"], 1);
            assert_eq!(stale.body["retryable"], false, "read it again first");
            let missing = say(&people.boss, &id, json!({})).await;
            assert_eq!(missing.refused(400, "missing_field"), ["/version"]);
            let odd = say(&people.boss, &id, json!({ "version": 1, "force": true })).await;
            odd.refused(400, "unknown_field");
            let text = say(&people.boss, &id, json!({ "version": "1" })).await;
            text.refused(400, "invalid_type");
            let scope = say(&people.asks, &id, json!({ "version": 1 })).await;
            scope.refused(403, "scope_missing");
            let nothing = say(&people.boss, "pay_x", json!({ "version": 1 })).await;
            nothing.refused(404, "payment_not_found");
        }
        for reason in ["", "a\nb", &"x".repeat(501)] {
            let body = json!({ "version": 1, "reason": reason });
            let refused = say(&bed, &people.boss, &id, "reject", &body).await;
            assert_eq!(refused.refused(422, "validation_failed"), ["/reason"]);
        }
        let small = bed.pay(&people.asks, "k3", order("1")).await;
        let small = small["id"].as_str().unwrap();
        approve(&bed, &people.boss, small, 1)
            .await
            .refused(404, "payment_not_found");
        approve(&bed, &alone, small, 1)
            .await
            .refused(409, "not_awaiting_approval");
        bed.clock.advance(Duration::from_secs(3_600));
        approve(&bed, &people.boss, &id, 1)
            .await
            .refused(409, "approval_expired");
        let path = format!("/v1/payments/{id}");
        let still = bed.send(get(&path, &people.asks)).await.body;
        assert_eq!(
            (&still["status"], &still["version"]),
            (&json!("awaiting_approval"), &json!(1)),
            "nothing of all this changed it"
        );
        bed.end().await;
    }
}

#[tokio::test]
async fn who_approves_sees_what_waits_and_what_was_ruled_on_and_nothing_else() {
    for bed in beds().await {
        let people = people(&bed).await;
        let id = waiting(&bed, &people, "k1").await;
        let small = bed.pay(&people.asks, "k2", order("1")).await;
        let all = bed.send(get("/v1/payments", &people.boss)).await.body;
        assert_eq!(all["data"], json!([]), "the treasury made none itself");
        let path = "/v1/payments?status=awaiting_approval";
        let to_rule = bed.send(get(path, &people.boss)).await.body;
        assert_eq!(to_rule["data"][0]["id"], json!(id));
        assert_eq!(to_rule["data"].as_array().unwrap().len(), 1);
        let path = format!("/v1/payments/{}", small["id"].as_str().unwrap());
        bed.send(get(&path, &people.boss))
            .await
            .refused(404, "payment_not_found");
        let stranger = bed.key("rival", &["payments:read", "payments:write"]).await;
        let path = format!("/v1/payments/{id}");
        bed.send(get(&path, &stranger))
            .await
            .refused(404, "payment_not_found");
        approve(&bed, &people.boss, &id, 1).await;
        let after = bed.send(get(&path, &people.boss)).await;
        assert_eq!(after.body["status"], "processing");
        // Whoever approves cannot call it off, or pay.
        say(&bed, &people.boss, &id, "cancel", &json!({}))
            .await
            .refused(403, "scope_missing");
        bed.end().await;
    }
}

#[tokio::test]
async fn of_two_who_rule_at_once_one_is_first() {
    for bed in beds().await {
        let people = people(&bed).await;
        for round in 0..10 {
            let id = waiting(&bed, &people, &format!("k{round}")).await;
            let body = json!({ "version": 1 });
            let (yes, no) = tokio::join!(
                approve(&bed, &people.boss, &id, 1),
                say(&bed, &people.chief, &id, "reject", &body)
            );
            let path = format!("/v1/payments/{id}");
            let payment = bed.send(get(&path, &people.asks)).await.body;
            match (yes.status, no.status) {
                (StatusCode::OK, _) => {
                    no.refused(409, "not_awaiting_approval");
                    assert_eq!(payment["status"], "processing");
                }
                (_, StatusCode::OK) => {
                    yes.refused(409, "already_final");
                    assert_eq!(payment["status"], "rejected");
                }
                (_, _) => panic!("{yes:?} {no:?}"),
            }
            assert_eq!(payment["version"], 2);
        }
        bed.end().await;
    }
}

/// What the ledger remembers of the payment under `key`, paid from the wallet `hot`.
fn remembered(key: &str, result: &str) -> Remembered {
    Remembered {
        wallet: "hot".to_owned(),
        marker: marker::of("hot", "shop", key),
        hash: TxHash([7; 32]),
        ledger_index: LedgerIndex(70),
        ledger_hash: LedgerHash([1; 32]),
        tx_index: 0,
        result: result.to_owned(),
        slot: Slot::Sequence(4),
        fee: xrp("0.00001"),
        destination: Some(SHOP.to_owned()),
        destination_tag: None,
        delivered: Delivered::Xrp(xrp("10")),
        servers: vec!["one".to_owned()],
    }
}

#[tokio::test]
async fn what_the_ledger_may_hold_is_never_called_off_or_rejected() {
    for bed in beds().await {
        let people = people(&bed).await;
        let (queued, large) = (
            bed.pay(&people.asks, "small", order("1")).await,
            waiting(&bed, &people, "large").await,
        );
        let queued = queued["id"].as_str().unwrap();
        let not_yet = async || {
            let cancels = [(queued, json!({})), (large.as_str(), json!({}))];
            for (id, body) in cancels {
                let answer = say(&bed, &people.asks, id, "cancel", &body).await;
                answer.refused(409, "not_known_yet");
                assert_eq!(answer.body["retryable"], true);
                assert!(answer.header("retry-after").is_some());
            }
            let body = json!({ "version": 1 });
            say(&bed, &people.boss, &large, "reject", &body)
                .await
                .refused(409, "not_known_yet");
        };
        *bed.live.past_is_read.lock().unwrap() = false;
        not_yet().await;
        *bed.live.past_is_read.lock().unwrap() = true;
        // The journal shows both, and the engine has not taken them up yet.
        let cursor = Cursor {
            start: LedgerIndex(60),
            at: LedgerIndex(77),
            at_hash: LedgerHash([1; 32]),
            next_sequence: 5,
            balance: Drops::ZERO,
            owner_count: 0,
        };
        let account = HOT.parse().unwrap();
        let store = &bed.store;
        store
            .anchor_held("hot", account, 0, &cursor, None, super::bed::START)
            .await
            .unwrap();
        let rows = [
            remembered("small", "tesSUCCESS"),
            remembered("large", "tecNO_DST"),
        ];
        store.remember_held("hot", &rows, None).await.unwrap();
        not_yet().await;
        // A wallet that was short of money paid nothing, and others' keys are others'.
        let short = bed.pay(&people.asks, "short", order("1")).await;
        let rows = [remembered("short", "tecUNFUNDED_PAYMENT")];
        store.remember_held("hot", &rows, None).await.unwrap();
        let id = short["id"].as_str().unwrap();
        let cancelled = say(&bed, &people.asks, id, "cancel", &json!({})).await;
        assert_eq!(cancelled.body["status"], "cancelled", "{}", cancelled.body);
        bed.end().await;
    }
}
