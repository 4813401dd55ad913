//! Invoices: issued under a tag of their own, called off by whoever issued them, and moved by what the
//! journal says came in.
//!
//! Each public method is one transaction. That a tag belongs to one invoice of a wallet at a time, and
//! an idempotency key to one of a client, are constraints of the database. A change and what is told of
//! it are in one transaction; rows are locked in the order of their ids, before deposits and the feed.
//!
//! On failure nothing was written, unless the commit's answer was lost; a request that is repeated
//! under its key finds what it made.

mod assigning;
mod document;
mod list;
mod refunds;
mod rows;
mod shown;
mod taking;

pub use assigning::{AssignOutcome, Assignment};
pub use document::{InvoiceDocument, RefundDocument, amount_refunded};
pub use list::InvoiceFilter;
pub(super) use refunds::{refunded, touch};
pub use shown::ShownInvoice;
pub(super) use taking::{expire, take};

use super::db::{Tx, Value};
use super::error::StoreError;
use super::events;
use super::{Store, retry};
use xrpayd_core::ids::{InvoiceId, UnixMs};
use xrpayd_core::invoice::{Event, Illegal, Invoice, decide};

/// An invoice that is to be issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewInvoice {
    /// It, as it will stand; its tag is one of `tags`.
    pub invoice: Invoice,
    /// The key under which it is asked for, where there is one.
    pub idempotency_key: Option<String>,
    /// A hash over everything the client sent: another one under the same key is another request.
    pub fingerprint: [u8; 32],
    /// The tags that are tried, in their order.
    pub tags: Vec<u32>,
    /// A tag whose invoice ended before this instant has rested long enough to be given away.
    pub rested_since: UnixMs,
}

/// What became of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IssueOutcome {
    /// It is new and durable.
    Created(Invoice),
    /// The same request was made before; the invoice as it now stands.
    Replayed(Invoice),
    /// Another request was made under the same key.
    KeyReused,
    /// Every tag that was tried is in use: nearly all of them are.
    NoTagFree,
}

/// What became of a cancellation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CancelOutcome {
    /// It is done; the invoice after it.
    Done(Invoice),
    /// The client has no such invoice.
    NotFound,
    /// It cannot be done to the invoice as it stands.
    Illegal {
        /// The invoice as it stands.
        invoice: Invoice,
        /// Why not.
        why: Illegal,
    },
}

impl Store {
    /// Issues an invoice, or finds the one that the same request made before.
    ///
    /// # Errors
    /// Nothing was issued, unless [`StoreError::effect_unknown`].
    pub async fn issue(&self, new: &NewInvoice) -> Result<IssueOutcome, StoreError> {
        rows::refuse_nul(new)?;
        retry::while_contended(|| self.issue_once(new)).await
    }

    async fn issue_once(&self, new: &NewInvoice) -> Result<IssueOutcome, StoreError> {
        let mut tx = self.db().write().await?;
        for tag in &new.tags {
            let invoice = Invoice {
                destination_tag: *tag,
                ..new.invoice.clone()
            };
            for attempt in [Attempt::Unheld, Attempt::AfterRest] {
                if attempt == Attempt::AfterRest && !release(&mut tx, &invoice, new).await? {
                    break;
                }
                if rows::insert(&mut tx, &invoice, new).await? {
                    tx.commit().await?;
                    return Ok(IssueOutcome::Created(invoice));
                }
                if let Some(known) = under_key(&mut tx, new).await? {
                    tx.end().await?;
                    return Ok(known);
                }
            }
        }
        tx.end().await?;
        Ok(IssueOutcome::NoTagFree)
    }

    /// What a request under a key made before, where it made something.
    ///
    /// # Errors
    /// The database does not answer, or holds an invoice that cannot be read.
    pub async fn issued_under(
        &self,
        client: &str,
        idempotency_key: &str,
        fingerprint: [u8; 32],
    ) -> Result<Option<IssueOutcome>, StoreError> {
        let mut tx = self.db().read().await?;
        let found = lookup(&mut tx, client, idempotency_key, fingerprint).await?;
        tx.end().await?;
        Ok(found)
    }

    /// The invoice with this id.
    ///
    /// # Errors
    /// The database does not answer, or holds an invoice that cannot be read.
    pub async fn invoice(&self, id: InvoiceId) -> Result<Option<Invoice>, StoreError> {
        let mut tx = self.db().read().await?;
        let found = by_id(&mut tx, id, "").await?;
        tx.end().await?;
        Ok(found)
    }

    /// Calls an invoice off; of any client where none is named.
    ///
    /// # Errors
    /// Nothing was changed, unless [`StoreError::effect_unknown`].
    pub async fn cancel_invoice(
        &self,
        id: InvoiceId,
        client: Option<&str>,
        network_id: u32,
        now: UnixMs,
    ) -> Result<CancelOutcome, StoreError> {
        retry::while_contended(|| self.cancel_once(id, client, network_id, now)).await
    }

    async fn cancel_once(
        &self,
        id: InvoiceId,
        client: Option<&str>,
        network_id: u32,
        now: UnixMs,
    ) -> Result<CancelOutcome, StoreError> {
        let mut tx = self.db().write().await?;
        let lock = tx.for_update();
        let found = by_id(&mut tx, id, lock).await?;
        let is_theirs = |found: &Invoice| client.is_none_or(|client| found.client == client);
        let Some(invoice) = found.filter(is_theirs) else {
            tx.end().await?;
            return Ok(CancelOutcome::NotFound);
        };
        let steps = match decide(&invoice, Event::Cancel, now) {
            Ok(steps) => steps,
            Err(why) => {
                tx.end().await?;
                return Ok(CancelOutcome::Illegal { invoice, why });
            }
        };
        let news = document::news(&steps, network_id, None)?;
        let after = steps.into_iter().next_back().map(|step| step.invoice);
        let after = after.unwrap_or_else(|| invoice.clone());
        rows::update(&mut tx, vec![(invoice.version, &after)]).await?;
        events::tell(&mut tx, news).await?;
        tx.commit().await?;
        Ok(CancelOutcome::Done(after))
    }
}

/// How a tag is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attempt {
    /// As one that nobody has, which nearly all are.
    Unheld,
    /// As one that somebody had, and that has rested.
    AfterRest,
}

/// Takes a tag from an invoice that ended long ago; `false` where there is none to take it from.
async fn release(tx: &mut Tx, invoice: &Invoice, new: &NewInvoice) -> Result<bool, StoreError> {
    let written = tx
        .execute(
            "update invoices set tag_held = 0 where wallet = $1 and destination_tag = $2 \
             and tag_held = 1 and ended_at < $3",
            vec![
                invoice.wallet.as_str().into(),
                invoice.destination_tag.into(),
                new.rested_since.0.into(),
            ],
        )
        .await?;
    Ok(written > 0)
}

async fn under_key(tx: &mut Tx, new: &NewInvoice) -> Result<Option<IssueOutcome>, StoreError> {
    let Some(key) = &new.idempotency_key else {
        return Ok(None);
    };
    lookup(tx, &new.invoice.client, key, new.fingerprint).await
}

async fn lookup(
    tx: &mut Tx,
    client: &str,
    idempotency_key: &str,
    fingerprint: [u8; 32],
) -> Result<Option<IssueOutcome>, StoreError> {
    let sql = format!(
        "select {}, i.fingerprint from invoices i where i.client = $1 and i.idempotency_key = $2",
        rows::COLUMNS
    );
    let values: Vec<Value> = vec![client.into(), idempotency_key.into()];
    let Some(row) = tx.fetch_optional(sql, values).await? else {
        return Ok(None);
    };
    if row.hash("fingerprint")? != fingerprint {
        return Ok(Some(IssueOutcome::KeyReused));
    }
    rows::decode(&row).map(IssueOutcome::Replayed).map(Some)
}

/// The invoice with this id; `lock` keeps it as it is until the transaction ends.
pub(super) async fn by_id(
    tx: &mut Tx,
    id: InvoiceId,
    lock: &str,
) -> Result<Option<Invoice>, StoreError> {
    let sql = format!(
        "select {} from invoices i where i.id = $1{lock}",
        rows::COLUMNS
    );
    let row = tx.fetch_optional(sql, vec![id.to_string().into()]).await?;
    row.as_ref().map(rows::decode).transpose()
}
