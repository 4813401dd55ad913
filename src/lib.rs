//! xrpayd: a self-hosted payment daemon for the XRP Ledger.
