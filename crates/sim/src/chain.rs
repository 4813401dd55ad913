//! What really happens: the chain of validated ledgers, and what waits to enter it.
//!
//! Consensus takes what has reached the network, in the order of sequences, as long as there is room and
//! the fee suffices; what is late is held, what is out of date is dropped. A validated ledger never
//! changes. No fault of a server touches it, and the auditor reads it and nothing else of the network.

use crate::prng::{Prng, mix};
use crate::tx::{Body, Tx, digest, hash_of};
use std::collections::{BTreeMap, BTreeSet};
use xrpayd_core::address::AccountId;
use xrpayd_core::ids::{Hash256, LedgerHash, LedgerIndex, TxHash};
use xrpayd_core::journal::{Delivered, Effects, Entry, RootAfter, TICKET_CREATE};
use xrpayd_core::money::Drops;
use xrpayd_core::payment::Slot;

/// The wallet's account.
pub const OURS: AccountId = AccountId([1; 20]);
/// Somebody who pays us.
const THEIRS: AccountId = AccountId([2; 20]);
/// The first ledger of the world.
pub const FIRST: u32 = 1_000;
/// The sequence that the account was created with.
pub const FIRST_SEQUENCE: u32 = 900;
/// The reserve of the account, in drops.
pub const RESERVE: u64 = 1_000_000;
/// What each object that the account owns adds to it.
pub const OWNED: u64 = 200_000;
/// The fee of an idle network.
pub const BASE_FEE: u64 = 10;
/// Transactions of one account that the network's queue holds.
const QUEUE_MAX: usize = 40;
/// Closes after which a transaction that cannot enter is forgotten by the servers that hold it.
const HELD_CLOSES_MAX: u32 = 12;

/// How a destination takes a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taker {
    /// Takes everything.
    Plain,
    /// Refuses what bears no tag.
    NeedsTag,
    /// Does not exist: only a payment of the reserve creates it.
    Unfunded,
    /// Refuses strangers once it has been closed, which nobody can see before.
    Fickle,
    /// No server takes a transaction to it: malformed.
    Malformed,
}

/// Every kind of destination.
pub const TAKERS: [Taker; 5] = [
    Taker::Plain,
    Taker::NeedsTag,
    Taker::Unfunded,
    Taker::Fickle,
    Taker::Malformed,
];

/// The account of a destination of that kind.
#[must_use]
pub const fn account_of(taker: Taker, n: u8) -> AccountId {
    let mut id = [9; 20];
    id[0] = match taker {
        Taker::Plain => 10,
        Taker::NeedsTag => 11,
        Taker::Unfunded => 12,
        Taker::Fickle => 13,
        Taker::Malformed => 14,
    };
    id[1] = n;
    AccountId(id)
}

/// How the owner of an account takes payments.
#[must_use]
pub const fn taker_of(account: AccountId) -> Taker {
    match account.0[0] {
        11 => Taker::NeedsTag,
        12 => Taker::Unfunded,
        13 => Taker::Fickle,
        14 => Taker::Malformed,
        _ => Taker::Plain,
    }
}

/// One validated ledger, as far as our account goes.
#[derive(Debug, Clone)]
pub struct Ledger {
    /// Its hash.
    pub hash: LedgerHash,
    /// The transactions that touched the account.
    pub entries: Vec<Entry>,
    /// The account root after it.
    pub root: RootAfter,
    /// The account's tickets after it.
    pub tickets: BTreeSet<u32>,
}

/// A transaction that has reached the network.
#[derive(Debug, Clone)]
struct Waiting {
    hash: TxHash,
    tx: Tx,
    closes: u32,
}

/// The chain and what waits to enter it.
#[derive(Debug, Clone)]
pub struct Chain {
    ledgers: Vec<Ledger>,
    waiting: Vec<Waiting>,
    root: RootAfter,
    tickets: BTreeSet<u32>,
    /// What gets a transaction into the next ledger.
    pub price: u64,
    /// Transactions of the account that a ledger holds.
    pub capacity: usize,
    /// In a thousand, how many transactions that could enter a ledger wait for a later one.
    pub held: u32,
    strangers: u32,
    income: income::Income,
}

impl Chain {
    /// A chain whose account owns `balance` drops and never sent anything.
    #[must_use]
    pub fn new(balance: u64) -> Self {
        let root = RootAfter {
            balance: drops(balance),
            sequence: FIRST_SEQUENCE,
            owner_count: 0,
        };
        let first = Ledger {
            hash: hash_at(FIRST),
            entries: Vec::new(),
            root,
            tickets: BTreeSet::new(),
        };
        Self {
            ledgers: vec![first],
            waiting: Vec::new(),
            root,
            tickets: BTreeSet::new(),
            price: BASE_FEE,
            capacity: 30,
            held: 0,
            strangers: 0,
            income: income::Income::default(),
        }
    }

    /// The newest validated ledger.
    #[must_use]
    pub fn last(&self) -> u32 {
        let closed = u32::try_from(self.ledgers.len()).unwrap_or(u32::MAX);
        FIRST.saturating_add(closed).saturating_sub(1)
    }

    /// A validated ledger.
    #[must_use]
    pub fn ledger(&self, index: u32) -> Option<&Ledger> {
        let at = index.checked_sub(FIRST)?;
        self.ledgers.get(usize::try_from(at).ok()?)
    }

    /// A transaction has reached the network.
    pub fn take(&mut self, tx: Tx) {
        let hash = hash_of(&tx.encode());
        let is_there = self.waiting.iter().any(|waiting| waiting.hash == hash);
        if is_there || is_malformed(&tx) {
            return;
        }
        if self.waiting.len() >= QUEUE_MAX {
            let cheapest = self.waiting.iter().enumerate();
            let Some((at, fee)) = cheapest
                .map(|(at, waiting)| (at, waiting.tx.fee))
                .min_by_key(|(_, fee)| *fee)
            else {
                return;
            };
            if fee >= tx.fee {
                return;
            }
            self.waiting.swap_remove(at);
        }
        self.waiting.push(Waiting {
            hash,
            tx,
            closes: 0,
        });
    }

    /// Whether that many of a thousand transactions on their way are lost, drawn for each.
    pub fn lose(&mut self, permille: u32, chance: &mut Prng) {
        self.waiting.retain(|_| !chance.chance(permille));
    }

    /// A person uses the key: on the next sequence, whoever else wants it, to do nothing of ours or to
    /// make tickets, or on a ticket where one stands.
    pub fn intrude(&mut self, chance: &mut Prng) {
        self.strangers += 1;
        let next = Slot::Sequence(self.root.sequence);
        let ticket = self.tickets.first().copied().map_or(next, Slot::Ticket);
        let (slot, body) = match chance.below(4) {
            0 => (next, Body::MakeTickets(2)),
            1 => (next, Body::Stranger(self.strangers)),
            _ => (ticket, Body::Stranger(self.strangers)),
        };
        self.take(Tx {
            slot,
            fee: self.price.max(BASE_FEE),
            last_ledger: u32::MAX,
            body,
        });
    }

    /// What an honest server whose open ledger is `open` answers to a submission.
    #[must_use]
    pub fn answer(&self, tx: &Tx, open: u32) -> &'static str {
        if is_malformed(tx) {
            return "temREDUNDANT";
        }
        let sequence = match tx.slot {
            Slot::Sequence(sequence) => sequence,
            Slot::Ticket(ticket) => return self.answer_by_ticket(tx, ticket, open),
        };
        let mut next = self.root.sequence;
        let waiting: BTreeMap<u32, u64> = self.waiting.iter().filter_map(sequenced).collect();
        while let Some(fee) = waiting.get(&next)
            && *fee >= self.price
        {
            next += 1;
        }
        if sequence < next {
            "tefPAST_SEQ"
        } else if open > tx.last_ledger {
            "tefMAX_LEDGER"
        } else if sequence > next {
            "terPRE_SEQ"
        } else if tx.fee < self.price {
            match self.waiting.len() {
                0..10 => "terQUEUED",
                10..30 => "telCAN_NOT_QUEUE_FULL",
                _ => "telINSUF_FEE_P",
            }
        } else {
            self.result(tx, false)
        }
    }

    /// The result of applying it to the newest ledger; `in_earnest`, as a validated ledger has it.
    fn result(&self, tx: &Tx, in_earnest: bool) -> &'static str {
        let left = self.root.balance.get().saturating_sub(tx.fee);
        let (to, tag, amount) = match tx.body {
            Body::Pay {
                to, tag, amount, ..
            } => (to, tag, amount),
            Body::MakeTickets(count) => return self.result_of_making(count, left),
            Body::Noop | Body::Stranger(_) => return "tesSUCCESS",
        };
        match taker_of(to) {
            Taker::NeedsTag if tag.is_none() => "tecDST_TAG_NEEDED",
            Taker::Unfunded if amount < RESERVE => "tecNO_DST_INSUF_XRP",
            Taker::Fickle if in_earnest => "tecNO_PERMISSION",
            _ if left < amount.saturating_add(self.reserve()) => "tecUNFUNDED_PAYMENT",
            _ => "tesSUCCESS",
        }
    }

    /// Closes and validates the next ledger; the transactions of the account in it.
    pub fn close(&mut self, chance: &mut Prng, deposit: Option<u64>) -> &[Entry] {
        let index = self.last().saturating_add(1);
        let mut entries = Vec::new();
        if let Some(amount) = deposit {
            let place = place_of(&entries);
            entries.push(self.brought(index, place, amount));
        }
        chance.shuffle(&mut self.waiting);
        self.waiting.sort_by_key(|waiting| waiting.tx.slot);
        let mut kept = Vec::with_capacity(self.waiting.len());
        for mut waiting in std::mem::take(&mut self.waiting) {
            let next = Slot::Sequence(self.root.sequence);
            let burnt = waiting.tx.fee.max(BASE_FEE);
            let is_stale = self.is_used_up(waiting.tx.slot) || waiting.tx.last_ledger < index;
            waiting.closes += 1;
            if is_stale || waiting.closes > HELD_CLOSES_MAX {
                continue;
            }
            let is_next = match waiting.tx.slot {
                Slot::Sequence(_) => waiting.tx.slot == next,
                Slot::Ticket(ticket) => self.tickets.contains(&ticket),
            };
            let may_enter = is_next
                && waiting.tx.fee >= self.price
                && entries.len() < self.capacity
                && burnt <= self.root.balance.get()
                && !chance.chance(self.held);
            if may_enter {
                let place = place_of(&entries);
                entries.push(self.apply(index, place, &waiting));
            } else {
                kept.push(waiting);
            }
        }
        let root = self.root;
        kept.retain(|waiting| !self.is_used_up(waiting.tx.slot));
        self.waiting = kept;
        self.ledgers.push(Ledger {
            hash: hash_at(index),
            entries,
            root,
            tickets: self.tickets.clone(),
        });
        self.ledgers.last().map_or(&[], |ledger| &ledger.entries)
    }

    fn apply(&mut self, index: u32, place: u32, waiting: &Waiting) -> Entry {
        let tx = &waiting.tx;
        let result = self.result(tx, true);
        let (mut spent, mut made) = (tx.fee, 0);
        let mut entry = self.blank(index, place, waiting.hash);
        entry.slot = tx.slot;
        entry.fee = drops(tx.fee);
        entry.result = result.to_owned();
        match tx.body {
            Body::Pay {
                to,
                tag,
                amount,
                marker,
            } => {
                entry.transaction_type = "Payment".to_owned();
                entry.destination = Some(to);
                entry.destination_tag = tag;
                entry.invoice_id = Some(marker);
                entry.marker = Some(marker);
                if result == "tesSUCCESS" {
                    spent += amount;
                    entry.delivered = Delivered::Xrp(drops(amount));
                }
            }
            Body::MakeTickets(count) => {
                entry.transaction_type = TICKET_CREATE.to_owned();
                made = if result == "tesSUCCESS" { count } else { 0 };
            }
            Body::Noop | Body::Stranger(_) => {}
        }
        let balance_before = Some(self.root.balance);
        self.root.balance = self.root.balance.saturating_sub(drops(spent));
        self.take_slot(tx.slot, made);
        entry.root_after = Some(self.root);
        entry.effects = Some(Effects {
            balance_before,
            ..Effects::default()
        });
        entry
    }

    /// An entry of our account in which nothing is said yet.
    fn blank(&self, index: u32, tx_index: u32, hash: TxHash) -> Entry {
        Entry {
            hash,
            ledger_index: LedgerIndex(index),
            ledger_hash: hash_at(index),
            tx_index,
            result: String::new(),
            transaction_type: "AccountSet".to_owned(),
            sender: OURS,
            slot: Slot::Sequence(self.root.sequence),
            fee: drops(BASE_FEE),
            destination: None,
            destination_tag: None,
            source_tag: None,
            delivered: Delivered::Nothing,
            invoice_id: None,
            marker: None,
            effects: None,
            closed_at: None,
            root_after: None,
        }
    }
}

/// An amount, held at the most there is.
#[must_use]
pub fn drops(amount: u64) -> Drops {
    Drops::new(amount).unwrap_or(Drops::MAX)
}

/// The marker of an intent.
#[must_use]
pub fn marker_of(client: &str, key: &str) -> Hash256 {
    let mut bytes = client.as_bytes().to_vec();
    bytes.push(0);
    bytes.extend(key.as_bytes());
    Hash256(digest(&bytes, 3))
}

fn hash_at(index: u32) -> LedgerHash {
    LedgerHash(digest(&mix(u64::from(index)).to_be_bytes(), 2))
}

fn place_of(entries: &[Entry]) -> u32 {
    u32::try_from(entries.len()).unwrap_or(u32::MAX)
}

fn sequenced(waiting: &Waiting) -> Option<(u32, u64)> {
    match waiting.tx.slot {
        Slot::Sequence(sequence) => Some((sequence, waiting.tx.fee)),
        Slot::Ticket(_) => None,
    }
}

fn is_malformed(tx: &Tx) -> bool {
    matches!(tx.body, Body::Pay { to, .. } if taker_of(to) == Taker::Malformed)
}

mod income;
mod tickets;

#[cfg(test)]
#[path = "chain/tests.rs"]
mod tests;
