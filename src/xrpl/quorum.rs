//! Agreement: the same question to several servers at once, and an answer once enough voices say
//! the same and nobody who was asked says otherwise.
//!
//! One voice more than the quorum is asked, so that servers which mislead in concert meet a witness.
//! A contradiction is counted and kept as evidence. It is settled by proof where the ledger itself can
//! be made to speak (`verdict`), and a server that is proven wrong is not heard again; by a clear
//! majority where there is one; and otherwise not at all: then nothing is concluded.

mod history;
mod leave;
pub(super) mod parole;
mod root;
mod setup;
mod state;
mod tickets;
mod verdict;

use super::error::{Evidence, HistoryError, RequestError};
use super::route;
use super::server::Server;
use super::shared::Shared;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use parole::Quarantine;
use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use verdict::Verdict;
use xrpayd_core::ids::LedgerIndex;

pub(super) use history::{ENTRIES_MAX, history};
pub(super) use leave::deposit_authorized;
pub(super) use root::{account_root, glance};
pub(super) use setup::account_setup;
pub(super) use tickets::tickets;

/// What one server says.
trait Claim: Sized {
    /// `None` where `other` says the same; else what each says that the other does not.
    fn difference(
        &self,
        name: &str,
        other: &Self,
        other_name: &str,
    ) -> Option<(Evidence, Evidence)>;

    /// Whom the ledger itself bears out, of claims that contradict each other.
    fn judge(shared: &Shared, claims: &[&Self]) -> impl Future<Output = Verdict> + Send;
}

/// Servers that say the same.
struct Group<T> {
    claim: T,
    servers: Vec<Arc<Server>>,
}

impl<T> Group<T> {
    /// How many voices say it, as the servers are at this moment: the word of one that was taken
    /// out, or proven wrong, since it spoke is not counted any more.
    fn voices(&self, shared: &Shared) -> usize {
        route::voters(shared, &self.servers)
    }

    fn names(&self) -> Vec<String> {
        let names = self.servers.iter().map(|server| server.name().to_owned());
        names.collect()
    }
}

/// How often it is looked whether a server has come to hold what is asked for.
const LATECOMER_POLL: Duration = Duration::from_millis(20);
/// Voices that are asked at least, where there are so many.
const VOICES_MIN: usize = 3;
/// How long a witness is waited for once a quorum has spoken with one voice.
const WITNESS_WAIT: Duration = Duration::from_millis(400);
/// A majority settles what cannot be proven where it outnumbers the others by more than this.
const CLEAR_MAJORITY: usize = 2;

/// Asks until a quorum of voices says the same. `holders` are the servers that hold what is asked
/// for, the fittest first; it is looked at again for each server, because the last ones to validate
/// a ledger do so moments after the first.
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
    let mut choice = Choice {
        shared,
        holders,
        asked: BTreeSet::new(),
        speaking: Vec::new(),
    };
    let mut asking = FuturesUnordered::new();
    let begin = |server: Arc<Server>| {
        let answer = ask(Arc::clone(&server));
        async move { (server, answer.await) }
    };
    let mut groups: Vec<Group<T>> = Vec::new();
    let mut last_error = None;
    let mut witness_until = None;
    loop {
        // Looked at anew each time: a new configuration may come while servers are asked.
        let quorum = shared.quorum();
        let is_split = groups.len() > 1;
        let heard: usize = groups.iter().map(|group| group.voices(shared)).sum();
        let wanted = if is_split {
            usize::MAX
        } else {
            VOICES_MIN.max(quorum + 1)
        };
        while heard + asking.len() < wanted {
            let Some(next) = choice.next() else { break };
            asking.push(begin(next));
        }
        let is_quorate = groups.iter().any(|group| group.voices(shared) >= quorum);
        if is_quorate && !is_split {
            let until = *witness_until.get_or_insert_with(|| Instant::now() + WITNESS_WAIT);
            let has_all = heard >= wanted || (asking.is_empty() && !choice.may_have_latecomer());
            if has_all || Instant::now() >= until {
                break;
            }
        } else {
            // Nobody is waited for as a mere witness: a moment that has passed must not be waited
            // for again and again.
            witness_until = None;
        }
        if asking.is_empty() {
            match choice.latecomer(witness_until).await {
                Some(next) => asking.push(begin(next)),
                None => break,
            }
        }
        let patience = Instant::now() + shared.patience(&choice.asked);
        let patience = witness_until.map_or(patience, |until| until.min(patience));
        match tokio::time::timeout_at(patience, asking.next()).await {
            Ok(Some((server, Ok(claim)))) => {
                contradiction(shared, &groups, &server, &claim);
                join(&mut groups, server, claim);
            }
            Ok(Some((server, Err(error)))) => {
                choice.failed(&server);
                last_error = Some(error);
            }
            Ok(None) => {}
            // A server that is slow, or frozen, may yet answer; another may do so sooner.
            Err(_) if witness_until.is_none() => asking.extend(choice.next().map(&begin)),
            Err(_) => {}
        }
    }
    drop(asking);
    conclude(shared, groups, last_error).await
}

/// The same about the state of one validated ledger, from servers that hold it.
async fn agree_at<T, F, Asking>(
    shared: &Shared,
    at: LedgerIndex,
    ask: F,
) -> Result<(T, Vec<String>), HistoryError>
where
    T: Claim,
    F: Fn(Arc<Server>) -> Asking,
    Asking: Future<Output = Result<T, RequestError>>,
{
    let quorum = shared.quorum();
    let candidates = route::voices(shared);
    let ready = route::voters(shared, candidates.iter().map(|candidate| &candidate.server));
    if ready < quorum {
        return Err(HistoryError::NotEnoughServers { ready, quorum });
    }
    let holding = route::voters(shared, &route::holders(shared, at, at));
    if holding < quorum {
        return Err(HistoryError::Gap {
            from: at,
            holding,
            quorum,
            lowest: route::lowest(&candidates),
        });
    }
    agree(shared, || route::holders(shared, at, at), ask).await
}

/// What follows from all that was said.
async fn conclude<T: Claim>(
    shared: &Shared,
    mut groups: Vec<Group<T>>,
    last_error: Option<RequestError>,
) -> Result<(T, Vec<String>), HistoryError> {
    let quorum = shared.quorum();
    if groups.len() > 1 {
        groups = settle(shared, groups).await?;
    }
    match (groups.pop(), last_error) {
        (Some(group), _) if group.voices(shared) >= quorum => {
            let names = group.names();
            Ok((group.claim, names))
        }
        (_, Some(error)) => Err(error.into()),
        (group, None) => Err(HistoryError::NotEnoughServers {
            ready: group.map_or(0, |group| group.voices(shared)),
            quorum,
        }),
    }
}

/// Settles a contradiction: what is left is what nobody contradicts any more.
async fn settle<T: Claim>(
    shared: &Shared,
    mut groups: Vec<Group<T>>,
) -> Result<Vec<Group<T>>, HistoryError> {
    let disagreement = |groups: &[Group<T>]| {
        let pair = groups.split_first().and_then(|(first, rest)| {
            let name = |group: &Group<T>| group.names().first().cloned().unwrap_or_default();
            rest.iter().find_map(|other| {
                first
                    .claim
                    .difference(&name(first), &other.claim, &name(other))
            })
        });
        match pair {
            Some((left, right)) => HistoryError::Disagreement {
                left: Box::new(left),
                right: Box::new(right),
            },
            None => HistoryError::NotEnoughServers {
                ready: 0,
                quorum: shared.quorum(),
            },
        }
    };
    let claims: Vec<&T> = groups.iter().map(|group| &group.claim).collect();
    let verdict = T::judge(shared, &claims).await;
    if let Verdict::Proven(right, case) = verdict {
        let error = disagreement(&groups);
        // A proof that bears out nobody is more likely misread than everybody a liar: nobody is
        // believed, and nobody sent away.
        if !right.contains(&true) {
            return Err(error);
        }
        let mut kept = Vec::new();
        for (group, right) in groups.into_iter().zip(right) {
            if right {
                kept.push(group);
            } else {
                for server in &group.servers {
                    let why = format!("proven wrong by the ledger itself: {error}");
                    shared.quarantine(server, Quarantine::new(why, Arc::clone(&case)));
                }
            }
        }
        return if kept.len() > 1 { Err(error) } else { Ok(kept) };
    }
    let voices = |group: &Group<T>| group.voices(shared);
    groups.sort_by_cached_key(voices);
    let most = groups.last().map_or(0, voices);
    let others: usize = groups.iter().rev().skip(1).map(voices).sum();
    let is_clear = match verdict {
        // Which chain is the network's is not proven by either chain: the majority follows it.
        Verdict::Chains => most > others,
        Verdict::Open => most > CLEAR_MAJORITY * others,
        Verdict::Proven(..) => false,
    };
    if is_clear {
        Ok(groups.split_off(groups.len().saturating_sub(1)))
    } else {
        Err(disagreement(&groups))
    }
}

/// Which server is asked next: each once, and of those with one voice one at a time.
struct Choice<'a, H> {
    shared: &'a Shared,
    holders: H,
    asked: BTreeSet<usize>,
    /// The servers that are asked, or were heard: what others with their voices say adds nothing.
    speaking: Vec<Arc<Server>>,
}

impl<H: Fn() -> Vec<Arc<Server>>> Choice<'_, H> {
    fn is_free(&self, server: &Server) -> bool {
        let Some(voter) = self.shared.voter(server) else {
            return false;
        };
        let mut speaking = self.speaking.iter();
        !self.asked.contains(&server.index)
            && !speaking.any(|other| self.shared.voter(other).as_ref() == Some(&voter))
    }

    fn next(&mut self) -> Option<Arc<Server>> {
        let mut holders = (self.holders)().into_iter();
        let next = holders.find(|server| self.is_free(server))?;
        self.asked.insert(next.index);
        self.speaking.push(Arc::clone(&next));
        Some(next)
    }

    /// Another server with this voice may be asked.
    fn failed(&mut self, server: &Server) {
        self.speaking.retain(|other| other.index != server.index);
    }

    /// Whether a server that is fit may yet come to hold what is asked for.
    fn may_have_latecomer(&self) -> bool {
        route::voices(self.shared)
            .iter()
            .any(|candidate| candidate.is_ready() && self.is_free(&candidate.server))
    }

    /// Waits a moment for a server that does not hold it yet.
    async fn latecomer(&mut self, until: Option<Instant>) -> Option<Arc<Server>> {
        let until = until.unwrap_or_else(|| Instant::now() + self.shared.config.hedge_after);
        while Instant::now() < until {
            let may_come = route::voices(self.shared)
                .iter()
                .any(|candidate| self.is_free(&candidate.server));
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

/// Adds a claim to the group that says the same.
fn join<T: Claim>(groups: &mut Vec<Group<T>>, server: Arc<Server>, claim: T) {
    let same = groups
        .iter_mut()
        .find(|group| claim.difference("", &group.claim, "").is_none());
    match same {
        Some(group) => group.servers.push(server),
        None => groups.push(Group {
            claim,
            servers: vec![server],
        }),
    }
}

/// The first contradiction of a claim with what was said before, counted and kept.
fn contradiction<T: Claim>(shared: &Shared, groups: &[Group<T>], server: &Server, claim: &T) {
    let found = groups.iter().find_map(|group| {
        let other = group.servers.first().map_or("", |server| server.name());
        claim.difference(server.name(), &group.claim, other)
    });
    if let Some((left, right)) = found {
        shared.dispute("an account", left, right);
    }
}
