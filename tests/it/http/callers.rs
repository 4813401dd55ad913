//! From where callers ask, with which secret, and what becomes of those who have none.

use super::bed::{Answer, Bed, Call, START, get, order, post, post_payment};
use axum::http::{Method, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use serde_json::json;
use std::num::NonZeroU32;
use std::time::Duration;
use xrpayd::http::auth::hash_secret;
use xrpayd::http::state::Auth;
use xrpayd::store::{Actor, KeyLimits, Rotation, RotationOutcome};
use xrpayd_core::ids::UnixMs;

const BY: Actor = Actor::Cli {
    uid: 1000,
    said: None,
};

fn id_of(token: &str) -> &str {
    token.split('_').nth(1).unwrap()
}

/// Lets so many failures of an address through, and believes the proxies in 10.0.0.0/8.
async fn bed(failures: u32) -> Bed {
    let rules = |rules: &mut xrpayd::http::Rules| {
        rules.rate_limits.failures_per_minute = NonZeroU32::new(failures).unwrap();
        rules.access.trusted_proxies = vec!["10.0.0.0/8".parse().unwrap()];
    };
    Bed::with(rules, Auth::Required).await
}

/// Expects a refusal that says when to come back, and returns that.
fn told_to_wait(answer: &Answer) -> u64 {
    answer.refused(429, "rate_limited");
    assert_eq!(answer.header("ratelimit-remaining"), Some("0"));
    assert_eq!(
        answer.header("ratelimit-reset"),
        answer.header("retry-after")
    );
    answer.header("retry-after").unwrap().parse().unwrap()
}

#[tokio::test]
async fn behind_a_trusted_proxy_the_caller_is_whom_the_proxy_names() {
    let bed = bed(1_000).await;
    let cidrs = |key: &mut xrpayd::store::NewKey| key.cidrs = vec!["203.0.113.0/24".to_owned()];
    let token = bed.key_with("shop", &["payments:read"], cidrs).await;
    let from = |peer: &str, forwarded: &[&str]| {
        let call = get("/v1/payments", &token).from(peer);
        forwarded
            .iter()
            .fold(call, |call, line| call.header("x-forwarded-for", line))
    };
    for (peer, forwarded) in [
        ("203.0.113.9:1", vec![]),
        ("10.0.0.1:1", vec!["203.0.113.9"]),
        ("[::ffff:10.0.0.1]:1", vec!["203.0.113.9:4431, 10.0.0.2"]),
        ("10.0.0.1:1", vec!["rubbish, 203.0.113.9", "10.0.0.2"]),
    ] {
        let answer = bed.send(from(peer, &forwarded)).await;
        assert_eq!(answer.status, StatusCode::OK, "{peer} {forwarded:?}");
    }
    for (peer, forwarded) in [
        ("10.0.0.1:1", vec![]),
        ("198.51.100.1:1", vec!["203.0.113.9"]),
        ("10.0.0.1:1", vec!["203.0.113.9, 198.51.100.1"]),
        ("10.0.0.1:1", vec!["203.0.113.9", "198.51.100.1"]),
        ("10.0.0.1:1", vec!["203.0.113.9, rubbish"]),
        ("10.0.0.1:1", vec!["203.0.113.9,"]),
    ] {
        let answer = bed.send(from(peer, &forwarded)).await;
        answer.refused(403, "address_not_allowed");
    }
    // A reload that trusts nobody holds for the next request.
    bed.reload(|rules| rules.access.trusted_proxies.clear());
    let answer = bed.send(from("10.0.0.1:1", &["203.0.113.9"])).await;
    answer.refused(403, "address_not_allowed");
    bed.end().await;
}

#[tokio::test]
async fn no_header_makes_a_stranger_local() {
    let bed = bed(1_000).await;
    bed.reload(|rules| {
        rules
            .access
            .trusted_proxies
            .push("127.0.0.1/32".parse().unwrap())
    });
    let health = |peer: &str| Call::new(Method::GET, "/health").from(peer);
    let wallet = |answer: &Answer| answer.body["checks"]["wallet"].to_string();
    let local = bed.send(health("127.0.0.1:9")).await;
    let strangers = [
        health("127.0.0.1:9").header("x-forwarded-for", "127.0.0.1"),
        health("127.0.0.1:9").header("forwarded", "for=127.0.0.1"),
        health("203.0.113.9:9").header("x-forwarded-for", "127.0.0.1"),
        health("203.0.113.9:9").header("x-real-ip", "127.0.0.1"),
    ];
    let plain = wallet(&bed.send(health("203.0.113.9:9")).await);
    assert_ne!(wallet(&local), plain, "{}", local.body);
    for stranger in strangers {
        assert_eq!(wallet(&bed.send(stranger).await), plain);
    }
    bed.end().await;
}

#[tokio::test]
async fn an_administrators_key_holds_only_in_the_networks_that_are_named_for_it() {
    let bed = bed(1_000).await;
    bed.reload(|rules| rules.access.admin_networks = vec!["192.0.2.0/24".parse().unwrap()]);
    let admin = bed.key("ops", &["admin"]).await;
    let shop = bed.merchant().await;
    let from = |token: &str, peer: &str| get("/v1/payments", token).from(peer);
    assert_eq!(
        bed.send(from(&admin, "192.0.2.7:1")).await.status,
        StatusCode::OK
    );
    bed.send(from(&admin, "192.0.3.7:1"))
        .await
        .refused(403, "address_not_allowed");
    assert_eq!(
        bed.send(from(&shop, "192.0.3.7:1")).await.status,
        StatusCode::OK
    );
    bed.end().await;
}

#[tokio::test]
async fn failures_are_slowed_by_address_and_neither_neighbours_nor_keys_in_use_are_locked_out() {
    let bed = bed(5).await;
    let (used, cold) = (bed.merchant().await, bed.merchant().await);
    let via = |token: &str, who: &str| {
        get("/v1/payments", token)
            .from("10.0.0.1:1")
            .header("x-forwarded-for", who)
    };
    assert_eq!(
        bed.send(via(&used, "198.51.100.1")).await.status,
        StatusCode::OK
    );
    for n in 0..5 {
        let guess = format!("xrpayd_{n}_s3cret");
        bed.send(via(&guess, "198.51.100.1"))
            .await
            .refused(401, "unauthenticated");
    }
    // Now the address waits, whatever it says and before anything is looked up.
    bed.store.clone().close().await;
    let slowed = bed.send(via("xrpayd_9_s3cret", "198.51.100.1")).await;
    let wait = told_to_wait(&slowed);
    assert!((1..=12).contains(&wait), "{wait}");
    assert_eq!(
        told_to_wait(&bed.send(via(&cold, "198.51.100.1")).await),
        wait
    );
    let limited = &bed.metrics.rate_limited_total;
    assert_eq!(limited.with_label_values(&["failures"]).get(), 2);
    // Who was right a while ago is let in, and who guesses at such a key is told nothing new.
    let let_in = bed.send(via(&used, "198.51.100.1")).await;
    assert_eq!(
        let_in.status,
        StatusCode::SERVICE_UNAVAILABLE,
        "{}",
        let_in.body
    );
    bed.end().await;
}

#[tokio::test]
async fn a_key_in_use_passes_its_neighbours_failures_and_a_wrong_secret_for_it_does_not() {
    let bed = bed(3).await;
    let used = bed.merchant().await;
    assert_eq!(
        bed.send(get("/v1/payments", &used)).await.status,
        StatusCode::OK
    );
    for n in 0..3 {
        bed.send(get("/v1/payments", &format!("xrpayd_{n}_x")))
            .await
            .refused(401, "unauthenticated");
    }
    told_to_wait(&bed.send(get("/v1/payments", "xrpayd_7_x")).await);
    let wrong = used.replace("s3cret", "secret");
    told_to_wait(&bed.send(get("/v1/payments", &wrong)).await);
    assert_eq!(
        bed.send(get("/v1/payments", &used)).await.status,
        StatusCode::OK
    );
    // Another address is not slowed, and this one only for as long as it was told.
    let elsewhere = get("/v1/payments", "xrpayd_7_x").from("192.0.2.1:1");
    bed.send(elsewhere).await.refused(401, "unauthenticated");
    let wait = told_to_wait(&bed.send(get("/v1/payments", "xrpayd_7_x")).await);
    bed.clock.advance(Duration::from_secs(wait));
    bed.send(get("/v1/payments", "xrpayd_7_x"))
        .await
        .refused(401, "unauthenticated");
    bed.end().await;
}

async fn rotate(bed: &Bed, token: &str, secret: &str, until: UnixMs) -> String {
    let rotation = Rotation {
        id: id_of(token),
        secret_hash: hash_secret(secret),
        at: START,
        previous_until: until,
        expires_at: None,
    };
    let outcome = bed.store.rotate_key(&rotation, &BY).await.unwrap();
    assert!(
        matches!(outcome, RotationOutcome::Rotated(_)),
        "{outcome:?}"
    );
    // A daemon sees it within a second.
    bed.clock.advance(Duration::from_secs(1));
    format!("xrpayd_{}_{secret}", id_of(token))
}

#[tokio::test]
async fn both_secrets_of_a_rotated_key_hold_until_the_old_ones_time_is_up_and_the_key_is_one() {
    let tight = |rules: &mut xrpayd::http::Rules| {
        rules.rate_limits.writes_per_minute = 3;
        rules.policy.approval = Some(xrpayd_core::payment::ApprovalRule {
            threshold: xrpayd_core::money::Drops::from_xrp("1").unwrap(),
            expires_in_ms: 3_600_000,
        });
    };
    let bed = Bed::with(tight, Auth::Required).await;
    let scopes = ["payments:read", "payments:write", "payments:approve"];
    let old = bed.key("shop", &scopes).await;
    let made = bed.pay(&old, "k", order("2")).await;
    let new = rotate(&bed, &old, "n3w", START.plus_ms(10_000)).await;
    for token in [&old, &new] {
        let read = bed.send(get("/v1/payments", token)).await;
        assert_eq!(read.status, StatusCode::OK);
    }
    // Its idempotency keys, what it may not approve and what it has used are those of the old one.
    let again = bed.send(post_payment(&new, "k", &order("2"))).await;
    assert_eq!(
        (again.status, &again.body["id"]),
        (StatusCode::OK, &made["id"])
    );
    let approve = format!("/v1/payments/{}/approve", made["id"].as_str().unwrap());
    let approve = post(&approve, &new).json(&json!({"version": made["version"]}));
    bed.send(approve).await.refused(403, "self_approval");
    told_to_wait(&bed.send(post_payment(&old, "k2", &order("2"))).await);

    bed.clock.advance(Duration::from_millis(8_999));
    assert_eq!(
        bed.send(get("/v1/payments", &old)).await.status,
        StatusCode::OK
    );
    bed.clock.advance(Duration::from_millis(1));
    bed.send(get("/v1/payments", &old))
        .await
        .refused(401, "key_expired");
    assert_eq!(
        bed.send(get("/v1/payments", &new)).await.status,
        StatusCode::OK
    );
    // Without an overlap the old secret ends with the rotation.
    let newest = rotate(&bed, &new, "n3west", START).await;
    bed.send(get("/v1/payments", &new))
        .await
        .refused(401, "key_expired");
    bed.send(get("/v1/payments", &old))
        .await
        .refused(401, "unauthenticated");
    assert_eq!(
        bed.send(get("/v1/payments", &newest)).await.status,
        StatusCode::OK
    );
    assert!(bed.store.revoke_key(id_of(&new), &BY, START).await.unwrap());
    bed.clock.advance(Duration::from_secs(1));
    for token in [&newest, &new] {
        let refused = bed.send(get("/v1/payments", token)).await;
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    }
    bed.end().await;
}

#[tokio::test]
async fn a_key_with_limits_of_its_own_has_those_and_a_pause_is_never_behind_payments() {
    let bed = Bed::new().await;
    let own = |key: &mut xrpayd::store::NewKey| {
        key.limits = KeyLimits {
            per_minute: Some(2),
            per_hour: Some(9),
            reads_per_minute: Some(1),
        };
    };
    let scopes = ["payments:read", "payments:write"];
    let token = bed.key_with("shop", &scopes, own).await;
    bed.pay(&token, "a", order("1")).await;
    bed.pay(&token, "b", order("1")).await;
    told_to_wait(&bed.send(post_payment(&token, "c", &order("1"))).await);
    let read = bed.send(get("/v1/payments", &token)).await;
    assert_eq!(
        (
            read.header("ratelimit-limit"),
            read.header("ratelimit-remaining")
        ),
        (Some("1"), Some("0"))
    );
    told_to_wait(&bed.send(get("/v1/payments", &token)).await);
    // What makes the servers work has a window of its own.
    let validate = post("/v1/payments/validate", &token).json(&order("1"));
    assert_eq!(
        bed.send(validate).await.header("ratelimit-limit"),
        Some("100000")
    );
    bed.end().await;
}

#[tokio::test]
async fn a_signature_is_good_once_on_all_replicas_and_over_a_restart_on_sqlite() {
    good_once(Bed::new().await).await;
}

#[tokio::test]
async fn a_signature_is_good_once_on_all_replicas_and_over_a_restart_on_postgresql() {
    if let Some(bed) = Bed::postgres(|_| {}).await {
        good_once(bed).await;
    }
}

async fn good_once(bed: Bed) {
    let signs = |key: &mut xrpayd::store::NewKey| key.require_signature = true;
    let token = bed
        .key_with("shop", &["payments:read", "webhooks:write"], signs)
        .await;
    let signed = |at: &str, target: &str| {
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(b"s3cret").unwrap();
        mac.update(format!("{at}.GET.{target}.").as_bytes());
        let signature = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
        get(target, &token)
            .header("xrpayd-timestamp", at)
            .header("xrpayd-signature", &signature)
    };
    // A daemon that started a moment ago believes what was signed before that.
    let next = bed.another();
    let before = "1799999990";
    let first = bed.send(signed(before, "/v1/payments")).await;
    assert_eq!(first.status, StatusCode::OK, "{}", first.body);
    let replayed = bed.send_to(&next, signed(before, "/v1/payments")).await;
    replayed.refused(401, "signature_replayed");
    assert_eq!(replayed.header("ratelimit-limit"), Some("100000"));
    let other = bed.send_to(&next, signed(before, "/v1/wallets")).await;
    assert_eq!(other.status, StatusCode::OK, "{}", other.body);
    bed.send(signed(before, "/v1/wallets"))
        .await
        .refused(401, "signature_replayed");
    // A store that does not answer lets nothing through.
    bed.store.clone().close().await;
    let refused = bed.send(signed("1800000001", "/v1/payments")).await;
    refused.refused(503, "store_unavailable");
    bed.end().await;
}
