//! Standard output and standard error: the one place that writes to either.

use super::failure::Failure;
use std::io::Write as _;
use time::OffsetDateTime;
use xrpayd_core::ids::UnixMs;

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

/// An instant as RFC 3339 in UTC.
pub(super) fn time_text(at: UnixMs) -> String {
    let nanos = i128::from(at.0) * 1_000_000;
    let at = OffsetDateTime::from_unix_timestamp_nanos(nanos).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (date, time) = (at.date(), at.time());
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        date.year(),
        u8::from(date.month()),
        date.day(),
        time.hour(),
        time.minute(),
        time.second(),
        time.millisecond()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_shown_in_utc() {
        assert_eq!(time_text(UnixMs(0)), "1970-01-01T00:00:00.000Z");
        assert_eq!(
            time_text(UnixMs(1_709_210_096_007)),
            "2024-02-29T12:34:56.007Z"
        );
    }
}
