//! What servers say of the state of one validated ledger: when two say different things, and the
//! evidence of it.

use super::Claim;
use super::verdict::Verdict;
use crate::xrpl::error::Evidence;
use crate::xrpl::shared::Shared;
use std::future::Future;
use xrpayd_core::ids::{LedgerHash, LedgerIndex};

/// What one server says of a ledger's state.
pub(super) trait OfState: Sized {
    /// The ledger, and its hash where the server told it.
    fn ledger(&self) -> (LedgerIndex, Option<LedgerHash>);

    /// Whether `other` says the same of the state.
    fn is_alike(&self, other: &Self) -> bool;

    /// What it says, in words, beside what another says.
    fn says(&self, beside: &Self) -> String;

    /// Whom the ledger itself bears out, of claims that contradict each other.
    fn judge(shared: &Shared, claims: &[&Self]) -> impl Future<Output = Verdict> + Send;
}

impl<T: OfState> Claim for T {
    /// A hash that a server does not tell contradicts nobody's.
    fn difference(
        &self,
        name: &str,
        other: &Self,
        other_name: &str,
    ) -> Option<(Evidence, Evidence)> {
        let hashes = self.ledger().1.zip(other.ledger().1);
        let is_one_ledger = hashes.is_none_or(|(ours, theirs)| ours == theirs);
        if is_one_ledger && self.is_alike(other) {
            return None;
        }
        let evidence = |claim: &Self, beside: &Self, name: &str| {
            let (ledger, ledger_hash) = claim.ledger();
            Evidence {
                server: name.to_owned(),
                ledger,
                ledger_hash,
                says: claim.says(beside),
            }
        };
        Some((
            evidence(self, other, name),
            evidence(other, self, other_name),
        ))
    }

    fn judge(shared: &Shared, claims: &[&Self]) -> impl Future<Output = Verdict> + Send {
        <Self as OfState>::judge(shared, claims)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Said(Option<LedgerHash>, &'static str);

    impl OfState for Said {
        fn ledger(&self) -> (LedgerIndex, Option<LedgerHash>) {
            (LedgerIndex(7), self.0)
        }

        fn is_alike(&self, other: &Self) -> bool {
            self.1 == other.1
        }

        fn says(&self, beside: &Self) -> String {
            format!("{} beside {}", self.1, beside.1)
        }

        async fn judge(_: &Shared, _: &[&Self]) -> Verdict {
            Verdict::Open
        }
    }

    #[test]
    fn another_state_or_another_ledger_is_a_difference_and_a_hash_left_out_is_none() {
        let hash = |n| Some(LedgerHash([n; 32]));
        let first = Said(hash(1), "so");
        let against = |other: Said| first.difference("a", &other, "b");
        assert_eq!(against(Said(hash(1), "so")), None);
        assert_eq!(against(Said(None, "so")), None);
        assert!(against(Said(hash(2), "so")).is_some());
        let (ours, theirs) = against(Said(None, "not so")).unwrap();
        let told = |evidence: &Evidence| {
            let Evidence { server, says, .. } = evidence;
            (server.clone(), evidence.ledger_hash, says.clone())
        };
        assert_eq!(
            told(&ours),
            ("a".to_owned(), hash(1), "so beside not so".to_owned())
        );
        assert_eq!(
            told(&theirs),
            ("b".to_owned(), None, "not so beside so".to_owned())
        );
        assert_eq!(
            (ours.ledger, theirs.ledger),
            (LedgerIndex(7), LedgerIndex(7))
        );
    }
}
