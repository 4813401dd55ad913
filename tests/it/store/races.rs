//! Races for what is left: two hundred callers at once, through every handle that there may be.

use super::bed::*;
use crate::support::held::Held as _;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use tokio::sync::Barrier;
use xrpayd::store::{AcceptOutcome, FeedFilter, NewPayment, Store};
use xrpayd_core::ids::UnixMs;
use xrpayd_core::limits::{Breach, Caps, Scope, ScopeCaps, ScopedCaps, WINDOW_MS};
use xrpayd_core::money::Drops;
use xrpayd_core::payment::Payment;

const RACERS: usize = 200;
/// Every round has a day of its own.
const ROUNDS: i64 = 50;

/// The handles of two daemons, each with its writer, and one without; SQLite serves one daemon.
async fn handles(bed: &Bed) -> Vec<Store> {
    let first = bed.open_with_writer().await;
    if bed.is_sqlite() {
        return vec![first];
    }
    vec![first, bed.open_with_writer().await, bed.open().await]
}

/// Numbers that look like chance and are the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % below
    }
}

/// Runs all of them at once, spread over the handles; their outcomes in their order.
async fn race(handles: &[Store], news: Vec<NewPayment>) -> Vec<(NewPayment, AcceptOutcome)> {
    let start = Arc::new(Barrier::new(news.len()));
    let racers: Vec<_> = news
        .into_iter()
        .enumerate()
        .map(|(n, new)| {
            let (store, start) = (handles[n % handles.len()].clone(), Arc::clone(&start));
            tokio::spawn(async move {
                start.wait().await;
                let outcome = store.accept(new.clone()).await.unwrap();
                (new, outcome)
            })
        })
        .collect();
    let mut done = Vec::new();
    for racer in racers {
        done.push(racer.await.unwrap());
    }
    done
}

on_both_stores! {
    async fn two_hundred_racers_for_the_last_ten_xrp_fifty_times_over(bed) {
        let handles = handles(bed).await;
        let store = &handles[0];
        let caps = Caps { daily: xrp("100"), ..roomy() };
        let mut dice = Dice(11);
        let mut refused = 0;
        for round in 0..ROUNDS {
            let now = T0.plus_ms(round * 2 * WINDOW_MS);
            let mut most = request(&format!("most {round}"), "90", now);
            most.caps = caps;
            accepted(store, most).await;
            let news = (0..RACERS).map(|n| {
                let mut new = request(&format!("racer {round} {n}"), "1", now.plus_ms(1));
                // From dust to more than all that is left.
                new.order.amount = Drops::new(1_000 + dice.roll([100, 700_000, 3_000_000, 11_000_000][n % 4])).unwrap();
                new.caps = caps;
                new
            });
            let done = race(&handles, news.collect()).await;
            let mut sum = 0;
            for (new, outcome) in &done {
                match outcome {
                    AcceptOutcome::Created(_) => sum += new.order.amount.get(),
                    AcceptOutcome::Refused { breach: Breach::Daily { left, .. }, resets_at } => {
                        assert!(new.order.amount > *left, "round {round}: it would have fitted");
                        let reset = (new.order.amount <= caps.daily).then_some(now.plus_ms(WINDOW_MS));
                        assert_eq!(*resets_at, reset, "when the ninety leave");
                    }
                    other => panic!("{other:?}"),
                }
            }
            let left = xrp("10").get().checked_sub(sum).expect("not a drop over");
            let used = store.limit_usage(now.plus_ms(1)).await.unwrap().usage.daily_used;
            assert_eq!(used.get(), xrp("90").get() + sum, "round {round}");
            let smallest = done
                .iter()
                .filter(|(_, outcome)| matches!(outcome, AcceptOutcome::Refused { .. }))
                .map(|(new, _)| new.order.amount.get())
                .min();
            refused += i64::from(smallest.is_some());
            assert!(smallest.is_none_or(|smallest| smallest > left), "round {round}: {left} are left");
        }
        assert_eq!(refused, ROUNDS, "every round has more than fits");
    }

    async fn a_client_and_a_destination_have_limits_at_once_while_payments_are_called_off(bed) {
        let handles = handles(bed).await;
        let store = &handles[0];
        store.anchor_held(WALLET, account(1), 0, &cursor(100), None, T0).await.unwrap();
        let mut dice = Dice(12);
        let mut seen = (0, 0);
        for round in 0..6 {
            let now = T0.plus_ms(round * 2 * WINDOW_MS);
            let news = (0..RACERS).map(|n| fenced(&format!("{round} {n}"), &mut dice, now));
            let news: Vec<NewPayment> = news.collect();
            // Every fourth that is accepted is called off at once, and makes room for others.
            let canceller = handles[handles.len() - 1].clone();
            let (tell, mut told) = tokio::sync::mpsc::unbounded_channel::<Payment>();
            let calling_off = tokio::spawn(async move {
                let mut called_off = 0;
                while let Some(payment) = told.recv().await {
                    cancel(&canceller, payment.id, None, now.plus_ms(2)).await;
                    called_off += 1;
                }
                called_off
            });
            let racers: Vec<_> = news
                .into_iter()
                .enumerate()
                .map(|(n, new)| {
                    let (store, tell) = (handles[n % handles.len()].clone(), tell.clone());
                    tokio::spawn(async move {
                        match store.accept(new.clone()).await.unwrap() {
                            AcceptOutcome::Created(payment) if n % 4 == 0 => {
                                tell.send(payment).unwrap();
                                true
                            }
                            AcceptOutcome::Created(_) => true,
                            AcceptOutcome::Refused { breach, .. } => {
                                is_right(&new, breach);
                                false
                            }
                            other => panic!("{other:?}"),
                        }
                    })
                })
                .collect();
            drop(tell);
            for racer in racers {
                seen.0 += i32::from(!racer.await.unwrap());
            }
            seen.1 += calling_off.await.unwrap();
        }
        assert!(seen.0 > 100 && seen.1 > 20, "{seen:?} were refused and called off");
        replay(store).await;
        let last = T0.plus_ms(5 * 2 * WINDOW_MS + 2);
        for (scope, used) in sums_of(bed, &["client", "destination"], last).await {
            let counted = store.scope_usage(&scope, last).await.unwrap().usage;
            assert_eq!(counted.daily_used.get(), used, "{scope}");
        }
    }
}

const ALL: &str = "60";
const OF_CLIENT: ScopeCaps = ScopeCaps {
    max_payment: None,
    daily: Drops::new(25_000_000),
    max_pending: Some(30),
};
const OF_DESTINATION: ScopeCaps = ScopeCaps {
    max_payment: None,
    daily: Drops::new(20_000_000),
    max_pending: None,
};

fn fenced(key: &str, dice: &mut Dice, now: UnixMs) -> NewPayment {
    let mut new = request(key, "1", now);
    new.order.amount = Drops::new(1_000 + dice.roll(2_500_000)).unwrap();
    new.client = format!("client {}", dice.roll(3));
    new.order.destination = account(20 + u8::try_from(dice.roll(4)).unwrap());
    new.caps = Caps {
        daily: xrp(ALL),
        ..roomy()
    };
    new.scoped = ScopedCaps {
        client: OF_CLIENT,
        destination: OF_DESTINATION,
    };
    new
}

/// A refusal says why, and is right by what it says.
fn is_right(new: &NewPayment, breach: Breach) {
    match breach {
        Breach::Daily { left, .. } => assert!(new.order.amount > left, "{breach}"),
        Breach::TooManyPending { max, .. } => assert_eq!(Some(max), OF_CLIENT.max_pending),
        Breach::BelowMinimum { .. } | Breach::AboveMaximum { .. } => panic!("{breach}"),
    }
}

/// Goes through the feed, whose order is that of the commits: at no instant was anything over a limit.
async fn replay(store: &Store) {
    let mut days: HashMap<(UnixMs, String), (u64, u32)> = HashMap::new();
    let (mut after, mut events) = (0, 0);
    let filter = FeedFilter::default();
    loop {
        let page = store.feed(after, &filter, 200).await.unwrap();
        let Some(last) = page.last() else { break };
        after = last.sequence;
        for event in &page {
            let id = event.data["id"].as_str().unwrap().parse().unwrap();
            let payment = store.payment(id).await.unwrap().unwrap();
            let day = payment.created_at;
            let amount = payment.order.amount.get();
            let scopes = [
                ("all".to_owned(), xrp(ALL).get(), u32::MAX),
                (
                    Scope::Client(payment.client.clone()).to_string(),
                    OF_CLIENT.daily.unwrap().get(),
                    OF_CLIENT.max_pending.unwrap(),
                ),
                (
                    Scope::Destination(payment.order.destination).to_string(),
                    OF_DESTINATION.daily.unwrap().get(),
                    u32::MAX,
                ),
            ];
            for (scope, most, most_pending) in scopes {
                let (used, _) = days.entry((day, scope.clone())).or_default();
                *used = if event.type_ == "payment.processing" {
                    *used + amount
                } else {
                    *used - amount
                };
                assert!(*used <= most, "{scope} at event {}", event.sequence);
                // What is pending is not of a day.
                let (_, pending) = days.entry((UnixMs(0), scope.clone())).or_default();
                *pending = if event.type_ == "payment.processing" {
                    *pending + 1
                } else {
                    *pending - 1
                };
                assert!(
                    *pending <= most_pending,
                    "{scope} at event {}",
                    event.sequence
                );
            }
            events += 1;
        }
    }
    assert!(events > 100, "{events} events");
}

/// What the payments of the day up to `now` count for, by whom they concern.
async fn sums_of(bed: &Bed, columns: &[&str], now: UnixMs) -> BTreeMap<Scope, u64> {
    let start = now.0 - WINDOW_MS;
    let mut sums = BTreeMap::new();
    for column in columns {
        for n in 0..4 {
            let (scope, value) = if *column == "client" {
                let name = format!("client {n}");
                (Scope::Client(name.clone()), name)
            } else {
                let to = account(20 + n);
                (Scope::Destination(to), to.to_string())
            };
            let sum = bed
                .number(&format!(
                    "select cast(coalesce(sum(counted_drops), 0) as bigint) from payments \
                     where {column} = '{value}' and created_at > {start}"
                ))
                .await;
            sums.insert(scope, u64::try_from(sum).unwrap());
        }
    }
    sums
}
