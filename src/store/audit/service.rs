//! What is noted of the service itself, which has no row of its own: each a transaction of its own.

use super::{Actor, Audited, note};
use crate::store::Store;
use crate::store::error::StoreError;
use serde_json::{Value as Json, json};
use xrpayd_core::ids::UnixMs;

/// What such entries are about.
const SERVICE: &str = "service";

impl Store {
    /// Notes that the daemon runs from now on: its version and what it was configured with, without a
    /// secret.
    ///
    /// # Errors
    /// The database could not write, or the log is damaged.
    pub async fn note_start(&self, data: Json, now: UnixMs) -> Result<(), StoreError> {
        self.note_alone(Actor::Daemon, "service.started", data, now)
            .await
    }

    /// Notes that the daemon ends in order.
    ///
    /// # Errors
    /// The database could not write, or the log is damaged.
    pub async fn note_end(&self, data: Json, now: UnixMs) -> Result<(), StoreError> {
        self.note_alone(Actor::Daemon, "service.ended", data, now)
            .await
    }

    /// Notes that another configuration holds from now on: what of it was in force before, and what is
    /// after, without a secret.
    ///
    /// # Errors
    /// The database could not write, or the log is damaged.
    pub async fn note_reload(
        &self,
        actor: &Actor,
        before: Json,
        after: Json,
        now: UnixMs,
    ) -> Result<(), StoreError> {
        let data = json!({ "before": before, "after": after });
        self.note_alone(actor.clone(), "config.reloaded", data, now)
            .await
    }

    async fn note_alone(
        &self,
        actor: Actor,
        action: &'static str,
        data: Json,
        at: UnixMs,
    ) -> Result<(), StoreError> {
        let object = SERVICE.to_owned();
        let mut tx = self.db().write().await?;
        let entry = Audited {
            at,
            actor,
            action,
            object,
            data,
        };
        note(&mut tx, vec![entry]).await?;
        tx.commit().await
    }
}
