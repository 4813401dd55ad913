//! The chain of validated ledgers and what is found in it: the newest state, recent older states, every
//! retained transaction by its hash and by the accounts it touched.
//!
//! Owns all of history. Transactions are kept as bytes and turned into JSON on demand. `retain` bounds
//! how many ledgers are kept; states are reconstructed backwards for the last ones only.

use super::codes::Ter;
use super::entry::{Account, Entry, Key};
use super::state::{BookRoot, Overlay, Read, State};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use xrpayd_codec::sha512_half;
use xrpayd_codec::tree;
use xrpayd_core::address::AccountId;
use xrpayd_core::ids::TxHash;

/// Ledgers whose state can be read at least, unless fewer are kept at all.
const STATES_MIN: usize = 512;
/// Ledgers whose state can be read at most, however far a server is behind.
const STATES_MAX: usize = 8_192;
/// All the XRP there is when a ledger begins.
pub(crate) const GENESIS_DROPS: u64 = 100_000_000_000_000_000;
/// The account that owns everything at first.
pub(crate) const GENESIS_PASSPHRASE: &str = "masterpassphrase";
/// The first ledger that anyone sees.
pub(crate) const FIRST_INDEX: u32 = 2;

/// A closed ledger's header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) index: u32,
    pub(crate) hash: [u8; 32],
    pub(crate) parent_hash: [u8; 32],
    pub(crate) transaction_hash: [u8; 32],
    pub(crate) account_hash: [u8; 32],
    pub(crate) total_drops: u64,
    pub(crate) parent_close_time: u32,
    pub(crate) close_time: u32,
    /// Bit 1: the server that closed it agreed with nobody on the time.
    pub(crate) close_flags: u8,
}

impl Header {
    /// The header as the ledger serialises it.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(118);
        out.extend(self.index.to_be_bytes());
        out.extend(self.total_drops.to_be_bytes());
        out.extend(self.parent_hash);
        out.extend(self.transaction_hash);
        out.extend(self.account_hash);
        out.extend(self.parent_close_time.to_be_bytes());
        out.extend(self.close_time.to_be_bytes());
        out.push(u8::try_from(super::close::CLOSE_RESOLUTION_S).unwrap_or_default());
        out.push(self.close_flags);
        out
    }

    /// The ledger's hash, over the header.
    pub(crate) fn compute_hash(&self) -> [u8; 32] {
        tree::ledger_hash(&self.to_bytes())
    }
}

/// A transaction in a closed ledger.
#[derive(Debug)]
pub(crate) struct Applied {
    pub(crate) hash: TxHash,
    pub(crate) blob: Box<[u8]>,
    pub(crate) meta: Box<[u8]>,
    pub(crate) accounts: Box<[AccountId]>,
    pub(crate) result: Ter,
    pub(crate) fee: u64,
}

/// A closed ledger with its transactions in the order in which they applied.
#[derive(Debug)]
pub(crate) struct Ledger {
    pub(crate) header: Header,
    pub(crate) txs: Vec<Applied>,
    /// The median fee level of its transactions; zero for none, and for a ledger read back from a log.
    pub(crate) median_level: u64,
}

/// Where a transaction stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) ledger: u32,
    pub(crate) position: u32,
}

/// The chain.
#[derive(Debug, Clone)]
pub(crate) struct Chain {
    /// The state after the newest ledger.
    pub(crate) state: State,
    ledgers: VecDeque<Arc<Ledger>>,
    /// What each of the newest ledgers replaced, newest last.
    undo: VecDeque<Overlay>,
    by_hash: HashMap<TxHash, Place>,
    by_account: HashMap<AccountId, VecDeque<Place>>,
    by_ledger_hash: HashMap<[u8; 32], u32>,
    /// How many ledgers are kept, where that is bounded.
    retain: Option<usize>,
    /// How far the slowest server is behind: what it stands on is kept, bounded history or not.
    behind: usize,
}

impl Chain {
    /// A chain that begins as a standalone server does.
    pub(crate) fn genesis(
        genesis: AccountId,
        close_time: u32,
        salt: [u8; 32],
        retain: Option<u32>,
    ) -> Self {
        let mut root = Account::new(genesis, 1);
        root.balance = GENESIS_DROPS;
        let mut header = Header {
            index: FIRST_INDEX,
            hash: [0; 32],
            parent_hash: salt,
            transaction_hash: [0; 32],
            account_hash: sha512_half(&[b"MLN\0", &genesis.0]),
            total_drops: GENESIS_DROPS,
            parent_close_time: 0,
            close_time,
            close_flags: 0,
        };
        header.hash = header.compute_hash();
        let mut chain = Self::empty(retain);
        chain
            .state
            .put(Key::Account(genesis), Some(Entry::Account(root)));
        chain.push(Arc::new(Ledger {
            header,
            txs: Vec::new(),
            median_level: 0,
        }));
        chain
    }

    /// A chain of no ledgers, to be filled from a log.
    pub(crate) fn empty(retain: Option<u32>) -> Self {
        Self {
            state: State::default(),
            ledgers: VecDeque::new(),
            undo: VecDeque::new(),
            by_hash: HashMap::new(),
            by_account: HashMap::new(),
            by_ledger_hash: HashMap::new(),
            retain: retain.map(|count| usize::try_from(count.max(1)).unwrap_or(usize::MAX)),
            behind: 0,
        }
    }

    /// Whether it holds no ledger.
    pub(crate) fn is_empty(&self) -> bool {
        self.ledgers.is_empty()
    }

    /// The newest ledger.
    ///
    /// A chain has at least one ledger from the moment anyone can ask.
    pub(crate) fn tip(&self) -> &Arc<Ledger> {
        assert!(!self.ledgers.is_empty(), "a chain that is asked has begun");
        &self.ledgers[self.ledgers.len() - 1]
    }

    /// The oldest retained index.
    pub(crate) fn first_index(&self) -> u32 {
        self.ledgers.front().map_or(0, |ledger| ledger.header.index)
    }

    /// The ledger with this index, if it is retained.
    pub(crate) fn ledger(&self, index: u32) -> Option<&Arc<Ledger>> {
        let offset = index.checked_sub(self.first_index())?;
        self.ledgers.get(usize::try_from(offset).ok()?)
    }

    /// The index of the retained ledger with this hash.
    pub(crate) fn index_of(&self, hash: &[u8; 32]) -> Option<u32> {
        self.by_ledger_hash.get(hash).copied()
    }

    /// Where a transaction stands.
    pub(crate) fn place(&self, hash: TxHash) -> Option<Place> {
        self.by_hash.get(&hash).copied()
    }

    /// The transaction at a place.
    pub(crate) fn at(&self, place: Place) -> Option<(&Arc<Ledger>, &Applied)> {
        let ledger = self.ledger(place.ledger)?;
        let position = usize::try_from(place.position).ok()?;
        ledger.txs.get(position).map(|tx| (ledger, tx))
    }

    /// Where the transactions of an account stand, oldest first.
    pub(crate) fn history(&self, account: AccountId) -> Option<&VecDeque<Place>> {
        self.by_account.get(&account)
    }

    /// Every retained ledger, oldest first.
    pub(crate) fn ledgers(&self) -> impl Iterator<Item = &Arc<Ledger>> {
        self.ledgers.iter()
    }

    /// Appends a ledger and takes its changes into the state.
    ///
    /// States from `needed` on stay readable, as far as memory allows.
    pub(crate) fn commit(&mut self, ledger: Arc<Ledger>, overlay: Overlay, needed: u32) {
        let mut undo = Overlay::with_capacity(overlay.changed.len());
        for (key, entry) in overlay.changed {
            undo.put(key, self.state.put(key, entry));
        }
        self.undo.push_back(undo);
        let behind = ledger.header.index.saturating_sub(needed);
        self.behind = usize::try_from(behind).map_or(STATES_MAX, |behind| behind.min(STATES_MAX));
        let least = self
            .retain
            .map_or(STATES_MIN, |count| count.min(STATES_MIN));
        let keep = self.behind.max(least);
        while self.undo.len() > keep {
            self.undo.pop_front();
        }
        self.push(ledger);
    }

    /// Appends a ledger whose changes the state already has.
    pub(crate) fn push(&mut self, ledger: Arc<Ledger>) {
        let index = ledger.header.index;
        for (position, tx) in (0..).zip(&ledger.txs) {
            let place = Place {
                ledger: index,
                position,
            };
            self.by_hash.insert(tx.hash, place);
            for account in &tx.accounts {
                self.by_account
                    .entry(*account)
                    .or_default()
                    .push_back(place);
            }
        }
        self.by_ledger_hash.insert(ledger.header.hash, index);
        self.ledgers.push_back(ledger);
        let kept = self.retain.map(|count| count.max(self.behind + 1));
        while kept.is_some_and(|count| self.ledgers.len() > count) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        let Some(ledger) = self.ledgers.pop_front() else {
            return;
        };
        self.by_ledger_hash.remove(&ledger.header.hash);
        for tx in &ledger.txs {
            self.by_hash.remove(&tx.hash);
            for account in &tx.accounts {
                let Some(places) = self.by_account.get_mut(account) else {
                    continue;
                };
                while places
                    .front()
                    .is_some_and(|place| place.ledger <= ledger.header.index)
                {
                    places.pop_front();
                }
                if places.is_empty() {
                    self.by_account.remove(account);
                }
            }
        }
    }

    /// A chain of its own that ends at the ledger `index` and may grow otherwise; `None` where the state
    /// at that ledger cannot be read any more.
    pub(crate) fn branch_at(&self, index: u32) -> Option<Self> {
        self.state_at(index)?;
        let mut branch = self.clone();
        while branch.tip().header.index > index {
            branch.take_back_newest();
        }
        Some(branch)
    }

    fn take_back_newest(&mut self) {
        for (key, before) in self.undo.pop_back().unwrap_or_default().changed {
            self.state.put(key, before);
        }
        let Some(ledger) = self.ledgers.pop_back() else {
            return;
        };
        self.by_ledger_hash.remove(&ledger.header.hash);
        for tx in &ledger.txs {
            self.by_hash.remove(&tx.hash);
            for account in &tx.accounts {
                if let Some(places) = self.by_account.get_mut(account) {
                    while places
                        .back()
                        .is_some_and(|place| place.ledger >= ledger.header.index)
                    {
                        places.pop_back();
                    }
                }
            }
        }
    }

    /// Every key of the states that can be read, by its index.
    pub(crate) fn by_index(&self) -> &BTreeMap<[u8; 32], Key> {
        self.state.by_index(
            self.undo
                .iter()
                .flat_map(|replaced| replaced.changed.keys().copied()),
        )
    }

    /// The key that stands, or stood not long ago, under an index.
    pub(crate) fn key_at(&self, index: &[u8; 32]) -> Option<Key> {
        self.by_index().get(index).copied()
    }

    /// The oldest ledger whose state can still be read.
    pub(crate) fn oldest_state(&self) -> u32 {
        let kept = u32::try_from(self.undo.len()).unwrap_or(u32::MAX);
        self.tip().header.index.saturating_sub(kept)
    }

    /// The state after the ledger `index`, if it can still be read.
    pub(crate) fn state_at(&self, index: u32) -> Option<StateAt<'_>> {
        let back = usize::try_from(self.tip().header.index.checked_sub(index)?).ok()?;
        (back <= self.undo.len()).then_some(StateAt { chain: self, back })
    }
}

/// The state after one of the newest ledgers.
#[derive(Clone, Copy)]
pub(crate) struct StateAt<'a> {
    chain: &'a Chain,
    back: usize,
}

impl Read for StateAt<'_> {
    fn entry(&self, key: &Key) -> Option<Entry> {
        let undo = &self.chain.undo;
        let newer = undo.range(undo.len() - self.back..);
        for replaced in newer {
            if let Some(before) = replaced.changed.get(key) {
                return before.clone();
            }
        }
        self.chain.state.entry(key)
    }

    fn book_named_after(&self, after: &BookRoot) -> Option<BookRoot> {
        let undo = &self.chain.undo;
        let newer = undo.range(undo.len() - self.back..);
        newer
            .filter_map(|replaced| replaced.own_book_after(after))
            .chain(self.chain.state.book_named_after(after))
            .min()
    }
}
