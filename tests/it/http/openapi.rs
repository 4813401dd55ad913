//! The OpenAPI document against the routes, its own examples and what a reader needs.

use super::bed::{Bed, Call, get};
use super::schema::{DOCUMENT, faults, resolved, target};
use axum::http::{Method, StatusCode};
use regex::Regex;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use xrpayd::http::problem::Code;

/// Every method and path that the document describes.
fn described() -> BTreeSet<(String, String)> {
    let paths = DOCUMENT["paths"].as_object().unwrap();
    let all = paths.iter().flat_map(|(path, methods)| {
        let methods = methods.as_object().unwrap().keys();
        methods.map(|method| (method.to_uppercase(), path.clone()))
    });
    all.collect()
}

/// Every method and path that the router has: the paths by what it shows of itself, the methods by what it
/// says is allowed.
async fn routed(bed: &Bed) -> BTreeSet<(String, String)> {
    let shown = format!("{:?}", bed.router);
    let path = Regex::new(r#"RouteId\(\d+\): "(/[^"]*)""#).unwrap();
    let paths: BTreeSet<&str> = path
        .captures_iter(&shown)
        .map(|found| found.get(1).unwrap().as_str())
        // What catches everything that has no route.
        .filter(|path| *path != "/" && !path.contains("{*"))
        .collect();
    let mut routes = BTreeSet::new();
    for path in paths {
        let place = path.replace(['{', '}'], "");
        let call = Call::new(Method::from_bytes(b"BREW").unwrap(), &place);
        let answer = bed.send(call).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
        let allowed = answer.header("allow").unwrap().to_owned();
        let methods = allowed.split(',').filter(|method| *method != "HEAD");
        routes.extend(methods.map(|method| (method.to_owned(), path.to_owned())));
    }
    routes
}

#[tokio::test]
async fn every_route_is_described_and_every_description_has_its_route() {
    let bed = Bed::new().await;
    let (routed, described) = (routed(&bed).await, described());
    assert!(
        routed.len() > 30,
        "the router shows {} routes",
        routed.len()
    );
    let undescribed: Vec<_> = routed.difference(&described).collect();
    assert!(
        undescribed.is_empty(),
        "not in the document: {undescribed:?}"
    );
    let unrouted: Vec<_> = described.difference(&routed).collect();
    assert!(unrouted.is_empty(), "no such route: {unrouted:?}");
    bed.end().await;
}

#[test]
fn every_code_that_can_be_answered_is_described() {
    let words = &DOCUMENT["components"]["schemas"]["ProblemCode"]["enum"];
    let words: BTreeSet<&str> = words
        .as_array()
        .unwrap()
        .iter()
        .map(|w| w.as_str().unwrap())
        .collect();
    let codes: BTreeSet<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(words, codes);
    let mut told = BTreeSet::new();
    for (_, _, operation) in operations() {
        for (status, response) in operation["responses"].as_object().unwrap() {
            let response = resolved(response);
            let schema = &response["content"]["application/problem+json"]["schema"];
            let codes = schema["allOf"][1]["properties"]["code"]["enum"].as_array();
            for code in codes.into_iter().flatten() {
                let mut all = Code::ALL.iter();
                let code = all.find(|known| known.as_str() == code).unwrap();
                assert_eq!(code.status().as_str(), status);
                told.insert(code.as_str());
            }
        }
    }
    // What no route answers: nothing is there, and the method is another one.
    let nowhere = BTreeSet::from(["not_found", "method_not_allowed"]);
    let missing: Vec<_> = codes
        .difference(&told)
        .filter(|code| !nowhere.contains(*code))
        .collect();
    assert!(missing.is_empty(), "no route answers {missing:?}");
}

fn operations() -> impl Iterator<Item = (&'static str, &'static str, &'static Value)> {
    let paths = DOCUMENT["paths"].as_object().unwrap();
    paths.iter().flat_map(|(path, methods)| {
        let methods = methods.as_object().unwrap();
        methods
            .iter()
            .map(|(method, operation)| (path.as_str(), method.as_str(), operation))
    })
}

#[test]
fn every_example_is_one() {
    let mut seen = 0;
    for (path, method, operation) in operations() {
        let what = format!("{method} {path}");
        if let Some(body) = operation.get("requestBody") {
            let content = &body["content"]["application/json"];
            assert_eq!(
                faults(&content["schema"], &content["example"]),
                [""; 0],
                "{what}"
            );
            seen += 1;
        }
        for parameter in operation["parameters"].as_array().unwrap() {
            if let Some(example) = parameter.get("example") {
                assert_eq!(faults(&parameter["schema"], example), [""; 0], "{what}");
                seen += 1;
            }
        }
    }
    for (name, schema) in DOCUMENT["components"]["schemas"].as_object().unwrap() {
        for example in schema["examples"].as_array().into_iter().flatten() {
            assert_eq!(faults(schema, example), [""; 0], "{name}");
            seen += 1;
        }
    }
    assert!(seen > 30, "only {seen} examples");
}

#[test]
fn every_reference_leads_somewhere_and_everything_is_referred_to() {
    let text = DOCUMENT.to_string();
    let reference = Regex::new(r##""\$ref":"(#[^"]+)""##).unwrap();
    let used: BTreeSet<&str> = reference
        .captures_iter(&text)
        .map(|r| r.get(1).unwrap().as_str())
        .collect();
    for place in &used {
        target(&json!(place));
    }
    for kind in ["schemas", "responses", "headers"] {
        for name in DOCUMENT["components"][kind].as_object().unwrap().keys() {
            let place = format!("#/components/{kind}/{name}");
            // Codes are told beside each answer, a few at a time.
            assert!(used.contains(place.as_str()), "nothing uses {place}");
        }
    }
}

#[test]
fn an_object_of_a_request_takes_nothing_that_is_not_named() {
    for (path, method, operation) in operations() {
        let Some(body) = operation.get("requestBody") else {
            continue;
        };
        let mut todo = vec![&body["content"]["application/json"]["schema"]];
        while let Some(schema) = todo.pop() {
            if let Some(reference) = schema.get("$ref") {
                todo.push(target(reference));
            }
            for parts in ["oneOf", "allOf"] {
                todo.extend(schema[parts].as_array().into_iter().flatten());
            }
            todo.extend(schema.get("items"));
            if let Some(members) = schema["properties"].as_object() {
                assert_eq!(
                    schema["additionalProperties"], false,
                    "{method} {path}: {schema}"
                );
                todo.extend(members.values());
            }
        }
    }
}

#[test]
fn every_operation_has_a_name_of_its_own_a_group_and_a_summary() {
    let groups = DOCUMENT["tags"].as_array().unwrap();
    let groups: BTreeSet<&str> = groups
        .iter()
        .map(|tag| tag["name"].as_str().unwrap())
        .collect();
    let mut names = BTreeSet::new();
    for (path, _, operation) in operations() {
        assert!(
            names.insert(operation["operationId"].as_str().unwrap()),
            "{path}"
        );
        assert!(
            groups.contains(operation["tags"][0].as_str().unwrap()),
            "{path}"
        );
        assert!(!operation["summary"].as_str().unwrap().is_empty(), "{path}");
        let responses = operation["responses"].as_object().unwrap().values();
        let links = responses
            .filter_map(|response| response["links"].as_object())
            .flatten();
        for (_, link) in links {
            let of_that_name = |one: &(_, _, &Value)| one.2["operationId"] == link["operationId"];
            let (place, _, _) = operations()
                .find(of_that_name)
                .expect("a link leads to a route");
            for part in link["parameters"].as_object().unwrap().keys() {
                assert!(
                    place.contains(&format!("{{{part}}}")),
                    "{path} leads to {place}"
                );
            }
        }
        let needs_key = path.starts_with("/v1/");
        assert_eq!(operation["security"] != json!([]), needs_key, "{path}");
        for part in path.split('/').filter(|part| part.starts_with('{')) {
            let name = part.trim_matches(['{', '}']);
            let parameters = operation["parameters"].as_array().unwrap();
            let is_it = |one: &&Value| one["in"] == "path" && one["name"] == name;
            assert_eq!(parameters.iter().filter(is_it).count(), 1, "{path}: {name}");
        }
    }
}

#[test]
fn a_check_notices_what_is_wrong() {
    let problem = json!({ "$ref": "#/components/schemas/Problem" });
    assert!(!faults(&problem, &json!({})).is_empty());
    let amount = json!({ "$ref": "#/components/schemas/Amount" });
    assert_eq!(
        faults(&amount, &json!({ "currency": "XRP", "value": "1.5" })),
        [""; 0]
    );
    for wrong in [
        json!({ "currency": "XRP" }),
        json!({ "currency": "XRP", "value": 1 }),
        json!({ "currency": "XRP", "value": "1e5" }),
        json!({ "currency": "USD", "value": "1" }),
        json!({ "currency": "XRP", "value": "1", "colour": "red" }),
        json!([]),
    ] {
        assert!(!faults(&amount, &wrong).is_empty(), "{wrong}");
    }
}

#[tokio::test]
async fn the_document_and_the_page_need_no_key_and_are_known_again() {
    let bed = Bed::new().await;
    for (path, kind) in [
        ("/openapi.json", "application/json"),
        ("/docs", "text/html; charset=utf-8"),
    ] {
        let first = bed.send(Call::new(Method::GET, path)).await;
        assert_eq!(first.status, StatusCode::OK);
        assert_eq!(first.header("content-type"), Some(kind));
        assert_eq!(
            first.header("cache-control"),
            Some("public, max-age=60, must-revalidate")
        );
        let tag = first.header("etag").unwrap().to_owned();
        let again = Call::new(Method::GET, path).header("if-none-match", &tag);
        let again = bed.send(again).await;
        assert_eq!(
            (again.status, again.text.as_str()),
            (StatusCode::NOT_MODIFIED, "")
        );
        assert_eq!(again.header("etag"), Some(tag.as_str()));
        let another = Call::new(Method::GET, path).header("if-none-match", "\"other\"");
        assert_eq!(bed.send(another).await.status, StatusCode::OK);
    }
    let document = bed.send(Call::new(Method::GET, "/openapi.json")).await;
    assert_eq!(document.body, *DOCUMENT);
    bed.end().await;
}

#[tokio::test]
async fn the_page_is_whole_by_itself_and_lets_nothing_else_run() {
    let bed = Bed::new().await;
    let page = bed.send(Call::new(Method::GET, "/docs")).await;
    let html = &page.text;
    for (_, _, operation) in operations() {
        let id = format!("id=\"{}\"", operation["operationId"].as_str().unwrap());
        assert!(html.contains(&id), "{id}");
    }
    // Every anchor is there, and nothing comes from elsewhere.
    let link = Regex::new(r#"href="([^"]*)""#).unwrap();
    for found in link.captures_iter(html) {
        match found.get(1).unwrap().as_str() {
            "/openapi.json" => {}
            anchor => {
                let id = format!("id=\"{}\"", anchor.strip_prefix('#').expect("an anchor"));
                assert!(html.contains(&id), "{anchor} leads nowhere");
            }
        }
    }
    for outside in [
        "src=", "@import", "url(", "<link", "<iframe", "<form", "style=\"", "onclick",
    ] {
        assert!(!html.contains(outside), "{outside}");
    }
    let policy = page.header("content-security-policy").unwrap();
    for (tag, rule) in [("script", "script-src"), ("style", "style-src")] {
        let (open, close) = (format!("<{tag}>"), format!("</{tag}>"));
        let (_, rest) = html.split_once(&open).unwrap();
        let (inside, _) = rest.split_once(&close).unwrap();
        assert_eq!(html.matches(&open).count(), 1);
        let hash = ring::digest::digest(&ring::digest::SHA256, inside.as_bytes());
        let hash = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, hash);
        assert!(
            policy.contains(&format!("{rule} 'sha256-{hash}'")),
            "{policy}"
        );
    }
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"));
    assert!(html.contains("<noscript>"));
    let token = bed.merchant().await;
    let same = bed.send(get("/docs", &token)).await;
    assert_eq!(same.text, page.text);
    bed.end().await;
}
