//! Who may wait in the queue, in rippled's order of checks.
//!
//! Owns nothing but the order. A transaction comes here when it cannot go straight into the open ledger:
//! it pays too little, or others of its account wait before it.

use super::codes::Ter;
use super::entry::{Account, Entry, Key};
use super::fees::{FeeMetrics, LEVEL_REFERENCE};
use super::queue::{Queue, Queued, TRIES_MAX, is_blocker, level_paid, spend};
use super::rules::{self, Setting};
use super::state::{Layered, Overlay, Read};
use super::tx::{SeqProxy, Tx};
use std::sync::Arc;

/// Queued transactions of one account.
const PER_ACCOUNT_MAX: usize = 10;
/// A queued transaction must be valid for so many ledgers from the open one.
const LAST_LEDGER_BUFFER: u32 = 2;
/// How much dearer a replacement must be, in per cent.
const REPLACEMENT_PERCENT: u64 = 25;

/// What the queue must know of the open ledger.
pub(crate) struct Gate<'a> {
    pub(crate) view: &'a dyn Read,
    pub(crate) setting: Setting,
    /// How many transactions the open ledger holds.
    pub(crate) open_count: usize,
    /// What it asks of the next.
    pub(crate) required: u64,
    pub(crate) metrics: &'a FeeMetrics,
    pub(crate) fail_hard: bool,
}

/// A transaction that may wait.
#[derive(Debug)]
pub(crate) struct Admitted {
    queued: Queued,
    /// Those of its account that it pays for: with them it may go straight into the open ledger.
    pub(crate) clears: Option<Vec<Arc<Tx>>>,
}

/// What the account has waiting that still may apply.
struct Waiting<'a> {
    root: Account,
    txs: Vec<&'a Queued>,
    replaced: Option<&'a Queued>,
    /// How many of the account wait, those included that cannot apply any more.
    total: usize,
}

impl Queue {
    /// Whether a transaction may wait; it does not yet.
    pub(crate) fn admit(&self, tx: &Arc<Tx>, gate: &Gate<'_>) -> Result<Admitted, Ter> {
        let root = gate.view.account(tx.account).ok_or(Ter::TER_NO_ACCOUNT)?;
        let proxy = tx.proxy();
        if let SeqProxy::Ticket(number) = proxy
            && gate.view.ticket(tx.account, number).is_none()
        {
            let is_past = number < root.sequence;
            return Err(if is_past {
                Ter::TEF_NO_TICKET
            } else {
                Ter::TER_PRE_TICKET
            });
        }
        let mine = self.by_account.get(&tx.account);
        let from = SeqProxy::Sequence(root.sequence);
        let txs: Vec<&Queued> = mine
            .into_iter()
            .flat_map(|mine| mine.txs.range(from..).map(|(_, queued)| queued))
            .collect();
        let waiting = Waiting {
            root,
            txs,
            replaced: mine.and_then(|mine| mine.txs.get(&proxy)),
            total: mine.map_or(0, |mine| mine.txs.len()),
        };
        let level = level_paid(tx, gate.view);
        blocks(tx, &waiting)?;
        replaces(level, &waiting)?;
        let among_others =
            waiting.txs.len() > 1 || (waiting.txs.len() == 1 && waiting.replaced.is_none());
        if waiting.txs.is_empty() {
            sequence_fits(proxy, &waiting.root)?;
        } else if matches!(proxy, SeqProxy::Sequence(own) if own < waiting.root.sequence) {
            return Err(Ter::TEF_PAST_SEQ);
        }
        if among_others {
            self.may_be_held(tx, &waiting, gate)?;
            self.follows(proxy, &waiting)?;
            let bumped = self.after_the_others(tx, &waiting, gate)?;
            rules::claims_fee(tx, &gate.setting, &bumped.over(gate.view))?;
        } else {
            rules::claims_fee(tx, &gate.setting, gate.view)?;
        }
        let clears = if among_others {
            pays_for(proxy, level, &waiting, gate)
        } else {
            self.may_be_held(tx, &waiting, gate)?;
            None
        };
        Ok(Admitted {
            queued: Queued::new(tx, level),
            clears,
        })
    }

    /// Lets an admitted transaction wait, if there is room or a cheaper one can be pushed out.
    pub(crate) fn hold(&mut self, admitted: Admitted, max: Option<u64>) -> Result<(), Ter> {
        let Admitted { queued, .. } = admitted;
        let (account, proxy) = (queued.tx.account, queued.tx.proxy());
        let mine = self.by_account.get(&account);
        let is_replacement = mine.is_some_and(|mine| mine.txs.contains_key(&proxy));
        let count = u64::try_from(self.len()).unwrap_or(u64::MAX);
        if !is_replacement && max.is_some_and(|max| count >= max) {
            self.make_room(&queued)?;
        }
        self.insert(queued);
        Ok(())
    }

    /// Drops the last transaction of the account with the cheapest one, if what that account pays on
    /// average is less than what the newcomer pays.
    fn make_room(&mut self, newcomer: &Queued) -> Result<(), Ter> {
        let foreign = |account| account != newcomer.tx.account;
        let cheapest = self.by_fee.iter().rev().find(|turn| foreign(turn.account));
        let cheapest = *cheapest.ok_or(Ter::TEL_CAN_NOT_QUEUE_FULL)?;
        let mine = self.by_account.get(&cheapest.account);
        let mine = mine.ok_or(Ter::TEL_CAN_NOT_QUEUE_FULL)?;
        let lowest = mine
            .txs
            .get(&cheapest.proxy)
            .map_or(0, |queued| queued.level);
        let count = u64::try_from(mine.txs.len()).unwrap_or(u64::MAX).max(1);
        let effective = if lowest > newcomer.level || count == 1 {
            lowest
        } else {
            let levels = mine.txs.values().map(|queued| u128::from(queued.level));
            let average = levels.sum::<u128>() / u128::from(count);
            u64::try_from(average).unwrap_or(u64::MAX)
        };
        let last = mine.txs.last_key_value().map(|(proxy, _)| *proxy);
        match last {
            Some(last) if newcomer.level > effective => {
                self.remove(cheapest.account, last);
                Ok(())
            }
            _ => Err(Ter::TEL_CAN_NOT_QUEUE_FULL),
        }
    }

    /// Whether the queue takes a transaction of this kind, and another one of this account.
    fn may_be_held(&self, tx: &Tx, waiting: &Waiting<'_>, gate: &Gate<'_>) -> Result<(), Ter> {
        let needed = gate.setting.ledger.saturating_add(LAST_LEDGER_BUFFER);
        let short_lived = tx.last_ledger.is_some_and(|last| last < needed);
        if tx.account_txn_id.is_some() || gate.fail_hard || short_lived {
            return Err(Ter::TEL_CAN_NOT_QUEUE);
        }
        if waiting.replaced.is_some() || waiting.total < PER_ACCOUNT_MAX {
            return Ok(());
        }
        // Beyond the limit only one comes in that fills the first hole in the account's sequences.
        let next = SeqProxy::Sequence(self.available(tx.account, waiting.root.sequence));
        let later = waiting.txs.iter().map(|queued| queued.tx.proxy());
        let is_hole = later
            .filter(|proxy| *proxy > next)
            .min()
            .is_some_and(|proxy| matches!(proxy, SeqProxy::Sequence(_)));
        if tx.proxy() == next && is_hole {
            Ok(())
        } else {
            Err(Ter::TEL_CAN_NOT_QUEUE_FULL)
        }
    }

    /// Whether the transaction continues what waits of its account.
    fn follows(&self, proxy: SeqProxy, waiting: &Waiting<'_>) -> Result<(), Ter> {
        let SeqProxy::Sequence(own) = proxy else {
            return Ok(());
        };
        let has_predecessor = waiting.txs.iter().any(|queued| queued.tx.proxy() < proxy);
        if !has_predecessor {
            return sequence_fits(proxy, &waiting.root);
        }
        let next = self.available(waiting.root.id, waiting.root.sequence);
        if waiting.replaced.is_none() && own != next {
            return Err(Ter::TEL_CAN_NOT_QUEUE);
        }
        Ok(())
    }

    /// The sender as it will be when the others of its account have applied and spent all they may.
    fn after_the_others(
        &self,
        tx: &Tx,
        waiting: &Waiting<'_>,
        gate: &Gate<'_>,
    ) -> Result<Bumped, Ter> {
        let (mut fees, mut spends) = (0_u64, 0_u64);
        for (position, queued) in waiting.txs.iter().enumerate() {
            let is_replaced = queued.tx.proxy() == tx.proxy();
            let is_last = position + 1 == waiting.txs.len();
            let counted = match (is_replaced, is_last) {
                (false, _) => queued.tx.as_ref(),
                (true, false) => tx,
                (true, true) => continue,
            };
            fees = fees.saturating_add(counted.fee_drops());
            spends = spends.saturating_add(spend(counted));
        }
        let mut root = waiting.root.clone();
        let balance = root.balance;
        let reserve = gate.setting.fees.reserve(0);
        let is_over_reserve = reserve > 10 * gate.setting.fees.base && fees >= reserve;
        if fees >= balance || is_over_reserve {
            return Err(Ter::TEL_CAN_NOT_QUEUE_BALANCE);
        }
        let spends = spends.min(balance.saturating_sub(reserve));
        root.balance = balance.saturating_sub(fees.saturating_add(spends));
        root.sequence = match tx.proxy() {
            SeqProxy::Sequence(own) => own,
            SeqProxy::Ticket(_) => self.available(root.id, root.sequence),
        };
        let mut overlay = Overlay::default();
        let entry = Some(Entry::Account(root));
        overlay.changed.insert(Key::Account(tx.account), entry);
        Ok(Bumped(overlay))
    }
}

/// A changed sender, to be laid over a view.
struct Bumped(Overlay);

impl Bumped {
    const fn over<'a>(&'a self, base: &'a dyn Read) -> Layered<'a> {
        Layered {
            base,
            overlay: &self.0,
        }
    }
}

/// A transaction that changes who may sign must be alone.
fn blocks(tx: &Tx, waiting: &Waiting<'_>) -> Result<(), Ter> {
    let is_other = |queued: &&&Queued| queued.tx.proxy() != tx.proxy();
    let has_others = waiting.txs.len() > 1 || waiting.txs.iter().any(|queued| is_other(&queued));
    if is_blocker(tx) && has_others {
        return Err(Ter::TEL_CAN_NOT_QUEUE_BLOCKS);
    }
    match waiting.txs.as_slice() {
        [alone] if alone.is_blocker() && alone.tx.proxy() != tx.proxy() => {
            Err(Ter::TEL_CAN_NOT_QUEUE_BLOCKED)
        }
        _ => Ok(()),
    }
}

/// A replacement must pay strictly more than a quarter above what it replaces.
fn replaces(level: u64, waiting: &Waiting<'_>) -> Result<(), Ter> {
    let Some(replaced) = waiting.replaced.filter(|_| !waiting.txs.is_empty()) else {
        return Ok(());
    };
    let needed = u128::from(replaced.level) * u128::from(100 + REPLACEMENT_PERCENT) / 100;
    if u128::from(level) > needed {
        Ok(())
    } else {
        Err(Ter::TEL_CAN_NOT_QUEUE_FEE)
    }
}

/// The first of an account to wait must have the account's own sequence.
fn sequence_fits(proxy: SeqProxy, root: &Account) -> Result<(), Ter> {
    match proxy {
        SeqProxy::Sequence(own) if own < root.sequence => Err(Ter::TEF_PAST_SEQ),
        SeqProxy::Sequence(own) if own > root.sequence => Err(Ter::TER_PRE_SEQ),
        _ => Ok(()),
    }
}

/// Those of its account that wait before a transaction, if its fee is enough for it and all of them.
fn pays_for(
    proxy: SeqProxy,
    level: u64,
    waiting: &Waiting<'_>,
    gate: &Gate<'_>,
) -> Option<Vec<Arc<Tx>>> {
    let untried = waiting.txs.first()?.tries_left == TRIES_MAX;
    let is_sequence = matches!(proxy, SeqProxy::Sequence(_));
    if !(is_sequence && untried && level > gate.required && gate.required > LEVEL_REFERENCE) {
        return None;
    }
    let before: Vec<&&Queued> = waiting
        .txs
        .iter()
        .take_while(|queued| queued.tx.proxy() < proxy)
        .collect();
    let series = before.len() + 1;
    let each = gate.required.saturating_mul(u64::try_from(series).ok()?);
    let needed = gate
        .metrics
        .series_level(gate.open_count, series)?
        .max(each);
    let levels = before.iter().map(|queued| queued.level);
    let paid = levels.fold(level, u64::saturating_add);
    (paid >= needed).then(|| before.iter().map(|queued| Arc::clone(&queued.tx)).collect())
}
