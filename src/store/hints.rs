//! Hints: that somebody may have something to look at, and never what it is.
//!
//! Owns who is told. The database is the truth and everybody who is told anything here also looks by
//! himself after a while, so a hint that is lost costs the time until that look and nothing else. None
//! is said before the commit of what it is about, and saying one never waits and never fails.

use super::Store;
use tokio::sync::broadcast;

/// How many hints may wait for a listener. One that falls behind is told that it missed some, and looks
/// at everything.
const WAITING_MAX: usize = 1_024;

/// That there may be something to look at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hint {
    /// Something waits for this wallet's engine.
    Work(String),
    /// Another hand changed what this wallet's engine works from, such as a halt.
    Changed(String),
    /// An operator paused, resumed or moved the rollout.
    Switches,
    /// A key was made, changed or revoked.
    Keys,
    /// The feed has come to this sequence.
    Feed(i64),
    /// The lease of this wallet was released.
    Lease(String),
}

/// Who is told.
#[derive(Debug)]
pub(super) struct Hints {
    here: broadcast::Sender<Hint>,
}

impl Hints {
    pub(super) fn new() -> Self {
        Self {
            here: broadcast::Sender::new(WAITING_MAX),
        }
    }
}

impl Store {
    /// Everything that is said from now on. A listener that is told of a gap looks at everything.
    #[must_use]
    pub fn hints(&self) -> broadcast::Receiver<Hint> {
        self.inner.hints.here.subscribe()
    }

    /// Says something, after the commit of what it is about.
    pub fn hint(&self, hint: Hint) {
        // Nobody listens where nothing runs, such as in a command.
        let _unheard = self.inner.hints.here.send(hint);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Access, StoreConfig};

    #[tokio::test]
    async fn whoever_listens_is_told_and_a_hint_to_nobody_is_lost() {
        let dir = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", dir.path().join("hints.db").display());
        let store = Store::open(&StoreConfig::new(url), Access::Daemon)
            .await
            .unwrap();
        store.hint(Hint::Keys);
        let (mut one, mut other) = (store.hints(), store.hints());
        store.hint(Hint::Lease("hot".to_owned()));
        for listener in [&mut one, &mut other] {
            let told = listener.recv().await.unwrap();
            assert_eq!(told, Hint::Lease("hot".to_owned()));
        }
        store.close().await;
    }
}
