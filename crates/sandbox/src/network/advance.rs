//! Closing a ledger, and moving each server on to what was closed.
//!
//! The order is what makes a kill harmless: build, write to the log, commit, and only then tell anyone.

use super::submit::Told;
use super::{Event, Net, ServerView, chain_of};
use crate::clock;
use crate::faults::Apart;
use crate::ledger::chain::Ledger;
use crate::ledger::close::{self, Company};
use crate::ledger::fees::Round;
use crate::ledger::open::Open;
use crate::ledger::tx::Tx;
use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use xrpayd_core::ids::TxHash;

impl Net {
    /// Closes a ledger, after the ledger's time has moved on by `advance_s` where that is asked for.
    /// Returns the index of the new open one.
    pub(crate) fn close(&mut self, advance_s: Option<u32>) -> u32 {
        for server in 0..self.servers.len() {
            self.thaw_if_due(server);
            if self.servers[server].is_deaf() && self.servers[server].branch.is_none() {
                continue;
            }
            for held in self.servers[server].memory.take_held() {
                self.retry_open(server, &held, Told::No);
            }
        }
        let set = self.agreed_set();
        let parent_s = self.main.tip().header.close_time;
        let close_s = self.time.close_s(parent_s, advance_s);
        let built = close::build(
            &self.main,
            &set,
            close_s,
            self.network_id,
            Company::Network,
            &self.forced,
        );
        let ledger = Arc::new(built.ledger);
        if let Some(log) = &mut self.log
            && let Err(error) = log.append_ledger(&ledger, &built.overlay)
        {
            tracing::error!(%error, ledger.index = ledger.header.index, "the ledger's log cannot be written; this close is not published");
            return self.main.tip().header.index + 1;
        }
        let on_main = |view: &&ServerView| view.branch.is_none();
        let oldest_read = self
            .servers
            .iter()
            .filter(on_main)
            .map(|view| view.validated);
        let index = ledger.header.index;
        let needed = oldest_read.min().unwrap_or(index);
        self.main.commit(ledger, built.overlay, needed);
        let tip = self.main.tip().header.index;
        for tx in set.iter().filter(|tx| self.main.place(tx.hash).is_some()) {
            if let Some(tag) = tx.destination_tag {
                self.forced.remove(&tag);
            }
        }
        for server in 0..self.servers.len() {
            self.close_at(server, close_s);
        }
        tip + 1
    }

    /// What the servers that are in touch with each other have in their open ledgers.
    fn agreed_set(&self) -> Vec<Arc<Tx>> {
        let mut seen = HashSet::new();
        let mut set = Vec::new();
        for view in self.servers.iter().filter(|view| !view.is_deaf()) {
            // A server that fell behind still has what the others have validated long since.
            let fresh = view
                .open
                .txs
                .iter()
                .filter(|tx| seen.insert(tx.hash) && self.main.place(tx.hash).is_none());
            set.extend(fresh.map(Arc::clone));
        }
        set
    }

    /// What a close means to one server.
    fn close_at(&mut self, server: usize, close_s: u32) {
        let view = &mut self.servers[server];
        if view.branch.is_some() {
            self.close_alone(server, close_s);
            return;
        }
        if view.faults.freeze.is_some() {
            return;
        }
        let lag_us = view.faults.lag_ms.saturating_mul(1_000);
        if lag_us == 0 {
            self.follow(server);
            return;
        }
        let due_us = clock::unix_us().saturating_add(lag_us);
        let _gone_at_shutdown = view.events.send(Event::Late { due_us });
    }

    /// Lets a server follow the network to where its faults let it be.
    pub(crate) fn follow(&mut self, server: usize) {
        let view = &mut self.servers[server];
        if view.branch.is_some() || view.faults.freeze.is_some() {
            return;
        }
        let has_thawed = std::mem::take(&mut view.thawing);
        self.advance(server);
        if has_thawed {
            self.empty_inbox(server);
        }
        self.crawl(server);
    }

    /// Lets a server close and validate as far as its faults allow. One that is too far behind for its
    /// state to be read skips what it missed, as a real server does that resynchronises.
    pub(crate) fn advance(&mut self, server: usize) {
        if self.servers[server].is_deaf() {
            return;
        }
        let tip = self.main.tip().header.index;
        let oldest = self.main.oldest_state().max(self.main.first_index());
        let view = &mut self.servers[server];
        let goal = view.faults.validated_goal(tip).max(oldest);
        if goal > view.validated + 1 && view.faults.jump.is_some() && self.quorum_lost.is_none() {
            view.crawl = view.faults.jump;
        }
        while self.servers[server].closed < goal {
            let next = (self.servers[server].closed + 1).max(oldest);
            let Some(ledger) = self.main.ledger(next).map(Arc::clone) else {
                return;
            };
            self.step(server, &ledger);
            assert!(
                self.servers[server].closed == next,
                "a step that may be taken is taken"
            );
        }
        self.validate(server);
    }

    /// Moves a server to the next closed ledger: a new open ledger, the news, and retries.
    pub(super) fn step(&mut self, server: usize, ledger: &Arc<Ledger>) {
        let header = &ledger.header;
        let in_ledger: HashSet<TxHash> = ledger.txs.iter().map(|tx| tx.hash).collect();
        let view = &mut self.servers[server];
        let chain = chain_of(&self.main, view.branch.as_deref());
        let Some(base) = chain.state_at(header.index) else {
            return;
        };
        view.closed = header.index;
        view.memory.sweep_local(header.index, &base, &in_ledger);
        let size = u64::try_from(ledger.txs.len()).unwrap_or(u64::MAX);
        let is_slow = self.quorum_lost.is_some() || view.faults.apart.is_some();
        let round = if is_slow { Round::Slow } else { Round::Timely };
        view.metrics.closed(size, ledger.median_level, round);
        view.queue.expire(header.index);
        let mut fresh = Open::new(header.index + 1, header.close_time, self.network_id);
        fresh.load_factor = view.faults.load_factor();
        let old = std::mem::replace(&mut view.open, fresh);
        self.validate(server);
        let left: VecDeque<Arc<Tx>> = old
            .txs
            .into_iter()
            .filter(|tx| !in_ledger.contains(&tx.hash))
            .collect();
        for tx in left {
            self.retry_open(server, &tx, Told::No);
        }
        self.serve_queue(server, header.hash);
        for tx in self.servers[server].memory.local_in_order() {
            let is_bad = self.servers[server].memory.bad.get(&tx.hash).is_some();
            if !is_bad {
                self.retry_open(server, &tx, Told::No);
            }
        }
        self.report_fees(server);
    }

    /// Lets a server hold for validated what it has closed, unless it must wait for a quorum. Its history
    /// and its news keep up, or crawl behind after a leap.
    fn validate(&mut self, server: usize) {
        let view = &mut self.servers[server];
        let waits = match view.branch {
            Some(_) => view.faults.apart != Some(Apart::Fork),
            None => self.quorum_lost.is_some(),
        };
        if waits || view.validated >= view.closed {
            return;
        }
        view.validated = view.closed;
        view.validated_at_us = clock::unix_us();
        if view.crawl.is_none() {
            self.complete_to(server, u32::MAX);
        }
    }

    /// Gains some more ledgers of history, where it is behind.
    fn crawl(&mut self, server: usize) {
        let view = &mut self.servers[server];
        let Some(ledgers) = view.crawl else {
            return;
        };
        let goal = view.complete.saturating_add(ledgers);
        self.complete_to(server, goal);
    }

    /// Extends a server's history up to `goal` at most, and tells its subscribers of every ledger in it.
    pub(super) fn complete_to(&mut self, server: usize, goal: u32) {
        let first_index = self.first_index(server);
        let view = &mut self.servers[server];
        let chain = chain_of(&self.main, view.branch.as_deref());
        let goal = goal.min(view.validated);
        let oldest = chain.oldest_state().max(chain.first_index());
        let from = (view.complete + 1).max(oldest);
        for ledger in (from..=goal).filter_map(|index| chain.ledger(index)) {
            for tx in &ledger.txs {
                view.memory.known.remove(&tx.hash);
            }
            if ledger.header.index <= view.told {
                continue;
            }
            view.told = ledger.header.index;
            let told = Event::Closed {
                ledger: Arc::clone(ledger),
                first_index,
            };
            let _gone_at_shutdown = view.events.send(told);
        }
        view.complete = view.complete.max(goal);
        if view.complete == view.validated {
            view.crawl = None;
        }
    }
}
