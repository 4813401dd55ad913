//! What the engine holds in memory of one wallet: everything that is open, and nothing else.
//!
//! All of it is in the store too; after any error it is dropped and read again. Bounded by the
//! wallet's `max_in_flight`.

use crate::store::{LaneRecord, PlugRecord};
use crate::xrpl::Backlog;
use std::collections::BTreeMap;
use std::sync::Arc;
use xrpayd_core::ids::{LedgerIndex, PaymentId, TxHash};
use xrpayd_core::journal::{Cursor, OpenAttempt, OpenSlots};
use xrpayd_core::money::Drops;
use xrpayd_core::payment::{AttemptState, Payment, Slot};
use xrpayd_core::sequence::Lane;

/// Whose an open attempt is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    /// A payment's.
    Payment(PaymentId),
    /// A no-op's that fills a sequence.
    Plug,
}

/// An attempt that could still be applied.
#[derive(Debug, Clone)]
pub struct Flight {
    /// Whose it is.
    pub owner: Owner,
    /// What it consumes.
    pub slot: Slot,
    /// The first ledger that could hold it.
    pub first_ledger: LedgerIndex,
    /// The last ledger that could hold it.
    pub last_ledger: LedgerIndex,
    /// What the account pays if it is applied.
    pub cost: Drops,
    /// Its bytes.
    pub blob: Arc<[u8]>,
    /// What is known of its last sending by this process.
    pub sent_at: Sent,
    /// Malformed for every server: not sent again.
    pub refused: bool,
}

/// The last sending of an attempt by this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// Not yet.
    Never,
    /// Handed to the servers while the journal stood at this ledger.
    At(LedgerIndex),
    /// No server answered; found out at this instant.
    Lost(tokio::time::Instant),
}

/// The open work of one wallet.
#[derive(Debug)]
pub struct OpenLane {
    /// How far the journal is.
    pub cursor: Cursor,
    /// The sequences in use.
    pub lane: Lane,
    /// The payments in flight.
    pub payments: BTreeMap<PaymentId, Payment>,
    /// The attempts that could still be applied, by hash.
    pub flights: BTreeMap<TxHash, Flight>,
    /// Those of them that were sent, for servers that lack them.
    pub backlog: Arc<Backlog>,
    /// No signing before the journal is here.
    pub sign_from: Option<LedgerIndex>,
    /// The ledgers before the journal's beginning that are still to be read for payments which this
    /// database does not know.
    pub recall: Option<(LedgerIndex, LedgerIndex)>,
    /// Whether the ledger remembers payments that this database did not know.
    pub remembers: bool,
    /// The newest ledger when this life of the engine began: what happened up to it is read before
    /// anything is signed.
    pub began_at: Option<LedgerIndex>,
    /// Why the wallet signs nothing, where it does not.
    pub halted: Option<String>,
}

impl OpenLane {
    /// The lane that the store holds, with its journal at `cursor`.
    #[must_use]
    pub fn restore(record: LaneRecord, cursor: Cursor) -> Self {
        let mut open = Self {
            lane: Lane::new(cursor.next_sequence),
            cursor,
            payments: BTreeMap::new(),
            flights: BTreeMap::new(),
            backlog: Arc::default(),
            sign_from: record.sign_from,
            recall: record.recall,
            remembers: record.remembers,
            began_at: None,
            halted: record.halted,
        };
        for (payment, blobs) in record.in_flight {
            let mut blobs: BTreeMap<TxHash, Vec<u8>> = blobs.into_iter().collect();
            for attempt in payment.open_attempts() {
                let blob = blobs.remove(&attempt.hash);
                assert!(
                    blob.is_some(),
                    "payment {}: an open attempt without its blob",
                    payment.id
                );
                open.track(
                    attempt.hash,
                    Flight {
                        owner: Owner::Payment(payment.id),
                        slot: attempt.slot,
                        first_ledger: attempt.first_ledger,
                        last_ledger: attempt.last_ledger,
                        cost: cost_of(payment.order.amount, attempt.fee),
                        blob: blob.unwrap_or_default().into(),
                        sent_at: Sent::Never,
                        refused: matches!(attempt.state, AttemptState::Refused { .. }),
                    },
                );
            }
            open.payments.insert(payment.id, payment);
        }
        for PlugRecord { plug, .. } in record.plugs {
            open.track(
                plug.hash,
                Flight {
                    owner: Owner::Plug,
                    slot: plug.slot,
                    first_ledger: plug.first_ledger,
                    last_ledger: plug.last_ledger,
                    cost: plug.fee,
                    blob: plug.blob.into(),
                    sent_at: Sent::Never,
                    refused: false,
                },
            );
        }
        open
    }

    /// Takes an attempt that start-up found or that was just made durable.
    pub fn track(&mut self, hash: TxHash, flight: Flight) {
        if let Slot::Sequence(sequence) = flight.slot {
            self.lane.open_attempt(sequence);
        }
        self.flights.insert(hash, flight);
    }

    /// Takes an attempt whose sequence [`Lane::allocate`] has already counted.
    pub fn track_allocated(&mut self, hash: TxHash, flight: Flight) {
        self.flights.insert(hash, flight);
    }

    /// Forgets an attempt that is settled.
    pub fn settle(&mut self, hash: TxHash) {
        self.backlog.close(&hash);
        if let Some(Flight {
            slot: Slot::Sequence(sequence),
            ..
        }) = self.flights.remove(&hash)
        {
            self.lane.close(sequence);
        }
    }

    /// Puts an attempt that is about to be sent among those that a server must have before later
    /// ones; `false` where it was settled meanwhile, or no server would take it.
    #[must_use]
    pub fn leaves(&self, hash: &TxHash, blob: &Arc<[u8]>) -> bool {
        let flight = self.flights.get(hash).filter(|flight| !flight.refused);
        if let Some(flight) = flight {
            self.backlog.open(*hash, flight.slot, blob);
        }
        flight.is_some()
    }

    /// No server would ever take it: it is not sent again.
    pub fn refuse(&mut self, hash: &TxHash) {
        self.backlog.close(hash);
        if let Some(flight) = self.flights.get_mut(hash) {
            flight.refused = true;
        }
    }

    /// Everything that is open, as the journal's fold wants it.
    #[must_use]
    pub fn slots(&self) -> OpenSlots<(Owner, TxHash)> {
        let mut slots = OpenSlots::new();
        for (&hash, flight) in &self.flights {
            slots
                .entry(flight.slot)
                .or_insert_with(Vec::new)
                .push(OpenAttempt {
                    owner: (flight.owner, hash),
                    hash,
                    first_ledger: flight.first_ledger,
                    last_ledger: flight.last_ledger,
                });
        }
        slots
    }

    /// The slots whose every attempt is malformed: nothing will take them unless a no-op does.
    #[must_use]
    pub fn refused_slots(&self) -> Vec<Slot> {
        let mut verdicts: BTreeMap<Slot, bool> = BTreeMap::new();
        for flight in self.flights.values() {
            let all = verdicts.entry(flight.slot).or_insert(true);
            *all = *all && flight.refused;
        }
        verdicts
            .into_iter()
            .filter_map(|(slot, all)| all.then_some(slot))
            .collect()
    }

    /// What the account may spend on new attempts while `reserve` must stay.
    #[must_use]
    pub fn spendable(&self, reserve: Drops) -> Drops {
        self.flights.values().fold(
            self.cursor.balance.saturating_sub(reserve),
            |rest, flight| rest.saturating_sub(flight.cost),
        )
    }

    /// Whether the journal is where signing may begin.
    #[must_use]
    pub fn may_sign(&self) -> bool {
        self.halted.is_none() && self.knows_the_past()
    }

    /// Whether everything has been read that this database may have forgotten, or never known: only
    /// then can a payment be signed, or be said to have run out of time.
    #[must_use]
    pub fn knows_the_past(&self) -> bool {
        let reached = |ledger: LedgerIndex| self.cursor.at >= ledger;
        self.recall.is_none()
            && self.sign_from.is_none_or(reached)
            && self.began_at.is_some_and(reached)
    }
}

/// What the account pays if a payment of `amount` with this fee is applied.
#[must_use]
pub fn cost_of(amount: Drops, fee: Drops) -> Drops {
    amount.checked_add(fee).unwrap_or(Drops::MAX)
}
