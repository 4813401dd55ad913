//! Carries hints: to the other processes, from them, and to the engines of this one.
//!
//! Three tasks, none of which owns a truth. What this process has to say is sent as soon as it is said,
//! and gathered while one sending is under way. What the others say comes in on a line of its own; a
//! line is believed to stand only while this process hears itself on it, because a connection that is
//! half dead, or one behind a pooler that deals out connections by the transaction, is quiet without an
//! error. On failure of any of it everybody finds by looking what he was not told.

use super::live::LiveView;
use crate::clock::Entropy;
use crate::store::{Heard, Hint, Line, Store, StoreError};
use crate::supervise::Supervisor;
use crate::telemetry::metrics::Metrics;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;

/// What is said within this time is sent together, so that a busy process costs the database a hundred
/// small messages a second at most.
const GATHER: Duration = Duration::from_millis(10);
/// The pause after a message that could not be sent.
const SEND_PAUSE: Duration = Duration::from_secs(1);
/// How long a process may hear nothing of itself before it asks to.
const PROBE_AFTER: Duration = Duration::from_secs(3);
/// Who has not heard himself for so long is deaf, and opens another line.
const DEAF_AFTER: Duration = Duration::from_secs(9);
/// The pause before another line is opened; it doubles up to [`REOPEN_MAX`] while none stands.
const REOPEN_MIN: Duration = Duration::from_millis(250);
/// The longest pause before another line is opened.
const REOPEN_MAX: Duration = Duration::from_secs(60);

/// What the carriers work with.
#[derive(Clone)]
pub(super) struct Carriers {
    store: Store,
    metrics: Arc<Metrics>,
    /// What this process is called on the line.
    own_name: String,
}

impl Carriers {
    pub(super) fn new(store: Store, metrics: Arc<Metrics>, entropy: &dyn Entropy) -> Self {
        let mut own_name = [0_u8; 8];
        entropy.fill(&mut own_name);
        Self {
            store,
            metrics,
            own_name: hex::encode(own_name),
        }
    }

    /// Begins to carry, with tasks of `supervisor`.
    pub(super) fn start(self, live: Arc<LiveView>, supervisor: &Supervisor) {
        supervisor.spawn("hints:ring", ring(self.store.clone(), live));
        supervisor.spawn("hints:send", self.clone().send());
        supervisor.spawn("hints:listen", self.listen());
    }

    async fn send(self) {
        loop {
            self.store.hints_to_send().await;
            match self.store.send_hints(&self.own_name).await {
                Ok(()) => tokio::time::sleep(GATHER).await,
                Err(error) => {
                    tracing::debug!(%error, "hints were not sent: the other replicas find out by looking");
                    tokio::time::sleep(SEND_PAUSE).await;
                }
            }
        }
    }

    async fn listen(self) {
        let mut pause = REOPEN_MIN;
        let mut is_told = false;
        loop {
            let mut has_stood = false;
            let why = match self.store.listen(&self.own_name).await {
                Ok(None) => return,
                Ok(Some(line)) => self.hear(line, &mut has_stood).await,
                Err(error) => Silence::Line(error),
            };
            self.metrics.hints_listening.set(0);
            if has_stood {
                (pause, is_told) = (REOPEN_MIN, false);
            }
            if !is_told {
                tracing::warn!(%why, "the other replicas are not heard: their work is found by looking");
                is_told = true;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(REOPEN_MAX);
        }
    }

    /// Listens until the line is gone or deaf.
    async fn hear(&self, mut line: Line, has_stood: &mut bool) -> Silence {
        let mut heard_self = Instant::now();
        self.store.probe_hints();
        loop {
            match tokio::time::timeout(PROBE_AFTER, line.hear()).await {
                Ok(Ok(Heard::Self_)) => {
                    if !std::mem::replace(has_stood, true) {
                        tracing::info!("the other replicas are heard");
                        self.metrics.hints_listening.set(1);
                    }
                    heard_self = Instant::now();
                    continue;
                }
                Ok(Ok(Heard::Another)) => self.metrics.hints_heard_total.inc(),
                Ok(Ok(Heard::Unreadable)) => self.metrics.hints_unreadable_total.inc(),
                Ok(Err(error)) => return Silence::Line(error),
                Err(_) => {}
            }
            let quiet = heard_self.elapsed();
            if quiet >= DEAF_AFTER {
                return Silence::Deaf;
            }
            if quiet >= PROBE_AFTER {
                self.store.probe_hints();
            }
        }
    }
}

/// Why nothing is heard.
#[derive(Debug, thiserror::Error)]
enum Silence {
    #[error("{0}")]
    Line(StoreError),
    #[error(
        "the line is quiet, as one is behind a pooler that deals out connections by the transaction"
    )]
    Deaf,
}

/// Wakes the engines for what is said anywhere.
async fn ring(store: Store, live: Arc<LiveView>) {
    let mut hints = store.hints();
    loop {
        match hints.recv().await {
            Ok(Hint::Work(wallet)) => live.ring(&wallet),
            Ok(Hint::Changed(wallet)) => live.ring_changed(&wallet),
            Ok(Hint::Switches) => live.switches().look_soon(),
            // The readers of the feed, of keys and of leases are told by themselves.
            Ok(Hint::Keys | Hint::Feed(_) | Hint::Lease(_)) => {}
            Err(RecvError::Lagged(_)) => {
                live.switches().look_soon();
                // A halt may be among what was not heard.
                live.lanes().for_each(|lane| lane.changed.notify_one());
            }
            Err(RecvError::Closed) => return,
        }
    }
}
