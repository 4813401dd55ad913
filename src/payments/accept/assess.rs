//! Everything that speaks against a request at once, for those who only ask whether it would be taken.
//!
//! [`super::read`] and [`super::place`] stop at the first step that fails, because a payment is refused
//! there anyway. Here each step goes on with what the others could use.

use super::{ANY_CLIENT, PaymentRequest, Policy, Reading, destination};
use crate::request::{Fault, Faults, FieldError};
use xrpayd_core::address::AccountId;
use xrpayd_core::money::Drops;

/// What can be said of a request by itself and by the configuration in force.
#[derive(Debug, Clone)]
pub struct Assessment {
    /// Every fault of a field.
    pub faults: Vec<FieldError>,
    /// The request as a whole, where every field can be used by itself.
    pub reading: Option<Reading>,
    /// Who is to be paid, and the tag there, where that can be used.
    pub destination: Option<(AccountId, Option<u32>)>,
    /// How much, where that can be used.
    pub amount: Option<Drops>,
    /// The wallet that would pay, and its account.
    pub wallet: Option<(String, AccountId)>,
    /// Whether the stage is open to the client.
    pub is_in_stage: bool,
}

/// Assesses the request of a client; `choose` names the wallet that pays where the request names none,
/// by what can be read of the amount and the destination.
#[must_use]
pub fn assess(
    request: &PaymentRequest,
    policy: &Policy,
    client: &str,
    choose: impl FnOnce(Drops, Option<AccountId>) -> Option<String>,
) -> Assessment {
    // What a field by itself is worth, whatever is said of the others below.
    let mut aside = Faults::default();
    let text = request.destination.as_deref();
    let tag = request.destination_tag;
    let destination = text.and_then(|text| destination(&mut aside, text, tag, policy.network_id));
    let amount = request.amount.as_ref();
    let amount = amount.and_then(|amount| aside.xrp(amount));

    let (reading, faults) = match super::read(request, policy.network_id) {
        Ok(reading) => (Some(reading), Vec::new()),
        Err(faults) => (None, faults),
    };
    let mut faults = Faults(faults);
    let named = request.wallet.clone();
    let to = destination.map(|(to, _)| to);
    let named = named.or_else(|| choose(amount.unwrap_or_default(), to));
    let wallet = super::wallet(&mut faults, named.as_deref(), policy)
        .map(|(name, account)| (name.to_owned(), account));
    if let (Some((_, source)), Some((to, _))) = (&wallet, destination)
        && *source == to
    {
        let detail = "is the wallet that would pay";
        faults.add::<()>(Fault::DestinationIsSelf, "/destination", detail);
    }
    Assessment {
        faults: faults.0,
        reading,
        destination,
        amount,
        wallet,
        is_in_stage: policy
            .allowed_clients
            .iter()
            .any(|name| name == ANY_CLIENT || name == client),
    }
}
