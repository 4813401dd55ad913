//! `xrpayd keys rotate`: gives a key a new secret and shows it, once. The key stays what it is, its id
//! above all: who asked for a payment still cannot approve it. A running daemon sees it within a second.

use super::{after, id_of};
use crate::app::keys::KeyText;
use crate::cli::args::{ConfigArgs, OutputArgs, some_duration};
use crate::cli::failure::Failure;
use crate::cli::operator::operator;
use crate::cli::out;
use crate::cli::store::{not_done, with_store};
use crate::clock::{Clock as _, OsEntropy, SystemClock};
use crate::config::duration;
use crate::rfc3339::Rfc3339;
use crate::store::{Rotation, RotationOutcome};
use clap::Args;
use serde_json::json;
use std::time::Duration;

/// Give a key a new secret and show it, once: the key alone on standard output, the rest on standard
/// error. Its id, client, scopes, networks and limits stay.
#[derive(Debug, Args)]
pub(in crate::cli) struct Rotate {
    /// The key's id, as `keys list` shows it.
    #[arg(value_name = "ID")]
    id: String,
    /// For how long the old secret holds beside the new one; 0s ends it at once.
    #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = duration)]
    overlap: Duration,
    /// How long the key holds from now, as 90d. Without it: as before.
    #[arg(long, value_name = "DURATION", value_parser = some_duration)]
    expires_in: Option<Duration>,
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    output: OutputArgs,
}

impl Rotate {
    /// Rotates.
    pub(in crate::cli) async fn run(self) -> Result<(), Failure> {
        let config = self.config.load()?.config;
        let entropy = OsEntropy::new()
            .map_err(|error| Failure::because("A secret cannot be made without entropy.", error))?;
        let now = SystemClock::new().now();
        let id = id_of(&self.id);
        let fresh = KeyText::draw(&entropy).of(&id);
        let previous_until = after(now, self.overlap);
        let expires_at = self.expires_in.map(|longer| after(now, longer));
        let secret_hash = fresh.secret_hash();
        let (id, outcome) = with_store(&config, |store| async move {
            let rotation = Rotation {
                id: &id,
                secret_hash,
                at: now,
                previous_until,
                expires_at,
            };
            let rotated = store.rotate_key(&rotation, &operator()).await;
            let outcome = rotated.map_err(not_done("The key cannot be rotated."))?;
            Ok((id, outcome))
        })
        .await?;
        let key = match outcome {
            RotationOutcome::Rotated(key) => key,
            RotationOutcome::Ended(_) => {
                let what = "is revoked or expired: make a new one with `keys create`.";
                return Err(Failure::new(format!("Key {id} {what}")));
            }
            RotationOutcome::NotFound => {
                return Err(Failure::new(format!("There is no key {id}.")));
            }
        };
        if !self.output.is_json() {
            let until = Rfc3339(previous_until);
            out::note(&format!(
                "Key {id} of {} has a new secret; the old one holds until {until}. It is shown this once:",
                key.client
            ));
            if key.previous.is_some_and(|older| older.until > now) {
                out::note("The secret before that one, which still held, has ended.");
            }
        }
        let text = fresh.text();
        let answer = json!({
            "id": id,
            "key": *text,
            "name": key.client,
            "scopes": key.scopes,
            "rotated_at": Rfc3339(now),
            "old_secret_until": Rfc3339(previous_until),
            "expires_at": expires_at.or(key.expires_at).map(Rfc3339),
        });
        self.output.print(&text, &answer)
    }
}
