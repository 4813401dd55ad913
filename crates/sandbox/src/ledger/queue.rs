//! The transactions that wait for a cheaper ledger, as rippled's transaction queue keeps them.
//!
//! Owns one server's queued transactions, by account and by fee; `admission` decides who comes in. Dearer
//! ones are served first; equals are ordered by their hashes mixed with the parent ledger's, so that no
//! hash is first for ever. Nothing of it survives a restart.

use super::fees::LEVEL_REFERENCE;
use super::rules::{self, Fees};
use super::state::Read;
use super::tx::{SeqProxy, Tx, f, types};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;
use xrpayd_core::address::AccountId;

/// How often a queued transaction may fail before it is dropped.
pub(super) const TRIES_MAX: u8 = 10;

/// The fee level of a transaction.
pub(crate) fn level_paid(tx: &Tx, view: &dyn Read) -> u64 {
    let fee = tx.fee_drops();
    let (base, paid) = match rules::needed_fee(tx, &Fees::MODEL, view) {
        // Where nothing is asked, what is paid counts on top of what would be asked otherwise.
        0 => (Fees::MODEL.base, fee.saturating_add(Fees::MODEL.base)),
        base => (base, fee),
    };
    let level = u128::from(paid) * u128::from(LEVEL_REFERENCE) / u128::from(base.max(1));
    u64::try_from(level).unwrap_or(u64::MAX)
}

/// A transaction that waits.
#[derive(Debug, Clone)]
pub(crate) struct Queued {
    pub(crate) tx: Arc<Tx>,
    pub(crate) level: u64,
    pub(super) tries_left: u8,
}

impl Queued {
    pub(super) fn new(tx: &Arc<Tx>, level: u64) -> Self {
        Self {
            tx: Arc::clone(tx),
            level,
            tries_left: TRIES_MAX,
        }
    }

    /// How often it may still fail.
    pub(crate) const fn tries_left(&self) -> u8 {
        self.tries_left
    }

    /// Whether it changes who may sign, and so must be alone in the queue.
    pub(crate) fn is_blocker(&self) -> bool {
        is_blocker(&self.tx)
    }
}

/// Whether a transaction changes who may sign.
pub(crate) fn is_blocker(tx: &Tx) -> bool {
    const TF_AUTH: u32 = 0x0004_0000 | 0x0008_0000;
    let authorisation = |flag: u32| matches!(flag, 2 | 4 | 5);
    match tx.kind {
        types::SET_REGULAR_KEY | types::SIGNER_LIST_SET | types::ACCOUNT_DELETE => true,
        types::ACCOUNT_SET => {
            tx.flags & TF_AUTH != 0
                || [f::SET_FLAG, f::CLEAR_FLAG]
                    .into_iter()
                    .any(|id| tx.field(id).is_some_and(|field| authorisation(field.u32())))
        }
        _ => false,
    }
}

/// The most XRP that a transaction may take from its sender, besides the fee.
pub(crate) fn spend(tx: &Tx) -> u64 {
    let amount = tx.send_max.as_ref().or(tx.amount.as_ref());
    let drops = amount
        .and_then(super::tx::Amount::drops)
        .unwrap_or_default();
    u64::try_from(drops).unwrap_or_default()
}

/// What follows a queued transaction of an account, as rippled counts it.
fn following(tx: &Tx) -> SeqProxy {
    let consumed = match tx.kind {
        types::TICKET_CREATE => tx.field(f::TICKET_COUNT).map_or(0, |field| field.u32()),
        _ => u32::from(matches!(tx.proxy(), SeqProxy::Sequence(_))),
    };
    match tx.proxy() {
        SeqProxy::Sequence(own) => SeqProxy::Sequence(own.saturating_add(consumed)),
        SeqProxy::Ticket(own) => SeqProxy::Ticket(own.saturating_add(consumed)),
    }
}

/// The place of a queued transaction among all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Turn {
    level: Reverse<u64>,
    mixed: [u8; 32],
    pub(crate) account: AccountId,
    pub(crate) proxy: SeqProxy,
}

/// What waits of one account, and what is held against it.
#[derive(Debug, Default)]
pub(super) struct Mine {
    pub(super) txs: BTreeMap<SeqProxy, Queued>,
    /// One of its transactions failed too often: the others get few tries.
    retry_penalty: bool,
    /// One of its transactions expired or failed for good: its last may be dropped for room.
    drop_penalty: bool,
}

/// One server's queue.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    pub(super) by_account: BTreeMap<AccountId, Mine>,
    pub(super) by_fee: BTreeSet<Turn>,
    parent: [u8; 32],
}

/// What becomes of a queued transaction whose turn failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It never can apply.
    ForGood,
    /// It may apply later.
    ForNow,
}

impl Queue {
    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.by_fee.len()
    }

    /// Whether none waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.by_fee.is_empty()
    }

    /// The level of the cheapest.
    pub(crate) fn lowest_level(&self) -> Option<u64> {
        self.by_fee.last().map(|turn| turn.level.0)
    }

    pub(super) fn turn(&self, queued: &Queued) -> Turn {
        let mut mixed = queued.tx.hash.0;
        for (byte, parent) in mixed.iter_mut().zip(self.parent) {
            *byte ^= parent;
        }
        Turn {
            level: Reverse(queued.level),
            mixed,
            account: queued.tx.account,
            proxy: queued.tx.proxy(),
        }
    }

    /// The queued transactions of an account, in their order.
    pub(crate) fn of_account(&self, account: AccountId) -> impl Iterator<Item = &Queued> {
        let mine = self.by_account.get(&account);
        mine.into_iter().flat_map(|mine| mine.txs.values())
    }

    /// The sequence that the account's next queued transaction must have, when its root has `next`.
    pub(crate) fn available(&self, account: AccountId, next: u32) -> u32 {
        let first = SeqProxy::Sequence(next);
        let mine = self.by_account.get(&account);
        let mut waiting = mine
            .into_iter()
            .flat_map(|mine| mine.txs.range(first..).map(|(_, queued)| queued));
        let Some(head) = waiting.next().filter(|queued| queued.tx.proxy() == first) else {
            return next;
        };
        let mut attempt = following(&head.tx);
        for queued in waiting {
            if attempt < queued.tx.proxy() {
                break;
            }
            attempt = following(&queued.tx);
        }
        match attempt {
            SeqProxy::Sequence(sequence) | SeqProxy::Ticket(sequence) => sequence,
        }
    }

    pub(super) fn insert(&mut self, queued: Queued) {
        let turn = self.turn(&queued);
        self.remove(turn.account, turn.proxy);
        self.by_fee.insert(turn);
        let mine = self.by_account.entry(turn.account).or_default();
        mine.txs.insert(turn.proxy, queued);
    }

    /// Forgets a queued transaction.
    pub(crate) fn remove(&mut self, account: AccountId, proxy: SeqProxy) {
        let Some(mine) = self.by_account.get_mut(&account) else {
            return;
        };
        let removed = mine.txs.remove(&proxy);
        if mine.txs.is_empty() {
            self.by_account.remove(&account);
        }
        if let Some(queued) = removed {
            let turn = self.turn(&queued);
            self.by_fee.remove(&turn);
        }
    }

    /// Forgets what the closed ledger was the last chance of.
    pub(crate) fn expire(&mut self, closed: u32) {
        let mut gone = Vec::new();
        for (account, mine) in &mut self.by_account {
            for (proxy, queued) in &mine.txs {
                if queued.tx.last_ledger.is_some_and(|last| last <= closed) {
                    mine.drop_penalty = true;
                    gone.push((*account, *proxy));
                }
            }
        }
        for (account, proxy) in gone {
            self.remove(account, proxy);
        }
    }

    /// Orders those that pay alike anew, by the hash of the open ledger's parent.
    pub(crate) fn reorder(&mut self, parent: [u8; 32]) {
        self.parent = parent;
        let all = self.by_account.values().flat_map(|mine| mine.txs.values());
        self.by_fee = all.map(|queued| self.turn(queued)).collect();
    }

    /// All that waits, in the order of its turns.
    pub(crate) fn in_order(&self) -> impl Iterator<Item = &Queued> {
        self.by_fee.iter().filter_map(|turn| {
            let mine = self.by_account.get(&turn.account)?;
            mine.txs.get(&turn.proxy)
        })
    }

    /// Whose turn it is first.
    pub(crate) fn first(&self) -> Option<Turn> {
        self.by_fee.first().copied()
    }

    /// Whose turn comes after `turn`.
    pub(crate) fn after(&self, turn: &Turn) -> Option<Turn> {
        let later = (Bound::Excluded(turn), Bound::Unbounded);
        self.by_fee.range(later).next().copied()
    }

    /// The transaction whose turn it is; `None` while others of its account come before it.
    pub(crate) fn at(&self, turn: &Turn) -> Option<&Queued> {
        let mine = self.by_account.get(&turn.account)?;
        let (first, _) = mine.txs.first_key_value()?;
        let is_early = matches!(turn.proxy, SeqProxy::Sequence(_)) && turn.proxy > *first;
        mine.txs.get(&turn.proxy).filter(|_| !is_early)
    }

    /// Forgets a transaction and returns whose turn it is next: its account's next one where that was
    /// passed over before.
    pub(crate) fn remove_and_advance(&mut self, turn: &Turn) -> Option<Turn> {
        let by_fee = self.after(turn);
        let mine = self.by_account.get(&turn.account);
        let later = (Bound::Excluded(turn.proxy), Bound::Unbounded);
        let own = mine
            .and_then(|mine| mine.txs.range(later).next())
            .map(|(_, queued)| self.turn(queued));
        self.remove(turn.account, turn.proxy);
        match (own, by_fee) {
            (Some(own), Some(next)) if own < next => Some(own),
            (Some(own), None) => Some(own),
            (_, next) => next,
        }
    }

    /// Notes that a transaction did not apply when its turn came, and returns whose turn it is next.
    /// `is_nearly_full` asks accounts with a bad record for room.
    pub(crate) fn failed(
        &mut self,
        turn: &Turn,
        failure: Failure,
        is_nearly_full: bool,
    ) -> Option<Turn> {
        let mine = self.by_account.get_mut(&turn.account)?;
        let queued = mine.txs.get_mut(&turn.proxy)?;
        if failure == Failure::ForGood || queued.tries_left == 0 {
            if queued.tries_left == 0 {
                mine.retry_penalty = true;
            } else {
                mine.drop_penalty = true;
            }
            return self.remove_and_advance(turn);
        }
        queued.tries_left = if mine.retry_penalty && queued.tries_left > 2 {
            1
        } else {
            queued.tries_left - 1
        };
        if mine.drop_penalty && mine.txs.len() > 1 && is_nearly_full {
            if matches!(turn.proxy, SeqProxy::Ticket(_)) {
                return self.remove_and_advance(turn);
            }
            let last = mine.txs.last_key_value().map(|(proxy, _)| *proxy);
            if let Some(last) = last.filter(|last| *last != turn.proxy) {
                self.remove(turn.account, last);
            }
        }
        self.after(turn)
    }

    /// Uses up a try of a transaction that another one of its account tries to clear away.
    pub(crate) fn use_up_try(&mut self, account: AccountId, proxy: SeqProxy) {
        let mine = self.by_account.get_mut(&account);
        if let Some(queued) = mine.and_then(|mine| mine.txs.get_mut(&proxy)) {
            queued.tries_left = queued.tries_left.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use xrpayd_codec::keys::{Algorithm, Keypair};

    fn queued(owner: u8, sequence: u32, level: u64) -> Queued {
        let key = Keypair::from_entropy(Algorithm::Ed25519, &[owner; 16]).unwrap();
        let tx = json!({
            "TransactionType": "AccountSet",
            "Account": key.account_id().to_string(),
            "Fee": "10",
            "Flags": 0,
            "Sequence": sequence,
        });
        let blob = xrpayd_codec::sign::sign(&tx, &key).unwrap().blob;
        Queued::new(&Arc::new(Tx::parse(blob).unwrap()), level)
    }

    fn of(queue: &Queue, account: AccountId) -> Vec<SeqProxy> {
        let waiting = queue.of_account(account);
        waiting.map(|queued| queued.tx.proxy()).collect()
    }

    #[test]
    fn the_dearest_is_first_and_equals_are_ordered_by_their_hash_mixed_with_the_parents() {
        let mut queue = Queue::default();
        let all = [queued(1, 5, 300), queued(2, 5, 300), queued(3, 5, 900)];
        for one in &all {
            queue.insert(one.clone());
        }
        let dearest = queue.first().unwrap();
        assert_eq!(dearest.account, all[2].tx.account);
        let second = queue.after(&dearest).unwrap();
        // A parent whose hash is that of the one that was last makes it the first of its price.
        let last = queue.after(&second).unwrap();
        let last = all
            .iter()
            .find(|one| one.tx.account == last.account)
            .unwrap();
        queue.reorder(last.tx.hash.0);
        let dearest = queue.first().unwrap();
        assert_eq!(dearest.account, all[2].tx.account);
        assert_eq!(queue.after(&dearest).unwrap().account, last.tx.account);
        assert_eq!(queue.lowest_level(), Some(300));
    }

    #[test]
    fn a_later_one_is_passed_over_until_the_one_before_it_has_gone() {
        let mut queue = Queue::default();
        let (cheap, dear) = (queued(1, 5, 300), queued(1, 6, 900));
        let other = queued(2, 5, 400);
        for one in [&cheap, &dear, &other] {
            queue.insert(one.clone());
        }
        let first = queue.first().unwrap();
        assert_eq!(first.proxy, SeqProxy::Sequence(6));
        assert!(queue.at(&first).is_none());
        let turn = queue.turn(&cheap);
        assert!(queue.at(&turn).is_some());
        let next = queue.remove_and_advance(&turn).unwrap();
        assert_eq!(
            (next.account, next.proxy),
            (dear.tx.account, SeqProxy::Sequence(6)),
            "the one that was passed over has its turn now"
        );
        assert_eq!(queue.len(), 2);
    }

    #[test]
    fn who_fails_too_often_is_dropped_and_leaves_the_others_fewer_tries() {
        let mut queue = Queue::default();
        let (head, tail) = (queued(1, 5, 300), queued(1, 6, 300));
        queue.insert(head.clone());
        queue.insert(tail.clone());
        let turn = queue.turn(&head);
        for _ in 0..=TRIES_MAX {
            queue.failed(&turn, Failure::ForNow, false);
        }
        let account = head.tx.account;
        assert_eq!(of(&queue, account), [SeqProxy::Sequence(6)]);
        let turn = queue.turn(&tail);
        for _ in 0..2 {
            assert_eq!(queue.len(), 1);
            queue.failed(&turn, Failure::ForNow, false);
        }
        assert!(!queue.is_empty());
        queue.failed(&turn, Failure::ForNow, false);
        assert!(queue.is_empty());
    }

    #[test]
    fn an_account_whose_transaction_expired_gives_up_its_last_when_room_is_scarce() {
        let mut queue = Queue::default();
        for sequence in 5..=8 {
            queue.insert(queued(1, sequence, 300));
        }
        let account = queued(1, 5, 300).tx.account;
        let head = queue.turn(&queued(1, 5, 300));
        queue.failed(&head, Failure::ForGood, false);
        assert_eq!(of(&queue, account).len(), 3);
        let next = queue.turn(&queued(1, 6, 300));
        queue.failed(&next, Failure::ForNow, false);
        assert_eq!(of(&queue, account).len(), 3, "there is room");
        queue.failed(&next, Failure::ForNow, true);
        let left = [SeqProxy::Sequence(6), SeqProxy::Sequence(7)];
        assert_eq!(of(&queue, account), left);
    }

    #[test]
    fn the_next_sequence_is_after_those_that_wait_without_a_gap() {
        let mut queue = Queue::default();
        for sequence in [5, 6, 8] {
            queue.insert(queued(1, sequence, 300));
        }
        let account = queued(1, 5, 300).tx.account;
        assert_eq!(queue.available(account, 5), 7);
        assert_eq!(
            queue.available(account, 7),
            7,
            "a hole is to be filled first"
        );
        assert_eq!(queue.available(account, 8), 9);
        assert_eq!(queue.available(AccountId([9; 20]), 3), 3);
    }
}
