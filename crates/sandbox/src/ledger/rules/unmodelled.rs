//! Transaction types that the model does not carry out yet, in one table.
//!
//! Those that look for an object which cannot exist in the model answer truly that it is not there;
//! the rest answer `temDISABLED`, as a ledger without that amendment does.

use super::{Setting, flags};
use crate::ledger::codes::Ter;
use crate::ledger::state::Read;
use crate::ledger::tx::{Tx, f, types};

/// The types that only ever look for something, and what they answer when there is nothing.
const LOOK_FOR_NOTHING: [(u16, Ter); 4] = [
    (types::ESCROW_FINISH, Ter::TEC_NO_TARGET),
    (types::ESCROW_CANCEL, Ter::TEC_NO_TARGET),
    (types::CHECK_CASH, Ter::TEC_NO_ENTRY),
    (types::CHECK_CANCEL, Ter::TEC_NO_ENTRY),
];

fn answer(tx: &Tx) -> Option<Ter> {
    LOOK_FOR_NOTHING
        .iter()
        .find(|(kind, _)| *kind == tx.kind)
        .map(|(_, code)| *code)
}

/// A check that is written too late is the one CheckCreate whose outcome needs no check to exist.
fn is_expired_check(tx: &Tx, setting: &Setting) -> bool {
    let expiration = tx.field(f::EXPIRATION).map(|field| field.u32());
    tx.kind == types::CHECK_CREATE
        && expiration.is_some_and(|at| at != 0 && at <= setting.parent_close_time)
}

pub(super) fn preflight(tx: &Tx, setting: &Setting) -> Result<(), Ter> {
    if answer(tx).is_none() && !is_expired_check(tx, setting) {
        return Err(Ter::TEM_DISABLED);
    }
    flags(tx, 0)?;
    let is_check = tx.kind == types::CHECK_CREATE;
    if is_check && tx.destination == Some(tx.account) {
        return Err(Ter::TEM_REDUNDANT);
    }
    if is_check && !tx.send_max.as_ref().is_some_and(|max| max.is_positive()) {
        return Err(Ter::TEM_BAD_AMOUNT);
    }
    Ok(())
}

pub(super) fn preclaim(tx: &Tx, setting: &Setting, view: &dyn Read) -> Result<(), Ter> {
    if let Some(code) = answer(tx) {
        return Err(code);
    }
    if is_expired_check(tx, setting) {
        let exists = tx.destination.is_some_and(|id| view.account(id).is_some());
        return Err(if exists {
            Ter::TEC_EXPIRED
        } else {
            Ter::TEC_NO_DST
        });
    }
    Err(Ter::TEM_DISABLED)
}
