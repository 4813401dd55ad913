//! `OfferCancel`: an offer is taken back. One that is gone already is no error.

use super::{Offer, remove};
use crate::ledger::codes::Ter;
use crate::ledger::entry::Key;
use crate::ledger::rules::{Context, flags, owned};
use crate::ledger::state::Read;
use crate::ledger::tx::{Tx, f};

fn sequence(tx: &Tx) -> Option<u32> {
    owned::number(tx, f::OFFER_SEQUENCE)
}

pub(crate) fn preflight(tx: &Tx) -> Result<(), Ter> {
    flags(tx, 0)?;
    match sequence(tx) {
        None | Some(0) => Err(Ter::TEM_BAD_SEQUENCE),
        Some(_) => Ok(()),
    }
}

pub(crate) fn preclaim(tx: &Tx, view: &dyn Read) -> Result<(), Ter> {
    let account = view.account(tx.account).ok_or(Ter::TER_NO_ACCOUNT)?;
    if sequence(tx).is_some_and(|sequence| account.sequence <= sequence) {
        return Err(Ter::TEM_BAD_SEQUENCE);
    }
    Ok(())
}

pub(crate) fn apply(context: &mut Context<'_, '_>) -> Result<(), Ter> {
    let sequence = sequence(context.tx).ok_or(Ter::TEM_BAD_SEQUENCE)?;
    let key = Key::offer(context.tx.account, sequence);
    match Offer::read(context.changes, key) {
        Some(offer) => remove(context.changes, &offer),
        None => Ok(()),
    }
}
