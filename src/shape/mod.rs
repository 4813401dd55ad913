//! The public shapes of objects: what an answer shows and what an event tells, written once.
//!
//! Whoever follows the feed is told an object in the very fields in which the API shows it. Knows
//! core alone, so that the store may tell by it and HTTP may show by it.

pub mod amount;
mod payment;
pub mod scalar;

pub use payment::PaymentShape;
