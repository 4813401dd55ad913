//! An open ledger: one server's provisional view of the ledger to come, in order of arrival.
//!
//! Owns the overlay and the list of what applied. Results here are hints; a closed ledger is built
//! anew, in another order.

use super::codes::Ter;
use super::rules::{self, Fees, Mode, Setting};
use super::state::{Layered, Overlay, Read};
use super::tx::Tx;
use std::collections::HashSet;
use std::sync::Arc;
use xrpayd_core::ids::TxHash;

/// One server's open ledger.
#[derive(Debug, Default, Clone)]
pub(crate) struct Open {
    /// Its index.
    pub(crate) index: u32,
    /// Its parent's close time.
    pub(crate) parent_close_time: u32,
    /// The network's id.
    pub(crate) network_id: u32,
    /// What it asks for the server's own load, in base fees; zero asks for nothing beyond one.
    pub(crate) load_factor: u64,
    /// What differs from the parent.
    pub(crate) overlay: Overlay,
    /// What applied, in order.
    pub(crate) txs: Vec<Arc<Tx>>,
    ids: HashSet<TxHash>,
}

impl Open {
    /// An empty open ledger.
    pub(crate) fn new(index: u32, parent_close_time: u32, network_id: u32) -> Self {
        Self {
            index,
            parent_close_time,
            network_id,
            ..Self::default()
        }
    }

    /// How transactions apply to it.
    pub(crate) const fn setting(&self, mode: Mode) -> Setting {
        Setting {
            ledger: self.index,
            parent_close_time: self.parent_close_time,
            network_id: self.network_id,
            mode,
            fees: Fees::MODEL,
            load_factor: if self.load_factor == 0 {
                1
            } else {
                self.load_factor
            },
            forced: None,
        }
    }

    /// Whether the transaction has applied to it.
    pub(crate) fn contains(&self, hash: TxHash) -> bool {
        self.ids.contains(&hash)
    }

    /// Tries a transaction that passed preflight. Returns its result and whether it applied.
    pub(crate) fn apply(&mut self, tx: &Arc<Tx>, base: &dyn Read, mode: Mode) -> (Ter, bool) {
        let setting = self.setting(mode);
        let outcome = rules::apply(
            tx,
            &setting,
            &Layered {
                base,
                overlay: &self.overlay,
            },
        );
        let Some(changes) = outcome.changes else {
            return (outcome.result, false);
        };
        for (key, change) in changes {
            self.overlay.put(key, change.now);
        }
        self.ids.insert(tx.hash);
        self.txs.push(Arc::clone(tx));
        (outcome.result, true)
    }
}
