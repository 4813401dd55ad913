//! One server as the rest of the pool sees it: what is known of it, and the way to ask it.
//!
//! A request gets its place among the bounded number in flight before it is handed to the
//! connection's task, and keeps it until its answer, its time-out or the loss of the connection.
//! On failure: every request ends, in an answer or in an error that says whether it may have been
//! heard.

use super::config::ServerConfig;
use super::error::RequestError;
use super::health::{Health, Stage, State};
use super::submit::MaySend;
use super::transport::Text;
use crate::telemetry::metrics::{Metrics, seconds};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The requests that the daemon makes; also the values of a metric's label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Command {
    ServerInfo,
    Subscribe,
    AccountTx,
    AccountInfo,
    AccountObjects,
    DepositAuthorized,
    Simulate,
    Ledger,
    Fee,
    Submit,
}

impl Command {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::ServerInfo => "server_info",
            Self::Subscribe => "subscribe",
            Self::AccountTx => "account_tx",
            Self::AccountInfo => "account_info",
            Self::AccountObjects => "account_objects",
            Self::DepositAuthorized => "deposit_authorized",
            Self::Simulate => "simulate",
            Self::Ledger => "ledger",
            Self::Fee => "fee",
            Self::Submit => "submit",
        }
    }
}

/// A server's answer: the whole frame, and the name of the error where it is one.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub frame: Text,
    pub error: Option<String>,
}

pub(super) type Reply = Result<Answer, RequestError>;

/// A request on its way to the connection's task.
#[derive(Debug)]
pub(super) struct Call {
    pub id: u64,
    pub command: Command,
    pub text: Text,
    pub reply: oneshot::Sender<Reply>,
    /// Its place among those in flight; given back when it ends.
    pub place: OwnedSemaphorePermit,
    pub on: On,
}

/// On which connection a request may go out.
#[derive(Debug)]
pub(super) enum On {
    /// The one that there is.
    Any,
    /// The one of this number alone, and only while it may.
    Connection(u64, MaySend),
}

/// A request that was handed over.
pub(super) struct Pending {
    server: String,
    reply: oneshot::Receiver<Reply>,
}

impl Pending {
    pub(super) async fn answer(self) -> Reply {
        match self.reply.await {
            Ok(reply) => reply,
            // The task is gone with the process; what it had sent may have been heard.
            Err(_) => Err(RequestError::Closed {
                server: self.server,
                why: "the pool has stopped".into(),
            }),
        }
    }
}

/// One server.
#[derive(Debug)]
pub(super) struct Server {
    pub index: usize,
    pub config: ServerConfig,
    health: Mutex<Health>,
    calls: mpsc::Sender<Call>,
    places: Arc<Semaphore>,
    /// Held by the submission that hands its blobs over, so that those of another come after.
    pub turn: tokio::sync::Mutex<()>,
    reconsider: Notify,
    left: CancellationToken,
    next_id: AtomicU64,
    request_timeout: Duration,
    metrics: Arc<Metrics>,
}

impl Server {
    /// The server, and the end at which its connection's task takes the requests.
    pub(super) fn new(
        index: usize,
        config: ServerConfig,
        in_flight_max: usize,
        request_timeout: Duration,
        metrics: Arc<Metrics>,
    ) -> (Self, mpsc::Receiver<Call>) {
        // A request in this channel holds a place in flight, so it is never full for long.
        let (calls, receiver) = mpsc::channel(in_flight_max.max(1));
        let server = Self {
            index,
            config,
            health: Mutex::default(),
            calls,
            places: Arc::new(Semaphore::new(in_flight_max.max(1))),
            turn: tokio::sync::Mutex::default(),
            reconsider: Notify::new(),
            left: CancellationToken::new(),
            next_id: AtomicU64::new(1),
            request_timeout,
            metrics,
        };
        (server, receiver)
    }

    pub(super) fn name(&self) -> &str {
        &self.config.name
    }

    /// What is known of it. Held for a moment only, never across an await.
    pub(super) fn health(&self) -> MutexGuard<'_, Health> {
        // A panic elsewhere stops the process; what is known is plain data and still whole.
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn state(&self, tip: Option<xrpayd_core::ids::LedgerIndex>) -> State {
        self.health().state(tip, Instant::now())
    }

    /// What is configured has changed: a server that waits to be tried again, or that was refused
    /// for good, is tried at once. One whose connection stands is left as it is.
    pub(super) fn reconsider(&self) {
        if matches!(
            self.health().stage,
            Stage::Down | Stage::Open | Stage::Refused
        ) {
            self.reconsider.notify_one();
        }
    }

    /// It is not of the pool any more: it answers what it was asked, and is then let go.
    pub(super) fn leave(&self) {
        self.left.cancel();
    }

    /// Whether it is not of the pool any more.
    pub(super) fn has_left(&self) -> bool {
        self.left.is_cancelled()
    }

    /// Waits until it is not of the pool any more.
    pub(super) async fn leaving(&self) {
        self.left.cancelled().await;
    }

    /// Waits until it is to be reconsidered.
    pub(super) async fn reconsidered(&self) {
        self.reconsider.notified().await;
    }

    /// How long one of its answers is waited for before another server is asked too.
    pub(super) fn patience(&self) -> Duration {
        self.health().patience()
    }

    pub(super) fn next_id(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    /// Whether an id was ever given out.
    pub(super) fn was_used(&self, id: u64) -> bool {
        id > 0 && id < self.next_id.load(Ordering::Relaxed)
    }

    /// The text of a request. `params` is either empty or begins with a comma.
    pub(super) fn request_text(id: u64, command: Command, params: &str) -> Text {
        let command = command.as_str();
        format!(r#"{{"id":{id},"command":"{command}","api_version":2{params}}}"#).into()
    }

    /// Hands a request over, in the order of the calls, and does not wait for its answer.
    pub(super) async fn begin(
        &self,
        command: Command,
        params: &str,
    ) -> Result<Pending, RequestError> {
        let place = self.place(command).await?;
        self.hand_over(place, On::Any, command, params)
    }

    /// Waits for a place among the requests in flight.
    pub(super) async fn place(
        &self,
        command: Command,
    ) -> Result<OwnedSemaphorePermit, RequestError> {
        if !self.health().stage.is_open() {
            return Err(self.not_connected(command));
        }
        let place = Arc::clone(&self.places).acquire_owned();
        match tokio::time::timeout(self.request_timeout, place).await {
            Ok(Ok(place)) => Ok(place),
            Ok(Err(_)) | Err(_) => Err(self.busy(command)),
        }
    }

    /// Hands a request over at once.
    pub(super) fn hand_over(
        &self,
        place: OwnedSemaphorePermit,
        on: On,
        command: Command,
        params: &str,
    ) -> Result<Pending, RequestError> {
        let id = self.next_id();
        let (reply, receiver) = oneshot::channel();
        let call = Call {
            id,
            command,
            text: Self::request_text(id, command, params),
            reply,
            place,
            on,
        };
        match self.calls.try_send(call) {
            Ok(()) => {
                self.health().budget.spend(Instant::now());
                Ok(Pending {
                    server: self.name().to_owned(),
                    reply: receiver,
                })
            }
            // The channel has as much room as there are places.
            Err(TrySendError::Full(_)) => Err(self.busy(command)),
            Err(TrySendError::Closed(_)) => Err(self.not_connected(command)),
        }
    }

    fn busy(&self, command: Command) -> RequestError {
        self.count(command, "busy");
        RequestError::Busy {
            server: self.name().to_owned(),
        }
    }

    fn not_connected(&self, command: Command) -> RequestError {
        self.count(command, "not_connected");
        RequestError::NotConnected {
            server: self.name().to_owned(),
        }
    }

    /// Asks and waits for the answer.
    pub(super) async fn ask(&self, command: Command, params: &str) -> Reply {
        self.begin(command, params).await?.answer().await
    }

    /// Asks and waits for a success; a server's error is one of ours.
    pub(super) async fn ask_ok(
        &self,
        command: Command,
        params: &str,
    ) -> Result<Text, RequestError> {
        let answer = self.ask(command, params).await?;
        match answer.error {
            None => Ok(answer.frame),
            Some(error) => Err(RequestError::Server {
                server: self.name().to_owned(),
                error,
            }),
        }
    }

    /// An answer of this server that cannot be used.
    pub(super) fn malformed(&self, command: Command, why: impl ToString) -> RequestError {
        self.count(command, "malformed");
        self.health().note_outcome(true);
        RequestError::Malformed {
            server: self.name().to_owned(),
            why: why.to_string(),
        }
    }

    /// Counts a request, or an incoming frame, by what became of it.
    pub(super) fn count(&self, command: Command, outcome: &'static str) {
        self.count_as(command.as_str(), outcome);
    }

    pub(super) fn count_as(&self, command: &'static str, outcome: &'static str) {
        self.metrics
            .xrpl_requests_total
            .with_label_values(&[self.name(), command, outcome])
            .inc();
    }

    /// Counts an answer and its time.
    pub(super) fn answered(&self, command: Command, took: Duration, outcome: &'static str) {
        self.count(command, outcome);
        self.metrics
            .xrpl_request_duration_seconds
            .with_label_values(&[command.as_str()])
            .observe(seconds(took));
        self.health().note_latency(took);
    }
}
