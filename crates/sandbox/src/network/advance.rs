//! Closing a ledger, and moving each server on to what was closed.
//!
//! The order is what makes a kill harmless: build, write to the log, commit, and only then tell anyone.

use super::{Event, Net};
use crate::ledger::chain::Ledger;
use crate::ledger::close;
use crate::ledger::codes::Ter;
use crate::ledger::open::Open;
use crate::ledger::queue;
use crate::ledger::rules::Mode;
use crate::ledger::tx::Tx;
use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use xrpayd_core::ids::TxHash;

impl Net {
    /// Closes a ledger, after the ledger's time has moved on by `advance_s` where that is asked for.
    /// Returns the index of the new open one.
    pub(crate) fn close(&mut self, advance_s: Option<u32>) -> u32 {
        for server in 0..self.servers.len() {
            for held in self.servers[server].memory.take_held() {
                self.retry_open(server, &held);
            }
        }
        let mut seen = HashSet::new();
        let mut set = Vec::new();
        for view in &self.servers {
            // A server that fell behind still has what the others have validated long since.
            let fresh = view
                .open
                .txs
                .iter()
                .filter(|tx| seen.insert(tx.hash) && self.chain.place(tx.hash).is_none());
            set.extend(fresh.map(Arc::clone));
        }
        let parent_s = self.chain.tip().header.close_time;
        let close_s = self.time.close_s(parent_s, advance_s);
        let built = close::build(&self.chain, &set, close_s, self.network_id);
        let ledger = Arc::new(built.ledger);
        if let Some(log) = &mut self.log
            && let Err(error) = log.append_ledger(&ledger, &built.overlay)
        {
            tracing::error!(%error, ledger.index = ledger.header.index, "the ledger's log cannot be written; this close is not published");
            return self.chain.tip().header.index + 1;
        }
        let needed = self.servers.iter().map(|view| view.validated).min();
        let index = ledger.header.index;
        self.chain
            .commit(ledger, built.overlay, needed.unwrap_or(index));
        let tip = self.chain.tip().header.index;
        for server in 0..self.servers.len() {
            self.advance(server);
        }
        tip + 1
    }

    /// Lets a server validate as far as its faults allow. One that is too far behind for its state to be
    /// read skips what it missed, as a real server does that resynchronises.
    pub(crate) fn advance(&mut self, server: usize) {
        let tip = self.chain.tip().header.index;
        let oldest = self.chain.oldest_state().max(self.chain.first_index());
        let goal = self.servers[server].faults.validated_goal(tip).max(oldest);
        while self.servers[server].validated < goal {
            let next = (self.servers[server].validated + 1).max(oldest);
            let Some(ledger) = self.chain.ledger(next).map(Arc::clone) else {
                return;
            };
            self.step(server, ledger);
            assert!(
                self.servers[server].validated == next,
                "a step that may be taken is taken"
            );
        }
    }

    /// Moves a server to the next validated ledger: a new open ledger, retries, and the news.
    fn step(&mut self, server: usize, ledger: Arc<Ledger>) {
        let header = &ledger.header;
        let in_ledger: HashSet<TxHash> = ledger.txs.iter().map(|tx| tx.hash).collect();
        let first_index = self.first_index(server);
        let Some(base) = self.chain.state_at(header.index) else {
            return;
        };
        let view = &mut self.servers[server];
        view.validated = header.index;
        view.memory.sweep_local(header.index, &base, &in_ledger);
        view.queue
            .sweep(header.index, &base, |hash| in_ledger.contains(&hash));
        for hash in &in_ledger {
            view.memory.known.remove(hash);
        }
        let fresh = Open::new(header.index + 1, header.close_time, self.network_id);
        let old = std::mem::replace(&mut view.open, fresh);
        let told = Event::Closed {
            ledger: Arc::clone(&ledger),
            first_index,
        };
        let _gone_at_shutdown = view.events.send(told);
        let left: VecDeque<Arc<Tx>> = old
            .txs
            .into_iter()
            .filter(|tx| !in_ledger.contains(&tx.hash))
            .collect();
        for tx in left {
            self.retry_open(server, &tx);
        }
        self.serve_queue(server);
        for tx in self.servers[server].memory.local_in_order() {
            let is_bad = self.servers[server].memory.bad.get(&tx.hash).is_some();
            if !is_bad {
                self.retry_open(server, &tx);
            }
        }
    }

    /// Takes what waits into the new open ledger, dearest first, while it has room at that price.
    fn serve_queue(&mut self, server: usize) {
        let Some(capacity) = self.capacity else {
            return;
        };
        let mut waiting = self.servers[server].queue.by_fee();
        let mut progressed = true;
        while progressed {
            progressed = false;
            let mut later = Vec::new();
            for tx in waiting {
                let count = self.servers[server].open.txs.len();
                if queue::level_paid(&tx) < queue::level_required(count, Some(capacity)) {
                    later.push(tx);
                    continue;
                }
                match self.try_open(server, &tx, Mode::Open) {
                    (_, true) => {
                        progressed = true;
                        self.servers[server].queue.remove(tx.account, tx.proxy());
                        self.relay(server, &tx);
                    }
                    (Ter::TER_PRE_SEQ, false) => later.push(tx),
                    (result, false) if result.is_ter() => self.servers[server].queue.failed(&tx),
                    (_, false) => self.servers[server].queue.remove(tx.account, tx.proxy()),
                }
            }
            waiting = later;
        }
    }
}
