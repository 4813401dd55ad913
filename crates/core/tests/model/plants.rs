//! Bugs that are planted to see the checker find them: each breaks one rule of the machine, of the
//! store or of the reading of the ledger. A model that no bug disturbs would prove nothing.

use super::holders::{LAPSE, RENEWED, turns};
use super::leases::{Beside, Leases};
use super::ledger::{self, Tx};
use super::machine::{Bounds, Fate, Payments, World};
use super::steps::{change, with_bytes};
use xrpayd_core::engine::LaneCommit;
use xrpayd_core::ids::PaymentId;
use xrpayd_core::payment::{
    Absence, AbsenceReason, AttemptState, Event, Finding, NewAttempt, Payment, Slot, State, decide,
};

/// One planted bug.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Plant {
    /// A page or a root of one server is believed.
    QuorumOfOne,
    /// An attempt is declared dead before its last ledger has passed.
    ForgetLastLedger,
    /// What the journal's end does not show is declared dead once a validated index is past its last
    /// ledger, however far the journal is: `txnNotFound` is trusted.
    TrustNotFound,
    /// A payment whose attempt has no answer is signed anew on a new sequence.
    NewSlotAfterTimeout,
    /// The cursor is advanced in a transaction of its own, before what the page settles.
    CursorAlone,
    /// The bytes leave before they are durable.
    SendBeforeCommit,
    /// A payment is written whatever version was read.
    NoVersions,
    /// The cursor passes what settles an attempt that another writer signed.
    CursorPastOpen,
    /// A writer signs on a sequence that another one has read to be used.
    SignBehindJournal,
    /// An answer that the sequence is past is taken for the end of the attempt.
    PastSequenceIsFinal,
    /// A commit is made whatever the operator has paused.
    SignWhilePaused,
    /// A commit is made whoever holds the wallet.
    EpochUnchecked,
    /// The same, and the store's other checks are not made either.
    NothingKeepsApart,
    /// Who takes the wallet works under the epoch of whoever had it.
    TakingKeepsEpoch,
    /// A renewal sets the row whoever it names by now.
    RenewalTakesBack,
    /// A holder counts its time from the answer to its question and not from the question.
    DeadlineFromAnswer,
    /// A holder judges its time by a clock that somebody sets back.
    ClockSetBack,
    /// The wallet is given away before what works on it has ended.
    ReleasedTooEarly,
    /// A process goes on with what it knew before it took the wallet.
    MemoryKept,
}

impl Plant {
    /// Every planted bug.
    pub const ALL: [Self; 19] = [
        Self::QuorumOfOne,
        Self::ForgetLastLedger,
        Self::TrustNotFound,
        Self::NewSlotAfterTimeout,
        Self::CursorAlone,
        Self::SendBeforeCommit,
        Self::NoVersions,
        Self::CursorPastOpen,
        Self::SignBehindJournal,
        Self::PastSequenceIsFinal,
        Self::SignWhilePaused,
        Self::EpochUnchecked,
        Self::NothingKeepsApart,
        Self::TakingKeepsEpoch,
        Self::RenewalTakesBack,
        Self::DeadlineFromAnswer,
        Self::ClockSetBack,
        Self::ReleasedTooEarly,
        Self::MemoryKept,
    ];

    /// The rule that it breaks.
    pub const fn breaks(self) -> &'static str {
        match self {
            Self::NewSlotAfterTimeout | Self::NothingKeepsApart | Self::MemoryKept => {
                "no payment is delivered twice"
            }
            Self::QuorumOfOne | Self::TrustNotFound | Self::PastSequenceIsFinal => {
                "an end agrees with the ledger"
            }
            Self::ForgetLastLedger => "what ended undelivered can never be delivered",
            Self::SendBeforeCommit => "nothing leaves that is not durable",
            Self::NoVersions => "an end never changes",
            Self::EpochUnchecked => "a commit is made under the lease in force",
            Self::TakingKeepsEpoch => "two hands never sign under one epoch",
            Self::RenewalTakesBack => "every taking raises the epoch",
            Self::DeadlineFromAnswer | Self::ClockSetBack | Self::ReleasedTooEarly => {
                "nothing leaves after the lease"
            }
            Self::SignWhilePaused => "nothing new is signed while the wallet is paused",
            Self::CursorAlone | Self::CursorPastOpen | Self::SignBehindJournal => {
                "every payment has its end"
            }
        }
    }

    /// Bounds within which it shows.
    pub const fn bounds(self) -> Bounds {
        let plain = Bounds {
            deaths: 1,
            ..super::PLAIN
        };
        match self {
            Self::CursorPastOpen | Self::SignBehindJournal => super::TWO,
            Self::ForgetLastLedger | Self::NoVersions => Bounds {
                cancels: 1,
                ..plain
            },
            Self::PastSequenceIsFinal => Bounds {
                answers: 1,
                ..plain
            },
            Self::SignWhilePaused => Bounds { pauses: 1, ..plain },
            Self::EpochUnchecked | Self::TakingKeepsEpoch | Self::ClockSetBack => turns(LAPSE),
            Self::RenewalTakesBack | Self::DeadlineFromAnswer => turns(RENEWED),
            Self::ReleasedTooEarly => turns(Leases {
                releases: 1,
                ..LAPSE
            }),
            Self::NothingKeepsApart => turns(Leases {
                beside: Beside::Nothing,
                ..LAPSE
            }),
            Self::MemoryKept => turns(Leases {
                lapses: 2,
                beside: Beside::Nothing,
                ..LAPSE
            }),
            Self::QuorumOfOne
            | Self::TrustNotFound
            | Self::NewSlotAfterTimeout
            | Self::CursorAlone
            | Self::SendBeforeCommit => plain,
        }
    }

    /// What the bug does that a sound writer would not; whether it did anything.
    pub fn act(self, model: &Payments, world: &mut World, w: usize, n: u8) -> bool {
        let desk = world.desk(w);
        let Some(payment) = desk.payment(PaymentId(u128::from(n))).cloned() else {
            return false;
        };
        let open: Vec<Tx> = payment
            .open_attempts()
            .map(|attempt| Tx::of(attempt.hash))
            .collect();
        let is_past = open.iter().all(|tx| tx.last_ledger <= world.truth.ledger);
        let free = u8::try_from(desk.cursor().next_sequence).unwrap();
        let is_unused = open.iter().all(|tx| tx.sequence >= free);
        let is_answered = payment.open_attempts().all(|attempt| {
            matches!(&attempt.state, AttemptState::Submitted { result } if result == "tefPAST_SEQ")
        });
        let does = match self {
            Self::ForgetLastLedger => is_unused,
            Self::TrustNotFound => is_past,
            Self::NewSlotAfterTimeout => true,
            Self::PastSequenceIsFinal => is_answered,
            Self::QuorumOfOne
            | Self::CursorAlone
            | Self::SendBeforeCommit
            | Self::NoVersions
            | Self::CursorPastOpen
            | Self::SignWhilePaused
            | Self::SignBehindJournal
            | Self::EpochUnchecked
            | Self::NothingKeepsApart
            | Self::TakingKeepsEpoch
            | Self::RenewalTakesBack
            | Self::DeadlineFromAnswer
            | Self::ClockSetBack
            | Self::ReleasedTooEarly
            | Self::MemoryKept => false,
        };
        if !does {
            return false;
        }
        let Some(mut dead) = declare_dead(world, &payment, &open) else {
            return false;
        };
        let mut again = None;
        if self == Self::NewSlotAfterTimeout {
            let Some((signed, tx)) = sign_beyond(model, world, w, &dead) else {
                return false;
            };
            (dead, again) = (signed, Some(tx));
        }
        let mut commit = LaneCommit::new("hot", world.now());
        let made = change(payment.version, dead);
        commit.changes.push(match again {
            Some(tx) => with_bytes(made, tx),
            None => made,
        });
        if model.write(world, w, &commit, Fate::Lives) {
            world.truth.wire.extend(again);
        }
        true
    }
}

/// Signs the payment on a sequence that nothing of the writer's uses.
fn sign_beyond(
    model: &Payments,
    world: &World,
    w: usize,
    payment: &Payment,
) -> Option<(Payment, Tx)> {
    let desk = world.desk(w);
    let used = desk.flights().keys().map(|hash| Tx::of(*hash));
    let highest = used.max_by_key(|tx| tx.sequence)?;
    let last_ledger = model
        .conditions(world)
        .tip
        .plus(model.settings().ledger_window);
    let tx = Tx {
        sequence: highest.sequence + 1,
        last_ledger: ledger::since_start(last_ledger),
        ..Tx::of(payment.attempts.last()?.hash)
    };
    let attempt = NewAttempt {
        hash: tx.tx_hash(),
        slot: Slot::Sequence(u32::from(tx.sequence)),
        fee: ledger::drops(u64::from(tx.fee)),
        first_ledger: desk.cursor().at.plus(1),
        last_ledger,
        signed_at: world.now(),
    };
    let signed = decide(payment, Event::Sign(attempt), world.now()).ok()??;
    Some((signed.payment, tx))
}

/// The payment with every open attempt called dead, which nobody has proven.
fn declare_dead(world: &World, payment: &Payment, open: &[Tx]) -> Option<Payment> {
    let at = ledger::index(world.truth.ledger);
    let mut dead = payment.clone();
    for tx in open {
        let proof = Absence {
            from: at,
            to: at,
            to_hash: ledger::ledger_hash(at),
            servers: Vec::new(),
            reason: AbsenceReason::SlotFree {
                at,
                account_sequence: u32::from(tx.sequence),
            },
        };
        let hash = tx.tx_hash();
        let event = Event::Journal(Finding::Absent { hash, proof });
        dead = decide(&dead, event, world.now()).ok()??.payment;
    }
    (dead.state != State::InFlight).then_some(dead)
}
