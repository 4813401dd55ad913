//! What clients ask, as far as several rooms ask for the same: the shapes of JSON, and one check a field,
//! each ending in the ledger's form or in one sentence.
//!
//! Owns nothing and changes nothing: all of it is pure. On failure the caller gets every fault of the
//! request at once, each with a JSON pointer to the field.

mod fields;
mod fingerprint;
mod shape;

pub(crate) use fields::Named;
pub(crate) use fingerprint::fingerprint;
pub use shape::{AmountRequest, Metadata, Object};

/// What is wrong with a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It must be there and is not.
    Missing,
    /// Its value cannot be used.
    Invalid,
    /// The destination is no address, or one of another network.
    DestinationInvalid,
    /// The destination is the wallet that would pay.
    DestinationIsSelf,
    /// The amount is in something that is not paid or taken here.
    CurrencyNotEnabled,
}

/// A fault of one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// The kind of fault.
    pub fault: Fault,
    /// A JSON pointer into the request.
    pub pointer: String,
    /// A sentence about the field, which the field's name goes before.
    pub detail: String,
}

/// Collects the faults of a request.
#[derive(Debug, Default)]
pub(crate) struct Faults(pub Vec<FieldError>);

impl Faults {
    /// Notes a fault; returns `None` for use as the value that is not there.
    pub(crate) fn add<T>(
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

    /// Notes a value that cannot be used.
    pub(crate) fn invalid<T>(
        &mut self,
        pointer: impl Into<String>,
        detail: impl Into<String>,
    ) -> Option<T> {
        self.add(Fault::Invalid, pointer, detail)
    }

    /// A field that must be there.
    pub(crate) fn required<T>(&mut self, pointer: &str, value: Option<T>) -> Option<T> {
        value.or_else(|| self.add(Fault::Missing, pointer, "is required"))
    }
}
