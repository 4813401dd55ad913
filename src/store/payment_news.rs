//! What is told of payments: one event a transition.
//!
//! Owns what a merchant's systems learn of a payment by its events, and the reading of one payment's
//! events. They are written by [`super::events::tell`], in the transaction of the transition.

use super::Store;
use super::error::StoreError;
use super::events::{self, News};
use crate::rfc3339::Rfc3339;
use crate::shape::PaymentShape;
use serde::Serialize;
use serde_json::Value as Json;
use xrpayd_core::ids::{PaymentId, UnixMs};
use xrpayd_core::payment::{AttemptState, Payment, State, Verdict};

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
    /// What is told: the payment as it stood then, and what brought it there.
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

/// A payment as it stands, and what brought it there.
#[derive(Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    shape: PaymentShape<'a>,
    /// The key of the person who asked for the change.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<&'a str>,
    /// Until when somebody has to approve it.
    #[serde(skip_serializing_if = "Option::is_none")]
    approve_by: Option<Rfc3339>,
    /// Why it was rejected.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    /// What a server answered to the submission: a hint.
    #[serde(skip_serializing_if = "Option::is_none")]
    submit_result: Option<&'a str>,
}

fn data_of(payment: &Payment, by: Option<&str>) -> Result<Json, StoreError> {
    let approval = payment.approval.as_ref();
    let approve_by = approval
        .filter(|_| payment.state == State::AwaitingApproval)
        .map(|approval| Rfc3339(approval.expires_at));
    let reason = match approval.and_then(|approval| approval.verdict.as_ref()) {
        Some(Verdict::Rejected { reason, .. }) => reason.as_deref(),
        Some(Verdict::Approved { .. } | Verdict::Remembered { .. }) | None => None,
    };
    let newest = payment.attempts.last().map(|attempt| &attempt.state);
    let submit_result = match newest {
        Some(AttemptState::Submitted { result }) => Some(result.as_str()),
        Some(AttemptState::Refused { code }) => Some(code.as_str()),
        Some(
            AttemptState::Signed
            | AttemptState::Unknown
            | AttemptState::Validated { .. }
            | AttemptState::Dead { .. },
        )
        | None => None,
    };
    let told = Told {
        shape: PaymentShape::of(payment),
        by,
        approve_by,
        reason,
        submit_result,
    };
    serde_json::to_value(told).map_err(|_| StoreError::BadChange {
        payment: payment.id,
        why: "what is to be told of it has no JSON form",
    })
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
