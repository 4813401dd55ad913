//! The past of an account, read from a chosen ledger up to where its journal began: what a stretch of
//! it proves, and whether all of it ends where the journal begins.
//!
//! Pure. Servers may hold the transactions of an old ledger and not its state, so nothing is asked of
//! the state there. What the account had is told by the metadata: a transaction that changes an account
//! root shows the root before it and after it. Each root has to be the one that the transaction before
//! left, so a transaction that is missing is found at the next one; the last has to be the root that
//! enough servers agreed on where the journal begins. What does not fit is a [`Broken`] and never a guess.

use crate::address::AccountId;
use crate::ids::{LedgerHash, LedgerIndex, TxHash};
use crate::journal::{Delivered, Entry, Page, RootAfter};
use crate::money::Drops;
use crate::payment::Slot;
use std::fmt;

/// The type of the transaction that ends an account.
const ACCOUNT_DELETE: &str = "AccountDelete";
/// The result of a transaction that did what it asked.
const SUCCESS: &str = "tesSUCCESS";

/// What the account has at one place of its past.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Nothing that was read so far tells.
    Untold,
    /// It does not exist.
    Absent,
    /// It has this root.
    Has(RootAfter),
}

/// Where the past has to arrive: the ledger right before the journal, as enough servers agreed on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Goal {
    /// The ledger.
    pub at: LedgerIndex,
    /// Its hash.
    pub hash: LedgerHash,
    /// The account's root there.
    pub root: RootAfter,
}

/// How far the past has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reached {
    /// The last ledger that was read.
    pub at: LedgerIndex,
    /// What the account has there.
    pub standing: Standing,
    /// The balance before the first ledger; `None` while nothing told it.
    pub opening: Option<Drops>,
    /// How many transactions were read.
    pub entries: u64,
}

impl Reached {
    /// Nothing has been read yet of what begins with ledger `start`.
    #[must_use]
    pub const fn before(start: LedgerIndex) -> Self {
        Self {
            at: LedgerIndex(start.0.saturating_sub(1)),
            standing: Standing::Untold,
            opening: None,
            entries: 0,
        }
    }
}

/// What a transaction says that the account had before it, where it changed the account root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// It made the account.
    Nothing,
    /// The root was this.
    Root(RootAfter),
}

/// A stretch of the past that enough servers agree on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretch {
    /// Its transactions, each with the root after it.
    pub page: Page,
    /// For each of them the root before it, where it changed.
    pub befores: Vec<Option<Before>>,
}

/// A stretch that fits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advanced {
    /// How far the past has been read with it.
    pub reached: Reached,
    /// The balance before it, where anything tells it yet.
    pub balance_before: Option<Drops>,
    /// What each of its transactions moved the balance by, in drops.
    pub changes: Vec<i64>,
}

/// Why a stretch, or the past as a whole, proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// It does not begin where the past ends, or goes beyond where it has to arrive.
    #[error(
        "the past has been read through ledger {at}, and a stretch of {from} to {to} does not follow"
    )]
    OutOfTurn {
        /// The last ledger that was read.
        at: LedgerIndex,
        /// The stretch's first ledger.
        from: LedgerIndex,
        /// Its last one.
        to: LedgerIndex,
    },
    /// An entry lies outside the stretch, or out of order, or twice.
    #[error("transaction {0} is out of place")]
    OutOfPlace(TxHash),
    /// The transaction that ended the account does not tell what it had.
    #[error("transaction {0} ended the account and does not tell what it had")]
    Untellable(TxHash),
    /// What a transaction found is not what the one before it left: one is missing, or one is false.
    #[error(
        "transaction {hash} in ledger {ledger} found the account with {found}, and what was read before it leaves {left}"
    )]
    Unlinked {
        /// The transaction.
        hash: TxHash,
        /// Its ledger.
        ledger: LedgerIndex,
        /// What it found.
        found: Standing,
        /// What was left.
        left: Standing,
    },
    /// The past does not end where the journal begins.
    #[error("the past ends with {left} in ledger {at}, and the account has {has} there")]
    OtherEnd {
        /// The ledger.
        at: LedgerIndex,
        /// What the past leaves.
        left: Standing,
        /// What enough servers agreed on when the journal began.
        has: Standing,
    },
    /// The past is of another chain than the journal.
    #[error(
        "ledger {at} has the hash {told}, and had {known} when the journal began: it is another chain"
    )]
    OtherChain {
        /// The ledger.
        at: LedgerIndex,
        /// Its hash as the journal knows it.
        known: LedgerHash,
        /// Its hash as the servers tell it now.
        told: LedgerHash,
    },
}

/// Holds a stretch against what was read before it and, where it is the last one, against the goal.
///
/// # Errors
/// It does not fit; nothing of it may be booked.
pub fn advance(reached: &Reached, goal: &Goal, stretch: &Stretch) -> Result<Advanced, Broken> {
    let page = &stretch.page;
    let (from, to) = (page.from, page.to);
    if from != reached.at.plus(1) || to < from || to > goal.at {
        let at = reached.at;
        return Err(Broken::OutOfTurn { at, from, to });
    }
    let mut next = *reached;
    let mut changes = Vec::with_capacity(page.entries.len());
    let mut place = None;
    let befores = stretch
        .befores
        .iter()
        .copied()
        .chain(std::iter::repeat(None));
    for (entry, before) in page.entries.iter().zip(befores) {
        let here = Some((entry.ledger_index, entry.tx_index));
        if here <= place || entry.ledger_index < from || entry.ledger_index > to {
            return Err(Broken::OutOfPlace(entry.hash));
        }
        place = here;
        changes.push(step(page.account, &mut next, entry, before)?);
        next.entries = next.entries.saturating_add(1);
    }
    next.at = to;
    if to == goal.at {
        arrive(&mut next, goal, page.to_hash)?;
    }
    let known = match reached.standing {
        Standing::Untold => None,
        known => Some(balance_of(known)),
    };
    Ok(Advanced {
        reached: next,
        balance_before: known.or(next.opening),
        changes,
    })
}

/// Takes one transaction; answers with what it moved the balance by.
fn step(
    account: AccountId,
    at: &mut Reached,
    entry: &Entry,
    before: Option<Before>,
) -> Result<i64, Broken> {
    let (found, left) = match (before, entry.root_after) {
        (Some(before), Some(after)) => (standing_of(before), Standing::Has(after)),
        // An account's end bears no root: all that it had was delivered and burned.
        _ if ends(account, entry) => (had_at_its_end(at.standing, entry)?, Standing::Absent),
        _ => return Ok(0),
    };
    match at.standing {
        Standing::Untold => {
            at.opening.get_or_insert(balance_of(found));
        }
        known if known == found => {}
        known => {
            return Err(Broken::Unlinked {
                hash: entry.hash,
                ledger: entry.ledger_index,
                found,
                left: known,
            });
        }
    }
    at.standing = left;
    // Both are amounts of XRP that exist, so the difference fits.
    Ok(signed(balance_of(left)).saturating_sub(signed(balance_of(found))))
}

/// The end of the past is the beginning of the journal. An account that nothing changed has had its
/// root all along.
fn arrive(at: &mut Reached, goal: &Goal, hash: LedgerHash) -> Result<(), Broken> {
    if hash != goal.hash {
        return Err(Broken::OtherChain {
            at: goal.at,
            known: goal.hash,
            told: hash,
        });
    }
    let has = Standing::Has(goal.root);
    match at.standing {
        Standing::Untold => {
            at.standing = has;
            at.opening.get_or_insert(goal.root.balance);
            Ok(())
        }
        left if left == has => Ok(()),
        left => Err(Broken::OtherEnd {
            at: goal.at,
            left,
            has,
        }),
    }
}

/// What an account had before the transaction that ended it.
fn had_at_its_end(known: Standing, entry: &Entry) -> Result<Standing, Broken> {
    let Delivered::Xrp(rest) = entry.delivered else {
        return Err(Broken::Untellable(entry.hash));
    };
    let balance = rest
        .checked_add(entry.fee)
        .ok_or(Broken::Untellable(entry.hash))?;
    let Slot::Sequence(sequence) = entry.slot else {
        // The sequence is not told by a ticket, and nothing follows from it here.
        return Ok(match known {
            Standing::Has(root) => Standing::Has(RootAfter { balance, ..root }),
            Standing::Untold | Standing::Absent => Standing::Has(RootAfter {
                balance,
                sequence: 0,
                owner_count: 0,
            }),
        });
    };
    let owner_count = match known {
        // What it owned goes with it, as far as the ledger allows.
        Standing::Has(root) => root.owner_count,
        Standing::Untold | Standing::Absent => 0,
    };
    Ok(Standing::Has(RootAfter {
        balance,
        sequence,
        owner_count,
    }))
}

fn ends(account: AccountId, entry: &Entry) -> bool {
    entry.sender == account && entry.transaction_type == ACCOUNT_DELETE && entry.result == SUCCESS
}

const fn standing_of(before: Before) -> Standing {
    match before {
        Before::Nothing => Standing::Absent,
        Before::Root(root) => Standing::Has(root),
    }
}

const fn balance_of(standing: Standing) -> Drops {
    match standing {
        Standing::Has(root) => root.balance,
        Standing::Absent | Standing::Untold => Drops::ZERO,
    }
}

/// All XRP there is fits.
fn signed(drops: Drops) -> i64 {
    i64::try_from(drops.get()).unwrap_or(i64::MAX)
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Untold => f.write_str("nothing that is known"),
            Self::Absent => f.write_str("no root"),
            Self::Has(root) => write!(
                f,
                "{} drops, sequence {} and {} objects",
                root.balance, root.sequence, root.owner_count
            ),
        }
    }
}

#[cfg(test)]
mod tests;
