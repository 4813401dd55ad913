//! What the daemon tells the audit log of itself, and the audit log's head to whoever collects its logs.
//!
//! A head in a log that leaves the machine is what an audit log that was written anew from beginning to
//! end is told by: so it is logged at the start, at the end, and after every hour in which it changed.
//! The daemon holds the log against its hashes itself, at the start and once a day, and says aloud what is
//! wrong; nothing is stopped by it, because who broke the log could stop payments that way.

use crate::clock::Clock;
use crate::config::{Config, Loaded, is_taken_over};
use crate::store::{Actor, AuditHead, Store, StoreError};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// How often the head is logged where it changes.
const INTERVAL: Duration = Duration::from_secs(3_600);
/// After how many of those the log is verified.
const VERIFIED_EVERY: u32 = 24;
/// The pause between two tries to note the start, where the database takes nothing at the moment.
const RETRY: Duration = Duration::from_secs(5);
/// How long the end may wait for its entry: an end that nobody noted is like a crash, and no worse.
const END_TIMEOUT: Duration = Duration::from_secs(2);

/// The sections of the configuration that say who may move how much.
const SECTIONS: [&str; 8] = [
    "auth",
    "invoices",
    "limits",
    "network",
    "rate_limit",
    "rollout",
    "wallets",
    "xrpl",
];

/// What the daemon is configured with, as it may be shown: every key with its value, and no secret.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Configured(Map<String, Value>);

impl Configured {
    /// Every value that was set.
    #[must_use]
    pub fn of(loaded: &Loaded) -> Self {
        let values = loaded.origins.iter();
        let values = values.map(|shown| (shown.key.clone(), shown.value.clone()));
        Self(values.collect())
    }

    /// The SHA-256 of all of it: the same for the same configuration, wherever its values were written.
    fn digest(&self) -> String {
        // A map is written in the order of its keys.
        hex::encode(Sha256::digest(Value::Object(self.0.clone()).to_string()))
    }

    /// What says who may move how much.
    fn standing(&self) -> Value {
        let of_money = self.0.iter().filter(|(key, _)| {
            let section = key.split(['.', '[']).next();
            section.is_some_and(|section| SECTIONS.contains(&section))
        });
        let of_money = of_money.map(|(key, value)| (key.clone(), value.clone()));
        Value::Object(of_money.collect())
    }

    /// What holds once a running daemon has taken `next` over, as far as it can; and the keys of what it
    /// cannot, whose values stay as they are.
    pub(super) fn taking_over(&self, next: &Self) -> (Self, Vec<String>) {
        let (mut holds, mut kept) = (next.0.clone(), Vec::new());
        let keys: BTreeSet<&String> = self.0.keys().chain(next.0.keys()).collect();
        for key in keys {
            let (old, new) = (self.0.get(key), next.0.get(key));
            if old == new || is_taken_over(key) {
                continue;
            }
            kept.push(key.clone());
            match old {
                Some(old) => holds.insert(key.clone(), old.clone()),
                None => holds.remove(key),
            };
        }
        (Self(holds), kept)
    }

    /// What differs in another: the values here and there, null where there is none.
    pub(super) fn changes(&self, next: &Self) -> (Value, Value) {
        let (mut before, mut after) = (Map::new(), Map::new());
        for key in self.0.keys().chain(next.0.keys()) {
            let (old, new) = (self.0.get(key), next.0.get(key));
            if old != new {
                before.insert(key.clone(), old.cloned().unwrap_or_default());
                after.insert(key.clone(), new.cloned().unwrap_or_default());
            }
        }
        (before.into(), after.into())
    }
}

/// The daemon's own entries.
pub(super) struct Diary {
    pub(super) store: Store,
    pub(super) clock: Arc<dyn Clock>,
    /// What is noted of the start.
    start: Value,
}

impl Diary {
    pub(super) fn new(
        store: Store,
        clock: Arc<dyn Clock>,
        configured: &Configured,
        config: &Config,
    ) -> Self {
        let start = json!({
            "version": env!("CARGO_PKG_VERSION"),
            "commit": env!("XRPAYD_COMMIT"),
            "profile": config.profile.name(),
            "config_sha256": configured.digest(),
            "settings": configured.standing(),
        });
        Self {
            store,
            clock,
            start,
        }
    }

    /// Notes the start; whether that is done. A database that takes nothing at the moment is no reason not
    /// to run: [`Diary::keep`] tries again.
    ///
    /// # Errors
    /// The audit log is damaged: nothing could be noted, so nothing may be changed.
    pub(super) async fn begin(&self) -> Result<bool, StoreError> {
        match self
            .store
            .note_start(self.start.clone(), self.clock.now())
            .await
        {
            Ok(()) => {
                self.log_head().await;
                Ok(true)
            }
            Err(error) if error.retryable() => {
                tracing::warn!(%error, "the start is not noted in the audit log yet");
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Notes the start where that is still to be done, then logs the head for ever.
    pub(super) async fn keep(self: Arc<Self>, mut is_begun: bool) {
        while !is_begun {
            tokio::time::sleep(RETRY).await;
            is_begun = match self.begin().await {
                Ok(is_begun) => is_begun,
                Err(error) => {
                    tracing::error!(%error, "the start cannot be noted in the audit log");
                    false
                }
            };
        }
        let mut logged = self.head().await;
        self.verify(None).await;
        for hour in 1_u32.. {
            tokio::time::sleep(INTERVAL).await;
            let head = self.head().await;
            if head.is_some() && head != logged {
                self.log_head().await;
            }
            if hour % VERIFIED_EVERY == 0 {
                self.verify(logged).await;
            }
            logged = head.or(logged);
        }
    }

    /// Holds the log against its hashes, and against a head that this process remembers.
    async fn verify(&self, remembered: Option<AuditHead>) {
        match self.store.verify_audit(remembered.as_slice()).await {
            Ok(report) => {
                for fault in &report.faults {
                    tracing::error!(
                        audit.fault = fault.kind(),
                        audit.sequence = fault.sequence(),
                        "the audit log is not whole: {fault}"
                    );
                }
                if report.faults.is_empty() {
                    let entries = report.head.sequence;
                    tracing::info!(audit.entries = entries, "the audit log is whole");
                }
            }
            Err(error) => tracing::warn!(%error, "the audit log could not be verified"),
        }
    }

    /// Notes that another configuration holds from now on.
    ///
    /// # Errors
    /// It is not noted, and so must not hold.
    pub(super) async fn note_reload(
        &self,
        before: &Configured,
        after: &Configured,
    ) -> Result<(), StoreError> {
        let (old, new) = before.changes(after);
        // Who sent the signal is nothing that a process is told.
        let now = self.clock.now();
        self.store.note_reload(&Actor::Daemon, old, new, now).await
    }

    /// Notes the end.
    pub(super) async fn end(&self, why: &str) {
        let data = json!({ "why": why });
        let noted = self.store.note_end(data, self.clock.now());
        match tokio::time::timeout(END_TIMEOUT, noted).await {
            Ok(Ok(())) => self.log_head().await,
            Ok(Err(error)) => tracing::warn!(%error, "the end is not noted in the audit log"),
            Err(_) => tracing::warn!("the end is not noted in the audit log: the database is slow"),
        }
    }

    async fn head(&self) -> Option<AuditHead> {
        match self.store.audit_head().await {
            Ok(Some(head)) => Some(head),
            Ok(None) => {
                tracing::error!("the head of the audit log is missing");
                None
            }
            Err(error) => {
                tracing::warn!(%error, "the head of the audit log cannot be read");
                None
            }
        }
    }

    async fn log_head(&self) {
        if let Some(head) = self.head().await {
            tracing::info!(audit.head = %head, "the audit log's head");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configured(values: &[(&str, Value)]) -> Configured {
        let values = values.iter();
        Configured(
            values
                .map(|(key, value)| ((*key).to_owned(), value.clone()))
                .collect(),
        )
    }

    #[test]
    fn what_differs_is_told_with_both_values_and_the_rest_is_not() {
        let before = configured(&[
            ("limits.daily_xrp", json!("100")),
            ("limits.max_payment_xrp", json!("10")),
            ("telemetry.log_level", json!("info")),
        ]);
        let after = configured(&[
            ("limits.daily_xrp", json!("1000")),
            ("limits.max_payment_xrp", json!("10")),
            ("rate_limit.per_minute", json!(5)),
        ]);
        let (old, new) = before.changes(&after);
        assert_eq!(
            old,
            json!({ "limits.daily_xrp": "100", "rate_limit.per_minute": null, "telemetry.log_level": "info" })
        );
        assert_eq!(
            new,
            json!({ "limits.daily_xrp": "1000", "rate_limit.per_minute": 5, "telemetry.log_level": null })
        );
        assert_eq!(before.changes(&before), (json!({}), json!({})));
        assert_ne!(before.digest(), after.digest());
        assert_eq!(
            before.standing(),
            json!({ "limits.daily_xrp": "100", "limits.max_payment_xrp": "10" })
        );
    }
}
