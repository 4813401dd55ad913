//! Readers of the feed come back after each restart of the daemon, killed or asked to end, while
//! payments flow: each of them sees every event once, in order.

use super::scene::{GRACE, PATIENCE, SHOP, Scene, id_of};
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

/// How often the daemon ends, every second time by SIGKILL.
const ENDS: u32 = 8;
/// How long an end that was asked for may take with streams open and payments in flight.
const QUICKLY: Duration = Duration::from_secs(15);

/// A reader that waits learns soon that it is through, and a wallet whose daemon was killed goes on soon.
const LIVELY: &str = "[events]\nheartbeat = \"1s\"\n[lease]\nttl = \"2s\"\n";
/// Between two payments, so that they do not pile up while nobody may sign.
const REST: Duration = Duration::from_millis(30);

/// A reader of the stream, as an `EventSource` is one: what it keeps is the last id.
pub struct Reader {
    url: String,
    key: String,
    last_id: Option<String>,
    /// The place that it was told before anything else.
    began: Option<i64>,
    /// The sequences that it was told.
    pub seen: Vec<i64>,
    /// How often it had to connect.
    pub connections: u32,
}

impl Reader {
    fn new(scene: &Scene, key: &str, query: &str) -> Self {
        Self::at(&scene.setup.api, key, query)
    }

    /// A reader with this key of the API at `api`.
    pub fn at(api: &str, key: &str, query: &str) -> Self {
        Self {
            url: format!("{api}/v1/events/stream{query}"),
            key: key.to_owned(),
            last_id: None,
            began: None,
            seen: Vec::new(),
            connections: 0,
        }
    }

    /// Reads until it has come to the sequence `until`, once that is known. `place` tells how far it is.
    pub async fn follow(mut self, until: Arc<AtomicI64>, place: Arc<AtomicI64>) -> Self {
        let http = reqwest::Client::new();
        let deadline = Instant::now() + PATIENCE;
        loop {
            assert!(
                Instant::now() < deadline,
                "it stays at {:?}",
                self.seen.last()
            );
            let mut request = http.get(&self.url).bearer_auth(&self.key);
            if let Some(id) = &self.last_id {
                request = request.header("last-event-id", id);
            }
            let Ok(mut answer) = request.send().await else {
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            match answer.status().as_u16() {
                200 => self.connections += 1,
                // It drains, or the store is not open yet.
                503 => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
                other => panic!("{other}: {}", answer.text().await.unwrap()),
            }
            let mut text = String::new();
            while let Ok(Some(chunk)) = answer.chunk().await {
                text.push_str(std::str::from_utf8(&chunk).unwrap());
                while let Some((block, rest)) = text.split_once("\n\n") {
                    self.take(block);
                    text = rest.to_owned();
                }
                let at = self.last_id.as_ref().map_or(0, |id| id.parse().unwrap());
                place.store(at, Ordering::SeqCst);
                if at >= until.load(Ordering::SeqCst) {
                    return self;
                }
            }
        }
    }

    fn take(&mut self, block: &str) {
        let field = |name: &str| {
            let mut lines = block.lines();
            lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
        };
        if let Some(id) = field("id") {
            self.last_id = Some(id.to_owned());
            self.began.get_or_insert(id.parse().unwrap());
        }
        if let Some(data) = field("data") {
            let event: Value = serde_json::from_str(data).unwrap();
            assert_eq!(field("id").unwrap(), event["sequence"].to_string());
            assert_eq!(field("event"), event["type"].as_str());
            self.seen.push(event["sequence"].as_i64().unwrap());
        }
    }
}

/// Every event of the feed after a place, read a page at a time.
async fn pages(scene: &Scene, limit: u32) -> Vec<Value> {
    let (mut all, mut after) = (Vec::new(), 0_i64);
    loop {
        let path = format!("/v1/events?after={after}&limit={limit}");
        let page = scene.merchant.get(&path).await;
        all.extend(page["data"].as_array().unwrap().clone());
        match page["next_cursor"].as_str() {
            Some(next) => after = next.parse().unwrap(),
            None => return all,
        }
    }
}

async fn readers_come_back(store: Option<&str>) {
    let scene = Arc::new(Scene::with_store(store, "200ms", "100000", LIVELY, &[]));
    let key = scene.setup.create_key("shop", &["payments:read"]);
    let mut daemon = scene.start().await;
    scene.pay(1, 5).await;
    let told: Vec<i64> = sequences(&pages(&scene, 200).await);
    let begun_at = *told.last().unwrap();

    let until = Arc::new(AtomicI64::new(i64::MAX));
    let mut readers = tokio::task::JoinSet::new();
    for query in ["?after=0", "?after=0&type=payment.succeeded", ""] {
        let place = Arc::new(AtomicI64::new(-1));
        let reader = Reader::new(&scene, &key, query);
        readers.spawn(reader.follow(until.clone(), place.clone()));
        wait_until(|| place.load(Ordering::SeqCst) >= 0).await;
    }

    let stop = Arc::new(AtomicBool::new(false));
    let flow = tokio::spawn({
        let (scene, stop) = (scene.clone(), stop.clone());
        async move {
            let mut tag = 100;
            while !stop.load(Ordering::Relaxed) {
                let key = format!("flow-{tag}");
                id_of(&scene.merchant.pay(&key, SHOP, tag, "1").await);
                tag += 1;
                tokio::time::sleep(REST).await;
            }
            tag - 100
        }
    });
    for end in 0..ENDS {
        tokio::time::sleep(Duration::from_millis(u64::from(300 + end * 97 % 400))).await;
        if end % 2 == 0 {
            daemon.kill();
        } else {
            let asked = Instant::now();
            assert_eq!(daemon.terminate(GRACE), Some(0), "{}", scene.setup.log());
            let took = asked.elapsed();
            assert!(took < QUICKLY, "streams held it up: {took:?}");
        }
        daemon = scene.start().await;
    }
    stop.store(true, Ordering::Relaxed);
    let posted = flow.await.unwrap();
    scene.merchant.all_final(PATIENCE).await;
    scene.all_succeed(posted as usize + 5).await;

    let all = pages(&scene, 7).await;
    let every = sequences(&all);
    assert!(every.windows(2).all(|pair| pair[0] < pair[1]), "{every:?}");
    let succeeded: Vec<Value> = all
        .iter()
        .filter(|event| event["type"] == "payment.succeeded")
        .cloned()
        .collect();
    assert_eq!(succeeded.len(), posted as usize + 5, "one end a payment");
    until.store(*every.last().unwrap(), Ordering::SeqCst);
    let mut connections = 0;
    for reader in readers.join_all().await {
        let expected: Vec<i64> = match reader.url.split_once('?') {
            None => {
                let began = reader.began.unwrap();
                assert!(began >= begun_at, "it begins at the end");
                every.iter().copied().filter(|of| *of > began).collect()
            }
            Some((_, "after=0")) => every.clone(),
            Some(_) => sequences(&succeeded),
        };
        assert_eq!(reader.seen, expected, "{}", reader.url);
        connections += reader.connections;
    }
    println!(
        "{posted} payments, {} events, {ENDS} ends, {connections} connections",
        every.len()
    );
    assert_eq!(daemon.terminate(GRACE), Some(0));
}

fn sequences(events: &[Value]) -> Vec<i64> {
    let sequences = events.iter().map(|event| event["sequence"].as_i64());
    sequences.map(Option::unwrap).collect()
}

async fn wait_until(is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_that_come_back_after_every_end_of_the_daemon_see_each_event_once_on_sqlite() {
    readers_come_back(None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_that_come_back_after_every_end_of_the_daemon_see_each_event_once_on_postgresql() {
    let Some(store) = crate::store::fresh_postgres().await else {
        return;
    };
    readers_come_back(Some(&store)).await;
}
