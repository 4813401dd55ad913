//! An account's validated transactions, agreed.

use super::verdict::{self, Verdict};
use super::{Claim, agree};
use crate::xrpl::error::{Evidence, HistoryError, RequestError};
use crate::xrpl::history::{AgreedHistory, HistoryEntry};
use crate::xrpl::proto;
use crate::xrpl::proto::account_tx::{Page, Subject};
use crate::xrpl::proto::ledger::Ledger;
use crate::xrpl::route;
use crate::xrpl::server::{Command, Server};
use crate::xrpl::shared::Shared;
use std::sync::Arc;
use xrpayd_core::address::AccountId;
use xrpayd_core::ids::{LedgerHash, LedgerIndex, UnixMs};

/// Transactions asked for in one page. Servers give strangers fewer, which only makes more pages.
const PAGE_LEN: usize = 400;
/// An answer ends before the ledger that holds this many transactions, so that a long absence is
/// caught up with in bounded memory. It is a cut that every server makes at the same place.
pub(in crate::xrpl) const ENTRIES_MAX: usize = 20_000;
/// Pages without a transaction that are followed: some servers stop where they have searched enough.
const EMPTY_PAGES_MAX: u32 = 64;
/// Pages that are followed at all: servers give strangers ten transactions at least, and an answer
/// ends at twenty thousand.
const PAGES_MAX: u32 = 4_096;
/// Transactions that are held while an answer is read: one ledger never has so many past the bound.
const HELD_MAX: usize = 10 * ENTRIES_MAX;

/// What one server holds of the range.
pub(super) struct Claimed {
    pub(super) subject: Arc<Subject>,
    pub(super) to: LedgerIndex,
    pub(super) to_hash: LedgerHash,
    pub(super) to_closed_at: Option<UnixMs>,
    pub(super) entries: Vec<HistoryEntry>,
}

/// Reads `from ..= to`, or as much of it from its beginning as enough servers hold and as has no more
/// than `most` transactions or one ledger.
pub(in crate::xrpl) async fn history(
    shared: &Shared,
    account: AccountId,
    (from, to): (LedgerIndex, LedgerIndex),
    most: usize,
) -> Result<AgreedHistory, HistoryError> {
    let most = most.clamp(1, ENTRIES_MAX);
    let quorum = shared.quorum();
    let candidates = route::voices(shared);
    let ready = route::voters(shared, candidates.iter().map(|candidate| &candidate.server));
    if ready < quorum {
        return Err(HistoryError::NotEnoughServers { ready, quorum });
    }
    let runs = route::runs(&candidates, from, to.max(from));
    // The furthest ledger that a quorum of voices reaches.
    let reach = |end: &LedgerIndex| {
        let reaching = runs.iter().filter(|(_, other)| other >= end);
        route::voters(shared, reaching.map(|(server, _)| server)) >= quorum
    };
    let ends = runs.iter().map(|(_, end)| *end);
    let Some(to) = ends.filter(reach).max() else {
        return Err(HistoryError::Gap {
            from,
            holding: runs.len(),
            quorum,
            lowest: route::lowest(&candidates),
        });
    };
    let subject = Arc::new(Subject::new(account));
    let ask = |server| read(shared, server, &subject, (from, to), most);
    let (claim, names) = agree(shared, || route::holders(shared, from, to), ask).await?;
    Ok(AgreedHistory {
        from,
        to: claim.to,
        to_hash: claim.to_hash,
        to_closed_at: claim.to_closed_at,
        servers: names,
        entries: claim.entries,
    })
}

/// Reads the range from one server, to the end of its pages.
pub(super) async fn read(
    shared: &Shared,
    server: Arc<Server>,
    subject: &Arc<Subject>,
    (from, to): (LedgerIndex, LedgerIndex),
    most: usize,
) -> Result<Claimed, RequestError> {
    let malformed = |why: &'static str| server.malformed(Command::AccountTx, why);
    let mut entries: Vec<HistoryEntry> = Vec::new();
    let mut marker = String::new();
    let mut end = to;
    let mut empty_pages = 0_u32;
    let mut pages = 0_u32;
    loop {
        pages += 1;
        let params = format!(
            r#","account":"{}","ledger_index_min":{from},"ledger_index_max":{to},"forward":true,"limit":{PAGE_LEN}{marker}"#,
            subject.text
        );
        let frame = server.ask_ok(Command::AccountTx, &params).await?;
        let page: Page<'_> =
            proto::result(&frame).map_err(|error| server.malformed(Command::AccountTx, error))?;
        page.covers(from, to).map_err(malformed)?;
        empty_pages = if page.transactions.is_empty() {
            empty_pages + 1
        } else {
            0
        };
        for item in &page.transactions {
            let entry = item.entry(subject).map_err(malformed)?;
            if entry.ledger_index < from || entry.ledger_index > to {
                return Err(malformed("a transaction lies outside the range"));
            }
            entries.push(entry);
        }
        let next = page
            .marker
            .map(|next| format!(r#","marker":{}"#, next.get()));
        if let Some(cut) = cut_at(&entries, most, next.is_none()) {
            end = cut;
            break;
        }
        let Some(next) = next else { break };
        // A marker that does not move on would be followed for ever, and so would one that always
        // moves on within a ledger.
        let is_endless = pages >= PAGES_MAX || entries.len() > HELD_MAX;
        if next == marker || empty_pages > EMPTY_PAGES_MAX || is_endless {
            return Err(malformed("the pages do not end"));
        }
        marker = next;
    }
    entries.retain(|entry| entry.ledger_index <= end);
    let entries = in_order(entries).map_err(malformed)?;
    let (to_hash, to_closed_at) = closed(shared, &server, &entries, end).await?;
    Ok(Claimed {
        subject: Arc::clone(subject),
        to: end,
        to_hash,
        to_closed_at,
        entries,
    })
}

/// Where the answer ends when there is enough for one: with the last ledger that holds a transaction
/// before the one with which the bound is reached, or with that one where it is the first. It depends
/// on the ledgers alone, so it is the same at every server however long its pages are; and a transaction
/// bears the hash of the ledger, which a server with a long history may not tell otherwise. Pages come
/// oldest first: a ledger is whole once a newer one was seen, or no page is left.
fn cut_at(entries: &[HistoryEntry], most: usize, no_page_left: bool) -> Option<LedgerIndex> {
    let last = most.checked_sub(1)?;
    entries.get(last)?;
    // Order within a page is not promised.
    let mut ledgers: Vec<LedgerIndex> = entries.iter().map(|entry| entry.ledger_index).collect();
    ledgers.sort_unstable();
    let bound = *ledgers.get(last)?;
    let earlier = ledgers.iter().rev().find(|ledger| **ledger < bound);
    let cut = *earlier.unwrap_or(&bound);
    let is_whole = no_page_left || entries.iter().any(|entry| entry.ledger_index > cut);
    is_whole.then_some(cut)
}

/// By ledger and place, each once. Order within a page is not promised, and pages may overlap.
fn in_order(mut entries: Vec<HistoryEntry>) -> Result<Vec<HistoryEntry>, &'static str> {
    entries.sort_by_key(|entry| (entry.ledger_index, entry.tx_index));
    entries.dedup();
    let mut pairs = entries.iter().zip(entries.iter().skip(1));
    if pairs.any(|(a, b)| (a.ledger_index, a.tx_index) == (b.ledger_index, b.tx_index)) {
        return Err("two transactions have one place");
    }
    Ok(entries)
}

/// The hash of ledger `index` by this server's word, and when it closed: told on its stream, borne by a
/// transaction of that ledger, or asked for.
async fn closed(
    shared: &Shared,
    server: &Server,
    entries: &[HistoryEntry],
    index: LedgerIndex,
) -> Result<(LedgerHash, Option<UnixMs>), RequestError> {
    let last = entries.last();
    let borne = last
        .filter(|entry| entry.ledger_index == index)
        .map(|entry| (entry.ledger_hash, entry.close_time));
    let told = shared.told_at(server, index);
    match (told, borne) {
        (Some((told, _)), Some((borne, _))) if told != borne => Err(server.malformed(
            Command::AccountTx,
            "a transaction bears another ledger hash than the stream",
        )),
        (Some((_, told)), Some((_, Some(borne)))) if told != borne => Err(server.malformed(
            Command::AccountTx,
            "a transaction bears another close time than the stream",
        )),
        (Some((hash, time)), _) => Ok((hash, Some(time))),
        (None, Some(borne)) => Ok(borne),
        (None, None) => {
            let frame = server
                .ask_ok(Command::Ledger, &format!(r#","ledger_index":{index}"#))
                .await?;
            let ledger: Ledger<'_> =
                proto::result(&frame).map_err(|error| server.malformed(Command::Ledger, error))?;
            let hash = ledger
                .hash_of(index)
                .map_err(|why| server.malformed(Command::Ledger, why))?;
            Ok((hash, ledger.close_time()))
        }
    }
}

impl Claimed {
    /// What it tells of one ledger.
    pub(super) fn of_ledger(&self, ledger: LedgerIndex) -> Vec<&HistoryEntry> {
        let entries = self.entries.iter();
        entries
            .filter(|entry| entry.ledger_index == ledger)
            .collect()
    }

    fn evidence(&self, name: &str, says: String) -> Evidence {
        Evidence {
            server: name.to_owned(),
            ledger: self.to,
            ledger_hash: Some(self.to_hash),
            says,
        }
    }
}

impl Claim for Claimed {
    async fn judge(shared: &Shared, claims: &[&Self]) -> Verdict {
        verdict::of_histories(shared, claims).await
    }

    fn difference(
        &self,
        name: &str,
        other: &Self,
        other_name: &str,
    ) -> Option<(Evidence, Evidence)> {
        let pair = |left: String, right: String| {
            Some((self.evidence(name, left), other.evidence(other_name, right)))
        };
        if (self.to, self.to_hash) != (other.to, other.to_hash) {
            let says = |claim: &Self| format!("ledger {} has hash {}", claim.to, claim.to_hash);
            return pair(says(self), says(other));
        }
        if !same_time(self.to_closed_at, other.to_closed_at) {
            let says =
                |claim: &Self| format!("ledger {} closed at {:?}", claim.to, claim.to_closed_at);
            return pair(says(self), says(other));
        }
        let ours = self.entries.iter().map(Some).chain(std::iter::repeat(None));
        let theirs = other
            .entries
            .iter()
            .map(Some)
            .chain(std::iter::repeat(None));
        let len = self.entries.len().max(other.entries.len());
        let (left, right) = ours
            .zip(theirs)
            .take(len)
            .find(|(left, right)| !alike(*left, *right))?;
        pair(describe(left), describe(right))
    }
}

/// Whether two servers tell the same of one transaction. The close time is of its ledger, and some
/// servers leave it out.
pub(super) fn alike(left: Option<&HistoryEntry>, right: Option<&HistoryEntry>) -> bool {
    match (left, right) {
        (Some(left), Some(right)) => {
            left == right
                || (same_time(left.close_time, right.close_time)
                    && *left
                        == HistoryEntry {
                            close_time: left.close_time,
                            ..right.clone()
                        })
        }
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    }
}

/// Whether two servers tell the same close time, where both tell one.
pub(super) fn same_time(left: Option<UnixMs>, right: Option<UnixMs>) -> bool {
    left.zip(right).is_none_or(|(left, right)| left == right)
}

fn describe(entry: Option<&HistoryEntry>) -> String {
    match entry {
        None => "there is no further transaction".to_owned(),
        Some(entry) => format!(
            "transaction {} is at place {} of ledger {} with {}, delivered {:?}, effects {:?}",
            entry.hash,
            entry.tx_index,
            entry.ledger_index,
            entry.result,
            entry.delivered,
            entry.effects
        ),
    }
}
