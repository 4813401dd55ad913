//! The rollout: stages in order, what each allows and what must be seen before the next.

use super::value::Ratio;
use std::time::Duration;
use xrpayd_core::money::Drops;

/// Section `rollout`.
#[derive(Debug, Clone)]
pub struct Rollout {
    /// The name of the stage to start at; always one of `stages`.
    pub stage: String,
    /// In order, at least one, no name twice.
    pub stages: Vec<Stage>,
}

impl Rollout {
    /// The stage in force.
    ///
    /// # Panics
    /// Never for a configuration that was loaded: loading refuses an unknown stage.
    #[must_use]
    pub fn current(&self) -> &Stage {
        let current = self.stages.iter().find(|stage| stage.name == self.stage);
        assert!(
            current.is_some(),
            "the stage {} is not one of the stages",
            self.stage
        );
        current.unwrap_or(&self.stages[0])
    }

    /// The stage of that name with its place in the order.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<(usize, &Stage)> {
        self.stages
            .iter()
            .enumerate()
            .find(|(_, stage)| stage.name == name)
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
    /// Whether a client may pay at this stage.
    #[must_use]
    pub fn allows(&self, client: &str) -> bool {
        self.allowed_clients
            .iter()
            .any(|name| name == "*" || name == client)
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
}
