//! One check a field of a payment request, each ending in the ledger's form or in one sentence.

use super::request::MemoRequest;
use crate::request::{AmountRequest, Fault, Faults, Named, Object};
use xrpayd_core::currency::RLUSD;
use xrpayd_core::ids::Hash256;
use xrpayd_core::money::Drops;
use xrpayd_core::payment::Memo;

/// The ledger refuses a transaction whose memos serialise to more.
const MEMOS_BYTES_MAX: usize = 1024;
/// Kept free for the memo that carries our marker where the caller sets the InvoiceID.
const MARKER_MEMO_BYTES: usize = 64;
/// The shortest and longest life of a payment, in seconds.
pub(super) const EXPIRES_IN_S: std::ops::RangeInclusive<u64> = 1..=30 * 24 * 60 * 60;
/// The ledger's lowest fee: nothing below it can ever be signed.
const MAX_FEE_DROPS_MIN: u64 = 10;

/// What payments alone ask for.
impl Faults {
    /// An amount of XRP.
    pub(super) fn xrp(&mut self, amount: &AmountRequest) -> Option<Drops> {
        match self.named(amount)? {
            Named::Mpt(_) => self.not_enabled("/amount/mpt_issuance_id", "multi-purpose tokens"),
            Named::Token(code) => {
                let shown = if code == RLUSD { "RLUSD" } else { code };
                self.not_enabled("/amount/currency", shown)
            }
            Named::Xrp => self.drops(amount),
        }
    }

    fn not_enabled(&mut self, pointer: &str, what: &str) -> Option<Drops> {
        let detail = format!("payments in {what} are not enabled; XRP is");
        self.add(Fault::CurrencyNotEnabled, pointer, detail)
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

/// The characters that the ledger allows in a memo's type and format (RFC 3986).
fn is_url_character(c: u8) -> bool {
    c.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&c)
}
