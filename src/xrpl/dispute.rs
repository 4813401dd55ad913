//! The evidence of what servers have said against each other.
//!
//! Owns the newest contradictions, each once however often it is met, so that a person can see who
//! said what. Bounded; the oldest make room.

use super::error::Evidence;
use std::collections::VecDeque;
use xrpayd_core::ids::UnixMs;

/// What became of a contradiction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing is proven: a majority may have been followed, or nothing was concluded.
    Open,
    /// The ledger's own bytes proved one side wrong.
    Proven,
}

impl Outcome {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Proven => "proven",
        }
    }
}

/// A contradiction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dispute {
    /// What it is about.
    pub about: &'static str,
    /// When it was first met.
    pub first_at: UnixMs,
    /// When it was last met.
    pub last_at: UnixMs,
    /// How often it was met.
    pub times: u64,
    /// One side.
    pub left: Evidence,
    /// The other.
    pub right: Evidence,
    /// What became of it.
    pub outcome: Outcome,
}

/// Contradictions that are kept.
const KEPT_MAX: usize = 64;
/// Characters that are kept of what a server says: its words may be as long as it likes.
const SAYS_CHARS_MAX: usize = 500;

/// The newest contradictions, the newest last.
#[derive(Debug, Default)]
pub(super) struct Disputes(VecDeque<Dispute>);

impl Disputes {
    /// Keeps a contradiction; whether it is a new one.
    pub(super) fn note(
        &mut self,
        about: &'static str,
        left: &Evidence,
        right: &Evidence,
        now: UnixMs,
    ) -> bool {
        let (left, right) = (&shortened(left), &shortened(right));
        let met = self.0.iter_mut().find(|kept| {
            let (a, b) = (&kept.left, &kept.right);
            (a == left && b == right) || (a == right && b == left)
        });
        if let Some(met) = met {
            met.last_at = now;
            met.times = met.times.saturating_add(1);
            return false;
        }
        if self.0.len() >= KEPT_MAX {
            self.0.pop_front();
        }
        self.0.push_back(Dispute {
            about,
            first_at: now,
            last_at: now,
            times: 1,
            left: left.clone(),
            right: right.clone(),
            outcome: Outcome::Open,
        });
        true
    }

    /// Notes what became of the contradictions of a server.
    pub(super) fn settle(&mut self, server: &str, outcome: Outcome) {
        for kept in &mut self.0 {
            if kept.left.server == server || kept.right.server == server {
                kept.outcome = outcome;
            }
        }
    }

    /// All that are kept.
    pub(super) fn newest(&self) -> Vec<Dispute> {
        self.0.iter().cloned().collect()
    }
}

fn shortened(evidence: &Evidence) -> Evidence {
    let cut = evidence.says.char_indices().nth(SAYS_CHARS_MAX);
    let end = cut.map_or(evidence.says.len(), |(at, _)| at);
    Evidence {
        server: evidence.server.clone(),
        says: evidence.says.get(..end).unwrap_or_default().to_owned(),
        ..*evidence
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use xrpayd_core::ids::LedgerIndex;

    fn says(server: &str, ledger: u32) -> Evidence {
        Evidence {
            server: server.to_owned(),
            ledger: LedgerIndex(ledger),
            ledger_hash: None,
            says: "so".to_owned(),
        }
    }

    #[test]
    fn a_contradiction_is_kept_once_and_the_oldest_make_room() {
        let mut disputes = Disputes::default();
        let (a, b) = (says("a", 1), says("b", 1));
        assert!(disputes.note("x", &a, &b, UnixMs(1)));
        assert!(!disputes.note("x", &b, &a, UnixMs(5)));
        let kept = disputes.newest();
        assert_eq!(
            (kept.len(), kept[0].times, kept[0].last_at),
            (1, 2, UnixMs(5))
        );
        disputes.settle("b", Outcome::Proven);
        assert_eq!(disputes.newest()[0].outcome, Outcome::Proven);
        let endless = Evidence {
            says: "é".repeat(1_000_000),
            ..says("d", 1)
        };
        disputes.note("x", &endless, &b, UnixMs(6));
        assert_eq!(
            disputes.newest()[1].left.says.chars().count(),
            SAYS_CHARS_MAX
        );
        for ledger in 0..1_000 {
            disputes.note("x", &says("a", ledger), &says("c", ledger), UnixMs(9));
        }
        assert_eq!(disputes.newest().len(), KEPT_MAX);
        assert_eq!(
            disputes.newest()[KEPT_MAX - 1].left.ledger,
            LedgerIndex(999)
        );
    }
}
