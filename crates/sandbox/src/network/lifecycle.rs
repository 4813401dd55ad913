//! A server that goes down and comes up again: what it forgets, and where it goes on.
//!
//! A stopped server loses what only it knew: its open ledger, its queue and what it remembers of
//! transactions. The chain is the network's and loses nothing.

use super::{Event, Net, ServerView};
use crate::clock;
use crate::condition::{Accounting, History};
use crate::ledger::held::Memory;
use crate::ledger::open::Open;
use crate::ledger::queue::Queue;

impl ServerView {
    /// Whether the ledger lies only in the server's database: it does not count it as complete.
    pub(crate) const fn only_stores(&self, index: u32) -> bool {
        index < self.history_from
    }
}

impl Net {
    /// Takes a server down. What was in its memory is gone.
    pub(super) fn stop(&mut self, server: usize) {
        let network_id = self.network_id;
        let view = &mut self.servers[server];
        view.branch = None;
        view.thawing = false;
        view.inbox.clear();
        view.memory = Memory::default();
        view.queue = Queue::default();
        view.open = Open::new(view.open.index, view.open.parent_close_time, network_id);
    }

    /// Brings a server up again, at the newest ledger that its faults let it see. What was validated
    /// while it was down is never told to anyone.
    pub(super) fn begin_again(&mut self, server: usize, history: History) {
        let tip = self.main.tip().header.index;
        let oldest = self.main.oldest_state().max(self.main.first_index());
        let goal = self.servers[server].faults.validated_goal(tip);
        let index = goal.clamp(oldest, tip);
        let Some(ledger) = self.main.ledger(index) else {
            return;
        };
        let close_time = ledger.header.close_time;
        let network_id = self.network_id;
        let view = &mut self.servers[server];
        view.closed = index;
        view.validated = index;
        view.complete = index;
        view.told = view.told.max(index);
        view.crawl = None;
        view.validated_at_us = clock::unix_us();
        view.inbox.clear();
        view.open = Open::new(index + 1, close_time, network_id);
        view.accounting = Accounting::started(clock::unix_us());
        if history == History::Lost {
            view.history_from = index;
        }
    }

    /// Tells a server's subscribers when its state has changed.
    pub(super) fn note_state(&mut self, server: usize) {
        let view = &mut self.servers[server];
        let state = view.faults.condition.state;
        if view.accounting.enter(state, clock::unix_us()) {
            let load = self.load(server);
            let view = &self.servers[server];
            let _gone_at_shutdown = view.events.send(Event::Status(load));
        }
    }
}
