//! The reconciliation room: holds the books against what the servers say, to the drop.
//!
//! Owns nothing and concludes nothing by itself: it reads the books from the store and the ledger's
//! whole history of an account from the servers again, agreed by the quorum, and lets
//! `core::reconcile` compare them. The command line runs it once, beside a daemon or without one; the
//! daemon runs it in the background and halts a wallet whose books differ. What cannot be read, of the
//! books or of the ledger, is never taken for an agreement.

mod background;
mod forgotten;
mod pass;

pub use background::{Books, Counters, Deps, View, Watched, keep};
pub use forgotten::Forgotten;
pub use pass::{Outcome, Reach, Unable, counters, wallet};
