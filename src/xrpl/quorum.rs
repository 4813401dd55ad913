//! Agreement: the same question to as many servers as the quorum asks for, at once, and the next
//! server for each that cannot answer or contradicts.
//!
//! A contradiction is counted and kept as evidence even where a majority becomes clear; where none
//! does, nothing is concluded.

mod history;
mod root;

use super::error::{Evidence, HistoryError, RequestError};
use super::route;
use super::server::Server;
use super::shared::Shared;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

pub(super) use history::history;
pub(super) use root::account_root;

/// What one server says.
trait Claim {
    /// `None` where `other` says the same; else what each says that the other does not.
    fn difference(
        &self,
        name: &str,
        other: &Self,
        other_name: &str,
    ) -> Option<(Evidence, Evidence)>;
}

/// Servers that say the same.
struct Group<T> {
    claim: T,
    names: Vec<String>,
}

/// How often it is looked whether a server has come to hold what is asked for.
const LATECOMER_POLL: Duration = Duration::from_millis(20);

/// Asks until `quorum` servers say the same. `holders` are the servers that hold what is asked for,
/// the fittest first; it is looked at again for each server, because the last ones to validate a
/// ledger do so moments after the first.
async fn agree<T, H, F, Asking>(
    shared: &Shared,
    holders: H,
    ask: F,
) -> Result<(T, Vec<String>), HistoryError>
where
    T: Claim,
    H: Fn() -> Vec<Arc<Server>>,
    F: Fn(Arc<Server>) -> Asking,
    Asking: Future<Output = Result<T, RequestError>>,
{
    let quorum = shared.config.quorum.max(1);
    let mut choice = Choice {
        shared,
        holders,
        asked: Vec::new(),
    };
    let mut asking = FuturesUnordered::new();
    let begin = |server: Arc<Server>| {
        let name = server.name().to_owned();
        let answer = ask(server);
        async move { (name, answer.await) }
    };
    let mut groups: Vec<Group<T>> = Vec::new();
    let mut dispute = None;
    let mut last_error = None;
    loop {
        // Enough are under way only while they could still make a quorum.
        let best = groups.iter().map(|group| group.names.len()).max();
        while best.unwrap_or(0) + asking.len() < quorum {
            let next = match choice.next() {
                Some(next) => Some(next),
                None if asking.is_empty() => choice.latecomer().await,
                None => None,
            };
            match next {
                Some(server) => asking.push(begin(server)),
                None => break,
            }
        }
        if asking.is_empty() {
            break;
        }
        let answer = tokio::time::timeout(shared.config.hedge_after, asking.next()).await;
        match answer {
            Ok(Some((name, Ok(claim)))) => {
                dispute = dispute.or_else(|| contradiction(shared, &groups, &name, &claim));
                if let Some(group) = join(&mut groups, name, claim, quorum) {
                    return Ok((group.claim, group.names));
                }
            }
            Ok(Some((_, Err(error)))) => last_error = Some(error),
            Ok(None) => {}
            // A server that is slow, or frozen, may yet answer; another may do so sooner.
            Err(_) => asking.extend(choice.next().map(&begin)),
        }
    }
    match (dispute, last_error) {
        (Some((left, right)), _) => Err(HistoryError::Disagreement {
            left: Box::new(left),
            right: Box::new(right),
        }),
        (None, Some(error)) => Err(error.into()),
        (None, None) => Err(HistoryError::NotEnoughServers {
            ready: groups.iter().map(|group| group.names.len()).sum(),
            quorum,
        }),
    }
}

/// Which server is asked next; each is asked once.
struct Choice<'a, H> {
    shared: &'a Shared,
    holders: H,
    asked: Vec<usize>,
}

impl<H: Fn() -> Vec<Arc<Server>>> Choice<'_, H> {
    fn next(&mut self) -> Option<Arc<Server>> {
        let mut holders = (self.holders)().into_iter();
        let next = holders.find(|server| !self.asked.contains(&server.index))?;
        self.asked.push(next.index);
        Some(next)
    }

    /// Waits a moment for a server that does not hold it yet.
    async fn latecomer(&mut self) -> Option<Arc<Server>> {
        let until = Instant::now() + self.shared.config.hedge_after;
        while Instant::now() < until {
            let may_come = route::voices(self.shared)
                .iter()
                .any(|candidate| !self.asked.contains(&candidate.server.index));
            if !may_come {
                return None;
            }
            if let Some(next) = self.next() {
                return Some(next);
            }
            tokio::time::sleep(LATECOMER_POLL).await;
        }
        None
    }
}

/// Adds a claim to the group that says the same, and takes the group out when it is a quorum.
fn join<T: Claim>(
    groups: &mut Vec<Group<T>>,
    name: String,
    claim: T,
    quorum: usize,
) -> Option<Group<T>> {
    let same = groups
        .iter()
        .position(|group| claim.difference("", &group.claim, "").is_none());
    let index = match same {
        Some(index) => index,
        None => {
            groups.push(Group {
                claim,
                names: Vec::new(),
            });
            groups.len() - 1
        }
    };
    let group = groups.get_mut(index)?;
    group.names.push(name);
    (group.names.len() >= quorum).then(|| groups.swap_remove(index))
}

/// The first contradiction of a claim with what was said before, counted and logged.
fn contradiction<T: Claim>(
    shared: &Shared,
    groups: &[Group<T>],
    name: &str,
    claim: &T,
) -> Option<(Evidence, Evidence)> {
    let found = groups.iter().find_map(|group| {
        let other_name = group.names.first().map_or("", String::as_str);
        claim.difference(name, &group.claim, other_name)
    })?;
    shared.deps.metrics.xrpl_server_disagreements_total.inc();
    tracing::error!(left = %found.0, right = %found.1, "servers disagree about an account");
    Some(found)
}
