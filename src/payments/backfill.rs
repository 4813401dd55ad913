//! Books the past of a wallet that was told to begin with an older ledger, while the wallet works.
//!
//! What the engine pays from is the present: the account root and the journal from there on. The past is
//! read and booked beside it, so payments wait for none of it, and no other wallet does. Each stretch is
//! held against what was read before it and is durable before the next one, so a process that is killed
//! goes on where it was. What does not fit is never booked: it is named, and read again after a while,
//! perhaps from better servers. The last stretch joins the past to the journal; the engine then reads
//! everything again.

use super::engine::{Deps, Hands};
use crate::journal::past;
use crate::journal::waits::{Wait, Waits};
use crate::store::{Backfill, CommitError, StoreError};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use xrpayd_core::backfill::{self, Broken, Stretch};
use xrpayd_core::ids::LedgerIndex;

/// Stretches that are read ahead of the one that is booked.
const STRETCHES_AHEAD: usize = 1;
/// How often it is told how far the past has been read.
const TOLD_EVERY: Duration = Duration::from_secs(5);
/// The pause before what did not fit is read again.
const BROKEN_PAUSE: Duration = Duration::from_secs(10);
/// The pause after a store that does not answer.
const STORE_PAUSE: Duration = Duration::from_millis(500);

/// How far a wallet's past has been read, as others may know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Its first ledger.
    pub start: LedgerIndex,
    /// The last ledger that was read.
    pub at: LedgerIndex,
    /// Its last ledger: the journal goes on after it.
    pub end: LedgerIndex,
    /// How many transactions were read.
    pub entries: u64,
}

/// Where the work is shown.
pub(super) struct Shown {
    /// How far it is; none where there is nothing to read.
    pub(super) progress: watch::Sender<Option<Progress>>,
    /// What it waits for.
    pub(super) wait: watch::Sender<Option<Wait>>,
    /// What was read and does not fit.
    pub(super) broken: watch::Sender<Option<Wait>>,
}

/// Why the work stops for a while.
enum Stopped {
    /// All of it was read, or there is nothing to read.
    Finished,
    Store(CommitError),
    Broken(Broken),
}

impl<T: Into<CommitError>> From<T> for Stopped {
    fn from(error: T) -> Self {
        Self::Store(error.into())
    }
}

/// Reads and books the past of the wallet until all of it is, or `cancel`.
/// `hands` is given back with the end.
pub(super) async fn run(deps: Deps, shown: Shown, (cancel, _hands): (CancellationToken, Hands)) {
    tokio::select! {
        () = cancel.cancelled() => {}
        () = work(&deps, shown) => {}
    }
}

async fn work(deps: &Deps, shown: Shown) {
    let name = &deps.wallet.name;
    let mut waits = Waits::of(format!("the past of {name}"), shown.wait);
    let mut broken = Waits::of(format!("the past of {name} as it was read"), shown.broken);
    loop {
        match read_on(deps, &shown.progress, &mut waits, &mut broken).await {
            Ok(()) | Err(Stopped::Finished) => return,
            // The engine finds out by itself, and ends.
            Err(Stopped::Store(CommitError::Store(
                StoreError::LeaseLost(_) | StoreError::HistoryBroken(_),
            ))) => return,
            Err(Stopped::Store(error)) => {
                tracing::error!(wallet.name = name, error = ?error, "the past cannot be booked: it is read again");
                tokio::time::sleep(STORE_PAUSE).await;
            }
            Err(Stopped::Broken(why)) => {
                let from = shown
                    .progress
                    .borrow()
                    .map_or(LedgerIndex(0), |known| known.at.plus(1));
                broken.insist(Wait {
                    from,
                    missing: None,
                    why: format!(
                        "what the servers tell from ledger {from} on proves nothing: {why}"
                    ),
                });
                tokio::time::sleep(BROKEN_PAUSE).await;
            }
        }
    }
}

/// Goes on where the store says that the past has been read to.
async fn read_on(
    deps: &Deps,
    progress: &watch::Sender<Option<Progress>>,
    waits: &mut Waits,
    broken: &mut Waits,
) -> Result<(), Stopped> {
    let (name, account) = (&deps.wallet.name, deps.wallet.account);
    let begun = deps.store.backfill(name).await?;
    let Some(mut past) = begun.filter(|past| !past.is_finished) else {
        progress.send_replace(None);
        return Err(Stopped::Finished);
    };
    progress.send_replace(progress_of(&past));
    let range = (past.reached.at.plus(1), past.goal.at);
    tracing::info!(
        wallet.name = name,
        from.ledger = range.0.0,
        to.ledger = range.1.0,
        transactions = past.reached.entries,
        "the wallet's past is read"
    );
    let (stretch_tx, mut stretches) = mpsc::channel(STRETCHES_AHEAD);
    let reading = past::read(&deps.pool, account, range, stretch_tx, waits);
    let booking = async {
        let mut pace = Pace::from(&past);
        while let Some(stretch) = stretches.recv().await {
            book(deps, &mut past, &stretch).await?;
            broken.over();
            // The engine shows the whole journal once it has read where that begins.
            if !past.is_finished {
                progress.send_replace(progress_of(&past));
            }
            pace.tell(name, &past);
        }
        Ok(past)
    };
    tokio::pin!(reading, booking);
    // The reader ends first where all was read, and the booking where something is wrong.
    let booked: Result<Backfill, Stopped> = tokio::select! {
        () = &mut reading => booking.await,
        stopped = &mut booking => stopped,
    };
    let past = booked?;
    let opening = past.reached.opening.map(|drops| drops.to_string());
    tracing::info!(
        wallet.name = name,
        from.ledger = past.start.0,
        to.ledger = past.goal.at.0,
        transactions = past.reached.entries,
        opening_drops = opening,
        "the wallet's past has been read, and ends where its journal begins"
    );
    // The journal begins with another ledger now.
    deps.changed.notify_one();
    Ok(())
}

/// Holds a stretch against the past and makes both durable.
async fn book(deps: &Deps, past: &mut Backfill, stretch: &Stretch) -> Result<(), Stopped> {
    let advanced =
        backfill::advance(&past.reached, &past.goal, stretch).map_err(Stopped::Broken)?;
    let tenure = deps.hold.tenure();
    deps.store
        .book_past(tenure, past, &stretch.page, &advanced, deps.clock.now())
        .await?;
    past.reached = advanced.reached;
    past.is_finished = past.reached.at == past.goal.at;
    Ok(())
}

/// How far a past has been read; none where it has been joined to the journal.
pub(super) fn progress_of(past: &Backfill) -> Option<Progress> {
    (!past.is_finished).then_some(Progress {
        start: past.start,
        at: past.reached.at,
        end: past.goal.at,
        entries: past.reached.entries,
    })
}

/// How fast the past is read since this process reads it.
struct Pace {
    began: Instant,
    began_at: LedgerIndex,
    entries_before: u64,
    told_at: Instant,
}

impl Pace {
    fn from(past: &Backfill) -> Self {
        let now = Instant::now();
        Self {
            began: now,
            began_at: past.reached.at,
            entries_before: past.reached.entries,
            told_at: now,
        }
    }

    /// Tells now and then how far it is, how fast it goes and how long it will take.
    fn tell(&mut self, name: &str, past: &Backfill) {
        let now = Instant::now();
        if now.duration_since(self.told_at) < TOLD_EVERY {
            return;
        }
        self.told_at = now;
        let (reached, end) = (past.reached, past.goal.at);
        let passed_ms =
            u64::try_from(now.duration_since(self.began).as_millis()).unwrap_or(u64::MAX);
        let read = u64::from(reached.at.ahead_of(self.began_at));
        let left = u64::from(end.ahead_of(reached.at));
        let entries = reached.entries.saturating_sub(self.entries_before);
        tracing::info!(
            wallet.name = name,
            ledger.index = reached.at.0,
            ledgers_read = reached.at.ahead_of(past.start).saturating_add(1),
            ledgers_left = left,
            transactions = reached.entries,
            transactions_per_s = rate(entries, passed_ms),
            ledgers_per_s = rate(read, passed_ms),
            seconds_left = seconds_left(left, read, passed_ms),
            "the wallet's past is being read"
        );
    }
}

/// How many a second, of `count` in so many milliseconds.
fn rate(count: u64, passed_ms: u64) -> u64 {
    count.saturating_mul(1_000) / passed_ms.max(1)
}

/// How long the rest takes at the pace so far; none while nothing tells.
fn seconds_left(left: u64, read: u64, passed_ms: u64) -> Option<u64> {
    left.saturating_mul(passed_ms)
        .checked_div(read)
        .map(|ms| ms / 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_is_estimated_by_the_pace_so_far_and_not_at_all_before_there_is_one() {
        assert_eq!(rate(4_000, 2_000), 2_000);
        assert_eq!(rate(7, 0), 7_000);
        assert_eq!(seconds_left(500, 1_000, 60_000), Some(30));
        assert_eq!(seconds_left(500, 0, 60_000), None);
    }
}
