//! Taking transactions: into a server's open ledger, its queue or its memory, and on to the others.

use super::{Event, Net, Origin, ServerView, Submitted, SubmittedState, chain_of};
use crate::ledger::codes::Ter;
use crate::ledger::queue::{self, Gate, Offered};
use crate::ledger::rules::{self, Fees, Mode};
use crate::ledger::state::{Layered, Read as _};
use crate::ledger::tx::Tx;
use std::sync::Arc;

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

    /// Lets a transaction into the open ledger, or into the queue where there is one and it must.
    fn enter(&mut self, server: usize, tx: &Arc<Tx>, origin: Origin) -> (Ter, bool) {
        let mode = if origin == Origin::ClientFailHard {
            Mode::OpenNoTec
        } else {
            Mode::Open
        };
        let Some(capacity) = self.capacity else {
            return self.try_open(server, tx, mode);
        };
        if let Err(result) = rules::preflight(tx, &self.servers[server].open.setting(mode)) {
            return (result, false);
        }
        let open_count = self.servers[server].open.txs.len();
        let required = queue::level_required(open_count, Some(capacity));
        let sequence_fits = match rules::check_sequence(tx, &self.open_view(server)) {
            Ok(_) => true,
            Err(Ter::TER_PRE_SEQ) => false,
            Err(result) => return (result, false),
        };
        let fee = tx.fee_drops();
        let minimum = rules::needed_fee(tx, &Fees::MODEL, &self.open_view(server));
        if sequence_fits && (queue::level_paid(tx) >= required || fee < minimum) {
            let (result, applied) = self.try_open(server, tx, mode);
            if applied {
                self.servers[server].queue.remove(tx.account, tx.proxy());
            }
            return (result, applied);
        }
        let view = &mut self.servers[server];
        let Some(base) = chain_of(&self.main, view.branch.as_deref()).state_at(view.closed) else {
            return (Ter::TEL_LOCAL_ERROR, false);
        };
        let gate = Gate {
            view: &Layered {
                base: &base,
                overlay: &view.open.overlay,
            },
            open_index: view.open.index,
            open_count,
            capacity,
            fail_hard: origin == Origin::ClientFailHard,
        };
        match view.queue.offer(tx, &gate) {
            Offered::Queued => (Ter::TER_QUEUED, false),
            Offered::Refused(result) => (result, false),
            Offered::PaysFor(before) => {
                for earlier in &before {
                    if self.try_open(server, earlier, Mode::Open).1 {
                        self.servers[server]
                            .queue
                            .remove(earlier.account, earlier.proxy());
                        self.relay(server, earlier);
                    }
                }
                self.try_open(server, tx, mode)
            }
        }
    }

    /// Tries a transaction on a server's open ledger, and tells its subscribers if it applies.
    pub(super) fn try_open(&mut self, server: usize, tx: &Arc<Tx>, mode: Mode) -> (Ter, bool) {
        let view = &mut self.servers[server];
        if let Err(result) = rules::preflight(tx, &view.open.setting(mode)) {
            return (result, false);
        }
        let Some(base) = chain_of(&self.main, view.branch.as_deref()).state_at(view.closed) else {
            return (Ter::TEL_LOCAL_ERROR, false);
        };
        let (result, applied) = view.open.apply(tx, &base, mode);
        if applied && view.proposed_wanted {
            let told = Event::Proposed {
                tx: Arc::clone(tx),
                result,
                current: view.open.index,
            };
            let _gone_at_shutdown = view.events.send(told);
        }
        (result, applied)
    }

    fn state_after(&self, server: usize, tx: &Tx) -> SubmittedState {
        let view = &self.servers[server];
        let root = self.open_view(server).account(tx.account);
        let sequence_next = root.map_or(0, |root| root.sequence);
        let level = queue::level_required(view.open.txs.len(), self.capacity);
        let base_fee = rules::base_fee(tx, &Fees::MODEL);
        SubmittedState {
            sequence_next,
            sequence_available: view.queue.available(tx.account, sequence_next),
            open_ledger_cost: queue::level_in_drops(level, base_fee),
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
            if !self.retry_open(server, &next) {
                break;
            }
        }
    }

    /// Tries a transaction again that this server holds; tells of it and relays it if it applies.
    pub(super) fn retry_open(&mut self, server: usize, tx: &Arc<Tx>) -> bool {
        if self.servers[server].open.contains(tx.hash) {
            return false;
        }
        let (result, applied) = self.enter(server, tx, Origin::Peer);
        if applied || result == Ter::TER_QUEUED {
            self.relay(server, tx);
        }
        applied
    }
}
