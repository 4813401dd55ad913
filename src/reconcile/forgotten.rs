//! Deliveries that the ledger holds under our markers and that no payment of this database accounts for:
//! it was promoted or restored without them, and nobody has asked for them again.
//!
//! They are no difference. The journal holds them and the balance has borne them, so books and ledger
//! agree; what is missing is who asked, which the ledger does not tell. So they halt nothing and end no
//! command in failure, and they are named, one by one, for whoever cannot ask again.

use super::pass::Unable;
use crate::store::Store;
use crate::wallet::marker;
use std::collections::BTreeMap;
use xrpayd_core::engine::Remembered;
use xrpayd_core::ids::{Hash256, LedgerIndex, PaymentId, TxHash};
use xrpayd_core::journal::Delivered;
use xrpayd_core::money::Drops;

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forgotten {
    /// The transaction.
    pub hash: TxHash,
    /// The ledger that holds it.
    pub ledger_index: LedgerIndex,
    /// Where it paid to.
    pub destination: Option<String>,
    /// The tag there.
    pub destination_tag: Option<u32>,
    /// What it delivered.
    pub delivered: Drops,
    /// The payment that was made under the same key and called off, because it asked for something else.
    pub payment: Option<PaymentId>,
}

/// Those of a wallet in the ledgers `from ..= to`.
pub(super) async fn find(
    store: &Store,
    wallet: &str,
    from: LedgerIndex,
    to: LedgerIndex,
) -> Result<Vec<Forgotten>, Unable> {
    let rows = store.forgotten(wallet, from, to).await?;
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let called_off = called_off(store, wallet).await?;
    let found = rows.into_iter().filter_map(|row| one(row, &called_off));
    Ok(found.collect())
}

fn one(row: Remembered, called_off: &BTreeMap<Hash256, PaymentId>) -> Option<Forgotten> {
    let Delivered::Xrp(delivered) = row.delivered else {
        return None;
    };
    Some(Forgotten {
        hash: row.hash,
        ledger_index: row.ledger_index,
        destination: row.destination,
        destination_tag: row.destination_tag,
        delivered,
        payment: called_off.get(&row.marker).copied(),
    })
}

/// The payments that ended without an attempt, by the marker that each would have borne.
async fn called_off(store: &Store, wallet: &str) -> Result<BTreeMap<Hash256, PaymentId>, Unable> {
    let (mut found, mut after) = (BTreeMap::new(), None);
    loop {
        let page = store.ended_unsigned(after).await?;
        let Some(last) = page.last() else {
            return Ok(found);
        };
        after = Some(last.id);
        for payment in &page {
            let key = &payment.order.idempotency_key;
            found.insert(marker::of(wallet, &payment.client, key), payment.id);
        }
    }
}
