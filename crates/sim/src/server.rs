//! A model server: what it holds of the chain, how it behaves, how it lies.
//!
//! It announces a validated ledger long before it holds those in between, forgets its history when it
//! restarts, runs what was sent to it while it was frozen, and may say what is not so. Its lies are fixed
//! by its seed: asked twice it lies alike, and two liars lie differently unless they share a seed.

use crate::chain::{Chain, FIRST, Ledger};
use crate::prng::mix;
use crate::tx::{Tx, digest};
use std::collections::BTreeSet;
use xrpayd_core::ids::{LedgerHash, LedgerIndex};
use xrpayd_core::journal::{Delivered, Entry, RootAfter};

/// Ledgers of missing history that a server fetches while one ledger closes.
const BACKFILL: u32 = 2;

/// What a lying server lies about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lie {
    /// Some transactions are not there.
    Absent,
    /// Successes are failures, and the other way round.
    Result,
    /// Ledger hashes are others.
    Forged,
    /// The account's sequence is another.
    Root,
    /// Some tickets do not stand, and others do.
    Tickets,
    /// The newest validated ledger is far ahead.
    Tip,
    /// Submissions are answered with any code, and go nowhere.
    Submit,
}

/// Every lie.
pub const LIES: [Lie; 7] = [
    Lie::Absent,
    Lie::Result,
    Lie::Forged,
    Lie::Root,
    Lie::Tickets,
    Lie::Tip,
    Lie::Submit,
];

/// What a liar answers to submissions.
const FALSE_ANSWERS: [&str; 9] = [
    "tesSUCCESS",
    "tefPAST_SEQ",
    "tefMAX_LEDGER",
    "temMALFORMED",
    "terPRE_SEQ",
    "tecNO_DST",
    "telCAN_NOT_QUEUE",
    "tefBAD_AUTH",
    "terNO_ACCOUNT",
];

/// A server of the network.
#[derive(Debug, Clone)]
pub struct Server {
    /// Whether it is there at all.
    pub up: bool,
    /// Stopped: what reaches it waits until it goes on.
    pub frozen: bool,
    /// Cut off from the other servers, not from us.
    pub cut: bool,
    /// Proven wrong, and not listened to any more.
    pub convicted: bool,
    /// What it lies about.
    pub lie: Option<Lie>,
    /// Ledgers that it is behind the others.
    pub lag: u32,
    /// The newest validated ledger that it announces.
    pub told: u32,
    /// The contiguous run of ledgers that it holds.
    pub held: (u32, u32),
    seed: u64,
}

/// What a server says of the account's transactions in a range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageClaim {
    /// The first ledger it covers.
    pub from: u32,
    /// The last.
    pub to: u32,
    /// The hash of the last.
    pub to_hash: LedgerHash,
    /// The transactions.
    pub entries: Vec<Entry>,
}

/// What a server says of the account after a ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootClaim {
    /// The account root.
    pub root: RootAfter,
    /// The tickets that stand.
    pub tickets: BTreeSet<u32>,
    /// The hash of the ledger.
    pub hash: LedgerHash,
}

impl Server {
    /// A server that has been there from the first ledger on.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self {
            up: true,
            frozen: false,
            cut: false,
            convicted: false,
            lie: None,
            lag: 0,
            told: FIRST,
            held: (FIRST, FIRST),
            seed,
        }
    }

    /// Whether it tells us anything now.
    #[must_use]
    pub const fn is_heard(&self) -> bool {
        self.up && !self.frozen && !self.convicted
    }

    /// The newest validated ledger by its word.
    #[must_use]
    pub const fn word(&self) -> u32 {
        match self.lie {
            Some(Lie::Tip) => self.told.saturating_add(50),
            _ => self.told,
        }
    }

    /// Whether it says that it holds all of a range.
    #[must_use]
    pub const fn holds(&self, from: u32, to: u32) -> bool {
        self.held.0 <= from && to <= self.held.1
    }

    /// It hears of what was validated: the newest at once, the ledgers before it as it gets them.
    pub fn hear(&mut self, last: u32) {
        if !self.up || self.frozen || self.cut {
            return;
        }
        let known = self.told;
        self.told = last.saturating_sub(self.lag).max(known);
        self.held.1 = if self.held.1 == known && self.told <= known.saturating_add(1) {
            self.told
        } else {
            self.told.min(self.held.1.saturating_add(BACKFILL))
        };
        self.held.0 = self.held.0.saturating_sub(BACKFILL).max(FIRST);
    }

    /// It starts anew: it announces the newest ledger, and what it held before is gone where it forgets.
    pub const fn restart(&mut self, last: u32, forgets: bool) {
        self.up = true;
        self.told = last;
        if forgets {
            self.held = (last, last);
        }
    }

    /// It has caught up with everything.
    pub const fn catch_up(&mut self, last: u32) {
        *self = Self {
            told: last,
            held: (FIRST, last),
            ..Self::new(self.seed)
        };
    }

    /// What it says of a range, or as much of it as it holds.
    #[must_use]
    pub fn page(&self, chain: &Chain, from: u32, to: u32) -> Option<PageClaim> {
        let (from, to) = (from.max(self.held.0), to.min(self.held.1));
        if from > to {
            return None;
        }
        let mut entries = Vec::new();
        for index in from..=to {
            let ledger = chain.ledger(index)?;
            entries.extend(ledger.entries.iter().filter_map(|entry| self.tell(entry)));
        }
        Some(PageClaim {
            from,
            to,
            to_hash: self.hash(chain.ledger(to)?, to),
            entries,
        })
    }

    /// What it says of the account after a ledger.
    #[must_use]
    pub fn root(&self, chain: &Chain, at: u32) -> Option<RootClaim> {
        if !self.holds(at, at) {
            return None;
        }
        let ledger = chain.ledger(at)?;
        let mut root = ledger.root;
        if self.lie == Some(Lie::Root) {
            root.sequence = match self.draw(u64::from(at)) % 3 {
                0 => root.sequence.saturating_add(1),
                1 => root.sequence.saturating_sub(2),
                _ => root.sequence,
            };
        }
        let mut tickets = ledger.tickets.clone();
        if self.lie == Some(Lie::Tickets) {
            let drawn = u32::try_from(self.draw(u64::from(at)) % 64).unwrap_or_default();
            tickets.retain(|ticket| ticket % 2 == drawn % 2);
            tickets.insert(root.sequence.saturating_sub(1 + drawn));
        }
        Some(RootClaim {
            root,
            tickets,
            hash: self.hash(ledger, at),
        })
    }

    /// What it answers to a submission, by the network's state, and whether it passes it on.
    #[must_use]
    pub fn submit(&self, chain: &Chain, tx: &Tx) -> (&'static str, bool) {
        if self.lie == Some(Lie::Submit) {
            let drawn = self.draw(tx.fee.wrapping_add(u64::from(tx.last_ledger)));
            let at = usize::try_from(drawn % 9).unwrap_or_default();
            return (FALSE_ANSWERS.get(at).unwrap_or(&"tesSUCCESS"), false);
        }
        let open = self.told.saturating_add(1);
        (chain.answer(tx, open), !self.cut)
    }

    fn tell(&self, entry: &Entry) -> Option<Entry> {
        let mut entry = entry.clone();
        let drawn = self.draw(u64::from(entry.hash.0[0]) << 8 | u64::from(entry.hash.0[1]));
        match self.lie {
            Some(Lie::Absent) if drawn.is_multiple_of(2) => return None,
            Some(Lie::Result) if drawn.is_multiple_of(2) => {
                if entry.result == "tesSUCCESS" {
                    entry.result = "tecPATH_DRY".to_owned();
                    entry.delivered = Delivered::Nothing;
                } else {
                    entry.result = "tesSUCCESS".to_owned();
                    entry.delivered = Delivered::Xrp(entry.fee);
                }
            }
            Some(Lie::Forged) => entry.ledger_hash = self.forge(entry.ledger_index),
            _ => {}
        }
        Some(entry)
    }

    fn hash(&self, ledger: &Ledger, index: u32) -> LedgerHash {
        match self.lie {
            Some(Lie::Forged) => self.forge(LedgerIndex(index)),
            _ => ledger.hash,
        }
    }

    fn forge(&self, index: LedgerIndex) -> LedgerHash {
        LedgerHash(digest(&self.seed.to_be_bytes(), u64::from(index.0)))
    }

    const fn draw(&self, of: u64) -> u64 {
        mix(self.seed ^ mix(of))
    }
}

#[cfg(test)]
#[path = "server/tests.rs"]
mod tests;
