//! The daemon's own hand on the rollout: what the configuration does not allow any more is left, and a
//! stage at which too many payments fail is given up, where the configuration says when.
//!
//! Every replica runs it; the store lets one of them make a change. On failure the stage stays, the
//! trouble is told, and the next look is soon.

use crate::clock::Clock;
use crate::http::state::Rules;
use crate::rollout;
use crate::store::switches::Switches;
use crate::store::{Store, StoreError};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How often the windows are looked at: a window of minutes is not missed by seconds.
const PERIOD: Duration = Duration::from_secs(5);

/// What the rollout is kept by.
pub(super) struct Keeper {
    pub(super) store: Store,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) switches: Switches,
    pub(super) rules: watch::Receiver<Arc<Rules>>,
}

/// Keeps it for ever.
pub(super) async fn keep(mut keeper: Keeper) {
    let mut tick = tokio::time::interval(PERIOD);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    keeper.rules.mark_unchanged();
    loop {
        let looked = tokio::select! {
            _ = tick.tick() => keeper.look().await,
            changed = keeper.rules.changed() => match changed {
                Ok(()) => keeper.settle().await,
                // Nobody reloads any more; the windows are still worth a look.
                Err(_) => {
                    tick.tick().await;
                    keeper.look().await
                }
            },
        };
        if let Err(error) = looked {
            tracing::warn!(%error, "the rollout could not be looked at; its stage stays");
        }
    }
}

impl Keeper {
    async fn look(&self) -> Result<(), StoreError> {
        let ladder = self.rules.borrow().ladder.clone();
        let now = self.clock.now();
        // Of a stage that is not allowed, too: another replica may have gone up by an older configuration,
        // and a reload may have found the store away.
        if rollout::demote_where_breached(&self.store, &ladder, now)
            .await?
            .is_some()
        {
            self.switches.look_again().await;
        }
        Ok(())
    }

    /// After a reload: the highest stage may be another.
    async fn settle(&self) -> Result<(), StoreError> {
        let ladder = self.rules.borrow().ladder.clone();
        rollout::settle(&self.store, &ladder, self.clock.now()).await?;
        self.switches.look_again().await;
        Ok(())
    }
}
