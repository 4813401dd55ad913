//! Keeps this process's view of the operators' switches: reads them from the store twice a second, and
//! at once where somebody asks because he has changed one.
//!
//! Owns the one hand that writes [`Standing`]; a look that began earlier never overwrites one that
//! began later. On failure: a store that does not answer leaves the last view, which counts as
//! unreadable once it is old; switches that cannot be read, though the store answers, count as
//! unreadable at once. Either way everything is paused until they can be read.

use crate::store::switches::{Question, Standing, Switches};
use crate::store::{Store, StoreError};
use crate::supervise::Supervisor;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

/// How often the store is read: a switch that another process changed is seen well within two seconds.
const PERIOD: Duration = Duration::from_millis(500);
/// How many may wait for a look at the same time before others wait to ask.
const QUESTIONS_MAX: usize = 64;

/// Reads the switches once, and keeps them with a task of `supervisor`.
pub async fn start(store: Store, supervisor: &Supervisor) -> Switches {
    let (tell, standing) = watch::channel(Arc::new(Standing::unread()));
    let (ask, asked) = mpsc::channel(QUESTIONS_MAX);
    let mut board = Board {
        store,
        tell,
        told: Told::Nothing,
    };
    // What it could not read it has told, and reads again soon.
    let _told = board.look().await;
    supervisor.spawn("switchboard", board.keep(asked));
    Switches::new(standing, ask)
}

struct Board {
    store: Store,
    tell: watch::Sender<Arc<Standing>>,
    told: Told,
}

/// What the log was told last, so that a lasting trouble is told once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Nothing,
    Readable,
    Unreadable,
}

impl Board {
    async fn keep(mut self, mut asked: mpsc::Receiver<Question>) {
        let mut tick = tokio::time::interval(PERIOD);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut questions = Vec::new();
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                received = asked.recv_many(&mut questions, QUESTIONS_MAX) => {
                    if received == 0 {
                        return;
                    }
                }
            }
            let looked = self.look().await;
            for question in questions.drain(..) {
                // Who has gone away does not want to know.
                let _gone = question.send(looked.clone());
            }
        }
    }

    /// Reads everything; the error is the first of those that kept something from being read.
    async fn look(&mut self) -> Result<(), StoreError> {
        let mut looked = Ok(());
        let began = Instant::now();
        let read = self.store.pauses().await;
        let pauses = match read {
            Ok(pauses) => Some(pauses),
            Err(error) if is_passing(&error) => {
                tracing::warn!(%error, "the switches could not be read: the last ones stand for a while");
                return Err(error);
            }
            Err(error) => {
                if self.told != Told::Unreadable {
                    tracing::error!(error = ?error, "the switches cannot be read: everything is paused");
                }
                looked = Err(error);
                None
            }
        };
        self.told = match &pauses {
            Some(_) => Told::Readable,
            None => Told::Unreadable,
        };
        // Without it the rules of the lowest stage hold, and an accept is told which one is in force.
        let stage = match self.store.stage_in_force().await {
            Ok(found) => found.map(|found| found.stage),
            Err(error) => {
                tracing::warn!(%error, "the rollout stage could not be read");
                looked = looked.and(Err(error));
                None
            }
        };
        // Those of before would place requests that no accept takes; they are said again when they can be.
        let words = match self.store.limit_words().await {
            Ok(words) => words,
            Err(error) => {
                tracing::warn!(%error, "what the replicas say of limits could not be read");
                looked = looked.and(Err(error));
                self.tell.borrow().words.clone()
            }
        };
        let halts = match self.store.halts().await {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(%error, "which wallets are halted could not be read");
                looked = looked.and(Err(error));
                self.tell.borrow().halts.clone()
            }
        };
        let next = Arc::new(Standing {
            pauses,
            halts,
            stage,
            words,
            read_at: began,
        });
        self.tell.send_if_modified(|standing| {
            let is_news = !next.says_the_same_as(standing);
            // An engine tells of its own halt, and of one that it finds.
            let has_changed = next.pauses != standing.pauses
                || next.stage != standing.stage
                || next.words != standing.words;
            if has_changed {
                tracing::info!(paused = ?next.pauses, rollout.stage = ?next.stage, limits.version = next.words.version, "the switches have changed");
            }
            *standing = next;
            is_news
        });
        looked
    }
}

/// Whether the store did not answer at all, which says nothing about the switches.
fn is_passing(error: &StoreError) -> bool {
    error.retryable()
}
