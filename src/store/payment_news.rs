//! What is told of payments: one event a transition.
//!
//! Owns what a merchant's systems learn of a payment by its events, and the reading of one payment's
//! events. They are written by [`super::events::tell`], in the transaction of the transition.

use super::Store;
use super::error::StoreError;
use super::events::{self, News};
use crate::rfc3339::Rfc3339;
use serde_json::{Map, Value as Json};
use xrpayd_core::ids::{PaymentId, UnixMs};
use xrpayd_core::payment::{Approval, AttemptState, Payment, State, Verdict};

/// The kind of object that a payment is.
const OBJECT: &str = "payment";

/// Something that was told about a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentEvent {
    /// Its place in the feed.
    pub sequence: i64,
    /// Its type, such as `payment.processing`.
    pub type_: String,
    /// When it happened.
    pub at: UnixMs,
    /// The version of the payment that it tells of.
    pub version: u32,
    /// What is told: `status`, and what else is known by then.
    pub data: Json,
}

/// What a payment's transition is told as, with the key of who did it where that was a person.
pub(super) fn of(payment: &Payment, by: Option<&str>) -> Result<News, StoreError> {
    Ok(News {
        object: OBJECT,
        object_id: payment.id.to_string(),
        client: payment.client.clone(),
        version: payment.version,
        type_: format!("payment.{}", payment.status().as_str()),
        at: payment.updated_at,
        data: data_of(payment, by)?,
    })
}

/// What is told of a payment: how it stands, and the transaction that stands for it.
fn data_of(payment: &Payment, by: Option<&str>) -> Result<Json, StoreError> {
    let mut data = Map::new();
    let mut put = |name: &str, value: Json| data.insert(name.to_owned(), value);
    put("status", payment.status().as_str().into());
    if let Some(substatus) = payment.substatus() {
        put("substatus", substatus.as_str().into());
    }
    if let Some(by) = by {
        put("by", by.into());
    }
    let newest = payment
        .validated_attempt()
        .or_else(|| payment.attempts.last());
    if let Some(attempt) = newest {
        put("tx_hash", attempt.hash.to_string().into());
        match &attempt.state {
            AttemptState::Validated {
                result,
                ledger_index,
            } => {
                put("result", result.as_str().into());
                put("ledger_index", ledger_index.0.into());
            }
            AttemptState::Submitted { result } => {
                put("submit_result", result.as_str().into());
            }
            AttemptState::Refused { code } => {
                put("submit_result", code.as_str().into());
            }
            AttemptState::Signed | AttemptState::Unknown | AttemptState::Dead { .. } => {}
        }
    }
    match &payment.state {
        State::AwaitingApproval => {
            if let Some(approval) = &payment.approval {
                put(
                    "approve_by",
                    Rfc3339(approval.expires_at).to_string().into(),
                );
            }
        }
        State::Rejected => {
            if let Some(Approval {
                verdict: Some(Verdict::Rejected { reason, .. }),
                ..
            }) = &payment.approval
            {
                put("reason", reason.as_deref().into());
            }
        }
        State::Succeeded { delivered, .. } => {
            put("delivered_drops", delivered.to_string().into());
        }
        State::Failed { failure, .. } => {
            let failure = serde_json::to_value(failure).map_err(|_| StoreError::BadChange {
                payment: payment.id,
                why: "its failure has no JSON form",
            })?;
            put("failure", failure);
        }
        State::Queued { .. }
        | State::InFlight
        | State::Expired { .. }
        | State::Cancelled { .. } => {}
    }
    Ok(Json::Object(data))
}

impl Store {
    /// Everything that was told about a payment, oldest first.
    ///
    /// # Errors
    /// The database does not answer, or holds an event that cannot be read.
    pub async fn payment_events(&self, id: PaymentId) -> Result<Vec<PaymentEvent>, StoreError> {
        let mut tx = self.db().read().await?;
        let rows = tx
            .fetch(
                "select sequence, type, at, version, data from events \
                 where object_id = $1 and object = $2 order by sequence",
                vec![id.to_string().into(), OBJECT.into()],
            )
            .await?;
        tx.end().await?;
        let name = id.to_string();
        rows.iter()
            .map(|row| {
                let sequence = row.int("sequence")?;
                let data = events::data_from(sequence, &row.text("data")?, OBJECT, &name)?;
                Ok(PaymentEvent {
                    sequence,
                    type_: row.text("type")?,
                    at: UnixMs(row.int("at")?),
                    version: row.uint("version")?,
                    data,
                })
            })
            .collect()
    }
}
