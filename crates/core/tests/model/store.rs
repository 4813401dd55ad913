//! The database of the model: what is durable, and the checks without which nothing becomes so. They
//! are those of the daemon's store: a payment is written at the version that was read, a page only
//! right behind the cursor and never past what it would leave open, a hash only once.

use super::ledger::{self, Tx, Who};
use std::sync::Arc;
use xrpayd_core::engine::{LaneCommit, LaneRecord, PlugRecord, Remembered};
use xrpayd_core::ids::{PaymentId, TxHash};
use xrpayd_core::journal::Cursor;
use xrpayd_core::payment::{AttemptState, Order, Payment, Slot, State};

/// Which checks the store makes; all of them, but where a bug is planted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checks {
    /// A payment is written only at the version that was read.
    pub versions: bool,
    /// The cursor never passes a transaction on the slot of an attempt that stays open.
    pub overlooked: bool,
    /// No attempt is opened on a sequence that the journal has passed.
    pub behind: bool,
    /// Nothing new is signed while the wallet is paused.
    pub pauses: bool,
}

/// Nothing was written: another hand was faster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused;

/// What is durable.
#[derive(Debug, Clone)]
pub struct Store {
    /// The payments that were accepted, oldest first.
    pub payments: Vec<Payment>,
    /// The no-ops that were signed.
    pub plugs: Vec<PlugRecord>,
    /// How far the journal is.
    pub cursor: Cursor,
    /// Whether the operator has paused the wallet.
    pub is_paused: bool,
    /// Why nothing is signed.
    pub halted: Option<String>,
    /// Nothing is signed before the journal is here.
    pub sign_from: Option<xrpayd_core::ids::LedgerIndex>,
    /// Payments in the journal that the writer which read it did not know.
    pub remembered: Vec<Remembered>,
}

impl Store {
    /// A store that knows one wallet and no payment.
    pub fn new() -> Self {
        let at = ledger::index(0);
        Self {
            payments: Vec::new(),
            plugs: Vec::new(),
            cursor: Cursor {
                start: at,
                at,
                at_hash: ledger::ledger_hash(at),
                next_sequence: u32::from(ledger::FIRST_SEQUENCE),
                balance: ledger::BALANCE,
                owner_count: 0,
            },
            is_paused: false,
            halted: None,
            sign_from: None,
            remembered: Vec::new(),
        }
    }

    /// The payment with this identifier.
    pub fn payment(&self, id: PaymentId) -> Option<&Payment> {
        self.payments.iter().find(|payment| payment.id == id)
    }

    /// Those that wait to be signed.
    pub fn queued(&self) -> Vec<Payment> {
        let queued = |payment: &&Payment| matches!(payment.state, State::Queued { .. });
        self.payments.iter().filter(queued).cloned().collect()
    }

    /// What an engine starts from.
    pub fn record(&self) -> LaneRecord {
        let is_open = |payment: &&Payment| payment.open_attempts().next().is_some();
        let with_blobs = |payment: &Payment| {
            let open = payment.open_attempts();
            let blobs = open.map(|attempt| (attempt.hash, attempt.hash.0.to_vec()));
            (payment.clone(), blobs.collect())
        };
        let open_plugs = self.plugs.iter().filter(|plug| plug.state.is_open());
        LaneRecord {
            account: Some(ledger::OURS),
            cursor: Some(self.cursor.clone()),
            halted: self.halted.clone(),
            sign_from: self.sign_from,
            remembers: !self.remembered.is_empty(),
            in_flight: self
                .payments
                .iter()
                .filter(is_open)
                .map(with_blobs)
                .collect(),
            plugs: open_plugs.cloned().collect(),
            ..LaneRecord::default()
        }
    }

    /// Writes all of `commit`, or nothing.
    pub fn commit(&mut self, commit: &LaneCommit, checks: Checks) -> Result<(), Refused> {
        if checks.pauses && self.is_paused && commit.signs_anew() {
            return Err(Refused);
        }
        if let Some(journal) = &commit.journal
            && journal.from != self.cursor.at.plus(1)
        {
            return Err(Refused);
        }
        for change in &commit.changes {
            let standing = self.payment(change.payment.id).ok_or(Refused)?;
            if checks.versions && standing.version != change.before {
                return Err(Refused);
            }
        }
        let is_known = |hash: &TxHash| self.plugs.iter().any(|known| known.plug.hash == *hash);
        let twice = commit.new_plugs.iter().any(|plug| is_known(&plug.hash));
        let unknown = commit.plug_updates.iter().any(|(hash, _)| !is_known(hash));
        if twice || unknown {
            return Err(Refused);
        }
        let mut after = self.clone();
        after.take(commit);
        if checks.overlooked && after.overlooks(commit) {
            return Err(Refused);
        }
        if checks.behind && after.opens_behind(commit) {
            return Err(Refused);
        }
        *self = after;
        Ok(())
    }

    /// Whether the commit signs for a payment that has nothing open on that sequence, by what stands here
    /// and not by what the commit says of itself.
    pub fn begins(&self, commit: &LaneCommit) -> bool {
        commit.changes.iter().any(|change| {
            let standing = self.payment(change.payment.id).into_iter();
            let open: Vec<Slot> = standing
                .flat_map(Payment::open_attempts)
                .map(|attempt| attempt.slot)
                .collect();
            let signed = change.new_blobs.iter();
            let mut signed = signed.filter_map(|(hash, _)| change.payment.attempt(*hash));
            signed.any(|attempt| !open.contains(&attempt.slot))
        })
    }

    /// Whether the commit opens an attempt on a sequence that the journal has passed.
    fn opens_behind(&self, commit: &LaneCommit) -> bool {
        let new = commit.changes.iter().flat_map(|change| {
            let is_new = |hash: TxHash| change.new_blobs.iter().any(|(new, _)| *new == hash);
            let open = change.payment.open_attempts();
            open.filter(move |attempt| is_new(attempt.hash))
        });
        let plugs = commit.new_plugs.iter().map(|plug| plug.slot);
        let mut slots = new.map(|attempt| attempt.slot).chain(plugs);
        slots.any(|slot| slot < Slot::Sequence(self.cursor.next_sequence))
    }

    /// Whether the commit's page settles an attempt that is open after it.
    fn overlooks(&self, commit: &LaneCommit) -> bool {
        let entries = commit.journal.iter().flat_map(|journal| &journal.entries);
        let mut ours = entries.filter(|entry| entry.sender == ledger::OURS);
        let is_open = |slot: Slot| {
            let attempts = self.payments.iter().flat_map(Payment::open_attempts);
            let plugs = self.plugs.iter().filter(|plug| plug.state.is_open());
            let mut slots = attempts.map(|a| a.slot).chain(plugs.map(|p| p.plug.slot));
            slots.any(|open| open == slot)
        };
        ours.any(|entry| is_open(entry.slot))
    }

    /// Takes a commit over as it is: what a writer's memory does once it is durable.
    pub fn take(&mut self, commit: &LaneCommit) {
        for change in &commit.changes {
            match self.payments.iter_mut().find(|p| p.id == change.payment.id) {
                Some(known) => *known = change.payment.clone(),
                None => self.payments.push(change.payment.clone()),
            }
        }
        let new = commit.new_plugs.iter().map(|plug| PlugRecord {
            plug: plug.clone(),
            state: AttemptState::Signed,
        });
        self.plugs.extend(new);
        for (hash, state) in &commit.plug_updates {
            if let Some(known) = self.plugs.iter_mut().find(|p| p.plug.hash == *hash) {
                known.state = state.clone();
            }
        }
        if let Some(journal) = &commit.journal {
            self.cursor = journal.cursor.clone();
            self.sign_from = journal.sign_from.or(self.sign_from);
            self.remembered.extend(journal.remembered.iter().cloned());
        }
        if commit.halt.is_some() {
            self.halted.clone_from(&commit.halt);
        }
    }
}

/// The payment with the number `n`, as it is accepted.
pub fn accepted(n: u8, expires_at: xrpayd_core::ids::UnixMs) -> Payment {
    Payment {
        id: PaymentId(u128::from(n)),
        version: 1,
        client: "shop".to_owned(),
        wallet: "hot".to_owned(),
        order: Order {
            destination: ledger::THEIRS,
            destination_tag: None,
            amount: ledger::AMOUNT,
            source_tag: None,
            invoice_id: None,
            memos: Vec::new(),
            max_fee: None,
            reference: None,
            metadata: std::collections::BTreeMap::new(),
            expires_at: Some(expires_at),
            idempotency_key: n.to_string(),
            payback: None,
        },
        stage: "internal".to_owned(),
        state: State::Queued { hold: None },
        approval: None,
        attempts: Vec::new(),
        created_at: xrpayd_core::ids::UnixMs(0),
        updated_at: xrpayd_core::ids::UnixMs(0),
    }
}

/// The number of a payment.
pub fn number(payment: &Payment) -> u8 {
    u8::try_from(payment.id.0).unwrap()
}

/// The attempts of a payment that left, or may leave, as the ledger knows them.
pub fn transactions(payment: &Payment) -> impl Iterator<Item = Tx> + '_ {
    payment.attempts.iter().map(|attempt| Tx::of(attempt.hash))
}

/// Whose a payment's transactions are.
pub fn owner(payment: &Payment) -> Who {
    Who::Payment(number(payment))
}

/// A store that several hold and one changes.
pub type Shared = Arc<Store>;
