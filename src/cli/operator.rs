//! Who runs a command, as the audit log names him.
//!
//! The user of the process is what the system knows; in a container it is the same for everybody. So a name
//! may be given beside it, which nobody proves: it is kept and shown as what was said.

use crate::store::Actor;
use std::sync::OnceLock;

/// The variable that gives the name where the command line does not.
const VARIABLE: &str = "XRPAYD_OPERATOR";
/// Where `sudo` leaves who called it.
const SUDO: &str = "SUDO_USER";
/// The longest name that is taken.
const NAME_CHARS_MAX: usize = 64;

/// The name of this process's command line.
static GIVEN: OnceLock<String> = OnceLock::new();

/// A name as it is given on the command line.
pub(super) fn name(text: &str) -> Result<String, String> {
    let name = text.trim();
    let fits = (1..=NAME_CHARS_MAX).contains(&name.chars().count());
    if fits && !name.chars().any(char::is_control) {
        Ok(name.to_owned())
    } else {
        Err(format!(
            "a name has 1 to {NAME_CHARS_MAX} characters in one line"
        ))
    }
}

/// Keeps the name that the command line gave.
pub(super) fn is_called(name: Option<String>) {
    if let Some(name) = name {
        // A process has one command line.
        let _ = GIVEN.set(name);
    }
}

/// The user that runs this process, and the name that was given for him.
pub(super) fn operator() -> Actor {
    let of = |variable| std::env::var(variable).ok();
    let said = GIVEN.get().cloned();
    let said = said.or_else(|| of(VARIABLE)).or_else(|| of(SUDO));
    Actor::Cli {
        uid: rustix::process::getuid().as_raw(),
        // What does not read as a name is no reason to refuse an emergency stop.
        said: said.and_then(|text| name(&text).ok()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_short_line() {
        assert_eq!(name(" Ada Lovelace ").as_deref(), Ok("Ada Lovelace"));
        for bad in ["", "  ", "a\nb", "a\u{1b}[0m", &"x".repeat(65)] {
            assert!(name(bad).is_err(), "{bad:?}");
        }
    }
}
