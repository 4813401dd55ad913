//! Invoices: what is asked for, under which tag, to whom it is shown, and how it is called off.

use super::bed::{Answer, Bed, Call, HOT, SHOP, get, post};
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;
use xrpayd_core::amount::Asset;
use xrpayd_core::xaddress::{XAddress, XNetwork};

const BOTH: [&str; 2] = ["invoices:read", "invoices:write"];

fn asks(value: &str) -> Value {
    json!({ "amount": { "currency": "XRP", "value": value } })
}

fn issue(token: &str, body: &Value) -> Call {
    Call::new(Method::POST, "/v1/invoices")
        .token(token)
        .json(body)
}

async fn issued(bed: &Bed, token: &str, body: &Value) -> Value {
    let answer = bed.send(issue(token, body)).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
    answer.body
}

fn path_of(invoice: &Value) -> String {
    format!("/v1/invoices/{}", invoice["id"].as_str().unwrap())
}

#[tokio::test]
async fn an_invoice_says_all_that_a_payer_needs() {
    let bed = Bed::new().await;
    let token = bed.key("shop", &BOTH).await;
    let body = json!({
        "amount": { "currency": "XRP", "value": "12.50" },
        "reference": "order 7",
        "metadata": { "cart": "9" },
        "expires_in": 60,
        "tolerance_bps": 25,
    });
    let answer = bed.send(issue(&token, &body)).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
    let invoice = &answer.body;
    assert_eq!(answer.header("location"), Some(path_of(invoice).as_str()));
    let tag = u32::try_from(invoice["destination_tag"].as_u64().unwrap()).unwrap();
    assert_ne!(tag, 0);
    let x_address = XAddress {
        account: HOT.parse().unwrap(),
        tag: Some(tag),
        network: XNetwork::Main,
    };
    let xrp = |value: &str| json!({ "currency": "XRP", "value": value });
    assert!(invoice["id"].as_str().unwrap().starts_with("inv_"));
    for (field, expected) in [
        ("object", json!("invoice")),
        ("status", json!("open")),
        ("overpaid", json!(false)),
        ("paid_late", json!(false)),
        ("version", json!(1)),
        ("wallet", json!("hot")),
        ("amount", xrp("12.5")),
        ("amount_received", xrp("0")),
        ("amount_due", xrp("12.5")),
        ("tolerance_bps", json!(25)),
        ("address", json!(HOT)),
        ("x_address", json!(x_address.to_string())),
        (
            "payment_uri",
            json!(format!("xrpl://{HOT}?amount=12.5&dt={tag}")),
        ),
        ("reference", json!("order 7")),
        ("metadata", json!({ "cart": "9" })),
        ("created_at", json!("2027-01-15T08:00:00.000Z")),
        ("updated_at", json!("2027-01-15T08:00:00.000Z")),
        ("expires_at", json!("2027-01-15T08:01:00.000Z")),
        ("deposits", json!([])),
    ] {
        assert_eq!(invoice[field], expected, "{field}");
    }
    let again = bed.send(get(&path_of(invoice), &token)).await;
    assert_eq!((again.status, &again.body), (StatusCode::OK, invoice));
    let plain = issued(&bed, &token, &asks("1")).await;
    assert_eq!(plain["expires_at"], "2027-01-15T09:00:00.000Z");
    assert_eq!(plain["tolerance_bps"], 0);
    bed.end().await;
}

#[tokio::test]
async fn a_key_makes_one_invoice_however_often_it_is_used() {
    let bed = Bed::new().await;
    let token = bed.key("shop", &BOTH).await;
    let under = |key: &str, body: &Value| issue(&token, body).header("idempotency-key", key);
    let first = bed.send(under("k1", &asks("5"))).await;
    assert_eq!(first.status, StatusCode::CREATED);
    assert_eq!(first.header("idempotent-replayed"), None);
    bed.clock.advance(Duration::from_secs(5));
    let again = bed.send(under("k1", &asks("5.0"))).await;
    assert_eq!((again.status, &again.body), (StatusCode::OK, &first.body));
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    let other = bed.send(under("k1", &asks("6"))).await;
    assert_eq!(
        other.refused(422, "idempotency_key_reused"),
        ["/header/idempotency-key"]
    );
    let bad = bed.send(under("with space", &asks("6"))).await;
    bad.refused(400, "idempotency_key_invalid");
    // What was accepted is answered whatever the configuration says today.
    bed.reload(|rules| rules.invoices.wallets.clear());
    let later = bed.send(under("k1", &asks("5"))).await;
    assert_eq!((later.status, &later.body), (StatusCode::OK, &first.body));
    bed.send(under("k2", &asks("5")))
        .await
        .refused(400, "missing_field");
    // Without a key every request is another invoice.
    bed.reload(|rules| rules.invoices.wallets = super::bed::rules().invoices.wallets);
    let mut tags = BTreeSet::new();
    for _ in 0..20 {
        let invoice = issued(&bed, &token, &asks("5")).await;
        tags.insert(invoice["destination_tag"].as_u64().unwrap());
    }
    assert_eq!(tags.len(), 20);
    bed.end().await;
}

#[tokio::test]
async fn requests_at_the_same_moment_under_one_key_make_one_invoice() {
    let bed = Bed::new().await;
    let token = bed.key("shop", &BOTH).await;
    let body = asks("5");
    let calls = (0..16).map(|_| bed.send(issue(&token, &body).header("idempotency-key", "k")));
    let answers: Vec<Answer> = futures_util::future::join_all(calls).await;
    let made: BTreeSet<&str> = answers
        .iter()
        .map(|answer| answer.body["id"].as_str().unwrap())
        .collect();
    let created = |answer: &&Answer| answer.status == StatusCode::CREATED;
    assert_eq!((made.len(), answers.iter().filter(created).count()), (1, 1));
    bed.end().await;
}

#[tokio::test]
async fn what_cannot_be_asked_for_is_refused_by_its_field() {
    let bed = Bed::new().await;
    let token = bed.key("shop", &BOTH).await;
    let usd = json!({ "amount": { "currency": "USD", "issuer": SHOP, "value": "1" } });
    let mpt = json!({ "amount": { "mpt_issuance_id": "07".repeat(24), "value": "1" } });
    for (body, status, code, pointer) in [
        (json!({}), 400, "missing_field", "/amount"),
        (asks("0"), 422, "validation_failed", "/amount/value"),
        (asks("0.0000001"), 422, "validation_failed", "/amount/value"),
        (json!({ "amount": 5 }), 400, "invalid_type", "/amount"),
        (json!({ "amounts": 5 }), 400, "unknown_field", "/amounts"),
        (usd.clone(), 422, "currency_not_enabled", "/amount/currency"),
        (mpt, 422, "currency_not_enabled", "/amount/mpt_issuance_id"),
    ] {
        let answer = bed.send(issue(&token, &body)).await;
        assert_eq!(answer.refused(status, code), [pointer], "{body}");
    }
    for (field, value) in [
        ("wallet", json!("cold")),
        ("reference", json!("a\nb")),
        ("expires_in", json!(0)),
        ("expires_in", json!(366 * 86_400)),
        ("tolerance_bps", json!(10_000)),
    ] {
        let mut body = asks("1");
        body[field] = value.clone();
        let answer = bed.send(issue(&token, &body)).await;
        let pointers = answer.refused(422, "validation_failed");
        assert_eq!(pointers, [format!("/{field}")], "{value}");
    }
    // What the operator lists is taken.
    let asset: Asset = format!("USD.{SHOP}").parse().unwrap();
    bed.reload(|rules| rules.invoices.assets.push(asset));
    let invoice = issued(&bed, &token, &usd).await;
    let uri = invoice["payment_uri"].as_str().unwrap();
    assert!(
        uri.ends_with(&format!("&currency=USD&issuer={SHOP}")),
        "{uri}"
    );
    // While the daemon drains, nothing new is taken.
    *bed.live.draining.lock().unwrap() = true;
    bed.send(issue(&token, &asks("1")))
        .await
        .refused(503, "shutting_down");
    bed.end().await;
}

#[tokio::test]
async fn an_invoice_is_seen_by_its_client_and_needs_the_scopes() {
    let bed = Bed::new().await;
    let shop = bed.key("shop", &BOTH).await;
    let other = bed.key("other", &BOTH).await;
    let admin = bed.key("boss", &["admin"]).await;
    let payments = bed.merchant().await;
    let reader = bed.key("shop", &["invoices:read"]).await;
    let invoice = issued(&bed, &shop, &asks("1")).await;
    let path = path_of(&invoice);
    for ending in ["", "/qr.svg"] {
        let answer = bed.send(get(&format!("{path}{ending}"), &other)).await;
        answer.refused(404, "invoice_not_found");
        for token in [&admin, &reader] {
            let answer = bed.send(get(&format!("{path}{ending}"), token)).await;
            assert_eq!(answer.status, StatusCode::OK);
        }
        let answer = bed.send(get(&format!("{path}{ending}"), &payments)).await;
        answer.refused(403, "scope_missing");
    }
    let cancel = format!("{path}/cancel");
    bed.send(post(&cancel, &other))
        .await
        .refused(404, "invoice_not_found");
    bed.send(post(&cancel, &reader))
        .await
        .refused(403, "scope_missing");
    bed.send(issue(&reader, &asks("1")))
        .await
        .refused(403, "scope_missing");
    bed.send(get("/v1/invoices/inv_1", &shop))
        .await
        .refused(404, "invoice_not_found");
    for (token, count) in [(&shop, 1), (&other, 0), (&admin, 1)] {
        let list = bed.send(get("/v1/invoices", token)).await;
        assert_eq!(list.body["data"].as_array().unwrap().len(), count);
    }
    bed.end().await;
}

#[tokio::test]
async fn a_cancelled_invoice_is_at_its_end_and_invites_nobody_to_pay() {
    let bed = Bed::new().await;
    let token = bed.key("shop", &BOTH).await;
    let invoice = issued(&bed, &token, &asks("1")).await;
    let path = path_of(&invoice);
    bed.clock.advance(Duration::from_secs(1));
    let cancel = format!("{path}/cancel");
    let full = bed
        .send(post(&cancel, &token).json(&json!({ "why": 1 })))
        .await;
    full.refused(400, "unknown_field");
    let answer = bed.send(post(&cancel, &token)).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    assert_eq!(answer.body["status"], "cancelled");
    assert_eq!(answer.body["version"], 2);
    assert_eq!(answer.body["payment_uri"], Value::Null);
    assert_eq!(answer.body["amount_due"]["value"], "0");
    assert_eq!(answer.body["updated_at"], "2027-01-15T08:00:01.000Z");
    let again = bed.send(post(&cancel, &token)).await;
    again.refused(409, "already_final");
    assert_eq!(again.body["current_version"], 2);
    let picture = bed.send(get(&format!("{path}/qr.svg"), &token)).await;
    picture.refused(409, "already_final");
    bed.end().await;
}

#[tokio::test]
async fn the_picture_is_an_image_that_is_asked_for_once() {
    let bed = Bed::new().await;
    let token = bed.key("shop", &BOTH).await;
    let invoice = issued(&bed, &token, &asks("1")).await;
    let path = format!("{}/qr.svg", path_of(&invoice));
    let picture = bed.send(get(&path, &token)).await;
    assert_eq!(picture.status, StatusCode::OK);
    assert_eq!(picture.header("content-type"), Some("image/svg+xml"));
    assert_eq!(picture.header("cache-control"), Some("private, no-cache"));
    assert!(picture.text.starts_with("<svg ") && picture.text.ends_with("</svg>\n"));
    assert!(!picture.text.contains("script"));
    let tag = picture.header("etag").unwrap();
    let again = bed
        .send(get(&path, &token).header("if-none-match", tag))
        .await;
    assert_eq!(
        (again.status, again.text.as_str()),
        (StatusCode::NOT_MODIFIED, "")
    );
    assert_eq!(again.header("etag"), Some(tag));
    let other = bed
        .send(get(&path, &token).header("if-none-match", "\"x\""))
        .await;
    assert_eq!(other.status, StatusCode::OK);
    bed.send(get(&format!("{path}?size=3"), &token))
        .await
        .refused(400, "invalid_query");
    bed.end().await;
}

#[tokio::test]
async fn lists_are_narrowed_and_paged_without_gaps() {
    let bed = Bed::new().await;
    let token = bed.key("shop", &BOTH).await;
    let mut made = Vec::new();
    for n in 0..11 {
        let mut body = asks("1");
        body["reference"] = json!(format!("order {}", n % 2));
        let invoice = issued(&bed, &token, &body).await;
        if n % 3 == 0 {
            let path = format!("{}/cancel", path_of(&invoice));
            bed.send(post(&path, &token)).await;
        }
        made.insert(0, invoice["id"].as_str().unwrap().to_owned());
        bed.clock.advance(Duration::from_secs(1));
    }
    let list = async |query: &str| -> (Vec<String>, Option<String>) {
        let answer = bed
            .send(get(&format!("/v1/invoices?{query}"), &token))
            .await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        let rows = answer.body["data"].as_array().unwrap();
        let ids = rows
            .iter()
            .map(|row| row["id"].as_str().unwrap().to_owned());
        let next = answer.body["next_cursor"].as_str().map(str::to_owned);
        (ids.collect(), next)
    };
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let (ids, next) = list(&format!("limit=3{cursor}")).await;
        seen.extend(ids);
        match next {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, made);
    let every = |step: usize, from: usize| -> Vec<String> {
        let oldest_first = made.iter().rev().skip(from).step_by(step);
        oldest_first.cloned().rev().collect()
    };
    assert_eq!(list("status=cancelled").await.0, every(3, 0));
    assert_eq!(list("reference=order%201").await.0, every(2, 1));
    assert_eq!(
        list("reference=order%201&status=cancelled").await.0,
        every(6, 3)
    );
    assert_eq!(
        list("created_after=2027-01-15T08:00:09Z").await.0,
        made[..2]
    );
    assert_eq!(
        list("created_before=2027-01-15T08:00:02Z").await.0,
        made[9..]
    );
    assert_eq!(list("status=paid").await.0, Vec::<String>::new());
    for query in ["status=done", "limit=0", "cursor=pay_1", "colour=red"] {
        let answer = bed
            .send(get(&format!("/v1/invoices?{query}"), &token))
            .await;
        answer.refused(400, "invalid_query");
    }
    bed.end().await;
}
