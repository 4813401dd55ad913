//! Building a closed ledger out of a set of transactions: the order, the passes, the metadata.
//!
//! Owns nothing; returns the ledger and what changed, for the caller to write down and then show.

use super::chain::{Applied, Chain, Header, Ledger};
use super::codes::Ter;
use super::fees;
use super::meta;
use super::queue::level_paid;
use super::rules::{self, Fees, Mode, Setting};
use super::state::{Layered, Overlay};
use super::tx::{SeqProxy, Tx, types};
use crate::faults::Forced;
use std::sync::Arc;
use xrpayd_codec::sha512_half;
use xrpayd_codec::tree::{self, Leaf, transaction_leaf};
use xrpayd_core::ids::TxHash;

/// Passes over the set; a `tec` is taken only in passes after [`RETRY_PASSES`].
const PASSES: usize = 3;
const RETRY_PASSES: usize = 1;
/// Close times are rounded to this.
pub(crate) const CLOSE_RESOLUTION_S: u32 = 10;

/// A ledger that was built, and what it changes.
pub(crate) struct Built {
    pub(crate) ledger: Ledger,
    pub(crate) overlay: Overlay,
}

/// The time a ledger closes with: rounded, and always later than its parent's.
pub(crate) const fn close_time(now: u32, parent: u32) -> u32 {
    let rounded =
        now.saturating_add(CLOSE_RESOLUTION_S / 2) / CLOSE_RESOLUTION_S * CLOSE_RESOLUTION_S;
    if rounded > parent {
        rounded
    } else {
        parent.saturating_add(1)
    }
}

/// With whom a ledger is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Company {
    /// With the network, which agrees on the close time.
    Network,
    /// Alone. The header says that nobody agreed on the time, so that no ledger that a lone server closes
    /// has the hash of one that the network closed. Nor do two lone servers ever close the same one.
    Alone { server: usize },
}

impl Company {
    /// rippled's `sLCF_NoConsensusTime`.
    const fn close_flags(self) -> u8 {
        match self {
            Self::Network => 0,
            Self::Alone { .. } => 1,
        }
    }

    /// The hash of a state that is closed in this company: lone servers never agree by chance.
    fn marked(self, account_hash: [u8; 32]) -> [u8; 32] {
        match self {
            Self::Network => account_hash,
            Self::Alone { server } => {
                sha512_half(&[b"MLF\0", &account_hash, &server.to_be_bytes()])
            }
        }
    }
}

/// Builds the successor of the chain's newest ledger from `set`, closed at `close_time`; payments with the
/// tags of `forced` end as it says.
pub(crate) fn build(
    chain: &Chain,
    set: &[Arc<Tx>],
    close_time: u32,
    network_id: u32,
    company: Company,
    forced: &Forced,
) -> Built {
    let parent = chain.tip();
    let index = parent.header.index + 1;
    let setting = |mode| Setting {
        ledger: index,
        parent_close_time: parent.header.close_time,
        network_id,
        mode,
        fees: Fees::MODEL,
        load_factor: 1,
        forced: None,
    };
    let mut overlay = Overlay::default();
    let mut applied: Vec<Applied> = Vec::with_capacity(set.len());
    let mut levels: Vec<u64> = Vec::with_capacity(set.len());
    let mut waiting = canonical_order(set);
    let mut mode = Mode::CloseRetry;
    for pass in 0..PASSES {
        let before = applied.len();
        waiting.retain(|tx| {
            let position = u32::try_from(applied.len()).unwrap_or(u32::MAX);
            let view = Layered {
                base: &chain.state,
                overlay: &overlay,
            };
            let of_tag = tx.destination_tag.and_then(|tag| forced.get(&tag));
            let setting = Setting {
                forced: of_tag.copied().filter(|_| tx.kind == types::PAYMENT),
                ..setting(mode)
            };
            let outcome = match rules::preflight(tx, &setting) {
                Ok(()) => rules::apply(tx, &setting, &view),
                Err(result) => rules::Outcome {
                    result,
                    changes: None,
                    delivered: None,
                },
            };
            let level = level_paid(tx, &view);
            let Some(mut changes) = outcome.changes else {
                return outcome.result.is_ter() || outcome.result.is_tec();
            };
            let about = meta::About {
                hash: tx.hash,
                ledger: index,
                index: position,
                result: outcome.result,
                delivered: outcome.delivered.as_deref(),
            };
            let written = meta::write(&mut changes, &view, &about);
            for (key, change) in changes {
                overlay.put(key, change.now);
            }
            applied.push(Applied::new(tx, written, outcome.result));
            levels.push(level);
            false
        });
        let changed = applied.len() > before;
        if !changed && mode == Mode::CloseFinal {
            break;
        }
        if !changed || pass >= RETRY_PASSES {
            mode = Mode::CloseFinal;
        }
    }
    let header = header(chain, &applied, &overlay, close_time, company);
    Built {
        ledger: Ledger {
            header,
            txs: applied,
            median_level: fees::median(&mut levels),
        },
        overlay,
    }
}

fn header(
    chain: &Chain,
    applied: &[Applied],
    overlay: &Overlay,
    close_time: u32,
    company: Company,
) -> Header {
    let parent = &chain.tip().header;
    let mut leaves: Vec<Leaf> = applied
        .iter()
        .filter_map(|tx| transaction_leaf(tx.hash, &tx.blob, &tx.meta))
        .collect();
    let burned: u64 = applied.iter().map(|tx| tx.fee).sum();
    let mut header = Header {
        index: parent.index + 1,
        hash: [0; 32],
        parent_hash: parent.hash,
        transaction_hash: tree::root(&mut leaves),
        account_hash: company.marked(account_hash(parent.account_hash, overlay)),
        total_drops: parent.total_drops.saturating_sub(burned),
        parent_close_time: parent.close_time,
        close_time,
        close_flags: company.close_flags(),
    };
    header.hash = header.compute_hash();
    header
}

/// The model does not rebuild the state tree; its hash is chained from the parent's over every change,
/// so that equal hashes still mean equal histories.
fn account_hash(parent: [u8; 32], overlay: &Overlay) -> [u8; 32] {
    let mut keys: Vec<_> = overlay.changed.iter().collect();
    keys.sort_unstable_by_key(|(key, _)| **key);
    let mut bytes = parent.to_vec();
    for (key, entry) in keys {
        bytes.extend(key.index());
        bytes.extend(
            entry
                .as_ref()
                .map(super::entry::Entry::to_bytes)
                .unwrap_or_default(),
        );
    }
    if bytes.len() == 32 {
        parent
    } else {
        sha512_half(&[b"MLN\0", &bytes])
    }
}

/// The order in which a ledger applies a set: accounts by their id mixed with the set's hash, then an
/// account's sequences before its tickets, both ascending.
fn canonical_order(set: &[Arc<Tx>]) -> Vec<Arc<Tx>> {
    let mut leaves: Vec<Leaf> = set
        .iter()
        .map(|tx| Leaf {
            key: tx.hash.0,
            hash: tx.hash.0,
        })
        .collect();
    let salt = tree::root(&mut leaves);
    let mut keyed: Vec<([u8; 20], SeqProxy, TxHash, &Arc<Tx>)> = set
        .iter()
        .map(|tx| {
            let mut mixed = tx.account.0;
            mixed
                .iter_mut()
                .zip(salt)
                .for_each(|(byte, salt)| *byte ^= salt);
            (mixed, tx.proxy(), tx.hash, tx)
        })
        .collect();
    keyed.sort_unstable_by_key(|(account, proxy, hash, _)| (*account, *proxy, *hash));
    keyed
        .into_iter()
        .map(|(_, _, _, tx)| Arc::clone(tx))
        .collect()
}

impl Applied {
    fn new(tx: &Tx, written: meta::Written, result: Ter) -> Self {
        Self {
            hash: tx.hash,
            blob: tx.blob.clone(),
            meta: written.meta,
            accounts: written.accounts.into_boxed_slice(),
            result,
            fee: tx.fee_drops(),
        }
    }
}
