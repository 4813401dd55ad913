//! What makes two worlds the same: everything that can still matter to what happens next, and nothing
//! else. Writers are told apart by what they know, not by their names; versions by whether they are
//! the newest; what every writer has read of the ledger by what was delivered.

use super::ledger::{self, Who};
use super::machine::{PAYMENTS, World, Writer};
use super::store::{self, Store};
use std::hash::{Hash, Hasher};
use xrpayd_core::ids::{LedgerIndex, TxHash};
use xrpayd_core::payment::{AttemptState, Hold, Payment, State};

type Key = Vec<u8>;

impl PartialEq for World {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Hash for World {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(&self.key());
    }
}

impl World {
    /// Whether the writer knows everything that is open. The queue it reads anew each time.
    pub fn is_up_to_date(&self, w: usize) -> bool {
        let writer = &self.writers[w];
        let fresh = Writer {
            seen: std::sync::Arc::clone(&self.db),
            ..writer.clone()
        };
        let (mut has, mut would) = (Key::new(), Key::new());
        memory(writer, &self.db, &mut has);
        memory(&fresh, &self.db, &mut would);
        writer.alive && has == would
    }

    /// Whether the writer read the queue before a payment in it was called off.
    pub fn has_an_old_queue(&self, w: usize) -> bool {
        old_queue(&self.writers[w].seen, &self.db).next().is_some()
    }

    fn key(&self) -> Key {
        let mut key = Key::with_capacity(128);
        self.truth(&mut key);
        durable(&self.db, &mut key);
        let mut writers: Vec<Key> = self
            .writers
            .iter()
            .enumerate()
            .map(|(w, writer)| {
                let mut key = Key::new();
                self.lease_of(w, &mut key);
                memory(writer, &self.db, &mut key);
                if writer.alive {
                    old_queue(&writer.seen, &self.db).for_each(|p| content(p, &mut key));
                }
                key
            })
            .collect();
        writers.sort();
        for writer in writers {
            key.push(b'w');
            key.extend(writer);
        }
        let left = self.left;
        key.extend([
            left.deaths,
            left.answers,
            left.stale,
            left.bad_luck,
            left.strangers,
            left.replacements,
            left.raises,
            left.cancels,
            left.pauses,
            u8::from(self.db.is_paused),
            u8::from(self.begun_while_paused),
            left.leases.lapses,
            left.leases.renewals,
            left.leases.releases,
            self.lease.left,
            self.broken.bits(),
        ]);
        for end in self.ends {
            key.push(end.map_or(0, |end| 1 + end as u8));
        }
        key
    }

    /// What of a writer's lease can still matter, and of what it has not sent.
    fn lease_of(&self, w: usize, key: &mut Key) {
        let writer = &self.writers[w];
        writer.lease_key(self.holds(w), key);
        key.push(u8::from(self.last_hand == Some((self.lease.epoch, w))));
        let truth = &self.truth;
        let outbox = writer.outbox.iter();
        for tx in outbox.filter(|tx| truth.could_apply(tx) && !truth.wire.contains(tx)) {
            hash(tx.tx_hash(), key);
        }
    }

    fn truth(&self, key: &mut Key) {
        let truth = &self.truth;
        let awake = self.writers.iter().filter(|writer| writer.alive);
        let cursors = awake.map(|writer| writer.seen.cursor.at);
        let read = cursors.chain([self.db.cursor.at]).min();
        let read = read.map_or(0, ledger::since_start);
        key.extend([truth.ledger, truth.sequence_at(truth.ledger)]);
        for applied in truth.applied.iter().filter(|applied| applied.ledger > read) {
            key.extend([b'a', applied.ledger, applied.outcome as u8]);
            hash(applied.tx.tx_hash(), key);
        }
        for n in 0..PAYMENTS {
            let delivered = truth.applied.iter().filter(|applied| {
                applied.tx.who == Who::Payment(n) && applied.outcome == ledger::Outcome::Done
            });
            key.push(b'd');
            delivered.for_each(|applied| hash(applied.tx.tx_hash(), key));
        }
        for tx in &truth.wire {
            key.push(b's');
            hash(tx.tx_hash(), key);
        }
    }
}

fn hash(hash: TxHash, key: &mut Key) {
    key.extend(&hash.0[..4]);
}

fn ledger_or_none(at: Option<LedgerIndex>, key: &mut Key) {
    key.push(at.map_or(0, |at| 1 + ledger::since_start(at)));
}

fn durable(store: &Store, key: &mut Key) {
    for payment in &store.payments {
        content(payment, key);
    }
    for plug in &store.plugs {
        hash(plug.plug.hash, key);
        key.push(u8::from(plug.state.is_open()));
    }
    key.extend([
        ledger::since_start(store.cursor.at),
        u8::from(store.halted.is_some()),
    ]);
    ledger_or_none(store.sign_from, key);
    for row in &store.remembered {
        hash(row.hash, key);
    }
}

fn content(payment: &Payment, key: &mut Key) {
    let (kind, more) = match &payment.state {
        State::AwaitingApproval => (1, 0),
        State::Queued { hold } => (2, hold.map_or(0, hold_of)),
        State::InFlight => (3, 0),
        State::Succeeded { .. } => (4, 0),
        State::Failed { failure, .. } => (5, u8::from(failure.fee_charged)),
        State::Expired { .. } => (6, 0),
        State::Cancelled { .. } => (7, 0),
        State::Rejected => (8, 0),
    };
    key.extend([b'p', store::number(payment), kind, more]);
    for attempt in &payment.attempts {
        hash(attempt.hash, key);
        let (kind, code) = match &attempt.state {
            AttemptState::Signed => (1, ""),
            AttemptState::Submitted { result } => (2, result.as_str()),
            AttemptState::Unknown => (3, ""),
            AttemptState::Refused { code } => (4, code.as_str()),
            AttemptState::Validated { result, .. } => (5, result.as_str()),
            AttemptState::Dead { .. } => (6, ""),
        };
        key.push(kind);
        key.extend(code.as_bytes());
    }
}

fn hold_of(hold: Hold) -> u8 {
    1 + hold as u8
}

/// The payments that a memory has in the queue and that were called off since.
fn old_queue<'a>(seen: &'a Store, db: &'a Store) -> impl Iterator<Item = &'a Payment> {
    seen.payments.iter().filter(|payment| {
        let newest = db.payment(payment.id).map(|newest| &newest.state);
        matches!(payment.state, State::Queued { .. })
            && matches!(newest, Some(State::Cancelled { .. }))
    })
}

/// What of a writer's memory its next steps may depend on, as far as it differs from the store's.
fn memory(writer: &Writer, db: &Store, key: &mut Key) {
    if !writer.alive {
        return;
    }
    let seen = &writer.seen;
    let cursor = ledger::since_start(seen.cursor.at);
    // Once the journal is where the writer began, it does not matter any more where that was.
    let waits = if cursor < writer.began {
        writer.began
    } else {
        0
    };
    key.extend([cursor, waits, u8::from(seen.halted.is_some())]);
    ledger_or_none(seen.sign_from, key);
    key.push(u8::from(seen.remembered.is_empty()));
    for payment in &seen.payments {
        if payment.open_attempts().next().is_none() {
            continue;
        }
        let newest = db.payment(payment.id).map(|newest| newest.version);
        if newest == Some(payment.version) {
            key.extend([b'n', store::number(payment)]);
        } else {
            content(payment, key);
        }
    }
    for plug in seen.plugs.iter().filter(|plug| plug.state.is_open()) {
        hash(plug.plug.hash, key);
    }
}
