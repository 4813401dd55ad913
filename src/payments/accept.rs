//! Acceptance: from a client's request to an order that the store may take.
//!
//! Two steps, kept apart on purpose. [`read`] judges the request by itself: what it says is the same
//! today and in a year, and so is its fingerprint. [`place`] judges it against the configuration in
//! force: the wallet, the stage, the caps. A replay of an accepted request passes the first step
//! always and need not pass the second, because the configuration may have changed since.
//!
//! Owns nothing and changes nothing: both steps are pure. On failure the caller gets every fault of
//! the request at once, each with a JSON pointer to the field.

mod assess;
mod fields;
mod fingerprint;
pub mod payback;
mod request;
#[cfg(test)]
mod tests;

pub use crate::request::{Fault, FieldError};
pub use assess::{Assessment, assess};
pub use request::{MemoRequest, PaymentRequest};

use crate::request::Faults;
use crate::store::Words;
use fields::EXPIRES_IN_S;
use fingerprint::Canonical;
use std::collections::BTreeMap;
use std::sync::Arc;
use xrpayd_core::address::AccountId;
use xrpayd_core::ids::{Hash256, UnixMs};
use xrpayd_core::limits::{self, Breach, Caps, ScopeRules};
use xrpayd_core::money::Drops;
use xrpayd_core::payment::{ApprovalRule, Memo, Order};
use xrpayd_core::xaddress::{XAddress, XNetwork};

/// A client that may always use the stage.
const ANY_CLIENT: &str = "*";

/// What the configuration says about which payments are taken.
#[derive(Debug, Clone)]
pub struct Policy {
    /// The network, which an X-address must fit.
    pub network_id: u32,
    /// The wallets that may pay, by name.
    pub wallets: BTreeMap<String, AccountId>,
    /// The wallets of which one is chosen where the request names none.
    pub routed: Vec<String>,
    /// The rollout stage in force.
    pub stage: String,
    /// Who may use the stage; `*` is everybody.
    pub allowed_clients: Vec<String>,
    /// By which of the replicas' words the limits below were found.
    pub words: u32,
    /// The caps in force at the stage.
    pub caps: Caps,
    /// The caps of single clients and destinations.
    pub scopes: Arc<ScopeRules>,
    /// Which payments wait for a second person's word.
    pub approval: Option<ApprovalRule>,
}

impl Policy {
    /// The same under what the other replicas say of limits: the strictest of it.
    #[must_use]
    pub fn under(mut self, words: &Words) -> Self {
        self.words = words.version;
        for told in &words.told {
            let word = &told.word;
            self.caps = self.caps.stricter(word.caps_at(&self.stage));
            self.approval = ApprovalRule::stricter(self.approval, word.approval);
            if *self.scopes != word.scopes {
                self.scopes = Arc::new(self.scopes.stricter(&word.scopes));
            }
        }
        self
    }
}

/// A request that makes sense by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The wallet that was named.
    pub wallet: Option<String>,
    /// What makes two requests the same.
    pub fingerprint: [u8; 32],
    destination: AccountId,
    destination_tag: Option<u32>,
    amount: Drops,
    source_tag: Option<u32>,
    invoice_id: Option<Hash256>,
    memos: Vec<Memo>,
    max_fee: Option<Drops>,
    reference: Option<String>,
    metadata: BTreeMap<String, String>,
    expires_in_s: Option<u64>,
}

/// A request that fits the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// The wallet that pays.
    pub wallet: String,
    /// Its account.
    pub source: AccountId,
    /// What was asked for.
    pub order: Order,
}

/// Why a request that makes sense is not taken now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Fields that do not fit the configuration.
    Fields(Vec<FieldError>),
    /// The stage is not open to this client.
    ClientNotInStage {
        /// The stage in force.
        stage: String,
    },
    /// A cap that depends on the payment alone.
    Cap(Breach, Drops),
}

/// Reads a request by itself. `network_id` is that of the ledger that is paid on.
///
/// # Errors
/// Every fault of the request.
pub fn read(request: &PaymentRequest, network_id: u32) -> Result<Reading, Vec<FieldError>> {
    let mut faults = Faults::default();
    let text = faults.required("/destination", request.destination.as_deref());
    let destination =
        text.and_then(|text| destination(&mut faults, text, request.destination_tag, network_id));
    let amount = faults
        .required("/amount", request.amount.as_ref())
        .and_then(|amount| faults.xrp(amount));
    faults.not_for_xrp("/send_max", request.send_max.as_ref());
    faults.not_for_xrp("/deliver_min", request.deliver_min.as_ref());
    let invoice_id = faults.invoice_id(request.invoice_id.as_deref());
    let memos = faults.memos(
        request.memos.as_deref().unwrap_or_default(),
        request.invoice_id.is_some(),
    );
    let max_fee = faults.max_fee(request.max_fee_drops.as_deref());
    let reference = faults.reference(request.reference.as_deref());
    let metadata = faults.metadata(request.metadata.as_ref());
    let expires_in_s = faults.expires_in(request.expires_in, &EXPIRES_IN_S);
    let (Some((destination, destination_tag)), Some(amount), true) =
        (destination, amount, faults.0.is_empty())
    else {
        return Err(faults.0);
    };
    let fingerprint = Canonical {
        wallet: request.wallet.as_deref(),
        destination: destination.to_string(),
        destination_tag,
        amount_drops: amount.get(),
        source_tag: request.source_tag,
        invoice_id: invoice_id.map(|id| id.to_string()),
        memos: memos.iter().map(Into::into).collect(),
        max_fee_drops: max_fee.map(Drops::get),
        reference: reference.as_deref(),
        metadata: &metadata,
        expires_in: expires_in_s,
    }
    .fingerprint();
    Ok(Reading {
        wallet: request.wallet.clone(),
        fingerprint,
        destination,
        destination_tag,
        amount,
        source_tag: request.source_tag,
        invoice_id,
        memos,
        max_fee,
        reference,
        metadata,
        expires_in_s,
    })
}

/// Reads the destination and its tag: a classic address, or an X-address that may hold the tag.
fn destination(
    faults: &mut Faults,
    text: &str,
    tag: Option<u32>,
    network_id: u32,
) -> Option<(AccountId, Option<u32>)> {
    // Every X-address begins with X or T, and no classic address does.
    if !text.starts_with(['X', 'T']) {
        return match text.parse() {
            Ok(account) => Some((account, tag)),
            Err(bad) => faults.add(Fault::DestinationInvalid, "/destination", bad.to_string()),
        };
    }
    let address = match text.parse::<XAddress>() {
        Ok(address) => address,
        Err(bad) => {
            return faults.add(Fault::DestinationInvalid, "/destination", bad.to_string());
        }
    };
    if address.network != XNetwork::of(network_id) {
        let detail = "is an X-address of another network";
        return faults.add(Fault::DestinationInvalid, "/destination", detail);
    }
    match (address.tag, tag) {
        (Some(own), Some(other)) if own != other => {
            let detail = format!("contradicts the tag {own} in the X-address");
            faults.add(Fault::Invalid, "/destination_tag", detail)
        }
        (own, other) => Some((address.account, own.or(other))),
    }
}

/// Fits a reading to the configuration in force; `chosen` is the wallet that pays where none is named.
///
/// # Errors
/// Why it is not taken now; what the store alone can judge (the day, what is pending) is not here.
pub fn place(
    reading: &Reading,
    policy: &Policy,
    chosen: Option<&str>,
    (client, idempotency_key): (&str, &str),
    now: UnixMs,
) -> Result<Placed, Refusal> {
    let mut faults = Faults::default();
    let wallet = wallet(&mut faults, reading.wallet.as_deref().or(chosen), policy);
    if wallet.is_some_and(|(_, source)| source == reading.destination) {
        let detail = "is the wallet that would pay";
        faults.add::<()>(Fault::DestinationIsSelf, "/destination", detail);
    }
    let (Some((wallet, source)), true) = (wallet, faults.0.is_empty()) else {
        return Err(Refusal::Fields(faults.0));
    };
    let open_to = |name: &String| name == ANY_CLIENT || name == client;
    if !policy.allowed_clients.iter().any(open_to) {
        let stage = policy.stage.clone();
        return Err(Refusal::ClientNotInStage { stage });
    }
    limits::check_amount(&policy.caps, reading.amount)
        .map_err(|breach| Refusal::Cap(breach, reading.amount))?;
    Ok(Placed {
        wallet: wallet.to_owned(),
        source,
        order: reading.order(idempotency_key, now),
    })
}

impl Reading {
    /// Who is to be paid.
    #[must_use]
    pub const fn destination(&self) -> AccountId {
        self.destination
    }

    /// How much is to arrive.
    #[must_use]
    pub const fn amount(&self) -> Drops {
        self.amount
    }

    /// The order that this reading makes at `now` under a key.
    #[must_use]
    pub fn order(&self, idempotency_key: &str, now: UnixMs) -> Order {
        Order {
            destination: self.destination,
            destination_tag: self.destination_tag,
            amount: self.amount,
            source_tag: self.source_tag,
            invoice_id: self.invoice_id,
            memos: self.memos.clone(),
            max_fee: self.max_fee,
            reference: self.reference.clone(),
            metadata: self.metadata.clone(),
            expires_at: self.expires_in_s.map(|seconds| {
                let ms = i64::try_from(seconds.saturating_mul(1000)).unwrap_or(i64::MAX);
                now.plus_ms(ms)
            }),
            idempotency_key: idempotency_key.to_owned(),
            payback: None,
        }
    }
}

fn wallet<'a>(
    faults: &mut Faults,
    name: Option<&str>,
    policy: &'a Policy,
) -> Option<(&'a str, AccountId)> {
    let Some(name) = name else {
        let detail = "is required, because no wallet pays for what names none";
        return faults.add(Fault::Missing, "/wallet", detail);
    };
    match policy.wallets.get_key_value(name) {
        Some((name, account)) => Some((name, *account)),
        None => faults.add(Fault::Invalid, "/wallet", "names no wallet of this daemon"),
    }
}
