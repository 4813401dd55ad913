//! What comes in: invoices are issued here. What is credited to them is decided in `core::deposit` and
//! `core::invoice`, and written by the store in the transaction that carries the journal on.

pub mod issue;
