//! Times as the API and the command line write and read them: RFC 3339, UTC, milliseconds; and the
//! dates of HTTP headers.

use serde::{Serialize, Serializer};
use std::fmt;
use time::OffsetDateTime;
use time::format_description::well_known;
use xrpayd_core::ids::UnixMs;

/// An instant that shows itself as `2026-01-31T12:00:00.000Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rfc3339(pub UnixMs);

impl fmt::Display for Rfc3339 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = i128::from(self.0.0) * 1_000_000;
        // What lies outside the calendar is shown as the epoch: no stored time does.
        let at =
            OffsetDateTime::from_unix_timestamp_nanos(nanos).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
            at.year(),
            u8::from(at.month()),
            at.day(),
            at.hour(),
            at.minute(),
            at.second(),
            at.millisecond()
        )
    }
}

impl Serialize for Rfc3339 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Reads an RFC 3339 time with any offset.
#[must_use]
pub fn parse(text: &str) -> Option<UnixMs> {
    let at = OffsetDateTime::parse(text, &well_known::Rfc3339).ok()?;
    i64::try_from(at.unix_timestamp_nanos().div_euclid(1_000_000))
        .ok()
        .map(UnixMs)
}

/// Reads a date as HTTP headers bear it, such as `Fri, 15 Jan 2027 08:00:00 GMT`.
#[must_use]
pub fn parse_http_date(text: &str) -> Option<UnixMs> {
    let at = OffsetDateTime::parse(text, &well_known::Rfc2822).ok()?;
    at.unix_timestamp().checked_mul(1_000).map(UnixMs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_time_with_an_offset_is_the_same_instant() {
        let noon = parse("2026-01-31T12:00:00Z").unwrap();
        assert_eq!(parse("2026-01-31T13:30:00+01:30"), Some(noon));
        assert_eq!(Rfc3339(noon).to_string(), "2026-01-31T12:00:00.000Z");
        for text in ["", "2026-01-31", "yesterday", "2026-02-30T00:00:00Z"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_time_survives_its_text_form(ms in 0_i64..4_102_444_800_000) {
            prop_assert_eq!(parse(&Rfc3339(UnixMs(ms)).to_string()), Some(UnixMs(ms)));
        }
    }
}
