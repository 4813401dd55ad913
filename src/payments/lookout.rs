//! What an engine sees of the accounts that it is about to pay.
//!
//! A payment to an account that is not known yet waits while it is read, beside the engine: nothing
//! else does, neither pages nor answers nor payments to others. It waits for a bounded time. An account
//! that cannot be read by then is paid without a look, because the ledger itself is the last check and
//! a courtesy must not stop the wallet; the fee that this may cost is the price of that.
//!
//! Owns what was read for the payments that wait, until the next pass over the queue has used it.

use super::engine::Deps;
use super::preflight::Preflight;
use futures_util::FutureExt as _;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use xrpayd_core::address::AccountId;
use xrpayd_core::engine::Sight;
use xrpayd_core::payment::Payment;
use xrpayd_core::preflight::Facts;

/// So long a payment waits for a look at its destination: ledgers close every few seconds, and a
/// payment that waits longer than this would miss one.
const LOOK_TIME_MAX: Duration = Duration::from_secs(1);
/// Accounts that may wait for the reader: as many as one pass over the queue can name.
const LOOKS_AHEAD: usize = 512;
/// Batches of what was read that may wait for the engine.
const BATCHES_AHEAD: usize = 4;

/// What was read of an account; nothing where it could not be.
type Seen = (AccountId, Option<Facts>);

/// What is known of the accounts that wait to be paid.
pub(super) struct Lookout {
    preflight: Preflight,
    source: AccountId,
    ask: mpsc::Sender<AccountId>,
    looks: BTreeMap<AccountId, Look>,
}

enum Look {
    /// It is being read.
    Pending,
    /// This was read.
    Done(Option<Arc<Facts>>),
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
        let reader = read_all(deps.preflight.clone(), source, asked, tell, cancel.clone());
        deps.supervisor
            .spawn(format!("lookout:{}", deps.wallet.name), reader);
        let lookout = Self {
            preflight: deps.preflight.clone(),
            source,
            ask,
            looks: BTreeMap::new(),
        };
        (lookout, told)
    }

    /// What is seen of the payment's destination.
    pub(super) fn look(&mut self, payment: &Payment) -> Sight {
        let destination = payment.order.destination;
        let facts = match self.looks.get(&destination) {
            Some(Look::Pending) => return Sight::Pending,
            Some(Look::Done(facts)) => facts.clone(),
            None => {
                let known = self.preflight.known(self.source, destination);
                if known.is_none() && self.ask.try_send(destination).is_ok() {
                    self.looks.insert(destination, Look::Pending);
                    return Sight::Pending;
                }
                let known = known.map(Arc::new);
                let look = Look::Done(known.clone());
                self.looks.insert(destination, look);
                known
            }
        };
        let delivery = (&payment.order).into();
        match facts.and_then(|facts| facts.refusal(delivery)) {
            Some(refusal) => Sight::Refused(refusal),
            None => Sight::Clear,
        }
    }

    /// Takes what was read.
    pub(super) fn take(&mut self, seen: Vec<Seen>) {
        for (destination, facts) in seen {
            self.looks
                .insert(destination, Look::Done(facts.map(Arc::new)));
        }
    }

    /// A pass over the queue is over: what was read was for it, and for the ledger that it was read at.
    pub(super) fn forget(&mut self) {
        self.looks.retain(|_, look| matches!(look, Look::Pending));
    }
}

/// Reads accounts as they are asked for, all at once, and tells what was read as it comes.
async fn read_all(
    preflight: Preflight,
    source: AccountId,
    mut asked: mpsc::Receiver<AccountId>,
    tell: mpsc::Sender<Vec<Seen>>,
    cancel: CancellationToken,
) {
    let read = |destination: AccountId| {
        let preflight = preflight.clone();
        async move {
            let reading = preflight.read(source, destination);
            let facts = match tokio::time::timeout(LOOK_TIME_MAX, reading).await {
                Ok(Ok(facts)) => Some(facts),
                Ok(Err(unread)) => {
                    tracing::debug!(%destination, %unread, "an account is paid without a look");
                    None
                }
                Err(_) => {
                    tracing::debug!(%destination, "an account is paid without a look: it took too long");
                    None
                }
            };
            (destination, facts)
        }
    };
    let mut reading = FuturesUnordered::new();
    let work = async {
        loop {
            tokio::select! {
                next = asked.recv() => match next {
                    Some(destination) => reading.push(read(destination)),
                    None => return,
                },
                Some(first) = reading.next(), if !reading.is_empty() => {
                    let mut seen = vec![first];
                    while let Some(Some(next)) = reading.next().now_or_never() {
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
