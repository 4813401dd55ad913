//! A model of the XRP Ledger.
