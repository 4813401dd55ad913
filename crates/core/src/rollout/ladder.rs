//! The stages in their order, as the configuration has them: one goes up a step at a time and down
//! as far as one likes.

use super::{AutoDemotion, Criteria};
use crate::limits::Caps;
use crate::money::Drops;

/// One stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// Its name.
    pub name: String,
    /// The most that one payment may move by its own word; without it the hard cap holds.
    pub max_payment: Option<Drops>,
    /// The most that any 24 hours may move by its own word; without it the hard cap holds.
    pub daily_limit: Option<Drops>,
    /// What holds at it: of each pair, the hard cap and its own, the lower one.
    pub caps: Caps,
    /// The API clients that may pay, by name; `*` is all of them.
    pub allowed_clients: Vec<String>,
    /// What must be seen before the next stage.
    pub criteria: Criteria,
}

/// The stages in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ladder {
    /// At least one, no name twice, the lowest first.
    pub stages: Vec<Stage>,
    /// The stage that a new database begins at; one of `stages`.
    pub first: String,
    /// The highest stage that is allowed; one of `stages`.
    pub highest: String,
    /// When a stage is given up without a person, where it ever is.
    pub auto_demotion: Option<AutoDemotion>,
}

/// What a stage that is said to be in force is to the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InForce<'a> {
    /// A stage of it, and its place from 0.
    Known(usize, &'a Stage),
    /// None of it: what the lowest stage allows holds.
    Unknown,
}

/// Why nobody can go up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoPromotion {
    /// There is nothing above.
    #[error("it is the last stage")]
    IsLast,
    /// The configuration allows no more.
    #[error("the configuration allows no stage above {highest}")]
    AboveHighest {
        /// The highest that is allowed.
        highest: String,
    },
    /// The stage in force is not one of the configuration.
    #[error("the stage in force is not one of the configuration: demote to {lowest} first")]
    Unknown {
        /// The lowest stage.
        lowest: String,
    },
}

/// Why nobody can go down.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoDemotion {
    /// There is nothing below.
    #[error("it is the lowest stage")]
    IsLowest,
    /// There is no such stage.
    #[error("there is no stage {to}: the stages are {known}")]
    NoSuchStage {
        /// What was asked for.
        to: String,
        /// What there is.
        known: String,
    },
    /// It is not below the one in force.
    #[error("{to} is not below the stage in force")]
    NotBelow {
        /// What was asked for.
        to: String,
    },
}

impl Ladder {
    /// The stage of that name with its place.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<(usize, &Stage)> {
        let mut stages = self.stages.iter().enumerate();
        stages.find(|(_, stage)| stage.name == name)
    }

    /// What the stage of that name is.
    #[must_use]
    pub fn in_force(&self, name: &str) -> InForce<'_> {
        self.find(name).map_or(InForce::Unknown, |(place, stage)| {
            InForce::Known(place, stage)
        })
    }

    /// The lowest stage.
    ///
    /// # Panics
    /// Never for a ladder out of a configuration: one without a stage is refused.
    #[must_use]
    pub fn lowest(&self) -> &Stage {
        &self.stages[0]
    }

    /// What holds while the stage of that name is in force: its own rules, or those of the lowest one
    /// where there is none of that name.
    #[must_use]
    pub fn rules_at(&self, name: &str) -> &Stage {
        match self.in_force(name) {
            InForce::Known(_, stage) => stage,
            InForce::Unknown => self.lowest(),
        }
    }

    /// The stage that one goes up to from the stage of that name.
    ///
    /// # Errors
    /// Why one cannot.
    pub fn above(&self, name: &str) -> Result<&Stage, NoPromotion> {
        let InForce::Known(place, _) = self.in_force(name) else {
            let lowest = self.lowest().name.clone();
            return Err(NoPromotion::Unknown { lowest });
        };
        let next = place
            .checked_add(1)
            .and_then(|next| self.stages.get(next))
            .ok_or(NoPromotion::IsLast)?;
        if self.is_above_highest(name) || name == self.highest {
            let highest = self.highest.clone();
            return Err(NoPromotion::AboveHighest { highest });
        }
        Ok(next)
    }

    /// The stage that one goes down to from the stage of that name: the one that is asked for, or the
    /// next one below. A stage that is not known is left for the lowest one alone.
    ///
    /// # Errors
    /// Why one cannot.
    pub fn below(&self, name: &str, to: Option<&str>) -> Result<&Stage, NoDemotion> {
        let target = to.map(|to| {
            self.find(to).ok_or_else(|| NoDemotion::NoSuchStage {
                to: to.to_owned(),
                known: self.names().join(", "),
            })
        });
        let target = target.transpose()?;
        let not_below = |stage: &Stage| NoDemotion::NotBelow {
            to: stage.name.clone(),
        };
        match (self.in_force(name), target) {
            (InForce::Known(0, _), None) => Err(NoDemotion::IsLowest),
            (InForce::Known(place, _), None) => {
                let below = place
                    .checked_sub(1)
                    .and_then(|below| self.stages.get(below));
                below.ok_or(NoDemotion::IsLowest)
            }
            (InForce::Known(place, _), Some((below, stage))) if below < place => Ok(stage),
            (InForce::Unknown, None | Some((0, _))) => Ok(self.lowest()),
            (InForce::Known(..) | InForce::Unknown, Some((_, stage))) => Err(not_below(stage)),
        }
    }

    /// Whether the stage of that name is one that the configuration does not allow any more.
    #[must_use]
    pub fn is_above_highest(&self, name: &str) -> bool {
        match (self.find(name), self.find(&self.highest)) {
            (Some((place, _)), Some((highest, _))) => place > highest,
            (_, _) => false,
        }
    }

    /// The names in order.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        self.stages
            .iter()
            .map(|stage| stage.name.as_str())
            .collect()
    }
}
