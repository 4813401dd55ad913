//! Heeds the word by which a wallet is halted or goes on, whoever said it.
//!
//! What binds is read in the commit of every signature. What is read here is for a wallet that signs
//! nothing at this moment: without it an idle one would not show that it is halted before it had something
//! to pay. A hint brings it sooner, where there are hints; a command on an SQLite database can give none.

use super::engine::{Engine, StepResult, Stop};
use crate::store::StoreError;
use std::time::Duration;
use tokio::time::Instant;

/// A halted wallet looks for the operator's word this often.
const HALT_POLL: Duration = Duration::from_secs(2);

impl Engine<'_> {
    /// Has everything read again where another hand has halted the wallet, or resumed it.
    pub(super) async fn heed_halts(&mut self) -> StepResult {
        let (deps, now) = (self.deps, Instant::now());
        let wallet = deps.wallet.name.as_str();
        let Some(reason) = self.desk.halted() else {
            self.asks_halt_at = None;
            let is_halted = deps.switches.standing().halts.contains_key(wallet);
            return if is_halted {
                Err(Stop::reload())
            } else {
                Ok(())
            };
        };
        let Some(at) = self.asks_halt_at else {
            self.asks_halt_at = Some(now + HALT_POLL);
            return Ok(());
        };
        if now < at {
            return Ok(());
        }
        let known = deps.store.halt_reason(wallet).await?;
        if known.as_deref() != Some(reason) {
            return Err(Stop::reload());
        }
        self.asks_halt_at = Some(now + HALT_POLL);
        Ok(())
    }

    /// Counts what nobody has accepted yet, for a wallet that begins to live halted. What comes later is
    /// counted as it is booked, and halts a wallet that is not.
    pub(super) async fn count_foreign(&mut self) -> Result<(), StoreError> {
        if self.desk.halted().is_some() {
            let (store, wallet) = (&self.deps.store, &self.deps.wallet.name);
            self.foreign = store.foreign_transactions(wallet).await?.len();
        }
        Ok(())
    }
}
