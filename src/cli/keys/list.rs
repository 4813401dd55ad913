//! `xrpayd keys list`: every key that was ever made, without its secret.

use super::limits_json;
use crate::cli::args::{BOOKS, ConfigArgs, OutputArgs};
use crate::cli::failure::Failure;
use crate::cli::store::{not_done, with_store};
use crate::clock::{Clock as _, SystemClock};
use crate::rfc3339::Rfc3339;
use crate::store::ApiKey;
use clap::Args;
use serde_json::json;
use xrpayd_core::ids::UnixMs;

/// List the keys, without their secrets, oldest first.
#[derive(Debug, Args)]
pub(in crate::cli) struct List {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    output: OutputArgs,
}

impl List {
    /// Lists.
    pub(in crate::cli) async fn run(self) -> Result<(), Failure> {
        let config = self.config.load_part(BOOKS)?;
        let keys = with_store(&config, |store| async move {
            store
                .list_keys()
                .await
                .map_err(not_done("The keys cannot be read."))
        })
        .await?;
        let now = SystemClock::new().now();
        let rows: Vec<serde_json::Value> = keys.iter().map(|key| row(key, now)).collect();
        let lines: Vec<String> = keys.iter().map(|key| line(key, now)).collect();
        let human = if lines.is_empty() {
            "There are no keys.".to_owned()
        } else {
            lines.join("\n")
        };
        self.output.print(&human, &json!({ "data": rows }))
    }
}

/// Whether a key can be used now, in a word.
fn state(key: &ApiKey, now: UnixMs) -> &'static str {
    if key.revoked_at.is_some() {
        "revoked"
    } else if key.expires_at.is_some_and(|at| at <= now) {
        "expired"
    } else {
        "active"
    }
}

fn line(key: &ApiKey, now: UnixMs) -> String {
    let mut line = format!(
        "{}  {}  {}  {}  made {}",
        key.id,
        state(key, now),
        key.client,
        key.scopes.join(","),
        Rfc3339(key.created_at)
    );
    if let Some(at) = key.expires_at {
        line.push_str(&format!("  expires {}", Rfc3339(at)));
    }
    if let Some(at) = key.rotated_at {
        line.push_str(&format!("  rotated {}", Rfc3339(at)));
    }
    if let Some(previous) = key.previous.filter(|previous| previous.until > now) {
        line.push_str(&format!("  old secret until {}", Rfc3339(previous.until)));
    }
    match key.last_used_at {
        Some(at) => line.push_str(&format!("  used {}", Rfc3339(at))),
        None => line.push_str("  never used"),
    }
    if !key.cidrs.is_empty() {
        line.push_str(&format!("  from {}", key.cidrs.join(",")));
    }
    for (name, limit) in [
        ("writes/min", key.limits.per_minute),
        ("writes/h", key.limits.per_hour),
        ("reads/min", key.limits.reads_per_minute),
    ] {
        if let Some(limit) = limit {
            line.push_str(&format!("  {limit} {name}"));
        }
    }
    line
}

fn row(key: &ApiKey, now: UnixMs) -> serde_json::Value {
    json!({
        "id": key.id,
        "state": state(key, now),
        "name": key.client,
        "scopes": key.scopes,
        "cidrs": key.cidrs,
        "require_signature": key.require_signature,
        "limits": limits_json(&key.limits),
        "created_at": Rfc3339(key.created_at),
        "expires_at": key.expires_at.map(Rfc3339),
        "rotated_at": key.rotated_at.map(Rfc3339),
        "old_secret_until": key.previous.map(|previous| Rfc3339(previous.until)),
        "revoked_at": key.revoked_at.map(Rfc3339),
        "last_used_at": key.last_used_at.map(Rfc3339),
    })
}
