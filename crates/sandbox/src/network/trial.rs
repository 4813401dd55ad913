//! Trying a transaction out: what would come of it, without anything coming of it.
//!
//! Owns nothing and changes nothing.

use super::Net;
use crate::ledger::codes::Ter;
use crate::ledger::fees;
use crate::ledger::meta;
use crate::ledger::rules::{self, Fees, Mode};
use crate::ledger::state::Read as _;
use crate::ledger::tx::Tx;
use xrpayd_core::address::AccountId;

/// What would come of a transaction.
#[derive(Debug)]
pub(crate) struct Tried {
    pub(crate) result: Ter,
    /// Its metadata, where the ledger would take it.
    pub(crate) meta: Option<Box<[u8]>>,
    /// The ledger that it was tried on.
    pub(crate) ledger: u32,
}

impl Net {
    /// Tries a transaction, which need not be signed, on a server's open ledger.
    pub(crate) fn try_out(&self, server: usize, tx: &Tx) -> Tried {
        let open = &self.servers[server].open;
        let setting = open.setting(Mode::Trial);
        let refused = |result| Tried {
            result,
            meta: None,
            ledger: open.index,
        };
        if let Err(result) = rules::preflight(tx, &setting) {
            return refused(result);
        }
        let view = self.open_view(server);
        let outcome = rules::apply(tx, &setting, &view);
        let Some(mut changes) = outcome.changes else {
            return refused(outcome.result);
        };
        let about = meta::About {
            hash: tx.hash,
            ledger: open.index,
            index: u32::try_from(open.txs.len()).unwrap_or(u32::MAX),
            result: outcome.result,
            delivered: outcome.delivered.as_deref(),
        };
        let written = meta::write(&mut changes, &view, &about);
        Tried {
            result: outcome.result,
            meta: Some(written.meta),
            ledger: open.index,
        }
    }

    /// The fee that lets a transaction with this base fee into a server's open ledger now.
    pub(crate) fn fee_to_enter(&self, server: usize, base_fee: u64) -> u64 {
        let escalated = fees::drops_for_level(self.open_level(server), Fees::MODEL.base);
        base_fee.max(escalated)
    }

    /// The sequence number that an account's next transaction can have, those that wait counted in;
    /// nothing if the account does not exist.
    pub(crate) fn next_sequence(&self, server: usize, account: AccountId) -> Option<u32> {
        let root = self.open_view(server).account(account)?;
        let queue = &self.servers[server].queue;
        Some(queue.available(account, root.sequence))
    }
}
