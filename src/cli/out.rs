//! Standard output and standard error: the one place that writes to either.

use super::failure::Failure;
use std::io::Write as _;

/// Writes a result, with a newline, and sees it on its way: what reads it may wait for just that.
///
/// # Errors
/// Nobody takes it any more.
pub(super) fn line(text: &str) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{text}")
        .and_then(|()| stdout.flush())
        .map_err(|error| Failure::because("The result cannot be written.", error))
}

/// Writes a result as one line of JSON.
///
/// # Errors
/// Nobody takes it any more.
pub(super) fn json(value: &serde_json::Value) -> Result<(), Failure> {
    line(&value.to_string())
}

/// Writes what is not a result but a person should read.
pub(super) fn note(text: &str) {
    // There is nobody left to tell that standard error is gone.
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}
