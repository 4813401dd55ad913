//! Whether something may be given back, decided under the lock of what is given back.

use super::rows::{self, PaybackState};
use super::{Blocked, NewPayback, Subject};
use crate::store::db::Tx;
use crate::store::deposits::{self, Deposit, Place};
use crate::store::error::StoreError;
use crate::store::{invoices, remembered};
use std::collections::{BTreeMap, BTreeSet};
use xrpayd_core::engine::Remembered;
use xrpayd_core::ids::{DepositId, Hash256, InvoiceId, PaymentId};
use xrpayd_core::invoice::Invoice;
use xrpayd_core::journal::Delivered;
use xrpayd_core::ledger::codes::{self, OnValidated};
use xrpayd_core::marker;
use xrpayd_core::money::Drops;
use xrpayd_core::payment::Payback;

/// What a claim comes to.
pub(super) enum Claim {
    Granted(Granted),
    /// The same was asked for before.
    Known(PaymentId),
    KeyReused,
    Blocked(Blocked),
}

/// What may be given back, as it stands under its lock.
pub(super) enum Granted {
    Return {
        payback: Payback,
        deposit: Box<Deposit>,
    },
    Refund {
        payback: Payback,
        invoice: InvoiceId,
    },
}

/// Locks what is given back and claims it.
pub(super) async fn claim(tx: &mut Tx, new: &NewPayback) -> Result<Claim, StoreError> {
    match new.subject {
        Subject::Deposit(id) => of_deposit(tx, new, id).await,
        Subject::Invoice(id, _) => of_invoice(tx, new, id).await,
    }
}

/// What the same request came to before: under its key, or in the transaction whose answer was lost.
async fn asked_before(tx: &mut Tx, new: &NewPayback) -> Result<Option<Claim>, StoreError> {
    if rows::is_written(tx, new.new.id).await? {
        return Ok(Some(Claim::Known(new.new.id)));
    }
    let key = new.asked_key.as_deref();
    rows::under_key(tx, &new.asked_client, key, new.new.fingerprint).await
}

async fn of_deposit(tx: &mut Tx, new: &NewPayback, id: DepositId) -> Result<Claim, StoreError> {
    let lock = tx.for_update();
    let found = deposits::by_id(tx, id, lock).await?;
    if let Some(known) = asked_before(tx, new).await? {
        return Ok(known);
    }
    let Some(deposit) = found else {
        return Ok(Claim::Blocked(Blocked::NotFound));
    };
    if let Place::Invoice(invoice) = deposit.place {
        return Ok(Claim::Blocked(Blocked::Matched(invoice)));
    }
    if let Some(live) = deposit.returned_by() {
        let drops = deposit.returned.map(|returned| returned.drops);
        return Ok(if drops == Some(new.new.order.amount) {
            Claim::Known(live)
        } else {
            Claim::Blocked(Blocked::Returned(live))
        });
    }
    let number = rows::last_try(tx, id).await?.saturating_add(1);
    if number > Payback::NUMBER_MAX {
        return Ok(Claim::Blocked(Blocked::TooMany));
    }
    let payback = Payback::Return {
        deposit: id,
        number,
    };
    let deposit = Box::new(deposit);
    Ok(Claim::Granted(Granted::Return { payback, deposit }))
}

async fn of_invoice(tx: &mut Tx, new: &NewPayback, id: InvoiceId) -> Result<Claim, StoreError> {
    let lock = tx.for_update();
    let found = invoices::by_id(tx, id, lock).await?;
    if let Some(known) = asked_before(tx, new).await? {
        return Ok(known);
    }
    let Some(invoice) = found else {
        return Ok(Claim::Blocked(Blocked::NotFound));
    };
    if !new.past_is_read {
        return Ok(Claim::Blocked(Blocked::NotKnownYet));
    }
    let made = rows::of_invoice(tx, id).await?;
    let taken: BTreeSet<u32> = made.iter().map(|row| row.number).collect();
    let live = made.iter().filter(|row| row.state != PaybackState::Failed);
    let live_numbers: BTreeSet<u32> = live.clone().map(|row| row.number).collect();
    let forgotten = forgotten(tx, new, &invoice, &live_numbers).await?;
    // What the ledger already did of this very order, in a life that this database does not know, is
    // found again under its number.
    let again = forgotten
        .iter()
        .find(|(number, row)| !taken.contains(number) && is_same(row, new));
    let again = again.map(|(number, _)| *number);
    let reserved = live.map(|row| row.drops);
    let others = forgotten
        .iter()
        .filter(|(number, _)| Some(**number) != again);
    let of_others = others.map(|(_, row)| delivered(row).unwrap_or(Drops::MAX));
    let received = invoice.received.drops().unwrap_or(Drops::ZERO);
    let left = reserved
        .chain(of_others)
        .fold(received, |left, drops| left.saturating_sub(drops));
    if new.new.order.amount > left {
        return Ok(Claim::Blocked(Blocked::Left(left)));
    }
    let free = || {
        let mut numbers = 1..=Payback::NUMBER_MAX;
        numbers.find(|number| !taken.contains(number) && !forgotten.contains_key(number))
    };
    let Some(number) = again.or_else(free) else {
        return Ok(Claim::Blocked(Blocked::TooMany));
    };
    let payback = Payback::Refund {
        invoice: id,
        number,
    };
    Ok(Claim::Granted(Granted::Refund {
        payback,
        invoice: id,
    }))
}

/// The refunds of an invoice that the ledger delivered and that this database does not count.
async fn forgotten(
    tx: &mut Tx,
    new: &NewPayback,
    invoice: &Invoice,
    counted: &BTreeSet<u32>,
) -> Result<BTreeMap<u32, Remembered>, StoreError> {
    let wallet = new.new.wallet.as_str();
    let numbers = (1..=Payback::NUMBER_MAX).filter(|number| !counted.contains(number));
    let by_marker: BTreeMap<Hash256, u32> = numbers
        .map(|number| {
            let refund = Payback::Refund {
                invoice: invoice.id,
                number,
            };
            (marker::of(wallet, &invoice.client, &refund.key()), number)
        })
        .collect();
    let markers: Vec<(&str, Hash256)> = by_marker.keys().map(|of| (wallet, *of)).collect();
    let rows = remembered::marked_so(tx, &markers).await?;
    let delivered = rows
        .into_iter()
        .filter(|row| codes::on_validated(&row.result) == OnValidated::Delivered);
    Ok(delivered
        .filter_map(|row| by_marker.get(&row.marker).map(|number| (*number, row)))
        .collect())
}

fn delivered(row: &Remembered) -> Option<Drops> {
    match row.delivered {
        Delivered::Xrp(drops) => Some(drops),
        Delivered::Nothing
        | Delivered::Other(_)
        | Delivered::Unreadable(_)
        | Delivered::Unavailable => None,
    }
}

fn is_same(row: &Remembered, new: &NewPayback) -> bool {
    let order = &new.new.order;
    row.destination == Some(order.destination.to_string())
        && row.destination_tag == order.destination_tag
        && delivered(row) == Some(order.amount)
}
