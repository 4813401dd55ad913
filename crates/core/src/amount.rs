//! An amount of anything the ledger moves: XRP, an issued token or a multi-purpose token.
//!
//! Amounts of different assets never meet: sums and comparisons across them have no answer. A sum that
//! the ledger's own number cannot hold exactly has none either; whoever asked decides what that means.

use crate::address::AccountId;
use crate::currency::Currency;
use crate::money::Drops;
use crate::mpt::{MptIssuanceId, MptValue};
use crate::token::TokenValue;
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// What an amount is an amount of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Asset {
    /// The ledger's own.
    Xrp,
    /// An issued token.
    Token {
        /// Its code.
        currency: Currency,
        /// Who owes it.
        issuer: AccountId,
    },
    /// A multi-purpose token.
    Mpt(MptIssuanceId),
}

/// An amount of one asset; never below zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Amount {
    /// XRP.
    Xrp(Drops),
    /// An issued token.
    Token {
        /// Its code.
        currency: Currency,
        /// Who owes it.
        issuer: AccountId,
        /// How much of it.
        value: TokenValue,
    },
    /// A multi-purpose token.
    Mpt {
        /// Which.
        issuance: MptIssuanceId,
        /// How much of it, in its smallest unit.
        value: MptValue,
    },
}

/// Why a text names no asset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be \"XRP\", a currency and its issuer as \"USD.r…\", or the 48 hex digits of an issuance"
)]
pub struct BadAsset;

/// Why a text is not a value of an asset.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadValue(String);

impl Asset {
    /// None of it.
    #[must_use]
    pub const fn zero(self) -> Amount {
        match self {
            Self::Xrp => Amount::Xrp(Drops::ZERO),
            Self::Token { currency, issuer } => Amount::Token {
                currency,
                issuer,
                value: TokenValue::ZERO,
            },
            Self::Mpt(issuance) => Amount::Mpt {
                issuance,
                value: match MptValue::new(0) {
                    Some(zero) => zero,
                    None => MptValue::MAX,
                },
            },
        }
    }

    /// The account that owes it, where somebody does.
    #[must_use]
    pub fn issuer(&self) -> Option<AccountId> {
        match self {
            Self::Xrp => None,
            Self::Token { issuer, .. } => Some(*issuer),
            Self::Mpt(issuance) => Some(issuance.issuer()),
        }
    }

    /// Reads so much of it: XRP with at most six decimal places, a token's decimal, whole units.
    ///
    /// # Errors
    /// Says what is wrong with the text.
    pub fn amount(self, value: &str) -> Result<Amount, BadValue> {
        let bad = |error: &dyn fmt::Display| BadValue(error.to_string());
        match self {
            Self::Xrp => Drops::from_xrp(value)
                .map(Amount::Xrp)
                .map_err(|error| bad(&error)),
            Self::Token { currency, issuer } => match value.parse::<TokenValue>() {
                Ok(value) if value.is_negative() => {
                    Err(BadValue("must not be negative".to_owned()))
                }
                Ok(value) => Ok(Amount::Token {
                    currency,
                    issuer,
                    value,
                }),
                Err(error) => Err(bad(&error)),
            },
            Self::Mpt(issuance) => value
                .parse::<MptValue>()
                .map(|value| Amount::Mpt { issuance, value })
                .map_err(|error| bad(&error)),
        }
    }
}

impl fmt::Display for Asset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Xrp => f.write_str("XRP"),
            Self::Token { currency, issuer } => write!(f, "{currency}.{issuer}"),
            Self::Mpt(issuance) => write!(f, "{issuance}"),
        }
    }
}

impl FromStr for Asset {
    type Err = BadAsset;
    fn from_str(text: &str) -> Result<Self, BadAsset> {
        if text == "XRP" {
            return Ok(Self::Xrp);
        }
        // An address has no point in it, and a code of three symbols has none either.
        match text.rsplit_once('.') {
            Some((currency, issuer)) => Ok(Self::Token {
                currency: Currency::from_ledger_text(currency).map_err(|_| BadAsset)?,
                issuer: issuer.parse().map_err(|_| BadAsset)?,
            }),
            None => text.parse().map(Self::Mpt).map_err(|_| BadAsset),
        }
    }
}

impl Amount {
    /// What it is an amount of.
    #[must_use]
    pub const fn asset(&self) -> Asset {
        match self {
            Self::Xrp(_) => Asset::Xrp,
            Self::Token {
                currency, issuer, ..
            } => Asset::Token {
                currency: *currency,
                issuer: *issuer,
            },
            Self::Mpt { issuance, .. } => Asset::Mpt(*issuance),
        }
    }

    /// The drops, where it is XRP.
    #[must_use]
    pub const fn drops(&self) -> Option<Drops> {
        match self {
            Self::Xrp(drops) => Some(*drops),
            Self::Token { .. } | Self::Mpt { .. } => None,
        }
    }

    /// Whether it is nothing.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        match self {
            Self::Xrp(drops) => *drops == Drops::ZERO,
            Self::Token { value, .. } => value.is_zero(),
            Self::Mpt { value, .. } => value.get() == 0,
        }
    }

    /// How much, as people write it: XRP and tokens in plain decimals, whole units otherwise.
    #[must_use]
    pub fn value(&self) -> String {
        match self {
            Self::Xrp(drops) => drops.to_xrp(),
            Self::Token { value, .. } => value.to_plain(),
            Self::Mpt { value, .. } => value.get().to_string(),
        }
    }

    /// The sum; `None` where the assets differ or the ledger's number cannot hold it exactly.
    #[must_use]
    pub fn checked_add(&self, other: &Self) -> Option<Self> {
        self.combine(other, false)
    }

    /// The difference; `None` where the assets differ, or it is below zero or not exact.
    #[must_use]
    pub fn checked_sub(&self, other: &Self) -> Option<Self> {
        self.combine(other, true)
    }

    fn combine(&self, other: &Self, takes: bool) -> Option<Self> {
        if self.asset() != other.asset() {
            return None;
        }
        match (self, other) {
            (Self::Xrp(a), Self::Xrp(b)) => {
                let drops = if takes {
                    a.checked_sub(*b)
                } else {
                    a.checked_add(*b)
                };
                drops.map(Self::Xrp)
            }
            (
                Self::Token {
                    currency,
                    issuer,
                    value,
                },
                Self::Token { value: other, .. },
            ) => {
                let other = if takes { other.negated() } else { *other };
                let value = value.checked_add(other)?;
                (!value.is_negative()).then_some(Self::Token {
                    currency: *currency,
                    issuer: *issuer,
                    value,
                })
            }
            (Self::Mpt { issuance, value }, Self::Mpt { value: other, .. }) => {
                let (a, b) = (value.get(), other.get());
                let units = if takes {
                    a.checked_sub(b)
                } else {
                    a.checked_add(b)
                };
                Some(Self::Mpt {
                    issuance: *issuance,
                    value: MptValue::new(units?)?,
                })
            }
            (Self::Xrp(_) | Self::Token { .. } | Self::Mpt { .. }, _) => None,
        }
    }
}

impl PartialOrd for Amount {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        if self.asset() != other.asset() {
            return None;
        }
        match (self, other) {
            (Self::Xrp(a), Self::Xrp(b)) => Some(a.cmp(b)),
            (Self::Token { value: a, .. }, Self::Token { value: b, .. }) => Some(a.cmp(b)),
            (Self::Mpt { value: a, .. }, Self::Mpt { value: b, .. }) => Some(a.cmp(b)),
            (Self::Xrp(_) | Self::Token { .. } | Self::Mpt { .. }, _) => None,
        }
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.value(), self.asset())
    }
}

/// The public form: `{"currency","value"}`, `{"currency","issuer","value"}` or
/// `{"mpt_issuance_id","value"}`.
impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match self.asset() {
            Asset::Xrp => map.serialize_entry("currency", "XRP")?,
            Asset::Token { currency, issuer } => {
                map.serialize_entry("currency", &currency)?;
                map.serialize_entry("issuer", &issuer.to_string())?;
            }
            Asset::Mpt(issuance) => {
                map.serialize_entry("mpt_issuance_id", &issuance.to_string())?
            }
        }
        map.serialize_entry("value", &self.value())?;
        map.end()
    }
}

/// The public form; the ledger's own JSON of a token is the same.
impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Public<'a> {
            #[serde(borrow, default)]
            currency: Option<Cow<'a, str>>,
            #[serde(default)]
            issuer: Option<AccountId>,
            #[serde(default)]
            mpt_issuance_id: Option<MptIssuanceId>,
            #[serde(borrow)]
            value: Cow<'a, str>,
        }
        let told = Public::<'de>::deserialize(deserializer)?;
        let asset = match (told.mpt_issuance_id, told.currency.as_deref(), told.issuer) {
            (Some(issuance), None, None) => Asset::Mpt(issuance),
            (None, Some("XRP"), None) => Asset::Xrp,
            (None, Some(currency), Some(issuer)) => Asset::Token {
                currency: Currency::from_ledger_text(currency).map_err(serde::de::Error::custom)?,
                issuer,
            },
            _ => return Err(serde::de::Error::custom(BadAsset)),
        };
        asset.amount(&told.value).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ISSUER: &str = "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh";

    fn usd(value: &str) -> Amount {
        let asset: Asset = format!("USD.{ISSUER}").parse().unwrap();
        asset.amount(value).unwrap()
    }

    fn mpt(units: u64) -> Amount {
        let issuance = MptIssuanceId([7; 24]);
        Amount::Mpt {
            issuance,
            value: MptValue::new(units).unwrap(),
        }
    }

    fn xrp(value: &str) -> Amount {
        Asset::Xrp.amount(value).unwrap()
    }

    #[test]
    fn an_asset_survives_its_text_form() {
        for asset in [Asset::Xrp, usd("1").asset(), mpt(1).asset()] {
            assert_eq!(asset.to_string().parse(), Ok(asset));
        }
        let dotted = format!("A.B.{ISSUER}");
        assert_eq!(dotted.parse::<Asset>(), Err(BadAsset));
        assert_eq!("USD".parse::<Asset>(), Err(BadAsset));
    }

    #[test]
    fn the_public_form_is_the_one_of_the_api() {
        let json = |amount: Amount| serde_json::to_value(amount).unwrap();
        assert_eq!(
            json(xrp("12.5")),
            serde_json::json!({"currency": "XRP", "value": "12.5"})
        );
        assert_eq!(
            json(usd("10")),
            serde_json::json!({"currency": "USD", "issuer": ISSUER, "value": "10"})
        );
        assert_eq!(
            json(mpt(100)),
            serde_json::json!({"mpt_issuance_id": "07".repeat(24), "value": "100"})
        );
        for amount in [xrp("12.5"), usd("10"), mpt(100)] {
            assert_eq!(
                serde_json::from_str(&json(amount).to_string()).ok(),
                Some(amount)
            );
        }
        for strange in [
            r#"{"currency":"XRP","issuer":"rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh","value":"1"}"#,
            r#"{"currency":"USD","value":"1"}"#,
            r#"{"value":"1"}"#,
            r#"{"currency":"XRP","value":"-1"}"#,
        ] {
            assert!(
                serde_json::from_str::<Amount>(strange).is_err(),
                "{strange}"
            );
        }
    }

    #[test]
    fn different_assets_neither_add_nor_compare() {
        let all = [xrp("1"), usd("1"), mpt(1)];
        for (i, a) in all.iter().enumerate() {
            for (j, b) in all.iter().enumerate() {
                assert_eq!(a.checked_add(b).is_some(), i == j);
                assert_eq!(a.partial_cmp(b).is_some(), i == j);
            }
        }
    }

    #[test]
    fn a_sum_is_exact_or_there_is_none() {
        assert_eq!(usd("0.1").checked_add(&usd("0.2")), Some(usd("0.3")));
        assert_eq!(
            usd("9999999999999999").checked_add(&usd("1")),
            Some(usd("1e16"))
        );
        assert_eq!(usd("1e16").checked_add(&usd("1")), None);
        assert_eq!(usd("1e80").checked_add(&usd("1e-80")), None);
        assert_eq!(usd("5").checked_sub(&usd("5")), Some(usd("0")));
        assert_eq!(usd("5").checked_sub(&usd("6")), None);
        assert_eq!(xrp("5").checked_sub(&xrp("6")), None);
        assert_eq!(mpt(5).checked_sub(&mpt(6)), None);
    }

    proptest! {
        #[test]
        fn token_sums_agree_with_whole_numbers(a in 0..1_u64 << 50, b in 0..1_u64 << 50, e in -40_i32..40) {
            let of = |n: u64| usd(&format!("{n}e{e}"));
            let sum = of(a).checked_add(&of(b)).unwrap();
            prop_assert_eq!(sum, of(a + b));
            prop_assert_eq!(sum.checked_sub(&of(b)), Some(of(a)));
            prop_assert_eq!(of(a).partial_cmp(&of(b)), Some(a.cmp(&b)));
        }
    }
}
