//! The journal's rows against the ledger's transactions, and the balance that they add up to.

use super::{Booked, Books, Compared, Difference, Kind, delivered_xrp};
use crate::ids::{LedgerIndex, TxHash};
use crate::journal::Entry;
use crate::money::Drops;
use std::collections::{BTreeMap, BTreeSet};

/// A place in the chain; exactly one transaction has it.
type Place = (LedgerIndex, u32);

/// Holds the rows against the transactions, place by place.
pub(super) fn rows(books: &Books, ledger: &[Entry], compared: &mut Compared) {
    let place = |entry: &Entry| -> Place { (entry.ledger_index, entry.tx_index) };
    let booked: BTreeMap<Place, &Booked> = books
        .entries
        .iter()
        .map(|row| (place(&row.entry), row))
        .collect();
    let held: BTreeMap<Place, &Entry> = ledger.iter().map(|entry| (place(entry), entry)).collect();
    for (place, entry) in &held {
        match booked.get(place) {
            None => compared
                .differences
                .push(one_sided(Kind::MissingEntry, entry, books)),
            Some(row) => compared.differences.extend(altered(&row.entry, entry)),
        }
    }
    for (place, row) in &booked {
        if !held.contains_key(place) {
            compared
                .differences
                .push(one_sided(Kind::ExtraEntry, &row.entry, books));
        }
    }
}

/// A transaction that one side lacks.
fn one_sided(kind: Kind, entry: &Entry, books: &Books) -> Difference {
    let what = format!(
        "{} with {}, fee {}",
        entry.transaction_type, entry.result, entry.fee
    );
    let (booked, held) = match kind {
        Kind::MissingEntry => ("nothing".to_owned(), what),
        _ => (what, "nothing".to_owned()),
    };
    let ours = entry.sender == books.account;
    let moved = if ours {
        i128::from(entry.fee.get()).saturating_add(delivered_xrp(entry))
    } else {
        delivered_xrp(entry)
    };
    // What goes out and is not booked makes the books richer than the ledger, and what comes in poorer.
    let grows = ours == (kind == Kind::MissingEntry);
    Difference {
        kind,
        subject: format!("transaction {}", entry.hash),
        ledger_index: Some(entry.ledger_index),
        books: booked,
        ledger: held,
        drops: if grows { moved } else { moved.saturating_neg() },
    }
}

/// What the books say otherwise of a transaction.
fn altered(booked: &Entry, held: &Entry) -> Option<Difference> {
    let said = fields(booked).into_iter().zip(fields(held));
    let said = said.chain(later_fields(booked, held));
    let (names, (left, right)): (Vec<_>, (Vec<_>, Vec<_>)) = said
        .filter(|((_, left), (_, right))| left != right)
        .map(|((name, left), (_, right))| {
            (name, (format!("{name} {left}"), format!("{name} {right}")))
        })
        .unzip();
    (!names.is_empty()).then(|| Difference {
        kind: Kind::AlteredEntry,
        subject: format!("transaction {}", held.hash),
        ledger_index: Some(held.ledger_index),
        books: left.join(", "),
        ledger: right.join(", "),
        drops: 0,
    })
}

/// Everything that every row of the journal keeps of a transaction. The marker is not among it: it is the
/// InvoiceID or stands in a memo, which the journal does not keep.
fn fields(entry: &Entry) -> [(&'static str, String); 14] {
    let Entry {
        hash,
        ledger_index,
        ledger_hash,
        tx_index,
        result,
        transaction_type,
        sender,
        slot,
        fee,
        destination,
        destination_tag,
        source_tag,
        delivered,
        invoice_id,
        marker: _,
        root_after,
        effects: _,
        closed_at: _,
    } = entry;
    [
        ("hash", hash.to_string()),
        ("place", format!("{ledger_index}/{tx_index}")),
        ("ledger hash", ledger_hash.to_string()),
        ("result", result.clone()),
        ("type", transaction_type.clone()),
        ("sender", sender.to_string()),
        ("slot", format!("{slot:?}")),
        ("fee", fee.to_string()),
        ("destination", format!("{destination:?}")),
        ("destination tag", format!("{destination_tag:?}")),
        ("source tag", format!("{source_tag:?}")),
        ("delivered", format!("{delivered:?}")),
        ("invoice id", format!("{invoice_id:?}")),
        ("root", format!("{root_after:?}")),
    ]
}

/// A field by name with what both sides say of it.
type Field = ((&'static str, String), (&'static str, String));

/// What rows of the journal keep only since a later version, and servers may leave out: compared where
/// both sides tell it.
fn later_fields(booked: &Entry, held: &Entry) -> impl Iterator<Item = Field> {
    fn told<T: std::fmt::Debug>(
        name: &'static str,
        booked: Option<&T>,
        held: Option<&T>,
    ) -> Option<Field> {
        let (left, right) = booked.zip(held)?;
        Some(((name, format!("{left:?}")), (name, format!("{right:?}"))))
    }
    let (left, right) = (booked.closed_at.as_ref(), held.closed_at.as_ref());
    let closed_at = told("close time", left, right);
    let effects = told("effects", booked.effects.as_ref(), held.effects.as_ref());
    closed_at.into_iter().chain(effects)
}

/// Adds up what the rows moved, and holds each against what it says of itself.
pub(super) fn balance(books: &Books, compared: &mut Compared) {
    let of_payments: BTreeSet<TxHash> = books
        .payments
        .iter()
        .flat_map(|claim| &claim.payment.attempts)
        .map(|attempt| attempt.hash)
        .collect();
    let of_chores: BTreeSet<TxHash> = books.chores.iter().map(|chore| chore.hash).collect();
    let mut running = books.opening;
    for Booked { entry, change } in &books.entries {
        running = running.saturating_add(*change);
        let shown = entry.root_after.map(|root| root.balance);
        let expected = expected_change(entry, &of_payments, &of_chores);
        compared
            .differences
            .extend(movement(entry, *change, expected, running, shown));
        // Where the row shows the balance, an error of one row is told once and not of all after it;
        // the sum of all of them is held against the ledger anyway.
        if let Some(balance) = shown {
            running = i128::from(balance.get());
        }
        compared.closing = compared.closing.saturating_add(*change);
        explain(books, entry, *change, compared);
    }
}

/// What a transaction that was signed here moves, and no more: its fee, and what it delivers.
fn expected_change(
    entry: &Entry,
    of_payments: &BTreeSet<TxHash>,
    of_chores: &BTreeSet<TxHash>,
) -> Option<i128> {
    let fee = i128::from(entry.fee.get());
    if of_payments.contains(&entry.hash) {
        Some(fee.saturating_add(delivered_xrp(entry)).saturating_neg())
    } else if of_chores.contains(&entry.hash) {
        Some(fee.saturating_neg())
    } else {
        None
    }
}

fn movement(
    entry: &Entry,
    change: i128,
    expected: Option<i128>,
    running: i128,
    shown: Option<Drops>,
) -> Option<Difference> {
    let told = |books: String, ledger: String, drops: i128| Difference {
        kind: Kind::Movement,
        subject: format!("transaction {}", entry.hash),
        ledger_index: Some(entry.ledger_index),
        books,
        ledger,
        drops,
    };
    if let Some(expected) = expected.filter(|expected| *expected != change) {
        return Some(told(
            format!("{change:+} drops"),
            format!("{expected:+} drops by its fee and what it delivered"),
            change.saturating_sub(expected),
        ));
    }
    let shown = i128::from(shown?.get());
    (running != shown).then(|| {
        told(
            format!("{running} drops after it"),
            format!("{shown} drops after it by its metadata"),
            running.saturating_sub(shown),
        )
    })
}

fn explain(books: &Books, entry: &Entry, change: i128, compared: &mut Compared) {
    let moved = &mut compared.moved;
    if entry.sender != books.account {
        let slot = if change > 0 {
            &mut moved.credited
        } else {
            &mut moved.other
        };
        *slot = slot.saturating_add(change);
        return;
    }
    let fee = i128::from(entry.fee.get());
    let is_payment =
        entry.transaction_type == "Payment" && entry.destination != Some(books.account);
    let delivered = if is_payment { delivered_xrp(entry) } else { 0 };
    moved.fees = moved.fees.saturating_add(fee);
    moved.delivered = moved.delivered.saturating_add(delivered);
    let explained = fee.saturating_add(delivered).saturating_neg();
    moved.other = moved.other.saturating_add(change.saturating_sub(explained));
}
