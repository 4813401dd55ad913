//! Invoices as rows. Reading is strict: a row that contradicts itself or breaks an invariant is an
//! error that names the invoice, and never a default.

use super::NewInvoice;
use crate::store::db::{Columns, Kind, Row, Tx, Value};
use crate::store::error::StoreError;
use std::collections::BTreeSet;
use xrpayd_core::amount::{Amount, Asset};
use xrpayd_core::ids::{LedgerIndex, UnixMs};
use xrpayd_core::invoice::{self, Invoice, InvoiceStatus};

/// The columns that make an invoice, of a table called `i`.
pub(super) const COLUMNS: &str = "i.id, i.version, i.client, i.wallet, i.account, \
    i.destination_tag, i.issued_after, i.asset, i.amount, i.received, i.tolerance_bps, i.status, \
    i.overpaid, i.paid_late, i.reference, i.metadata, i.created_at, i.updated_at, i.expires_at, \
    i.ended_at";

const NEW: Columns = &[
    ("id", Kind::Text),
    ("client", Kind::Text),
    ("idempotency_key", Kind::Text),
    ("fingerprint", Kind::Blob),
    ("version", Kind::Int),
    ("wallet", Kind::Text),
    ("account", Kind::Text),
    ("destination_tag", Kind::Int),
    ("tag_held", Kind::Int),
    ("issued_after", Kind::Int),
    ("asset", Kind::Text),
    ("amount", Kind::Text),
    ("received", Kind::Text),
    ("tolerance_bps", Kind::Int),
    ("status", Kind::Text),
    ("overpaid", Kind::Int),
    ("paid_late", Kind::Int),
    ("reference", Kind::Text),
    ("metadata", Kind::Text),
    ("created_at", Kind::Int),
    ("updated_at", Kind::Int),
    ("expires_at", Kind::Int),
    ("ended_at", Kind::Int),
];

const CHANGED: Columns = &[
    ("id", Kind::Text),
    ("before", Kind::Int),
    ("version", Kind::Int),
    ("received", Kind::Text),
    ("status", Kind::Text),
    ("overpaid", Kind::Int),
    ("paid_late", Kind::Int),
    ("updated_at", Kind::Int),
    ("ended_at", Kind::Int),
];

const UPDATE: &str = "update invoices set version = v.version, received = v.received, \
    status = v.status, overpaid = v.overpaid, paid_late = v.paid_late, \
    updated_at = v.updated_at, ended_at = v.ended_at \
    from v where invoices.id = v.id and invoices.version = v.before";

/// PostgreSQL keeps no NUL in a text, and a reference with one is refused before it comes here.
pub(super) fn refuse_nul(new: &NewInvoice) -> Result<(), StoreError> {
    let texts = [
        ("client", Some(&new.invoice.client)),
        ("reference", new.invoice.reference.as_ref()),
        ("idempotency key", new.idempotency_key.as_ref()),
    ];
    for (field, text) in texts {
        if text.is_some_and(|text| text.contains('\0')) {
            return Err(StoreError::NulInText { field });
        }
    }
    Ok(())
}

/// Writes a new invoice; `false` where its tag or its key is taken.
pub(super) async fn insert(
    tx: &mut Tx,
    invoice: &Invoice,
    new: &NewInvoice,
) -> Result<bool, StoreError> {
    let metadata = serde_json::to_string(&invoice.metadata)
        .map_err(|error| StoreError::corrupt(name(invoice), error.to_string()))?;
    let row = vec![
        invoice.id.to_string().into(),
        invoice.client.as_str().into(),
        new.idempotency_key.as_deref().into(),
        new.fingerprint.into(),
        invoice.version.into(),
        invoice.wallet.as_str().into(),
        invoice.account.to_string().into(),
        invoice.destination_tag.into(),
        true.into(),
        invoice.issued_after.map(|ledger| ledger.0).into(),
        invoice.amount.asset().to_string().into(),
        invoice.amount.value().into(),
        invoice.received.value().into(),
        invoice.tolerance_bps.into(),
        invoice.status.as_str().into(),
        invoice.overpaid.into(),
        invoice.paid_late.into(),
        invoice.reference.as_deref().into(),
        metadata.into(),
        invoice.created_at.0.into(),
        invoice.updated_at.0.into(),
        invoice.expires_at.0.into(),
        invoice.ended_at.map(|at| at.0).into(),
    ];
    let after = "on conflict do nothing";
    let written = tx.insert("invoices", NEW, vec![row], after).await?;
    Ok(written == 1)
}

/// Writes invoices as they stand after their changes, each where it is still at the version before;
/// their rows are locked at those.
pub(super) async fn update(tx: &mut Tx, changed: Vec<(u32, &Invoice)>) -> Result<(), StoreError> {
    let expected = changed.len();
    let rows = changed.into_iter().map(|(before, invoice)| {
        vec![
            invoice.id.to_string().into(),
            before.into(),
            invoice.version.into(),
            invoice.received.value().into(),
            invoice.status.as_str().into(),
            invoice.overpaid.into(),
            invoice.paid_late.into(),
            invoice.updated_at.0.into(),
            invoice.ended_at.map(|at| at.0).into(),
        ]
    });
    let written = tx.execute_with(CHANGED, rows.collect(), UPDATE).await?;
    if usize::try_from(written) == Ok(expected) {
        return Ok(());
    }
    let why = format!("{written} of {expected} changes found their row");
    Err(StoreError::corrupt("invoices", why))
}

/// The invoice of a row.
pub(super) fn decode(row: &Row) -> Result<Invoice, StoreError> {
    let id = row.text("id")?;
    let bad = |what: &str, why: &dyn std::fmt::Display| {
        StoreError::corrupt(format!("invoice {id}"), format!("{what}: {why}"))
    };
    let flag = |column: &str| match row.int(column)? {
        0 => Ok(false),
        1 => Ok(true),
        other => Err(bad(column, &other)),
    };
    let asset: Asset = row
        .text("asset")?
        .parse()
        .map_err(|error| bad("asset", &error))?;
    let amount = |column: &str| -> Result<Amount, StoreError> {
        let value = row.text(column)?;
        asset.amount(&value).map_err(|error| bad(column, &error))
    };
    let status = row.text("status")?;
    let metadata = row.text("metadata")?;
    let invoice = Invoice {
        id: id.parse().map_err(|error| bad("id", &error))?,
        version: row.uint("version")?,
        client: row.text("client")?,
        wallet: row.text("wallet")?,
        account: row
            .text("account")?
            .parse()
            .map_err(|error| bad("account", &error))?,
        destination_tag: row.uint("destination_tag")?,
        issued_after: row.uint_or_null("issued_after")?.map(LedgerIndex),
        amount: amount("amount")?,
        received: amount("received")?,
        tolerance_bps: row.uint("tolerance_bps")?,
        status: InvoiceStatus::ALL
            .into_iter()
            .find(|known| known.as_str() == status)
            .ok_or_else(|| bad("status", &status))?,
        overpaid: flag("overpaid")?,
        paid_late: flag("paid_late")?,
        reference: row.text_or_null("reference")?,
        metadata: serde_json::from_str(&metadata).map_err(|error| bad("metadata", &error))?,
        expires_at: UnixMs(row.int("expires_at")?),
        created_at: UnixMs(row.int("created_at")?),
        updated_at: UnixMs(row.int("updated_at")?),
        ended_at: row.int_or_null("ended_at")?.map(UnixMs),
    };
    invoice::check(&invoice).map_err(|why| bad("the whole", &why))?;
    Ok(invoice)
}

fn name(invoice: &Invoice) -> String {
    format!("invoice {}", invoice.id)
}

/// Tags of wallets, handed to a statement.
pub(super) const TAGS: Columns = &[("wallet", Kind::Text), ("tag", Kind::Int)];

/// The values of [`TAGS`] for the tags of one wallet.
pub(super) fn tags(wallet: &str, tags: &BTreeSet<u32>) -> Vec<Vec<Value>> {
    tags.iter()
        .map(|tag| vec![wallet.into(), (*tag).into()])
        .collect()
}
