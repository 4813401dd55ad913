//! Why requests are not let in: a closed set, each with its metric label, and whether it is a failed
//! attempt that the fence counts.

use super::problem::{Code, Problem};

/// Why a request is not let in: the label of `auth_failures_total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// It names no key.
    Missing,
    /// What it names is no key.
    Malformed,
    /// There is no such key, or its secret is another.
    UnknownKey,
    /// The key was revoked.
    Revoked,
    /// The key's time is up.
    Expired,
    /// The key may not be used from there.
    Address,
    /// The key's requests have to be signed, and this one is not, or wrongly.
    Signature,
    /// Nobody knows: the store did not answer.
    Store,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 8] = [
        Self::Missing,
        Self::Malformed,
        Self::UnknownKey,
        Self::Revoked,
        Self::Expired,
        Self::Address,
        Self::Signature,
        Self::Store,
    ];

    /// The label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Malformed => "malformed",
            Self::UnknownKey => "unknown_key",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
            Self::Address => "address",
            Self::Signature => "signature",
            Self::Store => "store",
        }
    }

    /// Whether it is the fault of somebody without a key that holds. What is wrongly signed has one, and
    /// is counted by that key's own limits; a store that does not answer is nobody's fault.
    #[must_use]
    pub const fn is_a_failed_attempt(self) -> bool {
        match self {
            Self::Missing
            | Self::Malformed
            | Self::UnknownKey
            | Self::Revoked
            | Self::Expired
            | Self::Address => true,
            Self::Signature | Self::Store => false,
        }
    }
}

/// A refusal, with its reason.
#[derive(Debug)]
pub struct Denied {
    /// The reason.
    pub reason: Reason,
    /// The answer.
    pub problem: Problem,
}

/// A refusal for this reason.
pub(super) fn deny(reason: Reason, code: Code, detail: &str) -> Denied {
    let problem = Problem::new(code, detail);
    Denied { reason, problem }
}
