//! A wallet that the daemon works is brought to rest before its account is changed, as by another key: two hands on
//! one account's sequences would fight, and what the daemon signs meanwhile may be signed by the key that
//! is going.
//!
//! It is halted, which binds in the commit of every signature, and what is in flight is waited for. It
//! stays halted: `xrpayd wallet resume` shows the change among what was not signed by the daemon, and is
//! told to accept it.

use super::subject::Subject;
use crate::cli::failure::Failure;
use crate::cli::operator::operator;
use crate::cli::out;
use crate::cli::store::{not_done, with_store};
use crate::clock::{Clock as _, SystemClock};
use crate::config::Config;
use crate::store::{Store, StoreError};
use std::time::Duration;
use tokio::time::Instant;

/// How often it is looked whether everything in flight has ended.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Halts the wallet of `subject`, where it is one, and waits until nothing of it is in flight.
///
/// # Errors
/// Something is in flight still after `patience`; the wallet stays halted.
pub(super) async fn bring_to_rest(
    config: &Config,
    subject: &Subject,
    reason: &str,
    patience: Duration,
) -> Result<(), Failure> {
    let Some(wallet) = subject.wallet.clone() else {
        return Ok(());
    };
    let reason = format!("its account is being changed by a command: {reason}");
    with_store(config, |store| async move {
        if !halt(&store, &wallet, &reason).await? {
            return Ok(());
        }
        let deadline = Instant::now() + patience;
        loop {
            let open = store
                .open_attempts(&wallet)
                .await
                .map_err(not_done("What is in flight cannot be looked up."))?;
            if open == 0 {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(Failure::new(format!(
                    "{open} transactions of {wallet} are in flight still. It is halted, and a running \
                     daemon follows them to their end: give the command again then."
                )));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    })
    .await
}

/// Halts the wallet where it is not yet; `false` where the database does not know it, so that nothing of
/// it can be in flight.
async fn halt(store: &Store, wallet: &str, reason: &str) -> Result<bool, Failure> {
    let cannot = || not_done("The wallet cannot be halted.");
    let known = store.halt_reason(wallet).await.map_err(cannot())?;
    if known.is_some() {
        return Ok(true);
    }
    let now = SystemClock::new().now();
    match store.set_halt(wallet, Some(reason), &operator(), now).await {
        Ok(()) => {
            out::note(&format!("{wallet} signs nothing until it is resumed."));
            Ok(true)
        }
        Err(StoreError::UnknownWallet(_)) => Ok(false),
        Err(error) => Err(cannot()(error)),
    }
}
