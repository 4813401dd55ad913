//! The journal: the contiguous run of an account's validated transactions, and the fold of it over
//! what we signed. There is no second way to learn an outcome.

mod effects;

pub use effects::{ASSETS_MAX, Drawn, Effects, LineChange, MptChange};

use crate::address::AccountId;
use crate::amount::Amount;
use crate::ids::{Hash256, LedgerHash, LedgerIndex, TxHash, UnixMs};
use crate::money::Drops;
use crate::payment::{Absence, AbsenceReason, Finding, Slot};
use std::collections::{BTreeMap, BTreeSet};

/// The MemoType that carries a payment's marker where its sender set the InvoiceID.
pub const MARKER_MEMO_TYPE: &str = "xrpayd/marker";

/// The MemoType by which a sender marks a payment as the return of something that it was paid.
pub const RETURN_MEMO_TYPE: &str = "xrpayd/return";

/// The transaction type that makes tickets.
pub const TICKET_CREATE: &str = "TicketCreate";

/// How far the journal of one account has been read, and what the account root shows there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// The first ledger that the journal covers.
    pub start: LedgerIndex,
    /// The last ledger of the contiguous run.
    pub at: LedgerIndex,
    /// Its hash.
    pub at_hash: LedgerHash,
    /// The account's next sequence there.
    pub next_sequence: u32,
    /// The account's balance there.
    pub balance: Drops,
    /// How many reserve-bearing objects the account owns there.
    pub owner_count: u32,
}

/// One validated transaction that touched the account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The transaction.
    pub hash: TxHash,
    /// The ledger that holds it.
    pub ledger_index: LedgerIndex,
    /// That ledger's hash.
    pub ledger_hash: LedgerHash,
    /// Its place in that ledger.
    pub tx_index: u32,
    /// The result in the validated metadata.
    pub result: String,
    /// Its type by name.
    pub transaction_type: String,
    /// The account that sent it.
    pub sender: AccountId,
    /// What it consumed of the sender.
    pub slot: Slot,
    /// The fee that was burned.
    pub fee: Drops,
    /// Where it paid to.
    pub destination: Option<AccountId>,
    /// The tag there.
    pub destination_tag: Option<u32>,
    /// The sender's tag.
    pub source_tag: Option<u32>,
    /// What the metadata says was delivered.
    pub delivered: Delivered,
    /// Its InvoiceID.
    pub invoice_id: Option<Hash256>,
    /// The marker of the intent that it served: from a memo of ours, or else its InvoiceID.
    pub marker: Option<Hash256>,
    /// The account root of the journal's account after it, where it changed.
    pub root_after: Option<RootAfter>,
    /// What it did to what the account holds; none where the journal was written before that was kept.
    pub effects: Option<Effects>,
    /// When its ledger closed, where a server told it.
    pub closed_at: Option<UnixMs>,
}

/// What the metadata of a transaction says was delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivered {
    /// Nothing was.
    Nothing,
    /// XRP.
    Xrp(Drops),
    /// A token.
    Other(Amount),
    /// Something that does not read, as the ledger's JSON text: a person decides.
    Unreadable(String),
    /// The ledger is too old to say: a person decides.
    Unavailable,
}

/// The account root after a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RootAfter {
    /// The balance.
    pub balance: Drops,
    /// The next sequence.
    pub sequence: u32,
    /// The number of reserve-bearing objects.
    pub owner_count: u32,
}

/// A stretch of the journal that enough servers agree on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The account whose journal it is.
    pub account: AccountId,
    /// Its first ledger.
    pub from: LedgerIndex,
    /// Its last ledger.
    pub to: LedgerIndex,
    /// The hash of the last ledger.
    pub to_hash: LedgerHash,
    /// When the last ledger closed, where the servers told it.
    pub closed_at: Option<UnixMs>,
    /// The servers that agreed.
    pub servers: Vec<String>,
    /// The transactions in it, by ledger and place.
    pub entries: Vec<Entry>,
}

/// An attempt of ours that is not settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenAttempt<O> {
    /// Whose it is: a payment's or a plug's.
    pub owner: O,
    /// Its hash.
    pub hash: TxHash,
    /// The first ledger that could hold it.
    pub first_ledger: LedgerIndex,
    /// The last ledger that could hold it.
    pub last_ledger: LedgerIndex,
}

/// Everything that is open on an account, by what it consumes.
pub type OpenSlots<O> = BTreeMap<Slot, Vec<OpenAttempt<O>>>;

/// What a page says about what we signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fold<O> {
    /// The cursor after the page.
    pub cursor: Cursor,
    /// One finding for each attempt that the page settles.
    pub findings: Vec<(O, Finding)>,
    /// Transactions that the account sent and that are none of ours.
    pub foreign: Vec<Foreign>,
    /// What became of the account's tickets, in the order of the page.
    pub tickets: Vec<(LedgerIndex, TicketChange)>,
}

/// What a validated transaction did to one ticket of the account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TicketChange {
    /// It stands from here on.
    Made(u32),
    /// It was used up.
    Used(u32),
}

/// A transaction that the account sent and that is none of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreign {
    /// The transaction.
    pub entry: Entry,
    /// Whether something of ours was open on its slot: somebody else holds the key.
    pub took_ours: bool,
}

/// Why a page cannot follow the cursor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BrokenPage {
    /// It does not begin where the journal ends.
    #[error("the journal ends at ledger {at} and the page begins at {from}")]
    NotContiguous {
        /// The journal's last ledger.
        at: LedgerIndex,
        /// The page's first.
        from: LedgerIndex,
    },
    /// An entry lies outside the page's range, or out of order, or twice.
    #[error("transaction {0} is out of place in its page")]
    OutOfPlace(TxHash),
    /// The account's sequence went backwards.
    #[error("transaction {0} sets the account's sequence back")]
    SequenceWentBack(TxHash),
}

/// Folds a page over what is open.
///
/// # Errors
/// The page does not continue the journal; nothing may be concluded from it.
pub fn fold<O: Copy>(
    cursor: &Cursor,
    open: &OpenSlots<O>,
    page: &Page,
) -> Result<Fold<O>, BrokenPage> {
    if page.from != cursor.at.plus(1) || page.to < page.from {
        return Err(BrokenPage::NotContiguous {
            at: cursor.at,
            from: page.from,
        });
    }
    let mut next = Cursor {
        at: page.to,
        at_hash: page.to_hash,
        ..cursor.clone()
    };
    let mut fold = Fold {
        cursor: next.clone(),
        findings: Vec::new(),
        foreign: Vec::new(),
        tickets: Vec::new(),
    };
    let mut place = None;
    for entry in &page.entries {
        let here = Some((entry.ledger_index, entry.tx_index));
        if here <= place || entry.ledger_index < page.from || entry.ledger_index > page.to {
            return Err(BrokenPage::OutOfPlace(entry.hash));
        }
        place = here;
        let made = tickets_made(entry, page.account, &next);
        if let Some(root) = entry.root_after {
            if root.sequence < next.next_sequence {
                return Err(BrokenPage::SequenceWentBack(entry.hash));
            }
            next.next_sequence = root.sequence;
            next.balance = root.balance;
            next.owner_count = root.owner_count;
        }
        if entry.sender == page.account {
            settle(entry, made, open, page, &next, &mut fold);
        }
    }
    fold.cursor = next;
    Ok(fold)
}

/// The tickets that a transaction of the account made: a TicketCreate is the only one that sets the
/// account's sequence further than to the one behind its own, and the numbers between are the tickets.
fn tickets_made(entry: &Entry, account: AccountId, before: &Cursor) -> std::ops::Range<u32> {
    let is_made = entry.sender == account
        && entry.transaction_type == TICKET_CREATE
        && entry.result == "tesSUCCESS";
    let Some(root) = entry.root_after.filter(|_| is_made) else {
        return 0..0;
    };
    let first = match entry.slot {
        Slot::Sequence(sequence) => sequence.saturating_add(1),
        Slot::Ticket(_) => before.next_sequence,
    };
    first..root.sequence
}

/// One of our account's transactions settles every attempt on what it took: its slot, and the
/// sequences that it made tickets of, which are gone for whatever was signed on them.
fn settle<O: Copy>(
    entry: &Entry,
    made: std::ops::Range<u32>,
    open: &OpenSlots<O>,
    page: &Page,
    cursor: &Cursor,
    fold: &mut Fold<O>,
) {
    if let Slot::Ticket(ticket) = entry.slot {
        let used = TicketChange::Used(ticket);
        fold.tickets.push((entry.ledger_index, used));
    }
    let of_slot = |slot: Slot| open.get(&slot).map_or(&[][..], Vec::as_slice);
    let mut attempts = of_slot(entry.slot).to_vec();
    for number in made {
        let made = TicketChange::Made(number);
        fold.tickets.push((entry.ledger_index, made));
        attempts.extend_from_slice(of_slot(Slot::Sequence(number)));
    }
    if !attempts.iter().any(|attempt| attempt.hash == entry.hash) {
        fold.foreign.push(Foreign {
            entry: entry.clone(),
            took_ours: !attempts.is_empty(),
        });
    }
    for attempt in &attempts {
        let finding = if attempt.hash == entry.hash {
            Finding::Found {
                hash: entry.hash,
                result: entry.result.clone(),
                ledger_index: entry.ledger_index,
                ledger_hash: entry.ledger_hash,
                delivered: match entry.delivered {
                    Delivered::Xrp(drops) => Some(drops),
                    Delivered::Nothing
                    | Delivered::Other(_)
                    | Delivered::Unreadable(_)
                    | Delivered::Unavailable => None,
                },
                servers: page.servers.clone(),
            }
        } else {
            Finding::Absent {
                hash: attempt.hash,
                proof: Absence {
                    from: attempt.first_ledger.max(cursor.start),
                    to: page.to,
                    to_hash: page.to_hash,
                    servers: page.servers.clone(),
                    reason: AbsenceReason::ConsumedBy {
                        hash: entry.hash,
                        ledger_index: entry.ledger_index,
                    },
                },
            }
        };
        fold.findings.push((attempt.owner, finding));
    }
}

/// The account root at one validated ledger, agreed by enough servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootProof {
    /// The ledger at which it was read.
    pub at: LedgerIndex,
    /// The account's sequence there.
    pub sequence: u32,
    /// The tickets that stand there, where they were asked for.
    pub tickets: Option<BTreeSet<u32>>,
    /// The servers that agreed.
    pub servers: Vec<String>,
}

/// Whether the journal and the account's state together prove that `attempt` can never be applied: its
/// sequence, by the account root, or its ticket, by the ticket itself, is still there to be used.
///
/// The journal must be contiguous from before the first ledger that could hold the attempt through
/// its last one, and the state must have been read inside that proven range and past the
/// attempt's last ledger: a validated index beyond the last ledger is not enough, because after an
/// outage servers announce one long before they hold the ledgers in between.
#[must_use]
pub fn prove_absence<O>(
    cursor: &Cursor,
    root: &RootProof,
    slot: Slot,
    attempt: &OpenAttempt<O>,
) -> Option<Absence> {
    let covered = cursor.start <= attempt.first_ledger && attempt.last_ledger <= cursor.at;
    let root_in_range = attempt.last_ledger <= root.at && root.at <= cursor.at;
    let reason = match slot {
        Slot::Sequence(sequence) => {
            let is_free = root.sequence <= sequence && cursor.next_sequence <= sequence;
            is_free.then_some(AbsenceReason::SlotFree {
                at: root.at,
                account_sequence: root.sequence,
            })
        }
        // The account root does not tell about a ticket: only the ticket itself does.
        Slot::Ticket(ticket) => {
            let standing = root.tickets.as_ref();
            let stands = standing.is_some_and(|standing| standing.contains(&ticket));
            stands.then_some(AbsenceReason::TicketStands {
                at: root.at,
                ticket,
            })
        }
    };
    let reason = reason.filter(|_| covered && root_in_range)?;
    Some(Absence {
        from: attempt.first_ledger,
        to: cursor.at,
        to_hash: cursor.at_hash,
        servers: root.servers.clone(),
        reason,
    })
}

#[cfg(test)]
mod tests;
