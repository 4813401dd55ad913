//! Why bytes or JSON are not a transaction.

use xrpayd_core::address::BadAddress;
use xrpayd_core::currency::BadCurrency;
use xrpayd_core::mpt::BadMpt;
use xrpayd_core::token::BadTokenValue;

/// A refusal of the codec. It never depends on anything but the input, so a retry is pointless.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The JSON has a field that cannot be written as it stands.
    #[error("{field}: {problem}")]
    Field {
        /// The path to the field, outermost name first.
        field: String,
        /// What is wrong with it.
        problem: Problem,
    },
    /// The bytes stop being a transaction somewhere.
    #[error("byte {at}: {problem}")]
    Bytes {
        /// Where reading stopped.
        at: usize,
        /// What is wrong there.
        problem: Problem,
    },
}

/// What is wrong with one field or with the bytes at one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// No field of that name or number exists.
    #[error("is not a field of the ledger")]
    UnknownField,
    /// The field has to be there.
    #[error("is missing")]
    Missing,
    /// The field must not be there.
    #[error("must not be present")]
    Unwanted,
    /// The value has another shape than the field's type.
    #[error("must be {0}")]
    WrongShape(&'static str),
    /// The number does not fit.
    #[error("is out of range")]
    OutOfRange,
    /// Not the name of a transaction type, ledger entry type or result code.
    #[error("is not a known name")]
    UnknownName,
    /// Not an amount of XRP.
    #[error("must be a whole number of drops, at most 100000000000000000")]
    BadDrops,
    /// Not a classic address.
    #[error("{0}")]
    BadAddress(#[from] BadAddress),
    /// Not a token's value.
    #[error("{0}")]
    BadTokenValue(#[from] BadTokenValue),
    /// Not a currency code.
    #[error("{0}")]
    BadCurrency(#[from] BadCurrency),
    /// Not an amount or issuance of a multi-purpose token.
    #[error("{0}")]
    BadMpt(#[from] BadMpt),
    /// Nested more deeply than the ledger allows.
    #[error("is nested too deeply")]
    TooDeep,
    /// Longer than can be written.
    #[error("is too long")]
    TooLong,
    /// The list may not be empty, or may not hold what it holds.
    #[error("must not be empty")]
    Empty,
    /// The bytes end in the middle of a value.
    #[error("the bytes end too early")]
    Truncated,
    /// The bytes are not the one way in which the ledger writes that value.
    #[error("the value is not in its canonical form")]
    NotCanonical,
    /// Fields repeat or are out of order.
    #[error("the fields are not in canonical order")]
    OutOfOrder,
    /// An end mark that ends nothing, or an element that cannot stand there.
    #[error("a field cannot stand here")]
    Misplaced,
}

impl CodecError {
    pub(crate) fn field(name: impl Into<String>, problem: impl Into<Problem>) -> Self {
        Self::Field {
            field: name.into(),
            problem: problem.into(),
        }
    }

    /// The same error seen from one level further out.
    pub(crate) fn within(self, outer: &str) -> Self {
        match self {
            Self::Field { field, problem } => Self::Field {
                field: format!("{outer}.{field}"),
                problem,
            },
            bytes @ Self::Bytes { .. } => bytes,
        }
    }
}
