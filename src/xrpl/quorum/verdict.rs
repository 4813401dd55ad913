//! Who is right when servers contradict each other: not the louder ones, but those whom the ledger's
//! own bytes bear out.
//!
//! The history of a ledger is proven by all of its transactions and the root in its header; an
//! account's root by the last transaction that changed it. Where no proof can be had the contradiction
//! stays open.

use super::history::{self, alike};
use super::root;
use crate::xrpl::history::{HistoryEntry, Root, RootAfter};
use crate::xrpl::proof::{self, Proven};
use crate::xrpl::proto;
use crate::xrpl::proto::account_tx::Subject;
use crate::xrpl::proto::ledger::Ledger;
use crate::xrpl::route;
use crate::xrpl::server::{Command, Server};
use crate::xrpl::shared::Shared;
use futures_util::future::join_all;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use xrpayd_core::address::AccountId;
use xrpayd_core::ids::{LedgerHash, LedgerIndex};

/// What can be said of claims that contradict each other.
#[derive(Debug)]
pub(super) enum Verdict {
    /// Which of them the ledger bears out, in their order; and what it was that the others denied.
    Proven(Vec<bool>, Arc<Case>),
    /// They are about different chains.
    Chains,
    /// Nothing can be proven.
    Open,
}

/// What was proven against those who said otherwise.
#[derive(Debug)]
pub(in crate::xrpl) enum Case {
    /// What a ledger holds of an account's transactions.
    History {
        subject: Arc<Subject>,
        ledger: LedgerIndex,
        truth: Vec<HistoryEntry>,
    },
    /// An account's root in a ledger.
    Root {
        account: AccountId,
        at: LedgerIndex,
        truth: Root,
    },
}

/// Ledgers that are proven for one verdict at most: one is enough to show a lie, and each is large.
const LEDGERS_MAX: usize = 4;

/// Judges histories of one account over the same range.
pub(super) async fn of_histories(shared: &Shared, claims: &[&history::Claimed]) -> Verdict {
    let Some((first, rest)) = claims.split_first() else {
        return Verdict::Open;
    };
    if rest.iter().any(|claim| claim.to != first.to) {
        return Verdict::Open;
    }
    if rest.iter().any(|claim| claim.to_hash != first.to_hash) {
        return Verdict::Chains;
    }
    let mut right = vec![true; claims.len()];
    let mut case = None;
    for ledger in differing(claims).into_iter().take(LEDGERS_MAX) {
        let Some(proven) = proven(shared, ledger).await else {
            continue;
        };
        let Some(truth) = proven.of_account(&first.subject) else {
            continue;
        };
        for (claim, right) in claims.iter().zip(&mut right) {
            let closed_then = ledger != claim.to
                || history::same_time(claim.to_closed_at, Some(proven.closed_at()));
            *right = *right && closed_then && same(&claim.of_ledger(ledger), &truth);
        }
        case.get_or_insert(Case::History {
            subject: Arc::clone(&first.subject),
            ledger,
            truth,
        });
    }
    match case {
        Some(case) => Verdict::Proven(right, Arc::new(case)),
        None => Verdict::Open,
    }
}

/// The ledgers of which the claims do not tell the same.
fn differing(claims: &[&history::Claimed]) -> BTreeSet<LedgerIndex> {
    let named = claims.iter().flat_map(|claim| &claim.entries);
    let mut ledgers: BTreeSet<LedgerIndex> = named.map(|entry| entry.ledger_index).collect();
    ledgers.retain(|ledger| {
        let mut told = claims.iter().map(|claim| claim.of_ledger(*ledger));
        let first = told.next().unwrap_or_default();
        told.any(|other| other != first && !pairwise(&first, &other))
    });
    let mut ends = claims.iter().map(|claim| (claim.to, claim.to_closed_at));
    if let Some((to, time)) = ends.next()
        && ends.any(|(_, other)| !history::same_time(time, other))
    {
        ledgers.insert(to);
    }
    ledgers
}

fn pairwise(left: &[&HistoryEntry], right: &[&HistoryEntry]) -> bool {
    left.len() == right.len()
        && left
            .iter()
            .zip(right)
            .all(|(a, b)| alike(Some(*a), Some(*b)))
}

/// Whether a claim about one ledger is what was proven of it.
pub(super) fn same(claimed: &[&HistoryEntry], truth: &[HistoryEntry]) -> bool {
    pairwise(claimed, &truth.iter().collect::<Vec<_>>())
}

/// Judges roots of one account in the same ledger.
pub(super) async fn of_roots(shared: &Shared, claims: &[&root::Claimed]) -> Verdict {
    let hashes: BTreeSet<LedgerHash> = claims.iter().filter_map(|claim| claim.hash).collect();
    if hashes.len() > 1 {
        return Verdict::Chains;
    }
    let mut borne_out: Vec<Option<LedgerIndex>> = Vec::with_capacity(claims.len());
    let mut known: BTreeMap<LedgerIndex, Option<RootAfter>> = BTreeMap::new();
    for claim in claims {
        let Some(root) = &claim.root else {
            return Verdict::Open;
        };
        let changed = LedgerIndex(root.previous_txn_lgr_seq);
        if let std::collections::btree_map::Entry::Vacant(unknown) = known.entry(changed) {
            let Some(proven) = proven(shared, changed).await else {
                return Verdict::Open;
            };
            let subject = Subject::new(claim.account);
            let Some(entries) = proven.of_account(&subject) else {
                return Verdict::Open;
            };
            unknown.insert(entries.iter().rev().find_map(|entry| entry.own_root));
        }
        let is_true = known.get(&changed).copied().flatten().is_some_and(|after| {
            (after.balance, after.sequence, after.owner_count)
                == (root.balance, root.sequence, root.owner_count)
        });
        borne_out.push((is_true && changed <= claim.at).then_some(changed));
    }
    // Of several that were true once, the latest is true now.
    let Some(latest) = borne_out.iter().flatten().max().copied() else {
        return Verdict::Open;
    };
    let right: Vec<bool> = borne_out
        .iter()
        .map(|changed| *changed == Some(latest))
        .collect();
    let truth = claims.iter().zip(&right).find(|(_, right)| **right);
    let case = truth.and_then(|(claim, _)| {
        let (account, at) = (claim.account, claim.at);
        claim.root.map(|truth| Case::Root { account, at, truth })
    });
    match case {
        Some(case) => Verdict::Proven(right, Arc::new(case)),
        None => Verdict::Open,
    }
}

/// What the hashes of one ledger say of claims that no transaction of it can prove.
pub(super) fn of_hashes(hashes: impl Iterator<Item = Option<LedgerHash>>) -> Verdict {
    let hashes: BTreeSet<LedgerHash> = hashes.flatten().collect();
    if hashes.len() > 1 {
        Verdict::Chains
    } else {
        Verdict::Open
    }
}

/// The whole of a ledger whose hash the voices agree on.
async fn proven(shared: &Shared, ledger: LedgerIndex) -> Option<Proven> {
    let hash = agreed_hash(shared, ledger).await?;
    proof::of_ledger(shared, ledger, hash).await
}

/// The hash of a ledger by a quorum of voices that no other voice contradicts: as their streams told
/// it, or, where that is too long ago, as they tell it now.
async fn agreed_hash(shared: &Shared, ledger: LedgerIndex) -> Option<LedgerHash> {
    let voices = route::voices(shared);
    let asked = voices.iter().map(|candidate| async move {
        let server = &candidate.server;
        let hash = match shared.hash_at(server, ledger) {
            Some(hash) => Some(hash),
            None => ask_hash(server, ledger).await,
        };
        Some((hash?, shared.voter(server)?))
    });
    let mut told: BTreeMap<LedgerHash, BTreeSet<String>> = BTreeMap::new();
    for (hash, voter) in join_all(asked).await.into_iter().flatten() {
        told.entry(hash).or_default().insert(voter);
    }
    let (hash, voters) = told.iter().max_by_key(|(_, voters)| voters.len())?;
    let others: usize = told.values().map(BTreeSet::len).sum::<usize>() - voters.len();
    (voters.len() >= shared.quorum() && voters.len() > others).then_some(*hash)
}

async fn ask_hash(server: &Server, ledger: LedgerIndex) -> Option<LedgerHash> {
    let params = format!(r#","ledger_index":{ledger}"#);
    let frame = server.ask_ok(Command::Ledger, &params).await.ok()?;
    let answer: Ledger<'_> = proto::result(&frame).ok()?;
    answer.hash_of(ledger).ok()
}
