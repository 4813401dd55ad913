//! The only place where money and time become floats: on their way into a metric, never back.

use std::time::Duration;
use xrpayd_core::ids::UnixMs;
use xrpayd_core::money::Drops;

/// XRP as a metric carries it.
#[must_use]
#[expect(
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    reason = "a metric is a float; no decision is made on it"
)]
pub const fn xrp(drops: Drops) -> f64 {
    drops.get() as f64 / 1_000_000.0
}

/// `part` of `whole`, from 0 to 1; 0 of nothing.
#[must_use]
#[expect(
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    reason = "a metric is a float; no decision is made on it"
)]
pub const fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}

/// The seconds from `earlier` to `later`; 0 where the clock was set back in between.
#[must_use]
pub fn seconds_between(earlier: UnixMs, later: UnixMs) -> f64 {
    Duration::from_millis(u64::try_from(later.since_ms(earlier)).unwrap_or(0)).as_secs_f64()
}

/// A moment in Unix time, as a metric carries it.
#[must_use]
pub fn since_epoch(at: UnixMs) -> f64 {
    seconds_between(UnixMs(0), at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_those_of_the_metric_names() {
        assert!((xrp(Drops::new(12_500_000).unwrap()) - 12.5).abs() < 1e-9);
        assert!((seconds_between(UnixMs(500), UnixMs(2_000)) - 1.5).abs() < 1e-9);
        assert!(seconds_between(UnixMs(2_000), UnixMs(500)).abs() < 1e-9);
        assert!((ratio(1, 4) - 0.25).abs() < 1e-9);
        assert!(ratio(1, 0).abs() < 1e-9);
    }
}
