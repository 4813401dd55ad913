//! The feed: pages, what each key sees of it, and the stream.

use super::bed::{Bed, Call, get, order};
use axum::body::BodyDataStream;
use axum::http::{Method, StatusCode};
use futures_util::StreamExt;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tower::ServiceExt;
use xrpayd::store::Actor;

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

fn sequences(page: &Value) -> Vec<i64> {
    let rows = page["data"].as_array().unwrap();
    rows.iter()
        .map(|row| row["sequence"].as_i64().unwrap())
        .collect()
}

#[tokio::test]
async fn the_feed_is_read_in_order_page_by_page_and_goes_on_from_any_event() {
    let bed = Bed::new().await;
    let token = bed.merchant().await;
    let mut made = Vec::new();
    for n in 0..7 {
        let mut body = order("1.5");
        body["reference"] = json!(format!("order {n}"));
        body["metadata"] = json!({"cart": n.to_string()});
        made.push(bed.pay(&token, &format!("k{n}"), body).await);
    }
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let page = bed
            .send(get(&format!("/v1/events?limit=3{after}"), &token))
            .await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        seen.extend(page.body["data"].as_array().unwrap().clone());
        let Some(next) = page.body["next_cursor"].as_str() else {
            break;
        };
        after = format!("&after={next}");
    }
    assert_eq!(seen.len(), 7);
    for (n, (event, payment)) in seen.iter().zip(&made).enumerate() {
        assert_eq!(event["sequence"], n + 1);
        assert_eq!(event["type"], "payment.processing");
        assert_eq!(event["timestamp"], "2027-01-15T08:00:00.000Z");
        let names: Vec<&String> = event.as_object().unwrap().keys().collect();
        assert_eq!(names, ["data", "sequence", "timestamp", "type"]);
        // What is told is what is shown, in the very same words.
        for (name, value) in event["data"].as_object().unwrap() {
            if name != "by" {
                assert_eq!(payment.get(name), Some(value), "{name}");
            }
        }
        for name in ["object", "id", "status", "substatus", "amount", "reference"] {
            assert!(!event["data"][name].is_null(), "{name} in {event}");
        }
    }
    let rest = bed.send(get("/v1/events?after=5", &token)).await;
    assert_eq!(sequences(&rest.body), [6, 7]);
    assert_eq!(rest.body["next_cursor"], "7");
    let end = bed.send(get("/v1/events?after=7", &token)).await;
    assert_eq!(end.body, json!({"data": [], "next_cursor": null}));
    let beyond = bed.send(get("/v1/events?after=8", &token)).await;
    assert_eq!(beyond.refused(400, "invalid_query"), ["/query/after"]);
    bed.end().await;
}

#[tokio::test]
async fn a_key_sees_its_own_clients_events_and_of_the_types_that_it_asks_for() {
    let bed = Bed::new().await;
    let shop = bed.merchant().await;
    let kiosk = bed.key("kiosk", &["payments:read", "payments:write"]).await;
    let admin = bed.key("ops", &["admin"]).await;
    let blind = bed.key("shop", &["payments:write"]).await;
    let first = bed.pay(&shop, "a", order("1")).await;
    bed.pay(&kiosk, "a", order("1")).await;
    let path = format!("/v1/payments/{}/cancel", first["id"].as_str().unwrap());
    bed.send(super::bed::post(&path, &shop)).await;
    for (token, query, expected) in [
        (&shop, "", vec![1, 3]),
        (&kiosk, "", vec![2]),
        (&admin, "", vec![1, 2, 3]),
        (&shop, "?type=payment.cancelled", vec![3]),
        (
            &admin,
            "?type=payment.processing,payment.failed",
            vec![1, 2],
        ),
        (&kiosk, "?type=payment.cancelled", vec![]),
    ] {
        let page = bed.send(get(&format!("/v1/events{query}"), token)).await;
        assert_eq!(sequences(&page.body), expected, "{query}");
    }
    let refused = bed.send(get("/v1/events", &blind)).await;
    refused.refused(403, "scope_missing");
    let refused = bed.send(get("/v1/events/stream", &blind)).await;
    refused.refused(403, "scope_missing");
    bed.end().await;
}

#[tokio::test]
async fn events_of_invoices_are_shown_to_those_who_may_read_invoices() {
    let bed = Bed::new().await;
    let scopes = [
        "payments:read",
        "payments:write",
        "invoices:write",
        "invoices:read",
    ];
    let shop = bed.key("shop", &scopes).await;
    let payments_only = bed.merchant().await;
    let admin = bed.key("ops", &["admin"]).await;
    bed.pay(&shop, "a", order("1")).await;
    let invoice = Call::new(Method::POST, "/v1/invoices").token(&shop);
    let body = json!({"amount": {"currency": "XRP", "value": "1"}});
    let invoice = bed.send(invoice.json(&body)).await;
    assert_eq!(invoice.status, StatusCode::CREATED, "{}", invoice.body);
    let path = format!(
        "/v1/invoices/{}/cancel",
        invoice.body["id"].as_str().unwrap()
    );
    bed.send(super::bed::post(&path, &shop)).await;
    for (token, expected) in [
        (&shop, vec!["payment.processing", "invoice.cancelled"]),
        (&payments_only, vec!["payment.processing"]),
        (&admin, vec!["payment.processing", "invoice.cancelled"]),
    ] {
        let page = bed.send(get("/v1/events", token)).await;
        let rows = page.body["data"].as_array().unwrap();
        let types: Vec<&str> = rows
            .iter()
            .map(|row| row["type"].as_str().unwrap())
            .collect();
        assert_eq!(types, expected);
    }
    bed.end().await;
}

#[tokio::test]
async fn a_place_before_the_retained_events_is_gone_and_the_oldest_is_named() {
    let bed = Bed::new().await;
    let token = bed.merchant().await;
    let first = bed.pay(&token, "a", order("1")).await;
    bed.pay(&token, "b", order("1")).await;
    bed.clock.advance(Duration::from_secs(60));
    bed.pay(&token, "c", order("1")).await;
    let expired = bed
        .store
        .expire_events(super::bed::START.plus_ms(30_000))
        .await
        .unwrap();
    assert_eq!((expired.events, expired.deleted), (2, 0));
    for path in [
        "/v1/events?after=1",
        "/v1/events?after=0",
        "/v1/events/stream?after=1",
    ] {
        let gone = bed.send(get(path, &token)).await;
        gone.refused(410, "events_expired");
        assert_eq!(gone.body["oldest_sequence"], 3, "{path}");
    }
    for path in ["/v1/events?after=2", "/v1/events"] {
        let page = bed.send(get(path, &token)).await;
        assert_eq!(sequences(&page.body), [3], "{path}");
    }
    let own = format!("/v1/payments/{}/events", first["id"].as_str().unwrap());
    let own = bed.send(get(&own, &token)).await;
    assert_eq!(sequences(&own.body), [1], "a payment's history stays");
    bed.end().await;
}

/// One block of a stream: its fields, a comment as the field without a name.
type Block = Vec<(String, String)>;

struct Reader {
    body: BodyDataStream,
    text: String,
}

impl Reader {
    async fn open(bed: &Bed, call: Call) -> Self {
        let response = bed.router.clone().oneshot(call.build()).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-store");
        Self {
            body: response.into_body().into_data_stream(),
            text: String::new(),
        }
    }

    /// The next block; none where the stream is over.
    async fn block(&mut self) -> Option<Block> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let fields = block.lines().map(|line| {
                    let (name, value) = line.split_once(':').unwrap();
                    (name.to_owned(), value.trim_start().to_owned())
                });
                let fields = fields.collect();
                self.text = rest.to_owned();
                return Some(fields);
            }
            let chunk = tokio::time::timeout(PATIENCE, self.body.next()).await;
            let chunk = chunk.expect("a stream says that it stands")?;
            self.text
                .push_str(std::str::from_utf8(&chunk.unwrap()).unwrap());
        }
    }

    /// The next event, with its id, its type and what it tells; none where the stream is over.
    async fn event(&mut self) -> Option<(i64, String, Value)> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            assert!(Instant::now() < deadline, "no event comes");
            let block = self.block().await?;
            let field = |name: &str| {
                let found = block.iter().find(|(field, _)| field == name);
                found.map(|(_, value)| value.clone())
            };
            if let Some(data) = field("data") {
                let data = serde_json::from_str(&data).unwrap();
                return Some((
                    field("id").unwrap().parse().unwrap(),
                    field("event").unwrap(),
                    data,
                ));
            }
        }
    }

    async fn ids(&mut self, count: usize) -> Vec<i64> {
        let mut ids = Vec::new();
        while ids.len() < count {
            ids.push(self.event().await.expect("an event").0);
        }
        ids
    }
}

fn stream(query: &str, token: &str) -> Call {
    get(&format!("/v1/events/stream{query}"), token)
}

#[tokio::test]
async fn a_stream_begins_at_the_end_and_tells_what_comes_as_the_feed_shows_it() {
    let bed = Bed::new().await;
    let token = bed.merchant().await;
    bed.pay(&token, "before", order("1")).await;
    let mut reader = Reader::open(&bed, stream("", &token)).await;
    let greeting = reader.block().await.unwrap();
    let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(greeting, [field("retry", "1000"), field("id", "1")]);
    bed.pay(&token, "after", order("1")).await;
    let (id, kind, data) = reader.event().await.unwrap();
    assert_eq!((id, kind.as_str()), (2, "payment.processing"));
    let page = bed.send(get("/v1/events?after=1", &token)).await;
    assert_eq!(data, page.body["data"][0]);
    let quiet = reader.block().await.unwrap();
    assert_eq!(quiet, [field("", "")], "a comment keeps the line alive");
    bed.end().await;
}

#[tokio::test]
async fn a_stream_goes_on_after_the_last_id_that_its_reader_saw() {
    let bed = Bed::new().await;
    let token = bed.merchant().await;
    for n in 0..250 {
        bed.pay(&token, &format!("k{n}"), order("0.001")).await;
    }
    let resumed = stream("?after=3", &token).header("last-event-id", "40");
    let mut reader = Reader::open(&bed, resumed).await;
    assert_eq!(reader.ids(210).await, (41..=250).collect::<Vec<_>>());
    let mut reader = Reader::open(&bed, stream("?after=247", &token)).await;
    assert_eq!(reader.ids(3).await, [248, 249, 250]);
    drop(reader);
    for (id, status, code) in [
        ("x", 400, "invalid_header"),
        ("-1", 400, "invalid_header"),
        ("251", 400, "invalid_query"),
    ] {
        let call = stream("", &token).header("last-event-id", id);
        bed.send(call).await.refused(status, code);
    }
    bed.end().await;
}

#[tokio::test]
async fn a_stream_tells_its_place_to_a_reader_whom_nothing_concerns() {
    let bed = Bed::new().await;
    let shop = bed.merchant().await;
    let kiosk = bed.key("kiosk", &["payments:read"]).await;
    let mut reader = Reader::open(&bed, stream("", &kiosk)).await;
    bed.pay(&shop, "a", order("1")).await;
    bed.pay(&shop, "b", order("1")).await;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let block = reader.block().await.unwrap();
        assert!(!block.iter().any(|(name, _)| name == "data"), "{block:?}");
        if block.contains(&("id".to_owned(), "2".to_owned())) {
            break;
        }
        assert!(Instant::now() < deadline);
    }
    bed.end().await;
}

#[tokio::test]
async fn a_stream_ends_with_its_key_and_with_the_daemon() {
    let bed = Bed::new().await;
    let first = bed.merchant().await;
    let second = bed.merchant().await;
    let mut of_first = Reader::open(&bed, stream("", &first)).await;
    let mut of_second = Reader::open(&bed, stream("", &second)).await;
    bed.store
        .revoke_key("k0", &Actor::Daemon, super::bed::START)
        .await
        .unwrap();
    // The key is believed for a second by the daemon's own clock.
    bed.clock.advance(Duration::from_secs(2));
    assert_eq!(of_first.event().await, None);
    bed.pay(&second, "a", order("1")).await;
    assert_eq!(of_second.ids(1).await, [1], "another key's goes on");
    *bed.live.draining.lock().unwrap() = true;
    assert_eq!(of_second.event().await, None);
    let refused = bed.send(stream("", &second)).await;
    refused.refused(503, "shutting_down");
    bed.end().await;
}

#[tokio::test]
async fn a_key_holds_so_many_streams_open_and_no_more() {
    let bed = Bed::new().await;
    let token = bed.merchant().await;
    let other = bed.merchant().await;
    let first = Reader::open(&bed, stream("", &token)).await;
    let _second = Reader::open(&bed, stream("", &token)).await;
    let refused = bed.send(stream("", &token)).await;
    refused.refused(429, "too_many_streams");
    assert_eq!(refused.header("retry-after"), Some("1"));
    let _others = Reader::open(&bed, stream("", &other)).await;
    drop(first);
    let head = Call::new(Method::HEAD, "/v1/events/stream").token(&token);
    assert_eq!(bed.send(head).await.status, StatusCode::OK);
    let _again = Reader::open(&bed, stream("", &token)).await;
    bed.end().await;
}

#[tokio::test]
async fn a_stream_tells_what_another_replica_wrote() {
    let Some(bed) = Bed::postgres(|_| {}).await else {
        return;
    };
    let token = bed.merchant().await;
    let mut reader = Reader::open(&bed, stream("", &token)).await;
    let replica = bed.replica().await;
    let new = crate::store::request("key", "1", super::bed::START);
    replica.accept(new).await.unwrap();
    let (id, kind, _) = reader.event().await.unwrap();
    assert_eq!((id, kind.as_str()), (1, "payment.processing"));
    replica.close().await;
    bed.end().await;
}
