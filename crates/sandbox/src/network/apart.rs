//! Servers that the network lost, and their return: a fork, a partition, a freeze, a quorum that was lost.
//!
//! A server apart owns a chain that branches off at the newest ledger it had closed. It closes that
//! chain's ledgers out of what its own clients give it, and nothing passes between it and the others. When
//! it returns it throws its branch away and follows the network again; what it was given is tried once
//! more, and comes back where it still can apply.

use super::Net;
use super::submit::Told;
use crate::condition::{Change, History};
use crate::faults::{self, Effect, FaultError, Forced};
use crate::ledger::chain::Chain;
use crate::ledger::close::{self, Company};
use crate::ledger::open::Open;
use crate::ledger::tx::Tx;
use serde_json::Value;
use std::sync::Arc;

impl Net {
    /// Changes one server's faults as a request says, and what follows from that at once.
    pub(crate) fn inflict(&mut self, server: usize, request: &Value) -> Result<Effect, FaultError> {
        let view = &mut self.servers[server];
        let was_frozen = view.faults.freeze.is_some();
        let was_down = view.faults.condition.down;
        let effect = faults::inflict(&mut view.faults, request, view.validated)?;
        view.thawing |= was_frozen && view.faults.freeze.is_none();
        if request.get("kind").and_then(Value::as_str) == Some("clear") {
            self.servers[server].history_from = 0;
            self.complete_to(server, u32::MAX);
        }
        let is_up = !self.servers[server].faults.condition.down;
        match effect {
            Effect::Server(Change::Stop(_)) => self.stop(server),
            Effect::Server(Change::Restart(_, history)) => {
                self.stop(server);
                self.begin_again(server, history);
            }
            _ if was_down && is_up => self.begin_again(server, History::Lost),
            _ => {}
        }
        self.settle(server);
        self.note_state(server);
        Ok(effect)
    }

    /// Changes what is wrong with the whole network. Returns whether the request asks for nothing else.
    pub(crate) fn inflict_on_all(&mut self, request: &Value) -> Result<bool, FaultError> {
        let before = self.quorum_lost;
        let is_all = faults::network_wide(&mut self.quorum_lost, &mut self.forced, request)?;
        let healed = before.filter(|_| self.quorum_lost.is_none());
        if let Some(lost) = healed {
            for server in 0..self.servers.len() {
                let view = &mut self.servers[server];
                let is_behind = view.branch.is_none() && view.validated < view.closed;
                if is_all && is_behind {
                    view.crawl = Some(lost.ledgers_per_close);
                }
                self.settle(server);
            }
        }
        Ok(is_all)
    }

    /// Brings a server to where its faults let it be.
    fn settle(&mut self, server: usize) {
        let view = &mut self.servers[server];
        view.open.load_factor = view.faults.load_factor();
        match (view.faults.apart, view.branch.is_some()) {
            (Some(_), false) => self.part(server),
            (None, true) => self.rejoin(server),
            _ => {}
        }
        self.advance(server);
        self.report_fees(server);
    }

    /// Ends a freeze whose time is over.
    pub(crate) fn thaw_if_due(&mut self, server: usize) {
        let view = &mut self.servers[server];
        if view.faults.freeze.is_some() && !view.is_frozen() {
            view.faults.freeze = None;
            view.thawing = true;
        }
    }

    /// Lets a server go on alone, from the newest ledger that it has closed.
    fn part(&mut self, server: usize) {
        let view = &mut self.servers[server];
        let Some(branch) = self.main.branch_at(view.closed) else {
            return;
        };
        view.branch = Some(Box::new(branch));
        view.inbox.clear();
    }

    /// Closes a ledger of a server's own.
    pub(super) fn close_alone(&mut self, server: usize, close_s: u32) {
        let view = &mut self.servers[server];
        let Some(branch) = view.branch.as_deref_mut() else {
            return;
        };
        if view.faults.freeze.is_some() {
            return;
        }
        view.thawing = false;
        let close_s = close_s.max(branch.tip().header.close_time.saturating_add(1));
        let built = close::build(
            branch,
            &view.open.txs,
            close_s,
            self.network_id,
            Company::Alone { server },
            &Forced::new(),
        );
        let ledger = Arc::new(built.ledger);
        branch.commit(Arc::clone(&ledger), built.overlay, ledger.header.index);
        self.step(server, &ledger);
    }

    /// Throws a server's branch away and tries what it was given on the network's chain.
    fn rejoin(&mut self, server: usize) {
        let view = &mut self.servers[server];
        let Some(branch) = view.branch.take() else {
            return;
        };
        let common = common_ledger(&self.main, &branch);
        let mut given = given_since(&branch, common);
        let open = std::mem::take(&mut view.open);
        given.extend(open.txs);
        for tx in &given {
            view.memory.known.insert(tx.hash, Arc::clone(tx));
        }
        view.closed = common;
        view.validated = view.validated.min(common);
        view.complete = view.complete.min(common);
        let close_time = self
            .main
            .ledger(common)
            .map_or(0, |ledger| ledger.header.close_time);
        view.open = Open::new(common + 1, close_time, self.network_id);
        self.advance(server);
        for tx in given {
            if self.main.place(tx.hash).is_none() {
                self.retry_open(server, &tx, Told::No);
            }
        }
    }
}

/// The newest ledger that two chains share.
fn common_ledger(main: &Chain, branch: &Chain) -> u32 {
    let shared = |index: &u32| match (main.ledger(*index), branch.ledger(*index)) {
        (Some(a), Some(b)) => a.header.hash == b.header.hash,
        _ => false,
    };
    let oldest = main.first_index();
    let newest = branch.tip().header.index;
    (oldest..=newest).rev().find(shared).unwrap_or(oldest)
}

/// The transactions in a chain's ledgers after `common`, in the order in which they applied.
fn given_since(branch: &Chain, common: u32) -> Vec<Arc<Tx>> {
    let later = branch
        .ledgers()
        .filter(|ledger| ledger.header.index > common);
    later
        .flat_map(|ledger| &ledger.txs)
        .filter_map(|tx| Tx::parse(tx.blob.to_vec()).ok())
        .map(Arc::new)
        .collect()
}
