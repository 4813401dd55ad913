//! Books against ledger, to the drop: what the database says that happened, held against what enough
//! servers say did.
//!
//! Pure, and independent of the engine on purpose: nothing here folds a page or decides on a payment,
//! so that a fault of theirs is found and not repeated. A stretch of ledgers at a time is compared from
//! both sides: whatever the ledger holds must stand in the books, and whatever the books claim of these
//! ledgers must stand in the ledger. What does not is a [`Difference`], which names what it is about.

mod deposits;
mod difference;
mod journal;
mod payments;

pub use deposits::{BookedDeposit, InvoiceSum, astray, invoices};
pub use difference::{Difference, Kind};

use crate::address::AccountId;
use crate::ids::{Hash256, LedgerIndex, TxHash};
use crate::journal::{Cursor, Delivered, Entry};
use crate::money::Drops;
use crate::payment::{Attempt, Payment, Status};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

/// The result of a transaction that did what it asked.
const SUCCESS: &str = "tesSUCCESS";

/// A transaction as it was booked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Booked {
    /// What the journal says of it.
    pub entry: Entry,
    /// What it moved the account's balance by, in drops, as it was booked.
    pub change: i128,
}

/// A payment of the books, and the marker that its transactions bear on the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The payment.
    pub payment: Payment,
    /// Its marker.
    pub marker: Hash256,
}

/// What the books say of a stretch of ledgers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Books {
    /// The wallet's account.
    pub account: AccountId,
    /// The first ledger of the stretch.
    pub from: LedgerIndex,
    /// The last one.
    pub to: LedgerIndex,
    /// The balance right before the stretch, in drops.
    pub opening: i128,
    /// The journal of the stretch.
    pub entries: Vec<Booked>,
    /// Every payment with an attempt that the stretch could hold.
    pub payments: Vec<Claim>,
    /// What was signed without a payment, such as no-ops that fill a sequence.
    pub chores: Vec<Attempt>,
    /// Payments of an earlier life of the database, which the ledger remembers and nobody asked for
    /// again.
    pub remembered: BTreeSet<TxHash>,
    /// Transactions past the daemon up to here were seen and accepted by a person.
    pub accepted_through: Option<LedgerIndex>,
    /// What came in, as it was booked.
    pub deposits: Vec<BookedDeposit>,
    /// Ledgers whose credits are not booked yet: of a database from before deposits were.
    pub unbooked: Option<RangeInclusive<LedgerIndex>>,
}

/// What moved the balance, in drops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Moved {
    /// Fees that the account's own transactions burned.
    pub fees: i128,
    /// What its payments delivered to others.
    pub delivered: i128,
    /// What others' transactions brought.
    pub credited: i128,
    /// What moved otherwise, in or out: an offer that was taken, a check that was cashed.
    pub other: i128,
}

/// What became of the comparison of a stretch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    /// What does not agree.
    pub differences: Vec<Difference>,
    /// The balance after the stretch by the books, in drops.
    pub closing: i128,
    /// What moved it.
    pub moved: Moved,
    /// Transactions of the account that are none of this database's payments, and known to be so.
    pub foreign_known: u64,
}

/// Compares a stretch from both sides; `ledger` is what enough servers agree that it holds, by ledger
/// and place.
#[must_use]
pub fn compare(books: &Books, ledger: &[Entry]) -> Compared {
    let mut compared = Compared {
        differences: Vec::new(),
        closing: books.opening,
        moved: Moved::default(),
        foreign_known: 0,
    };
    journal::rows(books, ledger, &mut compared);
    journal::balance(books, &mut compared);
    deposits::deposits(books, &mut compared);
    payments::from_the_books(books, ledger, &mut compared);
    payments::from_the_ledger(books, ledger, &mut compared);
    compared
}

/// Compares a balance that the books predict with the account root that enough servers agree on.
#[must_use]
pub fn balance_at(kind: Kind, at: LedgerIndex, books: i128, ledger: Drops) -> Option<Difference> {
    let on_ledger = i128::from(ledger.get());
    (books != on_ledger).then(|| Difference {
        kind,
        subject: "balance".to_owned(),
        ledger_index: Some(at),
        books: format!("{books} drops"),
        ledger: format!("{on_ledger} drops"),
        drops: books.saturating_sub(on_ledger),
    })
}

/// What the ledger shows at the cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AtCursor {
    /// The balance.
    pub balance: Drops,
    /// The account's next sequence.
    pub sequence: u32,
    /// The number of reserve-bearing objects.
    pub owner_count: u32,
}

/// Compares where the journal says that it stands with the ledger there; `hash` is that ledger's.
#[must_use]
pub fn cursor(
    cursor: &Cursor,
    hash: crate::ids::LedgerHash,
    ledger: AtCursor,
    rows_outside: u64,
) -> Vec<Difference> {
    let told = |what: &str, books: String, on_ledger: String| {
        (books != on_ledger).then(|| Difference {
            kind: Kind::Cursor,
            subject: what.to_owned(),
            ledger_index: Some(cursor.at),
            books,
            ledger: on_ledger,
            drops: 0,
        })
    };
    let pair = |books: u32, ledger: u32| (books.to_string(), ledger.to_string());
    let (sequence, sequence_there) = pair(cursor.next_sequence, ledger.sequence);
    let (owned, owned_there) = pair(cursor.owner_count, ledger.owner_count);
    let mut found: Vec<Difference> = [
        told("ledger hash", cursor.at_hash.to_string(), hash.to_string()),
        told("next sequence", sequence, sequence_there),
        told("owner count", owned, owned_there),
        told(
            "journal rows outside of its range",
            rows_outside.to_string(),
            0.to_string(),
        ),
    ]
    .into_iter()
    .flatten()
    .collect();
    let booked = i128::from(cursor.balance.get());
    found.extend(balance_at(Kind::Cursor, cursor.at, booked, ledger.balance));
    found
}

/// What the payments themselves add up to, beside the counters that say so.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tally {
    /// What the limits say is used of the day.
    pub daily_used: i128,
    /// What the payments of the day count for.
    pub daily_summed: i128,
    /// How many payments the limits say are on their way.
    pub pending: u64,
    /// How many have no end.
    pub pending_counted: u64,
    /// How many ends of a wallet were counted as they happened.
    pub ends: BTreeMap<(String, Status), u64>,
    /// How many payments of it are at each of these ends.
    pub ends_counted: BTreeMap<(String, Status), u64>,
    /// Payments that count for something else than their state says.
    pub miscounted: Vec<String>,
    /// Payments that are said to have succeeded without anything that was signed for them.
    pub unsigned: Vec<String>,
}

/// Compares the counters with the payments that they count.
#[must_use]
pub fn counters(tally: &Tally) -> Vec<Difference> {
    let told = |kind, subject: String, books: String, payments: String, drops| Difference {
        kind,
        subject,
        ledger_index: None,
        books,
        ledger: payments,
        drops,
    };
    let mut found = Vec::new();
    if tally.daily_used != tally.daily_summed {
        found.push(told(
            Kind::Limits,
            "used of the day".to_owned(),
            format!("{} drops", tally.daily_used),
            format!("{} drops by the payments", tally.daily_summed),
            tally.daily_used.saturating_sub(tally.daily_summed),
        ));
    }
    if tally.pending != tally.pending_counted {
        found.push(told(
            Kind::Limits,
            "payments on their way".to_owned(),
            tally.pending.to_string(),
            format!("{} by the payments", tally.pending_counted),
            0,
        ));
    }
    let keys: BTreeSet<_> = tally.ends.keys().chain(tally.ends_counted.keys()).collect();
    for key in keys {
        let of = |counts: &BTreeMap<_, u64>| counts.get(key).copied().unwrap_or(0);
        let (counted, rows) = (of(&tally.ends), of(&tally.ends_counted));
        if counted != rows {
            found.push(told(
                Kind::Totals,
                format!("{} payments of {}", key.1.as_str(), key.0),
                counted.to_string(),
                format!("{rows} by the payments"),
                0,
            ));
        }
    }
    found.extend(tally.unsigned.iter().map(|id| {
        let (books, payments) = ("succeeded", "nothing, and nothing was signed");
        told(
            Kind::NotOnLedger,
            id.clone(),
            books.to_owned(),
            payments.to_owned(),
            0,
        )
    }));
    found.extend(tally.miscounted.iter().map(|id| {
        let (books, payments) = ("counts for another amount", "its state and its order");
        told(
            Kind::Limits,
            id.clone(),
            books.to_owned(),
            payments.to_owned(),
            0,
        )
    }));
    found
}

/// The XRP that a transaction delivered, in drops.
fn delivered_xrp(entry: &Entry) -> i128 {
    match entry.delivered {
        Delivered::Xrp(drops) if entry.result == SUCCESS => i128::from(drops.get()),
        Delivered::Xrp(_)
        | Delivered::Nothing
        | Delivered::Other(_)
        | Delivered::Unreadable(_)
        | Delivered::Unavailable => 0,
    }
}

#[cfg(test)]
mod tests;
