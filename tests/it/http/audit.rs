//! `GET /v1/audit`: for operators alone, from either end.

use super::bed::{Bed, Call, get, post};
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

fn sequences(list: &Value) -> Vec<i64> {
    let entries = list["data"].as_array().unwrap();
    entries
        .iter()
        .map(|entry| entry["sequence"].as_i64().unwrap())
        .collect()
}

#[tokio::test]
async fn who_changed_what_is_shown_to_operators_alone() {
    let bed = Bed::new().await;
    let merchant = bed.merchant().await;
    let operator = bed.key("house", &["admin"]).await;
    bed.send(get("/v1/audit", &merchant))
        .await
        .refused(403, "scope_missing");
    let nobody = bed.send(Call::new(Method::GET, "/v1/audit")).await;
    nobody.refused(401, "unauthenticated");

    // Something that a person does by the API is told with the person's key.
    let id = bed.pay(&merchant, "one", super::bed::order("1")).await["id"].clone();
    let path = format!("/v1/payments/{}/cancel", id.as_str().unwrap());
    let cancelled = bed.send(post(&path, &merchant)).await;
    assert_eq!(cancelled.status, StatusCode::OK, "{}", cancelled.body);

    let list = bed.send(get("/v1/audit?limit=1", &operator)).await;
    assert_eq!(list.status, StatusCode::OK, "{}", list.body);
    let entry = &list.body["data"][0];
    assert_eq!(entry["object"], "audit_entry");
    assert_eq!(entry["action"], "payment.cancelled");
    assert_eq!(entry["subject"], id);
    assert_eq!(
        entry["actor"],
        json!({ "kind": "key", "id": "k0", "client": "shop" })
    );
    assert_eq!(
        entry["data"]["status"],
        json!({ "before": "processing", "after": "cancelled" })
    );
    assert_eq!(entry["hash"].as_str().unwrap().len(), 64);
    assert_eq!(sequences(&list.body), [3]);
    let cursor = list.body["next_cursor"].as_str().unwrap();
    let rest = bed
        .send(get(&format!("/v1/audit?cursor={cursor}"), &operator))
        .await
        .body;
    assert_eq!(
        (sequences(&rest), &rest["next_cursor"]),
        (vec![2, 1], &Value::Null)
    );
    assert_eq!(
        rest["data"][0]["hash"], entry["prev_hash"],
        "each names the one before it"
    );

    // Whoever copies the log goes forwards.
    let first = bed
        .send(get("/v1/audit?after=0&limit=2", &operator))
        .await
        .body;
    assert_eq!(sequences(&first), [1, 2]);
    let cursor = first["next_cursor"].as_str().unwrap();
    let rest = bed
        .send(get(&format!("/v1/audit?cursor={cursor}"), &operator))
        .await
        .body;
    assert_eq!(
        (sequences(&rest), &rest["next_cursor"]),
        (vec![3], &Value::Null)
    );
    let made = bed
        .send(get("/v1/audit?action=key.created&subject=k1", &operator))
        .await
        .body;
    assert_eq!(sequences(&made), [2]);
    let later = bed
        .send(get("/v1/audit?since=2099-01-01T00:00:00Z", &operator))
        .await
        .body;
    assert_eq!(sequences(&later), [0_i64; 0]);
    for query in ["limit=201", "cursor=3", "after=x", "since=now", "object=k1"] {
        let refused = bed
            .send(get(&format!("/v1/audit?{query}"), &operator))
            .await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{query}");
    }
    bed.end().await;
}
