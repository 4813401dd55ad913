//! What strangers can do to the listener with connections: slow ones, silent ones, too many.

use super::{Edges, LIVE, PATIENCE, answer, exchange, order, refused, rest, serve, status};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

#[tokio::test]
async fn those_who_send_their_head_slowly_are_let_go_while_others_are_served() {
    let head_timeout = Duration::from_millis(700);
    let (bed, address) = serve(Edges {
        head_timeout,
        ..Edges::default()
    })
    .await;
    let mut slow = Vec::new();
    for _ in 0..20 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream
            .write_all(b"GET /health/live HTTP/1.1\r\nx: ")
            .await
            .unwrap();
        slow.push(stream);
    }
    let mut silent = TcpStream::connect(address).await.unwrap();
    let close = LIVE.replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n");
    for _ in 0..5 {
        assert_eq!(status(&exchange(address, &close).await), 200);
    }
    // A byte now and then does not buy time.
    let drip = async {
        loop {
            for stream in &mut slow {
                if stream.write_all(b"a").await.is_err() {
                    return;
                }
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(PATIENCE, drip)
        .await
        .expect("the slow ones are cut off");
    for stream in &mut slow {
        let mut answer = Vec::new();
        // Who goes on sending is reset in the end; what was said before is there all the same.
        let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
        let answer = String::from_utf8(answer).unwrap();
        if !answer.is_empty() {
            refused(&answer, 408, "head_timeout");
        }
    }
    assert_eq!(
        rest(&mut silent).await,
        "",
        "who said nothing is told nothing"
    );
    bed.end().await;
}

#[tokio::test]
async fn who_stops_in_the_middle_of_a_head_is_told_so() {
    let head_timeout = Duration::from_millis(300);
    let (bed, address) = serve(Edges {
        head_timeout,
        ..Edges::default()
    })
    .await;
    refused(&exchange(address, "GET /health").await, 408, "head_timeout");
    // The next head of a connection that stands has no more time than the first.
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream
        .write_all(format!("{LIVE}GET /hea").as_bytes())
        .await
        .unwrap();
    assert_eq!(status(&answer(&mut stream).await), 200);
    refused(&rest(&mut stream).await, 408, "head_timeout");
    bed.end().await;
}

#[tokio::test]
async fn a_connection_without_requests_is_closed_and_one_with_a_stream_is_not() {
    let times = Edges {
        head_timeout: Duration::from_millis(200),
        idle_timeout: Duration::from_millis(400),
        ..Edges::default()
    };
    let (bed, address) = serve(times).await;
    let token = bed.merchant().await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "GET /v1/events/stream HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut idle = TcpStream::connect(address).await.unwrap();
    for _ in 0..2 {
        idle.write_all(LIVE.as_bytes()).await.unwrap();
        assert_eq!(status(&answer(&mut idle).await), 200);
    }
    assert_eq!(rest(&mut idle).await, "", "no answer to what was not asked");
    bed.pay(&token, "k", order("1")).await;
    let mut text = String::new();
    while !text.contains("payment.processing") {
        let mut bytes = [0_u8; 4_096];
        let read = tokio::time::timeout(PATIENCE, stream.read(&mut bytes));
        let read = read.await.expect("the stream goes on").unwrap();
        assert!(read > 0, "the stream was closed: {text}");
        text.push_str(&String::from_utf8_lossy(&bytes[..read]));
    }
    *bed.live.draining.lock().unwrap() = true;
    drop(stream);
    bed.end().await;
}

#[tokio::test]
async fn one_address_has_its_share_of_the_connections() {
    let shares = Edges {
        connections_per_address: 2,
        ..Edges::default()
    };
    let (bed, address) = serve(shares).await;
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(LIVE.as_bytes()).await.unwrap();
        assert_eq!(status(&answer(&mut stream).await), 200);
        held.push(stream);
    }
    let mut third = TcpStream::connect(address).await.unwrap();
    let refused = rest(&mut third).await;
    assert_eq!(status(&refused), 503, "{refused}");
    held.clear();
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let mut stream = TcpStream::connect(address).await.unwrap();
        // The place may not have been given back yet: then the write or the answer says so.
        let _ = stream.write_all(LIVE.as_bytes()).await;
        let mut head = [0_u8; 12];
        if stream.read_exact(&mut head).await.is_ok() && &head == b"HTTP/1.1 200" {
            break;
        }
        assert!(
            tokio::time::Instant::now() < deadline,
            "the places never came back"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    bed.end().await;
}

#[tokio::test]
async fn when_all_places_are_taken_those_who_ask_nothing_make_way() {
    let edges = Edges {
        connections_max: 4,
        ..Edges::default()
    };
    let (bed, address) = serve(edges).await;
    let token = bed.merchant().await;
    // One has a request under way: it keeps its place.
    let body = order("1").to_string();
    let mut busy = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /v1/payments HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\nidempotency-key: k\r\n\
         content-length: {}\r\nexpect: 100-continue\r\n\r\n",
        body.len()
    );
    busy.write_all(head.as_bytes()).await.unwrap();
    let mut go_on = [0_u8; 25];
    busy.read_exact(&mut go_on).await.unwrap();
    let mut holders = Vec::new();
    for _ in 0..3 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET /health").await.unwrap();
        holders.push(stream);
    }
    let close = LIVE.replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n");
    for _ in 0..10 {
        let served = tokio::time::timeout(PATIENCE, exchange(address, &close)).await;
        assert_eq!(status(&served.expect("a place was found")), 200);
    }
    refused(&rest(&mut holders[0]).await, 503, "overloaded");
    busy.write_all(body.as_bytes()).await.unwrap();
    assert_eq!(status(&answer(&mut busy).await), 201);
    drop(holders);
    bed.end().await;
}
