//! Health, metrics and the listener itself.

use super::bed::{Bed, Call, get, order, xrp};
use axum::http::{Method, StatusCode};
use serde_json::json;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use xrpayd::http::Rules;
use xrpayd::http::state::Auth;
use xrpayd::supervise::Drained;
use xrpayd_core::money::Drops;

fn health(path: &str) -> Call {
    Call::new(Method::GET, path)
}

#[tokio::test]
async fn health_needs_no_key_and_has_the_contracts_shape() {
    let bed = Bed::new().await;
    bed.clock.advance(Duration::from_secs(4));
    let answer = bed.send(health("/health")).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(
        answer.body,
        json!({
            "status": "healthy",
            "timestamp": "2027-01-15T08:00:04.000Z",
            "checks": {
                "xrpl": {
                    "status": "healthy", "servers_ready": 1, "servers_configured": 1, "quorum": 1,
                    "latency_ms": 12, "validated_ledger": 78, "ledger_age_s": 4,
                },
                "wallet": { "status": "healthy", "balance_xrp": "500", "spendable_xrp": "490", "halted": 0, "foreign_unaccepted": 0,
                    "unseen": 0, "view_age_s": null },
                "journal": { "status": "healthy", "waiting": 0 },
                "payments": { "status": "healthy", "paused": false, "pending": 0, "oldest_age_s": null },
                "store": { "status": "healthy" },
                "books": { "status": "healthy", "checked_through": null, "differences": null },
                "webhooks": { "status": "healthy", "oldest_undelivered_s": null },
                "process": { "status": "healthy" },
            },
        })
    );
    let balance = |call: Call| async {
        let answer = bed.send(call).await;
        answer.body["checks"]["wallet"]["balance_xrp"].clone()
    };
    assert!(
        balance(health("/health").from("203.0.113.9:5"))
            .await
            .is_null()
    );
    assert!(
        balance(health("/health").header("x-forwarded-for", "203.0.113.9"))
            .await
            .is_null()
    );
    let token = bed.merchant().await;
    assert_eq!(
        balance(get("/health", &token).from("203.0.113.9:5")).await,
        "500"
    );
    bed.end().await;
}

#[tokio::test]
async fn a_low_balance_or_an_old_payment_is_degraded_and_still_200() {
    let bed = Bed::new().await;
    let token = bed.merchant().await;
    bed.live.wallets.lock().unwrap()[0].balance = Some(xrp("49"));
    let low = bed.send(health("/health")).await;
    assert_eq!(
        (low.status, &low.body["status"]),
        (StatusCode::OK, &json!("degraded"))
    );
    bed.live.wallets.lock().unwrap()[0].balance = Some(xrp("500"));
    bed.pay(&token, "k", order("1")).await;
    for (age, status) in [(299, "healthy"), (302, "degraded")] {
        let now = super::bed::START.plus_ms(age * 1_000);
        let step = now.since_ms(xrpayd::clock::Clock::now(bed.clock.as_ref()));
        bed.clock
            .advance(Duration::from_millis(u64::try_from(step).unwrap()));
        bed.live.tip.lock().unwrap().as_mut().unwrap().seen_at = now;
        let answer = bed.send(health("/health")).await;
        assert_eq!(
            (answer.status, &answer.body["status"]),
            (StatusCode::OK, &json!(status)),
            "{}",
            answer.body
        );
        assert_eq!(answer.body["checks"]["payments"]["oldest_age_s"], age);
    }
    bed.end().await;
}

#[tokio::test]
async fn without_a_store_the_daemon_is_alive_and_not_ready() {
    let bed = Bed::new().await;
    assert_eq!(
        bed.send(health("/health/ready")).await.status,
        StatusCode::OK
    );
    bed.store.clone().close().await;
    bed.clock.advance(Duration::from_secs(2));
    let ready = bed.send(health("/health/ready")).await;
    assert_eq!(ready.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(ready.body["status"], "not ready");
    let all = bed.send(health("/health")).await;
    assert_eq!(
        (all.status, &all.body["status"]),
        (StatusCode::SERVICE_UNAVAILABLE, &json!("unhealthy"))
    );
    assert_eq!(
        bed.send(health("/health/live")).await.status,
        StatusCode::OK
    );
    *bed.live.stalled.lock().unwrap() = Some("the journal reader".to_owned());
    assert_eq!(
        bed.send(health("/health/live")).await.status,
        StatusCode::SERVICE_UNAVAILABLE
    );
    bed.end().await;
}

#[tokio::test]
async fn a_daemon_that_drains_is_not_ready() {
    let bed = Bed::new().await;
    *bed.live.draining.lock().unwrap() = true;
    let ready = bed.send(health("/health/ready")).await;
    assert_eq!(ready.status, StatusCode::SERVICE_UNAVAILABLE);
    bed.end().await;
}

/// Both listeners of a bed.
async fn serve(bed: &Bed) -> (SocketAddr, SocketAddr) {
    let http = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let metrics = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addresses = (http.local_addr().unwrap(), metrics.local_addr().unwrap());
    xrpayd::http::serve(http, metrics, bed.state.clone(), &bed.web).await;
    addresses
}

async fn exchange(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn the_listener_serves_and_lets_an_open_request_end_when_it_is_told_to_stop() {
    let bed = Bed::new().await;
    let (address, _) = serve(&bed).await;

    let request = "GET /health/live HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    assert!(
        exchange(address, request)
            .await
            .starts_with("HTTP/1.1 200 OK")
    );

    let mut idle = TcpStream::connect(address).await.unwrap();
    idle.write_all(b"GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let mut head = [0_u8; 2_048];
    assert!(idle.read(&mut head).await.unwrap() > 0);

    // A request whose body is still on its way when the stop comes is answered all the same.
    let token = bed.merchant().await;
    let body = order("1").to_string();
    let (first, rest) = body.split_at(10);
    let mut open = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /v1/payments HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\
         idempotency-key: k\r\ncontent-length: {}\r\nexpect: 100-continue\r\n\r\n",
        body.len()
    );
    open.write_all(head.as_bytes()).await.unwrap();
    let mut go_on = [0_u8; 25];
    open.read_exact(&mut go_on).await.unwrap();
    assert!(go_on.starts_with(b"HTTP/1.1 100 Continue"));
    open.write_all(first.as_bytes()).await.unwrap();
    bed.web.cancel();
    open.write_all(rest.as_bytes()).await.unwrap();
    let mut answer = String::new();
    open.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 201 Created"), "{answer}");
    let drained = bed.web.shutdown(Duration::from_secs(10)).await;
    assert_eq!(
        drained,
        Drained::Clean,
        "the idle connection was waited for"
    );
    assert_eq!(idle.read(&mut go_on).await.unwrap(), 0);
    assert!(TcpStream::connect(address).await.is_err());
    bed.end().await;
}

#[tokio::test]
async fn an_answer_that_is_on_its_way_when_the_stop_comes_arrives_whole() {
    const ASKED: usize = 64;
    let bed = Bed::new().await;
    let (address, _) = serve(&bed).await;
    let labels = ["GET", "/openapi.json", "200"];
    let family = &bed.metrics.http_requests_total;
    let answered = || family.with_label_values(&labels).get();
    let ask = |times| "GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n".repeat(times);
    // How many fit between both ends of a connection whose reader does not read, and one that does not.
    let mut probe = TcpStream::connect(address).await.unwrap();
    probe.write_all(ask(ASKED).as_bytes()).await.unwrap();
    let mut fit = 0;
    loop {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let now = answered();
        if now > 0 && now == fit {
            break;
        }
        fit = now;
    }
    let asked = usize::try_from(fit).unwrap();
    assert!(asked < ASKED, "it never had to wait for its reader");
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(ask(asked).as_bytes()).await.unwrap();
    while answered() < 2 * fit {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    drop(probe);
    bed.web.cancel();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    let mut rest = std::str::from_utf8(&bytes).unwrap();
    let mut whole = 0;
    while !rest.is_empty() {
        let (head, after) = rest.split_once("\r\n\r\n").unwrap();
        let mut lines = head.lines();
        let length = lines.find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.unwrap().parse().unwrap();
        assert!(after.len() >= length, "{head}\n{} of it", after.len());
        whole += u64::from(head.starts_with("HTTP/1.1 200 OK"));
        rest = &after[length..];
    }
    assert_eq!(whole, fit);
    let drained = bed.web.shutdown(Duration::from_secs(10)).await;
    assert_eq!(drained, Drained::Clean);
    bed.end().await;
}

/// Waits until what a socket of the listener has to send no longer changes; how many bytes that is.
async fn stalls(server: SocketAddr, client: SocketAddr) -> u64 {
    let port = |address: SocketAddr| format!(":{:04X}", address.port());
    let waiting = || {
        let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
        let queued = table.lines().find_map(|line| {
            let columns: Vec<&str> = line.split_whitespace().collect();
            let ours = columns[1].ends_with(&port(server)) && columns[2].ends_with(&port(client));
            let (queued, _) = columns.get(4).filter(|_| ours)?.split_once(':')?;
            Some(u64::from_str_radix(queued, 16).unwrap())
        });
        queued.expect("the connection stands")
    };
    let (mut last, mut same) = (0, 0);
    while same < 10 {
        tokio::time::sleep(Duration::from_millis(30)).await;
        let now = waiting();
        same = if now > 0 && now == last { same + 1 } else { 0 };
        last = now;
    }
    last
}

#[tokio::test]
async fn a_stream_whose_reader_does_not_read_does_not_hold_up_the_end() {
    let many = |rules: &mut Rules| {
        rules.policy.caps.max_pending = 2_000;
        rules.policy.caps.daily = Drops::MAX;
    };
    let bed = Bed::with(many, Auth::Required).await;
    let (address, _) = serve(&bed).await;
    let token = bed.merchant().await;
    let mut large = order("0.001");
    let entries = (0..16).map(|n| (format!("{n}"), "x".repeat(500).into()));
    large["metadata"] = serde_json::Value::Object(entries.collect());
    // Together six megabytes: more than the kernel keeps for a socket.
    for n in 0..700 {
        bed.pay(&token, &format!("k{n}"), large.clone()).await;
    }
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut stalled = socket.connect(address).await.unwrap();
    let request = format!(
        "GET /v1/events/stream?after=0 HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n"
    );
    stalled.write_all(request.as_bytes()).await.unwrap();
    let mut head = [0_u8; 15];
    stalled.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 200 OK");
    let waits = stalls(address, stalled.local_addr().unwrap()).await;
    assert!(waits < 5_000_000, "the rest must not fit: {waits}");
    *bed.live.draining.lock().unwrap() = true;
    let drained = bed.web.shutdown(Duration::from_secs(10)).await;
    assert_eq!(drained, Drained::Clean, "a stalled stream was waited for");
    drop(stalled);
    bed.end().await;
}

#[tokio::test]
async fn the_metrics_have_a_listener_of_their_own() {
    let bed = Bed::new().await;
    bed.send(health("/health/live")).await;
    let (_, address) = serve(&bed).await;
    let ask = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    let text = exchange(address, &ask("/metrics")).await;
    assert!(text.contains("content-type: text/plain; version=0.0.4"));
    assert!(
        text.contains(r#"http_requests_total{method="GET",route="/health/live",status="200"} 1"#)
    );
    assert!(
        exchange(address, &ask("/v1/payments"))
            .await
            .starts_with("HTTP/1.1 404")
    );
    bed.end().await;
}

#[tokio::test]
async fn a_handler_that_panics_is_a_500_and_the_next_request_is_served() {
    let bed = Bed::new().await;
    let token = bed.merchant().await;
    *bed.live.breaks.lock().unwrap() = true;
    bed.send(get("/v1/servers", &token))
        .await
        .refused(500, "internal");
    assert_eq!(
        bed.send(get("/v1/wallets", &token)).await.status,
        StatusCode::OK
    );
    bed.end().await;
}

#[tokio::test]
async fn a_write_that_is_not_answered_in_time_has_an_unknown_effect() {
    let bed = Bed::new().await;
    let token = bed.merchant().await;
    let (address, _) = serve(&bed).await;
    // Two bytes are announced and one is sent.
    let request = format!(
        "POST /v1/payments HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\
         idempotency-key: k\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{{"
    );
    let answer = exchange(address, &request).await;
    assert!(answer.starts_with("HTTP/1.1 504"), "{answer}");
    let body = answer.split("\r\n\r\n").nth(1).unwrap();
    let problem: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(
        (&problem["code"], &problem["effect"], &problem["retryable"]),
        (&json!("timed_out"), &json!("unknown"), &json!(true))
    );
    bed.end().await;
}
