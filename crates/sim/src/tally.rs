//! What happened in a world and how often: the proof that the worlds are not all the same quiet one.
//!
//! A fault that is drawn and never meets anything tests nothing. So what is counted is the meeting: an
//! answer that was lost, a process that died between two steps, a payment that was found on the ledger
//! after servers had announced a ledger past its last one.

use crate::swarm::Fault;
use std::collections::BTreeMap;

/// Something that a world is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Seen {
    /// A question or submission that no server got.
    RequestLost,
    /// An answer of a server that did not come back.
    AnswerLost,
    /// An answer of a server that came twice.
    AnswerDoubled,
    /// Transactions that a server took and that never reached the network.
    RelayLost,
    /// A submission that ran when its server thawed.
    SubmitThawed,
    /// A server that does not hold all of what it was asked for.
    RangeClamped,
    /// Servers that contradicted each other.
    Disputed,
    /// A server that was proven wrong.
    Convicted,
    /// The validated index went past an open attempt's last ledger, and the journal found it after all.
    FalseExpiry,
    /// One of ours in a ledger that was validated long after it was closed.
    ValidatedLate,
    /// The last answer was a success, and the ledger holds a failure.
    SuccessThatFailed,
    /// The last answer was `tef…`, and the ledger holds a success.
    TefThatSucceeded,
    /// The last answer was `ter…`, and the ledger holds a success.
    TerThatSucceeded,
    /// The last answer was `tel…`, and the ledger holds a success.
    TelThatSucceeded,
    /// The last answer was `tem…`, and the ledger holds a success: a server lied.
    TemThatSucceeded,
    /// A validated payment that was charged and not delivered.
    ChargedForNothing,
    /// A process that died before a write.
    DiedBeforeWrite,
    /// A process that died after a write, before it knew.
    DiedAfterWrite,
    /// A process that died between the write and the sending.
    DiedBeforeSend,
    /// A process that died right after sending.
    DiedAfterSend,
    /// A process that died before it served a request.
    DiedInRequest,
    /// A write that failed.
    WriteFailed,
    /// A write that was made and whose answer was lost.
    WriteAnswerLost,
    /// A write that the store refused, because another hand had moved something.
    WriteRefused,
    /// An attempt whose bytes were sent again.
    Resent,
    /// A payment that was signed again after an attempt of it was proven dead.
    SignedAgain,
    /// An attempt whose slot was proven to be free at its end.
    DeadSlotFree,
    /// An attempt whose ticket was proven to stand at its end.
    DeadTicketStands,
    /// An attempt whose slot was taken by another transaction.
    DeadConsumed,
    /// An attempt that no server would ever take.
    Malformed,
    /// An attempt that was replaced by a dearer one on its slot.
    Raised,
    /// A no-op that was signed.
    Plugged,
    /// A no-op that a ledger holds.
    PlugValidated,
    /// A TicketCreate that a ledger holds.
    TicketsMade,
    /// A payment that was signed by ticket.
    PaidByTicket,
    /// A payment that waited for money.
    HeldForMoney,
    /// A payment that waited for a lower fee.
    HeldForFee,
    /// A payment that failed before it was signed.
    RefusedBeforeSigned,
    /// A payment that expired after something of it had been signed.
    ExpiredByProof,
    /// A transaction of the account that the database did not know.
    Foreign,
    /// A wallet that stopped.
    Halted,
    /// A wallet that was resumed.
    Resumed,
    /// Signing waits for what may be in flight of a forgotten life.
    SigningWaits,
    /// A payment that the ledger held already.
    Adopted,
    /// A page from before the journal's beginning.
    Recalled,
    /// A request that was asked again and answered with the same payment.
    Replayed,
    /// Another request under a used key that was refused.
    KeyReused,
    /// An answer to a client that was lost.
    ReplyLost,
    /// A payment that was called off.
    CalledOff,
    /// A payment that could not be called off any more.
    TooLateToCallOff,
    /// A payment that a second person approved.
    Approved,
    /// A limit that stood in the way.
    OverLimit,
    /// Two processes that were there at once.
    TwoProcesses,
    /// A database that was lost.
    DatabaseEmptied,
    /// A database that was replaced by an older copy.
    DatabaseReplaced,
    /// A queued payment that was marked as paused.
    HeldForPause,
    /// A signature that a pause came before.
    RefusedByPause,
    /// A process whose deadline passed while it had the wallet.
    DeadlinePassed,
    /// A wallet that was taken from a process that was still there.
    TakenOver,
    /// A wallet that was given away.
    HandedOver,
    /// A write of a process that had the wallet no more.
    RefusedByLease,
}

/// Everything that is counted.
pub const SEEN: [Seen; 61] = [
    Seen::RequestLost,
    Seen::AnswerLost,
    Seen::AnswerDoubled,
    Seen::RelayLost,
    Seen::SubmitThawed,
    Seen::RangeClamped,
    Seen::Disputed,
    Seen::Convicted,
    Seen::FalseExpiry,
    Seen::ValidatedLate,
    Seen::SuccessThatFailed,
    Seen::TefThatSucceeded,
    Seen::TerThatSucceeded,
    Seen::TelThatSucceeded,
    Seen::TemThatSucceeded,
    Seen::ChargedForNothing,
    Seen::DiedBeforeWrite,
    Seen::DiedAfterWrite,
    Seen::DiedBeforeSend,
    Seen::DiedAfterSend,
    Seen::DiedInRequest,
    Seen::WriteFailed,
    Seen::WriteAnswerLost,
    Seen::WriteRefused,
    Seen::Resent,
    Seen::SignedAgain,
    Seen::DeadSlotFree,
    Seen::DeadTicketStands,
    Seen::DeadConsumed,
    Seen::Malformed,
    Seen::Raised,
    Seen::Plugged,
    Seen::PlugValidated,
    Seen::TicketsMade,
    Seen::PaidByTicket,
    Seen::HeldForMoney,
    Seen::HeldForFee,
    Seen::RefusedBeforeSigned,
    Seen::ExpiredByProof,
    Seen::Foreign,
    Seen::Halted,
    Seen::Resumed,
    Seen::SigningWaits,
    Seen::Adopted,
    Seen::Recalled,
    Seen::Replayed,
    Seen::KeyReused,
    Seen::ReplyLost,
    Seen::CalledOff,
    Seen::TooLateToCallOff,
    Seen::Approved,
    Seen::OverLimit,
    Seen::TwoProcesses,
    Seen::DatabaseEmptied,
    Seen::DatabaseReplaced,
    Seen::HeldForPause,
    Seen::RefusedByPause,
    Seen::DeadlinePassed,
    Seen::TakenOver,
    Seen::HandedOver,
    Seen::RefusedByLease,
];

/// How often each was seen, and each fault struck.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// What was seen.
    pub seen: BTreeMap<Seen, u64>,
    /// The faults.
    pub faults: BTreeMap<Fault, u64>,
}

impl Tally {
    /// It was seen once more.
    pub fn see(&mut self, seen: Seen) {
        self.add(seen, 1);
    }

    /// It was seen `times` more.
    pub fn add(&mut self, seen: Seen, times: u64) {
        if times > 0 {
            *self.seen.entry(seen).or_default() += times;
        }
    }

    /// A fault struck.
    pub fn strike(&mut self, fault: Fault) {
        *self.faults.entry(fault).or_default() += 1;
    }

    /// How often it was seen.
    #[must_use]
    pub fn seen(&self, seen: Seen) -> u64 {
        self.seen.get(&seen).copied().unwrap_or_default()
    }

    /// Adds what was seen elsewhere.
    pub fn join(&mut self, other: &Self) {
        for (seen, times) in &other.seen {
            self.add(*seen, *times);
        }
        for (fault, times) in &other.faults {
            *self.faults.entry(*fault).or_default() += times;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_listed_once_and_tallies_add_up() {
        let mut sorted = SEEN.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted, SEEN, "listed in their order, none twice");
        let (mut all, mut own) = (Tally::default(), Tally::default());
        own.see(Seen::Foreign);
        own.add(Seen::Foreign, 2);
        own.add(Seen::Halted, 0);
        own.strike(Fault::Kill);
        all.join(&own);
        all.join(&own);
        assert_eq!(all.seen(Seen::Foreign), 6);
        assert_eq!(all.seen(Seen::Halted), 0);
        assert_eq!(all.faults.get(&Fault::Kill), Some(&2));
    }
}
