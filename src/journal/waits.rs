//! What a reader of history waits for, told to people: which ledgers nobody can be asked for, and since
//! when. Nothing is ever stepped over, so a gap that stays is for somebody to close.
//!
//! Owns no history. What passes by itself within moments is not worth anybody's attention; what stays
//! is logged when it begins, once a minute while it lasts, and when it is over.

use crate::xrpl::{HistoryError, Pool, ServerView};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use xrpayd_core::ids::LedgerIndex;

/// Servers come to hold the newest ledgers at different moments, and connections come and go: what is
/// over sooner is nobody's business.
const WORTH_TELLING: Duration = Duration::from_secs(3);
/// How often what lasts is logged again.
const TOLD_AGAIN: Duration = Duration::from_secs(60);

/// What a reader waits for, as others may know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wait {
    /// The first ledger that cannot be read.
    pub from: LedgerIndex,
    /// How many ledgers from there on no quorum holds; none where that is not what is wrong.
    pub missing: Option<u32>,
    /// All of it in a sentence.
    pub why: String,
}

/// Follows what one reader waits for.
pub struct Waits {
    reader: String,
    show: watch::Sender<Option<Wait>>,
    since: Option<Instant>,
    told_at: Option<Instant>,
}

impl Waits {
    /// Those of `reader`, such as `the journal of hot`; what lasts is shown through `show`.
    pub(crate) fn of(reader: String, show: watch::Sender<Option<Wait>>) -> Self {
        Self {
            reader,
            show,
            since: None,
            told_at: None,
        }
    }

    /// The ledger `from` cannot be read, because of `error`.
    pub(crate) fn failed(&mut self, pool: &Pool, from: LedgerIndex, error: &HistoryError) {
        let wait = match error {
            HistoryError::Gap {
                holding, quorum, ..
            } => gap(from, (*holding, *quorum), pool),
            // Whether there are servers at all is told where the servers are.
            HistoryError::NotEnoughServers { .. } => {
                tracing::debug!(reader = self.reader, from.ledger = from.0, %error, "history waits");
                return;
            }
            HistoryError::Disagreement { .. } | HistoryError::Request(_) => Wait {
                from,
                missing: None,
                why: format!("ledger {from} and what follows cannot be read: {error}"),
            },
        };
        self.wait(wait);
    }

    /// The reader waits, for whatever reason.
    pub(crate) fn wait(&mut self, wait: Wait) {
        let now = Instant::now();
        let since = *self.since.get_or_insert(now);
        if now.duration_since(since) < WORTH_TELLING {
            tracing::debug!(reader = self.reader, why = wait.why, "history waits");
            return;
        }
        self.tell(wait, now);
    }

    fn tell(&mut self, wait: Wait, now: Instant) {
        let since = self.since.unwrap_or(now);
        if self
            .told_at
            .is_none_or(|told| now.duration_since(told) >= TOLD_AGAIN)
        {
            self.told_at = Some(now);
            tracing::error!(
                reader = self.reader,
                from.ledger = wait.from.0,
                missing_ledgers = wait.missing,
                waiting_s = now.duration_since(since).as_secs(),
                why = wait.why,
                "history cannot be read on: nothing is stepped over"
            );
        }
        self.show.send_if_modified(|shown| {
            let is_news = shown.as_ref() != Some(&wait);
            if is_news {
                *shown = Some(wait);
            }
            is_news
        });
    }

    /// The reader waits for what does not pass by itself.
    pub(crate) fn insist(&mut self, wait: Wait) {
        let now = Instant::now();
        self.since = Some(self.since.unwrap_or(now));
        self.tell(wait, now);
    }

    /// It was read.
    pub(crate) fn over(&mut self) {
        self.since = None;
        if self.told_at.take().is_some() {
            tracing::info!(reader = self.reader, "history is read on");
        }
        self.show.send_if_modified(|shown| shown.take().is_some());
    }
}

/// Names a gap: where it begins, from where on enough servers hold everything, and who holds what.
fn gap(from: LedgerIndex, (holding, quorum): (usize, usize), pool: &Pool) -> Wait {
    let held = pool.lowest_held().filter(|held| *held > from);
    let servers = pool.servers();
    let holdings: Vec<String> = servers.iter().map(holds).collect();
    let held_from = match held {
        Some(held) => format!("from ledger {held} on a quorum holds everything"),
        None => "no quorum holds what follows".to_owned(),
    };
    Wait {
        from,
        missing: Some(held.map_or(1, |held| held.ahead_of(from))),
        why: format!(
            "{holding} servers hold ledger {from} and {quorum} must agree; {held_from} ({})",
            holdings.join("; ")
        ),
    }
}

fn holds(server: &ServerView) -> String {
    format!("{} holds {}", server.name, server.complete_ledgers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(from: u32) -> Wait {
        Wait {
            from: LedgerIndex(from),
            missing: Some(3),
            why: format!("nobody holds ledger {from}"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_lasts_is_told_and_what_passes_by_itself_is_not() {
        let (show, shown) = watch::channel(None);
        let mut waits = Waits::of("the journal of hot".to_owned(), show);
        waits.wait(wait(7));
        tokio::time::advance(WORTH_TELLING / 2).await;
        waits.wait(wait(7));
        waits.over();
        tokio::time::advance(WORTH_TELLING).await;
        waits.wait(wait(8));
        assert_eq!(*shown.borrow(), None, "it began only now");
        assert!(!shown.has_changed().unwrap());
        tokio::time::advance(WORTH_TELLING).await;
        waits.wait(wait(8));
        assert_eq!(*shown.borrow(), Some(wait(8)));
        waits.over();
        assert_eq!(*shown.borrow(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_pass_by_itself_is_told_at_once_and_once_a_minute() {
        let (show, shown) = watch::channel(None);
        let mut waits = Waits::of("the past of hot".to_owned(), show);
        let mut told = 0;
        for _ in 0..12 {
            let before = waits.told_at;
            waits.insist(wait(7));
            assert_eq!(*shown.borrow(), Some(wait(7)));
            told += u32::from(waits.told_at != before);
            tokio::time::advance(TOLD_AGAIN / 4).await;
        }
        assert_eq!(told, 3);
    }
}
