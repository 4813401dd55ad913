//! The auditor: reads the ledger's truth and the answers that clients got, and nothing else.
//!
//! It knows nothing of the engine, its store or its servers. The first sentence that does not hold ends
//! the world.

use crate::chain::{Chain, drops};
use crate::disk::Asked;
use std::collections::{BTreeMap, BTreeSet};
use xrpayd_core::deposit::{Counted, Credit};
use xrpayd_core::engine::RequestNews;
use xrpayd_core::ids::{Hash256, PaymentId, TxHash};
use xrpayd_core::journal::{Delivered, Entry, TICKET_CREATE};
use xrpayd_core::payment::{Payment, Slot, State, Status};

/// What a client was promised under one key.
#[derive(Debug, Clone)]
pub struct Promise {
    /// The amount in drops.
    pub amount: u64,
    /// The payment that answers to the key, once a client was told.
    pub payment: Option<PaymentId>,
    /// Its end, once a client was told, and the version that told it.
    end: Option<(u32, State)>,
    /// The validated successes that bear its marker.
    delivered: Vec<TxHash>,
}

/// What the auditor has seen.
#[derive(Debug, Default)]
pub struct Audit {
    promises: BTreeMap<Hash256, Promise>,
    /// The transactions that made tickets.
    makers: BTreeSet<TxHash>,
    /// The first sentence that did not hold.
    pub violation: Option<String>,
}

impl Audit {
    /// A client is about to ask for a payment.
    pub fn expect(&mut self, marker: Hash256, amount: u64) {
        self.promises.insert(
            marker,
            Promise {
                amount,
                payment: None,
                end: None,
                delivered: Vec::new(),
            },
        );
    }

    fn blame(&mut self, what: impl FnOnce() -> String) {
        if self.violation.is_none() {
            self.violation = Some(what());
        }
    }

    /// A ledger was validated.
    pub fn validated(&mut self, entries: &[Entry]) {
        for entry in entries {
            if entry.transaction_type == TICKET_CREATE && entry.result == "tesSUCCESS" {
                self.makers.insert(entry.hash);
            }
            let Some(promise) = entry
                .marker
                .and_then(|marker| self.promises.get_mut(&marker))
            else {
                continue;
            };
            if entry.result != "tesSUCCESS" {
                continue;
            }
            promise.delivered.push(entry.hash);
            let (times, end) = (promise.delivered.len(), promise.end.clone());
            let is_exact = entry.delivered == Delivered::Xrp(drops(promise.amount));
            if times > 1 {
                self.blame(|| {
                    format!(
                        "paid twice: {} in ledger {}",
                        entry.hash, entry.ledger_index
                    )
                });
            }
            if !is_exact {
                self.blame(|| format!("{} delivered another amount than was asked", entry.hash));
            }
            if let Some((_, end)) = end {
                self.blame(|| {
                    format!(
                        "{} delivered in ledger {} what was said to be {end:?}",
                        entry.hash, entry.ledger_index
                    )
                });
            }
        }
    }

    /// A client was answered 201 or 200.
    pub fn accepted(&mut self, marker: Hash256, payment: &Payment) {
        let known = self.promises.get_mut(&marker);
        let before = known.and_then(|promise| promise.payment.replace(payment.id));
        if let Some(before) = before
            && before != payment.id
        {
            self.blame(|| format!("one key, two payments: {before} and {}", payment.id));
        }
        self.seen(marker, payment);
    }

    /// A client was shown its payment.
    pub fn seen(&mut self, marker: Hash256, payment: &Payment) {
        let mut open = payment.open_attempts().map(|attempt| attempt.slot);
        let first: Option<Slot> = open.next();
        if open.any(|slot| Some(slot) != first) {
            self.blame(|| format!("{}: open attempts on two slots", payment.id));
        }
        let Some(promise) = self.promises.get_mut(&marker) else {
            return;
        };
        if let Some((version, end)) = &promise.end {
            // An answer that was long on its way tells of an earlier version, which is no change.
            let changed = *end != payment.state && payment.version >= *version;
            let end = end.clone();
            if changed {
                self.blame(|| format!("{} was {end:?} and is {:?}", payment.id, payment.state));
            }
            return;
        }
        if !payment.status().is_final() {
            return;
        }
        promise.end = Some((payment.version, payment.state.clone()));
        let delivered = promise.delivered.clone();
        let amount = promise.amount;
        match &payment.state {
            State::Succeeded {
                delivered: told,
                tx_hash,
                ..
            } => {
                if delivered != [*tx_hash] || *told != drops(amount) {
                    self.blame(|| format!("{} is said to be delivered by {tx_hash}, and the ledger holds {delivered:?}", payment.id));
                }
            }
            state => {
                if !delivered.is_empty() {
                    self.blame(|| {
                        format!(
                            "{} is said to be {state:?}, and {delivered:?} delivered it",
                            payment.id
                        )
                    });
                }
            }
        }
    }

    /// A client was told that another request stands under its key.
    pub fn key_reused(&mut self, marker: Hash256) {
        let is_known = self
            .promises
            .get(&marker)
            .is_some_and(|p| p.payment.is_some());
        if !is_known {
            self.blame(|| "a key that nobody has used is said to be used".to_owned());
        }
    }

    /// The first request under a key, asked again, was answered as if another had been made.
    pub fn wrongly_refused(&mut self, marker: Hash256) {
        self.blame(|| format!("a repeated request was refused as another one: {marker:?}"));
    }

    /// Another request under a known key was taken.
    pub fn wrongly_taken(&mut self, payment: PaymentId) {
        self.blame(|| {
            format!(
                "another request under the key of {payment} was answered as if it were the same"
            )
        });
    }

    /// Something new was signed, and the operator had paused everything before.
    pub fn signed_while_paused(&mut self) {
        self.blame(|| "something new was signed while everything was paused".to_owned());
    }

    /// What was committed by one who did not hold the wallet.
    pub fn committed_without_lease(&mut self, life: u64) {
        self.blame(|| format!("p{life} made a commit under a lease that was not in force"));
    }

    /// What was sent by one whose lease had run out, or was another's.
    pub fn sent_without_lease(&mut self, life: u64) {
        self.blame(|| format!("p{life} sent something after its lease"));
    }

    /// The limits as a client was shown them.
    pub fn limits(&mut self, used: u64, daily: u64, pending: u32, most: u32) {
        if used > daily || pending > most {
            self.blame(|| {
                format!("limits exceeded: {used} of {daily} drops, {pending} of {most} payments")
            });
        }
    }

    /// The books as a client was shown them: the balance after a ledger.
    pub fn books(&mut self, chain: &Chain, at: u32, balance: u64) {
        let truth = chain.ledger(at).map(|ledger| ledger.root.balance.get());
        if truth != Some(balance) {
            self.blame(|| {
                format!("the books show {balance} drops after ledger {at}, the ledger {truth:?}")
            });
        }
    }

    /// The deposits as the merchant was shown them, by a journal from ledger `start` through `at`: what
    /// arrived in these ledgers is there once, to the drop, and nothing else is.
    pub fn deposits(&mut self, chain: &Chain, (start, at): (u32, u32), shown: &[&Credit]) {
        let truth = chain.arrived(start, at);
        let amounts: BTreeMap<(u32, TxHash), Counted> = shown
            .iter()
            .map(|credit| ((credit.ledger_index.0, credit.hash), credit.amount))
            .collect();
        if amounts.len() < shown.len() {
            self.blame(|| format!("of {} deposits some are of one transaction", shown.len()));
        }
        let missing = truth.iter().find(|(at, _)| !amounts.contains_key(at));
        if let Some(((ledger, hash), came)) = missing {
            self.blame(|| {
                format!("{came:?} came in ledger {ledger} by {hash} and is not credited")
            });
        }
        let wrong = amounts
            .iter()
            .find(|(at, amount)| truth.get(at) != Some(amount));
        if let Some((at @ (ledger, hash), amount)) = wrong {
            let came = truth.get(at).copied();
            self.blame(|| {
                format!("{amount:?} is credited for {hash} of ledger {ledger}, and {came:?} came")
            });
        }
    }

    /// The tickets as the operator was shown them, after a ledger.
    pub fn tickets(&mut self, chain: &Chain, at: u32, standing: &BTreeSet<u32>) {
        let truth = chain.ledger(at).map(|ledger| &ledger.tickets);
        if truth != Some(standing) {
            self.blame(|| {
                format!(
                    "tickets {standing:?} are shown after ledger {at}, the ledger has {truth:?}"
                )
            });
        }
    }

    /// What the operator was told of the tickets that were asked for, at the end. Where nobody else
    /// makes any and no database was lost, each request made them once, and nothing else did.
    pub fn requests(&mut self, asked: &[Asked], nobody_else: bool) {
        let open = asked.iter().find(|asked| asked.is_open());
        if let Some(open) = open {
            self.blame(|| format!("tickets that were asked for are never made: {open:?}"));
        }
        let made = asked.iter().filter_map(|asked| match asked.news {
            Some(RequestNews::Made(hash)) => Some(hash),
            _ => None,
        });
        let (count, made): (usize, BTreeSet<TxHash>) = (made.clone().count(), made.collect());
        let is_true = count == made.len() && made.is_subset(&self.makers);
        if !is_true || (nobody_else && made != self.makers) {
            let makers = self.makers.clone();
            self.blame(|| {
                format!("tickets are said to be made by {made:?}, and were by {makers:?}")
            });
        }
    }

    /// The database was replaced, so clients ask again: payments may have new names, and one that
    /// ended with nothing delivered may be made after all. What was delivered stays delivered.
    pub fn forget_names(&mut self) {
        for promise in self.promises.values_mut() {
            promise.payment = None;
            promise.end = None;
        }
    }

    /// Everything is healed and has had its time: what was promised must have its end.
    pub fn close(&mut self, usage: (u64, u32)) {
        let mut sum = 0_u64;
        let mut open = Vec::new();
        for promise in self.promises.values() {
            let Some(payment) = promise.payment else {
                // Nothing was promised; then nothing may have been paid without anybody's asking.
                continue;
            };
            match promise.end.as_ref().map(|(_, end)| end) {
                Some(State::Succeeded { .. }) => sum += promise.amount,
                Some(_) => {}
                None => open.push(payment),
            }
        }
        if !open.is_empty() {
            self.blame(|| format!("stuck: {open:?} have no end"));
        }
        if usage != (sum, 0) {
            self.blame(|| {
                format!("limits not released: {usage:?} are counted, {sum} drops were delivered")
            });
        }
    }

    /// Whether every promise that was made has its end.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.promises
            .values()
            .all(|promise| promise.payment.is_none() || promise.end.is_some())
    }

    /// How many ended as which status, for the summary of a run.
    pub fn ends(&self) -> impl Iterator<Item = Status> + '_ {
        self.promises.values().filter_map(|promise| {
            match promise.end.as_ref().map(|(_, end)| end) {
                Some(State::Succeeded { .. }) => Some(Status::Succeeded),
                Some(State::Failed { .. }) => Some(Status::Failed),
                Some(State::Expired { .. }) => Some(Status::Expired),
                Some(State::Cancelled { .. }) => Some(Status::Cancelled),
                Some(State::Rejected) => Some(Status::Rejected),
                Some(State::AwaitingApproval | State::Queued { .. } | State::InFlight) | None => {
                    None
                }
            }
        })
    }
}

#[cfg(test)]
#[path = "audit/tests.rs"]
mod tests;
