//! The rollout: stages in order, what each allows and what must be seen before the next.

use super::schema::Limits;
use std::time::Duration;
use xrpayd_core::limits::Caps;
use xrpayd_core::money::Drops;
use xrpayd_core::rollout::{self, Alerts, AutoDemotion, Confirmed, Ladder, Ratio};

/// Section `rollout`.
#[derive(Debug, Clone)]
pub struct Rollout {
    /// The name of the stage that a new database begins at; always one of `stages`.
    pub stage: String,
    /// The name of the highest stage that is allowed; always one of `stages`, and not below `stage`.
    pub highest: String,
    /// In order, at least one, no name twice.
    pub stages: Vec<Stage>,
    /// When a stage is given up without a person, where it ever is.
    pub auto_demotion: Option<AutoDemotion>,
}

impl Rollout {
    /// The stage of that name with its place in the order.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<(usize, &Stage)> {
        self.stages
            .iter()
            .enumerate()
            .find(|(_, stage)| stage.name == name)
    }

    /// The stages as they are climbed, under the hard caps.
    pub(super) fn ladder(&self, limits: &Limits) -> Ladder {
        Ladder {
            stages: self.stages.iter().map(|one| one.under(limits)).collect(),
            first: self.stage.clone(),
            highest: self.highest.clone(),
            auto_demotion: self.auto_demotion,
        }
    }
}

/// One stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// Its name.
    pub name: String,
    /// The most that one payment may move; without it the hard cap holds.
    pub max_payment: Option<Drops>,
    /// The most that any 24 hours may move; without it the hard cap holds.
    pub daily_limit: Option<Drops>,
    /// The API clients that may pay, by name; `*` is all of them.
    pub allowed_clients: Vec<String>,
    /// How long it lasts at least.
    pub min_duration: Option<Duration>,
    /// What must be seen before the next stage.
    pub criteria: Criteria,
}

impl Stage {
    /// The caps in force at it: of each pair, the hard cap and its own, the lower one.
    pub(super) fn caps_under(&self, limits: &Limits) -> Caps {
        let lower = |hard: Drops, own: Option<Drops>| own.map_or(hard, |own| own.min(hard));
        Caps {
            min_payment: limits.min_payment,
            max_payment: lower(limits.max_payment, self.max_payment),
            daily: lower(limits.daily_limit, self.daily_limit),
            max_pending: limits.max_pending,
        }
    }

    fn under(&self, limits: &Limits) -> rollout::Stage {
        rollout::Stage {
            name: self.name.clone(),
            max_payment: self.max_payment,
            daily_limit: self.daily_limit,
            caps: self.caps_under(limits),
            allowed_clients: self.allowed_clients.clone(),
            criteria: self.criteria.to_be_seen(self.min_duration),
        }
    }
}

/// What must be seen before the next stage; what is not named is not asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Criteria {
    /// The largest share of payments that may have failed.
    pub max_error_rate: Option<Ratio>,
    /// How soon payments must be confirmed …
    pub confirmed_within: Option<Duration>,
    /// … and which share of them.
    pub confirmed_ratio: Option<Ratio>,
    /// How many payments must have been made for the rest to mean anything.
    pub min_payments: Option<u64>,
    /// How many security incidents there may have been.
    pub max_security_incidents: Option<u64>,
    /// Whether alerts must have been raised and acknowledged.
    pub alerts_acknowledged: Option<bool>,
}

impl Criteria {
    fn to_be_seen(self, min_duration: Option<Duration>) -> rollout::Criteria {
        let ms = |span: Duration| i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        let confirmed = self.confirmed_within.zip(self.confirmed_ratio);
        rollout::Criteria {
            min_duration_ms: min_duration.map(ms),
            min_payments: self.min_payments,
            max_error_rate: self.max_error_rate,
            confirmed: confirmed.map(|(within, ratio)| Confirmed {
                within_ms: ms(within),
                ratio,
            }),
            max_security_incidents: self.max_security_incidents,
            alerts: match self.alerts_acknowledged {
                Some(true) => Alerts::MustBeAcknowledged,
                Some(false) | None => Alerts::NotAsked,
            },
        }
    }
}
