//! Payments of XRP, tokens and multi-purpose tokens.

use crate::amount::Amount;
use crate::paths::{Path, PathStep};
use crate::transaction::{BadTransaction, bad, set, set_if};
use serde_json::{Map, Value};
use xrpayd_core::address::AccountId;
use xrpayd_core::ids::Hash256;

/// A payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// Who is paid.
    pub destination: AccountId,
    /// The tag at the destination; 0 is a tag.
    pub destination_tag: Option<u32>,
    /// What arrives: exactly this, or at most this where partial payment is asked for.
    pub amount: Amount,
    /// The most that may be spent, where that is another asset or an issuer takes a fee.
    pub send_max: Option<Amount>,
    /// The least that must arrive in a partial payment.
    pub deliver_min: Option<Amount>,
    /// The ways to convert what is spent into what arrives.
    pub paths: Vec<Path>,
    /// A hash for the recipient's own use.
    pub invoice_id: Option<Hash256>,
    /// Departures from the usual rules.
    pub options: Vec<PaymentOption>,
}

/// A departure from the usual rules of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PaymentOption {
    /// Use only the paths that are given.
    NoDirectPath,
    /// Deliver less rather than nothing.
    PartialPayment,
    /// Never pay a worse rate than `SendMax` to `Amount`.
    LimitQuality,
}

impl PaymentOption {
    const fn flag(self) -> u32 {
        match self {
            Self::NoDirectPath => 0x0001_0000,
            Self::PartialPayment => 0x0002_0000,
            Self::LimitQuality => 0x0004_0000,
        }
    }
}

const PATHS_MAX: usize = 6;
const STEPS_MAX: usize = 8;
/// Nobody holds the keys of the accounts zero and one.
const ACCOUNT_ONE: AccountId = {
    let mut one = [0; 20];
    one[19] = 1;
    AccountId(one)
};
const ACCOUNT_ZERO: AccountId = AccountId([0; 20]);

impl Payment {
    /// A plain payment of that amount, with nothing special about it.
    #[must_use]
    pub const fn new(destination: AccountId, amount: Amount) -> Self {
        Self {
            destination,
            destination_tag: None,
            amount,
            send_max: None,
            deliver_min: None,
            paths: Vec::new(),
            invoice_id: None,
            options: Vec::new(),
        }
    }

    pub(crate) fn render(
        &self,
        account: AccountId,
        tx: &mut Map<String, Value>,
    ) -> Result<(), BadTransaction> {
        self.check_sides(account)?;
        self.check_amounts()?;
        self.check_paths()?;
        let flags = self.options.iter().fold(0, |all, o| all | o.flag());
        set(tx, "TransactionType", "Payment");
        set(tx, "Flags", flags);
        set(tx, "Destination", self.destination.to_string());
        set_if(tx, "DestinationTag", self.destination_tag);
        set(tx, "Amount", self.amount.to_json());
        set_if(tx, "SendMax", self.send_max.map(|a| a.to_json()));
        set_if(tx, "DeliverMin", self.deliver_min.map(|a| a.to_json()));
        set_if(tx, "InvoiceID", self.invoice_id.map(|id| id.to_string()));
        if !self.paths.is_empty() {
            let render = |path: &Path| path.iter().map(PathStep::to_json).collect::<Value>();
            set(
                tx,
                "Paths",
                self.paths.iter().map(render).collect::<Value>(),
            );
        }
        Ok(())
    }

    fn is_partial(&self) -> bool {
        self.options.contains(&PaymentOption::PartialPayment)
    }

    fn check_sides(&self, account: AccountId) -> Result<(), BadTransaction> {
        if self.destination == ACCOUNT_ZERO || self.destination == ACCOUNT_ONE {
            return Err(bad(
                "Destination",
                "is an account that nobody has the key of",
            ));
        }
        let spent = self.send_max.as_ref().unwrap_or(&self.amount);
        if self.destination == account && self.paths.is_empty() && same_asset(spent, &self.amount) {
            return Err(bad(
                "Destination",
                "must not be the sender of the same asset",
            ));
        }
        Ok(())
    }

    fn check_amounts(&self) -> Result<(), BadTransaction> {
        if !self.amount.is_positive() {
            return Err(bad("Amount", "must be more than nothing"));
        }
        let is_xrp = matches!(self.amount, Amount::Xrp(_));
        match &self.send_max {
            Some(max) if !max.is_positive() => {
                return Err(bad("SendMax", "must be more than nothing"));
            }
            Some(Amount::Xrp(_)) if is_xrp => {
                return Err(bad("SendMax", "must be absent when XRP is paid with XRP"));
            }
            Some(max) if is_mpt(max) != is_mpt(&self.amount) || mpts_differ(max, &self.amount) => {
                return Err(bad("SendMax", "must be of the same multi-purpose token"));
            }
            None if is_xrp && !self.options.is_empty() => {
                return Err(bad("Flags", "must be 0 when XRP is paid with XRP"));
            }
            None if is_xrp && !self.paths.is_empty() => {
                return Err(bad("Paths", "must be absent when XRP is paid with XRP"));
            }
            Some(_) | None => {}
        }
        if let Some(min) = &self.deliver_min {
            if !self.is_partial() {
                return Err(bad("DeliverMin", "needs a partial payment"));
            }
            if !min.is_positive() || !same_asset(min, &self.amount) {
                return Err(bad("DeliverMin", "must be of the asset that is delivered"));
            }
            if exceeds(min, &self.amount) {
                return Err(bad("DeliverMin", "must not be more than Amount"));
            }
        }
        Ok(())
    }

    fn check_paths(&self) -> Result<(), BadTransaction> {
        if is_mpt(&self.amount) {
            if !self.paths.is_empty() {
                return Err(bad("Paths", "cannot be used with multi-purpose tokens"));
            }
            if self
                .options
                .iter()
                .any(|&o| o != PaymentOption::PartialPayment)
            {
                return Err(bad(
                    "Flags",
                    "may only ask for partial payment of this token",
                ));
            }
        }
        if self.paths.len() > PATHS_MAX {
            return Err(bad("Paths", "must not be more than 6"));
        }
        let fits = |path: &Path| (1..=STEPS_MAX).contains(&path.len());
        if !self.paths.iter().all(fits) {
            return Err(bad("Paths", "must have 1 to 8 steps each"));
        }
        Ok(())
    }
}

const fn is_mpt(amount: &Amount) -> bool {
    matches!(amount, Amount::Mpt { .. })
}

fn mpts_differ(a: &Amount, b: &Amount) -> bool {
    is_mpt(a) && is_mpt(b) && !same_asset(a, b)
}

fn same_asset(a: &Amount, b: &Amount) -> bool {
    match (a, b) {
        (Amount::Xrp(_), Amount::Xrp(_)) => true,
        (
            Amount::Token {
                currency, issuer, ..
            },
            Amount::Token {
                currency: other_currency,
                issuer: other_issuer,
                ..
            },
        ) => currency == other_currency && issuer == other_issuer,
        (
            Amount::Mpt { issuance, .. },
            Amount::Mpt {
                issuance: other, ..
            },
        ) => issuance == other,
        _ => false,
    }
}

/// Whether `a` is more than `b` of the same asset.
fn exceeds(a: &Amount, b: &Amount) -> bool {
    match (a, b) {
        (Amount::Xrp(a), Amount::Xrp(b)) => a > b,
        (Amount::Token { value: a, .. }, Amount::Token { value: b, .. }) => a > b,
        (Amount::Mpt { value: a, .. }, Amount::Mpt { value: b, .. }) => a > b,
        _ => false,
    }
}
