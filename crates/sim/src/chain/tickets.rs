//! Tickets on the chain: made, used up, and what a transaction by one is answered.

use super::{Chain, OWNED, RESERVE};
use crate::tx::Tx;
use xrpayd_core::payment::Slot;
use xrpayd_core::tickets::TICKETS_MAX;

impl Chain {
    /// The same of a transaction by ticket: nothing that came before it matters.
    pub(super) fn answer_by_ticket(&self, tx: &Tx, ticket: u32, open: u32) -> &'static str {
        if ticket >= self.root.sequence {
            "terPRE_TICKET"
        } else if !self.tickets.contains(&ticket) {
            "tefNO_TICKET"
        } else if open > tx.last_ledger {
            "tefMAX_LEDGER"
        } else if tx.fee < self.price {
            "telINSUF_FEE_P"
        } else {
            self.result(tx, false)
        }
    }

    /// Whether the newest ledger says that it can never enter one: its slot is gone.
    pub(super) fn is_used_up(&self, slot: Slot) -> bool {
        match slot {
            Slot::Sequence(sequence) => sequence < self.root.sequence,
            Slot::Ticket(ticket) => ticket < self.root.sequence && !self.tickets.contains(&ticket),
        }
    }

    /// The result of making tickets, with what is `left` once the fee is paid.
    pub(super) fn result_of_making(&self, count: u32, left: u64) -> &'static str {
        let standing = u32::try_from(self.tickets.len()).unwrap_or(u32::MAX);
        let owned = u64::from(self.root.owner_count.saturating_add(count));
        if standing.saturating_add(count) > TICKETS_MAX {
            "tecDIR_FULL"
        } else if left < RESERVE.saturating_add(OWNED.saturating_mul(owned)) {
            "tecINSUFFICIENT_RESERVE"
        } else {
            "tesSUCCESS"
        }
    }

    /// What the account has to keep.
    pub(super) fn reserve(&self) -> u64 {
        RESERVE.saturating_add(OWNED.saturating_mul(u64::from(self.root.owner_count)))
    }

    /// A transaction took its slot, and made tickets of the next sequences.
    pub(super) fn take_slot(&mut self, slot: Slot, made: u32) {
        match slot {
            Slot::Sequence(_) => self.root.sequence += 1,
            Slot::Ticket(ticket) => {
                self.tickets.remove(&ticket);
                self.root.owner_count = self.root.owner_count.saturating_sub(1);
            }
        }
        let first = self.root.sequence;
        self.root.sequence += made;
        self.root.owner_count += made;
        self.tickets.extend(first..self.root.sequence);
    }
}
