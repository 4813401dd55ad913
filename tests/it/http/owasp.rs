//! Every route against everybody who is not meant to have it: without a key, with each scope that is not
//! enough, with another client's key, with a field that nobody asked for. The table is held against the
//! routes in the source, so that a route that is missing from it fails.

mod table;

use super::bed::{Answer, Bed, Call, order};
use super::deposits::{book, credit, xrp};
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use table::{For, Of, SCOPES, inventory, routes, table};

#[test]
fn every_route_of_the_source_is_in_the_table() {
    let table: BTreeSet<(String, String)> = table()
        .into_iter()
        .map(|(method, path, ..)| (method.to_owned(), path.to_owned()))
        .collect();
    let source = inventory();
    let missing: Vec<_> = source.difference(&table).collect();
    assert!(
        missing.is_empty(),
        "in the source and not in the table: {missing:?}"
    );
    assert!(
        source.len() >= 39,
        "{} routes are read of the source",
        source.len()
    );
}

/// What one client has: the ids that stand for `{id}`, by the code that says there is none.
struct Things {
    ids: BTreeMap<&'static str, String>,
    nobodys: BTreeMap<&'static str, &'static str>,
}

async fn things(bed: &Bed, owner: &str) -> Things {
    let payment = bed.pay(owner, "k", order("1")).await;
    let post = |path: &str, body: Value| Call::new(Method::POST, path).token(owner).json(&body);
    let invoice = json!({ "amount": { "currency": "XRP", "value": "5" } });
    let invoice = bed.send(post("/v1/invoices", invoice)).await;
    assert_eq!(invoice.status, StatusCode::CREATED, "{}", invoice.body);
    let tag = u32::try_from(invoice.body["destination_tag"].as_u64().unwrap()).unwrap();
    book(bed, vec![credit(1, xrp("5"), Some(tag))]).await;
    let deposits = Call::new(Method::GET, "/v1/deposits").token(owner);
    let deposits = bed.send(deposits).await.body;
    assert_eq!(
        deposits["data"][0]["invoice_id"], invoice.body["id"],
        "{deposits}"
    );
    let endpoint = json!({ "url": "https://receiver.example/hooks" });
    let endpoint = bed.send(post("/v1/webhook-endpoints", endpoint)).await;
    assert_eq!(endpoint.status, StatusCode::CREATED, "{}", endpoint.body);
    let id = |value: &Value| value["id"].as_str().unwrap().to_owned();
    Things {
        ids: [
            ("payment_not_found", id(&payment)),
            ("invoice_not_found", id(&invoice.body)),
            ("deposit_not_found", id(&deposits["data"][0])),
            ("webhook_endpoint_not_found", id(&endpoint.body)),
        ]
        .into(),
        nobodys: [
            ("payment_not_found", "pay_00000000000000000000000000"),
            ("invoice_not_found", "inv_00000000000000000000000000"),
            ("deposit_not_found", "dep_00000000000000000000000000"),
            (
                "webhook_endpoint_not_found",
                "we_00000000000000000000000000",
            ),
        ]
        .into(),
    }
}

fn call(method: &str, path: &str, token: &str, body: Option<&str>) -> Call {
    let call = Call::new(Method::from_bytes(method.as_bytes()).unwrap(), path)
        .token(token)
        .header("idempotency-key", "owasp");
    match body {
        Some(body) => call
            .header("content-type", "application/json")
            .bytes(body.as_bytes()),
        None => call,
    }
}

fn anonymous(answer: &Answer) -> Value {
    let mut body = answer.body.clone();
    body.as_object_mut().unwrap().remove("request_id");
    body
}

fn at(path: &str, id: &str) -> String {
    path.replace("{id}", id)
        .replace("{name}", "hot")
        .replace("{delivery}", "whd_00000000000000000000000000")
}

#[tokio::test]
async fn what_is_another_clients_is_not_there_on_any_route_that_takes_an_id() {
    let bed = Bed::new().await;
    let owner = bed.key("shop", &SCOPES).await;
    let other = bed.key("other", &SCOPES).await;
    let things = things(&bed, &owner).await;
    let mut tried = 0;
    for (method, path, _, of, body) in routes() {
        let Of::Client(code) = of else {
            assert!(!path.contains("{id}"), "{path} says whose its object is");
            continue;
        };
        let body = body.map(|body| body.replace("{invoice}", &things.ids["invoice_not_found"]));
        let ask = async |id: &str| {
            let call = call(method, &at(path, id), &other, body.as_deref());
            bed.send(call).await
        };
        let theirs = ask(&things.ids[code]).await;
        assert_eq!(
            (theirs.status.as_u16(), theirs.body["code"].as_str()),
            (404, Some(code)),
            "{method} {path}: {}",
            theirs.body
        );
        let nobodys = ask(things.nobodys[code]).await;
        let told = |answer: &Answer, id: &str| anonymous(answer).to_string().replace(id, "ID");
        assert_eq!(
            told(&theirs, &things.ids[code]),
            told(&nobodys, things.nobodys[code]),
            "{method} {path} tells what exists"
        );
        tried += 1;
    }
    assert!(tried >= 20, "{tried}");
    // Nothing of it was done: the owner finds everything as it was.
    for (code, path) in [
        ("payment_not_found", "/v1/payments/{id}"),
        ("invoice_not_found", "/v1/invoices/{id}"),
        ("deposit_not_found", "/v1/deposits/{id}"),
        ("webhook_endpoint_not_found", "/v1/webhook-endpoints/{id}"),
    ] {
        let own = call("GET", &at(path, &things.ids[code]), &owner, None);
        let own = bed.send(own).await;
        assert_eq!(own.status, StatusCode::OK, "{}", own.body);
        assert!(own.body["description"].is_null(), "{}", own.body);
    }
    for list in [
        "/v1/payments",
        "/v1/invoices",
        "/v1/deposits",
        "/v1/webhook-endpoints",
        "/v1/events",
    ] {
        let list = bed.send(call("GET", list, &other, None)).await;
        assert_eq!(list.body["data"], json!([]), "a list tells nothing either");
    }
    bed.end().await;
}

#[tokio::test]
async fn no_scope_opens_a_route_that_is_not_its_own() {
    let bed = Bed::new().await;
    let owner = bed.key("shop", &SCOPES).await;
    let things = things(&bed, &owner).await;
    let mut keys = Vec::new();
    for scope in SCOPES {
        keys.push((scope, bed.key("shop", &[scope]).await));
    }
    for (method, path, whose, of, body) in routes() {
        let id = match of {
            Of::Client(code) => things.ids[code].as_str(),
            Of::Nobody => "",
        };
        let path = at(path, id);
        let enough: &[&str] = match whose {
            For::Anybody => continue,
            For::Scopes(scopes) => scopes,
            For::Admin => &[],
        };
        for (scope, token) in &keys {
            if !enough.contains(scope) {
                let answer = bed.send(call(method, &path, token, body)).await;
                assert_eq!(
                    (answer.status.as_u16(), answer.body["code"].as_str()),
                    (403, Some("scope_missing")),
                    "{method} {path} with {scope}: {}",
                    answer.body
                );
            }
        }
        let without = Call::new(Method::from_bytes(method.as_bytes()).unwrap(), &path);
        bed.send(without).await.refused(401, "unauthenticated");
    }
    bed.end().await;
}

#[tokio::test]
async fn no_body_may_bring_a_field_that_is_not_asked_for() {
    let bed = Bed::new().await;
    let owner = bed.key("shop", &SCOPES).await;
    let admin = bed.key("shop", &["admin"]).await;
    let things = things(&bed, &owner).await;
    let mut tried = 0;
    for (method, path, whose, of, body) in routes() {
        let token = match whose {
            For::Admin => &admin,
            For::Anybody | For::Scopes(_) => &owner,
        };
        if body.is_none() {
            continue;
        }
        let id = match of {
            Of::Client(code) => things.ids[code].as_str(),
            Of::Nobody => "",
        };
        // Fields that belong to the object and are not the caller's to set.
        for field in ["surprise", "client", "id"] {
            let body = json!({ field: "x" }).to_string();
            let answer = bed
                .send(call(method, &at(path, id), token, Some(&body)))
                .await;
            assert_eq!(
                (answer.status.as_u16(), answer.body["code"].as_str()),
                (400, Some("unknown_field")),
                "{method} {path} with {field}: {}",
                answer.body
            );
        }
        tried += 1;
    }
    assert!(tried >= 14, "{tried}");
    bed.end().await;
}
