//! Payments against the ledger's transactions: each that succeeded is exactly one of them, each that
//! did not is none, and whatever the account sent was signed here.

use super::{Books, Claim, Compared, Difference, Kind, SUCCESS, delivered_xrp};
use crate::ids::TxHash;
use crate::journal::{Delivered, Entry};
use crate::money::Drops;
use crate::payment::{Attempt, AttemptState, Payment, Proof, State};
use std::collections::{BTreeMap, BTreeSet};

type ByHash<'a> = BTreeMap<TxHash, &'a Entry>;

/// Whatever the books claim of these ledgers must stand in the ledger.
pub(super) fn from_the_books(books: &Books, ledger: &[Entry], compared: &mut Compared) {
    let held: ByHash<'_> = ledger.iter().map(|entry| (entry.hash, entry)).collect();
    for chore in &books.chores {
        let owner = "a transaction without a payment";
        compared
            .differences
            .extend(attempt(books, owner, chore, &held));
    }
    for claim in &books.payments {
        let payment = &claim.payment;
        let owner = format!("payment {}", payment.id);
        for signed in &payment.attempts {
            compared
                .differences
                .extend(attempt(books, &owner, signed, &held));
        }
        compared.differences.extend(end(payment, &held));
    }
}

fn of_payment(kind: Kind, payment: &Payment, entry: &Entry) -> Difference {
    Difference {
        kind,
        subject: format!("payment {}, transaction {}", payment.id, entry.hash),
        ledger_index: Some(entry.ledger_index),
        books: payment.status().as_str().to_owned(),
        ledger: format!("{}, delivered {:?}", entry.result, entry.delivered),
        drops: 0,
    }
}

/// Holds one attempt against the ledger.
fn attempt(books: &Books, owner: &str, signed: &Attempt, held: &ByHash<'_>) -> Option<Difference> {
    let told = |kind, at, booked: String, on_ledger: String, drops| Difference {
        kind,
        subject: format!("{owner}, attempt {}", signed.hash),
        ledger_index: Some(at),
        books: booked,
        ledger: on_ledger,
        drops,
    };
    let in_stretch = |ledger| books.from <= ledger && ledger <= books.to;
    match (&signed.state, held.get(&signed.hash)) {
        (
            AttemptState::Validated {
                result,
                ledger_index,
            },
            Some(entry),
        ) => {
            let booked = (result, *ledger_index, signed.slot, signed.fee);
            let on_ledger = (&entry.result, entry.ledger_index, entry.slot, entry.fee);
            (booked != on_ledger).then(|| {
                let at = entry.ledger_index;
                let (booked, on_ledger) = (format!("{booked:?}"), format!("{on_ledger:?}"));
                told(Kind::Payment, at, booked, on_ledger, 0)
            })
        }
        (AttemptState::Validated { ledger_index, .. }, None) if in_stretch(*ledger_index) => {
            let (booked, on_ledger) = ("validated".to_owned(), "nothing".to_owned());
            let fee = i128::from(signed.fee.get());
            Some(told(
                Kind::NotOnLedger,
                *ledger_index,
                booked,
                on_ledger,
                fee.saturating_neg(),
            ))
        }
        (AttemptState::Validated { .. }, None) => None,
        (
            AttemptState::Signed
            | AttemptState::Submitted { .. }
            | AttemptState::Unknown
            | AttemptState::Refused { .. }
            | AttemptState::Dead { .. },
            Some(entry),
        ) => Some(told(
            Kind::NotInBooks,
            entry.ledger_index,
            signed.state.as_str().to_owned(),
            entry.result.clone(),
            delivered_xrp(entry),
        )),
        (
            AttemptState::Signed
            | AttemptState::Submitted { .. }
            | AttemptState::Unknown
            | AttemptState::Refused { .. }
            | AttemptState::Dead { .. },
            None,
        ) => None,
    }
}

/// Holds the end of a payment against the transaction that it names, where the stretch holds that.
fn end(payment: &Payment, held: &ByHash<'_>) -> Option<Difference> {
    match &payment.state {
        State::Succeeded {
            delivered,
            tx_hash,
            proof,
        } => {
            let Some(entry) = held.get(tx_hash) else {
                return unsigned(payment, *tx_hash, *delivered);
            };
            let order = &payment.order;
            let is_told = entry.result == SUCCESS
                && entry.delivered == Delivered::Xrp(*delivered)
                && *delivered == order.amount
                && entry.destination == Some(order.destination)
                && entry.destination_tag == order.destination_tag
                && proves(proof, entry)
                && payment.attempt(*tx_hash).is_some();
            (!is_told).then(|| Difference {
                books: format!(
                    "{} of {} drops delivered to {} with tag {:?}, by {proof:?}",
                    delivered, order.amount, order.destination, order.destination_tag
                ),
                ledger: format!(
                    "{}, delivered {:?} to {:?} with tag {:?}, in ledger {} {}",
                    entry.result,
                    entry.delivered,
                    entry.destination,
                    entry.destination_tag,
                    entry.ledger_index,
                    entry.ledger_hash
                ),
                drops: misbooked(*delivered, order.amount, entry),
                ..of_payment(Kind::Payment, payment, entry)
            })
        }
        State::Failed { failure, proof } => {
            let validated = payment.validated_attempt().filter(|_| failure.fee_charged);
            let entry = held.get(&validated?.hash)?;
            let is_told = entry.result == failure.ledger_code && proves(proof, entry);
            (!is_told).then(|| Difference {
                books: format!("failed with {}, by {proof:?}", failure.ledger_code),
                ..of_payment(Kind::Payment, payment, entry)
            })
        }
        State::AwaitingApproval
        | State::Queued { .. }
        | State::InFlight
        | State::Expired { .. }
        | State::Cancelled { .. }
        | State::Rejected => None,
    }
}

/// A payment that succeeded by a transaction that the stretch does not hold: right where it stands in
/// another stretch, against which the attempt itself is held, and never without such an attempt.
fn unsigned(payment: &Payment, tx_hash: TxHash, delivered: Drops) -> Option<Difference> {
    let is_signed = payment.attempt(tx_hash).is_some_and(|attempt| {
        matches!(&attempt.state, AttemptState::Validated { result, .. } if result == SUCCESS)
    });
    (!is_signed).then(|| Difference {
        kind: Kind::NotOnLedger,
        subject: format!("payment {}, transaction {tx_hash}", payment.id),
        ledger_index: None,
        books: format!("{delivered} drops delivered"),
        ledger: "nothing, and no attempt says otherwise".to_owned(),
        drops: i128::from(delivered.get()).saturating_neg(),
    })
}

/// What the ledger moved beyond what the books say of a payment.
fn misbooked(delivered: Drops, amount: Drops, entry: &Entry) -> i128 {
    let on_ledger = delivered_xrp(entry);
    let by_state = on_ledger.saturating_sub(i128::from(delivered.get()));
    let by_order = on_ledger.saturating_sub(i128::from(amount.get()));
    if by_state == 0 { by_order } else { by_state }
}

fn proves(proof: &Proof, entry: &Entry) -> bool {
    match proof {
        Proof::Validated {
            ledger_index,
            ledger_hash,
            ..
        } => (*ledger_index, *ledger_hash) == (entry.ledger_index, entry.ledger_hash),
        Proof::Absent(_) | Proof::Preflight(_) => false,
    }
}

/// Whatever the account sent must have been signed here, for a payment that says so.
pub(super) fn from_the_ledger(books: &Books, ledger: &[Entry], compared: &mut Compared) {
    let mut signed: BTreeMap<TxHash, Option<&Claim>> = books
        .chores
        .iter()
        .map(|chore| (chore.hash, None))
        .collect();
    let mut by_marker = BTreeMap::new();
    for claim in &books.payments {
        by_marker.insert(claim.marker, claim);
        let hashes = claim.payment.attempts.iter().map(|attempt| attempt.hash);
        signed.extend(hashes.map(|hash| (hash, Some(claim))));
    }
    let mut paid = BTreeSet::new();
    for entry in ledger.iter().filter(|entry| entry.sender == books.account) {
        let by_hash = signed.get(&entry.hash).copied();
        let is_known = by_hash.is_some() || books.remembered.contains(&entry.hash);
        if !is_known {
            foreign(books, entry, compared);
        }
        let marked = entry
            .marker
            .and_then(|marker| by_marker.get(&marker))
            .copied();
        let Some(claim) = by_hash.flatten().or(marked) else {
            continue;
        };
        if entry.result != SUCCESS || entry.transaction_type != "Payment" {
            continue;
        }
        // The key of a payment that was called off because the ledger held another one under it.
        if by_hash.is_none() && is_known && !is_same_order(&claim.payment, entry) {
            continue;
        }
        let is_its_end = matches!(claim.payment.state, State::Succeeded { tx_hash, .. } if tx_hash == entry.hash);
        if !is_its_end || !paid.insert(claim.payment.id) {
            compared.differences.push(Difference {
                drops: delivered_xrp(entry),
                ..of_payment(Kind::PaidTwice, &claim.payment, entry)
            });
        }
    }
}

fn is_same_order(payment: &Payment, entry: &Entry) -> bool {
    let order = &payment.order;
    entry.destination == Some(order.destination)
        && entry.destination_tag == order.destination_tag
        && entry.delivered == Delivered::Xrp(order.amount)
}

fn foreign(books: &Books, entry: &Entry, compared: &mut Compared) {
    if books
        .accepted_through
        .is_some_and(|through| entry.ledger_index <= through)
    {
        compared.foreign_known = compared.foreign_known.saturating_add(1);
        return;
    }
    let fee = i128::from(entry.fee.get());
    compared.differences.push(Difference {
        kind: Kind::Foreign,
        subject: format!("transaction {}", entry.hash),
        ledger_index: Some(entry.ledger_index),
        books: "nothing that was signed here".to_owned(),
        ledger: format!(
            "{} with {}, {:?} to {:?}",
            entry.transaction_type, entry.result, entry.delivered, entry.destination
        ),
        drops: fee.saturating_add(delivered_xrp(entry)),
    });
}
