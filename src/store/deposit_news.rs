//! The public form of a deposit, and what is told of it: the API and the events bear the same.

use super::deposits::{Deposit, Place, Returned, place_columns};
use super::error::StoreError;
use super::events::News;
use crate::rfc3339::Rfc3339;
use crate::shape::{amount, scalar};
use serde::{Serialize, Serializer};
use utoipa::ToSchema;
use xrpayd_core::address::AccountId;
use xrpayd_core::amount::Amount;
use xrpayd_core::ids::{DepositId, LedgerIndex, PaymentId, TxHash, UnixMs};

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
#[derive(Serialize, ToSchema)]
#[schema(as = DepositReturn)]
struct ReturnForm {
    #[schema(value_type = scalar::PaymentId)]
    payment_id: PaymentId,
    #[schema(value_type = scalar::PaybackStatus)]
    status: &'static str,
    #[schema(value_type = amount::Amount)]
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

/// A credit that a validated ledger holds for an account of ours.
#[derive(Serialize, ToSchema)]
#[schema(as = Deposit)]
pub struct DepositForm<'a> {
    #[schema(value_type = scalar::DepositId)]
    id: DepositId,
    #[schema(value_type = scalar::KindDeposit)]
    object: &'static str,
    /// The wallet that was credited.
    wallet: &'a str,
    #[schema(value_type = scalar::Address)]
    address: AccountId,
    #[schema(value_type = scalar::TxHash)]
    tx_hash: TxHash,
    #[schema(value_type = scalar::LedgerIndex)]
    ledger_index: LedgerIndex,
    /// When its ledger closed; null for what a journal of before deposits holds.
    closed_at: Option<Rfc3339>,
    /// The transaction's type by name.
    transaction_type: &'a str,
    /// Who paid; null where nobody did, as where an offer was taken.
    #[schema(value_type = Option<scalar::Address>)]
    from: Option<AccountId>,
    /// The payer's own tag: where a return goes.
    source_tag: Option<u32>,
    /// The tag that it was paid to; 0 is one.
    destination_tag: Option<u32>,
    /// What arrived; null where nobody says how much.
    #[schema(value_type = Option<amount::Amount>)]
    delivered_amount: Option<Amount>,
    /// Whether it came from a wallet of ours, or back to the one it came from.
    internal: bool,
    /// Whether its sender marked it as a return.
    is_return: bool,
    /// The invoice that took it.
    #[schema(value_type = Option<scalar::InvoiceId>)]
    invoice_id: Option<String>,
    /// Why no invoice took it.
    #[schema(value_type = Option<scalar::UnmatchedReason>)]
    unmatched_reason: Option<&'static str>,
    /// The key by which a person assigned it to its invoice; null where its tag did.
    assigned_by: Option<&'a str>,
    /// The payment that gave it back or is about to.
    #[schema(value_type = Option<scalar::PaymentId>)]
    returned_by: Option<PaymentId>,
    /// The newest return.
    #[serde(rename = "return")]
    returned: Option<ReturnForm>,
    /// Counts its changes, from 1.
    version: u32,
    created_at: Rfc3339,
}

impl<'a> DepositForm<'a> {
    fn of(deposit: &'a Deposit) -> Self {
        let (invoice_id, unmatched_reason) = place_columns(deposit.place);
        Self {
            id: deposit.id,
            object: OBJECT,
            wallet: &deposit.wallet,
            address: deposit.account,
            tx_hash: deposit.hash,
            ledger_index: deposit.ledger_index,
            closed_at: deposit.closed_at.map(Rfc3339),
            transaction_type: &deposit.transaction_type,
            from: deposit.from,
            source_tag: deposit.source_tag,
            destination_tag: deposit.destination_tag,
            delivered_amount: deposit.amount.exact(),
            internal: deposit.place == Place::Internal,
            is_return: deposit.is_return,
            invoice_id,
            unmatched_reason,
            assigned_by: deposit.assigned_by.as_deref(),
            returned_by: deposit.returned_by(),
            returned: deposit.returned.map(ReturnForm::of),
            version: deposit.version,
            created_at: Rfc3339(deposit.created_at),
        }
    }
}

/// The public form.
impl Serialize for Deposit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        DepositForm::of(self).serialize(serializer)
    }
}
