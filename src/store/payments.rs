//! Payments as rows: how they are written, how they are read back, one by one and as lists.
//!
//! Reading is strict. A row whose columns contradict its documents, an attempt that is missing, a
//! payment that breaks an invariant of the machine: each is an error that names the payment, and
//! never a default.

use super::db::{Columns, Kind, Row, Tx, Value};
use super::error::StoreError;
use super::{Store, attempts};
use std::collections::HashMap;
use xrpayd_core::ids::{PaymentId, UnixMs};
use xrpayd_core::money::Drops;
use xrpayd_core::payment::{Approval, Attempt, Order, Payment, State, invariants};
use xrpayd_core::rollout::Outcome;

/// The columns that make a payment, of a table called `p`.
pub(super) const COLUMNS: &str = "p.id, p.client, p.idempotency_key, p.wallet, p.status, \
    p.substatus, p.phase, p.version, p.destination, p.amount_drops, p.reference, p.stage, \
    p.created_at, p.updated_at, p.expires_at, p.order_doc, p.state_doc, p.approval_doc, \
    p.approve_by";

/// Identifiers handed to a statement.
pub(super) const IDS: Columns = &[("id", Kind::Text)];

/// Where a payment stands for the lane that signs it.
pub(super) const fn phase(state: &State) -> &'static str {
    match state {
        State::AwaitingApproval => "awaiting",
        State::Queued { .. } => "queued",
        State::InFlight => "in_flight",
        State::Succeeded { .. }
        | State::Failed { .. }
        | State::Expired { .. }
        | State::Cancelled { .. }
        | State::Rejected => "final",
    }
}

/// Drops as the database holds them: there are never more than fit.
pub(super) fn drops_value(drops: Drops) -> i64 {
    i64::try_from(drops.get()).unwrap_or(i64::MAX)
}

/// Drops from the database.
pub(super) fn drops_from(what: &str, value: i64) -> Result<Drops, StoreError> {
    u64::try_from(value)
        .ok()
        .and_then(Drops::new)
        .ok_or_else(|| StoreError::corrupt(what, format!("{value} is no amount of drops")))
}

/// A document of a payment as text.
pub(super) fn document<T: serde::Serialize>(
    payment: PaymentId,
    value: &T,
) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|_| StoreError::BadChange {
        payment,
        why: "a part of it has no JSON form",
    })
}

/// The payments of `rows` with their attempts, in the same order.
pub(super) async fn assemble(tx: &mut Tx, rows: &[Row]) -> Result<Vec<Payment>, StoreError> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let mut ids = Vec::with_capacity(rows.len());
    for row in rows {
        ids.push(row.text("id")?);
    }
    let mut attempts = attempts::of_payments(tx, &ids).await?;
    rows.iter()
        .zip(&ids)
        .map(|(row, id)| decode(row, attempts.remove(id).unwrap_or_default()))
        .collect()
}

/// The payments with these ids that exist, in no particular order; in a transaction that sees one
/// unmoving picture.
async fn by_ids(tx: &mut Tx, ids: &[PaymentId]) -> Result<Vec<Payment>, StoreError> {
    let rows = ids.iter().map(|id| vec![id.to_string().into()]).collect();
    let sql = format!("select {COLUMNS} from v join payments p on p.id = v.id");
    let rows = tx.fetch_with(IDS, rows, &sql).await?;
    assemble(tx, &rows).await
}

/// The payment with this id, in a transaction that sees one unmoving picture.
pub(super) async fn by_id(tx: &mut Tx, id: PaymentId) -> Result<Option<Payment>, StoreError> {
    read(tx, id, "").await
}

/// The payment with this id, kept as it is until the transaction ends.
pub(super) async fn by_id_locked(
    tx: &mut Tx,
    id: PaymentId,
) -> Result<Option<Payment>, StoreError> {
    let lock = tx.for_update();
    read(tx, id, lock).await
}

async fn read(tx: &mut Tx, id: PaymentId, lock: &str) -> Result<Option<Payment>, StoreError> {
    let sql = format!("select {COLUMNS} from payments p where p.id = $1{lock}");
    let row = tx.fetch_optional(sql, vec![id.to_string().into()]).await?;
    let Some(row) = row else { return Ok(None) };
    Ok(assemble(tx, &[row]).await?.pop())
}

fn decode(row: &Row, attempts: Vec<Attempt>) -> Result<Payment, StoreError> {
    let name = row.text("id")?;
    decode_named(&name, row, attempts).map_err(|error| match error {
        StoreError::Corrupt { what, why } if !what.contains(&name) => {
            StoreError::corrupt(format!("payment {name}"), format!("{what}: {why}"))
        }
        other => other,
    })
}

fn decode_named(name: &str, row: &Row, attempts: Vec<Attempt>) -> Result<Payment, StoreError> {
    let bad = |why: String| StoreError::corrupt(format!("payment {name}"), why);
    let parse = |column: &str, error: &dyn std::fmt::Display| bad(format!("{column}: {error}"));
    let order: Order = serde_json::from_str(&row.text("order_doc")?)
        .map_err(|error| parse("order_doc", &error))?;
    let state: State = serde_json::from_str(&row.text("state_doc")?)
        .map_err(|error| parse("state_doc", &error))?;
    let approval: Option<Approval> = row
        .text_or_null("approval_doc")?
        .map(|text| serde_json::from_str(&text))
        .transpose()
        .map_err(|error| parse("approval_doc", &error))?;
    let payment = Payment {
        id: name.parse().map_err(|error| parse("id", &error))?,
        version: row.uint("version")?,
        client: row.text("client")?,
        wallet: row.text("wallet")?,
        order,
        stage: row.text("stage")?,
        state,
        approval,
        attempts,
        created_at: UnixMs(row.int("created_at")?),
        updated_at: UnixMs(row.int("updated_at")?),
    };
    let order = &payment.order;
    let agree = [
        ("status", row.text("status")? == payment.status().as_str()),
        (
            "substatus",
            row.text_or_null("substatus")?.as_deref() == payment.substatus().map(|s| s.as_str()),
        ),
        ("phase", row.text("phase")? == phase(&payment.state)),
        (
            "destination",
            row.text("destination")? == order.destination.to_string(),
        ),
        (
            "amount_drops",
            row.int("amount_drops")? == drops_value(order.amount),
        ),
        (
            "reference",
            row.text_or_null("reference")? == order.reference,
        ),
        (
            "expires_at",
            row.int_or_null("expires_at")? == order.expires_at.map(|at| at.0),
        ),
        (
            "approve_by",
            row.int_or_null("approve_by")? == approve_by(&payment),
        ),
        (
            "idempotency_key",
            row.text("idempotency_key")? == order.idempotency_key,
        ),
    ];
    if let Some((column, _)) = agree.iter().find(|(_, agrees)| !agrees) {
        return Err(bad(format!("{column} contradicts its document")));
    }
    invariants::check(&payment).map_err(|why| bad(why.to_owned()))?;
    Ok(payment)
}

fn approve_by(payment: &Payment) -> Option<i64> {
    let approval = payment.approval.as_ref();
    approval.map(|approval| approval.expires_at.0)
}

fn approval_document(payment: &Payment) -> Result<Option<String>, StoreError> {
    let approval = payment.approval.as_ref();
    approval
        .map(|approval| document(payment.id, approval))
        .transpose()
}

/// The columns that a transition changes, as rows of a statement.
pub(super) const CHANGED: Columns = &[
    ("id", Kind::Text),
    ("before", Kind::Int),
    ("version", Kind::Int),
    ("wallet", Kind::Text),
    ("status", Kind::Text),
    ("substatus", Kind::Text),
    ("phase", Kind::Text),
    ("counted_drops", Kind::Int),
    ("updated_at", Kind::Int),
    ("outcome", Kind::Text),
    ("state_doc", Kind::Text),
    ("approval_doc", Kind::Text),
];

/// Writes a transition where the payment is still at the version that it started from.
pub(super) const UPDATE: &str = "update payments set version = v.version, wallet = v.wallet, status = v.status, \
    substatus = v.substatus, phase = v.phase, \
    counted_drops = coalesce(v.counted_drops, payments.counted_drops), \
    updated_at = v.updated_at, outcome = v.outcome, state_doc = v.state_doc, approval_doc = v.approval_doc \
    from v where payments.id = v.id and payments.version = v.before";

/// The values of [`CHANGED`]; `counted` is what counts against the limits from now on, where that
/// changes.
pub(super) fn changed(
    payment: &Payment,
    before: u32,
    counted: Option<Drops>,
) -> Result<Vec<Value>, StoreError> {
    Ok(vec![
        payment.id.to_string().into(),
        before.into(),
        payment.version.into(),
        payment.wallet.as_str().into(),
        payment.status().as_str().into(),
        payment
            .substatus()
            .map(|substatus| substatus.as_str())
            .into(),
        phase(&payment.state).into(),
        counted.map(drops_value).into(),
        payment.updated_at.0.into(),
        Outcome::of(payment).map(Outcome::as_str).into(),
        document(payment.id, &payment.state)?.into(),
        approval_document(payment)?.into(),
    ])
}

/// The columns of a new payment.
pub(super) const NEW: Columns = &[
    ("id", Kind::Text),
    ("client", Kind::Text),
    ("idempotency_key", Kind::Text),
    ("fingerprint", Kind::Blob),
    ("wallet", Kind::Text),
    ("status", Kind::Text),
    ("substatus", Kind::Text),
    ("phase", Kind::Text),
    ("version", Kind::Int),
    ("destination", Kind::Text),
    ("amount_drops", Kind::Int),
    ("counted_drops", Kind::Int),
    ("reference", Kind::Text),
    ("stage", Kind::Text),
    ("created_at", Kind::Int),
    ("updated_at", Kind::Int),
    ("expires_at", Kind::Int),
    ("order_doc", Kind::Text),
    ("state_doc", Kind::Text),
    ("approval_doc", Kind::Text),
    ("approve_by", Kind::Int),
];

/// The values of [`NEW`].
pub(super) fn new_row(payment: &Payment, fingerprint: [u8; 32]) -> Result<Vec<Value>, StoreError> {
    let order = &payment.order;
    let amount = drops_value(order.amount);
    Ok(vec![
        payment.id.to_string().into(),
        payment.client.as_str().into(),
        order.idempotency_key.as_str().into(),
        fingerprint.into(),
        payment.wallet.as_str().into(),
        payment.status().as_str().into(),
        payment
            .substatus()
            .map(|substatus| substatus.as_str())
            .into(),
        phase(&payment.state).into(),
        payment.version.into(),
        order.destination.to_string().into(),
        amount.into(),
        amount.into(),
        order.reference.as_deref().into(),
        payment.stage.as_str().into(),
        payment.created_at.0.into(),
        payment.updated_at.0.into(),
        order.expires_at.map(|at| at.0).into(),
        document(payment.id, order)?.into(),
        document(payment.id, &payment.state)?.into(),
        approval_document(payment)?.into(),
        approve_by(payment).into(),
    ])
}

impl Store {
    /// The payment with this id, with everything that was signed for it.
    ///
    /// # Errors
    /// The database does not answer, or holds a payment that cannot be read.
    pub async fn payment(&self, id: PaymentId) -> Result<Option<Payment>, StoreError> {
        let mut tx = self.db().read().await?;
        let payment = by_id(&mut tx, id).await?;
        tx.end().await?;
        Ok(payment)
    }

    /// The payments with these ids that exist, by id.
    ///
    /// # Errors
    /// The database does not answer, or holds a payment that cannot be read.
    pub async fn payments_by_id(
        &self,
        ids: &[PaymentId],
    ) -> Result<HashMap<PaymentId, Payment>, StoreError> {
        let mut tx = self.db().read().await?;
        let found = by_ids(&mut tx, ids).await?;
        tx.end().await?;
        Ok(found
            .into_iter()
            .map(|payment| (payment.id, payment))
            .collect())
    }
}
