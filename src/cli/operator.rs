//! Who runs a command, as the audit log names him.

use crate::store::Actor;

/// The user that runs this process.
pub(super) fn operator() -> Actor {
    Actor::Cli {
        uid: rustix::process::getuid().as_raw(),
    }
}
