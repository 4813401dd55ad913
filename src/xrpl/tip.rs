//! Which validated ledger the pool stands on: the newest one whose header enough servers told alike.
//!
//! Owns, for each server, a ring of the headers it told of. A validated ledger never changes, so
//! what a server said stays said across its reconnects. Two headers for one index are a
//! disagreement: it is reported once an index, and an index without a quorum never becomes the tip.

use super::error::Evidence;
use super::proto::stream::Header;
use std::collections::{BTreeMap, BTreeSet};
use xrpayd_core::ids::{LedgerHash, LedgerIndex, UnixMs};
use xrpayd_core::money::Drops;

/// The newest validated ledger that enough servers agree on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tip {
    /// Its index.
    pub index: LedgerIndex,
    /// Its hash.
    pub hash: LedgerHash,
    /// When it closed, by the ledger's own time.
    pub close_time: UnixMs,
    /// The base fee in force.
    pub base_fee: Drops,
    /// The reserve of an account.
    pub reserve_base: Drops,
    /// The reserve of each object that an account owns.
    pub reserve_inc: Drops,
    /// When the agreement was reached here.
    pub seen_at: UnixMs,
}

impl Tip {
    /// What must stay on an account that owns so many objects. A reserve beyond all money there is
    /// binds everything.
    #[must_use]
    pub fn reserve_of(&self, owner_count: u32) -> Drops {
        let owned = self.reserve_inc.checked_mul(owner_count.into());
        owned
            .and_then(|owned| self.reserve_base.checked_add(owned))
            .unwrap_or(Drops::MAX)
    }
}

/// Headers kept of each server: a quarter of an hour of ledgers, far more than servers differ by.
const RING_LEN: usize = 256;

/// What came of one header.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Noted {
    /// The pool moved on to this ledger.
    pub tip: Option<Tip>,
    /// Servers contradict each other about this ledger, for the first time.
    pub dispute: Option<(Evidence, Evidence)>,
}

/// What one server told.
#[derive(Debug)]
struct Told {
    name: String,
    /// Whose word it is; `None` where it does not count.
    voter: Option<String>,
    ring: BTreeMap<LedgerIndex, Header>,
}

/// The headers of all servers, and what they agree on.
#[derive(Debug)]
pub(super) struct Chain {
    quorum: usize,
    servers: BTreeMap<usize, Told>,
    tip: Option<LedgerIndex>,
    disputed: BTreeSet<LedgerIndex>,
}

impl Chain {
    pub(super) const fn new(quorum: usize) -> Self {
        Self {
            quorum,
            servers: BTreeMap::new(),
            tip: None,
            disputed: BTreeSet::new(),
        }
    }

    /// How many voices must agree from now on.
    pub(super) const fn set_quorum(&mut self, quorum: usize) {
        self.quorum = quorum;
    }

    /// A server leaves, and its word with it.
    pub(super) fn leave(&mut self, server: usize) {
        self.servers.remove(&server);
    }

    /// A server joins, or its word counts differently from now on; what it told stays.
    pub(super) fn join(&mut self, server: usize, name: &str, voter: Option<String>) {
        let told = self.servers.entry(server).or_insert_with(|| Told {
            name: name.to_owned(),
            voter: None,
            ring: BTreeMap::new(),
        });
        told.voter = voter;
    }

    /// A server's word counts as this voice from now on, or not at all.
    pub(super) fn count_as(&mut self, server: usize, voter: Option<String>) {
        if let Some(told) = self.servers.get_mut(&server) {
            told.voter = voter;
        }
    }

    /// The hash of a ledger as one server told it.
    pub(super) fn hash_at(&self, server: usize, index: LedgerIndex) -> Option<LedgerHash> {
        self.header_at(server, index).map(|header| header.hash)
    }

    /// The header of a ledger as one server told it.
    pub(super) fn header_at(&self, server: usize, index: LedgerIndex) -> Option<&Header> {
        self.servers.get(&server)?.ring.get(&index)
    }

    /// Takes a header that a server told of.
    pub(super) fn note(&mut self, server: usize, header: Header, now: UnixMs) -> Noted {
        let dispute = self.dispute(server, &header);
        let index = header.index;
        let Some(told) = self.servers.get_mut(&server) else {
            return Noted::default();
        };
        // The first word counts: a server that takes it back is in dispute with itself.
        let header = told.ring.entry(index).or_insert(header).clone();
        while told.ring.len() > RING_LEN {
            told.ring.pop_first();
        }
        let agreeing: BTreeSet<&str> = self
            .servers
            .values()
            .filter(|told| told.ring.get(&index) == Some(&header))
            .filter_map(|told| told.voter.as_deref())
            .collect();
        let is_newer = self.tip.is_none_or(|tip| index > tip);
        let tip = (is_newer && agreeing.len() >= self.quorum.max(1)).then(|| {
            self.tip = Some(index);
            Tip {
                index,
                hash: header.hash,
                close_time: header.close_time,
                base_fee: header.base_fee,
                reserve_base: header.reserve_base,
                reserve_inc: header.reserve_inc,
                seen_at: now,
            }
        });
        Noted { tip, dispute }
    }

    fn dispute(&mut self, server: usize, header: &Header) -> Option<(Evidence, Evidence)> {
        let (other, told) = self.servers.iter().find_map(|(&other, told)| {
            let told = told.ring.get(&header.index)?;
            (told != header).then_some((other, told))
        })?;
        let evidence = (self.evidence(server, header), self.evidence(other, told));
        let is_news = self.disputed.insert(header.index);
        while self.disputed.len() > RING_LEN {
            self.disputed.pop_first();
        }
        is_news.then_some(evidence)
    }

    fn evidence(&self, server: usize, header: &Header) -> Evidence {
        Evidence {
            server: self
                .servers
                .get(&server)
                .map(|told| told.name.clone())
                .unwrap_or_default(),
            ledger: header.index,
            ledger_hash: Some(header.hash),
            says: format!(
                "hash {}, closed at {}, base fee {}, reserves {} and {}",
                header.hash,
                header.close_time.0,
                header.base_fee,
                header.reserve_base,
                header.reserve_inc
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: UnixMs = UnixMs(1);

    fn header(index: u32, hash: u8) -> Header {
        Header {
            index: LedgerIndex(index),
            hash: LedgerHash([hash; 32]),
            close_time: UnixMs(i64::from(index)),
            base_fee: Drops::new(10).unwrap(),
            reserve_base: Drops::new(1_000_000).unwrap(),
            reserve_inc: Drops::new(200_000).unwrap(),
        }
    }

    fn chain(quorum: usize, servers: usize) -> Chain {
        let mut chain = Chain::new(quorum);
        for server in 0..servers {
            chain.join(server, &format!("s{server}"), Some(format!("o{server}")));
        }
        chain
    }

    fn tip_of(noted: Noted) -> Option<u32> {
        noted.tip.map(|tip| tip.index.0)
    }

    #[test]
    fn a_reserve_is_the_base_and_each_object_and_never_wraps() {
        let tip = |base, inc| Tip {
            reserve_base: Drops::new(base).unwrap(),
            reserve_inc: Drops::new(inc).unwrap(),
            ..chain(1, 1).note(0, header(5, 5), NOW).tip.unwrap()
        };
        let usual = tip(1_000_000, 200_000);
        assert_eq!(usual.reserve_of(0).get(), 1_000_000);
        assert_eq!(usual.reserve_of(3).get(), 1_600_000);
        let all = Drops::MAX.get();
        assert_eq!(tip(0, all).reserve_of(1), Drops::MAX, "exactly all");
        assert_eq!(tip(1, all).reserve_of(1), Drops::MAX, "the sum is beyond");
        assert_eq!(
            tip(1, all).reserve_of(u32::MAX),
            Drops::MAX,
            "so is the product"
        );
    }

    #[test]
    fn a_ledger_becomes_the_tip_when_the_quorum_has_told_of_it() {
        let mut chain = chain(2, 3);
        assert_eq!(tip_of(chain.note(0, header(5, 5), NOW)), None);
        assert_eq!(
            tip_of(chain.note(0, header(5, 5), NOW)),
            None,
            "one server counts once"
        );
        assert_eq!(tip_of(chain.note(1, header(5, 5), NOW)), Some(5));
        assert_eq!(
            tip_of(chain.note(2, header(5, 5), NOW)),
            None,
            "it is the tip already"
        );
    }

    #[test]
    fn a_server_whose_word_does_not_count_is_no_part_of_a_quorum() {
        let mut chain = chain(2, 3);
        chain.join(1, "s1", None);
        assert_eq!(tip_of(chain.note(0, header(5, 5), NOW)), None);
        assert_eq!(tip_of(chain.note(1, header(5, 5), NOW)), None);
        assert_eq!(tip_of(chain.note(2, header(5, 5), NOW)), Some(5));
    }

    #[test]
    fn two_servers_of_one_operator_are_one_voice() {
        let mut chain = chain(2, 3);
        chain.join(1, "s1", Some("o0".to_owned()));
        assert_eq!(tip_of(chain.note(0, header(5, 5), NOW)), None);
        assert_eq!(tip_of(chain.note(1, header(5, 5), NOW)), None);
        assert_eq!(tip_of(chain.note(2, header(5, 5), NOW)), Some(5));
    }

    #[test]
    fn a_server_that_left_has_no_say() {
        let mut chain = chain(2, 2);
        chain.note(0, header(5, 5), NOW);
        chain.leave(0);
        assert_eq!(tip_of(chain.note(1, header(5, 5), NOW)), None);
        assert_eq!(chain.hash_at(0, LedgerIndex(5)), None);
    }

    #[test]
    fn the_tip_never_goes_back() {
        let mut chain = chain(1, 2);
        assert_eq!(tip_of(chain.note(0, header(9, 9), NOW)), Some(9));
        assert_eq!(tip_of(chain.note(1, header(8, 8), NOW)), None);
    }

    #[test]
    fn a_fork_is_reported_once_and_does_not_become_the_tip() {
        let mut chain = chain(2, 3);
        chain.note(0, header(5, 5), NOW);
        let noted = chain.note(1, header(5, 6), NOW);
        let (left, right) = noted.dispute.unwrap();
        assert_eq!((left.server.as_str(), right.server.as_str()), ("s1", "s0"));
        assert_eq!(noted.tip, None);
        let noted = chain.note(2, header(5, 5), NOW);
        assert_eq!(noted.dispute, None, "it was reported");
        assert_eq!(tip_of(noted), Some(5), "the majority is clear");
    }

    #[test]
    fn one_server_cannot_change_the_reserves() {
        let mut chain = chain(2, 2);
        chain.note(0, header(5, 5), NOW);
        let lie = Header {
            reserve_base: Drops::ZERO,
            ..header(5, 5)
        };
        let noted = chain.note(1, lie, NOW);
        assert!(noted.tip.is_none() && noted.dispute.is_some());
    }

    #[test]
    fn a_server_cannot_take_back_what_it_told() {
        let mut chain = chain(2, 2);
        chain.note(0, header(5, 5), NOW);
        assert!(chain.note(0, header(5, 6), NOW).dispute.is_some());
        assert_eq!(chain.hash_at(0, LedgerIndex(5)), Some(LedgerHash([5; 32])));
    }

    #[test]
    fn the_rings_are_bounded() {
        let mut chain = chain(2, 1);
        for index in 0..2_000 {
            chain.note(0, header(index, 1), NOW);
        }
        assert_eq!(chain.servers[&0].ring.len(), RING_LEN);
        assert_eq!(chain.hash_at(0, LedgerIndex(0)), None);
    }

    proptest! {
        #[test]
        fn a_tip_always_has_its_quorum(
            told in proptest::collection::vec((0_usize..4, 1_u32..12, 0_u8..3), 1..120), quorum in 1_usize..4,
        ) {
            let mut chain = chain(quorum, 4);
            let mut first: BTreeMap<(usize, u32), u8> = BTreeMap::new();
            let mut last = 0;
            for (server, index, hash) in told {
                first.entry((server, index)).or_insert(hash);
                if let Some(tip) = chain.note(server, header(index, hash), NOW).tip {
                    prop_assert!(tip.index.0 > last);
                    last = tip.index.0;
                    let votes = first.iter().filter(|((_, at), hash)| *at == tip.index.0 && [**hash; 32] == tip.hash.0);
                    prop_assert!(votes.count() >= quorum);
                }
            }
        }
    }
}
