//! Section `rollout`: the stages, how high they may go, and when one is given up by itself.

use super::super::read::Reader;
use super::super::stages::{Criteria, Rollout, Stage};
use super::super::value::Xrp;
use super::{COUNT, positive};
use std::collections::BTreeSet;
use std::time::Duration;
use xrpayd_core::rollout::{AutoDemotion, Ratio};

const STAGES: &str = "rollout.stages";
/// A budget that burns faster than this is not one.
const BURN_RATE_MAX: u64 = 1_000;
/// The longest window: what is older says nothing about now.
const WINDOW_MAX: Duration = Duration::from_secs(7 * 24 * 3_600);

pub(super) fn rollout(r: &mut Reader) -> Option<Rollout> {
    let stage: Option<String> = r.required("rollout.stage");
    let highest: Option<String> = r.optional("rollout.highest_stage");
    let auto_demotion = auto_demotion(r);
    let length = r.length(STAGES)?;
    let read: Vec<Option<Stage>> = (0..length).map(|index| one_stage(r, index)).collect();
    let stages = read.into_iter().collect::<Option<Vec<Stage>>>()?;
    let mut names = BTreeSet::new();
    for (index, stage) in stages.iter().enumerate() {
        if !names.insert(&stage.name) {
            let key = format!("{STAGES}[{index}].name");
            r.error(&key, "is the name of a stage before it");
        }
    }
    let last = stages.last()?.name.clone();
    let rollout = Rollout {
        stage: stage?,
        highest: highest.unwrap_or(last),
        stages,
        auto_demotion: auto_demotion?,
    };
    let first = place(r, &rollout, "rollout.stage", &rollout.stage);
    let highest = place(r, &rollout, "rollout.highest_stage", &rollout.highest);
    if first? > highest? {
        let message = format!(
            "is above rollout.highest_stage, which is {}",
            rollout.highest
        );
        r.error("rollout.stage", message);
        return None;
    }
    Some(rollout)
}

/// The place of a stage that a setting names.
fn place(r: &mut Reader, rollout: &Rollout, key: &str, name: &str) -> Option<usize> {
    let found = rollout.find(name).map(|(place, _)| place);
    if found.is_none() {
        let names: Vec<&str> = rollout.stages.iter().map(|s| s.name.as_str()).collect();
        r.error(
            key,
            format!("must be one of the stages: {}", names.join(", ")),
        );
    }
    found
}

fn one_stage(r: &mut Reader, index: usize) -> Option<Stage> {
    let key = |field: &str| format!("{STAGES}[{index}].{field}");
    let name = r.required::<String>(&key("name"));
    let max_payment = r.optional::<Xrp>(&key("max_payment_xrp"));
    let daily_limit = r.optional::<Xrp>(&key("daily_limit_xrp"));
    let allowed_clients: Option<Vec<String>> = r.optional(&key("allowed_clients"));
    let min_duration = r.optional(&key("min_duration"));
    let criteria = Criteria {
        max_error_rate: r.optional(&key("criteria.max_error_rate")),
        confirmed_within: r.optional(&key("criteria.confirmed_within")),
        confirmed_ratio: r.optional(&key("criteria.confirmed_ratio")),
        min_payments: r.optional(&key("criteria.min_payments")),
        max_security_incidents: r.optional(&key("criteria.max_security_incidents")),
        alerts_acknowledged: r.optional(&key("criteria.alerts_acknowledged")),
    };
    if criteria.confirmed_within.is_some() != criteria.confirmed_ratio.is_some() {
        r.error(
            &key("criteria"),
            "names one of confirmed_within and confirmed_ratio, and needs both",
        );
    }
    Some(Stage {
        name: name?,
        max_payment: max_payment.map(|read| read.0),
        daily_limit: daily_limit.map(|read| read.0),
        allowed_clients: allowed_clients.unwrap_or_else(|| vec!["*".to_owned()]),
        min_duration,
        criteria,
    })
}

/// The inner one is none where nothing is given up by itself.
fn auto_demotion(r: &mut Reader) -> Option<Option<AutoDemotion>> {
    const BURN_RATE: &str = "rollout.auto_demote.burn_rate";
    const SHORT: &str = "rollout.auto_demote.short_window";
    const LONG: &str = "rollout.auto_demote.long_window";
    let is_on = r.value(BURN_RATE).is_some();
    let burn_rate = r.optional_number::<u32>(BURN_RATE, 1..=BURN_RATE_MAX);
    let error_budget: Option<Ratio> = r.required("rollout.auto_demote.error_budget");
    let long = positive(r, LONG);
    let short = positive(r, SHORT);
    let min_payments = r.number("rollout.auto_demote.min_payments", COUNT);
    if !is_on {
        return Some(None);
    }
    let (burn_rate, error_budget, long, short) = (burn_rate?, error_budget?, long?, short?);
    if error_budget.ppm == 0 {
        let message = "must be more than nothing where a burn_rate is set";
        r.error("rollout.auto_demote.error_budget", message);
    }
    if u64::from(error_budget.ppm).saturating_mul(u64::from(burn_rate)) > 1_000_000 {
        let message =
            "is so often the error_budget that more payments would have to fail than there are";
        r.error(BURN_RATE, message);
    }
    if long > WINDOW_MAX {
        r.error(LONG, "must be seven days at most");
    }
    if short >= long {
        r.error(SHORT, "must be shorter than long_window");
    }
    let ms = |window: Duration| i64::try_from(window.as_millis()).unwrap_or(i64::MAX);
    Some(Some(AutoDemotion {
        error_budget,
        burn_rate,
        long_ms: ms(long),
        short_ms: ms(short),
        min_payments: min_payments?,
    }))
}
