//! The public form of a deposit, and what is told of it: the API and the events bear the same.

use super::deposits::{Deposit, Place, Returned, place_columns};
use super::error::StoreError;
use super::events::News;
use crate::rfc3339::Rfc3339;
use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};
use xrpayd_core::amount::Amount;
use xrpayd_core::ids::{PaymentId, UnixMs};

/// The kind of object that a deposit is.
const OBJECT: &str = "deposit";

/// What is told of a deposit when it is booked.
pub(super) fn news_of(deposit: &Deposit) -> Result<News, StoreError> {
    let type_ = match deposit.place {
        Place::Invoice(_) | Place::Internal => "deposit.received",
        Place::Unmatched(_) => "deposit.unmatched",
    };
    news_at(deposit, type_, deposit.created_at)
}

/// What is told of a deposit as it stands after a change.
pub(super) fn news_at(deposit: &Deposit, type_: &str, at: UnixMs) -> Result<News, StoreError> {
    let what = || format!("deposit {}", deposit.id);
    Ok(News {
        object: OBJECT,
        object_id: deposit.id.to_string(),
        client: deposit.client.clone(),
        version: deposit.version,
        type_: type_.to_owned(),
        at,
        data: serde_json::to_value(deposit)
            .map_err(|error| StoreError::corrupt(what(), error.to_string()))?,
    })
}

/// The public form of a return.
#[derive(Serialize)]
struct ReturnForm {
    payment_id: PaymentId,
    status: &'static str,
    amount: Amount,
}

impl ReturnForm {
    const fn of(returned: Returned) -> Self {
        Self {
            payment_id: returned.payment,
            status: returned.state.as_str(),
            amount: Amount::Xrp(returned.drops),
        }
    }
}

/// The public form.
impl Serialize for Deposit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (invoice, reason) = place_columns(self.place);
        let delivered: Option<Amount> = self.amount.exact();
        let mut form = serializer.serialize_struct("Deposit", 22)?;
        form.serialize_field("id", &self.id)?;
        form.serialize_field("object", OBJECT)?;
        form.serialize_field("wallet", &self.wallet)?;
        form.serialize_field("address", &self.account)?;
        form.serialize_field("tx_hash", &self.hash)?;
        form.serialize_field("ledger_index", &self.ledger_index)?;
        form.serialize_field("closed_at", &self.closed_at.map(Rfc3339))?;
        form.serialize_field("transaction_type", &self.transaction_type)?;
        form.serialize_field("from", &self.from)?;
        form.serialize_field("source_tag", &self.source_tag)?;
        form.serialize_field("destination_tag", &self.destination_tag)?;
        form.serialize_field("delivered_amount", &delivered)?;
        form.serialize_field("internal", &(self.place == Place::Internal))?;
        form.serialize_field("is_return", &self.is_return)?;
        form.serialize_field("invoice_id", &invoice)?;
        form.serialize_field("unmatched_reason", &reason)?;
        form.serialize_field("assigned_by", &self.assigned_by)?;
        form.serialize_field("returned_by", &self.returned_by())?;
        form.serialize_field("return", &self.returned.map(ReturnForm::of))?;
        form.serialize_field("version", &self.version)?;
        form.serialize_field("created_at", &Rfc3339(self.created_at))?;
        form.end()
    }
}
