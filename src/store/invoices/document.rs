//! The public form of an invoice: what the API answers and what is told by events, so that a handler of
//! an event need not ask back.

use crate::rfc3339::Rfc3339;
use crate::shape::{amount, scalar};
use crate::store::error::StoreError;
use crate::store::events::News;
use crate::store::paybacks::{PaybackRow, PaybackState};
use serde::Serialize;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use utoipa::ToSchema;
use xrpayd_core::amount::Amount;
use xrpayd_core::ids::{DepositId, InvoiceId, PaymentId};
use xrpayd_core::invoice::{Invoice, InvoiceStatus, Step, payment_uri};
use xrpayd_core::money::Drops;
use xrpayd_core::payment::Payment;
use xrpayd_core::xaddress::{XAddress, XNetwork};

/// The kind of object that an invoice is.
const OBJECT: &str = "invoice";

/// An invoice as the outside sees it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct InvoiceDocument {
    #[schema(value_type = scalar::InvoiceId)]
    id: InvoiceId,
    #[schema(value_type = scalar::KindInvoice)]
    object: &'static str,
    #[schema(value_type = scalar::InvoiceStatus)]
    status: &'static str,
    /// Whether more came than was asked for.
    overpaid: bool,
    /// Whether something came after its end.
    paid_late: bool,
    /// Counts its changes, from 1.
    version: u32,
    /// The wallet that is paid.
    wallet: String,
    #[schema(value_type = amount::Amount)]
    amount: Amount,
    /// The sum of its deposits.
    #[schema(value_type = amount::Amount)]
    amount_received: Amount,
    /// What is still to come; null where the ledger's number cannot hold it.
    #[schema(value_type = Option<amount::Amount>)]
    amount_due: Option<Amount>,
    /// How much less is enough, in hundredths of a percent.
    tolerance_bps: u32,
    #[schema(value_type = scalar::Address)]
    address: String,
    /// The invoice's own.
    destination_tag: u32,
    /// Address and tag in one.
    #[schema(value_type = scalar::XAddress)]
    x_address: String,
    /// The link for a payer's wallet; null at the invoice's end.
    payment_uri: Option<String>,
    expires_at: Rfc3339,
    /// The caller's own name for it.
    reference: Option<String>,
    /// The caller's own data.
    metadata: BTreeMap<String, String>,
    created_at: Rfc3339,
    updated_at: Rfc3339,
}

impl InvoiceDocument {
    /// The public form of an invoice on a network.
    #[must_use]
    pub fn of(invoice: &Invoice, network_id: u32) -> Self {
        let x_address = XAddress {
            account: invoice.account,
            tag: Some(invoice.destination_tag),
            network: XNetwork::of(network_id),
        };
        Self {
            id: invoice.id,
            object: OBJECT,
            status: invoice.status.as_str(),
            overpaid: invoice.overpaid,
            paid_late: invoice.paid_late,
            version: invoice.version,
            wallet: invoice.wallet.clone(),
            amount: invoice.amount,
            amount_received: invoice.received,
            amount_due: invoice.due(),
            tolerance_bps: invoice.tolerance_bps,
            address: invoice.account.to_string(),
            destination_tag: invoice.destination_tag,
            x_address: x_address.to_string(),
            payment_uri: uri(invoice, network_id),
            expires_at: Rfc3339(invoice.expires_at),
            reference: invoice.reference.clone(),
            metadata: invoice.metadata.clone(),
            created_at: Rfc3339(invoice.created_at),
            updated_at: Rfc3339(invoice.updated_at),
        }
    }

    /// The link for a payer's wallet, while the invoice waits for money.
    #[must_use]
    pub fn payment_uri(&self) -> Option<&str> {
        self.payment_uri.as_deref()
    }
}

/// Asks for what is still due, so that a payer who pays the rest is not asked for the whole. Nobody is
/// invited to pay what has its end.
fn uri(invoice: &Invoice, network_id: u32) -> Option<String> {
    match invoice.status {
        InvoiceStatus::Open | InvoiceStatus::PartiallyPaid => {
            let due = invoice.due().unwrap_or(invoice.amount);
            let tag = invoice.destination_tag;
            Some(payment_uri(network_id, invoice.account, tag, &due))
        }
        InvoiceStatus::Paid | InvoiceStatus::Expired | InvoiceStatus::Cancelled => None,
    }
}

/// What is told of an invoice's changes, in their order; the last of them came of `deposit`, where one
/// did.
pub(super) fn news(
    steps: &[Step],
    network_id: u32,
    deposit: Option<DepositId>,
) -> Result<Vec<News>, StoreError> {
    let mut news = Vec::with_capacity(steps.len());
    for (n, step) in steps.iter().enumerate() {
        let invoice = &step.invoice;
        let document = InvoiceDocument::of(invoice, network_id);
        let mut data = serde_json::to_value(document).map_err(|error| {
            StoreError::corrupt(format!("invoice {}", invoice.id), error.to_string())
        })?;
        let is_last = n.saturating_add(1) == steps.len();
        if let (Some(deposit), true, Json::Object(data)) = (deposit, is_last, &mut data) {
            data.insert("deposit_id".to_owned(), deposit.to_string().into());
        }
        news.extend(step.told.iter().map(|told| News {
            object: OBJECT,
            object_id: invoice.id.to_string(),
            client: invoice.client.clone(),
            version: invoice.version,
            type_: told.as_str().to_owned(),
            at: invoice.updated_at,
            data: data.clone(),
        }));
    }
    Ok(news)
}

/// A refund as the outside sees it.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Refund)]
pub struct RefundDocument {
    #[schema(value_type = scalar::PaymentId)]
    payment_id: PaymentId,
    #[schema(value_type = scalar::PaybackStatus)]
    status: &'static str,
    #[schema(value_type = amount::Amount)]
    amount: Amount,
    #[schema(value_type = scalar::Address)]
    destination: String,
    destination_tag: Option<u32>,
    /// The deposit whose payer is paid, where one is named.
    #[schema(value_type = Option<scalar::DepositId>)]
    deposit_id: Option<DepositId>,
    reason: Option<String>,
    created_at: Rfc3339,
}

impl RefundDocument {
    /// The public form of a refund.
    #[must_use]
    pub fn of(refund: &PaybackRow) -> Self {
        Self {
            payment_id: refund.payment,
            status: refund.state.as_str(),
            amount: Amount::Xrp(refund.drops),
            destination: refund.destination.to_string(),
            destination_tag: refund.destination_tag,
            deposit_id: refund.deposit,
            reason: refund.reason.clone(),
            created_at: Rfc3339(refund.created_at),
        }
    }
}

/// How much of an invoice was given back.
#[must_use]
pub fn amount_refunded(invoice: &Invoice, refunds: &[PaybackRow]) -> Amount {
    let done = refunds
        .iter()
        .filter(|refund| refund.state == PaybackState::Succeeded);
    match invoice.amount {
        Amount::Xrp(_) => {
            let sum = done.fold(Drops::ZERO, |sum, refund| {
                sum.checked_add(refund.drops).unwrap_or(Drops::MAX)
            });
            Amount::Xrp(sum)
        }
        // Only XRP is refunded.
        Amount::Token { .. } | Amount::Mpt { .. } => invoice.amount.asset().zero(),
    }
}

/// What is told of an invoice when a payment has given something of it back.
pub(super) fn refund_news(
    invoice: &Invoice,
    network_id: u32,
    refunds: &[PaybackRow],
    payment: &Payment,
) -> Result<News, StoreError> {
    #[derive(Serialize)]
    struct Refunded {
        #[serde(flatten)]
        document: InvoiceDocument,
        amount_refunded: Amount,
        refund: Option<RefundDocument>,
    }
    let this = refunds.iter().find(|refund| refund.payment == payment.id);
    let data = serde_json::to_value(Refunded {
        document: InvoiceDocument::of(invoice, network_id),
        amount_refunded: amount_refunded(invoice, refunds),
        refund: this.map(RefundDocument::of),
    });
    Ok(News {
        object: OBJECT,
        object_id: invoice.id.to_string(),
        client: invoice.client.clone(),
        version: invoice.version,
        type_: "invoice.refunded".to_owned(),
        at: payment.updated_at,
        data: data.map_err(|error| {
            StoreError::corrupt(format!("invoice {}", invoice.id), error.to_string())
        })?,
    })
}
