//! What every wallet was given and has not done yet, as the choice of a wallet needs it at once.
//!
//! The database is the truth and is read every second; what was given since is added here, so that
//! requests of the same moment see each other. What was given shortly before a reading is kept until
//! the next one, because it may not have been committed when the database was read: for a second a
//! wallet may look busier than it is, and never idler. Nothing but the choice of a wallet depends on
//! it. Where the database does not answer, the last reading stands and what is given adds up.

use crate::store::{Store, StoreError};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use xrpayd_core::money::Drops;
use xrpayd_core::route::Load;

/// How often the database is read.
const PERIOD: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
struct Known {
    counted: BTreeMap<String, Load>,
    /// What was given, by the reading that it came after.
    given: BTreeMap<u64, BTreeMap<String, Load>>,
    readings: u64,
}

impl Known {
    fn of(&self, wallet: &str) -> Load {
        let counted = self.counted.get(wallet).copied().unwrap_or_default();
        let given = self.given.values().filter_map(|given| given.get(wallet));
        given.fold(counted, |sum, load| sum.and(*load))
    }
}

/// The loads of all wallets.
#[derive(Debug, Clone, Default)]
pub struct Loads {
    known: Arc<Mutex<Known>>,
}

impl Loads {
    /// Lets `choose` pick a wallet by the loads as they stand, and gives the payment to it.
    pub fn give(
        &self,
        amount: Drops,
        choose: impl FnOnce(&dyn Fn(&str) -> Load) -> Option<String>,
    ) -> Option<String> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let chosen = choose(&|wallet| known.of(wallet))?;
        let reading = known.readings;
        let given = known.given.entry(reading).or_default();
        given.entry(chosen.clone()).or_default().add(amount);
        Some(chosen)
    }

    /// What `choose` would pick; nothing is given.
    pub fn ask(
        &self,
        choose: impl FnOnce(&dyn Fn(&str) -> Load) -> Option<String>,
    ) -> Option<String> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        choose(&|wallet| known.of(wallet))
    }

    /// Reads the database.
    ///
    /// # Errors
    /// It does not answer; what was known stands.
    pub async fn read(&self, store: &Store) -> Result<(), StoreError> {
        let reading = {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.readings = known.readings.saturating_add(1);
            known.readings
        };
        let counted = store.loads().await?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.counted = counted;
        known
            .given
            .retain(|after, _| after.saturating_add(1) >= reading);
        Ok(())
    }

    /// Reads the database for ever.
    pub async fn follow(self, store: Store) {
        let mut tick = tokio::time::interval(PERIOD);
        loop {
            tick.tick().await;
            if let Err(error) = self.read(&store).await {
                tracing::warn!(%error, "the loads of the wallets are those of the last reading");
            }
        }
    }
}
