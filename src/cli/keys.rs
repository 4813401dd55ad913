//! `xrpayd keys`: makes, lists, rotates and revokes API keys.

mod create;
mod list;
mod revoke;
mod rotate;

use super::failure::Failure;
use crate::store::KeyLimits;
use clap::Subcommand;
use serde_json::json;
use std::time::Duration;
use xrpayd_core::ids::UnixMs;

/// What can be done with API keys.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a key and show it, once.
    Create(create::Create),
    /// List the keys, without their secrets.
    List(list::List),
    /// Give a key a new secret; the old one holds for a while.
    Rotate(rotate::Rotate),
    /// Revoke a key for good.
    Revoke(revoke::Revoke),
}

impl Command {
    /// Does it.
    pub(super) async fn run(self) -> Result<(), Failure> {
        match self {
            Self::Create(command) => command.run().await,
            Self::List(command) => command.run().await,
            Self::Rotate(command) => command.run().await,
            Self::Revoke(command) => command.run().await,
        }
    }
}

/// The id of a key, of which the whole text is taken as well: it may be all that the operator has at
/// hand.
fn id_of(text: &str) -> String {
    let key = text.strip_prefix("xrpayd_");
    let id = key.map(|key| key.split('_').next().unwrap_or_default());
    id.unwrap_or(text).to_owned()
}

/// The instant that is so much after `now`.
fn after(now: UnixMs, longer: Duration) -> UnixMs {
    now.plus_ms(i64::try_from(longer.as_millis()).unwrap_or(i64::MAX))
}

/// A key's own limits, none where the configuration's hold.
fn limits_json(limits: &KeyLimits) -> serde_json::Value {
    json!({
        "per_minute": limits.per_minute,
        "per_hour": limits.per_hour,
        "reads_per_minute": limits.reads_per_minute,
    })
}
