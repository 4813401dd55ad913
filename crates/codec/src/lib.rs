//! The XRP Ledger's binary codec, keys and signing: strict, and panic-free on any bytes.
