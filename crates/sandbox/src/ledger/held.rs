//! What one server remembers of transactions that are not in a ledger yet: those it retries for some
//! ledgers, those that wait for a predecessor, hashes it knows to be bad, and what it has seen.
//!
//! Owns bounded collections; the oldest entries make room. All of it is lost at a restart, as it is on
//! a real server.

use super::state::Read;
use super::tx::{SeqProxy, Tx};
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::hash::Hash;
use std::sync::Arc;
use xrpayd_core::address::AccountId;
use xrpayd_core::ids::TxHash;

/// Ledgers for which a server retries what a client gave it.
const LOCAL_LEDGERS: u32 = 5;
/// Locally submitted transactions that a server retries at most.
const LOCAL_MAX: usize = 100_000;
/// Transactions that wait for a predecessor at most.
const HELD_MAX: usize = 100_000;
/// Hashes that are remembered as bad, and transactions that `tx` finds though no ledger holds them.
const MEMORY_MAX: usize = 50_000;

/// A map that forgets its oldest entries.
#[derive(Debug)]
pub(crate) struct Recent<K, V> {
    map: HashMap<K, V>,
    order: VecDeque<K>,
    max: usize,
}

impl<K: Eq + Hash + Copy, V> Recent<K, V> {
    /// An empty map for at most `max` entries.
    pub(crate) fn new(max: usize) -> Self {
        Self {
            map: HashMap::new(),
            order: VecDeque::new(),
            max,
        }
    }

    /// Remembers an entry.
    pub(crate) fn insert(&mut self, key: K, value: V) {
        if self.map.insert(key, value).is_none() {
            self.order.push_back(key);
        }
        while self.order.len() > self.max {
            if let Some(oldest) = self.order.pop_front() {
                self.map.remove(&oldest);
            }
        }
    }

    /// Forgets an entry that is not needed any more.
    pub(crate) fn remove(&mut self, key: &K) {
        self.map.remove(key);
    }

    /// What is remembered under `key`.
    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.map.get(key)
    }
}

/// One server's memory.
#[derive(Debug)]
pub(crate) struct Memory {
    /// Hashes whose first result was `tem`: sent again they are a bad signature.
    pub(crate) bad: Recent<TxHash, ()>,
    /// What the server was told of and has seen in no validated ledger.
    pub(crate) known: Recent<TxHash, Arc<Tx>>,
    local: Vec<Local>,
    local_ids: HashSet<TxHash>,
    held: BTreeMap<(AccountId, SeqProxy, TxHash), Arc<Tx>>,
}

#[derive(Debug)]
struct Local {
    tx: Arc<Tx>,
    expires_after: u32,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            bad: Recent::new(MEMORY_MAX),
            known: Recent::new(MEMORY_MAX),
            local: Vec::new(),
            local_ids: HashSet::new(),
            held: BTreeMap::new(),
        }
    }
}

impl Memory {
    /// Keeps a transaction that a client gave, to be tried again in the next ledgers. Returns whether
    /// there was room.
    pub(crate) fn keep_local(&mut self, tx: &Arc<Tx>, current: u32) -> bool {
        if self.local_ids.contains(&tx.hash) {
            return true;
        }
        if self.local.len() >= LOCAL_MAX {
            return false;
        }
        let by_age = current.saturating_add(LOCAL_LEDGERS);
        let expires_after = tx
            .last_ledger
            .map_or(by_age, |last| by_age.min(last.saturating_add(1)));
        self.local_ids.insert(tx.hash);
        self.local.push(Local {
            tx: Arc::clone(tx),
            expires_after,
        });
        true
    }

    /// Forgets what has expired, is in the ledger, or can never apply any more.
    pub(crate) fn sweep_local(
        &mut self,
        closed: u32,
        view: &dyn Read,
        in_ledger: &HashSet<TxHash>,
    ) {
        let ids = &mut self.local_ids;
        self.local.retain(|local| {
            let stays = local.expires_after >= closed
                && !in_ledger.contains(&local.tx.hash)
                && can_still_apply(&local.tx, view);
            if !stays {
                ids.remove(&local.tx.hash);
            }
            stays
        });
    }

    /// The transactions to try in a new open ledger, by account and sequence.
    pub(crate) fn local_in_order(&self) -> Vec<Arc<Tx>> {
        let mut txs: Vec<Arc<Tx>> = self
            .local
            .iter()
            .map(|local| Arc::clone(&local.tx))
            .collect();
        txs.sort_by_key(|tx| (tx.account, tx.proxy(), tx.hash));
        txs
    }

    /// Holds a transaction until its predecessor applies or the ledger closes.
    pub(crate) fn hold(&mut self, tx: &Arc<Tx>) {
        if self.held.len() < HELD_MAX {
            self.held
                .insert((tx.account, tx.proxy(), tx.hash), Arc::clone(tx));
        }
    }

    /// The held transaction that may apply now that one of `account` with `proxy` has.
    pub(crate) fn take_next(&mut self, account: AccountId, proxy: SeqProxy) -> Option<Arc<Tx>> {
        let after = match proxy {
            SeqProxy::Sequence(sequence) => SeqProxy::Sequence(sequence.checked_add(1)?),
            SeqProxy::Ticket(_) => return None,
        };
        let from = (account, after, TxHash([0; 32]));
        let to = (account, after, TxHash([0xFF; 32]));
        let key = *self.held.range(from..=to).next()?.0;
        self.held.remove(&key)
    }

    /// Everything held, in order; nothing is held afterwards.
    pub(crate) fn take_held(&mut self) -> Vec<Arc<Tx>> {
        std::mem::take(&mut self.held).into_values().collect()
    }
}

fn can_still_apply(tx: &Tx, view: &dyn Read) -> bool {
    let Some(account) = view.account(tx.account) else {
        return true;
    };
    match tx.proxy() {
        SeqProxy::Sequence(sequence) => sequence >= account.sequence,
        SeqProxy::Ticket(number) if number >= account.sequence => true,
        SeqProxy::Ticket(number) => view.ticket(tx.account, number).is_some(),
    }
}
