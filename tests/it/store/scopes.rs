//! The limits of single clients and destinations: made when they are first asked for, kept by whoever
//! writes, forgotten when nobody asks any more.

use super::bed::*;
use xrpayd::store::{AcceptOutcome, NewPayment, Store};
use xrpayd_core::ids::UnixMs;
use xrpayd_core::limits::{Breach, Scope, ScopeCaps, ScopeKind, ScopedCaps, WINDOW_MS};

const NONE: ScopeCaps = ScopeCaps::NONE;

fn a_day(daily: &str) -> ScopeCaps {
    ScopeCaps {
        daily: Some(xrp(daily)),
        ..NONE
    }
}

fn of_client(client: ScopeCaps) -> ScopedCaps {
    ScopedCaps {
        client,
        destination: NONE,
    }
}

fn to_account(destination: ScopeCaps) -> ScopedCaps {
    ScopedCaps {
        client: NONE,
        destination,
    }
}

async fn ask(store: &Store, scoped: ScopedCaps, mut new: NewPayment) -> AcceptOutcome {
    new.scoped = scoped;
    store.accept(new).await.unwrap()
}

#[track_caller]
fn left_of(outcome: &AcceptOutcome, kind: ScopeKind, rest: &str, resets: UnixMs) {
    let (scope, left) = (kind, xrp(rest));
    let expected = AcceptOutcome::Refused {
        breach: Breach::Daily { scope, left },
        resets_at: Some(resets),
    };
    assert_eq!(*outcome, expected);
}

const ROWS: &str = "select cast(count(*) as bigint) from limit_state where scope <> 'all'";
const KNOWN: &str = "select others from limit_state where scope = 'all'";

on_both_stores! {
    async fn a_limit_that_is_switched_on_later_counts_what_was_there_before_it(bed) {
        let store = anchored(bed).await;
        let at = |ms: i64| T0.plus_ms(ms);
        let first = accepted(&store, request("delivered", "3", T0)).await;
        delivered(&store, &first, 11, at(1)).await;
        accepted(&store, request("on its way", "4", at(2))).await;
        let off = accepted(&store, request("called off", "50", at(3))).await;
        cancel(&store, off.id, None, at(4)).await;
        let mut waits = request("waits for approval", "2", at(5));
        waits.approval = Some(xrpayd_core::payment::ApprovalRule {
            threshold: xrp("2"),
            expires_in_ms: 1_000_000,
        });
        accepted(&store, waits).await;
        assert_eq!(bed.number(ROWS).await, 0, "nobody has asked yet");

        let now = at(10);
        for (scoped, kind) in [
            (of_client(a_day("10")), ScopeKind::Client),
            (to_account(a_day("10")), ScopeKind::Destination),
        ] {
            let refused = ask(&store, scoped, request("too much", "1.000001", now)).await;
            left_of(&refused, kind, "1", at(WINDOW_MS));
        }
        assert_eq!(bed.number(ROWS).await, 2, "what was added up for a refusal is kept");
        assert_eq!(bed.number(KNOWN).await, 2);
        assert_eq!(store.limit_usage(now).await.unwrap().usage.daily_used, xrp("9"));
        let pending = |max| ScopeCaps { max_pending: Some(max), ..NONE };
        let refused = ask(&store, of_client(pending(2)), request("one more", "1", now)).await;
        assert!(
            matches!(refused, AcceptOutcome::Refused {
                breach: Breach::TooManyPending { scope: ScopeKind::Client, max: 2 }, resets_at: None
            }),
            "{refused:?}"
        );
        assert!(matches!(
            ask(&store, of_client(pending(3)), request("fits", "1", now)).await,
            AcceptOutcome::Created(_)
        ));
    }

    async fn who_has_no_such_limit_keeps_the_row_of_one_who_has(bed) {
        let (first, second) = (anchored(bed).await, bed.open_with_writer_beside().await);
        let limited = of_client(a_day("10"));
        assert!(matches!(
            ask(&first, limited, request("first", "4", T0)).await,
            AcceptOutcome::Created(_)
        ));
        // By a replica whose configuration does not know the limit.
        let other = accepted(&second, request("second", "5", T0)).await;
        let refused = ask(&first, limited, request("third", "2", T0)).await;
        left_of(&refused, ScopeKind::Client, "1", T0.plus_ms(WINDOW_MS));
        cancel(&second, other.id, None, T0).await;
        assert!(matches!(
            ask(&first, limited, request("fourth", "6", T0)).await,
            AcceptOutcome::Created(_)
        ));
        let used = first.scope_usage(&Scope::Client(CLIENT.to_owned()), T0).await.unwrap();
        assert_eq!((used.usage.daily_used, used.usage.pending), (xrp("10"), 2));
        assert_eq!(used.oldest, [(T0, xrp("4")), (T0, xrp("6"))]);
    }

    async fn clients_and_destinations_are_counted_apart(bed) {
        let store = bed.open_with_writer().await;
        let scoped = ScopedCaps { client: a_day("10"), destination: a_day("15") };
        let to = |client: &str, to: u8, key: &str, amount: &str, at: UnixMs| {
            let mut new = request(key, amount, at);
            new.client = client.to_owned();
            new.order.destination = account(to);
            new
        };
        let at = |ms: i64| T0.plus_ms(ms);
        for (client, key) in [("one", "a"), ("two", "a")] {
            let outcome = ask(&store, scoped, to(client, 7, key, "6", T0)).await;
            assert!(matches!(outcome, AcceptOutcome::Created(_)), "{outcome:?}");
        }
        let outcome = ask(&store, scoped, to("one", 8, "b", "5", at(1))).await;
        left_of(&outcome, ScopeKind::Client, "4", at(WINDOW_MS));
        let outcome = ask(&store, scoped, to("three", 7, "c", "4", at(1))).await;
        left_of(&outcome, ScopeKind::Destination, "3", at(WINDOW_MS));
        let outcome = ask(&store, scoped, to("three", 7, "d", "3", at(1))).await;
        assert!(matches!(outcome, AcceptOutcome::Created(_)), "{outcome:?}");
        // It fits the client's day when the six leave, and the destination's only with the three.
        let outcome = ask(&store, scoped, to("one", 7, "e", "9", at(2))).await;
        left_of(&outcome, ScopeKind::Destination, "0", at(WINDOW_MS));
        let outcome = ask(&store, scoped, to("one", 7, "f", "10", at(2))).await;
        left_of(&outcome, ScopeKind::Destination, "0", at(WINDOW_MS));
        let never = ask(&store, scoped, to("four", 8, "g", "11", at(2))).await;
        assert!(
            matches!(never, AcceptOutcome::Refused { breach: Breach::Daily { scope: ScopeKind::Client, .. }, resets_at: None }),
            "{never:?}"
        );
    }

    async fn a_cap_of_nothing_lets_nothing_through_and_a_lone_maximum_needs_no_row(bed) {
        let store = bed.open().await;
        let nothing = ScopeCaps { max_payment: Some(xrp("0")), ..NONE };
        let refused = ask(&store, to_account(nothing), request("blocked", "1", T0)).await;
        let (scope, max) = (ScopeKind::Destination, xrp("0"));
        assert_eq!(refused, AcceptOutcome::Refused {
            breach: Breach::AboveMaximum { scope, max }, resets_at: None,
        });
        let most = ScopeCaps { max_payment: Some(xrp("5")), ..NONE };
        assert!(matches!(
            ask(&store, of_client(most), request("fits", "5", T0)).await,
            AcceptOutcome::Created(_)
        ));
        assert_eq!(bed.number(ROWS).await, 0);
    }

    async fn rows_that_nobody_asks_for_are_forgotten_and_made_again_alike(bed) {
        let store = anchored(bed).await;
        let limited = ScopedCaps { client: a_day("10"), destination: a_day("10") };
        let outcome = ask(&store, limited, request("first", "4", T0)).await;
        assert!(matches!(outcome, AcceptOutcome::Created(_)), "{outcome:?}");
        assert_eq!(store.forget_limit_scopes(T0.plus_ms(WINDOW_MS - 1)).await.unwrap(), 0);
        assert_eq!(bed.number(ROWS).await, 2);
        // Somebody pays on without the limits, which keeps the rows right and does not keep them.
        let later = T0.plus_ms(WINDOW_MS);
        accepted(&store, request("second", "3", later)).await;
        assert_eq!(store.forget_limit_scopes(later).await.unwrap(), 2);
        assert_eq!((bed.number(ROWS).await, bed.number(KNOWN).await), (0, 0));
        accepted(&store, request("third", "2", later)).await;
        for scoped in [of_client(a_day("10")), to_account(a_day("10"))] {
            let outcome = ask(&store, scoped, request("too much", "5.5", later)).await;
            assert!(
                matches!(outcome, AcceptOutcome::Refused { breach: Breach::Daily { left, .. }, .. } if left == xrp("5")),
                "{outcome:?}"
            );
        }
        // Asked for by a clock that was a year ahead, and has been set right since.
        let ahead = T0.plus_ms(365 * WINDOW_MS);
        let outcome = ask(&store, limited, request("ahead", "1", ahead)).await;
        assert!(matches!(outcome, AcceptOutcome::Created(_)), "{outcome:?}");
        assert_eq!(store.forget_limit_scopes(later).await.unwrap(), 2);
    }

    async fn a_reserved_word_of_ours_is_no_client_of_anybody(bed) {
        let store = bed.open().await;
        let mut new = request("first", "4", T0);
        new.client = "all".to_owned();
        let outcome = ask(&store, of_client(a_day("4")), new.clone()).await;
        assert!(matches!(outcome, AcceptOutcome::Created(_)), "{outcome:?}");
        new.order.idempotency_key = "second".to_owned();
        new.id = id_at(T0);
        let outcome = ask(&store, of_client(a_day("4")), new).await;
        left_of(&outcome, ScopeKind::Client, "0", T0.plus_ms(WINDOW_MS));
        assert_eq!(bed.number("select cast(count(*) as bigint) from limit_state").await, 2);
    }
}
