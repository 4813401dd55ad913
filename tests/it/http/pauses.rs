//! The emergency stop by the API: who may throw it, what it refuses, what it leaves alone.

use super::bed::{Answer, Bed, HOT, get, order, post, post_payment, xrp};
use crate::store::bed::run_on;
use axum::http::StatusCode;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;
use xrpayd::http::Rules;
use xrpayd::http::state::Auth;
use xrpayd::store::Actor;
use xrpayd_core::pause::Scope;

/// Two wallets, of which either pays what names none.
fn two_wallets(rules: &mut Rules) {
    let other = "rPEPPER7kfTD9w2To4CQk6UCfuHM9c6GDY".parse().unwrap();
    rules.policy.wallets.insert("warm".to_owned(), other);
    rules.policy.caps.max_payment = xrp("100");
}

async fn beds() -> Vec<Bed> {
    let mut beds = vec![Bed::with(two_wallets, Auth::Required).await];
    beds.extend(Bed::postgres(two_wallets).await);
    beds
}

async fn switch(bed: &Bed, token: &str, verb: &str, body: &Value) -> Answer {
    bed.send(post(&format!("/v1/{verb}"), token).json(body))
        .await
}

fn refused_for_a_pause(answer: &Answer) {
    assert_eq!(
        answer.status,
        StatusCode::SERVICE_UNAVAILABLE,
        "{}",
        answer.body
    );
    assert_eq!(answer.body["code"], "paused");
    assert_eq!(answer.body["effect"], "none");
    assert_eq!(answer.body["retryable"], true);
    assert!(answer.headers.contains_key("retry-after"));
}

fn scopes(answer: &Answer) -> Vec<&str> {
    let pauses = answer.body["pauses"].as_array().unwrap().iter();
    pauses
        .map(|pause| pause["scope"].as_str().unwrap())
        .collect()
}

/// Asks until the answer is as wanted: another process changed something.
async fn until(bed: &Bed, token: &str, path: &str, wanted: impl Fn(&Value) -> bool) -> Duration {
    let began = Instant::now();
    loop {
        let answer = bed.send(get(path, token)).await;
        if wanted(&answer.body) {
            return began.elapsed();
        }
        let waited = began.elapsed();
        assert!(
            waited < Duration::from_secs(30),
            "{path} stays {}",
            answer.body
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn raw(bed: &Bed, sql: &str) {
    run_on(&bed.url, sql).await.unwrap();
}

#[tokio::test]
async fn an_administrator_pauses_and_resumes_and_the_same_again_changes_nothing() {
    for bed in beds().await {
        let (admin, shop) = (bed.key("ops", &["admin"]).await, bed.merchant().await);
        let nothing =
            json!({ "object": "pauses", "paused": false, "readable": true, "pauses": [] });
        assert_eq!(bed.send(get("/v1/pause", &shop)).await.body, nothing);

        let body = json!({ "scope": "payments", "reason": "a bad deploy" });
        let paused = switch(&bed, &admin, "pause", &body).await;
        assert_eq!(paused.status, StatusCode::OK, "{}", paused.body);
        let expected = json!({
            "object": "pauses", "paused": true, "readable": true,
            "pauses": [{
                "scope": "payments", "reason": "a bad deploy", "by": "key:k0",
                "since": "2027-01-15T08:00:00.000Z",
            }],
        });
        assert_eq!(paused.body, expected);
        bed.clock.advance(Duration::from_secs(60));
        let again = json!({ "scope": "payments", "reason": "another" });
        assert_eq!(switch(&bed, &admin, "pause", &again).await.body, expected);
        assert_eq!(bed.send(get("/v1/pause", &shop)).await.body, expected);

        // Each scope is a switch of its own.
        let all = switch(&bed, &admin, "pause", &json!({})).await;
        assert_eq!(scopes(&all), ["all", "payments"]);
        let one = switch(&bed, &admin, "resume", &json!({ "scope": "all" })).await;
        assert_eq!(one.body, expected);
        let none = switch(&bed, &admin, "resume", &json!({ "scope": "payments" })).await;
        assert_eq!(none.body, nothing);
        let again = switch(&bed, &admin, "resume", &json!({ "scope": "payments" })).await;
        assert_eq!((again.status, again.body), (StatusCode::OK, nothing));

        let told = bed.send(get("/v1/events?type=service.*", &admin)).await;
        let types: Vec<&Value> = told.body["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|e| &e["type"])
            .collect();
        assert_eq!(
            types,
            [
                "service.paused",
                "service.paused",
                "service.resumed",
                "service.resumed"
            ]
        );
        bed.end().await;
    }
}

#[tokio::test]
async fn only_an_administrator_throws_the_switch_and_a_slip_of_the_pen_throws_none() {
    let bed = Bed::with(two_wallets, Auth::Required).await;
    let admin = bed.key("ops", &["admin"]).await;
    let every = [
        "payments:read",
        "payments:write",
        "payments:approve",
        "invoices:write",
        "webhooks:write",
    ];
    let other = bed.key("shop", &every).await;
    for verb in ["pause", "resume"] {
        let refused = switch(&bed, &other, verb, &json!({ "scope": "all" })).await;
        assert_eq!(
            (refused.status, &refused.body["code"]),
            (StatusCode::FORBIDDEN, &json!("scope_missing"))
        );
    }
    let blind = bed.key("shop", &["invoices:read"]).await;
    assert_eq!(
        bed.send(get("/v1/pause", &blind)).await.status,
        StatusCode::FORBIDDEN
    );
    for (body, status) in [
        (
            json!({ "scope": "wallet:cold" }),
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        (
            json!({ "scope": "everything" }),
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        (
            json!({ "scope": "all", "reason": "" }),
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        (
            json!({ "scope": "all", "reason": "a\u{0}b" }),
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        (json!({ "scope": 1 }), StatusCode::BAD_REQUEST),
        (json!({ "scopes": "all" }), StatusCode::BAD_REQUEST),
    ] {
        let refused = switch(&bed, &admin, "pause", &body).await;
        assert_eq!(refused.status, status, "{body}: {}", refused.body);
    }
    assert_eq!(
        bed.send(get("/v1/pause", &admin)).await.body["paused"],
        false
    );
    bed.end().await;
}

#[tokio::test]
async fn nothing_new_is_taken_while_paused_and_what_was_taken_is_answered() {
    for bed in beds().await {
        let (admin, shop) = (bed.key("ops", &["admin"]).await, bed.merchant().await);
        let issuer = bed.key("shop", &["invoices:write", "invoices:read"]).await;
        let known = bed.pay(&shop, "k1", order("1")).await;
        let id = known["id"].as_str().unwrap();
        for (scope, takes_invoices) in [("wallet:hot", true), ("payments", true), ("all", false)] {
            let body = json!({ "scope": scope });
            assert_eq!(
                switch(&bed, &admin, "pause", &body).await.status,
                StatusCode::OK
            );
            refused_for_a_pause(&bed.send(post_payment(&shop, "k2", &order("1"))).await);
            let replay = bed.send(post_payment(&shop, "k1", &order("1"))).await;
            assert_eq!(
                (replay.status, &replay.body["id"]),
                (StatusCode::OK, &known["id"])
            );
            assert_eq!(replay.headers["idempotent-replayed"], "true");
            let other = bed.send(post_payment(&shop, "k1", &order("2"))).await;
            assert_eq!(other.body["code"], "idempotency_key_reused");
            let path = "/v1/payments/validate";
            let checked = bed.send(post(path, &shop).json(&order("1"))).await;
            assert_eq!(checked.body["valid"], false);
            let asked = json!({ "amount": { "currency": "XRP", "value": "1" }, "wallet": "hot" });
            let invoice = bed.send(post("/v1/invoices", &issuer).json(&asked)).await;
            match takes_invoices {
                true => assert_eq!(invoice.status, StatusCode::CREATED, "{}", invoice.body),
                false => refused_for_a_pause(&invoice),
            }
            let seen = bed.send(get("/v1/wallets/hot", &shop)).await;
            assert_eq!(
                (&seen.body["paused"], &seen.body["status"]),
                (&json!(true), &json!("ok"))
            );
            let health = bed.send(get("/health", &shop)).await;
            assert_eq!(health.status, StatusCode::OK);
            assert_eq!(health.body["checks"]["payments"]["paused"], true);
            assert_eq!(health.body["checks"]["payments"]["status"], "healthy");
            assert_eq!(
                switch(&bed, &admin, "resume", &body).await.status,
                StatusCode::OK
            );
        }
        // What is queued can be called off whatever is paused.
        switch(&bed, &admin, "pause", &json!({})).await;
        let path = format!("/v1/payments/{id}/cancel");
        let cancelled = bed.send(post(&path, &shop).json(&json!({}))).await;
        assert_ne!(
            cancelled.status,
            StatusCode::SERVICE_UNAVAILABLE,
            "{}",
            cancelled.body
        );
        switch(&bed, &admin, "resume", &json!({})).await;
        bed.pay(&shop, "k2", order("1")).await;
        let health = bed.send(get("/health", &shop)).await;
        assert_eq!(health.body["checks"]["payments"]["paused"], false);
        bed.end().await;
    }
}

#[tokio::test]
async fn a_paused_wallet_refuses_what_names_it_and_another_one_pays() {
    let bed = Bed::with(two_wallets, Auth::Required).await;
    let (admin, shop) = (bed.key("ops", &["admin"]).await, bed.merchant().await);
    switch(&bed, &admin, "pause", &json!({ "scope": "wallet:hot" })).await;
    let mut named = order("1");
    named["wallet"] = json!("hot");
    refused_for_a_pause(&bed.send(post_payment(&shop, "k1", &named)).await);
    named["wallet"] = json!("warm");
    let paid = bed.pay(&shop, "k2", named).await;
    assert_eq!(paid["wallet"], "warm");
    assert_ne!(paid["source"], HOT);
    bed.end().await;
}

#[tokio::test]
async fn what_another_process_switches_is_seen_within_two_seconds() {
    for bed in beds().await {
        let shop = bed.merchant().await;
        let other = match bed.url.starts_with("sqlite") {
            true => bed.store.clone(),
            false => bed.replica().await,
        };
        let by = Actor::Cli { uid: 0, said: None };
        other
            .pause(&Scope::All, None, &by, super::bed::START)
            .await
            .unwrap();
        // It binds at once, whatever this process has been told yet.
        refused_for_a_pause(&bed.send(post_payment(&shop, "k1", &order("1"))).await);
        let seen = until(&bed, &shop, "/v1/pause", |body| body["paused"] == true).await;
        println!("a pause was seen after {seen:?}");
        other
            .resume(&Scope::All, None, &by, super::bed::START)
            .await
            .unwrap();
        let seen = until(&bed, &shop, "/v1/pause", |body| body["paused"] == false).await;
        println!("its end was seen after {seen:?}");
        bed.pay(&shop, "k1", order("1")).await;
        bed.end().await;
    }
}

#[tokio::test]
async fn a_switch_that_cannot_be_read_counts_as_a_pause_of_everything() {
    for bed in beds().await {
        let shop = bed.merchant().await;
        let known = bed.pay(&shop, "k1", order("1")).await;
        raw(&bed, "alter table pauses rename to lost").await;
        // At once, by the transaction that would have taken it.
        refused_for_a_pause(&bed.send(post_payment(&shop, "k2", &order("1"))).await);
        until(&bed, &shop, "/v1/pause", |body| body["readable"] == false).await;
        let told = bed.send(get("/v1/pause", &shop)).await;
        assert_eq!(
            (&told.body["paused"], &told.body["pauses"]),
            (&json!(true), &json!([]))
        );
        refused_for_a_pause(&bed.send(post_payment(&shop, "k2", &order("1"))).await);
        let replay = bed.send(post_payment(&shop, "k1", &order("1"))).await;
        assert_eq!(
            (replay.status, &replay.body["id"]),
            (StatusCode::OK, &known["id"])
        );
        let health = bed.send(get("/health", &shop)).await;
        assert_eq!(
            (health.status, &health.body["status"]),
            (StatusCode::OK, &json!("degraded"))
        );
        raw(&bed, "alter table lost rename to pauses").await;
        until(&bed, &shop, "/v1/pause", |body| body["readable"] == true).await;
        bed.pay(&shop, "k2", order("1")).await;
        bed.end().await;
    }
}
