//! Who is let in, for what, and how often.

use super::bed::{Bed, Call, START, get, order, post, post_payment};
use axum::http::{Method, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use serde_json::Value;
use std::time::Duration;
use xrpayd::http::state::Auth;
use xrpayd::store::Actor;

fn failures(bed: &Bed, reason: &str) -> u64 {
    bed.metrics
        .auth_failures_total
        .with_label_values(&[reason])
        .get()
}

#[tokio::test]
async fn only_a_key_that_exists_and_fits_is_let_in() {
    let bed = Bed::new().await;
    let good = bed.merchant().await;
    assert_eq!(
        bed.send(get("/v1/payments", &good)).await.status,
        StatusCode::OK
    );

    let none = bed.send(Call::new(Method::GET, "/v1/payments")).await;
    none.refused(401, "unauthenticated");
    assert_eq!(
        none.header("www-authenticate"),
        Some("Bearer realm=\"xrpayd\"")
    );
    let wrong_secret = good.replace("s3cret", "secret");
    for token in [
        "xrpayd_nobody_s3cret",
        &wrong_secret,
        "nonsense",
        "xrpayd__",
        "xrpayd_a_",
    ] {
        bed.send(get("/v1/payments", token))
            .await
            .refused(401, "unauthenticated");
    }
    let basic = Call::new(Method::GET, "/v1/payments").header("authorization", "Basic eHg6eHg=");
    bed.send(basic).await.refused(401, "unauthenticated");
    assert_eq!(failures(&bed, "missing"), 1);
    assert_eq!(failures(&bed, "unknown_key"), 2);
    assert_eq!(failures(&bed, "malformed"), 4);
    bed.end().await;
}

#[tokio::test]
async fn an_expired_key_is_out_at_its_instant_and_a_revoked_one_within_a_second() {
    let bed = Bed::new().await;
    let ends = START.plus_ms(5_000);
    let expiring = bed
        .key_with("shop", &["admin"], |key| key.expires_at = Some(ends))
        .await;
    let revoked = bed.key("shop", &["admin"]).await;
    for token in [&expiring, &revoked] {
        assert_eq!(
            bed.send(get("/v1/payments", token)).await.status,
            StatusCode::OK
        );
    }
    let id = revoked.split('_').nth(1).unwrap();
    assert!(
        bed.store
            .revoke_key(id, &Actor::Daemon, START)
            .await
            .unwrap()
    );
    bed.clock.advance(Duration::from_secs(1));
    bed.send(get("/v1/payments", &revoked))
        .await
        .refused(401, "key_revoked");
    bed.clock.advance(Duration::from_millis(3_999));
    assert_eq!(
        bed.send(get("/v1/payments", &expiring)).await.status,
        StatusCode::OK
    );
    bed.clock.advance(Duration::from_millis(1));
    bed.send(get("/v1/payments", &expiring))
        .await
        .refused(401, "key_expired");
    bed.end().await;
}

#[tokio::test]
async fn a_key_with_an_address_list_is_good_from_there_only() {
    let bed = Bed::new().await;
    let cidrs = |key: &mut xrpayd::store::NewKey| key.cidrs = vec!["10.1.0.0/16".to_owned()];
    let token = bed.key_with("shop", &["admin"], cidrs).await;
    let from = |peer: &str| get("/v1/payments", &token).from(peer);
    assert_eq!(bed.send(from("10.1.2.3:5")).await.status, StatusCode::OK);
    let spoofed = from("10.2.2.3:5").header("x-forwarded-for", "10.1.2.3");
    bed.send(spoofed).await.refused(403, "address_not_allowed");
    assert_eq!(failures(&bed, "address"), 1);
    bed.end().await;
}

#[tokio::test]
async fn each_route_asks_for_its_scope() {
    let bed = Bed::new().await;
    bed.store.begin_rollout("internal", START).await.unwrap();
    let reader = bed.key("shop", &["payments:read"]).await;
    let writer = bed.key("shop", &["payments:write"]).await;
    let stranger = bed.key("shop", &["webhooks:write"]).await;
    let admin = bed.key("boss", &["admin"]).await;
    let made = bed.pay(&writer, "k", order("1")).await;
    let id = made["id"].as_str().unwrap();
    let one = format!("/v1/payments/{id}");
    let events = format!("/v1/payments/{id}/events");
    for path in [
        "/v1/payments",
        &one,
        &events,
        "/v1/wallets",
        "/v1/wallets/hot",
        "/v1/servers",
        "/v1/limits",
        "/v1/rollout",
    ] {
        assert_eq!(
            bed.send(get(path, &reader)).await.status,
            StatusCode::OK,
            "{path}"
        );
        assert_eq!(
            bed.send(get(path, &admin)).await.status,
            StatusCode::OK,
            "{path}"
        );
        for token in [&writer, &stranger] {
            bed.send(get(path, token))
                .await
                .refused(403, "scope_missing");
        }
    }
    // An administrator looks at everything, and moves money only with a key that was made for it.
    let cancel = format!("/v1/payments/{id}/cancel");
    let full = bed.key("boss", &["admin", "payments:write"]).await;
    for token in [&reader, &stranger, &admin] {
        bed.send(post_payment(token, "k2", &order("1")))
            .await
            .refused(403, "scope_missing");
        bed.send(post(&cancel, token))
            .await
            .refused(403, "scope_missing");
        let validate = post("/v1/payments/validate", token).json(&order("1"));
        bed.send(validate).await.refused(403, "scope_missing");
    }
    assert_eq!(bed.send(post(&cancel, &full)).await.status, StatusCode::OK);
    bed.end().await;
}

#[tokio::test]
async fn a_client_neither_sees_nor_touches_what_is_anothers() {
    let bed = Bed::new().await;
    let shop = bed.merchant().await;
    let other = bed.key("other", &["payments:read", "payments:write"]).await;
    let admin = bed.key("boss", &["admin"]).await;
    let made = bed.pay(&shop, "k", order("1")).await;
    let one = format!("/v1/payments/{}", made["id"].as_str().unwrap());
    bed.send(get(&one, &other))
        .await
        .refused(404, "payment_not_found");
    bed.send(get(&format!("{one}/events"), &other))
        .await
        .refused(404, "payment_not_found");
    bed.send(post(&format!("{one}/cancel"), &other))
        .await
        .refused(404, "payment_not_found");
    let count = |list: &Value| list["data"].as_array().unwrap().len();
    assert_eq!(count(&bed.send(get("/v1/payments", &other)).await.body), 0);
    assert_eq!(count(&bed.send(get("/v1/payments", &shop)).await.body), 1);
    assert_eq!(count(&bed.send(get("/v1/payments", &admin)).await.body), 1);
    bed.end().await;
}

#[tokio::test]
async fn with_authentication_off_everybody_is_one_client() {
    let bed = Bed::with(|_| {}, Auth::Off).await;
    let list = bed.send(Call::new(Method::GET, "/v1/payments")).await;
    assert_eq!(list.status, StatusCode::OK);
    bed.end().await;
}

#[tokio::test]
async fn a_key_that_must_sign_is_let_in_once_a_signature() {
    let bed = Bed::new().await;
    let token = bed
        .key_with("shop", &["payments:read", "payments:write"], |key| {
            key.require_signature = true
        })
        .await;
    let body = order("1");
    let sign = |secret: &str, text: &str| {
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(text.as_bytes());
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    };
    let timestamp = "1800000000";
    let signature = sign("s3cret", &format!("{timestamp}.POST./v1/payments.{body}"));
    let signed = |key: &str, signature: &str| {
        post_payment(&token, key, &body)
            .header("xrpayd-timestamp", timestamp)
            .header("xrpayd-signature", signature)
    };
    bed.send(post_payment(&token, "k", &body))
        .await
        .refused(401, "signature_missing");
    let forged = sign("other", &format!("{timestamp}.POST./v1/payments.{body}"));
    bed.send(signed("k", &forged))
        .await
        .refused(401, "signature_invalid");
    assert_eq!(
        bed.send(signed("k", &signature)).await.status,
        StatusCode::CREATED
    );
    bed.send(signed("k", &signature))
        .await
        .refused(401, "signature_replayed");
    bed.clock.advance(Duration::from_secs(301));
    bed.send(signed("k", &signature))
        .await
        .refused(401, "signature_stale");
    let target = "/v1/payments?limit=5";
    let at = "1800000301";
    let reading = get(target, &token).header("xrpayd-timestamp", at).header(
        "xrpayd-signature",
        &sign("s3cret", &format!("{at}.GET.{target}.")),
    );
    assert_eq!(bed.send(reading).await.status, StatusCode::OK);
    assert_eq!(failures(&bed, "signature"), 4);
    bed.end().await;
}

#[tokio::test]
async fn a_key_that_asks_too_often_is_told_when_to_come_back() {
    let tight = |rules: &mut xrpayd::http::Rules| {
        rules.rate_limits.writes_per_minute = 3;
        rules.rate_limits.reads_per_minute = 2;
    };
    let bed = Bed::with(tight, Auth::Required).await;
    let token = bed.merchant().await;
    for n in 0..3_u32 {
        let answer = bed
            .send(post_payment(&token, &format!("k{n}"), &order("1")))
            .await;
        assert_eq!(answer.status, StatusCode::CREATED);
        assert_eq!(answer.header("ratelimit-limit"), Some("3"));
        assert_eq!(
            answer.header("ratelimit-remaining"),
            Some((2 - n).to_string().as_str())
        );
    }
    // The body is not looked at any more: not even one that is far too large.
    let flood = post_payment(&token, "k3", &order("1")).bytes(&[b'x'; 100_000]);
    let refused = bed.send(flood).await;
    refused.refused(429, "rate_limited");
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=61).contains(&wait), "{wait}");
    assert_eq!(refused.header("ratelimit-remaining"), Some("0"));
    assert_eq!(
        bed.metrics
            .rate_limited_total
            .with_label_values(&["minute"])
            .get(),
        1
    );

    // Reads and other keys have counts of their own.
    assert_eq!(
        bed.send(get("/v1/payments", &token)).await.status,
        StatusCode::OK
    );
    let second = bed.merchant().await;
    assert_eq!(
        bed.send(post_payment(&second, "s", &order("1")))
            .await
            .status,
        StatusCode::CREATED
    );
    bed.clock.advance(Duration::from_secs(wait));
    let after = bed.send(post_payment(&token, "k3", &order("1"))).await;
    assert_eq!(after.status, StatusCode::CREATED);
    bed.end().await;
}
