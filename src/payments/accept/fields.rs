//! One check a field of a payment request, each ending in the ledger's form or in one sentence.

use super::request::{AmountRequest, MemoRequest, Metadata, Object};
use super::{Fault, FieldError};
use std::collections::BTreeMap;
use xrpayd_core::ids::Hash256;
use xrpayd_core::money::Drops;
use xrpayd_core::payment::Memo;

/// The longest reference, in characters.
const REFERENCE_LEN_MAX: usize = 128;
/// The most metadata pairs.
const METADATA_PAIRS_MAX: usize = 16;
/// The longest metadata name, in characters.
const METADATA_NAME_LEN_MAX: usize = 40;
/// The longest metadata value, in characters.
const METADATA_VALUE_LEN_MAX: usize = 500;
/// The ledger refuses a transaction whose memos serialise to more.
const MEMOS_BYTES_MAX: usize = 1024;
/// Kept free for the memo that carries our marker where the caller sets the InvoiceID.
const MARKER_MEMO_BYTES: usize = 64;
/// The shortest and longest life of a payment, in seconds.
const EXPIRES_IN_S: std::ops::RangeInclusive<u64> = 1..=30 * 24 * 60 * 60;
/// The ledger's lowest fee: nothing below it can ever be signed.
const MAX_FEE_DROPS_MIN: u64 = 10;
/// The hex form of RLUSD.
const RLUSD: &str = "524C555344000000000000000000000000000000";

/// Collects the faults of a request.
#[derive(Debug, Default)]
pub(super) struct Faults(pub Vec<FieldError>);

impl Faults {
    /// Notes a fault; returns `None` for use as the value that is not there.
    pub(super) fn add<T>(
        &mut self,
        fault: Fault,
        pointer: impl Into<String>,
        detail: impl Into<String>,
    ) -> Option<T> {
        self.0.push(FieldError {
            fault,
            pointer: pointer.into(),
            detail: detail.into(),
        });
        None
    }

    fn invalid<T>(&mut self, pointer: impl Into<String>, detail: impl Into<String>) -> Option<T> {
        self.add(Fault::Invalid, pointer, detail)
    }

    fn missing<T>(&mut self, pointer: &str) -> Option<T> {
        self.add(Fault::Missing, pointer, "is required")
    }

    /// A field that must be there.
    pub(super) fn required<T>(&mut self, pointer: &str, value: Option<T>) -> Option<T> {
        value.or_else(|| self.missing(pointer))
    }

    /// An amount of XRP.
    pub(super) fn xrp(&mut self, amount: &AmountRequest) -> Option<Drops> {
        if let Some(issuance) = &amount.mpt_issuance_id {
            if amount.currency.is_some() || amount.issuer.is_some() {
                let detail = "stands alone: an issuance has no currency and no issuer beside it";
                return self.invalid("/amount/mpt_issuance_id", detail);
            }
            if issuance.len() != 48 || !is_hex(issuance) {
                return self.invalid("/amount/mpt_issuance_id", "must be 48 hex digits");
            }
            return self.not_enabled("/amount/mpt_issuance_id", "multi-purpose tokens");
        }
        let currency = self.required("/amount/currency", amount.currency.as_deref());
        let value = self.required("/amount/value", amount.value.as_deref());
        let currency = currency?;
        if currency != "XRP" {
            if currency != "RLUSD" && !is_currency(currency) {
                let detail = "must be XRP, a code of three characters or 40 hex digits";
                return self.invalid("/amount/currency", detail);
            }
            let shown = if currency == RLUSD { "RLUSD" } else { currency };
            return self.not_enabled("/amount/currency", shown);
        }
        if amount.issuer.is_some() {
            return self.invalid("/amount/issuer", "XRP has no issuer");
        }
        Drops::from_xrp(value?)
            .map_err(|bad| self.invalid::<()>("/amount/value", bad.to_string()))
            .ok()
    }

    fn not_enabled(&mut self, pointer: &str, what: &str) -> Option<Drops> {
        let detail = format!("payments in {what} are not enabled; XRP is");
        self.add(Fault::CurrencyNotEnabled, pointer, detail)
    }

    /// The caller's own name for the payment.
    pub(super) fn reference(&mut self, text: Option<&str>) -> Option<String> {
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
    pub(super) fn metadata(&mut self, metadata: Option<&Metadata>) -> BTreeMap<String, String> {
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

    /// Memos in their ledger form. `invoice` tells whether our marker needs a memo too.
    pub(super) fn memos(&mut self, memos: &[Object<MemoRequest>], invoice: bool) -> Vec<Memo> {
        let mut bytes = if invoice { MARKER_MEMO_BYTES } else { 0 };
        let mut out = Vec::with_capacity(memos.len());
        for (n, memo) in memos.iter().enumerate() {
            let parts = [&memo.memo_type, &memo.format, &memo.data];
            if parts.iter().all(|part| part.is_none()) {
                self.invalid::<()>(format!("/memos/{n}"), "needs a type, a format or data");
            }
            for (name, part) in ["type", "format", "data"].into_iter().zip(parts) {
                let Some(part) = part else { continue };
                if part.is_empty() {
                    self.invalid::<()>(format!("/memos/{n}/{name}"), "must not be empty");
                }
                if name != "data" && !part.bytes().all(is_url_character) {
                    let detail = "the ledger takes only characters that a URL may hold here";
                    self.invalid::<()>(format!("/memos/{n}/{name}"), detail);
                }
                bytes = bytes.saturating_add(part_len(part.len()));
            }
            // The object's own header and end mark.
            bytes = bytes.saturating_add(2);
            let hex = |part: &Option<String>| part.as_ref().map(hex::encode_upper);
            out.push(Memo {
                memo_type: hex(&memo.memo_type),
                memo_format: hex(&memo.format),
                memo_data: hex(&memo.data),
            });
        }
        if bytes > MEMOS_BYTES_MAX {
            let detail =
                format!("take {bytes} bytes on the ledger; at most {MEMOS_BYTES_MAX} are allowed");
            self.invalid::<()>("/memos", detail);
        }
        out
    }

    /// An InvoiceID.
    pub(super) fn invoice_id(&mut self, text: Option<&str>) -> Option<Hash256> {
        text?
            .parse()
            .map_err(|_| self.invalid::<()>("/invoice_id", "must be 64 hex digits"))
            .ok()
    }

    /// Seconds until the expiry.
    pub(super) fn expires_in(&mut self, seconds: Option<u64>) -> Option<u64> {
        let seconds = seconds?;
        if EXPIRES_IN_S.contains(&seconds) {
            return Some(seconds);
        }
        let (first, last) = (EXPIRES_IN_S.start(), EXPIRES_IN_S.end());
        self.invalid("/expires_in", format!("must be {first} to {last} seconds"))
    }

    /// The most that may be burned as fee.
    pub(super) fn max_fee(&mut self, text: Option<&str>) -> Option<Drops> {
        let drops: Result<Drops, _> = text?.parse();
        match drops {
            Ok(drops) if drops.get() >= MAX_FEE_DROPS_MIN => Some(drops),
            Ok(_) => {
                let detail = format!("must be at least {MAX_FEE_DROPS_MIN} drops");
                self.invalid("/max_fee_drops", detail)
            }
            Err(_) => self.invalid(
                "/max_fee_drops",
                "must be a whole number of drops in quotes",
            ),
        }
    }

    /// A field that means something for issued currencies only.
    pub(super) fn not_for_xrp(&mut self, pointer: &str, value: Option<&serde_json::Value>) {
        if value.is_some() {
            let detail = "does not apply to XRP: what is sent is what arrives";
            self.invalid::<()>(pointer, detail);
        }
    }
}

/// The bytes of one part of a memo on the ledger: field id, length prefix, content.
const fn part_len(content: usize) -> usize {
    content + if content <= 192 { 2 } else { 3 }
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

/// The characters that the ledger allows in a memo's type and format (RFC 3986).
fn is_url_character(c: u8) -> bool {
    c.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&c)
}

/// A name as a segment of a JSON pointer.
fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
