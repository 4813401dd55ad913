//! A merchant's webhook receiver on this machine, that behaves or misbehaves as it is told.

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener as Bound};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::task::{AbortHandle, JoinHandle};

/// How a receiver answers.
#[derive(Debug, Clone)]
pub enum Manner {
    /// 204, at once.
    Well,
    /// 204, after a while.
    Slowly(Duration),
    /// This status with these headers.
    With(u16, Vec<(&'static str, String)>),
    /// Never.
    Mutely,
}

/// One request as it came.
#[derive(Debug, Clone)]
pub struct Heard {
    /// The path.
    pub path: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
    /// When it came.
    pub at: Instant,
}

impl Heard {
    /// The `webhook-id`.
    pub fn id(&self) -> String {
        self.headers["webhook-id"].to_str().unwrap().to_owned()
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Whether the reference library verifies it with this secret.
    pub fn verifies(&self, secret: &str) -> bool {
        let webhook = standardwebhooks::Webhook::new(secret).unwrap();
        webhook.verify(&self.body, &self.headers).is_ok()
    }
}

/// A receiver.
pub struct Receiver {
    address: SocketAddr,
    manner: Arc<Mutex<Manner>>,
    heard: Arc<Mutex<Vec<Heard>>>,
    connections: Arc<AtomicUsize>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Receiver {
    /// One that listens on a port of its own.
    pub async fn start(manner: Manner) -> Self {
        let receiver = Self::down(manner);
        receiver.listen().await;
        receiver
    }

    /// One that does not listen yet, and refuses connections.
    pub fn down(manner: Manner) -> Self {
        let bound = Bound::bind("127.0.0.1:0").unwrap();
        Self {
            address: bound.local_addr().unwrap(),
            manner: Arc::new(Mutex::new(manner)),
            heard: Arc::default(),
            connections: Arc::default(),
            task: Mutex::new(None),
        }
    }

    /// Listens from now on.
    pub async fn listen(&self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        let (manner, heard) = (Arc::clone(&self.manner), Arc::clone(&self.heard));
        let connections = Arc::clone(&self.connections);
        let task = tokio::spawn(async move {
            let mut open = Vec::<AbortOnDrop>::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                connections.fetch_add(1, Ordering::SeqCst);
                let (manner, heard) = (Arc::clone(&manner), Arc::clone(&heard));
                let service = service_fn(move |request| {
                    answer(request, Arc::clone(&manner), Arc::clone(&heard))
                });
                let serving = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                let serving = tokio::spawn(async move {
                    let _ = serving.await;
                });
                open.retain(|one| !one.0.is_finished());
                open.push(AbortOnDrop(serving.abort_handle()));
            }
        });
        *self.task.lock().unwrap() = Some(task);
    }

    /// Answers otherwise from now on.
    pub fn behave(&self, manner: Manner) {
        *self.manner.lock().unwrap() = manner;
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("http://{}/hooks", self.address)
    }

    /// What it was sent, in order.
    pub fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }

    /// How often each event came, by its id.
    pub fn ids(&self) -> BTreeMap<String, usize> {
        let mut ids = BTreeMap::new();
        for heard in self.heard.lock().unwrap().iter() {
            *ids.entry(heard.id()).or_default() += 1;
        }
        ids
    }

    /// How many connections were made to it.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Waits until what it has heard is as `wanted`.
    pub async fn until(&self, wanted: impl Fn(&[Heard]) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !wanted(&self.heard.lock().unwrap()) {
            let count = self.heard.lock().unwrap().len();
            assert!(
                Instant::now() < deadline,
                "{} has heard {count}",
                self.url()
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        if let Some(task) = self.task.lock().unwrap().take() {
            task.abort();
        }
    }
}

struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn answer(
    request: Request<Incoming>,
    manner: Arc<Mutex<Manner>>,
    heard: Arc<Mutex<Vec<Heard>>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let Ok(body) = body.collect().await else {
        return Ok(Response::new(Full::default()));
    };
    heard.lock().unwrap().push(Heard {
        path: parts.uri.path().to_owned(),
        headers: parts.headers,
        body: body.to_bytes().to_vec(),
        at: Instant::now(),
    });
    let manner = manner.lock().unwrap().clone();
    let (status, headers) = match manner {
        Manner::Well => (204, Vec::new()),
        Manner::Slowly(wait) => {
            tokio::time::sleep(wait).await;
            (204, Vec::new())
        }
        Manner::With(status, headers) => (status, headers),
        Manner::Mutely => std::future::pending().await,
    };
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(name, value);
    }
    let text = if status < 300 { "" } else { "no, thank you" };
    Ok(response.body(Full::from(text)).unwrap())
}
