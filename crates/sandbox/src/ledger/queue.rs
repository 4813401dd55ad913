//! The fee that a full open ledger asks for, and the queue for those that do not pay it.
//!
//! Owns one server's queued transactions; nothing of it survives a restart. It is off unless the network
//! has a ledger capacity, and then follows rippled: the price jumps when the ledger holds more than
//! expected, the queue holds three ledgers, ten of an account, and is served by fee.

use super::codes::Ter;
use super::rules::{self, Fees};
use super::state::Read;
use super::tx::{SeqProxy, Tx, f, types};
use std::collections::BTreeMap;
use std::sync::Arc;
use xrpayd_core::address::AccountId;
use xrpayd_core::ids::TxHash;

/// The level of a transaction that pays exactly the base fee.
pub(crate) const LEVEL_REFERENCE: u64 = 256;
/// The lowest multiplier of the escalated price.
pub(crate) const LEVEL_MULTIPLIER: u64 = 128_000;
/// How many expected ledgers the queue holds.
pub(crate) const QUEUE_LEDGERS: u32 = 3;
/// Queued transactions of one account.
const PER_ACCOUNT_MAX: usize = 10;
/// A queued transaction must be valid for so many ledgers from the open one.
const LAST_LEDGER_BUFFER: u32 = 2;
/// How often a queued transaction may fail before it is dropped.
const TRIES_MAX: u8 = 10;

/// The fee level of a transaction.
pub(crate) fn level_paid(tx: &Tx) -> u64 {
    let base = rules::base_fee(tx, &Fees::MODEL).max(1);
    let level = u128::from(tx.fee_drops()) * u128::from(LEVEL_REFERENCE) / u128::from(base);
    u64::try_from(level).unwrap_or(u64::MAX)
}

/// The level that the next transaction must pay to enter a ledger that holds `count`.
pub(crate) fn level_required(count: usize, capacity: Option<u32>) -> u64 {
    let Some(expected) = capacity.map(|capacity| u64::from(capacity.max(1))) else {
        return LEVEL_REFERENCE;
    };
    let count = u64::try_from(count).unwrap_or(u64::MAX);
    if count <= expected {
        return LEVEL_REFERENCE;
    }
    let squared = |n: u64| u128::from(n) * u128::from(n);
    let level = u128::from(LEVEL_MULTIPLIER) * squared(count) / squared(expected);
    u64::try_from(level).unwrap_or(u64::MAX)
}

/// A level in drops for a transaction that has this base fee.
pub(crate) fn level_in_drops(level: u64, base_fee: u64) -> u64 {
    let drops = u128::from(level) * u128::from(base_fee) / u128::from(LEVEL_REFERENCE);
    u64::try_from(drops).unwrap_or(u64::MAX)
}

#[derive(Debug, Clone)]
struct Queued {
    tx: Arc<Tx>,
    level: u64,
    tries_left: u8,
}

/// What became of a transaction that was offered to the queue.
#[derive(Debug)]
pub(crate) enum Offered {
    /// It waits.
    Queued,
    /// It pays for those of its account that wait before it: apply these, then it.
    PaysFor(Vec<Arc<Tx>>),
    /// It does not come in.
    Refused(Ter),
}

/// One server's queue.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    by_account: BTreeMap<AccountId, BTreeMap<SeqProxy, Queued>>,
    count: usize,
}

/// What the queue must know of the open ledger.
pub(crate) struct Gate<'a> {
    pub(crate) view: &'a dyn Read,
    pub(crate) open_index: u32,
    pub(crate) open_count: usize,
    pub(crate) capacity: u32,
    pub(crate) fail_hard: bool,
}

/// Whether the transaction changes who may sign, and so must be alone in the queue.
fn is_blocker(tx: &Tx) -> bool {
    let authorisation = |flag: u32| matches!(flag, 2 | 4 | 5);
    match tx.kind {
        types::SET_REGULAR_KEY | types::SIGNER_LIST_SET | types::ACCOUNT_DELETE => true,
        types::ACCOUNT_SET => [f::SET_FLAG, f::CLEAR_FLAG]
            .into_iter()
            .any(|id| tx.field(id).is_some_and(|field| authorisation(field.u32()))),
        _ => false,
    }
}

/// The most XRP that a transaction may take from its sender, besides the fee.
fn spend(tx: &Tx) -> u64 {
    let amount = tx.send_max.as_ref().or(tx.amount.as_ref());
    let drops = amount
        .and_then(super::tx::Amount::drops)
        .unwrap_or_default();
    u64::try_from(drops).unwrap_or_default()
}

impl Queue {
    /// How many wait.
    pub(crate) const fn len(&self) -> usize {
        self.count
    }

    /// The queued transactions of an account, with their levels.
    pub(crate) fn of_account(&self, account: AccountId) -> Vec<(Arc<Tx>, u64)> {
        let queued = self
            .by_account
            .get(&account)
            .into_iter()
            .flat_map(BTreeMap::values);
        queued
            .map(|queued| (Arc::clone(&queued.tx), queued.level))
            .collect()
    }

    /// The sequence after the account's last queued one that continues from `next`.
    pub(crate) fn available(&self, account: AccountId, next: u32) -> u32 {
        let queued = self.by_account.get(&account);
        let has = |sequence| queued.is_some_and(|q| q.contains_key(&SeqProxy::Sequence(sequence)));
        let mut available = next;
        while has(available) {
            available = available.saturating_add(1);
        }
        available
    }

    /// Offers a transaction that could not go straight into the open ledger for want of fee, or because
    /// others of its account wait before it.
    pub(crate) fn offer(&mut self, tx: &Arc<Tx>, gate: &Gate<'_>) -> Offered {
        match self.admit(tx, gate) {
            Ok(offered) => offered,
            Err(code) => Offered::Refused(code),
        }
    }

    fn admit(&mut self, tx: &Arc<Tx>, gate: &Gate<'_>) -> Result<Offered, Ter> {
        let account = gate.view.account(tx.account).ok_or(Ter::TER_NO_ACCOUNT)?;
        let short_lived = tx
            .last_ledger
            .is_some_and(|last| last < gate.open_index.saturating_add(LAST_LEDGER_BUFFER));
        if tx.account_txn_id.is_some() || gate.fail_hard || short_lived {
            return Err(Ter::TEL_CAN_NOT_QUEUE);
        }
        let empty = BTreeMap::new();
        let mine = self.by_account.get(&tx.account).unwrap_or(&empty);
        let proxy = tx.proxy();
        let replaced = mine.get(&proxy);
        let next = self.available(tx.account, account.sequence);
        match proxy {
            SeqProxy::Sequence(sequence) if sequence < account.sequence => {
                return Err(Ter::TEF_PAST_SEQ);
            }
            SeqProxy::Sequence(sequence) if replaced.is_none() && sequence > next => {
                return Err(if mine.is_empty() {
                    Ter::TER_PRE_SEQ
                } else {
                    Ter::TEL_CAN_NOT_QUEUE
                });
            }
            _ => {}
        }
        let fills_hole = matches!(proxy, SeqProxy::Sequence(sequence) if sequence == next)
            && mine.keys().any(|key| *key > proxy);
        if replaced.is_none() && mine.len() >= PER_ACCOUNT_MAX + usize::from(fills_hole) {
            return Err(Ter::TEL_CAN_NOT_QUEUE);
        }
        let others = mine.values().filter(|queued| queued.tx.proxy() != proxy);
        let others: Vec<&Queued> = others.collect();
        if is_blocker(tx) && !others.is_empty() {
            return Err(Ter::TEL_CAN_NOT_QUEUE_BLOCKS);
        }
        if others.iter().any(|queued| is_blocker(&queued.tx)) {
            return Err(Ter::TEL_CAN_NOT_QUEUE_BLOCKED);
        }
        let level = level_paid(tx);
        if let Some(replaced) = replaced {
            // Strictly more than a quarter above the fee that waits.
            if u128::from(level) * 4 <= u128::from(replaced.level) * 5 {
                return Err(Ter::TEL_CAN_NOT_QUEUE_FEE);
            }
        }
        if !others.is_empty() {
            affordable(tx, &others, account.balance)?;
        }
        let before: Vec<&Queued> = others
            .iter()
            .copied()
            .filter(|q| q.tx.proxy() < proxy)
            .collect();
        if replaced.is_none() && pays_for(&before, level, gate) {
            let txs = before.iter().map(|queued| Arc::clone(&queued.tx)).collect();
            return Ok(Offered::PaysFor(txs));
        }
        let is_replacement = replaced.is_some();
        let max =
            usize::try_from(gate.capacity.saturating_mul(QUEUE_LEDGERS)).unwrap_or(usize::MAX);
        if !is_replacement && self.count >= max {
            self.make_room(tx, level)?;
        }
        let queued = Queued {
            tx: Arc::clone(tx),
            level,
            tries_left: TRIES_MAX,
        };
        if self
            .by_account
            .entry(tx.account)
            .or_default()
            .insert(proxy, queued)
            .is_none()
        {
            self.count += 1;
        }
        Ok(Offered::Queued)
    }

    /// Drops the cheapest queued transaction of another account, if it pays less.
    fn make_room(&mut self, tx: &Tx, level: u64) -> Result<(), Ter> {
        let lasts = self
            .by_account
            .values()
            .filter_map(|mine| mine.last_key_value());
        let cheapest = lasts.min_by_key(|(_, queued)| (queued.level, queued.tx.hash));
        let victim = cheapest.map(|(proxy, queued)| (queued.tx.account, *proxy, queued.level));
        match victim {
            Some((account, proxy, lowest)) if lowest < level && account != tx.account => {
                self.remove(account, proxy);
                Ok(())
            }
            _ => Err(Ter::TEL_CAN_NOT_QUEUE_FULL),
        }
    }

    /// Forgets a queued transaction.
    pub(crate) fn remove(&mut self, account: AccountId, proxy: SeqProxy) {
        let Some(mine) = self.by_account.get_mut(&account) else {
            return;
        };
        if mine.remove(&proxy).is_some() {
            self.count -= 1;
        }
        if mine.is_empty() {
            self.by_account.remove(&account);
        }
    }

    /// Forgets what the closed ledger holds, what can no longer enter a ledger, and what has expired.
    pub(crate) fn sweep(
        &mut self,
        closed: u32,
        view: &dyn Read,
        in_ledger: impl Fn(TxHash) -> bool,
    ) {
        let mut gone = Vec::new();
        for (account, mine) in &self.by_account {
            let sequence = view.account(*account).map_or(0, |root| root.sequence);
            for (proxy, queued) in mine {
                let past = matches!(proxy, SeqProxy::Sequence(own) if *own < sequence);
                let expired = queued.tx.last_ledger.is_some_and(|last| last <= closed);
                if past || expired || queued.tries_left == 0 || in_ledger(queued.tx.hash) {
                    gone.push((*account, *proxy));
                }
            }
        }
        for (account, proxy) in gone {
            self.remove(account, proxy);
        }
    }

    /// What waits, dearest first, an account's own in their order.
    pub(crate) fn by_fee(&self) -> Vec<Arc<Tx>> {
        let all = self.by_account.values().flat_map(BTreeMap::values);
        let mut all: Vec<&Queued> = all.collect();
        all.sort_by_key(|queued| {
            (
                std::cmp::Reverse(queued.level),
                queued.tx.proxy(),
                queued.tx.hash,
            )
        });
        all.into_iter()
            .map(|queued| Arc::clone(&queued.tx))
            .collect()
    }

    /// Notes that a queued transaction did not apply when its turn came.
    pub(crate) fn failed(&mut self, tx: &Tx) {
        let mine = self.by_account.get_mut(&tx.account);
        if let Some(queued) = mine.and_then(|mine| mine.get_mut(&tx.proxy())) {
            queued.tries_left = queued.tries_left.saturating_sub(1);
        }
    }
}

/// Whether the sender can pay everything that waits, and the fees are within what its reserve covers.
fn affordable(tx: &Tx, others: &[&Queued], balance: u64) -> Result<(), Ter> {
    let fees =
        |txs: &mut dyn Iterator<Item = &Tx>| txs.map(Tx::fee_drops).fold(0, u64::saturating_add);
    let queued_fees = fees(&mut others.iter().map(|queued| queued.tx.as_ref()));
    let total_fees = queued_fees.saturating_add(tx.fee_drops());
    let spends = others
        .iter()
        .map(|queued| spend(&queued.tx))
        .fold(0, u64::saturating_add);
    let reserve = Fees::MODEL.reserve(0);
    let too_much = queued_fees >= balance || (queued_fees >= reserve && balance >= reserve);
    if too_much || total_fees.saturating_add(spends.min(balance)) > balance {
        return Err(Ter::TEL_CAN_NOT_QUEUE_BALANCE);
    }
    Ok(())
}

/// Whether a transaction's fee is enough for itself and for all that wait before it.
fn pays_for(before: &[&Queued], level: u64, gate: &Gate<'_>) -> bool {
    let required = level_required(gate.open_count, Some(gate.capacity));
    if before.is_empty() || level <= required {
        return false;
    }
    let paid = before
        .iter()
        .map(|queued| queued.level)
        .fold(level, u64::saturating_add);
    let needed = (0..=before.len())
        .map(|n| level_required(gate.open_count + n, Some(gate.capacity)))
        .fold(0, u64::saturating_add);
    paid >= needed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_price_jumps_when_a_ledger_is_full_as_it_did_on_a_real_server() {
        assert_eq!(level_required(15, Some(15)), LEVEL_REFERENCE);
        let level = level_required(16, Some(15));
        assert_eq!(level_in_drops(level, 10), 5_688);
        assert_eq!(level_in_drops(level - 1, 10) + 1, 5_689);
        assert_eq!(level_required(1_000_000, None), LEVEL_REFERENCE);
    }
}
