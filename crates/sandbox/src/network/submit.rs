//! Taking transactions: into a server's open ledger, its queue or its memory, and on to the others.

use super::{Event, Net, Origin, ServerView, Submitted, SubmittedState, chain_of};
use crate::ledger::codes::Ter;
use crate::ledger::fees;
use crate::ledger::rules::{self, Fees, Mode};
use crate::ledger::state::Read as _;
use crate::ledger::tx::Tx;
use std::sync::Arc;

/// Whether subscribers hear of a transaction that is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    Yes,
    No,
}

/// Transactions that others may send to a frozen server before the rest is lost.
const INBOX_MAX: usize = 20_000;

impl ServerView {
    /// Keeps what another sent, if this server can hear it once it thaws. One that is cut off never will.
    fn put_by(&mut self, tx: &Arc<Tx>) {
        if self.branch.is_none() && self.inbox.len() < INBOX_MAX {
            self.inbox.push(Arc::clone(tx));
        }
    }
}

impl Net {
    /// Takes a parsed transaction with good signatures to one server, and from there to the others.
    pub(crate) fn submit(&mut self, server: usize, tx: &Arc<Tx>, origin: Origin) -> Submitted {
        if self.servers[server].memory.bad.get(&tx.hash).is_some() {
            let result = Ter::TEM_BAD_SIGNATURE;
            let (applied, broadcast, queued, kept) = (false, false, false, false);
            return Submitted {
                result,
                applied,
                broadcast,
                queued,
                kept,
                state: None,
            };
        }
        let submitted = self.take(server, tx, origin);
        if submitted.applied {
            self.release_held(server, tx);
        }
        submitted
    }

    fn take(&mut self, server: usize, tx: &Arc<Tx>, origin: Origin) -> Submitted {
        let (result, applied) = self.enter(server, tx, origin);
        if applied {
            self.announce(server, tx, result);
        }
        let view = &mut self.servers[server];
        let current = view.open.index;
        view.memory.known.insert(tx.hash, Arc::clone(tx));
        if result.is_tem() {
            view.memory.bad.insert(tx.hash, ());
        }
        let enforce_fail_hard = origin == Origin::ClientFailHard && !result.is_success();
        let queued = result == Ter::TER_QUEUED;
        let mut kept = queued;
        if result.is_ter() && !queued && !enforce_fail_hard {
            view.memory.hold(tx);
            kept = true;
        }
        if origin != Origin::Peer && !enforce_fail_hard {
            kept = view.memory.keep_local(tx, current) || kept;
        }
        let broadcast = (applied || queued) && !enforce_fail_hard;
        let state = self.state_after(server, tx);
        if broadcast && origin != Origin::Peer {
            self.relay(server, tx);
        }
        Submitted {
            result,
            applied,
            broadcast,
            queued,
            kept,
            state: Some(state),
        }
    }

    /// Tries a transaction on a server's open ledger.
    pub(super) fn try_open(&mut self, server: usize, tx: &Arc<Tx>, mode: Mode) -> (Ter, bool) {
        let view = &mut self.servers[server];
        if let Err(result) = rules::preflight(tx, &view.open.setting(mode)) {
            return (result, false);
        }
        let Some(base) = chain_of(&self.main, view.branch.as_deref()).state_at(view.closed) else {
            return (Ter::TEL_LOCAL_ERROR, false);
        };
        view.open.apply(tx, &base, mode)
    }

    /// Tells the subscribers of a transaction that somebody submitted and that has applied. What comes out
    /// of the queue or is tried again in a new open ledger is not told.
    fn announce(&mut self, server: usize, tx: &Arc<Tx>, result: Ter) {
        let view = &self.servers[server];
        if view.proposed_wanted {
            let told = Event::Proposed {
                tx: Arc::clone(tx),
                result,
                current: view.open.index,
            };
            let _gone_at_shutdown = view.events.send(told);
        }
        self.report_fees(server);
    }

    fn state_after(&self, server: usize, tx: &Tx) -> SubmittedState {
        let view = &self.servers[server];
        let root = self.open_view(server).account(tx.account);
        let sequence_next = root.map_or(0, |root| root.sequence);
        let level = self.open_level(server);
        let base_fee = rules::needed_fee(tx, &Fees::MODEL, &self.open_view(server));
        SubmittedState {
            sequence_next,
            sequence_available: view.queue.available(tx.account, sequence_next),
            open_ledger_cost: fees::level_in_drops(level, base_fee),
            validated: view.validated,
        }
    }

    pub(super) fn relay(&mut self, from: usize, tx: &Arc<Tx>) {
        if self.servers[from].branch.is_some() {
            return;
        }
        for peer in (0..self.servers.len()).filter(|&peer| peer != from) {
            if self.servers[peer].is_deaf() {
                self.servers[peer].put_by(tx);
                continue;
            }
            let known = self.servers[peer].open.contains(tx.hash);
            if !known && self.servers[peer].memory.bad.get(&tx.hash).is_none() {
                let taken = self.take(peer, tx, Origin::Peer);
                if taken.applied {
                    self.release_held(peer, tx);
                }
            }
        }
    }

    /// Gives a server what the others sent it while it could not listen.
    pub(super) fn empty_inbox(&mut self, server: usize) {
        for tx in std::mem::take(&mut self.servers[server].inbox) {
            let known = self.servers[server].open.contains(tx.hash);
            if !known && self.main.place(tx.hash).is_none() {
                let taken = self.take(server, &tx, Origin::Peer);
                if taken.applied {
                    self.release_held(server, &tx);
                }
            }
        }
    }

    /// Tries what waited for `tx`, and what waited for that, and so on.
    fn release_held(&mut self, server: usize, tx: &Arc<Tx>) {
        let mut proxy = tx.proxy();
        while let Some(next) = self.servers[server].memory.take_next(tx.account, proxy) {
            proxy = next.proxy();
            if !self.retry_open(server, &next, Told::Yes) {
                break;
            }
        }
    }

    /// Tries a transaction again that this server holds, and relays it if it applies.
    pub(super) fn retry_open(&mut self, server: usize, tx: &Arc<Tx>, told: Told) -> bool {
        if self.servers[server].open.contains(tx.hash) {
            return false;
        }
        let (mut result, mut applied) = self.enter(server, tx, Origin::Peer);
        if result == Ter::TEL_CAN_NOT_QUEUE {
            // What the queue will never take may still have a place in the open ledger.
            (result, applied) = self.try_open(server, tx, Mode::Open);
        }
        if applied && told == Told::Yes {
            self.announce(server, tx, result);
        }
        if applied || result == Ter::TER_QUEUED {
            self.relay(server, tx);
        }
        applied
    }
}
