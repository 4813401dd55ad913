//! Clients who put up with nothing: each request by a connection of its own, so that nobody between
//! them and a daemon retries for them, and whatever is not an answer is written down.

use super::stage::SHOP;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::JoinHandle;

/// Clients who pay and look, each request by a connection of its own, and write down whatever is not an
/// answer to it.
pub struct Traffic {
    stop: Arc<AtomicBool>,
    book: Arc<Mutex<Book>>,
    clients: Vec<JoinHandle<()>>,
}

/// What the clients have seen.
#[derive(Debug, Default)]
pub struct Book {
    /// The id of each accepted payment, by its tag.
    pub paid: BTreeMap<u64, String>,
    /// What came instead of an answer.
    pub refused: Vec<String>,
    /// How many requests were answered.
    pub answered: u64,
}

const CLIENTS: u64 = 4;
const PAUSE: Duration = Duration::from_millis(100);

impl Traffic {
    /// Sends clients with this key to the API at `api`.
    pub fn open(api: &str, key: &str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let book = Arc::new(Mutex::new(Book::default()));
        let next = Arc::new(AtomicU64::new(1));
        let client = |_| {
            let (stop, book, next) = (Arc::clone(&stop), Arc::clone(&book), Arc::clone(&next));
            let (api, key) = (api.to_owned(), key.to_owned());
            tokio::spawn(async move {
                let http = reqwest::Client::builder()
                    .pool_max_idle_per_host(0)
                    .timeout(Duration::from_secs(20))
                    .build()
                    .unwrap();
                while !stop.load(Ordering::Relaxed) {
                    let tag = next.fetch_add(1, Ordering::Relaxed);
                    let id = pay(&http, &api, &key, tag, &book).await;
                    let look = match &id {
                        Some(id) => format!("{api}/v1/payments/{id}"),
                        None => format!("{api}/v1/wallets/hot"),
                    };
                    note(http.get(look).bearer_auth(&key), &book).await;
                    tokio::time::sleep(PAUSE).await;
                }
            })
        };
        let clients = (0..CLIENTS).map(client).collect();
        Self {
            stop,
            book,
            clients,
        }
    }

    /// How many requests were answered so far.
    pub fn answered(&self) -> u64 {
        self.book.lock().unwrap().answered
    }

    /// Forgets what was refused so far, and says how much that was.
    pub fn forgive(&self) -> usize {
        std::mem::take(&mut self.book.lock().unwrap().refused).len()
    }

    /// Sends the clients home; what they have seen.
    pub async fn close(self) -> Book {
        self.stop.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.await.unwrap();
        }
        std::mem::take(&mut *self.book.lock().unwrap())
    }
}

/// Pays once, and again under the same key where that was not answered: what was refused stays refused.
async fn pay(
    http: &reqwest::Client,
    api: &str,
    key: &str,
    tag: u64,
    book: &Mutex<Book>,
) -> Option<String> {
    let amount = json!({ "currency": "XRP", "value": "1" });
    let body = json!({ "destination": SHOP, "destination_tag": tag, "amount": amount });
    let post = http
        .post(format!("{api}/v1/payments"))
        .bearer_auth(key)
        .header("idempotency-key", format!("deploy-{tag}"))
        .json(&body);
    for _ in 0..200 {
        if let Some(answer) = note(post.try_clone().unwrap(), book).await {
            let id = answer["id"].as_str().unwrap().to_owned();
            book.lock().unwrap().paid.insert(tag, id.clone());
            return Some(id);
        }
        tokio::time::sleep(PAUSE).await;
    }
    None
}

async fn note(request: reqwest::RequestBuilder, book: &Mutex<Book>) -> Option<Value> {
    let told = match request.send().await {
        Ok(answer) => {
            let status = answer.status();
            match answer.text().await {
                Ok(text) if status.is_success() => Ok(serde_json::from_str(&text).unwrap()),
                Ok(text) => Err(format!("{status}: {text}")),
                Err(error) => Err(format!("{status}, and then {error:?}")),
            }
        }
        Err(error) => Err(format!("{error:?}")),
    };
    let mut book = book.lock().unwrap();
    match told {
        Ok(answer) => {
            book.answered += 1;
            Some(answer)
        }
        Err(refused) => {
            book.refused.push(refused);
            None
        }
    }
}
