//! The stage in force: begun once, changed once from what was read, and binding for every accept; and
//! what is measured at it.

use super::bed::*;
use xrpayd::rollout::{demote_where_breached, settle};
use xrpayd::store::{
    AcceptOutcome, Actor, Closing, FeedFilter, IncidentKind, NewPayment, StageChange, StageInForce,
    StageOutcome, Step, Store, StoreError,
};
use xrpayd_core::ids::UnixMs;
use xrpayd_core::money::Drops;
use xrpayd_core::payment::{ApprovalRule, Payment};
use xrpayd_core::rollout::{AutoDemotion, Criteria, Ladder, Ratio, Stage, Tally};

/// The lower stage lets a payment move 10 XRP, the upper one 100.
const LOW: &str = "internal";
const HIGH: &str = "beta";

fn ladder() -> Ladder {
    let stage = |name: &str, most: &str| Stage {
        name: name.to_owned(),
        max_payment: None,
        daily_limit: None,
        caps: xrpayd_core::limits::Caps {
            max_payment: xrp(most),
            ..roomy()
        },
        allowed_clients: vec!["*".to_owned()],
        criteria: Criteria::default(),
    };
    Ladder {
        stages: vec![stage(LOW, "10"), stage(HIGH, "100")],
        first: LOW.to_owned(),
        highest: HIGH.to_owned(),
        auto_demotion: Some(AutoDemotion {
            error_budget: Ratio { ppm: 10_000 },
            burn_rate: 10,
            long_ms: 3_600_000,
            short_ms: 300_000,
            min_payments: 5,
        }),
    }
}

/// A request by the rules of a stage.
fn at_stage(stage: &str, key: &str, amount: &str, now: UnixMs) -> NewPayment {
    let mut new = request(key, amount, now);
    new.stage = stage.to_owned();
    new.caps = ladder().rules_at(stage).caps;
    new
}

fn change(from: &StageInForce, to: &str, step: Step, at: UnixMs) -> StageChange {
    StageChange {
        from: from.clone(),
        to: to.to_owned(),
        step,
        at,
        by: Actor::Cli { uid: 7, said: None },
        reason: Some("because".to_owned()),
        override_reason: None,
        evidence: serde_json::json!([{ "criterion": "min_payments", "met": true }]),
    }
}

async fn moved(store: &Store, to: &str, step: Step, at: UnixMs) -> StageInForce {
    let from = store.stage_in_force().await.unwrap().unwrap();
    match store
        .change_stage(&change(&from, to, step, at))
        .await
        .unwrap()
    {
        StageOutcome::Changed(now) => now,
        other => panic!("{other:?}"),
    }
}

/// A payment that the ledger refuses for this reason.
async fn failed(
    store: &Store,
    payment: &Payment,
    sequence: u32,
    result: &str,
    now: UnixMs,
) -> Payment {
    let payment = committed(store, signed(payment, sequence, now)).await;
    committed(store, found(&payment, result, now)).await
}

on_both_stores! {
    async fn a_rollout_begins_once_and_the_database_keeps_its_stage(bed) {
        let store = bed.open().await;
        assert_eq!(store.stage_in_force().await.unwrap(), None);
        let begun = store.begin_rollout(LOW, T0).await.unwrap();
        assert_eq!((begun.stage.as_str(), begun.since, begun.version), (LOW, T0, 1));
        assert_eq!(store.begin_rollout(HIGH, T0.plus_ms(9)).await.unwrap(), begun);
        let up = moved(&store, HIGH, Step::Promoted, T0.plus_ms(10)).await;
        let mut configured = ladder();
        assert_eq!(settle(&store, &configured, T0.plus_ms(11)).await.unwrap(), up);
        // A stage that the configuration does not have stays, and the lowest one's caps hold.
        configured.stages.pop();
        configured.highest = LOW.to_owned();
        assert_eq!(settle(&store, &configured, T0.plus_ms(12)).await.unwrap(), up);
        assert_eq!(configured.rules_at(HIGH).caps.max_payment, xrp("10"));
    }

    async fn a_stage_above_the_highest_that_is_allowed_is_left_once(bed) {
        let store = bed.open().await;
        store.begin_rollout(HIGH, T0).await.unwrap();
        let configured = Ladder { highest: LOW.to_owned(), ..ladder() };
        for _ in 0..2 {
            let now = settle(&store, &configured, T0.plus_ms(5)).await.unwrap();
            assert_eq!((now.stage.as_str(), now.version), (LOW, 2));
        }
        let records = store.stage_records(9).await.unwrap();
        assert_eq!((records.len(), records[0].by.as_str()), (2, "daemon"));
        assert_eq!(records[0].reason.as_deref(), Some("rollout.highest_stage is internal"));
    }

    async fn of_many_who_change_the_same_stage_one_does_and_all_of_it_is_kept(bed) {
        let store = bed.open().await;
        let from = store.begin_rollout(LOW, T0).await.unwrap();
        let up = change(&from, HIGH, Step::Promoted, T0.plus_ms(5));
        let racers: Vec<_> = (0..12)
            .map(|_| {
                let (store, up) = (store.clone(), up.clone());
                tokio::spawn(async move { store.change_stage(&up).await.unwrap() })
            })
            .collect();
        let mut changed = 0;
        for racer in racers {
            match racer.await.unwrap() {
                StageOutcome::Changed(now) | StageOutcome::Moved(now) if now.version != 2 => panic!("{now:?}"),
                StageOutcome::Changed(_) => changed += 1,
                StageOutcome::Moved(_) => {}
            }
        }
        assert_eq!(changed, 1);
        let records = store.stage_records(9).await.unwrap();
        let kept = &records[0];
        assert_eq!((records.len(), kept.version, kept.step), (2, 2, Step::Promoted));
        assert_eq!((kept.from.as_deref(), kept.to.as_str(), kept.by.as_str()), (Some(LOW), HIGH, "cli:7"));
        assert_eq!((&kept.reason, &kept.evidence), (&up.reason, &up.evidence));
        let told = store.feed(0, &FeedFilter::default(), 10).await.unwrap();
        let told: Vec<_> = told.iter().map(|event| event.type_.as_str()).collect();
        assert_eq!(told, ["rollout.changed"]);
        let audited = "select cast(count(*) as bigint) from audit_log where action = 'stage.promoted'";
        assert_eq!(bed.number(audited).await, 1);
        // A text that PostgreSQL cannot hold is refused before anything is tried.
        let bad = StageChange { reason: Some("a\0b".to_owned()), ..up };
        assert!(matches!(store.change_stage(&bad).await, Err(StoreError::NulInText { .. })));
    }

    async fn an_accept_goes_by_the_stage_in_force_and_a_repeated_one_by_none(bed) {
        let store = bed.open_with_writer().await;
        let before = accepted(&store, at_stage(HIGH, "before", "50", T0)).await;
        store.begin_rollout(LOW, T0).await.unwrap();
        let outcome = store.accept(at_stage(HIGH, "key", "50", T0)).await.unwrap();
        assert_eq!(outcome, AcceptOutcome::StageChanged { stage: LOW.to_owned() });
        assert_eq!(store.limit_usage(T0).await.unwrap().usage.daily_used, xrp("50"));
        let again = store.accept(at_stage(HIGH, "before", "50", T0)).await.unwrap();
        assert_eq!(again, AcceptOutcome::Replayed(before));
        accepted(&store, at_stage(LOW, "key", "5", T0)).await;
        // A row that is missing is no stage: nothing is accepted by it.
        bed.raw("delete from rollout").await;
        let lost = store.accept(at_stage(LOW, "other", "5", T0)).await;
        assert!(matches!(lost, Err(StoreError::Corrupt { .. })), "{lost:?}");
    }

    async fn nothing_is_accepted_by_a_stage_after_a_demotion_from_it(bed) {
        let store = bed.open_with_writer().await;
        let other = if bed.is_sqlite() { store.clone() } else { bed.open_with_writer().await };
        store.begin_rollout(HIGH, T0).await.unwrap();
        for round in 0..6_i64 {
            let callers: Vec<_> = (0..40)
                .map(|n| {
                    let store = if n % 2 == 0 { store.clone() } else { other.clone() };
                    tokio::spawn(async move {
                        let key = format!("{round}-{n}");
                        let mut stage = HIGH.to_owned();
                        loop {
                            let new = at_stage(&stage, &key, "50", T0.plus_ms(round));
                            match store.accept(new).await.unwrap() {
                                AcceptOutcome::Created(payment) => return Some(payment.stage),
                                AcceptOutcome::StageChanged { stage: now } => stage = now,
                                AcceptOutcome::Refused { .. } => return None,
                                other => panic!("{other:?}"),
                            }
                        }
                    })
                })
                .collect();
            tokio::task::yield_now().await;
            moved(&other, LOW, Step::Demoted, T0.plus_ms(round)).await;
            for caller in callers {
                // Whatever was accepted, was accepted as what it was: 50 XRP are too many for the lower stage.
                assert_ne!(caller.await.unwrap().as_deref(), Some(LOW));
            }
            let told = store.feed(0, &FeedFilter::default(), 10_000).await.unwrap();
            let mut in_force = HIGH.to_owned();
            for event in told {
                match event.type_.as_str() {
                    "rollout.changed" => in_force = event.data["stage"].as_str().unwrap().to_owned(),
                    _ => assert_eq!(event.data["stage"], in_force.as_str(), "in the order of the commits"),
                }
            }
            assert_eq!(in_force, LOW);
            moved(&store, HIGH, Step::Promoted, T0.plus_ms(round)).await;
        }
    }

    async fn what_payments_came_to_is_counted_for_their_stage_and_for_whose_fault_it_was(bed) {
        let store = anchored(bed).await;
        let earlier = accepted(&store, at_stage(LOW, "earlier", "1", T0)).await;
        let since = T0.plus_ms(10);
        let stage = store.begin_rollout(LOW, since).await.unwrap();
        let later = |seconds: i64| since.plus_ms(seconds * 1_000);
        delivered(&store, &earlier, 11, later(1)).await;
        let asked = async |key: &str| accepted(&store, at_stage(LOW, key, "1", since)).await;
        delivered(&store, &asked("in time").await, 12, later(60)).await;
        delivered(&store, &asked("late").await, 13, later(61)).await;
        failed(&store, &asked("ours").await, 14, "tecPATH_DRY", later(5)).await;
        failed(&store, &asked("theirs").await, 15, "tecDST_TAG_NEEDED", later(5)).await;
        let called_off = asked("called off").await;
        cancel(&store, called_off.id, None, later(5)).await;
        asked("overdue").await;
        let mut waits = at_stage(LOW, "waits", "1", since);
        waits.approval = Some(ApprovalRule { threshold: Drops::ZERO, expires_in_ms: 1 });
        accepted(&store, waits).await;

        let measured = store.measure(&stage, 60_000, later(61)).await.unwrap();
        assert_eq!(measured.ended, Tally { delivered: 2, faults: 1 });
        assert_eq!((measured.timed, measured.in_time, measured.overdue), (3, 2, 1));
        assert_eq!((measured.since, measured.now), (since, later(61)));
        let early = store.measure(&stage, 60_000, later(60)).await.unwrap();
        assert_eq!(early.overdue, 0, "what is not due yet is not late");
        let (long, short) = store.ends_since(LOW, since, later(60)).await.unwrap();
        assert_eq!(long, Tally { delivered: 3, faults: 1 });
        assert_eq!(short, Tally { delivered: 2, faults: 0 });
        // Another stage, and the same one once more, begin with nothing.
        let up = moved(&store, HIGH, Step::Promoted, later(70)).await;
        assert_eq!(store.measure(&up, 60_000, later(200)).await.unwrap().ended, Tally::default());
        let back = moved(&store, LOW, Step::Demoted, later(80)).await;
        let anew = store.measure(&back, 60_000, later(200)).await.unwrap();
        assert_eq!((anew.ended, anew.overdue), (Tally::default(), 0));
    }

    async fn incidents_count_for_the_stage_they_fell_into_and_for_as_long_as_they_are_open(bed) {
        let store = anchored(bed).await;
        let by = Actor::Cli { uid: 7, said: None };
        let report = async |kind, at| store.report_incident(kind, "somebody saw it", &by, at).await.unwrap();
        let closed = report(IncidentKind::Security, T0).await;
        let old = report(IncidentKind::Security, T0).await;
        let alert = report(IncidentKind::Alert, T0.plus_ms(30)).await;
        store.close_incident(closed.number, None, &by, T0).await.unwrap();
        let stage = store.begin_rollout(LOW, T0.plus_ms(20)).await.unwrap();
        let counts = async || {
            let seen = store.measure(&stage, 0, T0.plus_ms(99)).await.unwrap();
            (seen.security_incidents, seen.alerts, seen.alerts_unacknowledged)
        };
        assert_eq!(counts().await, (1, 1, 1));
        store.halt_unless_halted(WALLET, "a stranger has the key", None, T0).await.unwrap();
        assert_eq!(counts().await, (2, 1, 1), "a wallet that stands halted is one");
        let done = store.close_incident(alert.number, Some("seen"), &by, T0.plus_ms(40)).await.unwrap();
        let Closing::Closed(done) = done else { panic!("{done:?}") };
        assert_eq!(done.closed, Some((T0.plus_ms(40), "cli:7".to_owned(), Some("seen".to_owned()))));
        let again = store.close_incident(alert.number, None, &by, T0.plus_ms(50)).await.unwrap();
        assert_eq!(again, Closing::WasClosed(done));
        assert_eq!(store.close_incident(999, None, &by, T0).await.unwrap(), Closing::NotFound);
        store.close_incident(old.number, None, &by, T0.plus_ms(40)).await.unwrap();
        assert_eq!(counts().await, (1, 1, 0));
        let listed = store.incidents(9).await.unwrap();
        assert_eq!(listed.iter().map(|one| one.number).collect::<Vec<_>>(), [3, 2, 1]);
        let audited = "select cast(count(*) as bigint) from audit_log where action like 'incident.%'";
        assert_eq!(bed.number(audited).await, 6);
    }

    async fn a_breach_of_both_windows_demotes_once_whatever_the_number_of_replicas(bed) {
        let store = anchored(bed).await;
        let at = |minutes: i64| T0.plus_ms(minutes * 60_000);
        store.begin_rollout(HIGH, T0).await.unwrap();
        let mut sequence = 10;
        let mut make = async |minutes: i64, result: &str| {
            sequence += 1;
            let new = at_stage(HIGH, &format!("key {sequence}"), "1", at(minutes));
            let payment = accepted(&store, new).await;
            failed(&store, &payment, sequence, result, at(minutes)).await;
        };
        // Nothing at all, and a fault among too few, say nothing.
        assert_eq!(demote_where_breached(&store, &ladder(), at(1)).await.unwrap(), None);
        make(1, "tecPATH_DRY").await;
        assert_eq!(demote_where_breached(&store, &ladder(), at(1)).await.unwrap(), None);
        // Enough of them, and too many faults over the hour, of which none is recent: it has passed.
        for _ in 0..5 {
            make(2, "tesSUCCESS").await;
        }
        make(20, "tesSUCCESS").await;
        assert_eq!(demote_where_breached(&store, &ladder(), at(20)).await.unwrap(), None);
        // A short burst after an hour of good payments: too few over the hour.
        for minutes in 30..60 {
            make(minutes, "tesSUCCESS").await;
        }
        make(70, "tecPATH_DRY").await;
        make(70, "tecPATH_DRY").await;
        assert_eq!(demote_where_breached(&store, &ladder(), at(70)).await.unwrap(), None);
        // What the destinations are the reason of says nothing against us.
        for _ in 0..9 {
            make(71, "tecDST_TAG_NEEDED").await;
        }
        assert_eq!(demote_where_breached(&store, &ladder(), at(71)).await.unwrap(), None);
        for _ in 0..3 {
            make(71, "tecPATH_DRY").await;
        }
        // Without a rule nothing happens, whatever fails.
        let unruled = Ladder { auto_demotion: None, ..ladder() };
        assert_eq!(demote_where_breached(&store, &unruled, at(71)).await.unwrap(), None);
        let replicas: Vec<_> = (0..8)
            .map(|_| {
                let store = store.clone();
                tokio::spawn(async move { demote_where_breached(&store, &ladder(), at(71)).await.unwrap() })
            })
            .collect();
        let mut done = Vec::new();
        for replica in replicas {
            done.extend(replica.await.unwrap());
        }
        assert_eq!(done.len(), 1);
        assert_eq!((done[0].stage.as_str(), done[0].version), (LOW, 2));
        let record = store.stage_records(1).await.unwrap().remove(0);
        assert_eq!((record.by.as_str(), record.step), ("daemon", Step::Demoted));
        assert_eq!(record.evidence[0]["window"], "long_window");
        assert_eq!(record.evidence[0]["failed"], 5);
        // There is nothing below the lowest stage, and nothing goes up by itself.
        assert_eq!(demote_where_breached(&store, &ladder(), at(72)).await.unwrap(), None);
    }
}
