//! The fields that payments and invoices share.

use super::{AmountRequest, Faults, Metadata};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use xrpayd_core::address::AccountId;
use xrpayd_core::amount::{Amount, Asset};
use xrpayd_core::currency::{Currency, RLUSD};
use xrpayd_core::money::Drops;
use xrpayd_core::mpt::MptIssuanceId;

/// The longest reference, in characters.
const REFERENCE_LEN_MAX: usize = 128;
/// The most metadata pairs.
const METADATA_PAIRS_MAX: usize = 16;
/// The longest metadata name, in characters.
const METADATA_NAME_LEN_MAX: usize = 40;
/// The longest metadata value, in characters.
const METADATA_VALUE_LEN_MAX: usize = 500;

/// What an amount is of, by its shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Named<'a> {
    /// XRP.
    Xrp,
    /// A token with this code; `RLUSD` is told in its hex form.
    Token(&'a str),
    /// A multi-purpose token.
    Mpt(&'a str),
}

impl Faults {
    /// What an amount is of.
    pub(crate) fn named<'a>(&mut self, amount: &'a AmountRequest) -> Option<Named<'a>> {
        if let Some(issuance) = &amount.mpt_issuance_id {
            if amount.currency.is_some() || amount.issuer.is_some() {
                let detail = "stands alone: an issuance has no currency and no issuer beside it";
                return self.invalid("/amount/mpt_issuance_id", detail);
            }
            if issuance.len() != 48 || !is_hex(issuance) {
                return self.invalid("/amount/mpt_issuance_id", "must be 48 hex digits");
            }
            return Some(Named::Mpt(issuance));
        }
        let currency = self.required("/amount/currency", amount.currency.as_deref());
        self.required("/amount/value", amount.value.as_deref());
        match currency? {
            "XRP" => Some(Named::Xrp),
            "RLUSD" => Some(Named::Token(RLUSD)),
            code if is_currency(code) => Some(Named::Token(code)),
            _ => {
                let detail = "must be XRP, a code of three characters or 40 hex digits";
                self.invalid("/amount/currency", detail)
            }
        }
    }

    /// The drops of an amount of XRP.
    pub(crate) fn drops(&mut self, amount: &AmountRequest) -> Option<Drops> {
        if amount.issuer.is_some() {
            return self.invalid("/amount/issuer", "XRP has no issuer");
        }
        // That it is missing has been said where the amount was named.
        Drops::from_xrp(amount.value.as_deref()?)
            .map_err(|bad| self.invalid::<()>("/amount/value", bad.to_string()))
            .ok()
    }

    /// An amount of anything, above zero.
    pub(crate) fn amount(&mut self, amount: &AmountRequest) -> Option<Amount> {
        let read = match self.named(amount)? {
            Named::Xrp => self.drops(amount).map(Amount::Xrp),
            Named::Token(code) => {
                let currency = code
                    .parse::<Currency>()
                    .map_err(|bad| self.invalid::<()>("/amount/currency", bad.to_string()))
                    .ok();
                let issuer = self.required("/amount/issuer", amount.issuer.as_deref());
                let issuer = issuer.and_then(|text| {
                    text.parse::<AccountId>()
                        .map_err(|bad| self.invalid::<()>("/amount/issuer", bad.to_string()))
                        .ok()
                });
                let (currency, issuer) = (currency?, issuer?);
                self.value_of(Asset::Token { currency, issuer }, amount)
            }
            Named::Mpt(issuance) => {
                self.required("/amount/value", amount.value.as_deref());
                let issuance = issuance
                    .parse::<MptIssuanceId>()
                    .map_err(|bad| self.invalid::<()>("/amount/mpt_issuance_id", bad.to_string()))
                    .ok()?;
                self.value_of(Asset::Mpt(issuance), amount)
            }
        }?;
        if read.is_zero() {
            return self.invalid("/amount/value", "must be more than zero");
        }
        Some(read)
    }

    fn value_of(&mut self, asset: Asset, amount: &AmountRequest) -> Option<Amount> {
        asset
            .amount(amount.value.as_deref()?)
            .map_err(|bad| self.invalid::<()>("/amount/value", bad.to_string()))
            .ok()
    }

    /// The caller's own name for what is asked.
    pub(crate) fn reference(&mut self, text: Option<&str>) -> Option<String> {
        let text = text?;
        if text.is_empty() || text.chars().count() > REFERENCE_LEN_MAX {
            let detail = format!("must have 1 to {REFERENCE_LEN_MAX} characters");
            return self.invalid("/reference", detail);
        }
        if text.chars().any(char::is_control) {
            return self.invalid("/reference", "must not hold control characters");
        }
        Some(text.to_owned())
    }

    /// The caller's own data.
    pub(crate) fn metadata(&mut self, metadata: Option<&Metadata>) -> BTreeMap<String, String> {
        let Some(Metadata(pairs)) = metadata else {
            return BTreeMap::new();
        };
        if pairs.len() > METADATA_PAIRS_MAX {
            let detail = format!("must have at most {METADATA_PAIRS_MAX} pairs");
            self.invalid::<()>("/metadata", detail);
        }
        for (name, value) in pairs {
            let pointer = || format!("/metadata/{}", escape(name));
            if name.is_empty() || name.chars().count() > METADATA_NAME_LEN_MAX {
                let detail = format!("the name must have 1 to {METADATA_NAME_LEN_MAX} characters");
                self.invalid::<()>(pointer(), detail);
            }
            if value.chars().count() > METADATA_VALUE_LEN_MAX {
                let detail = format!("must have at most {METADATA_VALUE_LEN_MAX} characters");
                self.invalid::<()>(pointer(), detail);
            }
            // PostgreSQL keeps no NUL in a text.
            if name.contains('\0') || value.contains('\0') {
                self.invalid::<()>(pointer(), "must not hold the character U+0000");
            }
        }
        pairs.clone()
    }

    /// Seconds until the expiry, within bounds.
    pub(crate) fn expires_in(
        &mut self,
        seconds: Option<u64>,
        within: &RangeInclusive<u64>,
    ) -> Option<u64> {
        let seconds = seconds?;
        if within.contains(&seconds) {
            return Some(seconds);
        }
        let (first, last) = (within.start(), within.end());
        self.invalid("/expires_in", format!("must be {first} to {last} seconds"))
    }
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|c| c.is_ascii_hexdigit())
}

fn is_currency(text: &str) -> bool {
    let three = text.len() == 3
        && text
            .bytes()
            .all(|c| c.is_ascii_alphanumeric() || b"?!@#$%^&*<>(){}[]|".contains(&c));
    three || (text.len() == 40 && is_hex(text))
}

/// A name as a segment of a JSON pointer.
fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
