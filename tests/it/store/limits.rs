//! The limits: exact to the drop, whoever races.

use super::bed::*;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use xrpayd::store::{AcceptOutcome, NewPayment, Store};
use xrpayd_core::ids::UnixMs;
use xrpayd_core::limits::{Breach, Caps, Usage, WINDOW_MS, window_start};
use xrpayd_core::money::Drops;
use xrpayd_core::payment::Payment;

on_both_stores! {
    async fn two_hundred_racers_for_the_last_ten_xrp_get_exactly_ten(bed) {
        let store = bed.open_with_writer().await;
        let caps = Caps { daily: xrp("100"), ..roomy() };
        let mut most = request("most", "90", T0);
        most.caps = caps;
        accepted(&store, most).await;
        let racers: Vec<_> = (0..200)
            .map(|n| {
                let store = store.clone();
                tokio::spawn(async move {
                    let mut new = request(&format!("racer {n}"), "1", T0.plus_ms(1));
                    new.caps = caps;
                    store.accept(new).await.unwrap()
                })
            })
            .collect();
        let mut won = 0;
        for racer in racers {
            match racer.await.unwrap() {
                AcceptOutcome::Created(_) => won += 1,
                AcceptOutcome::Refused { breach, resets_at } => {
                    assert!(matches!(breach, Breach::Daily { .. }), "{breach:?}");
                    assert_eq!(resets_at, Some(T0.plus_ms(WINDOW_MS)), "when the ninety leave");
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(won, 10);
        assert_eq!(store.limit_usage(T0).await.unwrap().usage.daily_used, xrp("100"));
    }

    async fn racers_on_two_connections_share_one_limit_of_what_is_pending(bed) {
        let (first, second) = if bed.is_sqlite() {
            let store = bed.open_with_writer().await;
            (store.clone(), store)
        } else {
            (bed.open_with_writer().await, bed.open().await)
        };
        let caps = Caps { max_pending: 25, ..roomy() };
        let racers: Vec<_> = (0..120)
            .map(|n| {
                let store = if n % 2 == 0 { first.clone() } else { second.clone() };
                tokio::spawn(async move {
                    let mut new = request(&format!("racer {n}"), "1", T0);
                    new.caps = caps;
                    store.accept(new).await.unwrap()
                })
            })
            .collect();
        let mut won = 0;
        for racer in racers {
            match racer.await.unwrap() {
                AcceptOutcome::Created(_) => won += 1,
                other => assert_eq!(other, AcceptOutcome::Refused {
                    breach: Breach::TooManyPending { max: 25 },
                    resets_at: None,
                }),
            }
        }
        assert_eq!(won, 25);
    }

    async fn a_refused_request_leaves_nothing_and_its_key_is_free(bed) {
        let store = bed.open().await;
        let before = bed.everything().await;
        let mut new = request("key", "20000", T0);
        let outcome = store.accept(new.clone()).await.unwrap();
        assert!(matches!(outcome, AcceptOutcome::Refused { breach: Breach::AboveMaximum { .. }, .. }));
        assert_eq!(bed.everything().await, before);
        new.order.amount = xrp("2");
        accepted(&store, new).await;
    }

    async fn the_day_rolls_and_what_has_left_it_is_found_by_whoever_looks(bed) {
        let store = bed.open().await;
        accepted(&store, request("first", "3", T0)).await;
        accepted(&store, request("second", "4", T0.plus_ms(1_000))).await;
        let at = |ms: i64| T0.plus_ms(ms);
        for (now, used) in [
            (at(WINDOW_MS - 1), "7"),
            (at(WINDOW_MS), "4"),
            (at(WINDOW_MS + 999), "4"),
            (at(WINDOW_MS + 1_000), "0"),
        ] {
            let seen = store.limit_usage(now).await.unwrap();
            assert_eq!(seen.usage.daily_used, xrp(used), "{now:?}");
            assert_eq!(seen.usage.pending, 2, "both are still on their way");
            let listed: u64 = seen.oldest.iter().map(|(_, drops)| drops.get()).sum();
            assert_eq!(listed, xrp(used).get());
        }
        assert_eq!(bed.number("select used_drops from limit_state").await, 0, "written down");
    }

    async fn a_clock_that_jumps_ahead_and_back_neither_refuses_everybody_nor_opens_a_day_twice(bed) {
        let store = bed.open().await;
        let day = Caps { daily: xrp("10"), ..roomy() };
        let ask = async |key: &str, amount: &str, now: UnixMs| {
            let new = NewPayment { caps: day, ..request(key, amount, now) };
            store.accept(new).await.unwrap()
        };
        let is_refused = |outcome: &AcceptOutcome| {
            matches!(outcome, AcceptOutcome::Refused { breach: Breach::Daily { .. }, .. })
        };
        let ahead = T0.plus_ms(2 * WINDOW_MS);
        assert!(matches!(ask("first", "6", T0).await, AcceptOutcome::Created(_)));
        // By this clock two days have passed.
        assert!(matches!(ask("ahead", "3", ahead).await, AcceptOutcome::Created(_)));
        // It is set right: all of the day counts again, and what was accepted meanwhile besides.
        let back = T0.plus_ms(1_000);
        assert_eq!(store.limit_usage(back).await.unwrap().usage.daily_used, xrp("9"));
        assert!(is_refused(&ask("too much", "2", back).await));
        assert!(matches!(ask("fits", "1", back).await, AcceptOutcome::Created(_)));
        // Ahead again: what was accepted there before counts there.
        assert!(is_refused(&ask("ahead again", "8", ahead.plus_ms(1_000)).await));
        // An hour ahead and back forgets no hour of the day.
        assert!(is_refused(&ask("an hour on", "1", back.plus_ms(WINDOW_MS / 24)).await));
        assert!(is_refused(&ask("and back", "1", back).await));
    }

    async fn requests_of_one_batch_may_have_been_made_by_a_clock_that_jumped(bed) {
        let store = bed.open_with_writer().await;
        let jumps = [0, 3, -2, 1, -1, 2, 0];
        let asked = jumps.iter().enumerate().map(|(n, days)| {
            let new = request(&format!("key {n}"), "1", T0.plus_ms(days * WINDOW_MS));
            let store = store.clone();
            tokio::spawn(async move { accepted(&store, new).await })
        });
        let asked: Vec<_> = asked.collect();
        for one in asked {
            one.await.unwrap();
        }
        for (days, counted) in [(-3, "7"), (-2, "7"), (-1, "6"), (0, "5"), (1, "3"), (2, "2"), (3, "1"), (4, "0")] {
            let at = T0.plus_ms(days * WINDOW_MS);
            let used = store.limit_usage(at).await.unwrap().usage.daily_used;
            assert_eq!(used, xrp(counted), "{days} days on");
        }
    }

    async fn usage_equals_brute_force_whatever_happens_in_whatever_order(bed) {
        let store = anchored(bed).await;
        let mut runner = TestRunner::deterministic();
        let mut book = Book { now: T0, rows: Vec::new(), sequence: 10 };
        for run in 0..30 {
            for step in steps().new_tree(&mut runner).unwrap().current() {
                book.take(&store, step).await;
                let usage = store.limit_usage(book.now).await.unwrap().usage;
                assert_eq!(usage, book.usage(), "run {run} after {step:?} at {:?}", book.now);
            }
        }
        assert!(book.rows.iter().any(|row| row.payment.status().is_final()), "some ended");
        assert!(book.rows.len() > 50, "enough happened");
    }
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Accept(u64),
    Deliver(usize),
    Fail(usize),
    Cancel(usize),
    Wait(i64),
    SetBack(i64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (1_000_u64..90_000_000).prop_map(Step::Accept),
        2 => any::<usize>().prop_map(Step::Deliver),
        1 => any::<usize>().prop_map(Step::Fail),
        1 => any::<usize>().prop_map(Step::Cancel),
        3 => (0..WINDOW_MS / 3).prop_map(Step::Wait),
        1 => (0..WINDOW_MS / 5).prop_map(Step::SetBack),
        1 => (0..3 * WINDOW_MS).prop_map(Step::Wait),
        1 => (0..3 * WINDOW_MS).prop_map(Step::SetBack),
    ];
    proptest::collection::vec(step, 1..25)
}

/// The books kept the slow way.
struct Book {
    now: UnixMs,
    rows: Vec<BookRow>,
    sequence: u32,
}

struct BookRow {
    payment: Payment,
    counted: Drops,
}

const CAPS: (&str, u32) = ("400", 12);

impl Book {
    /// Whatever the clock did, all that was accepted in the day before this instant counts, and all
    /// that was accepted after it.
    fn usage(&self) -> Usage {
        let start = window_start(self.now);
        let counted = self
            .rows
            .iter()
            .filter(|row| row.payment.created_at > start);
        Usage {
            daily_used: Drops::new(counted.map(|row| row.counted.get()).sum()).unwrap(),
            pending: u32::try_from(self.open().len()).unwrap(),
        }
    }

    fn open(&self) -> Vec<usize> {
        (0..self.rows.len())
            .filter(|&at| !self.rows[at].payment.status().is_final())
            .collect()
    }

    fn pick(&self, n: usize) -> Option<usize> {
        let open = self.open();
        (!open.is_empty()).then(|| open[n % open.len()])
    }

    async fn take(&mut self, store: &Store, step: Step) {
        match step {
            Step::Wait(ms) => self.now = self.now.plus_ms(ms),
            Step::SetBack(ms) => self.now = self.now.plus_ms(-ms),
            Step::Accept(drops) => self.accept(store, drops).await,
            Step::Deliver(n) => self.end(store, n, Some("tesSUCCESS")).await,
            Step::Fail(n) => self.end(store, n, Some("tecNO_DST")).await,
            Step::Cancel(n) => self.end(store, n, None).await,
        }
    }

    async fn accept(&mut self, store: &Store, drops: u64) {
        let mut new = request(&format!("key {:?}", id_at(self.now)), "1", self.now);
        new.order.amount = Drops::new(drops).unwrap();
        new.caps = Caps {
            daily: xrp(CAPS.0),
            max_pending: CAPS.1,
            ..roomy()
        };
        let expected = xrpayd_core::limits::reserve(&new.caps, self.usage(), new.order.amount);
        match (store.accept(new).await.unwrap(), expected) {
            (AcceptOutcome::Created(payment), Ok(_)) => {
                let counted = payment.order.amount;
                self.rows.push(BookRow { payment, counted });
            }
            (AcceptOutcome::Refused { breach, .. }, Err(expected)) => assert_eq!(breach, expected),
            (outcome, expected) => panic!("{outcome:?} where {expected:?} was right"),
        }
    }

    async fn end(&mut self, store: &Store, n: usize, result: Option<&str>) {
        let Some(at) = self.pick(n) else { return };
        let payment = self.rows[at].payment.clone();
        let Some(result) = result else {
            cancel(store, payment.id, None, self.now).await;
            let cancelled = store.payment(payment.id).await.unwrap().unwrap();
            assert!(cancelled.status().is_final());
            self.rows[at] = BookRow {
                payment: cancelled,
                counted: Drops::ZERO,
            };
            return;
        };
        self.sequence += 1;
        let payment = committed(store, signed(&payment, self.sequence, self.now)).await;
        let payment = committed(store, found(&payment, result, self.now)).await;
        let counted = if result == "tesSUCCESS" {
            payment.order.amount
        } else {
            Drops::ZERO
        };
        self.rows[at] = BookRow { payment, counted };
    }
}
