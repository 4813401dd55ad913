//! A server that tells of every stranger's transaction, as fast as it can.

use super::scene::{SHOP, Scene, id_of, is_final, merchant_of, store_in};
use crate::support::daemon::{Setup, WALLET};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::Message;

/// Transactions of strangers a second.
const A_SECOND: u64 = 50_000;
/// In so many bursts a second.
const BURSTS: u64 = 50;
const FLOOD_LASTS: Duration = Duration::from_secs(6);
/// What the daemon may grow by.
const GROWTH_KB_MAX: u64 = 64 * 1024;

/// Stands before a model server and passes everything on; while `on`, floods its clients too.
struct Flood {
    url: String,
    on: Arc<AtomicBool>,
    told: Arc<AtomicU64>,
}

fn stranger() -> String {
    json!({
        "type": "transaction", "validated": true, "status": "closed", "engine_result": "tesSUCCESS",
        "engine_result_code": 0, "ledger_index": 7, "ledger_hash": "A".repeat(64), "hash": "B".repeat(64),
        "tx_json": {"Account": "rrrrrrrrrrrrrrrrrrrrrhoLvTp", "Destination": WALLET.0, "Fee": "10",
            "TransactionType": "Payment", "DeliverMax": "1", "SigningPubKey": "C".repeat(66)},
        "meta": {"TransactionResult": "tesSUCCESS", "TransactionIndex": 1, "delivered_amount": "1"},
    })
    .to_string()
}

impl Flood {
    async fn before(upstream: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let flood = Self {
            url: format!("ws://{}", listener.local_addr().unwrap()),
            on: Arc::default(),
            told: Arc::default(),
        };
        let (on, told) = (flood.on.clone(), flood.told.clone());
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (on, told, upstream) = (on.clone(), told.clone(), upstream.clone());
                tokio::spawn(async move { serve(socket, &upstream, &on, &told).await });
            }
        });
        flood
    }
}

async fn serve(socket: tokio::net::TcpStream, upstream: &str, on: &AtomicBool, told: &AtomicU64) {
    let client = tokio_tungstenite::accept_async(socket).await.unwrap();
    let (server, _) = tokio_tungstenite::connect_async(upstream).await.unwrap();
    let ((mut to_client, mut from_client), (mut to_server, mut from_server)) =
        (client.split(), server.split());
    let frame = Message::text(stranger());
    let mut bursts = tokio::time::interval(Duration::from_millis(1_000 / BURSTS));
    loop {
        let done = tokio::select! {
            message = from_client.next() => match message {
                Some(Ok(message)) => to_server.send(message).await,
                Some(Err(_)) | None => return,
            },
            message = from_server.next() => match message {
                Some(Ok(message)) => to_client.send(message).await,
                Some(Err(_)) | None => return,
            },
            _ = bursts.tick(), if on.load(Ordering::Relaxed) => {
                for _ in 0..A_SECOND / BURSTS {
                    if to_client.feed(frame.clone()).await.is_err() {
                        return;
                    }
                }
                told.fetch_add(A_SECOND / BURSTS, Ordering::Relaxed);
                to_client.flush().await
            }
        };
        if done.is_err() {
            return;
        }
    }
}

/// How long payments take, one after the other, from their acceptance to a server's taking them.
async fn times(scene: &Scene, tags: std::ops::Range<u32>) -> Vec<Duration> {
    let mut times = Vec::new();
    for tag in tags {
        let (key, began) = (format!("flood-{tag}"), Instant::now());
        let id = id_of(&scene.merchant.pay(&key, SHOP, tag, "1").await);
        let is_taken = |payment: &Value| payment["substatus"] == "submitted" || is_final(payment);
        scene.merchant.payment(&id, is_taken).await;
        times.push(began.elapsed());
    }
    times.sort_unstable();
    times
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_strangers_transactions_slows_nobody_and_fills_no_memory() {
    let mut scene = Scene::new("200ms", "100000", "");
    let flood = Flood::before(scene.ledger.urls[0].clone()).await;
    let urls = [
        flood.url.clone(),
        scene.ledger.urls[1].clone(),
        scene.ledger.urls[2].clone(),
    ];
    let store = store_in(scene.folder());
    scene.setup = Setup::new(scene.folder(), &urls, &store, "");
    scene.merchant = merchant_of(&scene.setup);
    let daemon = scene.start().await;

    let calm = times(&scene, 0..20).await;
    let before = daemon.resident_kb();
    flood.on.store(true, Ordering::Relaxed);
    let began = Instant::now();
    let (mut flooded, mut peak, mut tag) = (Vec::new(), before, 100);
    while began.elapsed() < FLOOD_LASTS {
        flooded.extend(times(&scene, tag..tag + 5).await);
        tag += 5;
        peak = peak.max(daemon.resident_kb());
    }
    let took = began.elapsed();
    flood.on.store(false, Ordering::Relaxed);
    flooded.sort_unstable();
    let told = flood.told.load(Ordering::Relaxed);
    let (calm, median) = (calm[calm.len() / 2], flooded[flooded.len() / 2]);
    let worst = flooded[flooded.len() * 95 / 100];
    println!(
        "{told} transactions of strangers in {took:.1?}: {} payments taken after p50 {median:?}, \
         p95 {worst:?} (calm p50 {calm:?}); resident {before} kB, at most {peak} kB",
        flooded.len()
    );
    assert!(told > A_SECOND, "the flood was a trickle");
    assert!(worst < Duration::from_secs(1), "{flooded:?}");
    assert!(
        peak < before + GROWTH_KB_MAX,
        "{before} kB grew to {peak} kB"
    );

    // Nobody was dropped for it, and the daemon shows its pool to who asks.
    let key = scene.setup.create_key("reader", &["payments:read"]);
    let list = scene.setup.command(&["servers", "--key", &key]);
    let servers = list["data"].as_array().unwrap();
    assert_eq!(servers.len(), 3);
    for server in servers {
        assert_eq!(server["state"], "ready", "{list:#}");
        assert!(server["since"].is_string() && server["latency_p95_ms"].is_u64());
    }
    scene.all_succeed(20 + flooded.len()).await;
}
