//! Amounts as the rules reckon with them: XRP in drops, multi-purpose tokens in whole units, issued
//! currencies in the ledger's own decimal of sixteen digits.
//!
//! Owns the types and their binary forms. `number` rounds as the ledger rounds, `arithmetic` adds,
//! multiplies and divides, `quality` compares what is paid with what is got. Nothing here knows an
//! account's state. What leaves the ledger's range is [`Overflow`]; a rule that meets it answers
//! `tefEXCEPTION`, as the real server does when its arithmetic throws.

mod arithmetic;
mod number;
mod quality;
mod ratio;

pub(crate) use arithmetic::{
    div_round, div_round_strict, divide, mul_round, mul_round_strict, multiply, rate_value,
};
pub(crate) use quality::{Flow, Quality};
pub(crate) use ratio::mul_ratio;

use crate::ledger::codes::Ter;
use std::cmp::Ordering;
use xrpayd_core::address::AccountId;
use xrpayd_core::token::TokenValue;

/// A rate or a quality of one to one, in billionths.
pub(crate) const QUALITY_ONE: u32 = 1_000_000_000;
/// The most drops that an amount may hold.
pub(crate) const DROPS_MAX: i64 = 100_000_000_000_000_000;
/// The currency code that claims to be XRP and is refused everywhere.
pub(crate) const BAD_CURRENCY: [u8; 20] = *b"\0\0\0\0\0\0\0\0\0\0\0\0XRP\0\0\0\0\0";
/// The account that stands for "no issuer" on a trust line's balance.
pub(crate) const NO_ACCOUNT: AccountId = {
    let mut id = [0; 20];
    id[19] = 1;
    AccountId(id)
};
/// The account that stands for the issuer of XRP.
pub(crate) const XRP_ACCOUNT: AccountId = AccountId([0; 20]);
/// XRP's place among the currencies.
pub(crate) const XRP_CURRENCY: [u8; 20] = [0; 20];

/// A result that the ledger's format cannot hold, or a division by zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the amount leaves the ledger's range")]
pub(crate) struct Overflow;

impl From<Overflow> for Ter {
    fn from(_: Overflow) -> Self {
        Self::TEF_EXCEPTION
    }
}

/// A currency code as the ledger holds it.
pub(crate) type Currency = [u8; 20];

/// What an amount is an amount of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Asset {
    /// XRP.
    Xrp,
    /// A currency and who issues it.
    Token {
        /// The currency.
        currency: Currency,
        /// The issuer.
        issuer: AccountId,
    },
    /// A multi-purpose token, by its issuance: a sequence and the issuer.
    Mpt([u8; 24]),
}

/// How an amount's number is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Whole drops.
    Xrp,
    /// Sixteen digits and an exponent.
    Token,
    /// Whole units.
    Mpt,
}

impl Asset {
    /// An issued currency; XRP where the currency is XRP's.
    pub(crate) fn token(currency: Currency, issuer: AccountId) -> Self {
        if currency == XRP_CURRENCY {
            Self::Xrp
        } else {
            Self::Token { currency, issuer }
        }
    }

    pub(crate) const fn kind(&self) -> Kind {
        match self {
            Self::Xrp => Kind::Xrp,
            Self::Token { .. } => Kind::Token,
            Self::Mpt(_) => Kind::Mpt,
        }
    }

    pub(crate) const fn is_xrp(&self) -> bool {
        matches!(self, Self::Xrp)
    }

    /// The currency: all zeros for XRP, nothing for a multi-purpose token.
    pub(crate) const fn currency(&self) -> Option<Currency> {
        match self {
            Self::Xrp => Some(XRP_CURRENCY),
            Self::Token { currency, .. } => Some(*currency),
            Self::Mpt(_) => None,
        }
    }

    /// The issuer; the zero account for XRP.
    pub(crate) fn issuer(&self) -> AccountId {
        match self {
            Self::Xrp => XRP_ACCOUNT,
            Self::Token { issuer, .. } => *issuer,
            Self::Mpt(id) => {
                let mut issuer = [0; 20];
                issuer.copy_from_slice(&id[4..]);
                AccountId(issuer)
            }
        }
    }
}

/// A number of drops, of units, or of an issued currency; of which, its holder knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Value {
    /// Drops.
    Xrp(i64),
    /// A decimal.
    Token(TokenValue),
    /// Units.
    Mpt(i64),
}

impl Value {
    pub(crate) const fn zero(kind: Kind) -> Self {
        match kind {
            Kind::Xrp => Self::Xrp(0),
            Kind::Token => Self::Token(TokenValue::ZERO),
            Kind::Mpt => Self::Mpt(0),
        }
    }

    pub(crate) const fn kind(&self) -> Kind {
        match self {
            Self::Xrp(_) => Kind::Xrp,
            Self::Token(_) => Kind::Token,
            Self::Mpt(_) => Kind::Mpt,
        }
    }

    pub(crate) const fn is_zero(&self) -> bool {
        match self {
            Self::Xrp(n) | Self::Mpt(n) => *n == 0,
            Self::Token(value) => value.is_zero(),
        }
    }

    pub(crate) const fn is_negative(&self) -> bool {
        match self {
            Self::Xrp(n) | Self::Mpt(n) => *n < 0,
            Self::Token(value) => value.is_negative(),
        }
    }

    pub(crate) const fn is_positive(&self) -> bool {
        !self.is_zero() && !self.is_negative()
    }

    /// The drops or units; nothing for an issued currency.
    pub(crate) const fn integral(&self) -> Option<i64> {
        match self {
            Self::Xrp(n) | Self::Mpt(n) => Some(*n),
            Self::Token(_) => None,
        }
    }

    /// The decimal; zero for what is none.
    pub(crate) const fn token(&self) -> TokenValue {
        match self {
            Self::Token(value) => *value,
            Self::Xrp(_) | Self::Mpt(_) => TokenValue::ZERO,
        }
    }

    /// This much of `asset`, which must be held in the same way.
    pub(crate) const fn of(self, asset: Asset) -> Amount {
        Amount { asset, value: self }
    }
}

impl std::ops::Neg for Value {
    type Output = Self;
    fn neg(self) -> Self {
        match self {
            Self::Xrp(n) => Self::Xrp(n.saturating_neg()),
            Self::Token(value) => Self::Token(value.negated()),
            Self::Mpt(n) => Self::Mpt(n.saturating_neg()),
        }
    }
}

impl PartialOrd for Value {
    /// Values of different kinds have no order.
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Xrp(a), Self::Xrp(b)) | (Self::Mpt(a), Self::Mpt(b)) => Some(a.cmp(b)),
            (Self::Token(a), Self::Token(b)) => Some(a.cmp(b)),
            _ => None,
        }
    }
}

/// So much of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Amount {
    pub(crate) asset: Asset,
    pub(crate) value: Value,
}

const BIT_TOKEN: u8 = 0x80;
const BIT_POSITIVE: u64 = 1 << 62;
const BIT_MPT: u8 = 0x20;
const BIT_MPT_POSITIVE: u8 = 0x40;

impl Amount {
    /// So many drops.
    pub(crate) const fn xrp(drops: i64) -> Self {
        Value::Xrp(drops).of(Asset::Xrp)
    }

    /// So much of an issued currency.
    pub(crate) const fn token(value: TokenValue, currency: Currency, issuer: AccountId) -> Self {
        Value::Token(value).of(Asset::Token { currency, issuer })
    }

    /// Reads the ledger's 8, 33 or 48 bytes; `None` where they are no amount.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let word = u64::from_be_bytes(bytes.get(..8)?.try_into().ok()?);
        match bytes.len() {
            8 if bytes[0] & BIT_TOKEN == 0 => {
                let drops = i64::try_from(word & (BIT_POSITIVE - 1)).ok()?;
                Some(Self::xrp(if word & BIT_POSITIVE != 0 {
                    drops
                } else {
                    -drops
                }))
            }
            33 => {
                let units = u64::from_be_bytes(bytes.get(1..9)?.try_into().ok()?);
                let units = i64::try_from(units).ok()?;
                let positive = bytes[0] & BIT_MPT_POSITIVE != 0;
                let id = bytes.get(9..33)?.try_into().ok()?;
                Some(Value::Mpt(if positive { units } else { -units }).of(Asset::Mpt(id)))
            }
            48 => Some(Self::token(
                TokenValue::from_bits(word)?,
                bytes.get(8..28)?.try_into().ok()?,
                AccountId(bytes.get(28..48)?.try_into().ok()?),
            )),
            _ => None,
        }
    }

    /// The ledger's bytes.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        match (&self.asset, self.value) {
            (Asset::Token { currency, issuer }, value) => {
                let mut out = Vec::with_capacity(48);
                out.extend(value.token().to_bits().to_be_bytes());
                out.extend_from_slice(currency);
                out.extend_from_slice(&issuer.0);
                out
            }
            (Asset::Mpt(id), value) => {
                let units = value.integral().unwrap_or_default();
                let mut out = Vec::with_capacity(33);
                out.push(if units < 0 {
                    BIT_MPT
                } else {
                    BIT_MPT | BIT_MPT_POSITIVE
                });
                out.extend(units.unsigned_abs().to_be_bytes());
                out.extend_from_slice(id);
                out
            }
            (Asset::Xrp, value) => {
                let drops = value.integral().unwrap_or_default();
                let sign = if drops < 0 { 0 } else { BIT_POSITIVE };
                (sign | drops.unsigned_abs()).to_be_bytes().to_vec()
            }
        }
    }

    /// The same number of another asset of the same kind.
    pub(crate) const fn with_asset(self, asset: Asset) -> Self {
        Self { asset, ..self }
    }

    /// The same number of the same currency, by another issuer.
    pub(crate) const fn with_issuer(self, issuer: AccountId) -> Self {
        match self.asset {
            Asset::Token { currency, .. } => self.with_asset(Asset::Token { currency, issuer }),
            Asset::Xrp | Asset::Mpt(_) => self,
        }
    }

    /// The drops, if it is XRP.
    pub(crate) const fn drops(&self) -> Option<i64> {
        match self.value {
            Value::Xrp(drops) => Some(drops),
            Value::Token(_) | Value::Mpt(_) => None,
        }
    }

    pub(crate) const fn is_zero(&self) -> bool {
        self.value.is_zero()
    }

    pub(crate) const fn is_positive(&self) -> bool {
        self.value.is_positive()
    }

    pub(crate) const fn is_negative(&self) -> bool {
        self.value.is_negative()
    }

    /// Whether it is no more XRP than there is.
    pub(crate) fn is_legal(&self) -> bool {
        match self.value {
            Value::Xrp(drops) => drops.unsigned_abs() <= DROPS_MAX.unsigned_abs(),
            Value::Token(_) | Value::Mpt(_) => true,
        }
    }
}

impl std::ops::Neg for Amount {
    type Output = Self;
    fn neg(self) -> Self {
        Self {
            value: -self.value,
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_amount_survives_its_binary_form() {
        let one: TokenValue = "-1.5".parse().unwrap();
        for amount in [
            Amount::xrp(0),
            Amount::xrp(DROPS_MAX),
            Amount::xrp(-7),
            Amount::token(one, [7; 20], AccountId([9; 20])),
            Amount::token(TokenValue::ZERO, [7; 20], NO_ACCOUNT),
            Value::Mpt(i64::MAX).of(Asset::Mpt([3; 24])),
            Value::Mpt(-1).of(Asset::Mpt([3; 24])),
        ] {
            assert_eq!(Amount::read(&amount.bytes()), Some(amount));
        }
        assert_eq!(hex::encode(Amount::xrp(1).bytes()), "4000000000000001");
    }

    #[test]
    fn what_is_no_amount_is_not_read() {
        assert_eq!(Amount::read(&[]), None);
        assert_eq!(Amount::read(&[0x80, 0, 0, 0, 0, 0, 0, 0]), None);
        let mut huge = Value::Mpt(1).of(Asset::Mpt([0; 24])).bytes();
        huge[1] = 0x80;
        assert_eq!(Amount::read(&huge), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            if let Some(amount) = Amount::read(&bytes) {
                prop_assert_eq!(Amount::read(&amount.bytes()), Some(amount));
            }
        }
    }
}
