//! Making tickets, and what is known of those that stand.
//!
//! Tickets are made by the engine alone: because an operator asked, or because fewer are free than the
//! low-water mark. The transaction is an attempt without a payment, durable before it is sent and
//! settled by the journal like any other. One is open at a time, at the end of a lane that moves.

use super::batch::Batch;
use super::sign::{Job, Plan, Task, Terms};
use super::{Conditions, Desk, Flight, KnownTickets, Note, Owner, Sent, Settings, Step};
use crate::fee::{FeeChoice, choose};
use crate::ids::{LedgerIndex, TxHash, UnixMs};
use crate::money::Drops;
use crate::pause::Signing;
use crate::payment::{AttemptState, Finding, NewAttempt, Slot};
use crate::sequence::NoSequence;
use crate::tickets::{LaneState, Refill, TICKETS_MAX, Way, is_stuck, way};
use std::collections::BTreeSet;

/// Ledgers for which nothing is refilled after the ledger has refused to make tickets.
const REFILL_PAUSE_LEDGERS: u32 = 100;

/// The number of an operator's request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TicketRequestId(pub u32);

/// Tickets that an operator asked for and that are not made yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TicketRequest {
    /// Its number.
    pub id: TicketRequestId,
    /// How many.
    pub count: u32,
    /// What it waits for, as it was told last.
    pub waits_for: Option<String>,
}

/// What came of an operator's request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestNews {
    /// It cannot be done now.
    Waits(String),
    /// The tickets stand.
    Made(TxHash),
    /// It will not be done.
    Refused(String),
}

/// Whose tickets a transaction makes, and how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Making {
    /// How many.
    pub count: u32,
    /// The request that it serves; none where it refills.
    pub request: Option<TicketRequestId>,
}

/// A signed TicketCreate, as it is to be persisted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTicketCreate {
    /// What it makes.
    pub making: Making,
    /// What was signed.
    pub attempt: NewAttempt,
    /// The signed blob.
    pub blob: Vec<u8>,
}

/// A TicketCreate that is persisted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TicketCreateRecord {
    /// What was signed.
    pub signed: NewTicketCreate,
    /// How it stands.
    pub state: AttemptState,
}

/// What may be asked of the wallet in the way of tickets.
#[derive(Debug, Clone, Copy)]
pub struct TicketWants<'a> {
    /// The oldest request that is open.
    pub request: Option<&'a TicketRequest>,
    /// When tickets are made without being asked for.
    pub refill: Refill,
    /// What each of them keeps on the account.
    pub reserve_each: Drops,
}

/// What is done about tickets now.
#[derive(Debug)]
pub enum TicketPlan {
    /// Nothing.
    Nothing,
    /// A TicketCreate is to be signed.
    Sign(Plan),
    /// Nothing is signed, and the request is told why.
    Tell(Step),
}

/// Why tickets are not made now.
enum Obstacle {
    /// It passes.
    Passing(String),
    /// It does not.
    Lasting(String),
}

impl Desk {
    /// Plans the TicketCreate that is wanted, where one is and it can be signed.
    pub fn plan_tickets(
        &mut self,
        wants: &TicketWants<'_>,
        at: &Conditions,
        settings: &Settings,
        now: UnixMs,
    ) -> TicketPlan {
        let is_busy = self.tickets_on_order() > 0;
        if is_busy || !self.may_sign() || !self.sees(at, settings) {
            return TicketPlan::Nothing;
        }
        if self.signing == Signing::Paused {
            return self.tell_of_pause(wants, now);
        }
        let making = match wants.request {
            // It was read before the step that ended it.
            Some(request) if self.request_done >= Some(request.id) => return TicketPlan::Nothing,
            Some(request) => Making {
                count: request.count,
                request: Some(request.id),
            },
            None if self.refill_from.is_some_and(|from| self.cursor.at < from) => {
                return TicketPlan::Nothing;
            }
            None => Making {
                count: wants.refill.wanted(&self.tickets),
                request: None,
            },
        };
        if making.count == 0 {
            return TicketPlan::Nothing;
        }
        let news = match self.terms_for_tickets(making, wants.reserve_each, at, settings) {
            Ok(terms) => {
                let task = Task::MakeTickets(making);
                return TicketPlan::Sign(Plan::of(vec![Job { task, terms }]));
            }
            Err(Obstacle::Passing(why)) => RequestNews::Waits(why),
            Err(Obstacle::Lasting(why)) => RequestNews::Refused(why),
        };
        match (wants.request, news) {
            (None, _) => TicketPlan::Nothing,
            (Some(request), RequestNews::Waits(why)) => self.tell_waiting(request, why, now),
            (Some(request), news) => self.tell_news(request, news, now),
        }
    }

    /// Tells the open request that it waits for the end of a pause.
    fn tell_of_pause(&self, wants: &TicketWants<'_>, now: UnixMs) -> TicketPlan {
        match wants.request {
            Some(request) if self.request_done < Some(request.id) => {
                let why = "payments of the wallet are paused".to_owned();
                self.tell_waiting(request, why, now)
            }
            Some(_) | None => TicketPlan::Nothing,
        }
    }

    /// Tells a request what it waits for, where that is news.
    fn tell_waiting(&self, request: &TicketRequest, why: String, now: UnixMs) -> TicketPlan {
        if request.waits_for.as_ref() == Some(&why) {
            return TicketPlan::Nothing;
        }
        self.tell_news(request, RequestNews::Waits(why), now)
    }

    fn tell_news(&self, request: &TicketRequest, news: RequestNews, now: UnixMs) -> TicketPlan {
        let mut batch = Batch::default();
        batch.request_news.push((request.id, news));
        TicketPlan::Tell(Step::of(self, batch, now))
    }

    /// The terms on which the tickets can be made now; their sequence is taken.
    fn terms_for_tickets(
        &mut self,
        making: Making,
        reserve_each: Drops,
        at: &Conditions,
        settings: &Settings,
    ) -> Result<Terms, Obstacle> {
        let passing = |why: &str| Err(Obstacle::Passing(why.to_owned()));
        if !self.tickets.is_known() {
            return passing("the tickets that the account has are not read yet");
        }
        let after = self.tickets.standing_len().saturating_add(making.count);
        if after > TICKETS_MAX {
            return Err(Obstacle::Lasting(format!(
                "the account would hold {after} tickets, and {TICKETS_MAX} is the most"
            )));
        }
        if self.is_stuck() {
            return passing("a transaction before them does not get into a ledger");
        }
        let FeeChoice::Pay(fee) = choose(at.quote, settings.max_fee) else {
            return passing("the ledger asks for a higher fee than the wallet may pay");
        };
        let reserve = reserve_each.checked_mul(u64::from(making.count));
        let cost = reserve.and_then(|reserve| reserve.checked_add(fee));
        if cost.is_none_or(|cost| cost > self.spendable(at.reserve)) {
            return passing("the balance does not cover the reserve that they keep");
        }
        match self.lane.allocate_bar() {
            Ok(sequence) => Ok(Terms {
                slot: Slot::Sequence(sequence),
                fee,
                last_ledger: at.tip.plus(settings.ledger_window),
            }),
            Err(why @ (NoSequence::Starved | NoSequence::Barred)) => passing(&why.to_string()),
            Err(why @ NoSequence::Exhausted) => Err(Obstacle::Lasting(why.to_string())),
        }
    }

    /// How many tickets an open TicketCreate will make: each keeps a reserve as soon as it does.
    #[must_use]
    pub fn tickets_on_order(&self) -> u32 {
        let made = self.flights.values().map(|flight| match flight.owner {
            Owner::Tickets(making) => making.count,
            Owner::Payment(_) | Owner::Plug => 0,
        });
        made.max().unwrap_or(0)
    }

    /// Whether the tickets of the account are still to be read.
    #[must_use]
    pub const fn wants_tickets_read(&self) -> bool {
        !self.tickets.is_known()
    }

    /// They are about to be read, in the ledger of the cursor.
    pub fn reading_tickets(&mut self) -> LedgerIndex {
        self.tickets.reading(self.cursor.at);
        self.cursor.at
    }

    /// Takes the tickets that stand in ledger `at`, which the journal has reached, as they were read
    /// for the first time.
    pub fn take_tickets(&self, at: LedgerIndex, standing: &BTreeSet<u32>, now: UnixMs) -> Step {
        let mut batch = Batch::default();
        let standing = self.tickets.after_reading(at, standing);
        let at = self.cursor.at;
        batch.tickets = standing.map(|standing| KnownTickets { at, standing });
        Step::of(self, batch, now)
    }

    /// Whether the first transaction of the lane does not get into a ledger.
    pub(super) fn is_stuck(&self) -> bool {
        let head = Slot::Sequence(self.lane.validated_next());
        let flights = self.flights.values().filter(|flight| flight.slot == head);
        let first = flights.map(|flight| flight.first_ledger).min();
        first.is_some_and(|first| is_stuck(first, self.moved_at, self.cursor.at))
    }

    /// What the next payment goes by, where it is known whether the lane is stuck, and `spoken_for` are
    /// before it that have no slot yet.
    pub(super) fn way(&self, is_stuck: bool, spoken_for: usize, settings: &Settings) -> Way {
        let lane = LaneState {
            has_room: self.lane.open_len().saturating_add(spoken_for) < settings.max_in_flight,
            is_starved: self.lane.is_starved(),
            is_barred: self.lane.is_barred(),
            is_stuck,
        };
        // They are counted only where they matter.
        let free = match is_stuck {
            true => {
                let taken = u32::try_from(spoken_for).unwrap_or(u32::MAX);
                self.tickets.free_len().saturating_sub(taken)
            }
            false => 0,
        };
        way(lane, free)
    }

    /// Takes the slot for the next payment; nothing where it has to wait.
    ///
    /// # Errors
    /// The account has no sequence left.
    pub(super) fn take_slot(&mut self, way: Way) -> Result<Option<Slot>, NoSequence> {
        match way {
            Way::Wait => Ok(None),
            Way::Ticket => Ok(self.tickets.allocate().map(Slot::Ticket)),
            Way::Sequence => match self.lane.allocate() {
                Ok(sequence) => Ok(Some(Slot::Sequence(sequence))),
                Err(NoSequence::Barred | NoSequence::Starved) => Ok(None),
                Err(exhausted @ NoSequence::Exhausted) => Err(exhausted),
            },
        }
    }

    /// What the journal says about a TicketCreate of ours.
    pub(super) fn settle_making(
        &self,
        batch: &mut Batch,
        making: Making,
        hash: TxHash,
        finding: Finding,
    ) {
        let state = match finding {
            Finding::Found {
                result,
                ledger_index,
                ..
            } => {
                if result == MADE {
                    let count = making.count;
                    batch.notes.push(Note::TicketsMade { hash, count });
                    batch.tell_request(making.request, RequestNews::Made(hash));
                } else {
                    self.give_up(batch, making, hash, format!("the ledger answered {result}"));
                }
                AttemptState::Validated {
                    result,
                    ledger_index,
                }
            }
            // The request, where there is one, is still open: it is signed again.
            Finding::Absent { proof, .. } => AttemptState::Dead { proof },
        };
        batch.plug_updates.push((hash, state));
    }

    /// No server takes a TicketCreate of ours.
    pub(super) fn refuse_making(
        &self,
        batch: &mut Batch,
        making: Making,
        hash: TxHash,
        code: &str,
    ) {
        let why = format!("no server takes the transaction: {code}");
        self.give_up(batch, making, hash, why);
        let code = code.to_owned();
        batch
            .plug_updates
            .push((hash, AttemptState::Refused { code }));
    }

    /// The request has its end without its tickets; a refill is tried again much later.
    fn give_up(&self, batch: &mut Batch, making: Making, hash: TxHash, why: String) {
        if making.request.is_none() {
            batch.refill_from = Some(self.cursor.at.plus(REFILL_PAUSE_LEDGERS));
        }
        batch.tell_request(making.request, RequestNews::Refused(why.clone()));
        batch.notes.push(Note::TicketsRefused { hash, why });
    }
}

const MADE: &str = "tesSUCCESS";

/// A TicketCreate as an attempt that could be applied. What it costs beside its fee is a reserve, of
/// which [`Desk::tickets_on_order`] tells.
pub(super) fn making_flight(new: &NewTicketCreate, sent_at: Sent) -> Flight {
    Flight {
        owner: Owner::Tickets(new.making),
        slot: new.attempt.slot,
        first_ledger: new.attempt.first_ledger,
        last_ledger: new.attempt.last_ledger,
        fee: new.attempt.fee,
        cost: new.attempt.fee,
        blob: new.blob.as_slice().into(),
        sent_at,
        refused: false,
    }
}

#[cfg(test)]
mod tests;
