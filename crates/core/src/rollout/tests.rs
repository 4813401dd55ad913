use super::*;
use crate::limits::Caps;
use proptest::prelude::*;

const HOUR_MS: i64 = 3_600_000;

fn share(text: &str) -> Ratio {
    let ppm = u32::try_from(Drops::from_xrp(text).unwrap().get()).unwrap();
    Ratio { ppm }
}

fn everything() -> Criteria {
    Criteria {
        min_duration_ms: Some(24 * HOUR_MS),
        min_payments: Some(100),
        max_error_rate: Some(share("0.01")),
        confirmed: Some(Confirmed {
            within_ms: 120_000,
            ratio: share("0.99"),
        }),
        max_security_incidents: Some(0),
        alerts: Alerts::MustBeAcknowledged,
    }
}

fn good() -> Measured {
    Measured {
        since: UnixMs(1_000),
        now: UnixMs(1_000 + 24 * HOUR_MS),
        ended: Tally {
            delivered: 198,
            faults: 2,
        },
        timed: 200,
        in_time: 198,
        overdue: 0,
        security_incidents: 0,
        alerts: 2,
        alerts_unacknowledged: 0,
    }
}

/// The criteria that are not met.
fn failing(criteria: &Criteria, measured: &Measured) -> Vec<&'static str> {
    evaluate(criteria, measured)
        .iter()
        .filter(|finding| !finding.verdict.is_met())
        .map(|finding| finding.criterion.as_str())
        .collect()
}

#[test]
fn evidence_that_just_suffices_suffices() {
    let findings = evaluate(&everything(), &good());
    assert!(all_met(&findings), "{findings:?}");
    assert_eq!(findings.len(), 6);
    assert!(findings.iter().all(|finding| finding.measured.is_some()));
}

#[test]
fn each_criterion_fails_by_itself_for_the_least_that_is_missing() {
    type Change = fn(&mut Measured);
    let cases: [(&str, Change); 7] = [
        ("min_duration", |m| m.now = m.now.plus_ms(-1)),
        ("min_payments", |m| {
            m.ended = Tally {
                delivered: 99,
                faults: 0,
            };
        }),
        ("max_error_rate", |m| m.ended.faults += 1),
        ("confirmed_within", |m| m.in_time -= 1),
        ("confirmed_within", |m| m.overdue += 3),
        ("max_security_incidents", |m| m.security_incidents += 1),
        ("alerts_acknowledged", |m| m.alerts_unacknowledged += 1),
    ];
    for (criterion, change) in cases {
        let mut measured = good();
        change(&mut measured);
        assert_eq!(failing(&everything(), &measured), [criterion]);
    }
}

#[test]
fn where_there_is_nothing_to_measure_nothing_is_met_that_needs_it() {
    let nothing = Measured {
        since: UnixMs(0),
        now: UnixMs(30 * 24 * HOUR_MS),
        ..Measured::default()
    };
    let expected = [
        "min_payments",
        "max_error_rate",
        "confirmed_within",
        "alerts_acknowledged",
    ];
    assert_eq!(failing(&everything(), &nothing), expected);
    for finding in evaluate(&everything(), &nothing) {
        let is_count = matches!(finding.measured, Some(Figure::Count(0) | Figure::Span(_)));
        assert!(is_count || finding.measured.is_none(), "{finding:?}");
    }
    // Asking for no payment at all does not make none of them enough.
    let lax = Criteria {
        min_payments: Some(0),
        max_error_rate: Some(share("1")),
        ..Criteria::default()
    };
    assert_eq!(failing(&lax, &nothing), ["min_payments", "max_error_rate"]);
}

#[test]
fn a_stage_that_asks_for_nothing_is_not_left_by_evidence() {
    let findings = evaluate(&Criteria::default(), &good());
    assert!(!all_met(&findings));
    assert_eq!(findings[0].criterion.as_str(), "criteria");
    assert!(!all_met(&[]));
}

#[test]
fn a_clock_that_was_set_back_makes_no_stage_older() {
    let mut measured = good();
    measured.now = UnixMs(0);
    let findings = evaluate(&everything(), &measured);
    assert_eq!(findings[0].measured, Some(Figure::Span(0)));
    assert_eq!(failing(&everything(), &measured), ["min_duration"]);
}

fn stage(name: &str) -> Stage {
    Stage {
        name: name.to_owned(),
        max_payment: None,
        daily_limit: None,
        caps: Caps {
            min_payment: Drops::ZERO,
            max_payment: Drops::MAX,
            daily: Drops::MAX,
            max_pending: 1,
        },
        allowed_clients: vec!["*".to_owned()],
        criteria: Criteria::default(),
    }
}

fn ladder(highest: &str) -> Ladder {
    Ladder {
        stages: ["internal", "beta", "public", "general"].map(stage).into(),
        first: "internal".to_owned(),
        highest: highest.to_owned(),
        auto_demotion: None,
    }
}

#[test]
fn one_goes_up_a_step_at_a_time_and_no_higher_than_is_allowed() {
    let allowed = ladder("public");
    assert_eq!(allowed.above("internal").unwrap().name, "beta");
    assert_eq!(allowed.above("beta").unwrap().name, "public");
    for name in ["public", "general"] {
        let why = allowed.above(name).unwrap_err();
        let is_last = NoPromotion::IsLast;
        assert!(
            why == is_last && name == "general" || matches!(why, NoPromotion::AboveHighest { .. })
        );
    }
    assert_eq!(ladder("general").above("general"), Err(NoPromotion::IsLast));
    assert!(matches!(
        allowed.above("nowhere"),
        Err(NoPromotion::Unknown { lowest }) if lowest == "internal"
    ));
    assert!(allowed.is_above_highest("general") && !allowed.is_above_highest("public"));
}

#[test]
fn one_goes_down_to_any_lower_stage_and_never_up_or_sideways() {
    let ladder = ladder("general");
    let to = |from, to| ladder.below(from, to).map(|stage| stage.name.as_str());
    assert_eq!(to("general", None), Ok("public"));
    assert_eq!(to("general", Some("internal")), Ok("internal"));
    assert_eq!(to("internal", None), Err(NoDemotion::IsLowest));
    for (from, above) in [
        ("beta", "beta"),
        ("beta", "general"),
        ("internal", "internal"),
    ] {
        assert!(matches!(
            to(from, Some(above)),
            Err(NoDemotion::NotBelow { .. })
        ));
    }
    assert!(matches!(
        to("beta", Some("nowhere")),
        Err(NoDemotion::NoSuchStage { .. })
    ));
    // A stage that is not known has no place: only the lowest one is surely below it.
    assert_eq!(to("nowhere", None), Ok("internal"));
    assert!(matches!(
        to("nowhere", Some("beta")),
        Err(NoDemotion::NotBelow { .. })
    ));
    assert_eq!(ladder.rules_at("nowhere").name, "internal");
    assert_eq!(ladder.rules_at("public").name, "public");
}

fn rule() -> AutoDemotion {
    AutoDemotion {
        error_budget: share("0.01"),
        burn_rate: 10,
        long_ms: HOUR_MS,
        short_ms: HOUR_MS / 12,
        min_payments: 20,
    }
}

#[test]
fn both_windows_have_to_burn_and_the_long_one_has_to_hold_enough() {
    let tally = |delivered, faults| Tally { delivered, faults };
    assert!(rule().is_breached(tally(18, 2), tally(9, 1)));
    assert!(
        !rule().is_breached(tally(19, 2), tally(9, 1)),
        "not for long"
    );
    assert!(
        !rule().is_breached(tally(18, 2), tally(10, 1)),
        "not any more"
    );
    assert!(
        !rule().is_breached(tally(18, 2), tally(0, 0)),
        "nothing lately"
    );
    assert!(!rule().is_breached(tally(0, 19), tally(0, 5)), "too few");
    assert!(
        !rule().is_breached(tally(0, 0), tally(0, 0)),
        "nothing at all"
    );
}

proptest! {
    #[test]
    fn a_share_is_compared_as_the_fractions_are(
        part in 0_u64..u64::MAX, more in 0_u64..1_000, ppm in 0_u32..=1_000_000,
    ) {
        let whole = part.saturating_add(more);
        let wanted = Ratio { ppm };
        let left = u128::from(part) * 1_000_000;
        let right = u128::from(whole) * u128::from(ppm);
        prop_assert_eq!(wanted.is_exceeded_by(part, whole), left > right);
        prop_assert_eq!(wanted.is_reached_by(part, whole), left >= right);
        // What is shown never looks better than what was compared.
        if whole > 0 {
            let (up, down) = (Ratio::up(part, whole).unwrap(), Ratio::down(part, whole).unwrap());
            prop_assert!(up >= down && up.ppm - down.ppm <= 1);
            prop_assert_eq!(wanted.is_exceeded_by(part, whole), up > wanted);
            prop_assert_eq!(wanted.is_reached_by(part, whole), down >= wanted);
        } else {
            prop_assert!(Ratio::up(part, whole).is_none() && Ratio::down(part, whole).is_none());
        }
    }

    #[test]
    fn no_measurement_makes_the_judge_panic(
        numbers in proptest::array::uniform10(any::<u64>()), since: i64, now: i64,
    ) {
        let [delivered, faults, timed, in_time, overdue, incidents, alerts, open, a, b] = numbers;
        let measured = Measured {
            since: UnixMs(since),
            now: UnixMs(now),
            ended: Tally { delivered, faults },
            timed,
            in_time,
            overdue,
            security_incidents: incidents,
            alerts,
            alerts_unacknowledged: open,
        };
        prop_assert_eq!(evaluate(&everything(), &measured).len(), 6);
        let _ = rule().is_breached(Tally { delivered, faults }, Tally { delivered: a, faults: b });
    }
}
