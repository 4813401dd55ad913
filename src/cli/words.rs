//! Words that a person types before something happens that cannot be taken back.

use super::failure::Failure;
use super::out;
use std::io::BufRead as _;

/// Asks for `words` on standard error and reads a line of standard input.
///
/// # Errors
/// Something else was typed, or nothing.
pub(super) fn typed(question: &str, words: &str) -> Result<(), Failure> {
    out::note(&format!("{question}\nType {words} to go on:"));
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    read.map_err(|error| Failure::because("The answer cannot be read.", error))?;
    if line.trim() == words {
        Ok(())
    } else {
        Err(Failure::new("Something else was typed: nothing was done."))
    }
}
