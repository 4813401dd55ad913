//! Which servers a request goes to.
//!
//! A server is asked for something only where it is in a state to answer. Among those the order is:
//! ready before degraded, then within its budget before beyond it, then the operator's priority, then
//! the score, with inertia. For favours and submissions those of which an answer is overdue stand
//! behind the others that are as ready and within their budgets. All speak version 2 of the API: one
//! that does not never gets beyond its greeting, which is of that version. Submissions stay with the
//! servers they went to last while those are about as fit as any, because a server that has seen
//! an account's earlier transactions can take the next one.

use super::budget::Purpose;
use super::config::Voice;
use super::health::State;
use super::score;
use super::server::Server;
use super::shared::Shared;
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::time::Instant;
use xrpayd_core::ids::LedgerIndex;

/// A submission changes servers only for one that is fitter by more than this.
const STICKY_SCORE: u32 = 150;

/// A server, as the choice sees it.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub server: Arc<Server>,
    state: State,
    score: u32,
    /// Whether an answer of it is overdue.
    is_overdue: bool,
    /// Whether one more read is within its budget, and one more submission.
    may_read: bool,
    may_submit: bool,
}

impl Candidate {
    /// Whether it is fit for everything.
    pub(super) fn is_ready(&self) -> bool {
        self.state == State::Ready
    }

    /// What is compared before the score: smaller is better.
    fn kind(&self, purpose: Purpose) -> (bool, bool, u32) {
        let within_budget = match purpose {
            Purpose::Read => self.may_read,
            Purpose::Submission => self.may_submit,
        };
        (
            self.state != State::Ready,
            !within_budget,
            self.server.config.priority,
        )
    }
}

/// The servers that may be asked, the fittest first. The order has inertia.
pub(super) fn candidates(shared: &Shared) -> Vec<Candidate> {
    let (tip, now) = (shared.tip_index(), Instant::now());
    let roster = shared.roster();
    let found: Vec<Candidate> = roster
        .servers
        .iter()
        .filter_map(|server| {
            let health = server.health();
            let (state, score) = (health.state(tip, now), health.score(tip, now));
            state.is_usable().then(|| Candidate {
                server: Arc::clone(server),
                state,
                score,
                is_overdue: !health.overdue(now).is_zero(),
                may_read: health.budget.allows(Purpose::Read, now),
                may_submit: health.budget.allows(Purpose::Submission, now),
            })
        })
        .collect();
    let mut before = shared.order();
    let found = score::order(
        found,
        &before,
        |candidate| candidate.server.index,
        |candidate| candidate.kind(Purpose::Read),
        |candidate| candidate.score,
    );
    before.clear();
    before.extend(found.iter().map(|candidate| candidate.server.index));
    found
}

/// How far each candidate's unbroken run of ledgers from `from` reaches, at most to `to`.
pub(super) fn runs(
    candidates: &[Candidate],
    from: LedgerIndex,
    to: LedgerIndex,
) -> Vec<(Arc<Server>, LedgerIndex)> {
    candidates
        .iter()
        .filter_map(|candidate| {
            let health = candidate.server.health();
            // What a server has not validated it does not hold, whatever its ranges say.
            let end = health.complete.run_from(from)?.min(health.validated?);
            drop(health);
            (end >= from).then(|| (Arc::clone(&candidate.server), end.min(to)))
        })
        .collect()
}

/// How many voices speak through these servers.
pub(super) fn voters<'a>(
    shared: &Shared,
    servers: impl IntoIterator<Item = &'a Arc<Server>>,
) -> usize {
    let voters = servers
        .into_iter()
        .filter_map(|server| shared.voter(server));
    voters.collect::<BTreeSet<String>>().len()
}

/// The servers whose word counts, the fittest first.
pub(super) fn voices(shared: &Shared) -> Vec<Candidate> {
    let mut found = candidates(shared);
    found.retain(|candidate| candidate.server.config.voice == Voice::Counts);
    found
}

/// The servers whose word counts and that hold every ledger of `from ..= to`, the fittest first.
pub(super) fn holders(shared: &Shared, from: LedgerIndex, to: LedgerIndex) -> Vec<Arc<Server>> {
    runs(&voices(shared), from, to)
        .into_iter()
        .filter(|(_, end)| *end >= to)
        .map(|(server, _)| server)
        .collect()
}

/// The servers that may be asked a favour: ready, and within their budgets; the fittest first, and
/// those of which an answer is overdue last.
pub(super) fn readers(shared: &Shared) -> Vec<Arc<Server>> {
    let mut found = candidates(shared);
    found.retain(|candidate| candidate.is_ready() && candidate.may_read);
    found.sort_by_key(|candidate| candidate.is_overdue);
    found
        .into_iter()
        .map(|candidate| candidate.server)
        .collect()
}

/// The oldest ledger from which a quorum of voices holds every one up to its newest.
pub(super) fn lowest_of_quorum(shared: &Shared) -> Option<LedgerIndex> {
    let voices = voices(shared);
    let lowest = |candidate: &Candidate| candidate.server.health().complete.lowest_of_newest();
    let mut found: Vec<(LedgerIndex, &Arc<Server>)> = voices
        .iter()
        .filter_map(|candidate| Some((lowest(candidate)?, &candidate.server)))
        .collect();
    found.sort_by_key(|(index, _)| *index);
    let quorum = shared.quorum();
    (0..found.len()).find_map(|last| {
        let holding = found[..=last].iter().map(|(_, server)| *server);
        (voters(shared, holding) >= quorum).then(|| found[last].0)
    })
}

/// The oldest ledger that any candidate holds without a hole up to its newest.
pub(super) fn lowest(candidates: &[Candidate]) -> Option<LedgerIndex> {
    candidates
        .iter()
        .filter_map(|candidate| candidate.server.health().complete.lowest_of_newest())
        .min()
}

/// The servers for a submission, the fittest first, given those of the last one.
pub(super) fn submitters(mut found: Vec<Candidate>, last: &[usize]) -> Vec<Arc<Server>> {
    found.sort_by_key(|candidate| {
        let bonus = if last.contains(&candidate.server.index) {
            STICKY_SCORE
        } else {
            0
        };
        let (is_unfit, is_spent, priority) = candidate.kind(Purpose::Submission);
        let unfitness = u32::MAX - candidate.score.saturating_add(bonus);
        (
            is_unfit,
            is_spent,
            candidate.is_overdue,
            priority,
            unfitness,
        )
    });
    found
        .into_iter()
        .map(|candidate| candidate.server)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::metrics::Metrics;
    use crate::xrpl::config::ServerConfig;
    use crate::xrpl::health::Stage;
    use std::time::Duration;

    fn server(index: usize, priority: u32) -> Arc<Server> {
        let config = ServerConfig {
            name: format!("s{index}"),
            url: "ws://host".into(),
            operator: "o".into(),
            priority,
            voice: Voice::Counts,
            pins: Vec::new(),
        };
        let metrics = Arc::new(Metrics::new().unwrap());
        Arc::new(Server::new(index, config, 4, Duration::from_secs(1), metrics).0)
    }

    fn candidate(index: usize, state: State, score: u32, priority: u32) -> Candidate {
        Candidate {
            server: server(index, priority),
            state,
            score,
            is_overdue: false,
            may_read: true,
            may_submit: true,
        }
    }

    fn order(found: Vec<Candidate>, last: &[usize]) -> Vec<usize> {
        submitters(found, last)
            .iter()
            .map(|server| server.index)
            .collect()
    }

    #[test]
    fn the_ready_come_first_then_the_preferred_then_the_fit() {
        let found = vec![
            candidate(0, State::Degraded, 250, 0),
            candidate(1, State::Ready, 900, 1),
            candidate(2, State::Ready, 800, 0),
        ];
        assert_eq!(order(found, &[]), [2, 1, 0]);
    }

    #[test]
    fn a_submission_passes_over_a_server_only_when_its_reserve_is_spent_too() {
        let poor = |may_submit| {
            vec![
                Candidate {
                    may_read: false,
                    may_submit,
                    ..candidate(0, State::Ready, 990, 0)
                },
                candidate(1, State::Ready, 700, 0),
                candidate(2, State::Degraded, 250, 0),
            ]
        };
        assert_eq!(order(poor(true), &[]), [0, 1, 2]);
        assert_eq!(order(poor(false), &[]), [1, 0, 2]);
    }

    #[test]
    fn submissions_stay_where_they_were_unless_another_server_is_much_fitter() {
        let found = |a, b| {
            vec![
                candidate(0, State::Ready, a, 0),
                candidate(1, State::Ready, b, 0),
            ]
        };
        assert_eq!(order(found(900, 990), &[0]), [0, 1]);
        assert_eq!(order(found(700, 990), &[0]), [1, 0]);
    }

    #[test]
    fn a_server_of_which_an_answer_is_overdue_comes_after_those_as_ready_however_preferred_it_is() {
        let found = vec![
            Candidate {
                is_overdue: true,
                ..candidate(0, State::Ready, 990, 0)
            },
            candidate(1, State::Ready, 600, 1),
            Candidate {
                may_submit: false,
                ..candidate(2, State::Ready, 990, 0)
            },
            candidate(3, State::Degraded, 250, 0),
        ];
        assert_eq!(order(found, &[0]), [1, 0, 2, 3]);
    }

    #[test]
    fn a_run_ends_at_a_hole_and_at_what_is_validated() {
        let holed = candidate(0, State::Ready, 1_000, 0);
        {
            let mut health = holed.server.health();
            health.stage = Stage::Known;
            health.complete = "2-5,9-40".parse().unwrap();
            health.validated = Some(LedgerIndex(30));
        }
        let end = |from, to| {
            let runs = runs(
                std::slice::from_ref(&holed),
                LedgerIndex(from),
                LedgerIndex(to),
            );
            runs.first().map(|(_, end)| end.0)
        };
        assert_eq!(end(3, 20), Some(5));
        assert_eq!(end(10, 20), Some(20));
        assert_eq!(end(10, 60), Some(30));
        assert_eq!(end(7, 20), None);
        assert_eq!(end(31, 40), None);
    }
}
