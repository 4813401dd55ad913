//! Submission, and the fee.

use super::world::{Reaction, World, state, until};
use crate::xrpl::transport::LinkError;
use crate::xrpl::{Backlog, Mark, MaySend, Pool, RequestError, SubmitAnswer, SubmitReport};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::time::Instant;
use xrpayd_core::ids::TxHash;
use xrpayd_core::payment::Slot;

fn blobs(count: u8) -> Vec<(TxHash, Arc<[u8]>)> {
    (0..count)
        .map(|n| (TxHash([n; 32]), Arc::from(vec![0x12, n])))
        .collect()
}

fn sent_to(world: &World, server: usize) -> Vec<String> {
    let server = world.server(server);
    let submits = server
        .requests
        .iter()
        .filter(|request| request["command"] == "submit");
    submits
        .map(|request| request["tx_blob"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn blobs_go_to_two_servers_in_their_order_without_waiting_for_answers() {
    let world = World::new(2);
    let pool = world.ready().await;
    // Nobody answers: what is sent is sent without an answer to what went before.
    world.each(|server| server.on("submit", |_| Some(Reaction::Silence)));
    let began = Instant::now();
    let reports = pool.submit(&blobs(200)).await;
    let expected: Vec<String> = (0..200_u8).map(|n| format!("12{n:02X}")).collect();
    let sent: Vec<Vec<String>> = (0..2).map(|index| sent_to(&world, index)).collect();
    assert_eq!(sent.iter().filter(|sent| **sent == expected).count(), 2);
    assert_eq!(reports.len(), 200);
    for (report, (hash, _)) in reports.iter().zip(blobs(200)) {
        assert_eq!(report.hash, hash);
        let unknown =
            |answer: &(String, SubmitAnswer)| matches!(answer.1, SubmitAnswer::Unknown { .. });
        assert!(
            report.answers.len() == 2 && report.answers.iter().all(unknown),
            "{report:?}"
        );
    }
    assert!(began.elapsed() <= Duration::from_secs(31));
}

#[tokio::test(start_paused = true)]
async fn answers_are_told_apart() {
    let world = World::new(1);
    let pool = world.ready().await;
    world.server(0).on("submit", |request| {
        match request["tx_blob"].as_str().unwrap() {
            "1200" => None,
            "1201" => Some(Reaction::Result(
                json!({"engine_result": "terPRE_SEQ", "applied": false, "kept": true}),
            )),
            "1202" => Some(Reaction::Error(
                "invalidTransaction",
                json!({"error_exception": "x"}),
            )),
            "1203" => Some(Reaction::Result(
                json!({"engine_result": "<b>not a code</b>"}),
            )),
            _ => Some(Reaction::Result(json!({"applied": true}))),
        }
    });
    let reports = pool.submit(&blobs(5)).await;
    let answers: Vec<SubmitAnswer> = reports
        .into_iter()
        .map(|report| report.answers[0].1.clone())
        .collect();
    let SubmitAnswer::Engine {
        result,
        applied: true,
        queued: false,
        kept: true,
        validated_ledger,
    } = &answers[0]
    else {
        panic!("{answers:?}");
    };
    assert_eq!(
        (result.as_str(), validated_ledger.unwrap().0),
        ("tesSUCCESS", 5)
    );
    assert!(
        matches!(&answers[1], SubmitAnswer::Engine { result, applied: false, kept: true, .. } if result == "terPRE_SEQ")
    );
    assert_eq!(
        answers[2],
        SubmitAnswer::Refused {
            error: "invalidTransaction".into()
        }
    );
    assert!(
        answers[3..]
            .iter()
            .all(|answer| matches!(answer, SubmitAnswer::Unknown { .. })),
        "{answers:?}"
    );
    for (label, count) in [
        ("tesSUCCESS", 1),
        ("terPRE_SEQ", 1),
        ("refused", 1),
        ("unknown", 2),
    ] {
        assert_eq!(
            world
                .metrics
                .xrpl_submissions_total
                .with_label_values(&[label])
                .get(),
            count,
            "{label}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_frozen_server_holds_nobody_up_and_is_then_avoided() {
    let world = World::new(3);
    let pool = world.ready().await;
    pool.submit(&blobs(1)).await;
    let chosen: Vec<usize> = (0..3)
        .filter(|index| world.server(*index).asked("submit") > 0)
        .collect();
    world
        .server(chosen[0])
        .on("submit", |_| Some(Reaction::Silence));
    let began = Instant::now();
    let reports = pool.submit(&blobs(20)).await;
    assert!(
        began.elapsed() < Duration::from_millis(500),
        "{:?}",
        began.elapsed()
    );
    for report in reports {
        assert!(
            report
                .answers
                .iter()
                .any(|(_, answer)| matches!(answer, SubmitAnswer::Engine { .. }))
        );
    }
    let other = (0..3).find(|index| !chosen.contains(index)).unwrap();
    until(|| pool.servers()[chosen[0]].score + 200 < pool.servers()[other].score).await;
    pool.submit(&blobs(1)).await;
    assert_eq!(world.server(other).asked("submit"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_frozen_server_holds_up_one_submission_and_not_each_one_anew() {
    let world = World::new(2);
    let pool = world.ready().await;
    pool.submit(&blobs(1)).await;
    world.server(0).on("submit", |_| Some(Reaction::Silence));
    let began = Instant::now();
    pool.submit(&blobs(1)).await;
    let first = began.elapsed();
    assert!(first >= Duration::from_millis(250), "{first:?}");
    // Until then what it owes is not overdue for as long as others are waited for.
    tokio::time::sleep(Duration::from_millis(400)).await;
    let given = world.server(0).asked("submit");
    let began = Instant::now();
    let reports = pool.submit(&blobs(3)).await;
    let later = began.elapsed();
    assert!(later < Duration::from_millis(50), "{later:?}");
    assert_eq!(reports.len(), 3);
    // It is given everything all the same: it may thaw.
    assert_eq!(world.server(0).asked("submit"), given + 3);
    for report in reports {
        let judged =
            |(_, answer): &(String, SubmitAnswer)| matches!(answer, SubmitAnswer::Engine { .. });
        assert!(report.answers.iter().any(judged), "{report:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_dies_leaves_its_answers_unknown() {
    let world = World::new(1);
    let pool = world.ready().await;
    world.server(0).on("submit", |_| Some(Reaction::Silence));
    let batch = blobs(3);
    let (reports, ()) = tokio::join!(pool.submit(&batch), async {
        until(|| world.server(0).asked("submit") == 3).await;
        world.server(0).refuses = Some(LinkError::Broken("down".into()));
        world.server(0).hang_up();
    });
    assert!(
        reports
            .iter()
            .all(|report| matches!(report.answers[0].1, SubmitAnswer::Unknown { .. })),
        "{reports:?}"
    );
    until(|| state(&pool, 0) == "connecting").await;
    let reports = pool.submit(&batch).await;
    assert!(
        reports.iter().all(|report| report.answers.is_empty()),
        "no server, no answer: {reports:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_fee_is_the_median_of_the_servers() {
    let world = World::new(3);
    let pool = world.ready().await;
    for (index, open) in [(0, "999999"), (1, "12"), (2, "15")] {
        world.server(index).on("fee", move |_| {
            Some(Reaction::Result(
                json!({"drops": {"base_fee": "10", "open_ledger_fee": open, "minimum_fee": "10"}}),
            ))
        });
    }
    let fee = pool.fee().await.unwrap();
    assert_eq!(
        (fee.base.get(), fee.open_ledger.get(), fee.minimum.get()),
        (10, 15, 10)
    );
    world.each(|server| server.on("fee", |_| Some(Reaction::Error("internal", json!({})))));
    assert!(matches!(pool.fee().await, Err(RequestError::Server { .. })));
}

#[tokio::test(start_paused = true)]
async fn one_server_that_streams_its_load_does_not_set_the_fee_alone() {
    const DEAR: &str =
        r#"{"type":"serverStatus","server_status":"full","load_base":256,"load_factor":25600}"#;
    let world = World::new(3);
    let pool = world.ready().await;
    let told = |server: usize| pool.servers()[server].load_factor == Some(100);
    world.server(0).tell(DEAR);
    until(|| told(0)).await;
    assert_eq!(pool.fee().await.unwrap().open_ledger.get(), 10);
    world.server(1).tell(DEAR);
    until(|| told(1)).await;
    assert_eq!(pool.fee().await.unwrap().open_ledger.get(), 1_000);
}

#[tokio::test(start_paused = true)]
async fn servers_that_give_no_judgement_are_replaced_within_the_submission() {
    let world = World::new(3);
    let pool = world.ready().await;
    pool.submit(&blobs(1)).await;
    let (chosen, other): (Vec<usize>, Vec<usize>) =
        (0..3).partition(|index| world.server(*index).asked("submit") > 0);
    for reaction in [
        || Reaction::Silence,
        || Reaction::Error("tooBusy", json!({})),
    ] {
        for index in &chosen {
            world.server(*index).on("submit", move |_| Some(reaction()));
        }
        let before = world.server(other[0]).asked("submit");
        let began = Instant::now();
        let reports = pool.submit(&blobs(3)).await;
        assert!(began.elapsed() <= Duration::from_secs(2));
        assert_eq!(world.server(other[0]).asked("submit"), before + 3);
        for report in reports {
            let judged = |(_, answer): &(String, SubmitAnswer)| {
                matches!(answer, SubmitAnswer::Engine { .. })
            };
            assert!(report.answers.iter().any(judged), "{report:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_frozen_server_does_not_hold_up_the_fee() {
    let world = World::new(3);
    let pool = world.ready().await;
    world.server(0).on("fee", |_| Some(Reaction::Silence));
    let began = Instant::now();
    assert!(pool.fee().await.is_ok());
    assert!(began.elapsed() <= Duration::from_secs(1));
}

/// Opens the blobs with the numbers `range` and submits those.
async fn submit_more(pool: &Pool, backlog: &Backlog, range: std::ops::Range<usize>) -> Vec<TxHash> {
    let all = blobs(u8::MAX);
    let batch = all.get(range).unwrap();
    for (hash, blob) in batch {
        backlog.open(*hash, Slot::Sequence(hash.0[0].into()), blob);
    }
    let submission = pool
        .submit_from(backlog, backlog.mark(), batch, &MaySend::always())
        .await;
    let reported = submission.reports.iter().map(|report| report.hash);
    assert!(reported.eq(batch.iter().map(|(hash, _)| *hash)));
    submission
        .predecessors
        .iter()
        .map(|report| report.hash)
        .collect()
}

fn texts(range: std::ops::Range<u8>) -> Vec<String> {
    range.map(|n| format!("12{n:02X}")).collect()
}

#[tokio::test(start_paused = true)]
async fn a_server_that_comes_late_gets_the_predecessors_first_and_once_a_connection() {
    let world = World::new(2);
    world.server(1).refuses = Some(LinkError::Broken("down".into()));
    let pool = world.start();
    until(|| state(&pool, 0) == "ready").await;
    let backlog = Backlog::default();
    submit_more(&pool, &backlog, 0..3).await;
    assert_eq!(sent_to(&world, 0), texts(0..3));
    world.server(1).refuses = None;
    until(|| state(&pool, 1) == "ready").await;

    let earlier = submit_more(&pool, &backlog, 3..5).await;
    assert_eq!(sent_to(&world, 1), texts(0..5), "what it lacks comes first");
    assert_eq!(
        sent_to(&world, 0),
        texts(0..5),
        "and nothing goes out twice"
    );
    assert_eq!(
        earlier,
        blobs(3)
            .into_iter()
            .map(|(hash, _)| hash)
            .collect::<Vec<_>>()
    );

    backlog.close(&TxHash([1; 32]));
    submit_more(&pool, &backlog, 0..0).await;
    assert_eq!(world.server(1).asked("submit"), 5, "there is nothing to do");
    world.server(1).hang_up();
    until(|| state(&pool, 1) == "connecting").await;
    until(|| state(&pool, 1) == "ready").await;
    submit_more(&pool, &backlog, 5..6).await;
    let mut again = texts(0..5);
    again.extend(["1200", "1202", "1203", "1204", "1205"].map(str::to_owned));
    assert_eq!(
        sent_to(&world, 1),
        again,
        "a new connection has had nothing"
    );
    assert_eq!(sent_to(&world, 0), texts(0..6));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_becomes_ready_is_an_arrival() {
    let world = World::new(2);
    let pool = world.ready().await;
    let mut arrivals = pool.arrivals();
    world.server(0).hang_up();
    let again = tokio::time::timeout(Duration::from_secs(5), arrivals.changed());
    again.await.expect("it came back").unwrap();
    assert_eq!(state(&pool, 0), "ready");
}

#[tokio::test(start_paused = true)]
async fn a_submission_that_is_given_up_half_way_leaves_the_rest_to_the_next() {
    let world = World::new(1);
    let config = crate::xrpl::PoolConfig {
        in_flight_max: 4,
        ..world.config()
    };
    let pool = world.start_with(config);
    until(|| state(&pool, 0) == "ready").await;
    world.server(0).on("submit", |_| Some(Reaction::Silence));
    let backlog = Backlog::default();
    let all = blobs(10);
    for (hash, blob) in &all {
        backlog.open(*hash, Slot::Sequence(hash.0[0].into()), blob);
    }
    let always = MaySend::always();
    let first = pool.submit_from(&backlog, backlog.mark(), &all, &always);
    let given_up = tokio::time::timeout(Duration::from_secs(1), first).await;
    assert!(given_up.is_err());
    assert_eq!(sent_to(&world, 0), texts(0..4), "no more than has room");
    world.server(0).scripts.clear();
    until(|| state(&pool, 0) == "ready").await;
    let rest = pool
        .submit_from(&backlog, backlog.mark(), &[], &always)
        .await;
    assert_eq!(sent_to(&world, 0), texts(0..10));
    assert_eq!(rest.predecessors.len(), 6);
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_the_socket_does_not_leave_after_its_sender_may_no_more() {
    let world = World::new(1);
    let pool = world.ready().await;
    let asked = Arc::new(AtomicU32::new(0));
    let may = MaySend::while_it({
        let asked = Arc::clone(&asked);
        move || asked.fetch_add(1, Ordering::SeqCst) < 3
    });
    let batch = blobs(10);
    let backlog = Backlog::default();
    let submission = pool.submit_from(&backlog, Mark::default(), &batch, &may);
    let submission = submission.await;
    assert_eq!(sent_to(&world, 0), texts(0..3));
    assert_eq!(asked.load(Ordering::SeqCst), 10, "each at its own moment");
    let unknown = |report: &&SubmitReport| {
        let answers = &report.answers;
        answers
            .iter()
            .all(|(_, answer)| matches!(answer, SubmitAnswer::Unknown { .. }))
    };
    assert_eq!(submission.reports.iter().filter(unknown).count(), 7);
    // The connection is as good as before.
    assert_eq!(pool.submit(&blobs(1)).await.len(), 1);
    assert_eq!(sent_to(&world, 0).len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_asks_for_less_is_asked_less_and_slowly_more_again() {
    let world = World::new(2);
    let pool = world.ready().await;
    for _ in 0..20 {
        assert!(pool.submit(&blobs(1)).await.len() == 1);
    }
    world.each(|server| server.on("submit", |_| Some(Reaction::With("warning", "load".into()))));
    pool.submit(&blobs(1)).await;
    let budget = |index: usize| pool.servers()[index].budget_per_second;
    let learned = budget(0).expect("it was told to slow down");
    assert!(learned <= 15, "{learned}");
    world.each(|server| server.scripts.clear());
    tokio::time::sleep(Duration::from_secs(30)).await;
    let (later, then) = (budget(0), Some(learned));
    assert!(later > then, "{later:?}");
    until(|| budget(0).is_none() && budget(1).is_none()).await;
}
