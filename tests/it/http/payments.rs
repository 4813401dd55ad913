//! Making payments: what is answered, and what a key promises.

use super::bed::{Bed, HOT, SHOP, START, get, order, post, post_payment, xrp};
use crate::support::held::Held as _;
use axum::http::StatusCode;
use serde_json::json;
use std::time::Duration;
use xrpayd::http::state::Auth;
use xrpayd_core::ids::{LedgerIndex, TxHash};
use xrpayd_core::payment::{Event, NewAttempt, Slot, decide};

/// A second paying account, and one that is nobody's wallet.
const OTHER: &str = "rBLBSrTC68gJUQ7amoAUyoVJgM8Zr8VWXc";
const ELSE: &str = "rLHzPsX6oXkzU2qL12kHCH8G8cnZv1rBJh";

#[tokio::test]
async fn a_new_payment_is_answered_201_with_every_field_of_the_contract() {
    let bed = Bed::new().await;
    let token = bed.merchant().await;
    let body = json!({
        "destination": SHOP,
        "destination_tag": 0,
        "amount": { "currency": "XRP", "value": "12.50" },
        "wallet": "hot",
        "reference": "order 7",
        "metadata": { "b": "2", "a": "1" },
        "memos": [{ "type": "text/plain", "data": "grüße" }],
        "invoice_id": "ab".repeat(32),
        "source_tag": 9,
        "expires_in": 60,
        "max_fee_drops": "50",
    });
    let answer = bed.send(post_payment(&token, "k1", &body)).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    let id = answer.body["id"].as_str().unwrap().to_owned();
    assert_eq!(
        answer.header("location"),
        Some(format!("/v1/payments/{id}").as_str())
    );
    assert_eq!(answer.header("idempotent-replayed"), None);
    assert_eq!(
        answer.body,
        json!({
            "id": id,
            "object": "payment",
            "status": "processing",
            "substatus": "queued",
            "version": answer.body["version"],
            "wallet": "hot",
            "source": HOT,
            "destination": SHOP,
            "destination_tag": 0,
            "amount": { "currency": "XRP", "value": "12.5" },
            "delivered_amount": null,
            "fee_drops": null,
            "tx_hash": null,
            "ledger_index": null,
            "result_code": null,
            "failure": null,
            "attempts": [],
            "proof": null,
            "approval": null,
            "source_tag": 9,
            "invoice_id": "AB".repeat(32),
            "memos": [{ "type": "text/plain", "data": "grüße" }],
            "max_fee_drops": "50",
            "reference": "order 7",
            "return_of": null,
            "refund_of": null,
            "metadata": { "a": "1", "b": "2" },
            "stage": "internal",
            "created_at": "2027-01-15T08:00:00.000Z",
            "updated_at": "2027-01-15T08:00:00.000Z",
            "expires_at": "2027-01-15T08:01:00.000Z",
        })
    );
    assert_eq!(*bed.live.woken.lock().unwrap(), ["hot"]);
    let read = bed.send(get(&format!("/v1/payments/{id}"), &token)).await;
    assert_eq!((read.status, read.body), (StatusCode::OK, answer.body));
    bed.end().await;
}

#[tokio::test]
async fn the_same_request_under_the_same_key_is_the_same_payment_as_it_now_stands() {
    let bed = Bed::new().await;
    let token = bed.merchant().await;
    let first = bed.pay(&token, "k1", order("12.5")).await;
    let x_address = xrpayd_core::xaddress::XAddress {
        account: SHOP.parse().unwrap(),
        tag: None,
        network: xrpayd_core::xaddress::XNetwork::Main,
    };
    for body in [
        order("12.5"),
        order("12.500"),
        json!({ "destination": x_address.to_string(), "amount": { "currency": "XRP", "value": "12.5" } }),
        json!({ "amount": { "value": "12.5", "currency": "XRP" }, "destination": SHOP, "metadata": {} }),
    ] {
        let again = bed.send(post_payment(&token, "k1", &body)).await;
        assert_eq!(again.status, StatusCode::OK, "{}", again.body);
        assert_eq!(again.header("idempotent-replayed"), Some("true"));
        assert_eq!(again.body, first);
    }
    let cancel = format!("/v1/payments/{}/cancel", first["id"].as_str().unwrap());
    assert_eq!(bed.send(post(&cancel, &token)).await.status, StatusCode::OK);
    let after = bed.send(post_payment(&token, "k1", &order("12.5"))).await;
    assert_eq!(after.body["status"], "cancelled");
    bed.end().await;
}

#[tokio::test]
async fn another_request_under_the_same_key_is_refused_for_each_field_that_differs() {
    let bed = Bed::new().await;
    let token = bed.merchant().await;
    bed.pay(&token, "k1", order("1")).await;
    for (field, value) in [
        ("destination_tag", json!(0)),
        ("amount", json!({ "currency": "XRP", "value": "1.000001" })),
        ("wallet", json!("hot")),
        ("reference", json!("r")),
        ("metadata", json!({ "a": "b" })),
        ("memos", json!([{ "data": "m" }])),
        ("invoice_id", json!("0".repeat(64))),
        ("source_tag", json!(1)),
        ("expires_in", json!(9)),
        ("max_fee_drops", json!("11")),
    ] {
        let mut body = order("1");
        body[field] = value;
        let answer = bed.send(post_payment(&token, "k1", &body)).await;
        answer.refused(422, "idempotency_key_reused");
    }
    bed.end().await;
}

#[tokio::test]
async fn a_replay_is_answered_whatever_the_rules_have_become() {
    let bed = Bed::new().await;
    let token = bed.merchant().await;
    let first = bed.pay(&token, "k1", order("5")).await;
    let changes: [fn(&mut xrpayd::http::Rules); 4] = [
        |rules| rules.policy.wallets.clear(),
        |rules| rules.policy.routed.clear(),
        |rules| rules.policy.allowed_clients.clear(),
        |rules| rules.policy.caps.max_payment = xrp("1"),
    ];
    for change in changes {
        bed.rules
            .send_replace(std::sync::Arc::new(super::bed::rules()));
        bed.reload(change);
        let again = bed.send(post_payment(&token, "k1", &order("5"))).await;
        assert_eq!(again.status, StatusCode::OK, "{}", again.body);
        assert_eq!(again.body["id"], first["id"]);
        let other = bed.send(post_payment(&token, "k1", &order("6"))).await;
        other.refused(422, "idempotency_key_reused");
        let new = bed.send(post_payment(&token, "k2", &order("5"))).await;
        assert!(new.status.is_client_error(), "{}", new.body);
    }
    let all = bed.send(get("/v1/payments", &token)).await;
    assert_eq!(all.body["data"].as_array().unwrap().len(), 1);
    bed.end().await;
}

#[tokio::test]
async fn of_many_requests_at_once_under_one_key_one_makes_the_payment() {
    let bed = Bed::new().await;
    let token = bed.merchant().await;
    let body = order("1");
    let calls = (0..64).map(|_| bed.send(post_payment(&token, "k1", &body)));
    let answers = futures_util::future::join_all(calls).await;
    let made = answers
        .iter()
        .filter(|answer| answer.status == StatusCode::CREATED)
        .count();
    let replayed = answers
        .iter()
        .filter(|answer| answer.status == StatusCode::OK)
        .count();
    assert_eq!((made, replayed), (1, 63));
    assert!(
        answers
            .iter()
            .all(|answer| answer.body["id"] == answers[0].body["id"])
    );
    let used = bed.send(get("/v1/limits", &token)).await;
    assert_eq!(
        used.body["used"],
        json!({ "daily": { "currency": "XRP", "value": "1" }, "pending": 1 })
    );
    bed.end().await;
}

#[tokio::test]
async fn keys_belong_to_the_client_and_not_to_the_api_key() {
    let bed = Bed::new().await;
    let scopes = ["payments:read", "payments:write"];
    let (shop, rotated) = (
        bed.key("shop", &scopes).await,
        bed.key("shop", &scopes).await,
    );
    let other = bed.key("other", &scopes).await;
    let first = bed.pay(&shop, "k1", order("1")).await;
    let again = bed.send(post_payment(&rotated, "k1", &order("1"))).await;
    assert_eq!(again.body["id"], first["id"]);
    let elsewhere = bed.pay(&other, "k1", order("1")).await;
    assert_ne!(elsewhere["id"], first["id"]);
    bed.end().await;
}

#[tokio::test]
async fn no_interleaving_of_requests_passes_a_limit() {
    let bed = Bed::with(
        |rules| {
            rules.policy.caps.daily = xrp("10");
            rules.policy.caps.max_pending = 7;
        },
        xrpayd::http::state::Auth::Required,
    )
    .await;
    let token = bed.merchant().await;
    let bodies: Vec<_> = (0..40).map(|n| (format!("k{n}"), order("1.25"))).collect();
    let calls = bodies
        .iter()
        .map(|(key, body)| bed.send(post_payment(&token, key, body)));
    let answers = futures_util::future::join_all(calls).await;
    let made = answers
        .iter()
        .filter(|answer| answer.status == StatusCode::CREATED)
        .count();
    assert_eq!(made, 7);
    for answer in answers
        .iter()
        .filter(|answer| answer.status != StatusCode::CREATED)
    {
        answer.refused(429, "too_many_pending");
    }
    bed.end().await;
}

#[tokio::test]
async fn a_payment_is_cancelled_only_while_nothing_is_signed() {
    let bed = Bed::new().await;
    let token = bed.merchant().await;
    let free = bed.pay(&token, "k1", order("1")).await;
    let path = format!("/v1/payments/{}/cancel", free["id"].as_str().unwrap());
    let strange = post(&path, &token).json(&json!({ "force": true }));
    bed.send(strange).await.refused(400, "unknown_field");
    let cancelled = bed.send(post(&path, &token).json(&json!({}))).await;
    assert_eq!(cancelled.status, StatusCode::OK);
    assert_eq!(cancelled.body["status"], "cancelled");
    assert_eq!(cancelled.body["proof"], json!({ "kind": "nothing_signed" }));
    bed.send(post(&path, &token))
        .await
        .refused(409, "already_final");

    let signed = bed.pay(&token, "k2", order("1")).await;
    sign(&bed, signed["id"].as_str().unwrap()).await;
    let path = format!("/v1/payments/{}", signed["id"].as_str().unwrap());
    bed.send(post(&format!("{path}/cancel"), &token))
        .await
        .refused(409, "not_cancellable");
    let shown = bed.send(get(&path, &token)).await;
    assert_eq!(shown.body["substatus"], "signed");
    let attempts = json!([{
        "sequence": 5, "tx_hash": "07".repeat(32), "fee_drops": "12",
        "last_ledger_sequence": 30, "state": "signed",
    }]);
    assert_eq!(shown.body["attempts"], attempts);
    assert_eq!(shown.body["tx_hash"], "07".repeat(32));
    bed.end().await;
}

/// Writes an attempt as the engine does.
async fn sign(bed: &Bed, id: &str) {
    let wallet: xrpayd_core::address::AccountId = HOT.parse().unwrap();
    let cursor = xrpayd_core::journal::Cursor {
        start: LedgerIndex(1),
        at: LedgerIndex(9),
        at_hash: xrpayd_core::ids::LedgerHash([1; 32]),
        next_sequence: 5,
        balance: xrp("500"),
        owner_count: 0,
    };
    bed.store
        .anchor_held("hot", wallet, 0, &cursor, None, START)
        .await
        .unwrap();
    let payment = bed
        .store
        .payment(id.parse().unwrap())
        .await
        .unwrap()
        .unwrap();
    let attempt = NewAttempt {
        hash: TxHash([7; 32]),
        slot: Slot::Sequence(5),
        fee: "12".parse().unwrap(),
        first_ledger: LedgerIndex(10),
        last_ledger: LedgerIndex(30),
        signed_at: START,
    };
    let decision = decide(&payment, Event::Sign(attempt), START)
        .unwrap()
        .unwrap();
    let change = xrpayd::store::Change {
        before: payment.version,
        payment: decision.payment,
        new_blobs: vec![(TxHash([7; 32]), vec![1, 2, 3])],
        settled: None,
    };
    let commit = xrpayd::store::LaneCommit {
        changes: vec![change],
        ..xrpayd::store::LaneCommit::new("hot", START)
    };
    bed.store.commit_held(&commit).await.unwrap();
}

#[tokio::test]
async fn while_the_daemon_drains_nothing_new_is_taken_and_everything_can_be_read() {
    let bed = Bed::new().await;
    let token = bed.merchant().await;
    let made = bed.pay(&token, "k1", order("1")).await;
    *bed.live.draining.lock().unwrap() = true;
    let answer = bed.send(post_payment(&token, "k2", &order("1"))).await;
    answer.refused(503, "shutting_down");
    assert_eq!(answer.header("retry-after"), Some("30"));
    assert_eq!(answer.body["retryable"], true);
    let path = format!("/v1/payments/{}", made["id"].as_str().unwrap());
    assert_eq!(bed.send(get(&path, &token)).await.status, StatusCode::OK);
    bed.end().await;
}

#[tokio::test]
async fn a_store_that_is_gone_is_a_retryable_refusal() {
    let bed = Bed::new().await;
    let token = bed.merchant().await;
    bed.pay(&token, "k1", order("1")).await;
    bed.store.clone().close().await;
    let read = bed.send(get("/v1/payments", &token)).await;
    read.refused(503, "store_unavailable");
    let written = bed.send(post_payment(&token, "k2", &order("1"))).await;
    assert_eq!(
        (written.status.as_u16(), &written.body["retryable"]),
        (503, &json!(true))
    );
    bed.clock.advance(Duration::from_secs(2));
    let unknown = bed.send(get("/v1/payments", &token)).await;
    unknown.refused(503, "store_unavailable");
    bed.end().await;
}

#[tokio::test]
async fn one_of_several_wallets_is_chosen_once_and_a_named_one_is_taken_at_its_word() {
    let change = |rules: &mut xrpayd::http::Rules| {
        let cold = SHOP.parse().unwrap();
        rules
            .policy
            .wallets
            .insert("hot2".to_owned(), OTHER.parse().unwrap());
        rules.policy.wallets.insert("cold".to_owned(), cold);
        rules.policy.routed = vec!["hot".to_owned(), "hot2".to_owned()];
    };
    let bed = Bed::with(change, Auth::Required).await;
    let rich = |name: &str, account: &str, spendable: &str| {
        let mut row = bed.live.wallets.lock().unwrap()[0].clone();
        row.name = name.to_owned();
        row.account = account.parse().unwrap();
        row.spendable = Some(xrp(spendable));
        row.balance = Some(xrp(spendable));
        row
    };
    let (one, two) = (rich("hot", HOT, "40"), rich("hot2", OTHER, "60"));
    *bed.live.wallets.lock().unwrap() = vec![one.clone(), two];
    let token = bed.merchant().await;
    let unnamed = json!({ "destination": ELSE, "amount": { "currency": "XRP", "value": "50" } });
    let paid = bed.pay(&token, "k1", unnamed.clone()).await;
    assert_eq!(
        (&paid["wallet"], &paid["source"]),
        (&json!("hot2"), &json!(OTHER))
    );
    // The picture changes; the payment keeps its wallet.
    *bed.live.wallets.lock().unwrap() = vec![one, rich("hot2", OTHER, "10")];
    let again = bed.send(post_payment(&token, "k1", &unnamed)).await;
    assert_eq!((again.status, &again.body), (StatusCode::OK, &paid));
    let too_much = bed.send(post_payment(&token, "k2", &unnamed)).await;
    too_much.refused(422, "insufficient_balance");
    let mut small = unnamed.clone();
    small["amount"]["value"] = json!("5");
    assert_eq!(bed.pay(&token, "k3", small.clone()).await["wallet"], "hot");
    small["wallet"] = json!("hot2");
    assert_eq!(bed.pay(&token, "k4", small.clone()).await["wallet"], "hot2");
    small["wallet"] = json!("hot3");
    let unknown = bed.send(post_payment(&token, "k5", &small)).await;
    assert_eq!(unknown.refused(422, "validation_failed"), ["/wallet"]);
    // From one hot wallet to the other: never from itself.
    let refill = json!({ "destination": HOT, "amount": { "currency": "XRP", "value": "5" } });
    assert_eq!(
        bed.pay(&token, "k6", refill.clone()).await["wallet"],
        "hot2"
    );
    let mut own = refill;
    own["wallet"] = json!("hot");
    let own = bed.send(post_payment(&token, "k7", &own)).await;
    own.refused(422, "destination_is_self");
    bed.end().await;
}
