//! Amounts, and the names of what they are amounts of.

use crate::error::Problem;
use crate::reader::Reader;
use serde_json::{Map, Value, json};
use xrpayd_core::address::AccountId;
use xrpayd_core::currency::Currency;
use xrpayd_core::money::Drops;
use xrpayd_core::mpt::{MptIssuanceId, MptValue};
use xrpayd_core::token::TokenValue;

/// An amount of anything the ledger can move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Amount {
    /// XRP.
    Xrp(Drops),
    /// An issued token.
    Token {
        /// Its code.
        currency: Currency,
        /// Who issues it; the same code from another issuer is another token.
        issuer: AccountId,
        /// How much.
        value: TokenValue,
    },
    /// A multi-purpose token.
    Mpt {
        /// Which one.
        issuance: MptIssuanceId,
        /// How much, in its smallest unit.
        value: MptValue,
    },
}

const BIT_NOT_XRP: u8 = 0x80;
const BIT_MPT: u8 = 0x20;
const HEAD_MPT: u8 = 0x60;
const BIT_XRP_POSITIVE: u64 = 1 << 62;
const NO_ACCOUNT: AccountId = AccountId([0; 20]);
/// The account that, in place of a token's issuer, says that a multi-purpose token follows.
const MPT_MARK: [u8; 20] = {
    let mut mark = [0; 20];
    mark[19] = 1;
    mark
};

impl Amount {
    /// Whether there is something at all, and of the right sign to be paid.
    #[must_use]
    pub const fn is_positive(&self) -> bool {
        match self {
            Self::Xrp(drops) => drops.get() > 0,
            Self::Token { value, .. } => value.is_positive(),
            Self::Mpt { value, .. } => value.get() > 0,
        }
    }

    /// The JSON form of the ledger's servers.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match self {
            Self::Xrp(drops) => json!(drops.to_string()),
            Self::Token {
                currency,
                issuer,
                value,
            } => json!({
                "currency": currency.to_string(),
                "issuer": issuer.to_string(),
                "value": value.to_string(),
            }),
            Self::Mpt { issuance, value } => json!({
                "mpt_issuance_id": issuance.to_string(),
                "value": value.to_string(),
            }),
        }
    }

    /// Reads the JSON form.
    ///
    /// # Errors
    /// Says what is wrong; nothing is rounded and no member is overlooked.
    pub fn from_json(json: &Value) -> Result<Self, Problem> {
        const SHAPE: Problem = Problem::WrongShape("drops as text, or an object of an amount");
        let map = match json {
            Value::String(text) => {
                return text.parse().map(Self::Xrp).map_err(|_| Problem::BadDrops);
            }
            Value::Object(map) => map,
            _ => return Err(SHAPE),
        };
        let text = |name| map.get(name).and_then(Value::as_str).ok_or(SHAPE);
        if map.len() == 3 {
            let issuer: AccountId = text("issuer")?.parse()?;
            if issuer == NO_ACCOUNT {
                return Err(Problem::OutOfRange);
            }
            Ok(Self::Token {
                currency: Currency::from_ledger_text(text("currency")?)?,
                issuer,
                value: text("value")?.parse()?,
            })
        } else if map.len() == 2 {
            Ok(Self::Mpt {
                issuance: text("mpt_issuance_id")?.parse()?,
                value: text("value")?.parse()?,
            })
        } else {
            Err(SHAPE)
        }
    }

    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Xrp(drops) => out.extend((BIT_XRP_POSITIVE | drops.get()).to_be_bytes()),
            Self::Token {
                currency,
                issuer,
                value,
            } => {
                out.extend(value.to_bits().to_be_bytes());
                out.extend(currency.bytes());
                out.extend(issuer.0);
            }
            Self::Mpt { issuance, value } => {
                out.push(HEAD_MPT);
                out.extend(value.get().to_be_bytes());
                out.extend(issuance.0);
            }
        }
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, crate::CodecError> {
        let head = reader
            .peek()
            .ok_or_else(|| reader.fail(Problem::Truncated))?;
        if head & BIT_NOT_XRP != 0 {
            let value = TokenValue::from_bits(u64::from_be_bytes(reader.array()?));
            let currency = Currency::from_bytes(reader.array()?);
            let issuer = AccountId(reader.array()?);
            return match (value, currency) {
                (Some(value), Some(currency)) if issuer != NO_ACCOUNT => Ok(Self::Token {
                    currency,
                    issuer,
                    value,
                }),
                _ => Err(reader.fail(Problem::NotCanonical)),
            };
        }
        if head & BIT_MPT != 0 {
            let head = reader.byte()?;
            let value = MptValue::new(u64::from_be_bytes(reader.array()?));
            let issuance = MptIssuanceId(reader.array()?);
            return match value {
                Some(value) if head == HEAD_MPT => Ok(Self::Mpt { issuance, value }),
                _ => Err(reader.fail(Problem::NotCanonical)),
            };
        }
        let bits = u64::from_be_bytes(reader.array()?);
        Drops::new(bits ^ BIT_XRP_POSITIVE)
            .map(Self::Xrp)
            .ok_or_else(|| reader.fail(Problem::NotCanonical))
    }
}

/// A currency code in the one place where XRP has one: twenty zeros.
pub(crate) fn currency_bytes(text: &str) -> Result<[u8; 20], Problem> {
    if text == "XRP" {
        return Ok([0; 20]);
    }
    Ok(*Currency::from_ledger_text(text)?.bytes())
}

pub(crate) fn currency_text(bytes: [u8; 20]) -> String {
    Currency::from_bytes(bytes).map_or_else(|| "XRP".to_owned(), |code| code.to_string())
}

/// Writes what an amount would be of: XRP, a token or a multi-purpose token.
pub(crate) fn put_issue(json: &Value, out: &mut Vec<u8>) -> Result<(), Problem> {
    const SHAPE: Problem = Problem::WrongShape("an object with currency and issuer");
    let map = json.as_object().ok_or(SHAPE)?;
    let text = |name| map.get(name).and_then(Value::as_str);
    match (text("currency"), text("issuer"), text("mpt_issuance_id")) {
        (Some("XRP"), None, None) if map.len() == 1 => out.extend([0; 20]),
        (Some(currency), Some(issuer), None) if map.len() == 2 => {
            let issuer: AccountId = issuer.parse()?;
            if issuer == NO_ACCOUNT || issuer.0 == MPT_MARK {
                return Err(Problem::OutOfRange);
            }
            out.extend(Currency::from_ledger_text(currency)?.bytes());
            out.extend(issuer.0);
        }
        (None, None, Some(issuance)) if map.len() == 1 => {
            let MptIssuanceId(id) = issuance.parse()?;
            if id[4..] == [0; 20] {
                return Err(Problem::OutOfRange);
            }
            out.extend_from_slice(&id[4..]);
            out.extend(MPT_MARK);
            // The sequence is written in the opposite order to the one it has in the identifier.
            out.extend(id[..4].iter().rev());
        }
        _ => return Err(SHAPE),
    }
    Ok(())
}

pub(crate) fn read_issue(reader: &mut Reader<'_>) -> Result<Value, crate::CodecError> {
    let first: [u8; 20] = reader.array()?;
    let Some(currency) = Currency::from_bytes(first) else {
        return Ok(json!({"currency": "XRP"}));
    };
    let issuer: [u8; 20] = reader.array()?;
    let mut issue = Map::new();
    if issuer == MPT_MARK {
        let mut id = [0; 24];
        id[..4].copy_from_slice(&reader.array::<4>()?);
        id[..4].reverse();
        id[4..].copy_from_slice(&first);
        issue.insert(
            "mpt_issuance_id".to_owned(),
            json!(MptIssuanceId(id).to_string()),
        );
    } else if issuer == NO_ACCOUNT.0 {
        return Err(reader.fail(Problem::NotCanonical));
    } else {
        issue.insert("currency".to_owned(), json!(currency.to_string()));
        issue.insert("issuer".to_owned(), json!(AccountId(issuer).to_string()));
    }
    Ok(Value::Object(issue))
}
