//! Payment paths.

use crate::amount::{currency_bytes, currency_text};
use crate::error::Problem;
use crate::reader::Reader;
use serde_json::{Map, Value, json};
use xrpayd_core::address::AccountId;
use xrpayd_core::currency::Currency;
use xrpayd_core::mpt::MptIssuanceId;

/// One way from what is spent to what is delivered.
pub type Path = Vec<PathStep>;

/// One step of a path, as a person or a path finder states it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathStep {
    /// Ripple through an account's trust lines.
    Account(AccountId),
    /// Trade into XRP.
    IntoXrp,
    /// Trade into a token of the issuer, or of the issuer that is current where none is named.
    IntoToken(Currency, Option<AccountId>),
    /// Trade into the current currency as issued by another.
    IntoIssuer(AccountId),
}

impl PathStep {
    /// The JSON form.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match self {
            Self::Account(account) => json!({"account": account.to_string()}),
            Self::IntoXrp => json!({"currency": "XRP"}),
            Self::IntoToken(currency, None) => json!({"currency": currency.to_string()}),
            Self::IntoToken(currency, Some(issuer)) => {
                json!({"currency": currency.to_string(), "issuer": issuer.to_string()})
            }
            Self::IntoIssuer(issuer) => json!({"issuer": issuer.to_string()}),
        }
    }

    /// Reads a step as path finders print it. What they say of its type is derived and not read.
    ///
    /// # Errors
    /// The step is none that a payment may have, or an address or currency in it is malformed.
    pub fn from_json(step: &Value) -> Result<Self, Problem> {
        let text = |name| step.get(name).and_then(Value::as_str);
        let issuer = text("issuer").map(str::parse).transpose()?;
        match (text("account"), text("currency"), issuer) {
            (Some(account), None, None) => Ok(Self::Account(account.parse()?)),
            (None, Some("XRP"), None) => Ok(Self::IntoXrp),
            (None, Some(currency), issuer) => Ok(Self::IntoToken(
                Currency::from_ledger_text(currency)?,
                issuer,
            )),
            (None, None, Some(issuer)) => Ok(Self::IntoIssuer(issuer)),
            _ => Err(Problem::WrongShape("an account, a currency or an issuer")),
        }
    }
}

const STEP_ACCOUNT: u8 = 0x01;
const STEP_CURRENCY: u8 = 0x10;
const STEP_ISSUER: u8 = 0x20;
const STEP_MPT: u8 = 0x40;
const NEXT_PATH: u8 = 0xFF;
const END: u8 = 0x00;

const SHAPE: Problem = Problem::WrongShape("a list of paths, each a list of steps");

/// Writes a list of paths. An empty list and an empty path are errors: no server accepts them.
pub(crate) fn put_paths(json: &Value, out: &mut Vec<u8>) -> Result<(), Problem> {
    let paths = json.as_array().ok_or(SHAPE)?;
    if paths.is_empty() {
        return Err(Problem::Empty);
    }
    for (at, path) in paths.iter().enumerate() {
        if at > 0 {
            out.push(NEXT_PATH);
        }
        let steps = path.as_array().ok_or(SHAPE)?;
        if steps.is_empty() {
            return Err(Problem::Empty);
        }
        for step in steps {
            put_step(step.as_object().ok_or(SHAPE)?, out)?;
        }
    }
    out.push(END);
    Ok(())
}

fn put_step(step: &Map<String, Value>, out: &mut Vec<u8>) -> Result<(), Problem> {
    let mut kind = 0;
    let mut stated = None;
    let (mut account, mut currency, mut mpt, mut issuer) = (None, None, None, None);
    for (name, value) in step {
        let text = || value.as_str().ok_or(SHAPE);
        match name.as_str() {
            "account" => {
                account = Some(text()?.parse::<AccountId>()?);
                kind |= STEP_ACCOUNT;
            }
            "currency" => {
                currency = Some(currency_bytes(text()?)?);
                kind |= STEP_CURRENCY;
            }
            "issuer" => {
                issuer = Some(text()?.parse::<AccountId>()?);
                kind |= STEP_ISSUER;
            }
            "mpt_issuance_id" => {
                mpt = Some(text()?.parse::<MptIssuanceId>()?);
                kind |= STEP_MPT;
            }
            // Servers print the type beside the step; it may be there, but not disagree.
            "type" => stated = Some(value.as_u64().ok_or(SHAPE)?),
            _ => return Err(Problem::UnknownField),
        }
    }
    let disagrees = stated.is_some_and(|stated| stated != u64::from(kind));
    if kind == 0 || kind & (STEP_CURRENCY | STEP_MPT) == STEP_CURRENCY | STEP_MPT || disagrees {
        return Err(SHAPE);
    }
    out.push(kind);
    out.extend(account.iter().flat_map(|id| id.0));
    out.extend(currency.iter().flatten());
    out.extend(mpt.iter().flat_map(|id| id.0));
    out.extend(issuer.iter().flat_map(|id| id.0));
    Ok(())
}

pub(crate) fn read_paths(reader: &mut Reader<'_>) -> Result<Value, crate::CodecError> {
    let mut paths = Vec::new();
    let mut path = Vec::new();
    loop {
        let kind = reader.byte()?;
        if kind == END || kind == NEXT_PATH {
            if path.is_empty() {
                return Err(reader.fail(Problem::Empty));
            }
            paths.push(Value::Array(std::mem::take(&mut path)));
            if kind == END {
                return Ok(Value::Array(paths));
            }
            continue;
        }
        let known = STEP_ACCOUNT | STEP_CURRENCY | STEP_ISSUER | STEP_MPT;
        let both = STEP_CURRENCY | STEP_MPT;
        if kind & !known != 0 || kind & both == both {
            return Err(reader.fail(Problem::NotCanonical));
        }
        let mut step = Map::new();
        let mut set = |name: &str, text: String| step.insert(name.to_owned(), json!(text));
        if kind & STEP_ACCOUNT != 0 {
            set("account", AccountId(reader.array()?).to_string());
        }
        if kind & STEP_CURRENCY != 0 {
            set("currency", currency_text(reader.array()?));
        }
        if kind & STEP_MPT != 0 {
            set(
                "mpt_issuance_id",
                MptIssuanceId(reader.array()?).to_string(),
            );
        }
        if kind & STEP_ISSUER != 0 {
            set("issuer", AccountId(reader.array()?).to_string());
        }
        step.insert("type".to_owned(), json!(kind));
        path.push(Value::Object(step));
    }
}
