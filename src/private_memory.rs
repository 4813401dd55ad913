//! What is in the process's memory stays there: no core dump is written of it, whatever the machine's
//! limits say, and nobody but the superuser may look into it or its environment.
//!
//! Owns nothing. It is the first thing that the binary does, before a secret is read. On failure the
//! process does not go on.

/// Keeps the memory of this process from core dumps and from other processes of the same user.
///
/// # Errors
/// The system does not let it.
pub fn keep() -> std::io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    }
    Ok(())
}
