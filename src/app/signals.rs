//! The process's signals: SIGTERM and SIGINT end it with a drain, a second one at once; SIGHUP
//! reloads.

use crate::supervise::Supervisor;
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, watch};

/// The exit code of a process that was told twice to end.
const EXIT_AT_ONCE: i32 = 130;

/// What the signals have said so far.
#[derive(Debug, Clone)]
pub(super) struct Signals {
    asked: watch::Receiver<bool>,
    reload: Arc<Notify>,
}

impl Signals {
    /// Begins to listen, with a task of `supervisor` that outlives the drain of every room.
    pub(super) fn listen(supervisor: &Supervisor) -> std::io::Result<Self> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut hangup = signal(SignalKind::hangup())?;
        let (tell, asked) = watch::channel(false);
        let reload = Arc::new(Notify::new());
        let ring = Arc::clone(&reload);
        supervisor.spawn("signals", async move {
            loop {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                    _ = hangup.recv() => {
                        ring.notify_one();
                        continue;
                    }
                }
                if tell.send_replace(true) {
                    tracing::warn!("told twice to end: ending at once");
                    std::process::exit(EXIT_AT_ONCE);
                }
            }
        });
        Ok(Self { asked, reload })
    }

    /// Waits until the process is asked to end.
    pub(super) async fn asked_to_end(&self) {
        let mut asked = self.asked.clone();
        // The sender's task ends only with the process.
        let _ = asked.wait_for(|asked| *asked).await;
    }

    /// Waits for the next SIGHUP.
    pub(super) async fn asked_to_reload(&self) {
        self.reload.notified().await;
    }
}
