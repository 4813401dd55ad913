//! The payment machine. [`decide::decide`] is the only transition; everything that moves a payment
//! goes through it.

mod adopt;
pub mod approval;
pub mod decide;
pub mod effect;
pub mod event;
pub mod invariants;
mod payback;
mod refuse;
pub mod state;

pub use approval::{Approval, ApprovalRule, Ballot, Verdict};
pub use decide::{Illegal, decide};
pub use effect::{Decision, Effect};
pub use event::{Absence, AbsenceReason, Adoption, Answer, Event, Finding, NewAttempt};
pub use payback::Payback;
pub use state::{
    Attempt, AttemptState, Failure, Hold, Memo, Order, Payment, Proof, Slot, State, Status,
    Substatus,
};
