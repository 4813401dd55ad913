//! What operators have switched, as this process read it last: for answers that must not wait for the
//! database.
//!
//! A view and nothing more. What binds is read inside the transaction that would begin something; this
//! tells it earlier, in better words, and without trying. The switchboard keeps it by reading the store
//! twice a second. What was read too long ago, or could not be read, counts as a pause of everything.

use super::error::StoreError;
use super::limits::words::Words;
use super::pauses::{Pause, stopping};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use xrpayd_core::pause::Signing;

/// What was read so long ago is not known any more: ten readings have failed since.
pub const STALE_AFTER: Duration = Duration::from_secs(5);

/// The switches at one moment.
#[derive(Debug, Clone)]
pub struct Standing {
    /// Everything that is paused; `None` where that could not be read.
    pub pauses: Option<Vec<Pause>>,
    /// Why each wallet is halted that is, for engines that have nothing to sign at the moment.
    pub halts: BTreeMap<String, String>,
    /// The rollout stage in force, where it is known.
    pub stage: Option<String>,
    /// What the replicas say of limits.
    pub words: Words,
    /// When it was read.
    pub read_at: Instant,
}

/// Why something does not begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// It is paused.
    Paused(Pause),
    /// Nobody can tell whether it is.
    Unreadable,
}

impl Standing {
    /// Nothing was read yet.
    #[must_use]
    pub fn unread() -> Self {
        Self {
            pauses: None,
            halts: BTreeMap::new(),
            stage: None,
            words: Words::default(),
            read_at: Instant::now(),
        }
    }

    /// Everything that is paused; `None` where that is not known, and everything counts as paused.
    #[must_use]
    pub fn known(&self) -> Option<&[Pause]> {
        let is_fresh = self.read_at.elapsed() < STALE_AFTER;
        self.pauses.as_deref().filter(|_| is_fresh)
    }

    /// What stops the payments of a wallet, where something does.
    #[must_use]
    pub fn stop_of_wallet(&self, wallet: &str) -> Option<Stop> {
        self.stop(|pauses| stopping(pauses, wallet))
    }

    /// What stops new invoices, where something does.
    #[must_use]
    pub fn stop_of_invoices(&self) -> Option<Stop> {
        self.stop(|pauses| pauses.iter().find(|pause| pause.scope.stops_invoices()))
    }

    /// Whether a wallet may sign something new, as far as is known here.
    #[must_use]
    pub fn signing_of(&self, wallet: &str) -> Signing {
        match self.stop_of_wallet(wallet) {
            None => Signing::Open,
            Some(_) => Signing::Paused,
        }
    }

    fn stop<'a>(&'a self, find: impl FnOnce(&'a [Pause]) -> Option<&'a Pause>) -> Option<Stop> {
        match self.known() {
            Some(pauses) => find(pauses).cloned().map(Stop::Paused),
            None => Some(Stop::Unreadable),
        }
    }

    /// Whether the two say the same, whenever they were read.
    #[must_use]
    pub fn says_the_same_as(&self, other: &Self) -> bool {
        self.pauses == other.pauses
            && self.halts == other.halts
            && self.stage == other.stage
            && self.words == other.words
    }
}

/// A question for a look at the store, answered once a look has ended that began after it: with why not
/// everything could be read, where that is so.
pub type Question = oneshot::Sender<Result<(), StoreError>>;

/// The switches as the rest of the process sees them. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Switches {
    standing: watch::Receiver<Arc<Standing>>,
    ask: mpsc::Sender<Question>,
}

impl Switches {
    /// What `standing` shows, kept by whoever answers what is asked.
    #[must_use]
    pub const fn new(
        standing: watch::Receiver<Arc<Standing>>,
        ask: mpsc::Sender<Question>,
    ) -> Self {
        Self { standing, ask }
    }

    /// The switches as they were read last.
    #[must_use]
    pub fn standing(&self) -> Arc<Standing> {
        Arc::clone(&self.standing.borrow())
    }

    /// Changes when a switch does.
    #[must_use]
    pub fn follow(&self) -> watch::Receiver<Arc<Standing>> {
        self.standing.clone()
    }

    /// Has the store read at once, without waiting for it. Where others wait for a look already, theirs
    /// is soon enough.
    pub fn look_soon(&self) {
        let (question, _nobody) = oneshot::channel();
        // A board that is full of questions looks anyway, and one that has ended never will.
        let _ = self.ask.try_send(question);
    }

    /// Has the store read at once, and waits until it was: what this process committed before is seen
    /// by everything that asks after. What could not be read stays as it is, and counts as unreadable
    /// soon; whoever keeps the switches has told why.
    pub async fn look_again(&self) {
        let _told = self.read_again().await;
    }

    /// The same for whom what was read before will not do.
    ///
    /// # Errors
    /// Something of it could not be read, or nobody keeps the switches any more.
    pub async fn read_again(&self) -> Result<(), StoreError> {
        let (question, answer) = oneshot::channel();
        match self.ask.send(question).await {
            // An answer that never comes is one of a keeper that has ended.
            Ok(()) => answer.await.unwrap_or(Err(StoreError::Closed)),
            Err(_) => Err(StoreError::Closed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use xrpayd_core::ids::UnixMs;
    use xrpayd_core::pause::Scope;

    fn standing(scopes: &[&str]) -> Standing {
        let pause = |text: &&str| Pause {
            scope: text.parse().unwrap(),
            reason: None,
            by: "daemon".to_owned(),
            at: UnixMs(1),
        };
        Standing {
            pauses: Some(scopes.iter().map(pause).collect()),
            halts: BTreeMap::new(),
            stage: None,
            words: Words::default(),
            read_at: Instant::now(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_read_too_long_ago_counts_as_a_pause_of_everything() {
        let fresh = standing(&[]);
        assert_eq!(fresh.stop_of_wallet("hot"), None);
        assert_eq!(fresh.signing_of("hot"), Signing::Open);
        tokio::time::advance(STALE_AFTER).await;
        assert_eq!(fresh.known(), None);
        assert_eq!(fresh.stop_of_wallet("hot"), Some(Stop::Unreadable));
        assert_eq!(fresh.stop_of_invoices(), Some(Stop::Unreadable));
        assert_eq!(fresh.signing_of("hot"), Signing::Paused);
        assert_eq!(Standing::unread().signing_of("hot"), Signing::Paused);
    }

    #[tokio::test]
    async fn the_widest_pause_is_the_one_that_is_told() {
        let both = standing(&["payments", "wallet:hot"]);
        let told = |stop| match stop {
            Some(Stop::Paused(pause)) => Some(pause.scope),
            Some(Stop::Unreadable) | None => None,
        };
        assert_eq!(told(both.stop_of_wallet("hot")), Some(Scope::Payments));
        assert_eq!(both.stop_of_invoices(), None);
        let one = standing(&["wallet:hot"]);
        assert_eq!(
            told(one.stop_of_wallet("hot")),
            Some(Scope::Wallet("hot".into()))
        );
        assert_eq!(one.stop_of_wallet("warm"), None);
    }
}
