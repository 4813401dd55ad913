//! The stages of the rollout, how high they may go, and when one is given up by itself.

use super::{MINIMAL, Problem, load};
use xrpayd_core::rollout::{Alerts, Ratio};

/// The rollout that the text makes of the shipped one.
fn with(text: &str) -> xrpayd_core::rollout::Ladder {
    load(None, &[MINIMAL, text], &[]).unwrap().config.ladder()
}

/// The one error that the text leads to.
fn refused(text: &str) -> Problem {
    let errors = load(None, &[MINIMAL, text], &[]).unwrap_err().errors;
    let [error] = errors.try_into().unwrap();
    error
}

#[test]
fn a_criterion_that_nobody_knows_is_an_error() {
    let error = refused(
        "[[rollout.stages]]\nname = \"internal\"\ncriteria = { max_eror_rate = \"0.01\" }\n",
    );
    assert_eq!(error.key, "rollout.stages[0].criteria.max_eror_rate");
    assert!(
        error.message.contains("max_error_rate"),
        "{}",
        error.message
    );
    for (written, key) in [
        ("max_error_rate = \"NaN\"", "max_error_rate"),
        ("max_error_rate = nan", "max_error_rate"),
        ("min_payments = -1", "min_payments"),
        ("alerts_acknowledged = \"yes\"", "alerts_acknowledged"),
    ] {
        let text = format!("[[rollout.stages]]\nname = \"internal\"\ncriteria = {{ {written} }}\n");
        let expected = format!("rollout.stages[0].criteria.{key}");
        assert_eq!(refused(&text).key, expected);
    }
}

#[test]
fn the_highest_stage_is_one_of_them_and_not_below_the_first() {
    let ladder = with("[rollout]\nhighest_stage = \"limited-beta\"\n");
    assert!(ladder.above("internal").is_ok() && ladder.above("limited-beta").is_err());
    let unknown = refused("[rollout]\nhighest_stage = \"everyone\"\n");
    assert_eq!(unknown.key, "rollout.highest_stage");
    let below = refused("[rollout]\nstage = \"general\"\nhighest_stage = \"internal\"\n");
    assert_eq!(below.key, "rollout.stage");
}

#[test]
fn automatic_demotion_is_off_until_a_burn_rate_is_set_and_has_to_make_sense() {
    let rule = with("[rollout.auto_demote]\nburn_rate = 10\n")
        .auto_demotion
        .unwrap();
    assert_eq!(
        (rule.error_budget, rule.burn_rate),
        (Ratio { ppm: 10_000 }, 10)
    );
    assert_eq!((rule.long_ms, rule.short_ms), (3_600_000, 300_000));
    assert_eq!(
        with("[rollout.auto_demote]\nlong_window = \"2h\"\n").auto_demotion,
        None
    );
    for (text, key) in [
        ("burn_rate = 0", "burn_rate"),
        ("burn_rate = 101", "burn_rate"),
        ("burn_rate = 2\nerror_budget = \"0\"", "error_budget"),
        ("burn_rate = 2\nshort_window = \"1h\"", "short_window"),
        ("burn_rate = 2\nlong_window = \"8d\"", "long_window"),
        ("burn_rate = 2\nmin_payments = 0", "min_payments"),
    ] {
        let error = refused(&format!("[rollout.auto_demote]\n{text}\n"));
        assert_eq!(error.key, format!("rollout.auto_demote.{key}"));
    }
}

#[test]
fn alerts_are_asked_about_where_the_configuration_says_so() {
    let ladder = with(
        "[[rollout.stages]]\nname = \"internal\"\ncriteria = { alerts_acknowledged = true }\n\
         [[rollout.stages]]\nname = \"general\"\ncriteria = { alerts_acknowledged = false }\n",
    );
    let alerts: Vec<Alerts> = ladder.stages.iter().map(|s| s.criteria.alerts).collect();
    assert_eq!(alerts, [Alerts::MustBeAcknowledged, Alerts::NotAsked]);
}
