//! The limits of one replica's configuration, as it tells them to the others, and the strictest of several.
//!
//! Replicas read configurations of their own, and a change comes to one of them before it comes to the
//! next. What all of them go by meanwhile is the strictest of what any says: a tightening holds as soon as
//! one has it, a loosening once all have.

use super::{Caps, ScopeCaps, ScopeRules};
use crate::money::Drops;
use crate::payment::ApprovalRule;

/// What one replica's configuration says of limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// The caps at each stage, by its name, the lowest stage first.
    pub stages: Vec<(String, Caps)>,
    /// Those of single clients and destinations.
    pub scopes: ScopeRules,
    /// Which payments wait for a second person's word.
    pub approval: Option<ApprovalRule>,
}

impl Word {
    /// The caps at a stage; of one that it does not have, those of its lowest one, and where it has none,
    /// what lets nothing through.
    #[must_use]
    pub fn caps_at(&self, stage: &str) -> Caps {
        let mut named = self.stages.iter().filter(|(name, _)| name == stage);
        let found = named.next().or_else(|| self.stages.first());
        found.map_or(Caps::NOTHING, |(_, caps)| *caps)
    }
}

impl Caps {
    /// Caps that let nothing through.
    pub const NOTHING: Self = Self {
        min_payment: Drops::MAX,
        max_payment: Drops::ZERO,
        daily: Drops::ZERO,
        max_pending: 0,
    };

    /// Of each fence the stricter one.
    #[must_use]
    pub fn stricter(self, other: Self) -> Self {
        Self {
            min_payment: self.min_payment.max(other.min_payment),
            max_payment: self.max_payment.min(other.max_payment),
            daily: self.daily.min(other.daily),
            max_pending: self.max_pending.min(other.max_pending),
        }
    }
}

impl ScopeCaps {
    /// Of each fence the stricter one; one that is not named is none.
    #[must_use]
    pub fn stricter(self, other: Self) -> Self {
        Self {
            max_payment: least(self.max_payment, other.max_payment),
            daily: least(self.daily, other.daily),
            max_pending: least(self.max_pending, other.max_pending),
        }
    }
}

impl ScopeRules {
    /// Of each scope the stricter fences, whichever of the two names it.
    #[must_use]
    pub fn stricter(&self, other: &Self) -> Self {
        let clients = self.clients.keys().chain(other.clients.keys());
        let clients = clients.map(|name| {
            let caps = self.of_client(name).stricter(other.of_client(name));
            (name.clone(), caps)
        });
        let accounts = self.destinations.keys().chain(other.destinations.keys());
        let destinations = accounts.map(|account| {
            let own = self.of_destination(account);
            (*account, own.stricter(other.of_destination(account)))
        });
        Self {
            every_client: self.every_client.stricter(other.every_client),
            clients: clients.collect(),
            every_destination: self.every_destination.stricter(other.every_destination),
            destinations: destinations.collect(),
        }
    }
}

impl ApprovalRule {
    /// The stricter of two rules: the lower threshold, and of equal ones the shorter wait.
    #[must_use]
    pub fn stricter(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        let by = |rule: &Self| (rule.threshold, rule.expires_in_ms);
        one.into_iter().chain(other).min_by_key(by)
    }
}

fn least<T: Ord>(one: Option<T>, other: Option<T>) -> Option<T> {
    one.into_iter().chain(other).min()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::AccountId;

    fn drops(n: u64) -> Drops {
        Drops::new(n).unwrap()
    }

    fn caps(n: u64) -> Caps {
        Caps {
            min_payment: drops(n),
            max_payment: drops(n * 10),
            daily: drops(n * 100),
            max_pending: u32::try_from(n).unwrap(),
        }
    }

    fn at_most(n: u64) -> ScopeCaps {
        ScopeCaps {
            max_payment: Some(drops(n)),
            ..ScopeCaps::NONE
        }
    }

    #[test]
    fn the_strictest_of_each_fence_holds() {
        let strictest = Caps {
            min_payment: drops(2),
            max_payment: drops(10),
            daily: drops(100),
            max_pending: 1,
        };
        assert_eq!(caps(1).stricter(caps(2)), strictest);
        assert_eq!(caps(2).stricter(caps(1)), strictest);
        assert_eq!(caps(1).stricter(caps(1)), caps(1));
    }

    #[test]
    fn a_stage_that_a_word_does_not_have_is_its_lowest() {
        let word = |stages: &[(&str, u64)]| Word {
            stages: stages
                .iter()
                .map(|(name, n)| ((*name).to_owned(), caps(*n)))
                .collect(),
            scopes: ScopeRules::default(),
            approval: None,
        };
        let two = word(&[("internal", 1), ("beta", 2)]);
        assert_eq!(two.caps_at("beta"), caps(2));
        assert_eq!(two.caps_at("general"), caps(1));
        assert_eq!(word(&[]).caps_at("beta"), Caps::NOTHING);
    }

    #[test]
    fn a_scope_that_only_one_names_is_held_against_what_the_other_says_of_everybody() {
        let one = ScopeRules {
            every_client: at_most(50),
            clients: [("shop".to_owned(), at_most(100))].into(),
            ..ScopeRules::default()
        };
        let other = ScopeRules {
            every_client: at_most(70),
            destinations: [(AccountId([1; 20]), at_most(5))].into(),
            ..ScopeRules::default()
        };
        let both = one.stricter(&other);
        assert_eq!(both, other.stricter(&one));
        assert_eq!(both.of_client("shop"), at_most(70));
        assert_eq!(both.of_client("else"), at_most(50));
        assert_eq!(both.of_destination(&AccountId([1; 20])), at_most(5));
        assert_eq!(both.of_destination(&AccountId([2; 20])), ScopeCaps::NONE);
    }

    #[test]
    fn whoever_asks_for_approvals_gets_them() {
        let rule = |n| {
            Some(ApprovalRule {
                threshold: drops(n),
                expires_in_ms: 1,
            })
        };
        assert_eq!(ApprovalRule::stricter(None, None), None);
        assert_eq!(ApprovalRule::stricter(rule(5), None), rule(5));
        assert_eq!(ApprovalRule::stricter(rule(5), rule(3)), rule(3));
    }
}
