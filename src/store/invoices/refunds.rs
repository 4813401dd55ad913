//! What is written and told of an invoice when something of it is given back.

use super::{by_id, document};
use crate::store::db::Tx;
use crate::store::error::StoreError;
use crate::store::events::News;
use crate::store::paybacks;
use xrpayd_core::ids::{InvoiceId, UnixMs};
use xrpayd_core::payment::Payment;

/// Counts a change of what is given back of an invoice: its public form shows that.
pub(in crate::store) async fn touch(
    tx: &mut Tx,
    id: InvoiceId,
    now: UnixMs,
) -> Result<(), StoreError> {
    let written = tx
        .execute(
            "update invoices set version = version + 1, updated_at = $2 where id = $1",
            vec![id.to_string().into(), now.0.into()],
        )
        .await?;
    if written == 1 {
        return Ok(());
    }
    let what = format!("invoice {id}");
    Err(StoreError::corrupt(what, "it is refunded and missing"))
}

/// What is told of an invoice when a payment has given something of it back.
pub(in crate::store) async fn refunded(
    tx: &mut Tx,
    id: InvoiceId,
    payment: &Payment,
) -> Result<News, StoreError> {
    let missing = |why: &str| StoreError::corrupt(format!("invoice {id}"), why);
    let found = by_id(tx, id, "").await?;
    let invoice = found.ok_or_else(|| missing("it is refunded and missing"))?;
    let wallet = tx
        .fetch_optional(
            "select network_id from wallets where name = $1",
            vec![invoice.wallet.as_str().into()],
        )
        .await?;
    let wallet = wallet.ok_or_else(|| missing("its wallet is missing"))?;
    let refunds = paybacks::of_invoice(tx, id).await?;
    document::refund_news(&invoice, wallet.uint("network_id")?, &refunds, payment)
}
