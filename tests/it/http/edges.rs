//! What strangers can do to the listener with bytes that are no request.

mod connections;

use super::bed::{Bed, Call, get, order};
use axum::http::{Method, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use std::io::Read as _;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt as _;
use xrpayd::http::edges::Edges;

const LIVE: &str = "GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n";
/// Long enough for a machine that is busy with everything else.
const PATIENCE: Duration = Duration::from_secs(30);

async fn serve(edges: Edges) -> (Bed, SocketAddr) {
    let mut bed = Bed::new().await;
    bed.state.settings.edges = edges;
    bed.state.settings.request_timeout = PATIENCE;
    let http = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let metrics = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = http.local_addr().unwrap();
    xrpayd::http::serve(http, metrics, bed.state.clone(), &bed.web).await;
    (bed, address)
}

/// Everything that is answered until the connection is closed.
async fn rest(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer));
    read.await.expect("the connection is closed").unwrap();
    String::from_utf8(answer).unwrap()
}

async fn exchange(address: SocketAddr, bytes: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes.as_bytes()).await.unwrap();
    rest(&mut stream).await
}

/// One answer, whose body is as long as it says.
async fn answer(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    loop {
        let mut byte = [0_u8; 1];
        let read = tokio::time::timeout(PATIENCE, stream.read_exact(&mut byte));
        read.await.expect("an answer").unwrap();
        text.push(byte[0]);
        if text.ends_with(b"\r\n\r\n") {
            break;
        }
    }
    let head = String::from_utf8(text.clone()).unwrap();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0_u8; length];
    stream.read_exact(&mut body).await.unwrap();
    text.extend(body);
    String::from_utf8(text).unwrap()
}

/// How many answers there are.
fn answers_in(answer: &str) -> usize {
    let heads = answer.lines().filter(|line| line.starts_with("HTTP/1.1 "));
    heads.count()
}

fn status(answer: &str) -> u16 {
    let code = answer.split(' ').nth(1).unwrap_or_default();
    code.parse().unwrap_or_else(|_| panic!("{answer:?}"))
}

/// Expects exactly one answer, a whole problem document with the headers of every answer.
fn refused(answer: &str, expected: u16, code: &str) {
    assert_eq!(status(answer), expected, "{answer}");
    assert_eq!(answers_in(answer), 1, "{answer}");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let has = |line: &str| head.lines().any(|own| own == line);
    assert!(has("content-type: application/problem+json"), "{answer}");
    assert!(has("x-content-type-options: nosniff") && has("connection: close"));
    let problem: Value = serde_json::from_str(body).unwrap();
    assert_eq!(problem["code"], code, "{answer}");
    let id = problem["request_id"].as_str().unwrap();
    assert!(has(&format!("x-request-id: {id}")), "{answer}");
}

#[tokio::test]
async fn what_two_readers_could_take_for_different_requests_is_refused_and_nothing_behind_it_is_read()
 {
    let (bed, address) = serve(Edges::default()).await;
    let token = bed.merchant().await;
    let smuggled =
        format!("GET /v1/payments HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n");
    for fields in [
        "content-length: 0\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 4\r\n",
        "content-length: 4\r\ncontent-length: 0\r\n",
        "content-length: 4\r\ncontent-length: 4\r\n",
        "content-length: 4, 4\r\n",
        "content-length: +4\r\n",
        "content-length: 4 4\r\n",
        "transfer-encoding: chunked, identity\r\n",
        "transfer-encoding: \x0bchunked\r\n",
        "transfer-encoding : chunked\r\n",
        "x: y\r\n folded: z\r\n",
        "x: y\n",
        "x: a\0b\r\n",
        "x\0: b\r\n",
        "host: other\r\n",
    ] {
        let first = format!("POST /v1/payments HTTP/1.1\r\nhost: x\r\n{fields}\r\n0\r\n\r\n");
        let answer = exchange(address, &format!("{first}{smuggled}")).await;
        refused(&answer, 400, "malformed_request");
    }
    for whole in [
        "GET / HTTP/1.1\r\n\r\n",
        "GET /\0 HTTP/1.1\r\nhost: x\r\n\r\n",
        "GET / HTTP/3.0\r\nhost: x\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "CONNECT example.org:443 HTTP/1.1\r\nhost: x\r\n\r\n",
        "GET / HTTP/1.1\nhost: x\n\n",
        "\u{16}\u{3}\u{1}\u{2}\n",
        "hello\r\n\r\n",
    ] {
        refused(&exchange(address, whole).await, 400, "malformed_request");
    }
    let count = |status: &str| {
        let labels = ["GET", "unmatched", status];
        let family = &bed.metrics.http_requests_total;
        family.with_label_values(&labels).get()
    };
    assert_eq!(
        count("400"),
        23,
        "each is counted, under no path of a stranger's"
    );
    bed.end().await;
}

#[tokio::test]
async fn a_chunked_body_is_read_to_its_end_and_no_request_is_taken_behind_it() {
    let (bed, address) = serve(Edges::default()).await;
    let token = bed.merchant().await;
    let head = format!(
        "POST /v1/payments HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\nidempotency-key: k\r\n\
         transfer-encoding: chunked\r\n\r\n"
    );
    let body = order("1").to_string();
    let (one, two) = body.split_at(20);
    let good = format!(
        "{head}{:x}\r\n{one}\r\n{:X};ext=1\r\n{two}\r\n0\r\nx-trailer: 1\r\n\r\n{LIVE}",
        one.len(),
        two.len()
    );
    let answer = exchange(address, &good).await;
    assert_eq!(status(&answer), 201, "{answer}");
    assert_eq!(answers_in(&answer), 1, "{answer}");
    assert!(answer.contains("connection: close\r\n"), "{answer}");
    for chunks in [
        "x\r\n",
        "-1\r\n",
        "fffffffffffffffff\r\n",
        "1\r\nab\r\n",
        "1 1\r\na\r\n",
        "\r\n",
        "1\na",
    ] {
        let answer = exchange(address, &format!("{head}{chunks}0\r\n\r\n{LIVE}")).await;
        assert_eq!(status(&answer), 400, "{chunks:?}: {answer}");
        assert_eq!(answers_in(&answer), 1, "{chunks:?}: {answer}");
    }
    // Nobody said how long it is, and it is longer than it may be.
    let chunk = format!("400\r\n{}\r\n", " ".repeat(0x400));
    let long = format!("{head}{}0\r\n\r\n", chunk.repeat(11));
    let answer = exchange(address, &long).await;
    assert_eq!(status(&answer), 413, "{answer}");
    assert!(answer.contains("body_too_large"));
    bed.end().await;
}

#[tokio::test]
async fn heads_that_are_too_large_are_refused_by_what_is_too_large() {
    let (bed, address) = serve(Edges::default()).await;
    let ended = |head: String| format!("{head}\r\n\r\n");
    let line = format!("GET /{}", "x".repeat(9_000));
    refused(&exchange(address, &line).await, 414, "uri_too_long");
    let line = ended(format!("{line} HTTP/1.1\r\nhost: x"));
    refused(&exchange(address, &line).await, 414, "uri_too_long");
    let field = format!("GET / HTTP/1.1\r\nhost: x\r\nx: {}", "x".repeat(17_000));
    refused(&exchange(address, &field).await, 431, "headers_too_large");
    refused(
        &exchange(address, &ended(field)).await,
        431,
        "headers_too_large",
    );
    let fields = "x: y\r\n".repeat(100);
    let many = ended(format!("GET / HTTP/1.1\r\nhost: x\r\n{fields}"));
    refused(&exchange(address, &many).await, 431, "headers_too_large");
    // What is within the bounds is a request like any other: sixteen kilobytes of head, 8 of line.
    let long = format!("/health/live?{}", "x".repeat(8_000));
    let large = "y".repeat(8_000);
    let fits = format!("GET {long} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx: {large}\r\n\r\n");
    assert_eq!(status(&exchange(address, &fits).await), 200);
    bed.end().await;
}

#[tokio::test]
async fn requests_that_come_together_are_answered_in_their_order() {
    let (bed, address) = serve(Edges::default()).await;
    let token = bed.merchant().await;
    let body = order("1").to_string();
    let pay = format!(
        "POST /v1/payments HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\nidempotency-key: k\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(address).await.unwrap();
    let together =
        format!("\r\n{LIVE}{pay}{LIVE}\r\n{pay}GET /nowhere HTTP/1.1\r\nhost: x\r\n\r\nbroken\n");
    stream.write_all(together.as_bytes()).await.unwrap();
    for expected in [200, 201, 200, 200, 404] {
        let answer = answer(&mut stream).await;
        assert_eq!(status(&answer), expected, "{answer}");
    }
    refused(&rest(&mut stream).await, 400, "malformed_request");

    // The same, in pieces of any size.
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    for piece in together.as_bytes().chunks(7) {
        stream.write_all(piece).await.unwrap();
        tokio::task::yield_now().await;
    }
    for expected in [200, 200, 200, 200, 404] {
        assert_eq!(status(&answer(&mut stream).await), expected);
    }
    refused(&rest(&mut stream).await, 400, "malformed_request");
    bed.end().await;
}

#[tokio::test]
async fn old_odd_and_other_methods_and_targets_have_their_answers() {
    let (bed, address) = serve(Edges::default()).await;
    let old = exchange(address, "GET /health/live HTTP/1.0\r\n\r\n").await;
    assert_eq!(status(&old), 200, "{old}");
    let ask = |line: &str| format!("{line} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    for (line, expected) in [
        ("GET http://elsewhere.example/health/live", 200),
        ("HEAD /health/live", 200),
        ("OPTIONS /health/live", 204),
        ("OPTIONS *", 404),
        ("TRACE /health/live", 405),
        ("BREW /v1/payments", 405),
        ("GET /v1/../v1/payments", 404),
        ("GET /v1/payments%00", 404),
        ("GET //v1/payments", 404),
    ] {
        let answer = exchange(address, &ask(line)).await;
        assert_eq!(status(&answer), expected, "{line}: {answer}");
        assert!(answer.contains("x-request-id: "), "{answer}");
        let names_methods = answer.contains("allow: ");
        assert_eq!(names_methods, matches!(expected, 204 | 405), "{answer}");
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        assert_eq!(body.is_empty(), line.starts_with("HEAD") || expected == 204);
    }
    bed.end().await;
}

#[tokio::test]
async fn only_pages_of_named_origins_may_read_the_answers() {
    let mut bed = Bed::new().await;
    let token = bed.merchant().await;
    let ask = |origin: &str| get("/v1/payments", &token).header("origin", origin);
    let preflight = |origin: &str, path: &str| {
        Call::new(Method::OPTIONS, path)
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header(
                "access-control-request-headers",
                "authorization,idempotency-key",
            )
    };
    // As shipped nobody is named.
    let shop = "https://shop.example";
    let answer = bed.send(ask(shop)).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("access-control-allow-origin"), None);
    let answer = bed.send(preflight(shop, "/v1/payments")).await;
    assert_eq!(answer.header("access-control-allow-origin"), None);

    bed.state.settings.edges.cors_origins =
        vec![shop.to_owned(), "http://localhost:5173".to_owned()];
    bed.router = xrpayd::http::router(bed.state.clone());
    for origin in [shop, "http://localhost:5173"] {
        let answer = bed.send(ask(origin)).await;
        assert_eq!(answer.header("access-control-allow-origin"), Some(origin));
        assert_eq!(answer.header("vary"), Some("origin"));
        let exposed = answer.header("access-control-expose-headers").unwrap();
        assert!(exposed.contains("x-request-id") && exposed.contains("retry-after"));
        assert_eq!(answer.header("access-control-allow-credentials"), None);
        let answer = bed.send(preflight(origin, "/v1/payments")).await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT);
        assert_eq!(answer.header("access-control-allow-origin"), Some(origin));
        for (name, word) in [
            ("access-control-allow-methods", "POST"),
            ("access-control-allow-headers", "idempotency-key"),
            ("access-control-allow-headers", "authorization"),
            ("access-control-max-age", "600"),
        ] {
            let said = answer.header(name).unwrap();
            assert!(said.contains(word), "{name}: {said}");
        }
        assert!(answer.header("x-request-id").is_some());
    }
    // A refusal can be read as well, so that the page can say what is wrong.
    let refusal = Call::new(Method::GET, "/v1/payments").header("origin", shop);
    let refusal = bed.send(refusal).await;
    refusal.refused(401, "unauthenticated");
    assert_eq!(refusal.header("access-control-allow-origin"), Some(shop));
    for stranger in [
        "https://shop.example.evil",
        "https://evil.shop.example",
        "http://shop.example",
        "https://shop.example:8443",
        "https://SHOP.example",
        "https://shop.example/",
        "null",
        "*",
        "",
    ] {
        let answer = bed.send(ask(stranger)).await;
        assert_eq!(
            answer.header("access-control-allow-origin"),
            None,
            "{stranger}"
        );
        assert_eq!(answer.header("vary"), Some("origin"), "{stranger}");
        let answer = bed.send(preflight(stranger, "/v1/payments")).await;
        assert_eq!(
            answer.header("access-control-allow-methods"),
            None,
            "{stranger}"
        );
    }
    let two = ask(shop).header("origin", "https://evil.example");
    let answer = bed.send(two).await;
    assert_eq!(answer.header("access-control-allow-origin"), None);
    bed.end().await;
}

#[tokio::test]
async fn what_is_large_is_compressed_and_what_holds_a_secret_is_not() {
    let bed = Bed::new().await;
    let token = bed
        .key(
            "shop",
            &["payments:read", "payments:write", "webhooks:write"],
        )
        .await;
    for n in 0..20 {
        bed.pay(&token, &format!("k{n}"), order("0.01")).await;
    }
    let asked = |call: Call| async {
        let request = call.header("accept-encoding", "br;q=1, gzip;q=0.8").build();
        let response = bed.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        (parts, bytes)
    };
    let (parts, bytes) = asked(get("/v1/payments?limit=20", &token)).await;
    assert_eq!(parts.headers["content-encoding"], "gzip");
    assert_eq!(parts.headers["vary"], "accept-encoding");
    let mut text = String::new();
    let mut unpacked = flate2::read::GzDecoder::new(&bytes[..]);
    unpacked.read_to_string(&mut text).unwrap();
    assert!(text.len() > 2 * bytes.len());
    let list: Value = serde_json::from_str(&text).unwrap();
    let plain = bed.send(get("/v1/payments?limit=20", &token)).await;
    assert_eq!(plain.header("content-encoding"), None);
    assert_eq!(list, plain.body);

    let (parts, _) = asked(get("/v1/payments?limit=1&status=failed", &token)).await;
    assert!(
        !parts.headers.contains_key("content-encoding"),
        "it is small"
    );
    // The answer is large because of what the caller put beside the secret.
    let body = json!({ "url": "https://receiver.example/hook", "description": "x".repeat(500),
                       "events": ["payment.succeeded"] });
    let (parts, bytes) = asked(super::bed::post("/v1/webhook-endpoints", &token).json(&body)).await;
    assert_eq!(parts.status, StatusCode::CREATED, "{bytes:?}");
    assert!(!parts.headers.contains_key("content-encoding"));
    let made: Value = serde_json::from_slice(&bytes).unwrap();
    assert!(made["secret"].as_str().unwrap().starts_with("whsec_"));
    let stream = get("/v1/events/stream", &token).header("accept-encoding", "gzip");
    let stream = bed.router.clone().oneshot(stream.build()).await.unwrap();
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    assert!(!stream.headers().contains_key("content-encoding"));
    drop(stream);
    bed.end().await;
}
