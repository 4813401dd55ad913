//! The limits: exact to the drop, whoever races.

use super::bed::*;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use std::collections::BTreeSet;
use xrpayd::store::{AcceptOutcome, NewPayment, Store};
use xrpayd_core::ids::UnixMs;
use xrpayd_core::limits::{
    Breach, Caps, Scope, ScopeCaps, ScopeKind, Scoped, ScopedCaps, Usage, WINDOW_MS,
    reserve_everywhere, window_start,
};
use xrpayd_core::money::Drops;
use xrpayd_core::payment::Payment;

on_both_stores! {
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
                    breach: Breach::TooManyPending { scope: ScopeKind::All, max: 25 },
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
        let mut book = Book::new();
        for run in 0..30 {
            for step in steps().new_tree(&mut runner).unwrap().current() {
                book.take(&store, step).await;
                let usage = store.limit_usage(book.now).await.unwrap().usage;
                assert_eq!(usage, book.usage(None), "run {run} after {step:?} at {:?}", book.now);
            }
            for scope in every_scope() {
                let usage = store.scope_usage(&scope, book.now).await.unwrap().usage;
                assert_eq!(usage, book.usage(Some(&scope)), "run {run}: {scope}");
            }
        }
        assert!(book.rows.iter().any(|row| row.payment.status().is_final()), "some ended");
        assert!(book.rows.len() > 50, "enough happened");
        for kind in [ScopeKind::All, ScopeKind::Client, ScopeKind::Destination] {
            assert!(book.refusals.contains(&(kind, true)), "nobody met a day of {kind:?}");
            assert!(book.refusals.contains(&(kind, false)), "nobody met what is pending of {kind:?}");
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Accept {
        drops: u64,
        client: u8,
        to: u8,
    },
    Deliver(usize),
    Fail(usize),
    Cancel(usize),
    Wait(i64),
    SetBack(i64),
    /// The configuration is another one: which scopes have limits.
    Reload {
        client: bool,
        destination: bool,
    },
    /// Rows that nobody asks for are looked for.
    Forget,
    /// Somebody asks for a scope.
    Look(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let accept = (1_000_u64..90_000_000, 0..CLIENTS, 0..ACCOUNTS)
        .prop_map(|(drops, client, to)| Step::Accept { drops, client, to });
    let reload = (any::<bool>(), any::<bool>()).prop_map(|(client, destination)| Step::Reload {
        client,
        destination,
    });
    let step = prop_oneof![
        10 => accept,
        2 => any::<usize>().prop_map(Step::Deliver),
        1 => any::<usize>().prop_map(Step::Fail),
        1 => any::<usize>().prop_map(Step::Cancel),
        3 => (0..WINDOW_MS / 3).prop_map(Step::Wait),
        1 => (0..WINDOW_MS / 5).prop_map(Step::SetBack),
        1 => (0..3 * WINDOW_MS).prop_map(Step::Wait),
        1 => (0..3 * WINDOW_MS).prop_map(Step::SetBack),
        2 => reload,
        1 => Just(Step::Forget),
        1 => any::<usize>().prop_map(Step::Look),
    ];
    proptest::collection::vec(step, 1..35)
}

const CLIENTS: u8 = 2;
const ACCOUNTS: u8 = 3;

fn client(n: u8) -> String {
    format!("client {n}")
}

fn every_scope() -> Vec<Scope> {
    let clients = (0..CLIENTS).map(|n| Scope::Client(client(n)));
    let accounts = (0..ACCOUNTS).map(|n| Scope::Destination(account(20 + n)));
    clients.chain(accounts).collect()
}

/// The books kept the slow way.
struct Book {
    now: UnixMs,
    rows: Vec<BookRow>,
    sequence: u32,
    scoped: ScopedCaps,
    /// Whose limits stood in the way, and whether it was the day or what is pending.
    refusals: BTreeSet<(ScopeKind, bool)>,
}

struct BookRow {
    payment: Payment,
    counted: Drops,
}

const CAPS: (&str, u32) = ("300", 9);
const OF_CLIENT: ScopeCaps = ScopeCaps {
    max_payment: None,
    daily: Drops::new(230_000_000),
    max_pending: Some(6),
};
const OF_ACCOUNT: ScopeCaps = ScopeCaps {
    max_payment: None,
    daily: Drops::new(160_000_000),
    max_pending: Some(4),
};

impl Book {
    fn new() -> Self {
        Self {
            now: T0,
            rows: Vec::new(),
            sequence: 10,
            scoped: ScopedCaps::NONE,
            refusals: BTreeSet::new(),
        }
    }

    fn of<'a>(&'a self, scope: Option<&'a Scope>) -> impl Iterator<Item = &'a BookRow> {
        self.rows.iter().filter(move |row| match scope {
            None => true,
            Some(Scope::Client(name)) => row.payment.client == *name,
            Some(Scope::Destination(account)) => row.payment.order.destination == *account,
        })
    }

    fn used(&self, scope: Option<&Scope>, at: UnixMs) -> u64 {
        let start = window_start(at);
        let counted = self.of(scope).filter(|row| row.payment.created_at > start);
        counted.map(|row| row.counted.get()).sum()
    }

    /// Whatever the clock did, all that was accepted in the day before this instant counts, and all
    /// that was accepted after it.
    fn usage(&self, scope: Option<&Scope>) -> Usage {
        let open = self
            .of(scope)
            .filter(|row| !row.payment.status().is_final());
        Usage {
            daily_used: Drops::new(self.used(scope, self.now)).unwrap(),
            pending: u32::try_from(open.count()).unwrap(),
        }
    }

    /// The first instant from now on at which the amount fits beside everything there is.
    fn resets_at(&self, days: &[(Option<&Scope>, Drops)], amount: Drops) -> Option<UnixMs> {
        let fits = |at: UnixMs| {
            let fits = |(scope, daily): &(Option<&Scope>, Drops)| {
                self.used(*scope, at) + amount.get() <= daily.get()
            };
            days.iter().all(fits)
        };
        let leaves = self.rows.iter().filter(|row| row.counted > Drops::ZERO);
        let mut leaves: Vec<UnixMs> = leaves
            .map(|row| row.payment.created_at.plus_ms(WINDOW_MS))
            .filter(|at| *at > self.now)
            .collect();
        leaves.sort();
        leaves.into_iter().find(|at| fits(*at))
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
            Step::Accept { drops, client, to } => self.accept(store, drops, client, to).await,
            Step::Deliver(n) => self.end(store, n, Some("tesSUCCESS")).await,
            Step::Fail(n) => self.end(store, n, Some("tecNO_DST")).await,
            Step::Cancel(n) => self.end(store, n, None).await,
            Step::Reload {
                client,
                destination,
            } => {
                self.scoped = ScopedCaps {
                    client: if client { OF_CLIENT } else { ScopeCaps::NONE },
                    destination: if destination {
                        OF_ACCOUNT
                    } else {
                        ScopeCaps::NONE
                    },
                };
            }
            Step::Forget => {
                store.forget_limit_scopes(self.now).await.unwrap();
            }
            Step::Look(n) => {
                let scopes = every_scope();
                let scope = &scopes[n % scopes.len()];
                let usage = store.scope_usage(scope, self.now).await.unwrap().usage;
                assert_eq!(usage, self.usage(Some(scope)), "{scope}");
            }
        }
    }

    async fn accept(&mut self, store: &Store, drops: u64, by: u8, to: u8) {
        let mut new = request(&format!("key {:?}", id_at(self.now)), "1", self.now);
        new.order.amount = Drops::new(drops).unwrap();
        new.client = client(by);
        new.order.destination = account(20 + to);
        new.caps = Caps {
            daily: xrp(CAPS.0),
            max_pending: CAPS.1,
            ..roomy()
        };
        new.scoped = self.scoped;
        let scopes = new.scopes();
        let scoped: Vec<Scoped> = scopes
            .iter()
            .map(|(scope, caps)| Scoped {
                kind: scope.kind(),
                caps: *caps,
                usage: self.usage(Some(scope)),
            })
            .collect();
        let amount = new.order.amount;
        let expected = reserve_everywhere(&new.caps, self.usage(None), &scoped, amount);
        let mut days = vec![(None, new.caps.daily)];
        days.extend(
            scopes
                .iter()
                .filter_map(|(scope, caps)| Some((Some(scope), caps.daily?))),
        );
        match (store.accept(new.clone()).await.unwrap(), expected) {
            (AcceptOutcome::Created(payment), Ok(_)) => {
                let counted = payment.order.amount;
                self.rows.push(BookRow { payment, counted });
            }
            (AcceptOutcome::Refused { breach, resets_at }, Err(expected)) => {
                assert_eq!(breach, expected);
                match breach {
                    Breach::Daily { scope, .. } => {
                        assert_eq!(resets_at, self.resets_at(&days, amount), "{breach}");
                        self.refusals.insert((scope, true));
                    }
                    Breach::TooManyPending { scope, .. } => {
                        self.refusals.insert((scope, false));
                    }
                    Breach::BelowMinimum { .. } | Breach::AboveMaximum { .. } => panic!("{breach}"),
                }
            }
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
