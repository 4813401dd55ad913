//! Payments: from a client's request to its proven end.

pub mod accept;
