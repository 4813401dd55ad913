//! What an engine sees of the accounts that it is about to pay.
//!
//! A payment to an account that is not known yet waits while it is looked at, beside the engine: nothing
//! else does, neither pages nor answers nor payments to others. One server's word is asked for first. If
//! it says nothing against the payment, that is signed: the ledger itself is asked next. If it does, the
//! quorum is asked, because a payment is ended by what that agrees on and by nothing less.
//!
//! Each look takes a bounded time. An account that nobody tells of by then is paid without a look: a
//! courtesy must not stop the wallet, and the fee that this may cost is the price of that.
//!
//! While the journal is still read and nothing may be signed, the accounts that come first are looked at
//! already, so that whoever takes a wallet over signs as soon as it may. What one server said then counts
//! for a moment; nothing else that came of it does.
//!
//! Owns what was seen for the payments that wait, until the next pass over the queue has used it.

use super::engine::Deps;
use super::preflight::{Preflight, Unread};
use futures_util::FutureExt as _;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use xrpayd_core::address::AccountId;
use xrpayd_core::engine::Sight;
use xrpayd_core::payment::Payment;
use xrpayd_core::preflight::Facts;

/// So long one server's word is waited for.
const GLANCE_TIME_MAX: Duration = Duration::from_millis(500);
/// And so long the quorum's. Ledgers close every few seconds: a payment that waits longer than both would
/// miss one.
const READING_TIME_MAX: Duration = Duration::from_secs(1);
/// So long what was seen ahead is as good as what is seen now: a ledger or two.
const AHEAD_TIME_MAX: Duration = Duration::from_secs(5);
/// Accounts that may wait for the reader: as many as one pass over the queue can name.
const LOOKS_AHEAD: usize = 512;
/// Batches of what was read that may wait for the engine.
const BATCHES_AHEAD: usize = 4;

/// What was seen of an account.
pub(super) type Seen = (AccountId, Look);

/// What is known of the accounts that wait to be paid.
pub(super) struct Lookout {
    preflight: Preflight,
    source: AccountId,
    ask: mpsc::Sender<(AccountId, Eyes)>,
    looks: BTreeMap<AccountId, Look>,
    ahead: Ahead,
}

/// What was looked at before anything could be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ahead {
    /// Nothing yet.
    Nothing,
    /// The accounts that come first, at this moment.
    At(Instant),
    /// That was used, or is no longer of use.
    Over,
}

/// Whose word is asked for.
#[derive(Debug, Clone, Copy)]
enum Eyes {
    /// One server's.
    One,
    /// The quorum's.
    Quorum,
}

/// How far the look at an account has come.
#[derive(Debug, Clone)]
pub(super) enum Look {
    /// Somebody is being asked.
    Pending,
    /// One server said this.
    Glanced(Arc<Facts>),
    /// The quorum agreed on this.
    Agreed(Arc<Facts>),
    /// Nobody tells in time.
    Unseen,
}

impl Lookout {
    /// A lookout for payments from `source`, and where it is told what was read.
    pub(super) fn open(
        deps: &Deps,
        source: AccountId,
        cancel: &CancellationToken,
    ) -> (Self, mpsc::Receiver<Vec<Seen>>) {
        let (ask, asked) = mpsc::channel(LOOKS_AHEAD);
        let (tell, told) = mpsc::channel(BATCHES_AHEAD);
        let eyes = look_at_all(deps.preflight.clone(), source, asked, tell, cancel.clone());
        deps.supervisor
            .spawn(format!("lookout:{}", deps.wallet.name), eyes);
        let lookout = Self {
            preflight: deps.preflight.clone(),
            source,
            ask,
            looks: BTreeMap::new(),
            ahead: Ahead::Nothing,
        };
        (lookout, told)
    }

    /// What is seen of the payment's destination.
    pub(super) fn look(&mut self, payment: &Payment) -> Sight {
        let destination = payment.order.destination;
        let delivery = (&payment.order).into();
        let look = self.looks.get(&destination).cloned();
        let look = look.or_else(|| self.known(destination));
        match look {
            Some(Look::Pending) => Sight::Pending,
            Some(Look::Unseen) => Sight::Clear,
            Some(Look::Glanced(facts)) if facts.judge(delivery).are_good() => Sight::Clear,
            Some(Look::Glanced(_)) => self.ask(destination, Eyes::Quorum),
            Some(Look::Agreed(facts)) => match facts.refusal(delivery) {
                Some(refusal) => Sight::Refused(refusal),
                None => Sight::Clear,
            },
            None => self.ask(destination, Eyes::One),
        }
    }

    /// Whether the accounts that come first are yet to be looked at ahead.
    pub(super) fn may_look_ahead(&self) -> bool {
        self.ahead == Ahead::Nothing && self.preflight.has_ledger()
    }

    /// Has the destinations of those that come first looked at, before any of them may be signed.
    pub(super) fn look_ahead(&mut self, first: &[Payment]) {
        for payment in first {
            let destination = payment.order.destination;
            if !self.looks.contains_key(&destination) && self.known(destination).is_none() {
                self.ask(destination, Eyes::One);
            }
        }
        self.ahead = Ahead::At(Instant::now());
    }

    /// From here on payments may be signed. Of what was seen ahead one server's words count while they are
    /// fresh; whoever was not seen is looked at again.
    pub(super) fn heed_what_came_ahead(&mut self) {
        if let Ahead::At(at) = self.ahead {
            let is_fresh = at.elapsed() <= AHEAD_TIME_MAX;
            self.retain(is_fresh);
            self.ahead = Ahead::Over;
        }
    }

    /// Keeps where somebody is being asked, and one server's words where `glances` says so.
    fn retain(&mut self, glances: bool) {
        self.looks.retain(|_, look| match look {
            Look::Pending => true,
            Look::Glanced(_) => glances,
            Look::Agreed(_) | Look::Unseen => false,
        });
    }

    /// What was seen before, at the ledger that is the newest now; kept for this pass.
    fn known(&mut self, destination: AccountId) -> Option<Look> {
        let agreed = self.preflight.known(self.source, destination);
        let look = match agreed {
            Some(facts) => Look::Agreed(Arc::new(facts)),
            None => Look::Glanced(Arc::new(self.preflight.glanced(destination)?)),
        };
        self.looks.insert(destination, look.clone());
        Some(look)
    }

    fn ask(&mut self, destination: AccountId, eyes: Eyes) -> Sight {
        match self.ask.try_send((destination, eyes)) {
            Ok(()) => {
                self.looks.insert(destination, Look::Pending);
                Sight::Pending
            }
            // More is being looked at than anybody can answer for in time.
            Err(_) => Sight::Clear,
        }
    }

    /// Takes what was seen.
    pub(super) fn take(&mut self, seen: Vec<Seen>) {
        self.looks.extend(seen);
    }

    /// A pass over the queue is over: what was read was for it, and for the ledger that it was read at. What
    /// one server said ahead is kept for the first pass that may sign.
    pub(super) fn forget(&mut self) {
        self.retain(matches!(self.ahead, Ahead::At(_)));
    }
}

/// Looks at accounts as they are asked for, at all of them at once, and tells what was seen as it comes.
async fn look_at_all(
    preflight: Preflight,
    source: AccountId,
    mut asked: mpsc::Receiver<(AccountId, Eyes)>,
    tell: mpsc::Sender<Vec<Seen>>,
    cancel: CancellationToken,
) {
    let mut looking = FuturesUnordered::new();
    let work = async {
        loop {
            tokio::select! {
                next = asked.recv() => match next {
                    Some((destination, eyes)) => looking.push(look_at(&preflight, source, destination, eyes)),
                    None => return,
                },
                Some(first) = looking.next(), if !looking.is_empty() => {
                    let mut seen = vec![first];
                    while let Some(Some(next)) = looking.next().now_or_never() {
                        seen.push(next);
                    }
                    if tell.send(seen).await.is_err() {
                        return;
                    }
                }
            }
        }
    };
    tokio::select! {
        () = cancel.cancelled() => {}
        () = work => {}
    }
}

async fn look_at(
    preflight: &Preflight,
    source: AccountId,
    destination: AccountId,
    eyes: Eyes,
) -> Seen {
    let look = async {
        match eyes {
            Eyes::One => preflight
                .glance(destination)
                .await
                .map(Arc::new)
                .map(Look::Glanced),
            Eyes::Quorum => {
                let read = preflight.read(source, destination).await;
                read.map(Arc::new).map(Look::Agreed)
            }
        }
    };
    let patience = match eyes {
        Eyes::One => GLANCE_TIME_MAX,
        Eyes::Quorum => READING_TIME_MAX,
    };
    let why = match tokio::time::timeout(patience, look).await {
        Ok(Ok(look)) => return (destination, look),
        Ok(Err(unread)) => unread,
        Err(_) => Unread::TimedOut,
    };
    tracing::debug!(%destination, %why, "an account is paid without a look");
    (destination, Look::Unseen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use crate::supervise::Supervisor;
    use crate::xrpl::Pool;
    use xrpayd_core::ids::{LedgerHash, LedgerIndex, UnixMs};
    use xrpayd_core::money::Drops;
    use xrpayd_core::preflight::Reading;

    fn facts() -> Arc<Facts> {
        Arc::new(Facts {
            reading: Reading {
                ledger_index: LedgerIndex(7),
                ledger_hash: LedgerHash([7; 32]),
                servers: Vec::new(),
            },
            reserve_base: Drops::new(1).unwrap(),
            account: None,
        })
    }

    /// One look of each kind, taken ahead: pending, one server's word, agreed, unseen.
    fn looked_ahead() -> Lookout {
        let clock = Arc::new(ManualClock::new(UnixMs(0)));
        let pool = Pool::without_servers(clock.clone(), Supervisor::new());
        let looks = [
            Look::Pending,
            Look::Glanced(facts()),
            Look::Agreed(facts()),
            Look::Unseen,
        ];
        let looks = (1..).map(|n| AccountId([n; 20])).zip(looks).collect();
        Lookout {
            preflight: Preflight::new(pool, clock),
            source: AccountId([0; 20]),
            ask: mpsc::channel(1).0,
            looks,
            ahead: Ahead::At(Instant::now()),
        }
    }

    fn kept(lookout: &Lookout) -> Vec<u8> {
        lookout.looks.keys().map(|account| account.0[0]).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn of_what_was_seen_ahead_one_servers_words_count_for_a_moment_and_in_one_pass() {
        let mut lookout = looked_ahead();
        lookout.forget();
        assert_eq!(kept(&lookout), [1, 2], "the pass that signs is to come");
        tokio::time::advance(AHEAD_TIME_MAX).await;
        lookout.take(vec![(AccountId([9; 20]), Look::Unseen)]);
        lookout.heed_what_came_ahead();
        assert_eq!(kept(&lookout), [1, 2]);
        lookout.take(vec![(AccountId([9; 20]), Look::Agreed(facts()))]);
        lookout.forget();
        assert_eq!(kept(&lookout), [1], "that pass is over");

        let mut late = looked_ahead();
        tokio::time::advance(AHEAD_TIME_MAX + Duration::from_millis(1)).await;
        late.heed_what_came_ahead();
        assert_eq!(kept(&late), [1]);
        assert!(!late.may_look_ahead(), "once");
    }
}
