//! Where a span belongs: a trace, a parent, and whether it is told at all.

use std::fmt;
use xrpayd_core::ids::{DepositId, InvoiceId, PaymentId};
use xrpayd_core::rollout::Ratio;

/// What a share of the traces is measured by: the lowest seven bytes, which the W3C asks to be random.
const RANDOM_BITS: u32 = 56;
const PPM: u128 = 1_000_000;

/// A span as others name it: the contents of a `traceparent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Context {
    /// The trace.
    pub trace: u128,
    /// The span in it.
    pub span: u64,
    /// Whether its spans are kept.
    pub sampled: bool,
}

impl Context {
    /// Reads a `traceparent` of this version or a later one; one that is not well-formed is none.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let mut parts = text.trim().split('-');
        let (version, trace) = (parts.next()?, parts.next()?);
        let (span, flags) = (parts.next()?, parts.next()?);
        // A later version may have more; this one has not.
        let is_ended = parts.next().is_none();
        if hex(version, 2)? == 0xFF || (version == "00" && !is_ended) {
            return None;
        }
        let (trace, span) = (hex(trace, 32)?, u64::try_from(hex(span, 16)?).ok()?);
        let sampled = hex(flags, 2)? & 1 == 1;
        (trace != 0 && span != 0).then_some(Self {
            trace,
            span,
            sampled,
        })
    }

    /// The first span of an object's trace; every other one is below it. It is known before it is told,
    /// and by whoever knows the object.
    #[must_use]
    pub const fn root_of(trace: u128) -> u64 {
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = trace.to_be_bytes();
        let high = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
        let low = u64::from_be_bytes([i, j, k, l, m, n, o, p]);
        match high ^ low {
            0 => 1,
            span => span,
        }
    }
}

impl fmt::Display for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flags = u8::from(self.sampled);
        write!(f, "00-{:032x}-{:016x}-{flags:02x}", self.trace, self.span)
    }
}

/// Whether a share of all traces has this one in it; every replica says the same of one trace.
#[must_use]
pub fn sampled(trace: u128, share: Ratio) -> bool {
    let whole = 1_u128 << RANDOM_BITS;
    let draw = trace & whole.saturating_sub(1);
    draw.saturating_mul(PPM) < whole.saturating_mul(u128::from(share.ppm))
}

/// The trace of a public object, which is its identifier.
pub(super) fn of_object(id: &str) -> Option<u128> {
    let payment = id.parse::<PaymentId>().map(|id| id.0);
    let invoice = || id.parse::<InvoiceId>().map(|id| id.0);
    let deposit = || id.parse::<DepositId>().map(|id| id.0);
    let found = payment.or_else(|_| invoice()).or_else(|_| deposit());
    found.ok().filter(|trace| *trace != 0)
}

/// So many digits of lower-case hexadecimal and nothing else.
pub(super) fn hex(text: &str, digits: usize) -> Option<u128> {
    let is_digit = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
    if text.len() != digits || !text.bytes().all(is_digit) {
        return None;
    }
    u128::from_str_radix(text, 16).ok()
}
