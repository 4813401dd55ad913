//! Agreement: the same question to as many servers as the quorum asks for, at once, and the next
//! server for each that cannot answer or contradicts.
//!
//! A contradiction is counted and kept as evidence even where a majority becomes clear; where none
//! does, nothing is concluded.

mod history;
mod root;

use super::error::{Evidence, HistoryError, RequestError};
use super::server::Server;
use super::shared::Shared;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use std::future::Future;
use std::sync::Arc;

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

/// Asks until `quorum` servers say the same.
async fn agree<T, F, Asking>(
    shared: &Shared,
    servers: Vec<Arc<Server>>,
    ask: F,
) -> Result<(T, Vec<String>), HistoryError>
where
    T: Claim,
    F: Fn(Arc<Server>) -> Asking,
    Asking: Future<Output = Result<T, RequestError>>,
{
    let quorum = shared.config.quorum.max(1);
    let mut waiting = servers.into_iter();
    let mut asking = FuturesUnordered::new();
    let begin = |server: Arc<Server>| {
        let name = server.name().to_owned();
        let answer = ask(server);
        async move { (name, answer.await) }
    };
    asking.extend(waiting.by_ref().take(quorum).map(&begin));
    let mut groups: Vec<Group<T>> = Vec::new();
    let mut dispute = None;
    let mut last_error = None;
    while let Some((name, answer)) = asking.next().await {
        let found = match answer {
            Ok(claim) => {
                dispute = dispute.or_else(|| contradiction(shared, &groups, &name, &claim));
                join(&mut groups, name, claim, quorum)
            }
            Err(error) => {
                last_error = Some(error);
                None
            }
        };
        if let Some(group) = found {
            return Ok((group.claim, group.names));
        }
        // Ask the next server as soon as those under way can no longer make a quorum.
        let best = groups
            .iter()
            .map(|group| group.names.len())
            .max()
            .unwrap_or(0);
        while best + asking.len() < quorum {
            match waiting.next() {
                Some(server) => asking.push(begin(server)),
                None => break,
            }
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
