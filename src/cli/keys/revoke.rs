//! `xrpayd keys revoke`: ends a key for good. A running daemon sees it within a second.

use super::id_of;
use crate::cli::args::{BOOKS, ConfigArgs, OutputArgs};
use crate::cli::failure::Failure;
use crate::cli::operator::operator;
use crate::cli::store::{not_done, with_store};
use crate::clock::{Clock as _, SystemClock};
use clap::Args;
use serde_json::json;

/// Revoke a key for good.
#[derive(Debug, Args)]
pub(in crate::cli) struct Revoke {
    /// The key's id, as `keys list` shows it.
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    output: OutputArgs,
}

impl Revoke {
    /// Revokes.
    pub(in crate::cli) async fn run(self) -> Result<(), Failure> {
        let id = id_of(&self.id);
        let config = self.config.load_part(BOOKS)?;
        let now = SystemClock::new().now();
        let (id, revoked) = with_store(&config, |store| async move {
            let revoked = store
                .revoke_key(&id, &operator(), now)
                .await
                .map_err(not_done("The key cannot be revoked."))?;
            Ok((id, revoked))
        })
        .await?;
        if !revoked {
            return Err(Failure::new(format!(
                "There is no key {id} that is not revoked already."
            )));
        }
        let answer = json!({ "id": id, "revoked": true });
        self.output.print(&format!("Key {id} is revoked."), &answer)
    }
}
