//! The pool as a person reads it.

use super::cause::Cause;
use super::health::State;
use std::time::Duration;
use xrpayd_core::ids::{LedgerIndex, UnixMs};

/// One server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerView {
    /// Its name.
    pub name: String,
    /// Its URL without credentials or query.
    pub url: String,
    /// Who runs it.
    pub operator: String,
    /// The state of the connection.
    pub state: State,
    /// Why it is not ready.
    pub cause: Option<Cause>,
    /// Since when it is in this state; `None` before the first change.
    pub since: Option<UnixMs>,
    /// The newest validated ledger it told of.
    pub validated_ledger: Option<LedgerIndex>,
    /// How many ledgers it is behind the pool.
    pub lag: Option<u32>,
    /// A weighted mean of its answers' times.
    pub latency: Option<Duration>,
    /// Nineteen of twenty answers come within this; `None` before there are a few.
    pub latency_p95: Option<Duration>,
    /// Its load factor; 1 is no load.
    pub load_factor: Option<u64>,
    /// Of a thousand answers, how many were of no use; the newest weigh most.
    pub errors_per_mille: u32,
    /// How many requests a second it may be asked, where it asked us to slow down.
    pub budget_per_second: Option<u64>,
    /// The ledgers it holds.
    pub complete_ledgers: String,
    /// The network it says it is of.
    pub network_id: Option<u32>,
    /// Its version.
    pub build_version: Option<String>,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// How fit it is, from 0 (not at all) to 1,000.
    pub score: u32,
    /// Since when the connection stands.
    pub connected_since: Option<UnixMs>,
}

/// A URL as it may be shown: without user, password, query or fragment.
pub(super) fn shown_url(url: &str) -> String {
    let bare = url.split(['?', '#']).next().unwrap_or_default();
    let Some((scheme, rest)) = bare.split_once("://") else {
        return bare.to_owned();
    };
    let (authority, path) = match rest.split_once('/') {
        Some((authority, path)) => (authority, format!("/{path}")),
        None => (rest, String::new()),
    };
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_its_secrets() {
        for (url, shown) in [
            (
                "wss://user:pa@ss@host:51233/path?key=secret#x",
                "wss://host:51233/path",
            ),
            ("ws://127.0.0.1:6006", "ws://127.0.0.1:6006"),
            ("wss://host?token=1", "wss://host"),
        ] {
            assert_eq!(shown_url(url), shown);
        }
    }
}
