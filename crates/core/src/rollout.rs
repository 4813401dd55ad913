//! The rollout: stages in order, what has to be seen before the next one, and who judges it.
//!
//! Owns the arithmetic of the evidence and the order of the stages. All of it is pure: what was
//! measured and what time it is are handed in. Nothing here is ever met for want of data: a share of
//! nothing is no share, and a stage that asks for nothing is left by an override alone.

mod burn;
mod ladder;
mod outcome;
#[cfg(test)]
mod tests;

pub use burn::{AutoDemotion, Tally};
pub use ladder::{InForce, Ladder, NoDemotion, NoPromotion, Stage};
pub use outcome::Outcome;

use crate::ids::UnixMs;
use crate::money::Drops;
use std::fmt;

/// A share between nothing and the whole, in millionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ratio {
    /// Millionths.
    pub ppm: u32,
}

/// The whole, in millionths.
const WHOLE_PPM: u64 = 1_000_000;

impl Ratio {
    /// The share that `part` is of `whole`, rounded up; none of nothing.
    #[must_use]
    pub fn up(part: u64, whole: u64) -> Option<Self> {
        let scaled = u128::from(part).checked_mul(u128::from(WHOLE_PPM))?;
        Self::of(
            scaled.checked_next_multiple_of(u128::from(whole.max(1)))?,
            whole,
        )
    }

    /// The share that `part` is of `whole`, rounded down; none of nothing.
    #[must_use]
    pub fn down(part: u64, whole: u64) -> Option<Self> {
        Self::of(u128::from(part).checked_mul(u128::from(WHOLE_PPM))?, whole)
    }

    fn of(scaled: u128, whole: u64) -> Option<Self> {
        let ppm = scaled.checked_div(u128::from(whole))?;
        let ppm = u32::try_from(ppm).ok()?;
        Some(Self { ppm })
    }

    /// Whether `part` of `whole` is more than this share, to the last payment.
    fn is_exceeded_by(self, part: u64, whole: u64) -> bool {
        scaled(part, WHOLE_PPM) > scaled(whole, u64::from(self.ppm))
    }

    /// Whether `part` of `whole` is at least this share, to the last payment.
    fn is_reached_by(self, part: u64, whole: u64) -> bool {
        scaled(part, WHOLE_PPM) >= scaled(whole, u64::from(self.ppm))
    }
}

/// Two factors of 64 bits always fit 128.
fn scaled(count: u64, factor: u64) -> u128 {
    u128::from(count).saturating_mul(u128::from(factor))
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Six decimals are those of XRP, so its exact text serves here as well.
        let drops = Drops::new(u64::from(self.ppm)).unwrap_or(Drops::ZERO);
        f.write_str(&drops.to_xrp())
    }
}

/// What must be seen at a stage before the next one; what is not named is not asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Criteria {
    /// How long the stage lasts at least, in milliseconds.
    pub min_duration_ms: Option<i64>,
    /// How many payments must have been delivered or have failed.
    pub min_payments: Option<u64>,
    /// The largest share of them that may have failed by a fault of ours or the network's.
    pub max_error_rate: Option<Ratio>,
    /// How soon they must have had their end, and which share of them.
    pub confirmed: Option<Confirmed>,
    /// How many security incidents there may have been.
    pub max_security_incidents: Option<u64>,
    /// Whether alerts must have reached somebody who acknowledged them.
    pub alerts: Alerts,
}

/// How soon payments must have had their end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Confirmed {
    /// From the acceptance, in milliseconds.
    pub within_ms: i64,
    /// Which share of them.
    pub ratio: Ratio,
}

/// Whether alerts are asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Alerts {
    /// They are not.
    #[default]
    NotAsked,
    /// At least one must have been raised, and every one acknowledged: that somebody watches has to
    /// be shown, and an alert that nobody raised shows nothing.
    MustBeAcknowledged,
}

/// What was measured at a stage, of the payments that were accepted at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Measured {
    /// When the stage came into force.
    pub since: UnixMs,
    /// The moment of the measuring.
    pub now: UnixMs,
    /// How the payments ended that had their end.
    pub ended: Tally,
    /// How many of those that waited for nobody's approval had their end.
    pub timed: u64,
    /// How many of these had it in time.
    pub in_time: u64,
    /// How many that waited for nobody's approval should have had their end by now, and have none.
    pub overdue: u64,
    /// Security incidents of the stage's time, and those that are not closed.
    pub security_incidents: u64,
    /// Alerts of the stage's time.
    pub alerts: u64,
    /// Those of them that nobody has acknowledged.
    pub alerts_unacknowledged: u64,
}

/// A criterion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Criterion {
    /// How long the stage has lasted.
    MinDuration,
    /// How many payments there were.
    MinPayments,
    /// How many of them failed.
    MaxErrorRate,
    /// How many of them had their end in time.
    ConfirmedWithin,
    /// How many security incidents there were.
    MaxSecurityIncidents,
    /// Whether alerts were acknowledged.
    AlertsAcknowledged,
    /// That there is a criterion at all.
    Criteria,
}

impl Criterion {
    /// Its name in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MinDuration => "min_duration",
            Self::MinPayments => "min_payments",
            Self::MaxErrorRate => "max_error_rate",
            Self::ConfirmedWithin => "confirmed_within",
            Self::MaxSecurityIncidents => "max_security_incidents",
            Self::AlertsAcknowledged => "alerts_acknowledged",
            Self::Criteria => "criteria",
        }
    }
}

/// What is wanted of a criterion, or was measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Figure {
    /// A time, in milliseconds.
    Span(i64),
    /// A number.
    Count(u64),
    /// A share.
    Share(Ratio),
    /// A share within a time, in milliseconds.
    ShareWithin(Ratio, i64),
}

/// One criterion, held against what was measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The criterion.
    pub criterion: Criterion,
    /// What is wanted.
    pub wanted: Option<Figure>,
    /// What was measured; none where there was nothing to measure.
    pub measured: Option<Figure>,
    /// Whether it is met.
    pub verdict: Verdict,
    /// Why, in a sentence without its end.
    pub why: String,
}

/// Whether a criterion is met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is.
    Met,
    /// It is not, or nobody can tell.
    NotMet,
}

impl Verdict {
    const fn of(is_met: bool) -> Self {
        if is_met { Self::Met } else { Self::NotMet }
    }

    /// Whether it is met.
    #[must_use]
    pub const fn is_met(self) -> bool {
        matches!(self, Self::Met)
    }
}

/// Holds the criteria of a stage against what was measured: one finding for each that is named, in
/// the order of [`Criterion`]. A stage that names none gets a finding that is never met.
#[must_use]
pub fn evaluate(criteria: &Criteria, measured: &Measured) -> Vec<Finding> {
    let findings: Vec<Finding> = [
        criteria
            .min_duration_ms
            .map(|ms| min_duration(ms, measured)),
        criteria
            .min_payments
            .map(|count| min_payments(count, measured)),
        criteria
            .max_error_rate
            .map(|most| max_error_rate(most, measured)),
        criteria.confirmed.map(|wanted| confirmed(wanted, measured)),
        criteria
            .max_security_incidents
            .map(|most| max_security_incidents(most, measured)),
        match criteria.alerts {
            Alerts::NotAsked => None,
            Alerts::MustBeAcknowledged => Some(alerts_acknowledged(measured)),
        },
    ]
    .into_iter()
    .flatten()
    .collect();
    if !findings.is_empty() {
        return findings;
    }
    vec![Finding {
        criterion: Criterion::Criteria,
        wanted: None,
        measured: None,
        verdict: Verdict::NotMet,
        why: "the stage names no criteria, so nothing can speak for leaving it".to_owned(),
    }]
}

/// Whether everything is met.
#[must_use]
pub fn all_met(findings: &[Finding]) -> bool {
    !findings.is_empty() && findings.iter().all(|finding| finding.verdict.is_met())
}

fn min_duration(wanted_ms: i64, measured: &Measured) -> Finding {
    // A clock that was set back makes the stage younger, never older.
    let lasted_ms = measured.now.since_ms(measured.since).max(0);
    let is_met = lasted_ms >= wanted_ms;
    let left_s = wanted_ms
        .saturating_sub(lasted_ms)
        .saturating_add(999)
        .div_euclid(1_000);
    Finding {
        criterion: Criterion::MinDuration,
        wanted: Some(Figure::Span(wanted_ms)),
        measured: Some(Figure::Span(lasted_ms)),
        verdict: Verdict::of(is_met),
        why: if is_met {
            "the stage has lasted long enough".to_owned()
        } else {
            format!("the stage has to last {} seconds more", left_s)
        },
    }
}

fn min_payments(wanted: u64, measured: &Measured) -> Finding {
    let count = measured.ended.total();
    // Nothing is never enough, also where nothing is asked for.
    let is_met = count >= wanted && count > 0;
    Finding {
        criterion: Criterion::MinPayments,
        wanted: Some(Figure::Count(wanted)),
        measured: Some(Figure::Count(count)),
        verdict: Verdict::of(is_met),
        why: match count {
            0 => "no payment has had its end at this stage".to_owned(),
            1 => "one payment has been delivered or has failed at this stage".to_owned(),
            _ => format!("{count} payments have been delivered or have failed at this stage"),
        },
    }
}

fn max_error_rate(most: Ratio, measured: &Measured) -> Finding {
    let (faults, total) = (measured.ended.faults, measured.ended.total());
    let rate = Ratio::up(faults, total);
    Finding {
        criterion: Criterion::MaxErrorRate,
        wanted: Some(Figure::Share(most)),
        measured: rate.map(Figure::Share),
        verdict: Verdict::of(rate.is_some() && !most.is_exceeded_by(faults, total)),
        why: match rate {
            None => "no payment has had its end at this stage, so there is no rate".to_owned(),
            Some(_) => format!("{faults} of {total} payments failed"),
        },
    }
}

fn confirmed(wanted: Confirmed, measured: &Measured) -> Finding {
    // What should have had its end and has none is as late as what had it late.
    let due = measured.timed.saturating_add(measured.overdue);
    let ratio = Ratio::down(measured.in_time, due);
    let is_met = ratio.is_some() && wanted.ratio.is_reached_by(measured.in_time, due);
    Finding {
        criterion: Criterion::ConfirmedWithin,
        wanted: Some(Figure::ShareWithin(wanted.ratio, wanted.within_ms)),
        measured: ratio.map(Figure::Share),
        verdict: Verdict::of(is_met),
        why: match ratio {
            None => "no payment had to have its end by now, so there is no share".to_owned(),
            Some(_) => format!(
                "{} of {due} payments had their end in time, and {} have none yet",
                measured.in_time, measured.overdue
            ),
        },
    }
}

fn max_security_incidents(most: u64, measured: &Measured) -> Finding {
    let count = measured.security_incidents;
    Finding {
        criterion: Criterion::MaxSecurityIncidents,
        wanted: Some(Figure::Count(most)),
        measured: Some(Figure::Count(count)),
        verdict: Verdict::of(count <= most),
        why: format!(
            "security incidents of this stage, and older ones that are not closed: {count}"
        ),
    }
}

fn alerts_acknowledged(measured: &Measured) -> Finding {
    let (alerts, open) = (measured.alerts, measured.alerts_unacknowledged);
    let acknowledged = alerts.saturating_sub(open);
    Finding {
        criterion: Criterion::AlertsAcknowledged,
        // All of them, and where there were none, one.
        wanted: Some(Figure::Count(alerts.max(1))),
        measured: (alerts > 0).then_some(Figure::Count(acknowledged)),
        verdict: Verdict::of(alerts > 0 && open == 0),
        why: match alerts {
            0 => "no alert was raised at this stage, so nobody has shown to watch".to_owned(),
            _ => format!("{acknowledged} of {alerts} alerts were acknowledged"),
        },
    }
}
