//! Webhook endpoints over the API.

use super::bed::*;
use crate::support::receiver::{Manner, Receiver};
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

const ENDPOINTS: &str = "/v1/webhook-endpoints";

async fn create(bed: &Bed, token: &str, body: Value) -> Answer {
    bed.send(post(ENDPOINTS, token).json(&body)).await
}

async fn created(bed: &Bed, token: &str, url: &str) -> (String, String) {
    let answer = create(bed, token, json!({ "url": url })).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
    let text = |name: &str| answer.body[name].as_str().unwrap().to_owned();
    (text("id"), text("secret"))
}

fn patch(path: &str, token: &str, body: &Value) -> Call {
    Call::new(Method::PATCH, path).token(token).json(body)
}

#[tokio::test]
async fn an_endpoint_is_made_shown_changed_and_deleted_and_its_secret_is_shown_once() {
    let bed = Bed::new().await;
    let token = bed.key("shop", &["webhooks:write"]).await;
    let body = json!({
        "url": "https://127.0.0.1:9/hooks",
        "events": ["payment.*", "invoice.paid", "payment.*"],
        "description": "orders",
    });
    let answer = create(&bed, &token, body).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
    let id = answer.body["id"].as_str().unwrap().to_owned();
    let path = format!("{ENDPOINTS}/{id}");
    assert_eq!(answer.headers["location"], path.as_str());
    assert!(id.starts_with("we_"));
    let secret = answer.body["secret"].as_str().unwrap();
    assert!(
        secret.starts_with("whsec_") && secret.len() >= 38,
        "24 bytes at least"
    );
    let mut shown = answer.body.clone();
    shown.as_object_mut().unwrap().remove("secret");
    assert_eq!(
        shown,
        json!({
            "id": id,
            "object": "webhook_endpoint",
            "url": "https://127.0.0.1:9/hooks",
            "events": ["invoice.paid", "payment.*"],
            "all_clients": false,
            "description": "orders",
            "status": "enabled",
            "disabled_reason": null,
            "disabled_at": null,
            "failing_since": null,
            "last_success_at": null,
            "previous_secret_expires_at": null,
            "version": 1,
            "created_at": "2027-01-15T08:00:00.000Z",
            "updated_at": "2027-01-15T08:00:00.000Z",
        })
    );
    assert_eq!(bed.send(get(&path, &token)).await.body, shown);
    let list = bed.send(get(ENDPOINTS, &token)).await;
    assert_eq!(list.body, json!({ "data": [shown], "next_cursor": null }));

    let change = json!({ "status": "disabled", "description": null, "events": ["*"] });
    let changed = bed.send(patch(&path, &token, &change)).await.body;
    assert_eq!(
        (&changed["status"], &changed["disabled_reason"]),
        (&json!("disabled"), &json!("requested"))
    );
    assert_eq!(
        (&changed["description"], &changed["events"]),
        (&json!(null), &json!(["*"]))
    );
    let enabled = bed
        .send(patch(&path, &token, &json!({ "status": "enabled" })))
        .await
        .body;
    assert_eq!(
        (&enabled["status"], &enabled["version"]),
        (&json!("enabled"), &json!(3))
    );

    let delete = || Call::new(Method::DELETE, &path).token(&token);
    assert_eq!(bed.send(delete()).await.status, StatusCode::NO_CONTENT);
    for call in [
        delete(),
        get(&path, &token),
        post(&format!("{path}/test"), &token),
    ] {
        let gone = bed.send(call).await;
        assert_eq!(gone.body["code"], "webhook_endpoint_not_found");
    }
    bed.end().await;
}

#[tokio::test]
async fn the_database_never_holds_a_secret_in_the_clear() {
    let bed = Bed::new().await;
    let token = bed.key("shop", &["webhooks:write"]).await;
    let (id, secret) = created(&bed, &token, "https://127.0.0.1:9/").await;
    let bytes = base64::Engine::decode(
        &base64::engine::general_purpose::STANDARD,
        secret.strip_prefix("whsec_").unwrap(),
    )
    .unwrap();
    let endpoint = bed
        .store
        .endpoint(id.parse().unwrap())
        .await
        .unwrap()
        .unwrap();
    let holds = |part: &[u8]| {
        endpoint
            .secret
            .windows(part.len())
            .any(|window| window == part)
    };
    assert!(!holds(&bytes[..8]) && !holds(&secret.as_bytes()[6..14]));
    let opened = bed.state.webhooks.secrets_of(&endpoint).unwrap();
    assert_eq!(opened[0].text().as_str(), secret);
    bed.end().await;
}

#[tokio::test]
async fn another_clients_endpoint_is_not_there_and_an_admin_sees_all() {
    let bed = Bed::new().await;
    let (shop, other) = (
        bed.key("shop", &["webhooks:write"]).await,
        bed.key("other", &["webhooks:write"]).await,
    );
    let admin = bed.key("boss", &["admin", "webhooks:write"]).await;
    let (id, _) = created(&bed, &shop, "https://127.0.0.1:9/").await;
    let path = format!("{ENDPOINTS}/{id}");
    for call in [
        get(&path, &other),
        patch(&path, &other, &json!({ "status": "disabled" })),
        Call::new(Method::DELETE, &path).token(&other),
        post(&format!("{path}/rotate-secret"), &other),
        get(&format!("{path}/deliveries"), &other),
    ] {
        assert_eq!(bed.send(call).await.status, StatusCode::NOT_FOUND);
    }
    assert_eq!(
        bed.send(get(ENDPOINTS, &other)).await.body["data"],
        json!([])
    );
    assert_eq!(bed.send(get(&path, &admin)).await.status, StatusCode::OK);
    let reader = bed.key("shop", &["payments:read", "payments:write"]).await;
    assert_eq!(
        bed.send(get(ENDPOINTS, &reader)).await.body["code"],
        "scope_missing"
    );

    // Who sees every client's payments may be told of them, and nobody else.
    let all = create(&bed, &admin, json!({ "url": "https://127.0.0.1:9/" })).await;
    assert_eq!(all.body["all_clients"], true);
    let own = json!({ "url": "https://127.0.0.1:9/", "all_clients": false });
    assert_eq!(create(&bed, &admin, own).await.body["all_clients"], false);
    let greedy = json!({ "url": "https://127.0.0.1:9/", "all_clients": true });
    assert_eq!(
        create(&bed, &shop, greedy).await.body["code"],
        "scope_missing"
    );
    bed.end().await;
}

#[tokio::test]
async fn what_cannot_be_used_is_refused_by_name() {
    let bed = Bed::new().await;
    let token = bed.key("shop", &["webhooks:write"]).await;
    let url = "https://127.0.0.1:9/";
    for (body, code, pointer) in [
        (json!({}), "missing_field", "/url"),
        (
            json!({ "url": "example.com" }),
            "webhook_url_not_allowed",
            "/url",
        ),
        (
            json!({ "url": "https://me:pw@example.com/" }),
            "webhook_url_not_allowed",
            "/url",
        ),
        (
            json!({ "url": "https://169.254.169.254/" }),
            "webhook_url_not_allowed",
            "/url",
        ),
        (
            json!({ "url": "https://[::ffff:169.254.169.254]/" }),
            "webhook_url_not_allowed",
            "/url",
        ),
        (
            json!({ "url": url, "events": [] }),
            "validation_failed",
            "/events",
        ),
        (
            json!({ "url": url, "events": ["payment.succeded"] }),
            "validation_failed",
            "/events/0",
        ),
        (
            json!({ "url": url, "events": "*" }),
            "invalid_type",
            "/events",
        ),
        (
            json!({ "url": url, "description": "a\nb" }),
            "validation_failed",
            "/description",
        ),
        (
            json!({ "url": url, "colour": 1 }),
            "unknown_field",
            "/colour",
        ),
    ] {
        let answer = create(&bed, &token, body.clone()).await;
        let at = &answer.body["errors"][0]["pointer"];
        assert_eq!(
            (&answer.body["code"], at),
            (&json!(code), &json!(pointer)),
            "{body}"
        );
    }
    let (id, _) = created(&bed, &token, url).await;
    let path = format!("{ENDPOINTS}/{id}");
    let refused = async |call: Call| bed.send(call).await.body["code"].clone();
    let post_json = |path: String, body: Value| post(&path, &token).json(&body);
    assert_eq!(
        refused(patch(&path, &token, &json!({ "status": "off" }))).await,
        "validation_failed"
    );
    assert_eq!(
        refused(patch(&path, &token, &json!({ "url": "ftp://a" }))).await,
        "webhook_url_not_allowed"
    );
    let rotate = format!("{path}/rotate-secret");
    assert_eq!(
        refused(post_json(rotate, json!({ "overlap_seconds": 9_999_999 }))).await,
        "validation_failed"
    );
    let recover = format!("{path}/recover");
    assert_eq!(
        refused(post_json(recover.clone(), json!({}))).await,
        "missing_field"
    );
    assert_eq!(
        refused(post_json(recover, json!({ "since": "yesterday" }))).await,
        "validation_failed"
    );
    let nowhere = format!("{path}/deliveries/whd_1");
    assert_eq!(
        refused(get(&nowhere, &token)).await,
        "webhook_delivery_not_found"
    );
    assert_eq!(
        refused(get(&format!("{path}/deliveries?status=lost"), &token)).await,
        "invalid_query"
    );
    bed.end().await;
}

#[tokio::test]
async fn a_secret_is_rotated_with_an_overlap_or_without() {
    let bed = Bed::new().await;
    let token = bed.key("shop", &["webhooks:write"]).await;
    let (id, first) = created(&bed, &token, "https://127.0.0.1:9/").await;
    let path = format!("{ENDPOINTS}/{id}/rotate-secret");
    let second = bed
        .send(post(&path, &token).json(&json!({ "overlap_seconds": 60 })))
        .await
        .body;
    assert_ne!(second["secret"], first);
    assert_eq!(
        second["previous_secret_expires_at"],
        "2027-01-15T08:01:00.000Z"
    );
    let secrets = async || {
        let endpoint = bed
            .store
            .endpoint(id.parse().unwrap())
            .await
            .unwrap()
            .unwrap();
        let secrets = bed.state.webhooks.secrets_of(&endpoint).unwrap();
        secrets
            .iter()
            .map(|secret| secret.text().to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        secrets().await,
        [second["secret"].as_str().unwrap(), &first]
    );
    bed.clock.advance(std::time::Duration::from_secs(60));
    assert_eq!(secrets().await, [second["secret"].as_str().unwrap()]);
    let third = bed
        .send(post(&path, &token).json(&json!({ "overlap_seconds": 0 })))
        .await
        .body;
    assert_eq!(secrets().await, [third["secret"].as_str().unwrap()]);
    let day = bed.send(post(&path, &token)).await.body;
    assert_eq!(
        day["previous_secret_expires_at"],
        "2027-01-16T08:01:00.000Z"
    );
    bed.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_test_is_sent_at_once_and_answered_with_what_came_of_it() {
    let bed = Bed::new().await;
    let token = bed.key("shop", &["webhooks:write"]).await;
    let receiver = Receiver::start(Manner::Well).await;
    let (id, _) = created(&bed, &token, &receiver.url()).await;
    let path = format!("{ENDPOINTS}/{id}");
    let tried = bed.send(post(&format!("{path}/test"), &token)).await;
    assert_eq!(
        (tried.status, &tried.body["status"]),
        (StatusCode::OK, &json!("delivered"))
    );
    assert_eq!(tried.body["type"], "webhook.test");
    assert_eq!(tried.body["attempts"][0]["response_status"], 204);
    let heard = receiver.heard();
    assert_eq!(heard[0].id(), tried.body["event_id"].as_str().unwrap());
    assert_eq!(heard[0].json()["type"], "webhook.test");
    assert_eq!(heard[0].json()["sequence"], 0);

    // The log is in the order of time.
    bed.clock.advance(std::time::Duration::from_millis(1));
    receiver.behave(Manner::With(500, Vec::new()));
    let tried = bed.send(post(&format!("{path}/test"), &token)).await.body;
    assert_eq!(
        (&tried["status"], &tried["next_attempt_at"]),
        (&json!("failed"), &json!(null))
    );
    assert_eq!(tried["attempts"][0]["response_excerpt"], "no, thank you");
    assert_eq!(tried["attempts"][0]["outcome"], "refused");

    let log = bed
        .send(get(&format!("{path}/deliveries?limit=1"), &token))
        .await
        .body;
    assert_eq!(log["data"], json!([tried]));
    let next = format!(
        "{path}/deliveries?cursor={}",
        log["next_cursor"].as_str().unwrap()
    );
    let rest = bed.send(get(&next, &token)).await.body;
    assert_eq!(
        (rest["data"].as_array().unwrap().len(), &rest["next_cursor"]),
        (1, &json!(null))
    );
    let failed = bed
        .send(get(&format!("{path}/deliveries?status=failed"), &token))
        .await
        .body;
    assert_eq!(failed["data"].as_array().unwrap().len(), 1);

    let delivery = format!("{path}/deliveries/{}", tried["id"].as_str().unwrap());
    assert_eq!(bed.send(get(&delivery, &token)).await.body, tried);
    let again = bed
        .send(post(&format!("{delivery}/redeliver"), &token))
        .await;
    assert_eq!(
        (again.status, &again.body["status"]),
        (StatusCode::ACCEPTED, &json!("pending"))
    );
    bed.send(patch(&path, &token, &json!({ "status": "disabled" })))
        .await;
    let refused = bed
        .send(post(&format!("{delivery}/redeliver"), &token))
        .await;
    assert_eq!(refused.body["code"], "webhook_endpoint_disabled");
    let still = bed.send(post(&format!("{path}/test"), &token)).await;
    assert_eq!(
        still.status,
        StatusCode::OK,
        "what is disabled can be tried"
    );
    bed.end().await;
}

#[tokio::test]
async fn without_a_key_to_seal_with_no_endpoint_is_made() {
    let mut bed = Bed::new().await;
    let mut state = bed.state.clone();
    state.webhooks.sealer = None;
    bed.router = xrpayd::http::router(state);
    let token = bed.key("shop", &["webhooks:write"]).await;
    let answer = create(&bed, &token, json!({ "url": "https://127.0.0.1:9/" })).await;
    assert_eq!(
        (answer.status, &answer.body["code"]),
        (StatusCode::CONFLICT, &json!("webhooks_not_configured"))
    );
    let recover = json!({ "since": "2027-01-15T00:00:00Z" });
    let path = format!("{ENDPOINTS}/we_00000000000000000000000000/recover");
    assert_eq!(
        bed.send(post(&path, &token).json(&recover)).await.status,
        StatusCode::NOT_FOUND
    );
    bed.end().await;
}
