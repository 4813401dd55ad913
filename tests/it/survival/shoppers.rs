//! Clients that pay, ask again, change their minds and look, and write down all they are told.

use super::dice::Dice;
use super::history::History;
use super::stage::SHOP;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// The pause before a daemon that was away is tried again.
const PAUSE: Duration = Duration::from_millis(15);

/// What a problem's status and code may be while a daemon is hurt in some way.
pub type Tolerates = fn(u16, &str) -> bool;

/// The daemon takes nothing new while it ends; everything else is an answer or silence.
pub fn only_draining(status: u16, code: &str) -> bool {
    status == 503 && code == "shutting_down"
}

/// Clients at work.
#[derive(Debug)]
pub struct Shoppers {
    stop: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<()>>,
}

/// When a shopper goes on to its next payment.
#[derive(Debug, Clone, Copy)]
pub enum Pace {
    /// After a pause of at most so many milliseconds.
    Leisure(u64),
    /// All of them together begin so many payments a second, however long each takes.
    PerSecond(u64),
}

/// How shoppers reach the daemons, and what they put up with.
#[derive(Debug, Clone)]
pub struct Manners {
    /// The base URLs of the API: one a daemon, taken in turn.
    pub apis: Vec<String>,
    /// Their API key.
    pub key: String,
    /// Which problems are in order.
    pub tolerates: Tolerates,
    /// When a shopper goes on.
    pub pace: Pace,
    /// How long a shopper waits for an answer that it wants.
    pub patience: Duration,
}

impl Shoppers {
    /// Sends `count` of them out.
    pub fn open(count: u64, seed: u64, manners: &Manners, history: &Arc<History>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let next_tag = Arc::new(AtomicU64::new(1));
        let began = Instant::now();
        let tasks = (0..count)
            .map(|number| {
                let shopper = Shopper {
                    http: reqwest::Client::new(),
                    manners: manners.clone(),
                    dice: Dice::new(seed, number + 1),
                    turn: AtomicU64::new(number),
                    history: Arc::clone(history),
                };
                let (stop, next_tag) = (Arc::clone(&stop), Arc::clone(&next_tag));
                tokio::spawn(async move {
                    while !stop.load(Ordering::Relaxed) {
                        let tag = next_tag.fetch_add(1, Ordering::Relaxed);
                        shopper.await_turn(began, tag).await;
                        shopper.buy(tag).await;
                    }
                })
            })
            .collect();
        Self { stop, tasks }
    }

    /// Fails where a shopper has found a contradiction already.
    pub async fn still_content(&mut self) {
        for task in &mut self.tasks {
            if task.is_finished() {
                task.await.unwrap();
                panic!("a shopper went home early");
            }
        }
    }

    /// Lets each finish what it is at; fails where one found a contradiction.
    pub async fn close(self) {
        self.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await.unwrap();
        }
    }
}

struct Shopper {
    http: reqwest::Client,
    manners: Manners,
    dice: Dice,
    /// The daemon that is asked next.
    turn: AtomicU64,
    history: Arc<History>,
}

impl Shopper {
    async fn await_turn(&self, began: Instant, tag: u64) {
        match self.manners.pace {
            Pace::Leisure(ms_max) => {
                let pause = self.dice.between(0, ms_max);
                tokio::time::sleep(Duration::from_millis(pause)).await;
            }
            Pace::PerSecond(count) => {
                let due = began + Duration::from_millis(tag * 1_000 / count);
                tokio::time::sleep_until(due.into()).await;
            }
        }
    }

    /// The URL of `path` at the daemon whose turn it is.
    fn at(&self, path: &str) -> String {
        let apis = &self.manners.apis;
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let turn = usize::try_from(turn).unwrap() % apis.len();
        format!("{}{path}", apis[turn])
    }

    /// One payment from its first request to an answer, and what a client does around it.
    async fn buy(&self, tag: u64) {
        let xrp = format!("1.{:06}", self.dice.between(1, 999_999));
        let xrp = xrp.trim_end_matches('0');
        self.history.asks(tag, xrp);
        let mut body = json!({
            "destination": SHOP,
            "destination_tag": tag,
            "amount": { "currency": "XRP", "value": xrp },
        });
        if self.dice.happens(10) {
            body["expires_in"] = json!(self.dice.between(1, 3));
        }
        let first = if self.dice.happens(10) {
            tokio::join!(self.post(tag, &body), self.post(tag, &body)).0
        } else {
            self.post(tag, &body).await
        };
        let mut id = first;
        while id.is_none() {
            tokio::time::sleep(PAUSE).await;
            id = self.post(tag, &body).await;
        }
        let id = id.expect("it is accepted");
        match self.dice.between(0, 9) {
            0 => drop(self.post(tag, &body).await),
            1 => self.ask_for_something_else(tag, body).await,
            2 => self.cancel(&id).await,
            3 => self.list().await,
            _ => self.look(&id).await,
        }
        let known = self.history.ids();
        self.look(&known[self.dice.index(known.len())]).await;
    }

    /// Sends a request; `None` where it was not answered, or was answered with a problem that is in
    /// order at the moment.
    async fn send(&self, request: reqwest::RequestBuilder) -> Option<(u16, Value)> {
        // Now and then nobody waits for the answer: it is lost, and the daemon does not know.
        let patience = if self.dice.happens(10) {
            Duration::from_millis(self.dice.between(2, 40))
        } else {
            self.manners.patience
        };
        let request = request.bearer_auth(&self.manners.key).timeout(patience);
        let answer = request.send().await.ok()?;
        let status = answer.status().as_u16();
        let body: Value = answer.json().await.ok()?;
        let code = body["code"].as_str().unwrap_or_default();
        let is_excused = status >= 400 && (self.manners.tolerates)(status, code);
        (!is_excused).then_some((status, body))
    }

    async fn post(&self, tag: u64, body: &Value) -> Option<String> {
        let before = self.history.floor_of_tag(tag);
        let request = self.http.post(self.at("/v1/payments"));
        let request = request.header("idempotency-key", format!("shopper-{tag}"));
        let (status, answer) = self.send(request.json(body)).await?;
        let is_payment = status == 200 || status == 201;
        self.history
            .check(is_payment, "a payment was refused", &answer);
        self.history.accepted(tag, status, &answer, before);
        answer["id"].as_str().map(str::to_owned)
    }

    async fn ask_for_something_else(&self, tag: u64, mut body: Value) {
        body["amount"]["value"] = json!("7");
        let request = self.http.post(self.at("/v1/payments"));
        let request = request.header("idempotency-key", format!("shopper-{tag}"));
        if let Some((status, answer)) = self.send(request.json(&body)).await {
            let refused = status == 422 && answer["code"] == "idempotency_key_reused";
            self.history
                .check(refused, "a key was used for two things", &answer);
        }
    }

    async fn cancel(&self, id: &str) {
        let floor = self.history.floor(id);
        let request = self.at(&format!("/v1/payments/{id}/cancel"));
        if let Some((status, answer)) = self.send(self.http.post(request)).await {
            match status {
                200 => self.history.saw(&answer, floor),
                409 => {}
                _ => self.history.check(false, "a cancel was refused", &answer),
            }
        }
    }

    async fn look(&self, id: &str) {
        let floor = self.history.floor(id);
        let request = self.at(&format!("/v1/payments/{id}"));
        if let Some((status, answer)) = self.send(self.http.get(request)).await {
            self.history
                .check(status == 200, "a payment is not shown", &answer);
            self.history.saw(&answer, floor);
        }
    }

    async fn list(&self) {
        let floors = self.history.floors();
        let request = self.at("/v1/payments?limit=50");
        if let Some((status, answer)) = self.send(self.http.get(request)).await {
            self.history
                .check(status == 200, "payments are not listed", &answer);
            let listed = answer["data"].as_array().expect("a list");
            self.history.saw_all(listed, &floors);
        }
    }
}
