//! Tasks: named, tracked, and ended in order. The only place that spawns one.
//!
//! Owns the process's task trackers and its cancellation. A [`Supervisor`] is cheap to clone and
//! can have children, which end with it or before it, so that the composition root can drain room
//! by room. Two kinds of task: one that may be dropped at any await ([`Supervisor::spawn`]), and
//! one that must see its work through and watches the token itself ([`Supervisor::spawn_must_finish`]).
//!
//! On failure: a task that panics is reported once, the whole process is cancelled, and whoever
//! waits on [`Supervisor::failed`] learns why. A money worker that broke an invariant must not
//! leave the rest of the process limping.

use futures_util::FutureExt;
use std::any::Any;
use std::borrow::Cow;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Why the whole process has to stop.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("task {task} failed: {reason}")]
pub struct Fatal {
    /// The name of the task.
    pub task: String,
    /// What it said when it failed.
    pub reason: String,
}

/// How a shutdown went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drained {
    /// Every task ended by itself.
    Clean,
    /// The grace ran out with this many tasks still running; they were dropped.
    Forced(usize),
}

/// Spawns, tracks and ends tasks.
#[derive(Debug, Clone)]
pub struct Supervisor {
    tracker: TaskTracker,
    /// Ends everything of this supervisor and its children.
    cancel: CancellationToken,
    /// Drops what did not end within the grace.
    abort: CancellationToken,
    /// Ends the whole process.
    root: CancellationToken,
    fatal: watch::Sender<Option<Fatal>>,
}

/// A running task.
#[derive(Debug)]
pub struct TaskHandle {
    abort: AbortHandle,
}

impl TaskHandle {
    /// Drops the task at its next await. Not for must-finish work.
    pub fn abort(&self) {
        self.abort.abort();
    }

    /// Whether the task has ended, in whatever way.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.abort.is_finished()
    }
}

impl Default for Supervisor {
    fn default() -> Self {
        Self::new()
    }
}

impl Supervisor {
    /// A root supervisor with no task.
    #[must_use]
    pub fn new() -> Self {
        let root = CancellationToken::new();
        Self {
            tracker: TaskTracker::new(),
            cancel: root.clone(),
            abort: CancellationToken::new(),
            root,
            fatal: watch::Sender::new(None),
        }
    }

    /// A supervisor whose tasks end when it or its parent is cancelled and can be waited for by
    /// themselves. The parent's [`shutdown`](Self::shutdown) does not wait for them.
    #[must_use]
    pub fn child(&self) -> Self {
        Self {
            tracker: TaskTracker::new(),
            cancel: self.cancel.child_token(),
            abort: self.abort.child_token(),
            root: self.root.clone(),
            fatal: self.fatal.clone(),
        }
    }

    /// The token that is cancelled when this supervisor's tasks are to end.
    #[must_use]
    pub fn token(&self) -> CancellationToken {
        self.cancel.clone()
    }

    /// Runs `work` until it ends or the supervisor is cancelled, whichever is first. It may be
    /// dropped at any of its awaits.
    pub fn spawn(
        &self,
        name: impl Into<Cow<'static, str>>,
        work: impl Future<Output = ()> + Send + 'static,
    ) -> TaskHandle {
        let cancel = self.cancel.clone();
        self.track(name.into(), async move {
            tokio::select! {
                biased;
                () = cancel.cancelled() => {}
                () = work => {}
            }
        })
    }

    /// Runs `work` to its own end; it watches [`token`](Self::token) itself and finishes what it
    /// has begun. It is dropped only when the grace of a shutdown has run out.
    pub fn spawn_must_finish(
        &self,
        name: impl Into<Cow<'static, str>>,
        work: impl Future<Output = ()> + Send + 'static,
    ) -> TaskHandle {
        let abort = self.abort.clone();
        self.track(name.into(), async move {
            tokio::select! {
                biased;
                () = abort.cancelled() => {}
                () = work => {}
            }
        })
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that spawns a task"
    )]
    fn track(
        &self,
        name: Cow<'static, str>,
        work: impl Future<Output = ()> + Send + 'static,
    ) -> TaskHandle {
        let supervisor = self.clone();
        let guarded = async move {
            if let Err(panic) = AssertUnwindSafe(work).catch_unwind().await {
                supervisor.fail(&name, panic_text(panic.as_ref()));
            }
        };
        TaskHandle {
            abort: tokio::spawn(self.tracker.track_future(guarded)).abort_handle(),
        }
    }

    /// Stops the whole process because `task` cannot go on; the first reason is the one kept.
    pub fn fail(&self, task: &str, reason: impl Into<String>) {
        let fatal = Fatal {
            task: task.to_owned(),
            reason: reason.into(),
        };
        tracing::error!(task.name = %fatal.task, reason = %fatal.reason, "a task failed; the process stops");
        self.fatal.send_if_modified(|slot| {
            let first = slot.is_none();
            if first {
                *slot = Some(fatal);
            }
            first
        });
        self.root.cancel();
    }

    /// Waits until some task of the process fails; for ever when none does.
    pub async fn failed(&self) -> Fatal {
        let mut receiver = self.fatal.subscribe();
        let found = match receiver.wait_for(Option::is_some).await {
            Ok(slot) => slot.clone(),
            Err(_) => None,
        };
        match found {
            Some(fatal) => fatal,
            // The sender lives in `self`, so the channel cannot have closed without a value.
            None => std::future::pending().await,
        }
    }

    /// The failure that stopped the process, where there was one.
    #[must_use]
    pub fn failure(&self) -> Option<Fatal> {
        self.fatal.borrow().clone()
    }

    /// Asks every task to end, without waiting.
    pub fn cancel(&self) {
        self.cancel.cancel();
    }

    /// Asks every task to end and waits for them, at most `grace`; then drops what is left.
    pub async fn shutdown(&self, grace: Duration) -> Drained {
        self.cancel.cancel();
        self.tracker.close();
        if tokio::time::timeout(grace, self.tracker.wait())
            .await
            .is_ok()
        {
            return Drained::Clean;
        }
        let left = self.tracker.len();
        self.abort.cancel();
        self.tracker.wait().await;
        Drained::Forced(left)
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<&'static str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "panicked without a message".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    const GRACE: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn a_plain_task_is_dropped_at_its_next_await_when_cancelled() {
        let supervisor = Supervisor::new();
        let handle = supervisor.spawn("endless", std::future::pending());
        assert!(!handle.is_finished());
        assert_eq!(supervisor.shutdown(GRACE).await, Drained::Clean);
        assert!(handle.is_finished());
    }

    #[tokio::test]
    async fn a_must_finish_task_sees_its_work_through() {
        let supervisor = Supervisor::new();
        let done = Arc::new(AtomicBool::new(false));
        let (flag, token) = (Arc::clone(&done), supervisor.token());
        supervisor.spawn_must_finish("writer", async move {
            token.cancelled().await;
            tokio::task::yield_now().await;
            flag.store(true, Ordering::SeqCst);
        });
        assert_eq!(supervisor.shutdown(GRACE).await, Drained::Clean);
        assert!(done.load(Ordering::SeqCst));
    }

    #[tokio::test]
    async fn a_must_finish_task_that_hangs_is_dropped_when_the_grace_runs_out() {
        let supervisor = Supervisor::new();
        supervisor.spawn_must_finish("hangs", std::future::pending());
        let outcome = supervisor.shutdown(Duration::from_millis(10)).await;
        assert_eq!(outcome, Drained::Forced(1));
    }

    #[tokio::test]
    async fn a_panic_is_reported_and_cancels_everything() {
        let supervisor = Supervisor::new();
        let child = supervisor.child();
        let bystander = supervisor.spawn("bystander", std::future::pending());
        child.spawn("breaks", async { panic!("the books do not add up") });
        let fatal = supervisor.failed().await;
        assert_eq!(fatal.task, "breaks");
        assert_eq!(fatal.reason, "the books do not add up");
        assert!(supervisor.token().is_cancelled());
        assert_eq!(supervisor.shutdown(GRACE).await, Drained::Clean);
        assert!(bystander.is_finished());
        assert_eq!(supervisor.failure(), Some(fatal));
    }

    #[tokio::test]
    async fn a_child_ends_alone_and_with_its_parent() {
        let parent = Supervisor::new();
        let (first, second) = (parent.child(), parent.child());
        first.spawn("of the first", std::future::pending());
        second.spawn("of the second", std::future::pending());
        assert_eq!(first.shutdown(GRACE).await, Drained::Clean);
        assert!(!parent.token().is_cancelled() && !second.token().is_cancelled());
        parent.cancel();
        assert!(second.token().is_cancelled());
        assert_eq!(second.shutdown(GRACE).await, Drained::Clean);
    }

    #[tokio::test]
    async fn an_aborted_task_stops_and_is_no_failure() {
        let supervisor = Supervisor::new();
        let handle = supervisor.spawn("endless", std::future::pending());
        handle.abort();
        assert_eq!(supervisor.shutdown(GRACE).await, Drained::Clean);
        assert!(handle.is_finished());
        assert_eq!(supervisor.failure(), None);
    }
}
