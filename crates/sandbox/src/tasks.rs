//! The crate's one place that starts tasks: each is tracked, and aborted when its owner stops.
//!
//! Owns the abort handles. A task that ends by itself is forgotten at the next start of another.

use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::task::JoinSet;

/// A set of running tasks that end with it.
#[derive(Debug, Default)]
pub(crate) struct Tasks(Mutex<JoinSet<()>>);

impl Tasks {
    fn set(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `task` until it ends or the set stops.
    pub(crate) fn start(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut set = self.set();
        while set.try_join_next().is_some() {}
        set.spawn(task);
    }

    /// Aborts everything, without waiting.
    pub(crate) fn abort(&self) {
        self.set().abort_all();
    }

    /// Aborts everything and waits until it is gone.
    pub(crate) async fn stop(&self) {
        let mut set = std::mem::take(&mut *self.set());
        set.shutdown().await;
    }
}
