//! Every way in which a payment request is refused, by code and by field.

mod standing;

use super::bed::{Bed, HOT, SHOP, get, order, post, post_payment};
use super::validation::failures;
use serde_json::{Value, json};
use xrpayd_core::xaddress::{XAddress, XNetwork};

fn x_address(network: XNetwork, tag: Option<u32>) -> String {
    XAddress {
        account: SHOP.parse().unwrap(),
        tag,
        network,
    }
    .to_string()
}

fn with(field: &str, value: Value) -> Value {
    let mut body = order("1");
    body[field] = value;
    body
}

#[tokio::test]
async fn each_fault_has_its_code_and_names_its_field() {
    let bed = Bed::new().await;
    let token = bed.merchant().await;
    let amount = |value: Value| with("amount", value);
    let long = |n: usize| "x".repeat(n);
    let many: serde_json::Map<_, _> = (0..17).map(|n| (n.to_string(), json!("v"))).collect();
    let usd = json!({ "currency": "USD", "issuer": HOT, "value": "1" });
    let mpt = json!({ "mpt_issuance_id": "0".repeat(48), "value": "1" });
    let cases: Vec<(Value, u16, &str, &str)> = vec![
        (
            json!({ "amount": { "currency": "XRP", "value": "1" } }),
            400,
            "missing_field",
            "/destination",
        ),
        (
            json!({ "destination": SHOP }),
            400,
            "missing_field",
            "/amount",
        ),
        (
            amount(json!({ "currency": "XRP" })),
            400,
            "missing_field",
            "/amount/value",
        ),
        (
            amount(json!({ "value": "1" })),
            400,
            "missing_field",
            "/amount/currency",
        ),
        (
            with("destination", json!("")),
            422,
            "destination_invalid",
            "/destination",
        ),
        (
            with("destination", json!("rPT1Sjq2YGrBMTttX4GZHjKu9dyfzbpAYf")),
            422,
            "destination_invalid",
            "/destination",
        ),
        (
            with("destination", json!("snoPBrXtMeMyMHUVTgbuqAfg1SUTb")),
            422,
            "destination_invalid",
            "/destination",
        ),
        (
            with("destination", json!(x_address(XNetwork::Test, None))),
            422,
            "destination_invalid",
            "/destination",
        ),
        (
            with("destination", json!("XVfake")),
            422,
            "destination_invalid",
            "/destination",
        ),
        (
            with("destination", json!(HOT)),
            422,
            "destination_is_self",
            "/destination",
        ),
        (
            json!({ "destination": x_address(XNetwork::Main, Some(5)), "destination_tag": 6,
                    "amount": { "currency": "XRP", "value": "1" } }),
            422,
            "validation_failed",
            "/destination_tag",
        ),
        (
            with("destination_tag", json!(4_294_967_296_u64)),
            400,
            "invalid_type",
            "/destination_tag",
        ),
        (
            with("destination_tag", json!(-1)),
            400,
            "invalid_type",
            "/destination_tag",
        ),
        (
            with("source_tag", json!(1.5)),
            400,
            "invalid_type",
            "/source_tag",
        ),
        (amount(json!("1")), 400, "invalid_type", "/amount"),
        (
            amount(json!({ "currency": "XRP", "value": 1 })),
            400,
            "invalid_type",
            "/amount/value",
        ),
        (
            amount(json!({ "currency": "XRP", "value": "-1" })),
            422,
            "validation_failed",
            "/amount/value",
        ),
        (
            amount(json!({ "currency": "XRP", "value": "1e3" })),
            422,
            "validation_failed",
            "/amount/value",
        ),
        (
            amount(json!({ "currency": "XRP", "value": "0.0000001" })),
            422,
            "validation_failed",
            "/amount/value",
        ),
        (
            amount(json!({ "currency": "XRP", "value": "100000000001" })),
            422,
            "validation_failed",
            "/amount/value",
        ),
        (
            amount(json!({ "currency": "XRP", "value": "1", "issuer": HOT })),
            422,
            "validation_failed",
            "/amount/issuer",
        ),
        (
            amount(json!({ "currency": "EURO", "value": "1" })),
            422,
            "validation_failed",
            "/amount/currency",
        ),
        (amount(usd), 422, "currency_not_enabled", "/amount/currency"),
        (
            amount(json!({ "currency": "RLUSD", "issuer": HOT, "value": "1" })),
            422,
            "currency_not_enabled",
            "/amount/currency",
        ),
        (
            amount(mpt),
            422,
            "currency_not_enabled",
            "/amount/mpt_issuance_id",
        ),
        (
            amount(json!({ "currency": "XRP", "value": "0" })),
            422,
            "amount_below_minimum",
            "/amount/value",
        ),
        (
            amount(json!({ "currency": "XRP", "value": "0.000999" })),
            422,
            "amount_below_minimum",
            "/amount/value",
        ),
        (
            amount(json!({ "currency": "XRP", "value": "100.000001" })),
            422,
            "amount_above_stage_limit",
            "/amount/value",
        ),
        (
            with("wallet", json!("cold")),
            422,
            "validation_failed",
            "/wallet",
        ),
        (
            with("wallet", json!("h\u{0}t")),
            422,
            "validation_failed",
            "/wallet",
        ),
        (
            with("reference", json!("")),
            422,
            "validation_failed",
            "/reference",
        ),
        (
            with("reference", json!(long(129))),
            422,
            "validation_failed",
            "/reference",
        ),
        (
            with("reference", json!("a\u{0}b")),
            422,
            "validation_failed",
            "/reference",
        ),
        (
            with("metadata", json!(many)),
            422,
            "validation_failed",
            "/metadata",
        ),
        (
            with("metadata", json!({ long(41): "v" })),
            422,
            "validation_failed",
            "*",
        ),
        (
            with("metadata", json!({ "a/b": long(501) })),
            422,
            "validation_failed",
            "/metadata/a~1b",
        ),
        (
            with("metadata", json!({ "a": "\u{0}" })),
            422,
            "validation_failed",
            "/metadata/a",
        ),
        (
            with("metadata", json!({ "a": 1 })),
            400,
            "invalid_type",
            "/metadata/a",
        ),
        (
            with("memos", json!([{}])),
            422,
            "validation_failed",
            "/memos/0",
        ),
        (
            with("memos", json!([{ "data": "" }])),
            422,
            "validation_failed",
            "/memos/0/data",
        ),
        (
            with("memos", json!([{ "type": "a b" }])),
            422,
            "validation_failed",
            "/memos/0/type",
        ),
        (
            with("memos", json!([{ "format": "ä" }])),
            422,
            "validation_failed",
            "/memos/0/format",
        ),
        (
            with("memos", json!([{ "data": long(1_020) }])),
            422,
            "validation_failed",
            "/memos",
        ),
        (
            with("memos", json!([{ "colour": "x" }])),
            400,
            "unknown_field",
            "/memos/0/colour",
        ),
        (
            with("invoice_id", json!("00")),
            422,
            "validation_failed",
            "/invoice_id",
        ),
        (
            with("expires_in", json!(0)),
            422,
            "validation_failed",
            "/expires_in",
        ),
        (
            with("expires_in", json!(2_592_001)),
            422,
            "validation_failed",
            "/expires_in",
        ),
        (
            with("expires_in", json!("60")),
            400,
            "invalid_type",
            "/expires_in",
        ),
        (
            with("max_fee_drops", json!("9")),
            422,
            "validation_failed",
            "/max_fee_drops",
        ),
        (
            with("max_fee_drops", json!("1.5")),
            422,
            "validation_failed",
            "/max_fee_drops",
        ),
        (
            with("max_fee_drops", json!(12)),
            400,
            "invalid_type",
            "/max_fee_drops",
        ),
        (
            with("send_max", json!({ "currency": "XRP", "value": "2" })),
            422,
            "validation_failed",
            "/send_max",
        ),
        (
            with("deliver_min", json!("1")),
            422,
            "validation_failed",
            "/deliver_min",
        ),
        (
            with("colour", json!("red")),
            400,
            "unknown_field",
            "/colour",
        ),
    ];
    for (n, (body, status, code, pointer)) in cases.iter().enumerate() {
        let answer = bed.send(post_payment(&token, &format!("k{n}"), body)).await;
        let pointers = answer.refused(*status, code);
        assert_eq!(pointers.len(), 1, "{body}: {}", answer.body);
        assert!(
            *pointer == "*" || pointers[0] == *pointer,
            "{body}: {pointers:?}"
        );
        let checked = bed
            .send(post("/v1/payments/validate", &token).json(body))
            .await;
        if ["unknown_field", "invalid_type"].contains(code) {
            assert_eq!(checked.refused(*status, code), pointers, "{body}");
            continue;
        }
        let failed = failures(&checked);
        assert_eq!(failed, [((*code).to_owned(), pointers[0].clone())]);
    }
    let all = bed.send(get("/v1/payments", &token)).await;
    assert_eq!(
        all.body["data"],
        json!([]),
        "a refused request left something behind"
    );
    bed.end().await;
}

#[tokio::test]
async fn all_faults_of_a_body_are_told_at_once() {
    let bed = Bed::new().await;
    let token = bed.merchant().await;
    let body = json!({
        "destination": "nobody", "amount": { "currency": "XRP", "value": "much" },
        "expires_in": 0, "invoice_id": "x", "metadata": { "": "v" },
    });
    let answer = bed.send(post_payment(&token, "k", &body)).await;
    let mut pointers = answer.refused(422, "validation_failed");
    pointers.sort();
    assert_eq!(
        pointers,
        [
            "/amount/value",
            "/destination",
            "/expires_in",
            "/invoice_id",
            "/metadata/"
        ]
    );
    let empty = bed.send(post_payment(&token, "k", &json!({}))).await;
    assert_eq!(
        empty.refused(400, "missing_field"),
        ["/destination", "/amount"]
    );
    bed.end().await;
}

#[tokio::test]
async fn the_longest_of_everything_that_is_allowed_is_accepted() {
    let bed = Bed::new().await;
    let token = bed.merchant().await;
    let metadata: serde_json::Map<_, _> = (0..16)
        .map(|n| (format!("{n:0>40}"), json!("ü".repeat(200))))
        .collect();
    let body = json!({
        "destination": x_address(XNetwork::Main, Some(u32::MAX)),
        "destination_tag": u32::MAX,
        "amount": { "currency": "XRP", "value": "100.000000" },
        "reference": "ü".repeat(128),
        "metadata": metadata,
        "memos": [{ "data": "x".repeat(1_019) }],
        "expires_in": 2_592_000,
        "max_fee_drops": "10",
    });
    let made = bed.pay(&token, &"k".repeat(255), body).await;
    assert_eq!(made["destination_tag"], u32::MAX);
    assert_eq!(made["destination"], SHOP);
    bed.end().await;
}

#[tokio::test]
async fn a_payment_needs_one_well_formed_idempotency_key() {
    let bed = Bed::new().await;
    let token = bed.merchant().await;
    let bare = post("/v1/payments", &token).json(&order("1"));
    let pointers = bed.send(bare).await.refused(400, "idempotency_key_missing");
    assert_eq!(pointers, ["/header/idempotency-key"]);
    for key in ["", " ", "two words", "ä", &"k".repeat(256)] {
        let answer = bed.send(post_payment(&token, key, &order("1"))).await;
        answer.refused(400, "idempotency_key_invalid");
    }
    let twice = post_payment(&token, "a", &order("1")).header("idempotency-key", "b");
    bed.send(twice)
        .await
        .refused(400, "idempotency_key_invalid");
    bed.end().await;
}
