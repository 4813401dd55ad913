//! Payments that give something back, as rows.

use super::claim::Claim;
use super::{NewPayback, Subject};
use crate::store::db::{Columns, Kind, Row, Tx};
use crate::store::error::StoreError;
use crate::store::payments::{drops_from, drops_value};
use std::str::FromStr;
use xrpayd_core::address::AccountId;
use xrpayd_core::ids::{DepositId, InvoiceId, PaymentId, UnixMs};
use xrpayd_core::money::Drops;
use xrpayd_core::payment::{Payback, Payment};

/// How a payment that gives something back stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaybackState {
    /// It is on its way.
    Pending,
    /// It was delivered.
    Succeeded,
    /// It ended and delivered nothing.
    Failed,
}

/// A text that is no state of a payback.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a state of a payback")]
pub struct BadState;

impl PaybackState {
    const ALL: [Self; 3] = [Self::Pending, Self::Succeeded, Self::Failed];

    /// The text in the API and the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
        }
    }
}

impl FromStr for PaybackState {
    type Err = BadState;
    fn from_str(text: &str) -> Result<Self, BadState> {
        let mut all = Self::ALL.into_iter();
        all.find(|state| state.as_str() == text).ok_or(BadState)
    }
}

/// A payment that gives something back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaybackRow {
    /// The payment.
    pub payment: PaymentId,
    /// The deposit whose payer is paid.
    pub deposit: Option<DepositId>,
    /// Which try, or which refund, it is.
    pub number: u32,
    /// How much is on its way, or was delivered.
    pub drops: Drops,
    /// How it stands.
    pub state: PaybackState,
    /// Who is paid.
    pub destination: AccountId,
    /// The tag there.
    pub destination_tag: Option<u32>,
    /// Why, in a person's words.
    pub reason: Option<String>,
    /// When it was asked for.
    pub created_at: UnixMs,
}

const COLUMNS: &str = "b.payment_id, b.deposit_id, b.number, b.drops, b.state, b.destination, \
    b.destination_tag, b.reason, b.created_at";

const NEW: Columns = &[
    ("payment_id", Kind::Text),
    ("deposit_id", Kind::Text),
    ("invoice_id", Kind::Text),
    ("number", Kind::Int),
    ("drops", Kind::Int),
    ("state", Kind::Text),
    ("destination", Kind::Text),
    ("destination_tag", Kind::Int),
    ("reason", Kind::Text),
    ("asked_by", Kind::Text),
    ("asked_client", Kind::Text),
    ("asked_key", Kind::Text),
    ("fingerprint", Kind::Blob),
    ("created_at", Kind::Int),
];

/// Writes a new one.
pub(super) async fn insert(
    tx: &mut Tx,
    new: &NewPayback,
    payback: Payback,
    payment: &Payment,
) -> Result<(), StoreError> {
    let (deposit, number) = match (payback, new.subject) {
        (Payback::Return { deposit, number }, _) => (Some(deposit), number),
        (Payback::Refund { number, .. }, Subject::Invoice(_, deposit)) => (deposit, number),
        (Payback::Refund { number, .. }, Subject::Deposit(deposit)) => (Some(deposit), number),
    };
    let order = &payment.order;
    let row = vec![
        payment.id.to_string().into(),
        deposit.map(|id| id.to_string()).into(),
        payback.refunded().map(|id| id.to_string()).into(),
        number.into(),
        drops_value(order.amount).into(),
        PaybackState::Pending.as_str().into(),
        order.destination.to_string().into(),
        order.destination_tag.into(),
        new.reason.as_deref().into(),
        new.new.asked_by.as_str().into(),
        new.asked_client.as_str().into(),
        new.asked_key.as_deref().into(),
        new.new.fingerprint.into(),
        payment.created_at.0.into(),
    ];
    tx.insert("paybacks", NEW, vec![row], "").await?;
    Ok(())
}

/// What was made under a key of a client.
pub(super) async fn under_key(
    tx: &mut Tx,
    client: &str,
    key: Option<&str>,
    fingerprint: [u8; 32],
) -> Result<Option<Claim>, StoreError> {
    let Some(key) = key else { return Ok(None) };
    let sql = "select payment_id, fingerprint from paybacks \
               where asked_client = $1 and asked_key = $2";
    let found = tx
        .fetch_optional(sql, vec![client.into(), key.into()])
        .await?;
    let Some(row) = found else { return Ok(None) };
    Ok(Some(if row.hash("fingerprint")? == fingerprint {
        Claim::Known(parsed(&row, "payment_id")?)
    } else {
        Claim::KeyReused
    }))
}

/// Whether a payment is there as one that gives something back.
pub(super) async fn is_written(tx: &mut Tx, payment: PaymentId) -> Result<bool, StoreError> {
    let sql = "select 1 as one from paybacks where payment_id = $1";
    let found = tx
        .fetch_optional(sql, vec![payment.to_string().into()])
        .await?;
    Ok(found.is_some())
}

/// The number of the last try to return a deposit; 0 where there was none.
pub(super) async fn last_try(tx: &mut Tx, deposit: DepositId) -> Result<u32, StoreError> {
    let row = tx
        .fetch_optional(
            "select cast(coalesce(max(number), 0) as bigint) as number from paybacks \
             where deposit_id = $1 and invoice_id is null",
            vec![deposit.to_string().into()],
        )
        .await?;
    row.map_or(Ok(0), |row| row.uint("number"))
}

/// The refunds of an invoice, in the order in which they were asked for.
pub(in crate::store) async fn of_invoice(
    tx: &mut Tx,
    invoice: InvoiceId,
) -> Result<Vec<PaybackRow>, StoreError> {
    let sql = format!("select {COLUMNS} from paybacks b where b.invoice_id = $1 order by b.number");
    let rows = tx.fetch(sql, vec![invoice.to_string().into()]).await?;
    rows.iter().map(decode).collect()
}

fn decode(row: &Row) -> Result<PaybackRow, StoreError> {
    let tag = row.uint_or_null("destination_tag")?;
    Ok(PaybackRow {
        payment: parsed(row, "payment_id")?,
        deposit: match row.text_or_null("deposit_id")? {
            Some(_) => Some(parsed(row, "deposit_id")?),
            None => None,
        },
        number: row.uint("number")?,
        drops: drops_from("drops", row.int("drops")?)?,
        state: parsed(row, "state")?,
        destination: parsed(row, "destination")?,
        destination_tag: tag,
        reason: row.text_or_null("reason")?,
        created_at: UnixMs(row.int("created_at")?),
    })
}

fn parsed<T: FromStr<Err: std::fmt::Display>>(row: &Row, column: &str) -> Result<T, StoreError> {
    let text = row.text(column)?;
    text.parse()
        .map_err(|error| StoreError::corrupt("a payback", format!("{column}: {text}: {error}")))
}
