//! An invoice with what came to it, as of one moment.

use super::{Invoice, by_id};
use crate::store::Store;
use crate::store::db::Tx;
use crate::store::deposits::{self, Deposit};
use crate::store::error::StoreError;
use crate::store::paybacks::{self, PaybackRow};
use xrpayd_core::ids::InvoiceId;

/// How many deposits are shown with an invoice. Anybody can send any number of them; all are in the list
/// of deposits.
const DEPOSITS_SHOWN_MAX: u32 = 100;

/// An invoice with its deposits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownInvoice {
    /// The invoice.
    pub invoice: Invoice,
    /// What came to it, in the order of the ledger; the first hundred.
    pub deposits: Vec<Deposit>,
    /// What was given back of it, or is about to be, in the order in which that was asked for.
    pub refunds: Vec<PaybackRow>,
}

impl ShownInvoice {
    /// Whether nothing else came than is shown.
    #[must_use]
    pub fn are_all_deposits(&self) -> bool {
        u32::try_from(self.deposits.len()).is_ok_and(|shown| shown < DEPOSITS_SHOWN_MAX)
    }
}

impl Store {
    /// The invoice with this id, with what came to it.
    ///
    /// # Errors
    /// The database does not answer, or holds something that cannot be read.
    pub async fn shown_invoice(&self, id: InvoiceId) -> Result<Option<ShownInvoice>, StoreError> {
        let mut tx = self.db().read().await?;
        let shown = match by_id(&mut tx, id, "").await? {
            Some(invoice) => Some(show(&mut tx, invoice).await?),
            None => None,
        };
        tx.end().await?;
        Ok(shown)
    }
}

/// Reads what came to an invoice, in a transaction that sees one unmoving picture.
pub(super) async fn show(tx: &mut Tx, invoice: Invoice) -> Result<ShownInvoice, StoreError> {
    let (mut deposits, mut refunds) = (Vec::new(), Vec::new());
    if !invoice.received.is_zero() {
        let sql = format!(
            "select {} from deposits d where d.invoice_id = $1 \
             order by d.created_at, d.id limit $2",
            deposits::COLUMNS
        );
        let values = vec![invoice.id.to_string().into(), DEPOSITS_SHOWN_MAX.into()];
        for row in tx.fetch(sql, values).await? {
            deposits.push(deposits::decode(&row)?);
        }
        refunds = paybacks::of_invoice(tx, invoice.id).await?;
    }
    Ok(ShownInvoice {
        invoice,
        deposits,
        refunds,
    })
}
