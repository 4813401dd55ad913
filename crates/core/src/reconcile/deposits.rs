//! Deposits against the journal's rows that they were read off, and invoices against their deposits.

use super::{Booked, Books, Compared, Difference, Kind};
use crate::amount::{Amount, Asset};
use crate::deposit::{Counted, credits_of};
use crate::ids::{DepositId, InvoiceId, LedgerIndex, TxHash, UnixMs};
use crate::money::Drops;
use std::collections::BTreeMap;

/// A deposit as it was booked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookedDeposit {
    /// Its identifier.
    pub id: DepositId,
    /// Its transaction.
    pub hash: TxHash,
    /// The ledger that holds it.
    pub ledger_index: LedgerIndex,
    /// The tag that it was paid to.
    pub destination_tag: Option<u32>,
    /// What arrived.
    pub amount: Counted,
}

/// What an invoice says that it received, beside the deposits that are its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvoiceSum {
    /// The invoice.
    pub id: InvoiceId,
    /// What it says.
    pub received: Amount,
    /// Its deposits.
    pub deposits: Vec<Counted>,
}

/// Every credit that the rows hold is booked once, with that amount, and nothing else is.
pub(super) fn deposits(books: &Books, compared: &mut Compared) {
    let mut booked: BTreeMap<(TxHash, Option<Asset>), Vec<&BookedDeposit>> = BTreeMap::new();
    for deposit in &books.deposits {
        let key = (deposit.hash, deposit.amount.asset());
        booked.entry(key).or_default().push(deposit);
    }
    for Booked { entry, change } in &books.entries {
        let is_unbooked = books
            .unbooked
            .as_ref()
            .is_some_and(|ledgers| ledgers.contains(&entry.ledger_index));
        if is_unbooked {
            continue;
        }
        let before = entry.root_after.map_or(Drops::ZERO, |root| {
            let before = i128::from(root.balance.get()).saturating_sub(*change);
            let before = u64::try_from(before).ok();
            before.and_then(Drops::new).unwrap_or(Drops::ZERO)
        });
        for credit in credits_of(books.account, before, entry, UnixMs(0)) {
            let key = (entry.hash, credit.amount.asset());
            let row = booked.get_mut(&key).and_then(Vec::pop);
            // Rows of before say of some things only that they came; a person has them.
            let is_left_to_a_person =
                entry.effects.is_none() && row.is_some_and(|row| row.amount.exact().is_none());
            let is_right = row.is_some_and(|row| {
                let amount = row.amount == credit.amount || is_left_to_a_person;
                amount
                    && row.ledger_index == credit.ledger_index
                    && row.destination_tag == credit.destination_tag
            });
            if !is_right {
                let held = (credit.amount, credit.destination_tag);
                let row_held = row.map(|row| (row.amount, row.destination_tag));
                let subject = row.map_or_else(
                    || format!("transaction {}", entry.hash),
                    |row| format!("deposit {}", row.id),
                );
                let told = differs(subject, entry.ledger_index, row_held, Some(held));
                compared.differences.push(told);
            }
        }
    }
    for row in booked.into_values().flatten() {
        compared.differences.push(astray(row));
    }
}

/// A deposit of a ledger that the journal does not cover.
#[must_use]
pub fn astray(deposit: &BookedDeposit) -> Difference {
    let subject = format!("deposit {}, transaction {}", deposit.id, deposit.hash);
    let booked = (deposit.amount, deposit.destination_tag);
    differs(subject, deposit.ledger_index, Some(booked), None)
}

/// What came, and to which tag.
type Came = (Counted, Option<u32>);

fn differs(
    subject: String,
    ledger_index: LedgerIndex,
    booked: Option<Came>,
    held: Option<Came>,
) -> Difference {
    let words = |came: Option<Came>| match came {
        None => "nothing".to_owned(),
        Some((amount, tag)) => {
            let tag = tag.map_or_else(String::new, |tag| format!(" to the tag {tag}"));
            format!("{}{tag}", amount_words(amount))
        }
    };
    let drops = |came: Option<Came>| {
        let amount = came.and_then(|(amount, _)| amount.exact()?.drops());
        amount.map_or(0, |drops| i128::from(drops.get()))
    };
    Difference {
        kind: Kind::Deposit,
        subject,
        ledger_index: Some(ledger_index),
        books: words(booked),
        ledger: words(held),
        drops: drops(booked).saturating_sub(drops(held)),
    }
}

fn amount_words(amount: Counted) -> String {
    match (amount, amount.asset()) {
        (Counted::Exact(amount), _) => amount.to_string(),
        (Counted::Unknown(_), Some(asset)) => format!("nobody knows how much {asset}"),
        (Counted::Unknown(_), None) => "nobody knows how much of what".to_owned(),
    }
}

/// Compares what invoices say that they received with the sum of the deposits that are their own.
#[must_use]
pub fn invoices(sums: &[InvoiceSum]) -> Vec<Difference> {
    sums.iter().filter_map(invoice).collect()
}

fn invoice(sum: &InvoiceSum) -> Option<Difference> {
    let nothing = sum.received.asset().zero();
    let total = sum.deposits.iter().try_fold(nothing, |total, deposit| {
        total.checked_add(&deposit.exact()?)
    });
    if total == Some(sum.received) {
        return None;
    }
    let drops = |amount: Amount| amount.drops().map_or(0, |drops| i128::from(drops.get()));
    Some(Difference {
        kind: Kind::Invoice,
        subject: format!("invoice {}", sum.id),
        ledger_index: None,
        books: format!("{} received", sum.received),
        ledger: total.map_or_else(
            || "deposits of which there is no sum".to_owned(),
            |total| format!("{total} by {} deposits", sum.deposits.len()),
        ),
        drops: total.map_or(0, |total| drops(sum.received).saturating_sub(drops(total))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn xrp(drops: u64) -> Amount {
        Amount::Xrp(Drops::new(drops).unwrap())
    }

    fn sum(received: u64, deposits: &[u64]) -> InvoiceSum {
        let exact = |drops: &u64| Counted::Exact(xrp(*drops));
        InvoiceSum {
            id: InvoiceId(7),
            received: xrp(received),
            deposits: deposits.iter().map(exact).collect(),
        }
    }

    #[test]
    fn an_invoice_has_received_the_sum_of_its_deposits() {
        let right = [sum(0, &[]), sum(7, &[7]), sum(9, &[4, 5])];
        assert_eq!(invoices(&right), Vec::new());
        for (wrong, drops) in [
            (sum(8, &[7]), 1),
            (sum(0, &[4]), -4),
            (sum(5, &[]), 5),
            (sum(4, &[4, 4]), -4),
        ] {
            let found = invoices(&[wrong]);
            let [found] = &found[..] else {
                panic!("{found:?}");
            };
            assert_eq!((found.kind, found.drops), (Kind::Invoice, drops));
            assert!(!found.kind.halts());
        }
        let mut unknown = sum(4, &[4]);
        unknown.deposits.push(Counted::Unknown(Some(Asset::Xrp)));
        assert_eq!(invoices(&[unknown]).len(), 1);
    }
}
