//! The tickets of one account: which stand on the ledger, which an attempt of ours may use next, and
//! when a payment goes by ticket at all.
//!
//! A ticket is a sequence that was set aside: whoever uses it waits for nobody. It costs a reserve
//! while it stands, so tickets are kept for what they are good for, which is to pass by a lane that
//! does not move. What stands is known from the journal alone: a TicketCreate makes them, a validated
//! transaction by ticket uses one up, whoever sent it. Only where the journal begins they are read.

use crate::ids::LedgerIndex;
use crate::journal::TicketChange;
use std::collections::{BTreeMap, BTreeSet};

/// The most tickets that the ledger lets one account hold, and one transaction make.
pub const TICKETS_MAX: u32 = 250;

/// How many ledgers may pass without the first transaction of the lane before it counts as stuck.
/// One or two pass where servers exchange what they have; a sound lane moves with every third.
pub const STUCK_AFTER_LEDGERS: u32 = 3;

/// The tickets of one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tickets {
    standing: BTreeSet<u32>,
    /// How many open attempts each has; one that is open stays so when it was never read.
    open: BTreeMap<u32, u32>,
    knowledge: Knowledge,
}

/// Whether `standing` is all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Knowledge {
    /// They were read once and followed since.
    Whole,
    /// They are still to be read; what the journal told meanwhile.
    Unread(Vec<(LedgerIndex, TicketChange)>),
}

impl Tickets {
    /// The tickets that the journal has followed from their first reading.
    #[must_use]
    pub const fn known(standing: BTreeSet<u32>) -> Self {
        Self {
            standing,
            open: BTreeMap::new(),
            knowledge: Knowledge::Whole,
        }
    }

    /// An account whose tickets are still to be read.
    #[must_use]
    pub const fn unread() -> Self {
        Self {
            standing: BTreeSet::new(),
            open: BTreeMap::new(),
            knowledge: Knowledge::Unread(Vec::new()),
        }
    }

    /// Whether all of them are known. Before that none is given out.
    #[must_use]
    pub const fn is_known(&self) -> bool {
        matches!(self.knowledge, Knowledge::Whole)
    }

    /// Those that stand.
    #[must_use]
    pub const fn standing(&self) -> &BTreeSet<u32> {
        &self.standing
    }

    /// How many stand; none where they are not known.
    #[must_use]
    pub fn standing_len(&self) -> u32 {
        u32::try_from(self.standing.len()).unwrap_or(u32::MAX)
    }

    /// How many stand and have no open attempt.
    #[must_use]
    pub fn free_len(&self) -> u32 {
        let free = self.standing.iter().filter(|n| !self.open.contains_key(n));
        u32::try_from(free.count()).unwrap_or(u32::MAX)
    }

    /// Takes the lowest free ticket. The caller owes either an attempt on it that is made durable or a
    /// [`Tickets::close`].
    pub fn allocate(&mut self) -> Option<u32> {
        if !self.is_known() {
            return None;
        }
        let mut standing = self.standing.iter();
        let free = standing.find(|n| !self.open.contains_key(n)).copied()?;
        self.open_attempt(free);
        Some(free)
    }

    /// Counts one more open attempt on a ticket: one that start-up found, or a replacement.
    pub fn open_attempt(&mut self, ticket: u32) {
        let count = self.open.entry(ticket).or_default();
        *count = count.saturating_add(1);
    }

    /// One open attempt on a ticket is settled or was never made.
    pub fn close(&mut self, ticket: u32) {
        if let Some(count) = self.open.get_mut(&ticket) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.open.remove(&ticket);
            }
        }
    }

    /// Takes what a page of the journal says of them, in its order.
    pub fn follow(&mut self, changes: &[(LedgerIndex, TicketChange)]) {
        match &mut self.knowledge {
            Knowledge::Whole => apply(&mut self.standing, changes),
            Knowledge::Unread(meanwhile) => meanwhile.extend_from_slice(changes),
        }
    }

    /// They are about to be read at ledger `at`: what happened up to it will be in the answer.
    pub fn reading(&mut self, at: LedgerIndex) {
        if let Knowledge::Unread(meanwhile) = &mut self.knowledge {
            meanwhile.retain(|(ledger, _)| *ledger > at);
        }
    }

    /// What stands now by a reading at ledger `at`, where they were still to be read.
    #[must_use]
    pub fn after_reading(
        &self,
        at: LedgerIndex,
        standing: &BTreeSet<u32>,
    ) -> Option<BTreeSet<u32>> {
        let Knowledge::Unread(meanwhile) = &self.knowledge else {
            return None;
        };
        let later: Vec<_> = meanwhile
            .iter()
            .filter(|(ledger, _)| *ledger > at)
            .copied()
            .collect();
        let mut standing = standing.clone();
        apply(&mut standing, &later);
        Some(standing)
    }

    /// From here on all of them are known.
    pub fn know(&mut self, standing: BTreeSet<u32>) {
        self.standing = standing;
        self.knowledge = Knowledge::Whole;
    }
}

fn apply(standing: &mut BTreeSet<u32>, changes: &[(LedgerIndex, TicketChange)]) {
    for (_, change) in changes {
        match change {
            TicketChange::Made(ticket) => standing.insert(*ticket),
            TicketChange::Used(ticket) => standing.remove(ticket),
        };
    }
}

/// What a lane of sequences looks like to the next payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaneState {
    /// Whether one more may be signed by sequence.
    pub has_room: bool,
    /// Whether something waits behind a sequence that nothing uses.
    pub is_starved: bool,
    /// Whether a TicketCreate is at its end, whose outcome says which sequence is the next.
    pub is_barred: bool,
    /// Whether its first transaction does not get into a ledger.
    pub is_stuck: bool,
}

/// What the next payment goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// The lane's next sequence.
    Sequence,
    /// A ticket.
    Ticket,
    /// Nothing now.
    Wait,
}

/// The one rule by which payments take sequences or tickets.
///
/// By sequence while the lane moves; a hole in it first of all, since everything behind waits for it.
/// By ticket where the lane is stuck, so that nothing starves behind it. A lane that is only full, or
/// barred, moves by itself: it is waited for. Without a ticket a stuck lane goes on to be filled.
#[must_use]
pub const fn way(lane: LaneState, free_tickets: u32) -> Way {
    let LaneState {
        has_room,
        is_starved,
        is_barred,
        is_stuck,
    } = lane;
    if is_starved && has_room {
        Way::Sequence
    } else if is_stuck && free_tickets > 0 {
        Way::Ticket
    } else if has_room && !is_barred {
        Way::Sequence
    } else {
        Way::Wait
    }
}

/// Whether the first transaction of a lane is stuck at ledger `at`: it could have been in any ledger
/// from `first_ledger` on, and the lane has not moved since ledger `moved_at`.
#[must_use]
pub fn is_stuck(first_ledger: LedgerIndex, moved_at: LedgerIndex, at: LedgerIndex) -> bool {
    let since = moved_at.max(LedgerIndex(first_ledger.0.saturating_sub(1)));
    at.ahead_of(since) >= STUCK_AFTER_LEDGERS
}

/// When tickets are made without being asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Refill {
    /// With fewer free ones than this; 0 is never.
    pub low_water: u32,
    /// Up to this many free ones.
    pub refill_to: u32,
}

impl Refill {
    /// How many are to be made now.
    #[must_use]
    pub fn wanted(self, tickets: &Tickets) -> u32 {
        if !tickets.is_known() || tickets.free_len() >= self.low_water {
            return 0;
        }
        let room = TICKETS_MAX.saturating_sub(tickets.standing_len());
        self.refill_to.saturating_sub(tickets.free_len()).min(room)
    }
}

#[cfg(test)]
mod tests;
