//! One server's connection: one task that connects, talks, and connects again for as long as the
//! pool lives.
//!
//! Owns the socket and the requests in flight. What it learns goes into the server's health and to
//! the pool; who asks for something meanwhile is told at once that nothing was sent. On failure it
//! waits with jitter, longer each time, and longer still where the server turned us away; a server
//! of another network is tried again only at long intervals.

mod follow;
mod in_flight;
mod session;

use super::backoff::Backoff;
use super::error::RequestError;
use super::health::{Stage, State};
use super::server::{Call, Server};
use super::shared::Shared;
use super::transport::{LinkError, Text};
use in_flight::Waiter;
use session::Session;
use std::collections::HashSet;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// A refused server is looked at again this often: its operator may have mended it.
const REFUSED_RETRY: Duration = Duration::from_secs(60);
/// A connection that lived this long was a good one.
const GOOD_AFTER: Duration = Duration::from_secs(5);

/// Why a connection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
enum End {
    /// The server closed it, or it broke.
    Lost(String),
    /// The server turned us away: too many requests.
    TurnedAway(String),
    /// The server must not be used.
    Refused(String),
    /// It stands, but the server behind it does not follow the ledger or does not answer.
    Silent(String),
}

impl End {
    fn why(&self) -> &str {
        match self {
            Self::Lost(why) | Self::TurnedAway(why) | Self::Refused(why) | Self::Silent(why) => why,
        }
    }
}

impl From<LinkError> for End {
    fn from(error: LinkError) -> Self {
        let why = error.to_string();
        match error {
            LinkError::TurnedAway(_) => Self::TurnedAway(why),
            LinkError::TooLarge(_) | LinkError::Broken(_) => Self::Lost(why),
        }
    }
}

/// What the task keeps from one connection to the next.
struct Connection {
    shared: Arc<Shared>,
    server: Arc<Server>,
    /// The state that was logged last.
    shown: State,
    /// What was logged and is from then on only counted.
    logged: HashSet<&'static str>,
}

/// Keeps the server connected until the task is dropped.
pub(super) async fn run(shared: Arc<Shared>, server: Arc<Server>, mut calls: mpsc::Receiver<Call>) {
    let mut connection = Connection {
        shared,
        server,
        shown: State::Connecting,
        logged: HashSet::new(),
    };
    let mut backoff = Backoff::default();
    let config = connection.shared.config.clone();
    let entropy = Arc::clone(&connection.shared.deps.entropy);
    loop {
        let began = Instant::now();
        let end = connection.once(&mut calls).await;
        if began.elapsed() >= GOOD_AFTER && connection.server.health().stage == Stage::Known {
            backoff.reset();
        }
        connection.ended(&end);
        let wait = match &end {
            End::Refused(_) => REFUSED_RETRY,
            End::TurnedAway(_) => {
                backoff.turned_away(config.backoff_max);
                backoff.next(config.backoff_max, entropy.as_ref())
            }
            End::Lost(_) | End::Silent(_) => backoff.next(config.backoff_max, entropy.as_ref()),
        };
        refusing(&connection.server, &mut calls, tokio::time::sleep(wait)).await;
    }
}

impl Connection {
    /// One connection from its first byte to its end.
    async fn once(&mut self, calls: &mut mpsc::Receiver<Call>) -> End {
        let (shared, server) = (Arc::clone(&self.shared), Arc::clone(&self.server));
        let opening = shared.transport.connect(&server.config.url);
        let opening = tokio::time::timeout(shared.config.connect_timeout, opening);
        match refusing(&server, calls, opening).await {
            Err(_) => End::Lost("the connection did not stand in time".into()),
            Ok(Err(error)) => error.into(),
            Ok(Ok(link)) => Session::new(self).run(link, calls).await,
        }
    }

    fn ended(&mut self, end: &End) {
        let stage = if matches!(end, End::Refused(_)) {
            Stage::Refused
        } else {
            Stage::Down
        };
        self.server
            .health()
            .disconnected(end.why().to_owned(), stage);
        // A server that was never reached changes no state; it is told of once.
        if self.shown == State::Connecting && stage == Stage::Down {
            if self.logged.insert("unreachable") {
                let name = self.server.name();
                tracing::warn!(
                    server.name = name,
                    why = end.why(),
                    "the server cannot be reached"
                );
            }
        } else {
            self.logged.remove("unreachable");
        }
        self.show(Some(end.why()));
    }

    /// Logs a change of state, once, and lets everybody know that a server came back.
    fn show(&mut self, why: Option<&str>) {
        let state = self.server.state(self.shared.tip_index());
        if state == self.shown {
            return;
        }
        let (name, from, to) = (self.server.name(), self.shown.as_str(), state.as_str());
        let why = why.unwrap_or_default();
        match (self.shown, state) {
            (_, State::Ready) | (State::Connecting, State::Syncing) => {
                tracing::info!(server.name = name, from, to, "server");
            }
            (_, State::Refused) => tracing::error!(server.name = name, from, to, why, "server"),
            (_, State::Connecting | State::Syncing | State::Degraded) => {
                tracing::warn!(server.name = name, from, to, why, "server");
            }
        }
        self.shown = state;
        self.shared.measure();
        if state == State::Ready {
            self.shared.note_arrival();
        }
    }

    /// A frame, or a part of it, that cannot be used: counted always, logged once.
    fn odd(&mut self, kind: &'static str, frame: &str) {
        const SHOWN_CHARS: usize = 160;
        self.server.count_as("frame", kind);
        if self.logged.insert(kind) {
            let head: String = frame.chars().take(SHOWN_CHARS).collect();
            tracing::warn!(
                server.name = self.server.name(),
                kind,
                ?head,
                "a frame that cannot be used; more of the kind are only counted"
            );
        }
    }
}

/// Waits for `work` and meanwhile tells whoever asks that nothing is sent.
async fn refusing<T>(
    server: &Server,
    calls: &mut mpsc::Receiver<Call>,
    work: impl Future<Output = T>,
) -> T {
    tokio::pin!(work);
    loop {
        tokio::select! {
            biased;
            done = &mut work => return done,
            Some(call) = calls.recv() => {
                server.count(call.command, "not_connected");
                let error = RequestError::NotConnected { server: server.name().to_owned() };
                // A caller that stopped waiting has no use for it.
                let _ = call.reply.send(Err(error));
            }
        }
    }
}
