//! Issuing: from a client's request to an invoice that the store may take.
//!
//! Two steps, as for payments. [`read`] judges the request by itself: what it says is the same today and
//! in a year, and so is its fingerprint. [`place`] judges it against the configuration in force: the
//! wallet that is paid, and what it takes.
//!
//! Owns nothing and changes nothing; entropy comes in as an argument. On failure the caller gets every
//! fault of the request at once, each with a JSON pointer to the field.

#[cfg(test)]
mod tests;

use crate::clock::Entropy;
use crate::request::{AmountRequest, Fault, Faults, FieldError, Metadata, Object, fingerprint};
use crate::shape::amount::RequestedAmount;
use crate::shape::scalar;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;
use utoipa::ToSchema;
use xrpayd_core::address::AccountId;
use xrpayd_core::amount::{Amount, Asset};
use xrpayd_core::ids::{InvoiceId, LedgerIndex, UnixMs};
use xrpayd_core::invoice::{Invoice, InvoiceStatus, LIFE_S, TOLERANCE_BPS_MAX};

/// How many tags are drawn for an invoice. They are drawn from four billion, so that even with half of
/// them in use all of these are taken once in sixty thousand times.
const TAGS_DRAWN: usize = 16;
/// Separates this use of the hash from every other, and names its version.
const DOMAIN: &[u8] = b"xrpayd/invoice-request/1\n";

/// The body of `POST /v1/invoices`. Everything is optional here, so that a body with several faults is
/// told all of them at once; what must be there is said by [`read`].
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InvoiceRequest {
    /// How much is asked for.
    #[schema(value_type = RequestedAmount)]
    pub amount: Option<Object<AmountRequest>>,
    /// The wallet that is to be paid; that of the configuration, or the only one, where absent.
    pub wallet: Option<String>,
    /// The caller's own name for it.
    #[schema(value_type = Option<scalar::Reference>)]
    pub reference: Option<String>,
    /// The caller's own data.
    pub metadata: Option<Metadata>,
    /// Seconds until it expires; as configured where absent.
    #[schema(minimum = 1, maximum = 31536000)]
    pub expires_in: Option<u64>,
    /// How much less is enough, in hundredths of a percent.
    #[schema(maximum = 9999)]
    pub tolerance_bps: Option<u32>,
}

/// What the configuration says about which invoices are issued.
#[derive(Debug, Clone)]
pub struct Policy {
    /// The wallets that may be paid, by name.
    pub wallets: BTreeMap<String, AccountId>,
    /// The one that is paid where none is named.
    pub wallet: Option<String>,
    /// What is taken besides XRP.
    pub assets: Vec<Asset>,
    /// How long an invoice lives that does not say.
    pub expires_in: Duration,
    /// How long a tag rests after its invoice's end.
    pub tag_quarantine: Duration,
}

/// A request that makes sense by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// What makes two requests the same.
    pub fingerprint: [u8; 32],
    wallet: Option<String>,
    amount: Amount,
    reference: Option<String>,
    metadata: BTreeMap<String, String>,
    expires_in_s: Option<u64>,
    tolerance_bps: u32,
}

/// A request by its meaning, in a fixed order of fields.
#[derive(Serialize)]
struct Canonical<'a> {
    wallet: Option<&'a str>,
    amount: Amount,
    reference: Option<&'a str>,
    metadata: &'a BTreeMap<String, String>,
    expires_in: Option<u64>,
    tolerance_bps: u32,
}

/// Who is issued an invoice, and when.
#[derive(Debug, Clone)]
pub struct Issuing<'a> {
    /// Its identifier.
    pub id: InvoiceId,
    /// The client that asks.
    pub client: &'a str,
    /// The newest validated ledger, where one is known.
    pub tip: Option<LedgerIndex>,
    /// The time.
    pub now: UnixMs,
}

/// Reads a request by itself.
///
/// # Errors
/// Every fault of the request.
pub fn read(request: &InvoiceRequest) -> Result<Reading, Vec<FieldError>> {
    let mut faults = Faults::default();
    let amount = faults
        .required("/amount", request.amount.as_ref())
        .and_then(|amount| faults.amount(amount));
    let reference = faults.reference(request.reference.as_deref());
    let metadata = faults.metadata(request.metadata.as_ref());
    let expires_in_s = faults.expires_in(request.expires_in, &LIFE_S);
    // Left out and none are the same request.
    let tolerance_bps = request.tolerance_bps.unwrap_or(0);
    if tolerance_bps > TOLERANCE_BPS_MAX {
        let detail = format!("must be 0 to {TOLERANCE_BPS_MAX}, hundredths of a percent");
        faults.invalid::<()>("/tolerance_bps", detail);
    }
    let (Some(amount), true) = (amount, faults.0.is_empty()) else {
        return Err(faults.0);
    };
    let canonical = Canonical {
        wallet: request.wallet.as_deref(),
        amount,
        reference: reference.as_deref(),
        metadata: &metadata,
        expires_in: expires_in_s,
        tolerance_bps,
    };
    Ok(Reading {
        fingerprint: fingerprint(DOMAIN, &canonical),
        wallet: request.wallet.clone(),
        amount,
        reference,
        metadata,
        expires_in_s,
        tolerance_bps,
    })
}

/// Fits a reading to the configuration in force. The invoice has no tag yet: the store gives it the
/// first that is free of those that were drawn.
///
/// # Errors
/// The fields that do not fit.
pub fn place(
    reading: &Reading,
    policy: &Policy,
    issuing: &Issuing<'_>,
) -> Result<Invoice, Vec<FieldError>> {
    let mut faults = Faults::default();
    let wallet = wallet(&mut faults, reading, policy);
    asset(&mut faults, reading.amount.asset(), policy);
    if let Some((_, account)) = wallet
        && reading.amount.asset().issuer() == Some(account)
    {
        let detail = "is issued by the wallet itself, which nobody can pay in it";
        faults.add::<()>(Fault::CurrencyNotEnabled, "/amount", detail);
    }
    let (Some((wallet, account)), true) = (wallet, faults.0.is_empty()) else {
        return Err(faults.0);
    };
    let lives_ms = match reading.expires_in_s {
        Some(seconds) => i64::try_from(seconds.saturating_mul(1_000)).unwrap_or(i64::MAX),
        None => ms(policy.expires_in),
    };
    Ok(Invoice {
        id: issuing.id,
        version: 1,
        client: issuing.client.to_owned(),
        wallet: wallet.to_owned(),
        account,
        destination_tag: 0,
        issued_after: issuing.tip,
        amount: reading.amount,
        tolerance_bps: reading.tolerance_bps,
        status: InvoiceStatus::Open,
        overpaid: false,
        paid_late: false,
        received: reading.amount.asset().zero(),
        reference: reading.reference.clone(),
        metadata: reading.metadata.clone(),
        expires_at: issuing.now.plus_ms(lives_ms),
        created_at: issuing.now,
        updated_at: issuing.now,
        ended_at: None,
    })
}

/// A tag whose invoice ended before this instant may be given away.
#[must_use]
pub fn rested_since(policy: &Policy, now: UnixMs) -> UnixMs {
    now.plus_ms(ms(policy.tag_quarantine).saturating_neg())
}

/// Draws the tags that are tried for an invoice: at random, so that a mistyped tag hardly ever hits
/// another invoice's, and never 0, which some wallets send where their owner gave none.
#[must_use]
pub fn draw_tags(entropy: &dyn Entropy) -> Vec<u32> {
    let mut tags = Vec::with_capacity(TAGS_DRAWN);
    let mut bytes = [0_u8; 4 * TAGS_DRAWN];
    entropy.fill(&mut bytes);
    for chunk in bytes.chunks_exact(4) {
        let tag = chunk.try_into().map_or(0, u32::from_be_bytes);
        // One is as good as any other, and more likely by one in four billion.
        tags.push(tag.max(1));
    }
    tags
}

fn ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn wallet<'a>(
    faults: &mut Faults,
    reading: &Reading,
    policy: &'a Policy,
) -> Option<(&'a str, AccountId)> {
    let only = match policy.wallets.len() {
        1 => policy.wallets.keys().next(),
        _ => None,
    };
    let named = reading.wallet.as_ref().or(policy.wallet.as_ref()).or(only);
    let Some(name) = named else {
        let detail = "is required, because no wallet is set for invoices and there are several";
        return faults.add(Fault::Missing, "/wallet", detail);
    };
    match policy.wallets.get_key_value(name) {
        Some((name, account)) => Some((name, *account)),
        None => faults.invalid("/wallet", "names no wallet of this daemon"),
    }
}

fn asset(faults: &mut Faults, asset: Asset, policy: &Policy) {
    if asset == Asset::Xrp || policy.assets.contains(&asset) {
        return;
    }
    let pointer = match asset {
        Asset::Xrp | Asset::Token { .. } => "/amount/currency",
        Asset::Mpt(_) => "/amount/mpt_issuance_id",
    };
    let detail = format!("is not taken here: `invoices.assets` does not list {asset}");
    faults.add::<()>(Fault::CurrencyNotEnabled, pointer, detail);
}
