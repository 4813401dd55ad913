//! A merchant's backend: posts with an idempotency key and retries until it has an answer.

use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// One client of the API.
#[derive(Debug, Clone)]
pub struct Merchant {
    http: reqwest::Client,
    api: String,
    key: String,
}

/// Long enough for a machine that is busy with everything else.
const PATIENCE: Duration = Duration::from_secs(180);

impl Merchant {
    /// A client with its own connections.
    pub fn new(api: &str, key: &str) -> Self {
        let http = reqwest::Client::builder()
            .timeout(Duration::from_secs(5))
            .build()
            .unwrap();
        Self {
            http,
            api: api.to_owned(),
            key: key.to_owned(),
        }
    }

    /// Posts a payment and retries with the same key, whatever happens to the daemon, until it is
    /// accepted. Returns the payment.
    pub async fn pay(
        &self,
        idempotency_key: &str,
        destination: &str,
        tag: u32,
        xrp: &str,
    ) -> Value {
        let body = json!({
            "destination": destination,
            "destination_tag": tag,
            "amount": { "currency": "XRP", "value": xrp },
        });
        self.create(idempotency_key, &body).await
    }

    /// Posts any body of a payment under a key, and retries until it is accepted.
    pub async fn create(&self, idempotency_key: &str, body: &Value) -> Value {
        self.create_at("/v1/payments", idempotency_key, body).await
    }

    /// Posts any body to `path` under a key, and retries until it is accepted.
    pub async fn create_at(&self, path: &str, idempotency_key: &str, body: &Value) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let sent = self
                .http
                .post(format!("{}{path}", self.api))
                .bearer_auth(&self.key)
                .header("idempotency-key", idempotency_key)
                .json(body)
                .send()
                .await;
            if let Ok(answer) = sent {
                let status = answer.status().as_u16();
                match answer.json::<Value>().await {
                    Ok(payment) if status == 200 || status == 201 => return payment,
                    Ok(problem) if status != 503 && status != 500 && status != 429 => {
                        panic!("refused: {status} {problem}")
                    }
                    Ok(_) | Err(_) => {}
                }
            }
            assert!(
                Instant::now() < deadline,
                "{path} under {idempotency_key} was never accepted"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// One attempt to cancel: the status and the answer.
    pub async fn cancel(&self, id: &str) -> (u16, Value) {
        let sent = self
            .http
            .post(format!("{}/v1/payments/{id}/cancel", self.api))
            .bearer_auth(&self.key)
            .send()
            .await
            .unwrap();
        (sent.status().as_u16(), sent.json().await.unwrap())
    }

    /// One POST of `body` to `path`, under a key where one is given: the status and the answer.
    pub async fn post(&self, path: &str, key: Option<&str>, body: &Value) -> (u16, Value) {
        let request = self
            .http
            .post(format!("{}{path}", self.api))
            .bearer_auth(&self.key)
            .json(body);
        let request = match key {
            Some(key) => request.header("idempotency-key", key),
            None => request,
        };
        let sent = request.send().await.unwrap();
        (sent.status().as_u16(), sent.json().await.unwrap())
    }

    /// Posts a word about a payment, and says it again until it is answered.
    pub async fn say(&self, path: &str, body: &Value) -> (u16, Value) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let sent = self
                .http
                .post(format!("{}{path}", self.api))
                .bearer_auth(&self.key)
                .json(body)
                .send()
                .await;
            if let Ok(answer) = sent {
                let status = answer.status().as_u16();
                if let Ok(value) = answer.json().await
                    && status < 500
                {
                    return (status, value);
                }
            }
            assert!(Instant::now() < deadline, "{path} was never answered");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Asks for `path` until its answer is as `wanted`, and returns it.
    pub async fn until(&self, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let value = self.get(path).await;
            if wanted(&value) {
                return value;
            }
            assert!(Instant::now() < deadline, "{path} stays {value:#}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Asks for a payment until it is as `wanted`.
    pub async fn payment(&self, id: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        self.until(&format!("/v1/payments/{id}"), wanted).await
    }

    /// One GET that is retried while the daemon is away.
    pub async fn get(&self, path: &str) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let sent = self
                .http
                .get(format!("{}{path}", self.api))
                .bearer_auth(&self.key)
                .send()
                .await;
            if let Ok(answer) = sent
                && answer.status().is_success()
                && let Ok(value) = answer.json().await
            {
                return value;
            }
            assert!(Instant::now() < deadline, "{path} was never answered");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until no payment is on its way.
    pub async fn all_final(&self, patience: Duration) {
        let deadline = Instant::now() + patience;
        loop {
            let waiting = self.get("/v1/payments?status=processing&limit=5").await;
            if waiting["data"].as_array().is_some_and(Vec::is_empty) {
                return;
            }
            assert!(Instant::now() < deadline, "still on their way: {waiting:#}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Every payment, over all pages of the list.
    pub async fn all_payments(&self) -> Vec<Value> {
        self.all("/v1/payments").await
    }

    /// Everything in a list, over all its pages.
    pub async fn all(&self, list: &str) -> Vec<Value> {
        let (mut all, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let page = cursor
                .as_ref()
                .map_or_else(String::new, |at| format!("&cursor={at}"));
            let list = self.get(&format!("{list}?limit=200{page}")).await;
            all.extend(list["data"].as_array().unwrap().iter().cloned());
            match list["next_cursor"].as_str() {
                Some(next) => cursor = Some(next.to_owned()),
                None => return all,
            }
        }
    }

    /// Every event of the feed that the key is shown.
    pub async fn all_events(&self) -> Vec<Value> {
        let (mut all, mut after) = (Vec::new(), "0".to_owned());
        loop {
            let page = format!("/v1/events?limit=200&after={after}");
            let page = self.get(&page).await;
            all.extend(page["data"].as_array().unwrap().iter().cloned());
            match page["next_cursor"].as_str() {
                Some(next) => after = next.to_owned(),
                None => return all,
            }
        }
    }
}
