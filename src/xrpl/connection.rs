//! One server's connection: one task that connects, talks, and connects again for as long as the
//! pool lives.
//!
//! Owns the socket and the requests in flight. What it learns goes into the server's health and to
//! the pool; who asks for something meanwhile is told at once that nothing was sent. On failure it
//! waits with jitter, longer each time, by the cause; one that fails again and again, or turned us
//! away, is left alone for a while and then gets one trial; one of another network is not tried again
//! before it is told to reconsider.

mod follow;
mod in_flight;
mod session;

use super::backoff::{Backoff, Next};
use super::cause::Cause;
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

/// A connection that lived this long was a good one.
const GOOD_AFTER: Duration = Duration::from_secs(5);

/// Why a connection ended: the cause, and what was said or seen.
#[derive(Debug, Clone, PartialEq, Eq)]
struct End {
    cause: Cause,
    why: String,
}

impl End {
    fn new(cause: Cause, why: impl Into<String>) -> Self {
        let why = why.into();
        Self { cause, why }
    }
}

impl From<LinkError> for End {
    fn from(error: LinkError) -> Self {
        Self::new(error.cause(), error.to_string())
    }
}

/// What the task keeps from one connection to the next.
struct Connection {
    shared: Arc<Shared>,
    server: Arc<Server>,
    /// The state that was logged last, and its cause.
    shown: (State, Option<Cause>),
    /// What was logged and is from then on only counted.
    logged: HashSet<&'static str>,
}

/// Keeps the server connected until the task is dropped.
pub(super) async fn run(shared: Arc<Shared>, server: Arc<Server>, mut calls: mpsc::Receiver<Call>) {
    let mut connection = Connection {
        shared,
        server,
        shown: (State::Connecting, None),
        logged: HashSet::new(),
    };
    let mut backoff = Backoff::default();
    let max = connection.shared.config.backoff_max;
    let entropy = Arc::clone(&connection.shared.deps.entropy);
    loop {
        let began = Instant::now();
        let end = connection.once(&mut calls).await;
        if began.elapsed() >= GOOD_AFTER && connection.server.health().stage == Stage::Known {
            backoff.reset();
        }
        if connection.server.has_left() {
            tracing::info!(
                server.name = connection.server.name(),
                "the server was let go"
            );
            break;
        }
        let next = backoff.ended(end.cause, max, entropy.as_ref());
        connection.ended(&end, next);
        let wait = async {
            match next {
                Next::Soon(wait) | Next::Open(wait) | Next::Refused(wait) => {
                    tokio::time::sleep(wait).await;
                }
                Next::RefusedForGood => std::future::pending().await,
            }
        };
        let server = Arc::clone(&connection.server);
        let told = server.reconsidered();
        let wait = async {
            tokio::select! {
                () = wait => Told::Nothing,
                () = told => Told::ToReconsider,
                () = server.leaving() => Told::ToLeave,
            }
        };
        match refusing(&server, &mut calls, wait).await {
            Told::Nothing => {}
            Told::ToReconsider => backoff.reset(),
            Told::ToLeave => break,
        }
        // An attempt is under way: a trial, where the server had been left alone.
        server.health().stage = Stage::Down;
        connection.show();
    }
    while let Ok(call) = calls.try_recv() {
        turn_away(&connection.server, call);
    }
}

/// Tells whoever asks that nothing is sent.
fn turn_away(server: &Server, call: Call) {
    server.count(call.command, "not_connected");
    let error = RequestError::NotConnected {
        server: server.name().to_owned(),
    };
    // A caller that stopped waiting has no use for it.
    let _ = call.reply.send(Err(error));
}

/// What ended the wait before an attempt.
#[derive(PartialEq, Eq)]
enum Told {
    Nothing,
    /// Our configuration changed: what was refused may be right now.
    ToReconsider,
    /// It is not of the pool any more.
    ToLeave,
}

impl Connection {
    /// One connection from its first byte to its end.
    async fn once(&mut self, calls: &mut mpsc::Receiver<Call>) -> End {
        let (shared, server) = (Arc::clone(&self.shared), Arc::clone(&self.server));
        let opening = shared.transport.connect(&server.config);
        let opening = tokio::time::timeout(shared.config.connect_timeout, opening);
        let opening = async {
            tokio::select! {
                opened = opening => Some(opened),
                () = server.leaving() => None,
            }
        };
        let Some(opened) = refusing(&server, calls, opening).await else {
            return End::new(Cause::Removed, "it was taken out of the configuration");
        };
        match opened {
            Err(_) => End::new(
                Cause::ConnectTimeout,
                "the connection did not stand in time",
            ),
            Ok(Err(error)) => error.into(),
            Ok(Ok(link)) => Session::new(self).run(link, calls).await,
        }
    }

    fn ended(&mut self, end: &End, next: Next) {
        let stage = match next {
            Next::Soon(_) => Stage::Down,
            Next::Open(_) => Stage::Open,
            Next::Refused(_) | Next::RefusedForGood => Stage::Refused,
        };
        let End { cause, why } = end;
        {
            let mut health = self.server.health();
            health.disconnected(*cause, why.clone(), stage);
            if *cause == Cause::TurnedAway {
                health.budget.throttled(Instant::now());
            }
        }
        self.show();
    }

    /// Records and logs a change of state, once, and lets everybody know that a server came back.
    fn show(&mut self) {
        let tip = self.shared.tip_index();
        let (standing, why) = {
            let mut health = self.server.health();
            let standing = health.standing(tip, Instant::now());
            if standing == self.shown {
                return;
            }
            if standing.0 != self.shown.0 || health.since.is_none() {
                health.since = Some(self.shared.deps.clock.now());
            }
            (standing, health.last_error.clone().unwrap_or_default())
        };
        let ((before, _), (state, cause)) = (self.shown, standing);
        self.shown = standing;
        let (name, from, to) = (self.server.name(), before.as_str(), state.as_str());
        let cause = cause.map_or("", Cause::as_str);
        match state {
            State::Ready => tracing::info!(server.name = name, from, to, "server"),
            // It is on its way up, or gets its trial.
            State::Connecting | State::Syncing
                if cause.is_empty() || before == State::OpenCircuit =>
            {
                tracing::debug!(server.name = name, from, to, "server");
            }
            State::Refused => {
                tracing::error!(server.name = name, from, to, cause, why, "server");
            }
            State::Connecting | State::Syncing | State::Degraded | State::OpenCircuit => {
                tracing::warn!(server.name = name, from, to, cause, why, "server");
            }
        }
        if before == state {
            return;
        }
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
            Some(call) = calls.recv() => turn_away(server, call),
        }
    }
}
