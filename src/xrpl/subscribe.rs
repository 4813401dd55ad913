//! What is asked of a server once a connection stands, and again at every reconnect: subscriptions
//! die with their connection.

use super::config::AccountStreams;
use std::fmt::Write as _;
use xrpayd_core::address::AccountId;

/// The parameters of the two forms of `subscribe`.
#[derive(Debug)]
pub(super) struct Subscription {
    /// With the stream of the server's own state.
    pub full: String,
    /// Without it, for servers that do not have it.
    pub plain: String,
}

impl Subscription {
    pub(super) fn new(accounts: &[AccountId], streams: AccountStreams) -> Self {
        let accounts = match streams {
            AccountStreams::On => accounts_param(accounts),
            AccountStreams::Off => String::new(),
        };
        Self {
            full: format!(r#","streams":["ledger","server"]{accounts}"#),
            plain: format!(r#","streams":["ledger"]{accounts}"#),
        }
    }
}

fn accounts_param(accounts: &[AccountId]) -> String {
    if accounts.is_empty() {
        return String::new();
    }
    let mut out = String::from(r#","accounts":["#);
    for (nth, account) in accounts.iter().enumerate() {
        let comma = if nth == 0 { "" } else { "," };
        // Writing into a String cannot fail.
        let _ = write!(out, r#"{comma}"{account}""#);
    }
    out.push(']');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xrpl::server::{Command, Server};

    #[test]
    fn the_requests_are_json_with_the_streams_and_accounts_asked_for() {
        let accounts = [AccountId([0; 20]), AccountId([1; 20])];
        for (streams, count) in [(AccountStreams::On, 2), (AccountStreams::Off, 0)] {
            let subscription = Subscription::new(&accounts, streams);
            let text = Server::request_text(7, Command::Subscribe, &subscription.full);
            let json: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(json["streams"], serde_json::json!(["ledger", "server"]));
            assert_eq!(json["accounts"].as_array().map_or(0, Vec::len), count);
            assert_eq!(json["id"], 7);
            let text = Server::request_text(8, Command::Subscribe, &subscription.plain);
            let json: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(json["streams"], serde_json::json!(["ledger"]));
        }
    }
}
