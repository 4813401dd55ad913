//! Giving back: from a person's word on a deposit or an invoice to the payment that is asked for.
//!
//! What the requests say is read here, and which deposit's payer a refund goes to. The payment itself is
//! judged as every other one is, by [`super::read`] and [`super::place`].
//!
//! Owns nothing and changes nothing: all of it is pure. On failure the caller gets every fault of the
//! request at once, each with a JSON pointer to the field.

#[cfg(test)]
mod tests;

use super::{MemoRequest, PaymentRequest};
use crate::request::{AmountRequest, Fault, Faults, FieldError, Object, fingerprint};
use crate::shape::amount::RequestedAmount;
use crate::shape::scalar;
use crate::store::{Deposit, PaybackRow, PaybackState, Place, ShownInvoice};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use utoipa::ToSchema;
use xrpayd_core::address::AccountId;
use xrpayd_core::amount::Amount;
use xrpayd_core::ids::{DepositId, InvoiceId, TxHash};
use xrpayd_core::journal::RETURN_MEMO_TYPE;
use xrpayd_core::money::Drops;

/// Separates these uses of the hash from every other, and names their version.
const DOMAIN: &[u8] = b"xrpayd/payback-request/1\n";
/// The type of a transaction after which its sender no longer exists.
const ACCOUNT_DELETE: &str = "AccountDelete";

/// The body of `POST /v1/deposits/{id}/assign`.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AssignRequest {
    /// The invoice that the deposit is for.
    #[schema(value_type = scalar::InvoiceId)]
    pub invoice_id: Option<String>,
    /// The version of the deposit that was read.
    pub version: Option<u32>,
}

/// The body of `POST /v1/deposits/{id}/return`.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReturnRequest {
    /// How much goes back; all that was delivered where absent.
    #[schema(value_type = Option<RequestedAmount>)]
    pub amount: Option<Object<AmountRequest>>,
    /// Why, in a person's words.
    #[schema(value_type = Option<scalar::Reason>)]
    pub reason: Option<String>,
}

/// The body of `POST /v1/invoices/{id}/refunds`.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RefundRequest {
    /// How much goes back; all that is left of what was received where absent.
    #[schema(value_type = Option<RequestedAmount>)]
    pub amount: Option<Object<AmountRequest>>,
    /// Who is paid, where it is not whoever paid: a classic address or an X-address.
    #[schema(value_type = Option<scalar::Destination>)]
    pub destination: Option<String>,
    /// The tag there.
    pub destination_tag: Option<u32>,
    /// The deposit whose payer is paid, where there are several.
    #[schema(value_type = Option<scalar::DepositId>)]
    pub deposit_id: Option<String>,
    /// Why, in a person's words.
    #[schema(value_type = Option<scalar::Reason>)]
    pub reason: Option<String>,
}

/// What a request asks for, by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// How much; what is left where absent.
    pub drops: Option<Drops>,
    /// The deposit that is named.
    pub deposit: Option<DepositId>,
    /// What makes two requests the same.
    pub fingerprint: [u8; 32],
}

/// A request by its meaning, in a fixed order of fields.
#[derive(Serialize)]
struct Canonical<'a> {
    of: String,
    drops: Option<u64>,
    destination: Option<&'a str>,
    destination_tag: Option<u32>,
    deposit: Option<DepositId>,
    reason: Option<&'a str>,
}

/// Why a deposit cannot be returned, whatever was done about it so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotReturnable {
    /// It came from one of our own wallets.
    #[error("it came from one of our own wallets")]
    Internal,
    /// The ledger does not say how much arrived.
    #[error("the ledger does not say how much arrived")]
    AmountUnknown,
    /// Nobody sent it.
    #[error("nobody sent it: it came through an offer")]
    NoSender,
    /// Its sender no longer exists.
    #[error("the account that sent it was deleted with it")]
    SenderDeleted,
    /// Only XRP is paid.
    #[error("only XRP is paid so far")]
    Currency,
}

/// Reads what a return asks for.
///
/// # Errors
/// Every fault of the request.
pub fn read_return(request: &ReturnRequest, of: DepositId) -> Result<Wanted, Vec<FieldError>> {
    let mut faults = Faults::default();
    let drops = drops(&mut faults, request.amount.as_ref());
    let canonical = Canonical {
        of: of.to_string(),
        drops: drops.map(Drops::get),
        destination: None,
        destination_tag: None,
        deposit: None,
        reason: request.reason.as_deref(),
    };
    wanted(faults, &canonical, drops)
}

/// Reads what a refund asks for.
///
/// # Errors
/// Every fault of the request.
pub fn read_refund(request: &RefundRequest, of: InvoiceId) -> Result<Wanted, Vec<FieldError>> {
    let mut faults = Faults::default();
    let drops = drops(&mut faults, request.amount.as_ref());
    let deposit = match request.deposit_id.as_deref().map(str::parse) {
        None => None,
        Some(Ok(id)) => Some(id),
        Some(Err(_)) => faults.invalid("/deposit_id", "is not the id of a deposit"),
    };
    if request.destination_tag.is_some() && request.destination.is_none() {
        let detail = "needs a destination: without one the payer's own tag is used";
        faults.invalid::<()>("/destination_tag", detail);
    }
    let canonical = Canonical {
        of: of.to_string(),
        drops: drops.map(Drops::get),
        destination: request.destination.as_deref(),
        destination_tag: request.destination_tag,
        deposit,
        reason: request.reason.as_deref(),
    };
    wanted(faults, &canonical, drops)
}

fn drops(faults: &mut Faults, amount: Option<&Object<AmountRequest>>) -> Option<Drops> {
    match faults.amount(amount?)? {
        Amount::Xrp(drops) => Some(drops),
        Amount::Token { .. } | Amount::Mpt { .. } => {
            let detail = "is not paid so far: XRP is";
            faults.add(Fault::CurrencyNotEnabled, "/amount/currency", detail)
        }
    }
}

fn wanted(
    faults: Faults,
    canonical: &Canonical<'_>,
    drops: Option<Drops>,
) -> Result<Wanted, Vec<FieldError>> {
    if !faults.0.is_empty() {
        return Err(faults.0);
    }
    Ok(Wanted {
        drops,
        deposit: canonical.deposit,
        fingerprint: fingerprint(DOMAIN, canonical),
    })
}

/// Who is paid by a return, and how much there is to return.
///
/// # Errors
/// Why the deposit can be returned to nobody.
pub fn returnable(
    deposit: &Deposit,
    ours: &BTreeSet<AccountId>,
) -> Result<(AccountId, Drops), NotReturnable> {
    let from = deposit.from;
    if deposit.place == Place::Internal || from.is_some_and(|from| ours.contains(&from)) {
        return Err(NotReturnable::Internal);
    }
    let amount = deposit.amount.exact();
    let amount = amount.ok_or(NotReturnable::AmountUnknown)?;
    let from = from.ok_or(NotReturnable::NoSender)?;
    if deposit.transaction_type == ACCOUNT_DELETE {
        return Err(NotReturnable::SenderDeleted);
    }
    match amount {
        Amount::Xrp(drops) => Ok((from, drops)),
        Amount::Token { .. } | Amount::Mpt { .. } => Err(NotReturnable::Currency),
    }
}

/// Whose payer a refund that names no destination goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payer<'a> {
    /// Whoever paid this deposit.
    Of(&'a Deposit),
    /// Several paid, and the request does not say whom it means.
    Several,
    /// Nobody that could be paid.
    Nobody,
}

/// Whose payer a refund goes to that names no deposit.
#[must_use]
pub fn only_payer<'a>(shown: &'a ShownInvoice, ours: &BTreeSet<AccountId>) -> Payer<'a> {
    let payers: BTreeSet<_> = shown
        .deposits
        .iter()
        .map(|deposit| (deposit.from, deposit.source_tag))
        .collect();
    if payers.len() > 1 || !shown.are_all_deposits() {
        return Payer::Several;
    }
    let mut deposits = shown.deposits.iter();
    deposits
        .find(|deposit| returnable(deposit, ours).is_ok())
        .map_or(Payer::Nobody, Payer::Of)
}

/// What is left of what an invoice received, as far as its refunds are known.
#[must_use]
pub fn left(received: Drops, refunds: &[PaybackRow]) -> Drops {
    let live = refunds
        .iter()
        .filter(|refund| refund.state != PaybackState::Failed);
    live.fold(received, |left, refund| left.saturating_sub(refund.drops))
}

/// A payment that gives something back: marked as such for whoever receives it, with the transaction that
/// had brought it.
#[must_use]
pub fn payment(
    wallet: &str,
    (destination, destination_tag): (String, Option<u32>),
    drops: Drops,
    brought_by: Option<TxHash>,
) -> PaymentRequest {
    PaymentRequest {
        destination: Some(destination),
        destination_tag,
        amount: Some(Object(AmountRequest {
            currency: Some("XRP".to_owned()),
            issuer: None,
            mpt_issuance_id: None,
            value: Some(drops.to_xrp()),
        })),
        wallet: Some(wallet.to_owned()),
        memos: Some(vec![Object(MemoRequest {
            memo_type: Some(RETURN_MEMO_TYPE.to_owned()),
            format: None,
            data: brought_by.map(|hash| hash.to_string()),
        })]),
        ..PaymentRequest::default()
    }
}
