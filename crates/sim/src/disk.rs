//! The model store: what the daemon's database does, by the same rules, in memory.
//!
//! A write is all or nothing, and refuses what the real one refuses: a payment that has moved since it
//! was read, a page that does not follow the cursor, an end that is settled twice. What is written is
//! synced, unless the disk lies (which is planted, never drawn): then a crash takes back what it
//! acknowledged last.

mod requests;

pub use requests::Asked;
use std::collections::{BTreeMap, BTreeSet};
use xrpayd_core::deposit::{Credit, id_of};
use xrpayd_core::engine::{
    Change, InFlight, LaneCommit, LaneRecord, NewPlug, PlugRecord, Remembered, TicketCreateRecord,
};
use xrpayd_core::ids::{DepositId, Hash256, LedgerIndex, PaymentId, TxHash, UnixMs};
use xrpayd_core::journal::{Cursor, TicketChange};
use xrpayd_core::limits::{Usage, window_start};
use xrpayd_core::money::Drops;
use xrpayd_core::pause::Signing;
use xrpayd_core::payment::{AttemptState, Hold, Payment, Slot, State};

/// The tables.
#[derive(Debug, Clone, Default)]
pub struct Tables {
    /// The wallet's row; none before its journal began.
    pub wallet: Option<Wallet>,
    /// The payments.
    pub payments: BTreeMap<PaymentId, Row>,
    /// Which payment was made under a key.
    pub keys: BTreeMap<String, PaymentId>,
    /// The bytes of every attempt.
    pub blobs: BTreeMap<TxHash, Vec<u8>>,
    /// The no-ops.
    pub plugs: BTreeMap<TxHash, (NewPlug, AttemptState)>,
    /// The transactions that make tickets.
    pub ticket_creates: BTreeMap<TxHash, TicketCreateRecord>,
    /// The tickets that stand, as far as the journal told.
    pub tickets: BTreeSet<u32>,
    /// What the operator asked for in the way of tickets.
    pub requests: Vec<Asked>,
    /// What the ledger remembers.
    pub remembered: Vec<Remembered>,
    /// What came in.
    pub deposits: BTreeMap<DepositId, Credit>,
    /// What is used of the limits.
    pub usage: Usage,
    /// Payments accepted at or before this instant no longer count.
    pub counted_through: Option<UnixMs>,
    /// Whether the operator has paused everything.
    pub is_paused: bool,
    /// Who may write, in worlds with leases.
    pub lease: crate::lease::Row,
}

/// The row of a wallet.
#[derive(Debug, Clone)]
pub struct Wallet {
    /// How far its journal is.
    pub cursor: Cursor,
    /// Nothing is signed before this ledger.
    pub sign_from: Option<LedgerIndex>,
    /// The older ledgers that are still to be read.
    pub recall: Option<(LedgerIndex, LedgerIndex)>,
    /// Whether all the tickets that stand are known.
    pub knows_tickets: bool,
    /// Why nothing is signed.
    pub halted: Option<String>,
}

/// The row of a payment.
#[derive(Debug, Clone)]
pub struct Row {
    /// The payment.
    pub payment: Payment,
    /// What its request was.
    pub fingerprint: u64,
    /// What it counts for.
    pub counted: Drops,
}

/// Why nothing was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// A payment, or the cursor, has moved since it was read.
    Moved,
    /// It is paused, and the commit signs something new.
    Paused,
    /// The change contradicts itself or the row.
    Bad(&'static str),
}

impl Tables {
    /// What the engine starts from.
    #[must_use]
    pub fn lane(&self) -> LaneRecord {
        let wallet = self.wallet.as_ref();
        LaneRecord {
            account: wallet.map(|_| crate::chain::OURS),
            cursor: wallet.map(|wallet| wallet.cursor.clone()),
            halted: wallet.and_then(|wallet| wallet.halted.clone()),
            sign_from: wallet.and_then(|wallet| wallet.sign_from),
            recall: wallet.and_then(|wallet| wallet.recall),
            remembers: !self.remembered.is_empty(),
            in_flight: self.in_flight(),
            plugs: self.open_plugs(),
            ticket_creates: self.open_ticket_creates(),
            tickets: wallet
                .is_some_and(|wallet| wallet.knows_tickets)
                .then(|| self.tickets.clone()),
        }
    }

    fn in_flight(&self) -> Vec<InFlight> {
        let open = self.payments.values().filter_map(|row| {
            let blobs: Vec<(TxHash, Vec<u8>)> = row
                .payment
                .open_attempts()
                .filter_map(|attempt| Some((attempt.hash, self.blobs.get(&attempt.hash)?.clone())))
                .collect();
            (!blobs.is_empty()).then(|| (row.payment.clone(), blobs))
        });
        open.collect()
    }

    fn open_plugs(&self) -> Vec<PlugRecord> {
        let open = self.plugs.values().filter(|(_, state)| state.is_open());
        open.map(|(plug, state)| PlugRecord {
            plug: plug.clone(),
            state: state.clone(),
        })
        .collect()
    }

    fn open_ticket_creates(&self) -> Vec<TicketCreateRecord> {
        let all = self.ticket_creates.values();
        all.filter(|record| record.state.is_open())
            .cloned()
            .collect()
    }

    /// The queued payments after one of them, oldest first.
    #[must_use]
    pub fn queued(&self, after: Option<PaymentId>, limit: u32) -> Vec<Payment> {
        let rows = self.payments.values().filter(|row| {
            matches!(row.payment.state, State::Queued { .. })
                && after.is_none_or(|after| row.payment.id > after)
        });
        rows.take(usize::try_from(limit).unwrap_or(usize::MAX))
            .map(|row| row.payment.clone())
            .collect()
    }

    /// Those that are queued or wait for an approval and are out of time.
    #[must_use]
    pub fn past_expiry(&self, now: UnixMs) -> Vec<Payment> {
        let rows = self.payments.values().filter(|row| {
            let waits = matches!(
                row.payment.state,
                State::Queued { .. } | State::AwaitingApproval
            );
            waits && row.payment.is_past_expiry(now)
        });
        rows.map(|row| row.payment.clone()).collect()
    }

    /// What the ledger remembers of these markers.
    #[must_use]
    pub fn recalled(&self, markers: &[Hash256]) -> Vec<Remembered> {
        let rows = self.remembered.iter();
        rows.filter(|row| markers.contains(&row.marker))
            .cloned()
            .collect()
    }

    /// Whether a payment may still be found on the ledger, so that nothing may be called off.
    #[must_use]
    pub fn past_is_unknown(&self) -> bool {
        self.wallet.as_ref().is_none_or(|wallet| {
            let is_waiting = wallet.sign_from.is_some_and(|from| wallet.cursor.at < from);
            wallet.recall.is_some() || is_waiting
        })
    }

    /// Whether something new may be signed.
    #[must_use]
    pub const fn signing(&self) -> Signing {
        match self.is_paused {
            true => Signing::Paused,
            false => Signing::Open,
        }
    }

    /// Whether a step begins what a pause stops, by what stands here and not by what the step says of
    /// itself: it signs for a payment that has nothing open on that slot, or makes tickets.
    #[must_use]
    pub fn begins_something(&self, commit: &LaneCommit) -> bool {
        let begins = |change: &Change| {
            let row = self.payments.get(&change.payment.id);
            let open = row.into_iter().flat_map(|row| row.payment.open_attempts());
            let open: BTreeSet<Slot> = open.map(|attempt| attempt.slot).collect();
            let signed = change.new_blobs.iter();
            let mut signed = signed.filter_map(|(hash, _)| change.payment.attempt(*hash));
            signed.any(|attempt| !open.contains(&attempt.slot))
        };
        !commit.new_ticket_creates.is_empty() || commit.changes.iter().any(begins)
    }

    /// The queued payments whose mark does not fit: those without it while paused, those with it while not.
    #[must_use]
    pub fn queued_to_mark(&self, signing: Signing) -> Vec<Payment> {
        let is_marked = |payment: &Payment| {
            let paused = Some(Hold::Paused);
            payment.state == State::Queued { hold: paused }
        };
        let queued = self.queued(None, u32::MAX).into_iter();
        queued
            .filter(|payment| is_marked(payment) == (signing == Signing::Open))
            .collect()
    }

    /// Writes a step of an engine, all of it or nothing.
    ///
    /// # Errors
    /// Nothing was written.
    pub fn commit(&mut self, commit: &LaneCommit) -> Result<(), Refused> {
        if self.is_paused && commit.signs_anew() {
            return Err(Refused::Paused);
        }
        if let Some(journal) = &commit.journal {
            let follows = self.wallet.as_ref().is_some_and(|wallet| {
                wallet.cursor.at.plus(1) == journal.from
                    && wallet.cursor.start == journal.cursor.start
                    && wallet.cursor.at < journal.cursor.at
            });
            if !follows {
                return Err(Refused::Moved);
            }
        }
        if let Some(known) = &commit.tickets {
            let is_first = self
                .wallet
                .as_ref()
                .is_some_and(|wallet| wallet.cursor.at == known.at && !wallet.knows_tickets);
            if !is_first {
                return Err(Refused::Moved);
            }
        }
        self.check(&commit.changes)?;
        let is_new = |plug: &NewPlug| !self.blobs.contains_key(&plug.hash);
        if !commit.new_plugs.iter().all(is_new) {
            return Err(Refused::Bad("a plug is there already"));
        }
        let mut new_creates = commit.new_ticket_creates.iter();
        if new_creates.any(|new| self.blobs.contains_key(&new.attempt.hash)) {
            return Err(Refused::Bad("a TicketCreate is there already"));
        }
        let is_open = |hash: &TxHash| {
            let create = self.ticket_creates.get(hash).map(|create| &create.state);
            let state = self.plugs.get(hash).map(|(_, state)| state).or(create);
            state.is_some_and(AttemptState::is_open)
        };
        if !commit.plug_updates.iter().all(|(hash, _)| is_open(hash)) {
            return Err(Refused::Bad("a plug is to be changed and is not open"));
        }
        self.book(commit)?;
        self.settle(&commit.changes)?;
        for change in &commit.changes {
            self.write_change(change);
        }
        for plug in &commit.new_plugs {
            self.blobs.insert(plug.hash, plug.blob.clone());
            let row = (plug.clone(), AttemptState::Signed);
            self.plugs.insert(plug.hash, row);
        }
        for new in &commit.new_ticket_creates {
            self.blobs.insert(new.attempt.hash, new.blob.clone());
            let row = TicketCreateRecord {
                signed: new.clone(),
                state: AttemptState::Signed,
            };
            self.ticket_creates.insert(new.attempt.hash, row);
        }
        for (hash, state) in &commit.plug_updates {
            if let Some(create) = self.ticket_creates.get_mut(hash) {
                create.state = state.clone();
            }
            if let Some((_, standing)) = self.plugs.get_mut(hash) {
                *standing = state.clone();
            }
        }
        if let Some(wallet) = &mut self.wallet {
            if let Some(journal) = &commit.journal {
                wallet.cursor = journal.cursor.clone();
                wallet.sign_from = journal.sign_from.or(wallet.sign_from);
                self.remembered.extend(journal.remembered.iter().cloned());
                for (_, change) in &journal.tickets {
                    match change {
                        TicketChange::Made(number) => self.tickets.insert(*number),
                        TicketChange::Used(number) => self.tickets.remove(number),
                    };
                }
            }
            for (id, news) in &commit.request_news {
                requests::tell(&mut self.requests, *id, news);
            }
            if let Some(known) = &commit.tickets {
                self.tickets.clone_from(&known.standing);
                wallet.knows_tickets = true;
            }
            if let Some(reason) = &commit.halt {
                wallet.halted = Some(reason.clone());
            }
        }
        Ok(())
    }

    /// Books what came in with a page, each of it for the first time.
    pub(crate) fn book(&mut self, commit: &LaneCommit) -> Result<(), Refused> {
        let credits = commit.journal.iter().flat_map(|journal| &journal.credits);
        let named = credits.map(|credit| (id_of(0, crate::chain::OURS, credit), credit));
        let new: Vec<(DepositId, &Credit)> = named.collect();
        let ids: BTreeSet<DepositId> = new.iter().map(|(id, _)| *id).collect();
        if ids.len() < new.len() || ids.iter().any(|id| self.deposits.contains_key(id)) {
            return Err(Refused::Bad("a deposit is there already"));
        }
        let rows = new.into_iter().map(|(id, credit)| (id, credit.clone()));
        self.deposits.extend(rows);
        Ok(())
    }

    fn check(&self, changes: &[Change]) -> Result<(), Refused> {
        for change in changes {
            let Some(row) = self.payments.get(&change.payment.id) else {
                return Err(Refused::Moved);
            };
            if row.payment.version != change.before {
                return Err(Refused::Moved);
            }
            let was_final = row.payment.status().is_final();
            let is_final = change.payment.status().is_final();
            match (was_final, is_final, change.settled.is_some()) {
                (false, true, true) | (false, false, false) | (true, true, false) => {}
                (true, false, _) => return Err(Refused::Bad("it is final already")),
                (false, true, false) => return Err(Refused::Bad("it ends and nothing is settled")),
                (false, false, true) => return Err(Refused::Bad("it is settled and does not end")),
                (true, true, true) => return Err(Refused::Bad("it is settled a second time")),
            }
            if change.payment.version <= change.before {
                return Err(Refused::Bad("its version does not grow"));
            }
            for attempt in &change.payment.attempts {
                let is_new = change
                    .new_blobs
                    .iter()
                    .any(|(hash, _)| *hash == attempt.hash);
                let is_known = row.payment.attempt(attempt.hash).is_some();
                let is_elsewhere = self.blobs.contains_key(&attempt.hash);
                match (is_new, is_known) {
                    (true, false) if is_elsewhere => {
                        return Err(Refused::Bad("an attempt is there already"));
                    }
                    (true, false) | (false, true) => {}
                    (true, true) | (false, false) => {
                        return Err(Refused::Bad("an attempt without its bytes, or with two"));
                    }
                }
            }
        }
        Ok(())
    }

    /// Keeps what was delivered, releases the rest.
    fn settle(&mut self, changes: &[Change]) -> Result<(), Refused> {
        let mut usage = self.usage;
        for change in changes {
            let Some(delivered) = change.settled else {
                continue;
            };
            let Some(row) = self.payments.get_mut(&change.payment.id) else {
                continue;
            };
            if self
                .counted_through
                .is_none_or(|through| row.payment.created_at > through)
            {
                let rest = usage.daily_used.checked_sub(row.counted);
                usage.daily_used = rest
                    .and_then(|rest| rest.checked_add(delivered))
                    .ok_or(Refused::Bad("a settled payment was never counted"))?;
            }
            usage.pending = usage
                .pending
                .checked_sub(1)
                .ok_or(Refused::Bad("more payments ended than were on their way"))?;
        }
        self.usage = usage;
        Ok(())
    }

    fn write_change(&mut self, change: &Change) {
        for (hash, blob) in &change.new_blobs {
            self.blobs.insert(*hash, blob.clone());
        }
        if let Some(row) = self.payments.get_mut(&change.payment.id) {
            row.payment = change.payment.clone();
            row.counted = change.settled.unwrap_or(row.counted);
        }
    }

    /// Writes what a person ruled on a payment that was at version `before`.
    ///
    /// # Errors
    /// Nothing was written.
    pub fn ruled(
        &mut self,
        before: u32,
        payment: Payment,
        settled: Option<Drops>,
    ) -> Result<(), Refused> {
        let change = Change {
            before,
            payment,
            new_blobs: Vec::new(),
            settled,
        };
        let changes = [change];
        self.check(&changes)?;
        self.settle(&changes)?;
        let [change] = changes;
        self.write_change(&change);
        Ok(())
    }

    /// Lets leave the rolling day what has left it. The window never moves back.
    pub fn advance_window(&mut self, now: UnixMs) {
        let through = window_start(now);
        if self.counted_through.is_some_and(|at| at >= through) {
            return;
        }
        let before = self.counted_through;
        let leaves = self.payments.values().filter(|row| {
            let created = row.payment.created_at;
            before.is_none_or(|before| created > before) && created <= through
        });
        let left = leaves.fold(Drops::ZERO, |sum, row| {
            sum.checked_add(row.counted).unwrap_or(Drops::MAX)
        });
        self.usage.daily_used = self.usage.daily_used.saturating_sub(left);
        self.counted_through = Some(through);
    }
}
