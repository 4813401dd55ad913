//! Hints: that somebody may have something to look at, and never what it is.
//!
//! Owns who is told, in this process and, on PostgreSQL, in the others that share the database. The
//! database is the truth and everybody who is told anything here also looks by himself after a while,
//! so a hint that is lost costs the time until that look and nothing else. None is said before the
//! commit of what it is about, and saying one never waits and never fails: what is for the others is
//! gathered here and sent in a transaction of its own ([`Store::send_hints`]), because a `notify`
//! inside a transaction makes all commits of the database wait for each other.

pub(super) mod line;
mod message;

use super::{Store, StoreError};
use message::Message;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use tokio::sync::{Notify, broadcast, watch};

/// The channel of the database on which the processes tell each other.
const CHANNEL: &str = "xrpayd_hints";
/// How many hints may wait for a listener. One that falls behind is told that it missed some, and looks
/// at everything.
const WAITING_MAX: usize = 1_024;
/// Hints in one message at most: the longest names of wallets fit PostgreSQL's 8,000 bytes many times.
const MESSAGE_HINTS_MAX: usize = 32;

/// That there may be something to look at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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
    /// The last sequence of the feed that is known to be committed.
    feed: watch::Sender<i64>,
    /// How often keys have changed.
    keys: AtomicU64,
    /// What is for the other processes, where there may be some.
    outbox: Option<Outbox>,
}

/// What waits to be sent. Bounded: it holds each hint once, and of the feed the last.
#[derive(Debug, Default)]
struct Outbox {
    waiting: Mutex<Waiting>,
    rung: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    hints: BTreeSet<Hint>,
    feed: Option<i64>,
    /// Whether this process wants to hear itself.
    probe: bool,
}

/// Whether other processes share the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Others {
    None,
    Perhaps,
}

impl Hints {
    pub(super) fn new(others: Others) -> Self {
        Self {
            here: broadcast::Sender::new(WAITING_MAX),
            feed: watch::Sender::new(0),
            keys: AtomicU64::new(0),
            outbox: match others {
                Others::None => None,
                Others::Perhaps => Some(Outbox::default()),
            },
        }
    }

    pub(super) fn feed_changed(&self) -> watch::Receiver<i64> {
        self.feed.subscribe()
    }

    /// Says something that this process has committed, or may have.
    pub(super) fn say(&self, hint: Hint) {
        if let Some(outbox) = &self.outbox {
            outbox.put(&hint);
        }
        match hint {
            Hint::Feed(last) => self.feed_to(last),
            // Who makes work here wakes the engine himself, without the way around.
            Hint::Work(_) => {}
            hint => self.tell_here(hint),
        }
    }

    /// Takes what another process has said.
    fn hear(&self, hint: Hint) {
        match hint {
            Hint::Feed(last) => self.feed_to(last),
            hint => self.tell_here(hint),
        }
    }

    fn feed_to(&self, last: i64) {
        self.feed.send_modify(|known| *known = last.max(*known));
    }

    fn tell_here(&self, hint: Hint) {
        if hint == Hint::Keys {
            self.keys.fetch_add(1, Ordering::SeqCst);
        }
        // Nobody listens where nothing runs, such as in a command.
        let _unheard = self.here.send(hint);
    }
}

impl Outbox {
    fn put(&self, hint: &Hint) {
        self.change(|waiting| match hint {
            Hint::Feed(last) => waiting.feed = waiting.feed.max(Some(*last)),
            hint => {
                waiting.hints.insert(hint.clone());
            }
        });
        self.rung.notify_one();
    }

    /// The next message, where there is one.
    fn take(&self) -> Option<Vec<Hint>> {
        self.change(|waiting| {
            let is_probe = std::mem::take(&mut waiting.probe);
            let mut taken: Vec<Hint> = waiting.feed.take().map(Hint::Feed).into_iter().collect();
            while taken.len() < MESSAGE_HINTS_MAX {
                match waiting.hints.pop_first() {
                    Some(hint) => taken.push(hint),
                    None => break,
                }
            }
            (is_probe || !taken.is_empty()).then_some(taken)
        })
    }

    fn change<T>(&self, change: impl FnOnce(&mut Waiting) -> T) -> T {
        change(&mut self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Store {
    /// Everything that is said from now on, here and by the other processes; the feed shows in
    /// [`Store::feed_changed`], and what is accepted here wakes its engine without a hint. A listener
    /// that is told of a gap looks at everything.
    #[must_use]
    pub fn hints(&self) -> broadcast::Receiver<Hint> {
        self.db().hints().here.subscribe()
    }

    /// Says something to whoever listens, here and in the other processes, after the commit of what it
    /// is about.
    pub fn hint(&self, hint: Hint) {
        self.db().hints().say(hint);
    }

    /// Grows whenever a key may have been changed, by whichever process.
    #[must_use]
    pub fn keys_changed(&self) -> u64 {
        self.db().hints().keys.load(Ordering::SeqCst)
    }

    /// Waits until there is something for the other processes; for ever where there are none.
    pub async fn hints_to_send(&self) {
        match &self.db().hints().outbox {
            Some(outbox) => outbox.rung.notified().await,
            None => std::future::pending().await,
        }
    }

    /// Has the next sending carry this process's own name at least, so that it hears itself where it
    /// hears anything.
    pub fn probe_hints(&self) {
        if let Some(outbox) = &self.db().hints().outbox {
            outbox.change(|waiting| waiting.probe = true);
            outbox.rung.notify_one();
        }
    }

    /// Sends what waits for the other processes, from the one of this name. What could not be sent is
    /// forgotten.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn send_hints(&self, from: &str) -> Result<(), StoreError> {
        let Some(outbox) = &self.db().hints().outbox else {
            return Ok(());
        };
        while let Some(hints) = outbox.take() {
            let text = Message::of(from, hints).encode()?;
            let mut tx = self.db().write().await?;
            // Nobody waits for this to be durable.
            let sql = "select set_config('synchronous_commit', 'off', true) as durable, \
                pg_notify($1, $2) is null as sent";
            tx.fetch(sql, vec![CHANNEL.into(), text.into()]).await?;
            tx.commit().await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_listens_is_told_and_a_hint_to_nobody_is_lost() {
        let hints = Hints::new(Others::None);
        hints.say(Hint::Keys);
        let (mut one, mut other) = (hints.here.subscribe(), hints.here.subscribe());
        hints.say(Hint::Lease("hot".to_owned()));
        for listener in [&mut one, &mut other] {
            let told = listener.recv().await.unwrap();
            assert_eq!(told, Hint::Lease("hot".to_owned()));
        }
    }

    #[test]
    fn what_waits_to_be_sent_is_told_once_and_of_the_feed_the_last() {
        let hints = Hints::new(Others::Perhaps);
        let work = || Hint::Work("hot".to_owned());
        for hint in [Hint::Feed(7), work(), Hint::Feed(9), work(), Hint::Feed(8)] {
            hints.say(hint);
        }
        let outbox = hints.outbox.as_ref().unwrap();
        assert_eq!(outbox.take(), Some(vec![Hint::Feed(9), work()]));
        assert_eq!(outbox.take(), None);
        outbox.change(|waiting| waiting.probe = true);
        assert_eq!(outbox.take(), Some(Vec::new()));
        assert_eq!(outbox.take(), None);
    }

    #[test]
    fn many_hints_are_several_messages_and_none_is_left_behind() {
        let hints = Hints::new(Others::Perhaps);
        let count = MESSAGE_HINTS_MAX * 2 + 1;
        for n in 0..count {
            hints.say(Hint::Work(format!("wallet-{n}")));
        }
        let outbox = hints.outbox.as_ref().unwrap();
        let sent: Vec<_> = std::iter::from_fn(|| outbox.take()).collect();
        assert_eq!(sent.len(), 3);
        assert_eq!(sent.iter().flatten().count(), count);
    }

    #[test]
    fn what_another_process_says_is_told_here_and_not_sent_on() {
        let hints = Hints::new(Others::Perhaps);
        let mut listener = hints.here.subscribe();
        let feed = hints.feed_changed();
        for hint in [Hint::Keys, Hint::Work("hot".to_owned()), Hint::Feed(4)] {
            hints.hear(hint);
        }
        assert_eq!(listener.try_recv(), Ok(Hint::Keys));
        assert_eq!(listener.try_recv(), Ok(Hint::Work("hot".to_owned())));
        assert_eq!(*feed.borrow(), 4);
        assert_eq!(hints.keys.load(Ordering::SeqCst), 1);
        assert_eq!(hints.outbox.as_ref().unwrap().take(), None);
    }
}
