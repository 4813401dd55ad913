//! What the ledger's own vocabulary means for a payment.

pub mod codes;
