//! What every answer has, and what no body can do.

use super::bed::{Bed, Call, get, order, post, post_payment};
use axum::http::{Method, StatusCode};
use proptest::prelude::*;
use serde_json::{Value, json};

#[tokio::test]
async fn every_answer_bears_a_request_id_and_the_security_headers() {
    let bed = Bed::new().await;
    let token = bed.merchant().await;
    for call in [
        get("/v1/payments", &token),
        Call::new(Method::GET, "/v1/payments"),
        Call::new(Method::GET, "/nowhere"),
        Call::new(Method::PUT, "/v1/payments"),
        Call::new(Method::GET, "/health/live"),
    ] {
        let answer = bed.send(call).await;
        assert!(answer.header("x-request-id").unwrap().starts_with("req_"));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("x-frame-options"), Some("DENY"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert!(answer.header("content-security-policy").is_some());
    }
    let given = bed
        .send(get("/v1/payments", &token).header("x-request-id", "abc-1.2:3_X"))
        .await;
    assert_eq!(given.header("x-request-id"), Some("abc-1.2:3_X"));
    for insane in ["", "two words", &"x".repeat(129), "<script>"] {
        let answer = bed
            .send(get("/v1/payments", &token).header("x-request-id", insane))
            .await;
        assert!(
            answer.header("x-request-id").unwrap().starts_with("req_"),
            "{insane}"
        );
    }
    bed.end().await;
}

#[tokio::test]
async fn what_is_not_there_and_what_is_not_taken_are_problems_too() {
    let bed = Bed::new().await;
    let token = bed.merchant().await;
    for path in ["/", "/v1", "/v1/payment", "/v1/payments/", "/v2/payments"] {
        bed.send(get(path, &token)).await.refused(404, "not_found");
    }
    let put = bed
        .send(Call::new(Method::PUT, "/v1/payments").token(&token))
        .await;
    put.refused(405, "method_not_allowed");
    let allow = put.header("allow").unwrap();
    assert!(allow.contains("GET") && allow.contains("POST"), "{allow}");
    bed.end().await;
}

#[tokio::test]
async fn a_body_is_bounded_and_must_be_json() {
    let bed = Bed::new().await;
    let token = bed.merchant().await;
    let call = |bytes: &[u8]| {
        post("/v1/payments", &token)
            .header("idempotency-key", "k")
            .bytes(bytes)
    };
    let mut large = order("1").to_string().into_bytes();
    large.resize(10_240, b' ');
    let exact = bed.send(call(&large)).await;
    assert_eq!(exact.status, StatusCode::CREATED, "{}", exact.body);
    large.push(b' ');
    bed.send(call(&large)).await.refused(413, "body_too_large");
    for bytes in [&b""[..], b"{", b"\xff\xfe", b"{} {}", b"nul"] {
        bed.send(call(bytes)).await.refused(400, "malformed_json");
    }
    let deep = "[".repeat(5_000);
    bed.send(call(deep.as_bytes()))
        .await
        .refused(400, "invalid_type");
    let deep = format!("{{\"send_max\":{}", "[".repeat(5_000));
    bed.send(call(deep.as_bytes()))
        .await
        .refused(400, "malformed_json");
    for bytes in [&b"[]"[..], b"null", b"7", b"\"x\""] {
        bed.send(call(bytes)).await.refused(400, "invalid_type");
    }
    let twice = br#"{"reference":"a","reference":"b"}"#;
    bed.send(call(twice)).await.refused(400, "invalid_type");
    let form = call(b"a=b").header("content-type", "application/x-www-form-urlencoded");
    bed.send(form).await.refused(415, "unsupported_media_type");
    bed.end().await;
}

#[tokio::test]
async fn requests_are_counted_by_route_template_and_never_by_path() {
    let bed = Bed::new().await;
    let token = bed.merchant().await;
    let made = bed.pay(&token, "k", order("1")).await;
    let id = made["id"].as_str().unwrap();
    bed.send(get(&format!("/v1/payments/{id}"), &token)).await;
    bed.send(get("/v1/payments/pay_x", &token)).await;
    bed.send(get("/some/secret/path", &token)).await;
    bed.send(Call::new(
        Method::from_bytes(b"BREW").unwrap(),
        "/v1/payments",
    ))
    .await;
    let count = |labels: [&str; 3]| {
        bed.metrics
            .http_requests_total
            .with_label_values(&labels)
            .get()
    };
    assert_eq!(count(["POST", "/v1/payments", "201"]), 1);
    assert_eq!(count(["GET", "/v1/payments/{id}", "200"]), 1);
    assert_eq!(count(["GET", "/v1/payments/{id}", "404"]), 1);
    assert_eq!(count(["GET", "unmatched", "404"]), 1);
    assert_eq!(count(["OTHER", "/v1/payments", "405"]), 1);
    let text = bed.metrics.encode().unwrap();
    assert!(!text.contains(id) && !text.contains("secret") && !text.contains("BREW"));
    assert!(text.contains("http_request_duration_seconds_count"));
    bed.end().await;
}

/// Something that resembles a payment request, mostly wrong.
fn anything(depth: u32) -> BoxedStrategy<Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,40}".prop_map(Value::from),
        Just(json!("XRP")),
        Just(json!("1")),
        Just(json!(super::bed::SHOP)),
        "[0-9]{1,30}(\\.[0-9]{0,10})?".prop_map(Value::from),
    ];
    let name = prop_oneof![
        3 => prop::sample::select(vec![
            "destination", "destination_tag", "amount", "currency", "value", "issuer", "wallet",
            "reference", "metadata", "memos", "type", "format", "data", "invoice_id", "source_tag",
            "expires_in", "send_max", "deliver_min", "max_fee_drops", "mpt_issuance_id",
        ]).prop_map(str::to_owned),
        1 => ".{0,8}",
    ];
    leaf.prop_recursive(depth, 40, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((name.clone(), inner), 0..8)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
    .boxed()
}

#[test]
fn no_body_header_or_query_makes_the_daemon_fail() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (bed, token) = runtime.block_on(async {
        let bed = Bed::new().await;
        let token = bed.merchant().await;
        (bed, token)
    });
    let answered = |call: Call| {
        let answer = runtime.block_on(bed.send(call));
        let status = answer.status;
        prop_assert!(
            !status.is_server_error() && answer.header("x-request-id").is_some(),
            "{:?}",
            answer
        );
        Ok(())
    };
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 300,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let near_payment = anything(4).prop_map(|odd| {
        let mut body = order("0.001");
        if let (Value::Object(body), Value::Object(odd)) = (&mut body, odd) {
            body.extend(odd);
        }
        body
    });
    let inputs = (
        prop::collection::vec(any::<u8>(), 0..200),
        prop_oneof![anything(4), near_payment],
        "[!-~]{1,30}",
        "[ -~]{0,40}",
    );
    runner
        .run(&inputs, |(bytes, json, key, text)| {
            answered(post_payment(&token, &key, &Value::Null).bytes(&bytes))?;
            answered(post_payment(&token, &key, &json))?;
            answered(post("/v1/payments/validate", &token).json(&json))?;
            let query: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
            answered(get(&format!("/v1/payments?cursor={query}&limit=3"), &token))?;
            answered(get(&format!("/v1/payments?reference={query}"), &token))?;
            answered(get(&format!("/v1/payments/{query}"), &token))?;
            answered(get("/v1/payments", &text))
        })
        .unwrap();
    runtime.block_on(bed.end());
}
