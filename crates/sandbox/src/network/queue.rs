//! A server's open ledger and its queue at work: what goes straight in, what waits, what comes out.

use super::{Event, Net, Origin, chain_of};
use crate::ledger::admission::Gate;
use crate::ledger::codes::Ter;
use crate::ledger::fees::LEVEL_REFERENCE;
use crate::ledger::queue::{Failure, level_paid};
use crate::ledger::rules::{self, Mode};
use crate::ledger::state::{Layered, Read as _};
use crate::ledger::tx::{SeqProxy, Tx};
use std::sync::Arc;

/// What a server asks now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Load {
    /// The level that the open ledger asks.
    pub(crate) open_level: u64,
    /// The level that the queue asks.
    pub(crate) queue_level: u64,
    /// What the server's own load makes of the reference level.
    pub(crate) server: u64,
}

impl Load {
    /// What a transaction must pay in all, as a multiple of the reference level.
    pub(crate) fn factor(&self) -> u64 {
        self.server.max(self.open_level)
    }
}

impl Net {
    /// The level that the next transaction must pay to enter a server's open ledger.
    pub(crate) fn open_level(&self, server: usize) -> u64 {
        let view = &self.servers[server];
        let level = view.metrics.level(view.open.txs.len());
        let level = level.max(view.faults.level_min());
        if view.faults.queue_full {
            level.max(view.metrics.level_when_full())
        } else {
            level
        }
    }

    /// What a server asks now.
    pub(crate) fn load(&self, server: usize) -> Load {
        let view = &self.servers[server];
        let open_level = self.open_level(server);
        let queue_level = if view.faults.queue_full {
            open_level
        } else if self.queue_is_full(server, 100) {
            let lowest = view.queue.lowest_level();
            lowest.map_or(LEVEL_REFERENCE, |level| level.saturating_add(1))
        } else {
            LEVEL_REFERENCE
        };
        Load {
            open_level,
            queue_level,
            server: view.faults.load_factor().saturating_mul(LEVEL_REFERENCE),
        }
    }

    /// How many wait in a server's queue, or seem to.
    pub(crate) fn queue_len(&self, server: usize) -> u64 {
        let view = &self.servers[server];
        let count = u64::try_from(view.queue.len()).unwrap_or(u64::MAX);
        let pretended = view.metrics.queue_max().filter(|_| view.faults.queue_full);
        count.max(pretended.unwrap_or(0))
    }

    fn queue_is_full(&self, server: usize, percent: u64) -> bool {
        let view = &self.servers[server];
        let count = u64::try_from(view.queue.len()).unwrap_or(u64::MAX);
        let max = view.metrics.queue_max();
        max.is_some_and(|max| count >= max.saturating_mul(percent) / 100)
    }

    /// Tells subscribers of a server's status when its fees have changed. As on a real server the first
    /// report after somebody subscribed is always told.
    pub(super) fn report_fees(&mut self, server: usize) {
        if !self.servers[server].status_wanted {
            return;
        }
        let load = self.load(server);
        let view = &mut self.servers[server];
        if view.told_fees != Some(load) {
            view.told_fees = Some(load);
            let _gone_at_shutdown = view.events.send(Event::Status(load));
        }
    }

    /// Lets a transaction into the open ledger, or into the queue where it must wait.
    pub(super) fn enter(&mut self, server: usize, tx: &Arc<Tx>, origin: Origin) -> (Ter, bool) {
        let mode = if origin == Origin::ClientFailHard {
            Mode::OpenNoTec
        } else {
            Mode::Open
        };
        let required = self.open_level(server);
        // Where nothing waits and nothing more than the base fee is asked, the queue has no say: the open
        // ledger makes the same checks in the same order.
        if required == LEVEL_REFERENCE && self.servers[server].queue.is_empty() {
            return self.try_open(server, tx, mode);
        }
        if let Err(result) = rules::preflight(tx, &self.servers[server].open.setting(mode)) {
            return (result, false);
        }
        let view = self.open_view(server);
        let Some(root) = view.account(tx.account) else {
            return (Ter::TER_NO_ACCOUNT, false);
        };
        let fits = match tx.proxy() {
            SeqProxy::Sequence(own) => own == root.sequence,
            SeqProxy::Ticket(_) => true,
        };
        if fits && level_paid(tx, &view) >= required {
            let (result, applied) = self.try_open(server, tx, mode);
            if applied {
                self.servers[server].queue.remove(tx.account, tx.proxy());
            }
            return (result, applied);
        }
        self.wait(server, tx, mode, required)
    }

    /// Lets a transaction wait, or clear the way for itself by what it pays.
    fn wait(&mut self, server: usize, tx: &Arc<Tx>, mode: Mode, required: u64) -> (Ter, bool) {
        let view = &self.servers[server];
        let Some(base) = self.chain(server).state_at(view.closed) else {
            return (Ter::TEL_LOCAL_ERROR, false);
        };
        let gate = Gate {
            view: &Layered {
                base: &base,
                overlay: &view.open.overlay,
            },
            setting: view.open.setting(mode),
            open_count: view.open.txs.len(),
            required,
            metrics: &view.metrics,
            fail_hard: mode == Mode::OpenNoTec,
        };
        let admitted = match view.queue.admit(tx, &gate) {
            Ok(admitted) => admitted,
            Err(result) => return (result, false),
        };
        if let Some(before) = &admitted.clears
            && let Some(result) = self.clear(server, before, tx, mode)
        {
            return (result, true);
        }
        let view = &mut self.servers[server];
        if view.faults.queue_full {
            return (Ter::TEL_CAN_NOT_QUEUE_FULL, false);
        }
        let max = view.metrics.queue_max();
        match view.queue.hold(admitted, max) {
            Ok(()) => (Ter::TER_QUEUED, false),
            Err(result) => (result, false),
        }
    }

    /// Applies those that wait before a transaction, and then it; all of them or none.
    fn clear(
        &mut self,
        server: usize,
        before: &[Arc<Tx>],
        tx: &Arc<Tx>,
        mode: Mode,
    ) -> Option<Ter> {
        let view = &mut self.servers[server];
        let base = chain_of(&self.main, view.branch.as_deref()).state_at(view.closed)?;
        let mut open = view.open.clone();
        for earlier in before {
            let (result, applied) = open.apply(earlier, &base, Mode::Open);
            view.queue.use_up_try(earlier.account, earlier.proxy());
            if !applied && result != Ter::TEF_NO_TICKET {
                return None;
            }
        }
        let (result, applied) = open.apply(tx, &base, mode);
        if !applied {
            return None;
        }
        view.open = open;
        for gone in before.iter().chain([tx]) {
            view.queue.remove(gone.account, gone.proxy());
        }
        Some(result)
    }

    /// Takes what waits into a new open ledger, dearest first, while it pays the price. Those that pay
    /// alike are then ordered anew by the hash of the ledger's parent.
    pub(super) fn serve_queue(&mut self, server: usize, parent: [u8; 32]) {
        let mut turn = self.servers[server].queue.first();
        while let Some(now) = turn {
            let Some(queued) = self.servers[server].queue.at(&now).cloned() else {
                turn = self.servers[server].queue.after(&now);
                continue;
            };
            if queued.level < self.open_level(server) {
                break;
            }
            let (result, applied) = self.try_open(server, &queued.tx, Mode::Open);
            let is_nearly_full = self.queue_is_full(server, 95);
            let queue = &mut self.servers[server].queue;
            let failure = if result.is_tef() || result.is_tem() {
                Failure::ForGood
            } else {
                Failure::ForNow
            };
            turn = if applied {
                queue.remove_and_advance(&now)
            } else {
                queue.failed(&now, failure, is_nearly_full)
            };
        }
        self.servers[server].queue.reorder(parent);
    }
}
