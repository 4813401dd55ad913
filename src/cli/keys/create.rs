//! `xrpayd keys create`: makes a key and shows it, once. The database keeps the SHA-256 of its secret
//! part and nothing else of it.

use super::{after, limits_json};
use crate::app::keys::{KeyText, SCOPES};
use crate::cidr;
use crate::cli::args::{ConfigArgs, OutputArgs, some_duration};
use crate::cli::failure::Failure;
use crate::cli::operator::operator;
use crate::cli::out;
use crate::cli::store::{not_done, with_store};
use crate::clock::{Clock as _, OsEntropy, SystemClock};
use crate::rfc3339::Rfc3339;

use crate::store::{KeyLimits, NewKey};
use clap::Args;
use clap::builder::PossibleValuesParser;
use ipnet::IpNet;
use serde_json::json;
use std::time::Duration;

const NAME_CHARS_MAX: usize = 64;

/// Make a key and show it, once: the key alone on standard output, the rest on standard error.
#[derive(Debug, Args)]
pub(in crate::cli) struct Create {
    /// The name of the client that the key speaks for.
    #[arg(long, value_name = "NAME", value_parser = client_name)]
    name: String,
    /// What it may do; several may be given.
    #[arg(long = "scope", value_name = "SCOPE", required = true, num_args = 1..)]
    #[arg(value_delimiter = ',', value_parser = PossibleValuesParser::new(SCOPES))]
    scopes: Vec<String>,
    /// Where it may be used from, as 10.0.0.0/8; several may be given. Without it: anywhere.
    #[arg(long = "cidr", value_name = "CIDR", num_args = 1.., value_delimiter = ',', value_parser = cidr::network)]
    cidrs: Vec<IpNet>,
    /// How long it holds, as 90d. Without it: until it is revoked.
    #[arg(long, value_name = "DURATION", value_parser = some_duration)]
    expires_in: Option<Duration>,
    /// Its own writes in a minute. Without it: `rate_limit.per_minute`.
    #[arg(long, value_name = "N", value_parser = limit())]
    per_minute: Option<u32>,
    /// Its own writes in an hour. Without it: `rate_limit.per_hour`.
    #[arg(long, value_name = "N", value_parser = limit())]
    per_hour: Option<u32>,
    /// Its own reads in a minute. Without it: `rate_limit.reads_per_minute`.
    #[arg(long, value_name = "N", value_parser = limit())]
    reads_per_minute: Option<u32>,
    /// Refuse requests with this key that are not signed.
    #[arg(long)]
    require_signature: bool,
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    output: OutputArgs,
}

impl Create {
    /// Makes the key.
    pub(in crate::cli) async fn run(self) -> Result<(), Failure> {
        let config = self.config.load()?.config;
        let entropy = OsEntropy::new()
            .map_err(|error| Failure::because("A key cannot be made without entropy.", error))?;
        let now = SystemClock::new().now();
        let fresh = KeyText::draw(&entropy);
        let mut scopes = self.scopes;
        scopes.sort();
        scopes.dedup();
        let expires_at = self.expires_in.map(|longer| after(now, longer));
        let key = NewKey {
            id: fresh.id.clone(),
            client: self.name,
            secret_hash: fresh.secret_hash(),
            scopes,
            cidrs: self.cidrs.iter().map(ToString::to_string).collect(),
            expires_at,
            created_at: now,
            require_signature: self.require_signature,
            limits: KeyLimits {
                per_minute: self.per_minute,
                per_hour: self.per_hour,
                reads_per_minute: self.reads_per_minute,
            },
        };
        let key = with_store(&config, |store| async move {
            store
                .create_key(&key, &operator())
                .await
                .map_err(not_done("The key cannot be stored."))?;
            Ok(key)
        })
        .await?;
        if !self.output.is_json() {
            out::note(&format!(
                "Key {} of {} may {}. It is shown this once:",
                key.id,
                key.client,
                key.scopes.join(", ")
            ));
        }
        let text = fresh.text();
        let answer = json!({
            "id": key.id,
            "key": *text,
            "name": key.client,
            "scopes": key.scopes,
            "cidrs": key.cidrs,
            "require_signature": key.require_signature,
            "limits": limits_json(&key.limits),
            "created_at": Rfc3339(key.created_at),
            "expires_at": key.expires_at.map(Rfc3339),
        });
        self.output.print(&text, &answer)
    }
}

/// A number of requests: as for the settings.
fn limit() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..=1_000_000_000)
}

fn client_name(text: &str) -> Result<String, String> {
    let length = text.chars().count();
    if text.trim() != text || !(1..=NAME_CHARS_MAX).contains(&length) || text == "*" {
        return Err(format!(
            "a name has 1 to {NAME_CHARS_MAX} characters, none of them space at its ends, and is not *"
        ));
    }
    if text.chars().any(char::is_control) {
        return Err("a name has no control characters".to_owned());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_strictly() {
        assert!(client_name("shop backend").is_ok());
        for bad in ["", " a", "a ", "*", "a\nb", &"x".repeat(65)] {
            assert!(client_name(bad).is_err(), "{bad:?}");
        }
    }
}
