//! The only reader of the wall clock in this crate. The ledger's own time starts in the year 2000.
//!
//! Owns nothing; on a clock before that year it answers zero.

/// Seconds between the Unix epoch and the ledger's epoch, 2000-01-01T00:00:00Z.
pub(crate) const RIPPLE_EPOCH_UNIX_S: u64 = 946_684_800;

/// Microseconds since the Unix epoch.
#[allow(
    clippy::disallowed_methods,
    reason = "the model's one reader of the wall clock; ledgers carry real close times"
)]
pub(crate) fn unix_us() -> u64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| {
            u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
        })
}

/// Seconds since the ledger's epoch.
pub(crate) fn ripple_s() -> u32 {
    let seconds = (unix_us() / 1_000_000).saturating_sub(RIPPLE_EPOCH_UNIX_S);
    u32::try_from(seconds).unwrap_or(u32::MAX)
}

/// A calendar date and time of day, UTC.
pub(crate) struct Civil {
    pub(crate) year: u64,
    pub(crate) month: u64,
    pub(crate) day: u64,
    pub(crate) hour: u64,
    pub(crate) minute: u64,
    pub(crate) second: u64,
}

/// Splits Unix seconds into a date (the civil-from-days algorithm, for years after 1970).
pub(crate) fn civil(unix_s: u64) -> Civil {
    let (days, rest) = (unix_s / 86_400, unix_s % 86_400);
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_index = (5 * day_of_year + 2) / 153;
    let month = if month_index < 10 {
        month_index + 3
    } else {
        month_index - 9
    };
    Civil {
        year: year_of_era + era * 400 + u64::from(month <= 2),
        month,
        day: day_of_year - (153 * month_index + 2) / 5 + 1,
        hour: rest / 3_600,
        minute: rest / 60 % 60,
        second: rest % 60,
    }
}

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// `2026-11-21T03:05:21Z`, from seconds of the ledger's epoch.
pub(crate) fn iso(ripple_s: u32) -> String {
    let c = civil(u64::from(ripple_s) + RIPPLE_EPOCH_UNIX_S);
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
        c.year, c.month, c.day, c.hour, c.minute, c.second
    )
}

/// `2026-Nov-21 03:05:21`, as rippled writes times for people.
fn human_seconds(unix_s: u64) -> String {
    let c = civil(unix_s);
    let month = usize::try_from(c.month - 1)
        .ok()
        .and_then(|m| MONTHS.get(m));
    format!(
        "{:04}-{}-{:02} {:02}:{:02}:{:02}",
        c.year,
        month.copied().unwrap_or_default(),
        c.day,
        c.hour,
        c.minute,
        c.second
    )
}

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];

/// Now as HTTP headers show it: `Sat, 21 Nov 2026 03:09:45 +0000`.
pub(crate) fn http_date() -> String {
    http_date_at(unix_us() / 1_000_000)
}

fn http_date_at(unix_s: u64) -> String {
    let c = civil(unix_s);
    let month = usize::try_from(c.month - 1)
        .ok()
        .and_then(|m| MONTHS.get(m));
    let day = usize::try_from(unix_s / 86_400 % 7)
        .ok()
        .and_then(|d| DAYS.get(d));
    format!(
        "{}, {:02} {} {:04} {:02}:{:02}:{:02} +0000",
        day.copied().unwrap_or_default(),
        c.day,
        month.copied().unwrap_or_default(),
        c.year,
        c.hour,
        c.minute,
        c.second
    )
}

/// `2026-Nov-21 03:05:21.000000000 UTC`, from seconds of the ledger's epoch.
pub(crate) fn human(ripple_s: u32) -> String {
    let seconds = human_seconds(u64::from(ripple_s) + RIPPLE_EPOCH_UNIX_S);
    format!("{seconds}.000000000 UTC")
}

/// `2026-Nov-21 03:05:18.907103 UTC`, from microseconds of the Unix epoch.
pub(crate) fn human_us(unix_us: u64) -> String {
    let seconds = human_seconds(unix_us / 1_000_000);
    format!("{seconds}.{:06} UTC", unix_us % 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_print_as_the_recordings_show_them() {
        assert_eq!(iso(848_545_521), "2026-11-21T03:05:21Z");
        assert_eq!(human(848_545_521), "2026-Nov-21 03:05:21.000000000 UTC");
        assert_eq!(
            http_date_at(1_795_230_585),
            "Sat, 21 Nov 2026 03:09:45 +0000"
        );
        assert_eq!(iso(0), "2000-01-01T00:00:00Z");
        assert_eq!(iso(5_097_600), "2000-02-29T00:00:00Z");
        assert_eq!(
            human_us(1_795_230_318_907_103),
            "2026-Nov-21 03:05:18.907103 UTC"
        );
    }
}
