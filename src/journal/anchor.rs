//! Where a journal begins: the first start of a wallet on an empty database.
//!
//! The account root at an agreed validated ledger is the anchor. An account that has sent anything
//! before may have attempts of a lost database in flight, so signing waits until the journal has
//! passed every ledger that such an attempt could name.

use crate::xrpl::{HistoryError, Pool, Tip};
use xrpayd_core::address::AccountId;
use xrpayd_core::ids::LedgerIndex;
use xrpayd_core::journal::Cursor;

/// A beginning for a journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchor {
    /// The cursor to begin at.
    pub cursor: Cursor,
    /// No signing before the journal is here; `None` for an account that never sent anything.
    pub sign_from: Option<LedgerIndex>,
    /// Why the ledger will refuse the wallet's key, where it will.
    pub key_fault: Option<&'static str>,
}

/// The account root's flag that switches the master key off.
const MASTER_DISABLED: u32 = 0x0010_0000;

/// Finds the anchor at `tip`; `None` while the account does not exist on the ledger.
///
/// # Errors
/// The quorum could not be heard.
pub async fn find(
    pool: &Pool,
    account: AccountId,
    signing_account: AccountId,
    tip: &Tip,
    ledger_window: u32,
) -> Result<Option<Anchor>, HistoryError> {
    let Some(root) = pool.account_root(account, tip.index).await?.root else {
        return Ok(None);
    };
    let sign_from = if never_sent(pool, account, root.sequence, tip.index).await {
        None
    } else {
        Some(tip.index.plus(ledger_window))
    };
    let cursor = Cursor {
        start: tip.index.plus(1),
        at: tip.index,
        at_hash: tip.hash,
        next_sequence: root.sequence,
        balance: root.balance,
        owner_count: root.owner_count,
    };
    let key_fault = if root.regular_key == Some(signing_account) {
        None
    } else if signing_account != account {
        Some("the wallet's key is neither the account's master key nor its regular key")
    } else if root.flags & MASTER_DISABLED != 0 {
        Some("the wallet's key is the account's master key, which is disabled")
    } else {
        None
    };
    Ok(Some(Anchor {
        cursor,
        sign_from,
        key_fault,
    }))
}

/// An account is created with the index of its ledger as its sequence (the genesis account with 1),
/// so one that still shows the sequence it was created with has never sent anything. Where the
/// servers do not hold that ledger any more, the answer is the careful one.
async fn never_sent(pool: &Pool, account: AccountId, sequence: u32, tip: LedgerIndex) -> bool {
    if sequence == 1 {
        return true;
    }
    let created_in = LedgerIndex(sequence);
    if created_in > tip {
        return false;
    }
    match pool.history(account, created_in, created_in).await {
        Ok(history) => history.entries.iter().any(|entry| {
            entry
                .own_root
                .is_some_and(|root| root.before.is_none() && root.sequence == sequence)
        }),
        Err(error) => {
            tracing::debug!(wallet.account = %account, %error, "the wallet's first ledger cannot be read: taken as used");
            false
        }
    }
}
