//! Endpoints and deliveries: turns, claims, recoveries, and what is cleared away.

use super::bed::*;
use std::collections::BTreeSet;
use xrpayd::store::webhooks::*;
use xrpayd::store::{Actor, FeedFilter, Store};
use xrpayd_core::ids::{DeliveryId, EndpointId, UnixMs};

pub fn endpoint(n: u128) -> NewEndpoint {
    NewEndpoint {
        id: EndpointId(n),
        client: CLIENT.to_owned(),
        reach: Reach::Own,
        url: "https://example.com/hooks".to_owned(),
        events: vec!["*".to_owned()],
        description: Some("the shop's".to_owned()),
        secret: vec![1, 2, 3],
        now: T0,
    }
}

async fn made(store: &Store, n: u128) -> Endpoint {
    store
        .create_endpoint(&endpoint(n), 9, &Actor::Daemon)
        .await
        .unwrap()
        .unwrap()
}

async fn happen(store: &Store, from: u32, times: u32) {
    for n in from..from + times {
        accepted(store, request(&format!("key {n}"), "1", T0)).await;
    }
}

/// A delivery's name that was made at an instant.
fn name(at: UnixMs, n: i64) -> DeliveryId {
    DeliveryId(u128::try_from(at.0).unwrap() << 80 | u128::try_from(n).unwrap())
}

/// All of the feed that an endpoint has not been told of.
async fn news(store: &Store, endpoint: &Endpoint, now: UnixMs) -> Fanned {
    let filter = FeedFilter {
        house: true,
        client: Some(CLIENT.to_owned()),
        ..FeedFilter::default()
    };
    let page = store
        .feed_page(endpoint.told_through, &filter, 1_000)
        .await
        .unwrap();
    let lane = i64::try_from(endpoint.id.0).unwrap() << 32;
    Fanned {
        endpoint: endpoint.id,
        recovery: None,
        after: endpoint.told_through,
        through: page.through,
        messages: page
            .events
            .iter()
            .map(|event| {
                (
                    name(now, lane + event.sequence),
                    xrpayd::webhooks::of_event(event),
                )
            })
            .collect(),
    }
}

fn turn(holder: &str, now: UnixMs) -> Turn {
    Turn {
        holder: holder.to_owned(),
        now,
        claim_until: now.plus_ms(15_000),
        disable_after_ms: 1_000_000,
        ..Turn::default()
    }
}

fn tried(at: UnixMs) -> Tried {
    Tried {
        at,
        duration_ms: 12,
        outcome: "refused",
        status: Some(500),
        error: Some("the receiver answered 500".to_owned()),
        excerpt: "größer".to_owned(),
    }
}

fn settled(claimed: &Claimed, at: UnixMs, verdict: Verdict) -> Settled {
    Settled {
        delivery: claimed.delivery,
        endpoint: claimed.endpoint,
        tried: tried(at),
        verdict,
        patience: Patience::Usual,
    }
}

async fn states(store: &Store, endpoint: EndpointId) -> Vec<DeliveryState> {
    let page = store.deliveries(endpoint, None, None, 200).await.unwrap();
    page.items.iter().map(|delivery| delivery.state).collect()
}

on_both_stores! {
    async fn an_endpoint_begins_at_the_end_of_the_feed_and_is_found_as_it_was_made(bed) {
        let store = anchored(bed).await;
        happen(&store, 0, 3).await;
        let one = made(&store, 1).await;
        assert_eq!(one.told_through, store.feed_end().await.unwrap());
        assert_eq!(store.endpoint(one.id).await.unwrap().as_ref(), Some(&one));
        assert_eq!(one.events, ["*"]);
        assert_eq!(one.status, EndpointStatus::Enabled);
        made(&store, 2).await;
        let other = NewEndpoint { client: "other".to_owned(), ..endpoint(3) };
        store.create_endpoint(&other, 1, &Actor::Daemon).await.unwrap().unwrap();
        let ids = |page: Walked<Endpoint>| page.items.iter().map(|e| e.id.0).collect::<Vec<_>>();
        assert_eq!(ids(store.endpoints(Some(CLIENT), None, 10).await.unwrap()), [2, 1]);
        let first = store.endpoints(None, None, 2).await.unwrap();
        assert!(first.more);
        let last = first.items.last().unwrap().id;
        assert_eq!(ids(first), [3, 2]);
        let rest = store.endpoints(None, Some(last), 2).await.unwrap();
        assert!(!rest.more);
        assert_eq!(ids(rest), [1]);
        let too_many = store.create_endpoint(&endpoint(4), 2, &Actor::Daemon).await.unwrap();
        assert_eq!(too_many, None, "the client has two already");
    }

    async fn an_endpoint_is_changed_rotated_and_deleted(bed) {
        let store = anchored(bed).await;
        let one = made(&store, 1).await;
        let change = EndpointChange {
            events: Some(vec!["invoice.paid".to_owned()]),
            description: Some(None),
            enabled: Some(false),
            ..EndpointChange::default()
        };
        let now = T0.plus_ms(5);
        let changed = store.change_endpoint(one.id, &change, &Actor::Daemon, now).await.unwrap().unwrap();
        assert_eq!((changed.version, changed.updated_at), (2, now));
        assert_eq!((changed.url.as_str(), changed.description.as_deref()), ("https://example.com/hooks", None));
        assert_eq!(changed.status, EndpointStatus::Disabled { why: Disabled::Requested, at: now });
        assert!(store.webhook_view().await.unwrap().endpoints.is_empty());
        let rotated = store.rotate_endpoint_secret(one.id, &[9], Some(T0.plus_ms(60)), &Actor::Daemon, now).await;
        let rotated = rotated.unwrap().unwrap();
        assert_eq!((rotated.secret, rotated.old_secret), (vec![9], Some((vec![1, 2, 3], T0.plus_ms(60)))));
        let again = store.rotate_endpoint_secret(one.id, &[8], None, &Actor::Daemon, now).await.unwrap().unwrap();
        assert_eq!((again.secret, again.old_secret), (vec![8], None));
        assert!(store.delete_endpoint(one.id, &Actor::Daemon, now).await.unwrap());
        assert!(!store.delete_endpoint(one.id, &Actor::Daemon, now).await.unwrap());
        assert_eq!(store.endpoint(one.id).await.unwrap(), None);
        assert_eq!(store.change_endpoint(one.id, &change, &Actor::Daemon, now).await.unwrap(), None);
        assert!(store.endpoints(None, None, 9).await.unwrap().items.is_empty());
    }

    async fn what_is_laid_out_is_claimed_once_and_settled_by_its_holder_alone(bed) {
        let store = anchored(bed).await;
        let one = made(&store, 1).await;
        happen(&store, 0, 3).await;
        let first = Turn {
            fanned: vec![news(&store, &one, T0).await],
            wanted: vec![(one.id, 2)],
            ..turn("a", T0)
        };
        let claimed = store.webhook_turn(&first).await.unwrap().claimed;
        assert_eq!(claimed.len(), 2);
        assert!(claimed[0].body.starts_with("{\"type\":\"payment.processing\""), "{}", claimed[0].body);
        let all_of = |holder: &str, now| Turn { wanted: vec![(one.id, 9)], ..turn(holder, now) };
        let rest = store.webhook_turn(&all_of("b", T0)).await.unwrap().claimed;
        assert_eq!(rest.len(), 1, "what another holds is not given out");

        let ends = Turn {
            settled: vec![
                settled(&claimed[0], T0, Verdict::Delivered),
                settled(&claimed[1], T0, Verdict::Again(T0.plus_ms(5_000))),
                settled(&rest[0], T0, Verdict::Delivered),
            ],
            ..turn("a", T0.plus_ms(100))
        };
        store.webhook_turn(&ends).await.unwrap();
        use DeliveryState::{Delivered, Pending};
        assert_eq!(states(&store, one.id).await, [Pending, Pending, Delivered], "the third is not a's");
        let found = store.delivery(one.id, claimed[1].delivery).await.unwrap().unwrap();
        assert_eq!(found.next_at, Some(T0.plus_ms(5_000)));
        assert_eq!(found.attempts.len(), 1);
        assert_eq!((found.attempts[0].status, found.attempts[0].excerpt.as_str()), (Some(500), "größer"));
        let not_yet = store.webhook_turn(&all_of("a", T0.plus_ms(4_999))).await.unwrap();
        assert!(not_yet.claimed.is_empty());
        let due = store.webhook_turn(&all_of("a", T0.plus_ms(5_000))).await.unwrap().claimed;
        assert_eq!((due.len(), due[0].tried), (1, 1));
        // b died: its claim ends by itself.
        let late = store.webhook_turn(&all_of("a", T0.plus_ms(15_000))).await.unwrap().claimed;
        assert_eq!((late.len(), late[0].delivery), (1, rest[0].delivery));
    }

    async fn a_stretch_of_the_feed_is_laid_out_once_whoever_comes_with_it(bed) {
        let store = anchored(bed).await;
        let one = made(&store, 1).await;
        happen(&store, 0, 4).await;
        let fanned = news(&store, &one, T0).await;
        let (a, b) = tokio::join!(
            async {
                let turn = Turn { fanned: vec![fanned.clone()], wanted: vec![(one.id, 2)], ..turn("a", T0) };
                store.webhook_turn(&turn).await.unwrap().claimed
            },
            async {
                let turn = Turn { fanned: vec![fanned.clone()], wanted: vec![(one.id, 2)], ..turn("b", T0) };
                store.webhook_turn(&turn).await.unwrap().claimed
            },
        );
        let held: BTreeSet<_> = a.iter().chain(&b).map(|claimed| claimed.delivery).collect();
        assert_eq!(held.len(), a.len() + b.len(), "nothing is held by two");
        assert_eq!(states(&store, one.id).await.len(), 4);
        let fresh = store.endpoint(one.id).await.unwrap().unwrap();
        assert_eq!(fresh.told_through, store.feed_end().await.unwrap());
    }

    async fn many_who_claim_at_once_share_what_is_due_without_a_rest(bed) {
        let store = anchored(bed).await;
        let one = made(&store, 1).await;
        happen(&store, 0, 40).await;
        let laid = Turn { fanned: vec![news(&store, &one, T0).await], ..turn("a", T0) };
        store.webhook_turn(&laid).await.unwrap();
        let mut held = Vec::new();
        for _ in 0..20 {
            let claims = ["a", "b", "c", "d"].map(|holder| {
                let turn = Turn { wanted: vec![(one.id, 3)], ..turn(holder, T0) };
                let store = store.clone();
                async move { store.webhook_turn(&turn).await }
            });
            for outcome in futures_util::future::join_all(claims).await {
                held.extend(outcome.unwrap().claimed.into_iter().map(|claimed| claimed.delivery));
            }
        }
        let distinct: BTreeSet<_> = held.iter().collect();
        assert_eq!((held.len(), distinct.len()), (40, 40));
    }

    async fn of_one_object_no_second_event_is_on_its_way_while_a_first_is(bed) {
        let store = anchored(bed).await;
        let one = made(&store, 1).await;
        let first = accepted(&store, request("key 1", "1", T0)).await;
        let signed = committed(&store, signed(&first, 10, T0)).await;
        committed(&store, submitted(&signed, T0)).await;
        happen(&store, 2, 1).await;
        let laid = Turn {
            fanned: vec![news(&store, &one, T0).await],
            wanted: vec![(one.id, 9)],
            ..turn("a", T0)
        };
        let claimed = store.webhook_turn(&laid).await.unwrap().claimed;
        let names = |claimed: &[Claimed]| claimed.iter().map(|one| one.message_id.clone()).collect::<Vec<_>>();
        assert_eq!(claimed.len(), 2, "one of each payment: {:?}", names(&claimed));
        let more = |holder: &str, now| Turn { wanted: vec![(one.id, 9)], ..turn(holder, now) };
        assert!(store.webhook_turn(&more("b", T0)).await.unwrap().claimed.is_empty());
        let of_first = claimed.iter().find(|one| one.body.contains(&first.id.to_string())).unwrap();
        let ends = Turn {
            settled: vec![settled(of_first, T0, Verdict::Again(T0.plus_ms(5_000)))],
            ..more("a", T0)
        };
        let next = store.webhook_turn(&ends).await.unwrap().claimed;
        assert_eq!(next.len(), 1, "one that failed holds up nothing: {:?}", names(&next));
        // Its holder died: what is behind it goes on when the claim has ended.
        let late = store.webhook_turn(&more("b", T0.plus_ms(15_000))).await.unwrap().claimed;
        assert!(late.len() >= 2, "{:?}", names(&late));
    }

    async fn two_ends_of_one_delivery_in_a_turn_are_one_try(bed) {
        let store = anchored(bed).await;
        let one = made(&store, 1).await;
        happen(&store, 0, 1).await;
        let claims = Turn {
            fanned: vec![news(&store, &one, T0).await],
            wanted: vec![(one.id, 1)],
            ..turn("a", T0)
        };
        let claimed = store.webhook_turn(&claims).await.unwrap().claimed;
        let more = |now| Turn { wanted: vec![(one.id, 1)], ..turn("a", now) };
        // What is asked for now is the try that is under way.
        store.redeliver(one.id, claimed[0].delivery, T0).await.unwrap().unwrap();
        assert!(store.webhook_turn(&more(T0)).await.unwrap().claimed.is_empty());
        // A clock that jumped past the end of the claim makes a second one.
        let after = T0.plus_ms(15_000);
        assert_eq!(store.webhook_turn(&more(after)).await.unwrap().claimed.len(), 1);
        let ends = Turn {
            settled: vec![
                settled(&claimed[0], after, Verdict::Delivered),
                settled(&claimed[0], after, Verdict::Again(after)),
            ],
            ..turn("a", after)
        };
        store.webhook_turn(&ends).await.unwrap();
        assert_eq!(states(&store, one.id).await, [DeliveryState::Delivered]);
        let found = store.delivery(one.id, claimed[0].delivery).await.unwrap().unwrap();
        assert_eq!(found.attempts.len(), 1);
    }

    async fn who_is_alone_gives_back_what_the_dead_held(bed) {
        let store = anchored(bed).await;
        let one = made(&store, 1).await;
        happen(&store, 0, 2).await;
        let claims = Turn {
            fanned: vec![news(&store, &one, T0).await],
            wanted: vec![(one.id, 9)],
            ..turn("a", T0)
        };
        assert_eq!(store.webhook_turn(&claims).await.unwrap().claimed.len(), 2);
        let again = Turn { wanted: vec![(one.id, 9)], ..turn("b", T0) };
        store.release_webhook_claims(Some("b"), T0).await.unwrap();
        assert!(store.webhook_turn(&again).await.unwrap().claimed.is_empty());
        store.release_webhook_claims(None, T0).await.unwrap();
        assert_eq!(store.webhook_turn(&again).await.unwrap().claimed.len(), 2);
    }

    async fn an_endpoint_that_fails_for_too_long_is_disabled_once_with_an_event(bed) {
        let store = anchored(bed).await;
        let one = made(&store, 1).await;
        happen(&store, 0, 1).await;
        let laid = Turn {
            fanned: vec![news(&store, &one, T0).await],
            wanted: vec![(one.id, 1)],
            ..turn("a", T0)
        };
        let mut claimed = store.webhook_turn(&laid).await.unwrap().claimed;
        for (at, disabled) in [(0, 0), (400_000, 0), (800_000, 0), (1_000_000, 1)] {
            let at = T0.plus_ms(at);
            let ends = Turn {
                settled: vec![settled(&claimed[0], at, Verdict::Again(at.plus_ms(1)))],
                ..turn("a", at)
            };
            assert_eq!(store.webhook_turn(&ends).await.unwrap().disabled.len(), disabled);
            if disabled == 0 {
                let wanted = Turn { wanted: vec![(one.id, 1)], ..turn("a", at.plus_ms(1)) };
                claimed = store.webhook_turn(&wanted).await.unwrap().claimed;
            }
        }
        let wanted = Turn { wanted: vec![(one.id, 1)], ..turn("a", T0.plus_ms(9_000_000)) };
        assert!(store.webhook_turn(&wanted).await.unwrap().claimed.is_empty(), "it is disabled");
        assert_eq!(states(&store, one.id).await, [DeliveryState::Pending], "and nothing is lost");
        assert_eq!(store.oldest_undelivered().await.unwrap(), None, "nobody waits for it");
        let filter = FeedFilter { types: vec!["webhook_endpoint.disabled".to_owned()], ..FeedFilter::default() };
        let told = store.feed(0, &filter, 10).await.unwrap();
        assert_eq!(told.len(), 1);
        assert_eq!((told[0].client.as_str(), &told[0].data["disabled_reason"]), (CLIENT, &"failing".into()));
        assert_eq!(told[0].data.get("secret"), None);
    }

    async fn failures_that_lie_far_apart_are_no_row_of_failures(bed) {
        let store = anchored(bed).await;
        let one = made(&store, 1).await;
        happen(&store, 0, 1).await;
        let laid = Turn {
            fanned: vec![news(&store, &one, T0).await],
            wanted: vec![(one.id, 1)],
            ..turn("a", T0)
        };
        let mut claimed = store.webhook_turn(&laid).await.unwrap().claimed;
        for at in [0, 600_000, 1_200_000, 1_800_000] {
            let at = T0.plus_ms(at);
            let ends = Turn {
                settled: vec![settled(&claimed[0], at, Verdict::Again(at.plus_ms(1)))],
                ..turn("a", at)
            };
            assert!(store.webhook_turn(&ends).await.unwrap().disabled.is_empty());
            let found = store.endpoint(one.id).await.unwrap().unwrap();
            assert_eq!(found.failing_since, Some(at));
            let wanted = Turn { wanted: vec![(one.id, 1)], ..turn("a", at.plus_ms(1)) };
            claimed = store.webhook_turn(&wanted).await.unwrap().claimed;
        }
    }

    async fn the_oldest_event_that_nobody_took_is_known_before_and_after_it_is_laid_out(bed) {
        let store = anchored(bed).await;
        let one = made(&store, 1).await;
        assert_eq!(store.oldest_undelivered().await.unwrap(), None);
        happen(&store, 0, 1).await;
        assert_eq!(store.oldest_undelivered().await.unwrap(), Some(T0));
        let laid = Turn {
            fanned: vec![news(&store, &one, T0).await],
            wanted: vec![(one.id, 1)],
            ..turn("a", T0)
        };
        let claimed = store.webhook_turn(&laid).await.unwrap().claimed;
        assert_eq!(store.oldest_undelivered().await.unwrap(), Some(T0));
        let ends = Turn { settled: vec![settled(&claimed[0], T0, Verdict::Delivered)], ..turn("a", T0) };
        store.webhook_turn(&ends).await.unwrap();
        assert_eq!(store.oldest_undelivered().await.unwrap(), None);
    }

    async fn what_ended_long_ago_is_cleared_away_and_what_waits_is_not(bed) {
        let store = anchored(bed).await;
        let (one, two) = (made(&store, 1).await, made(&store, 2).await);
        happen(&store, 0, 3).await;
        let laid = Turn {
            fanned: vec![news(&store, &one, T0).await, news(&store, &two, T0).await],
            wanted: vec![(one.id, 2)],
            ..turn("a", T0)
        };
        let claimed = store.webhook_turn(&laid).await.unwrap().claimed;
        let ends = Turn {
            settled: claimed.iter().map(|one| settled(one, T0, Verdict::Delivered)).collect(),
            ..turn("a", T0)
        };
        store.webhook_turn(&ends).await.unwrap();
        assert_eq!(store.prune_deliveries(T0, 10).await.unwrap(), 0, "not yet");
        assert_eq!(store.prune_deliveries(T0.plus_ms(1), 1).await.unwrap(), 1);
        assert_eq!(store.prune_deliveries(T0.plus_ms(1), 10).await.unwrap(), 1);
        assert_eq!(states(&store, one.id).await, [DeliveryState::Pending]);
        assert_eq!(bed.number("select cast(count(*) as bigint) from webhook_messages").await, 3, "two wants them");
        store.delete_endpoint(two.id, &Actor::Daemon, T0).await.unwrap();
        assert_eq!(store.prune_deliveries(T0, 10).await.unwrap(), 3);
        assert_eq!(bed.number("select cast(count(*) as bigint) from webhook_messages").await, 1);
        assert_eq!(bed.number("select cast(count(*) as bigint) from webhook_endpoints").await, 1);
        assert_eq!(bed.number("select cast(count(*) as bigint) from webhook_attempts").await, 0);
    }

    async fn a_message_that_was_sent_once_is_in_the_log_and_tells_nothing_of_health(bed) {
        let store = anchored(bed).await;
        let one = made(&store, 1).await;
        let sent = TriedOnce {
            id: name(T0, 1),
            endpoint: one.id,
            message: Message {
                id: "evt_test_1".to_owned(),
                type_: "webhook.test".to_owned(),
                object_id: one.id.to_string(),
                at: T0,
                body: "{}".to_owned(),
            },
            state: DeliveryState::Failed,
            tried: tried(T0),
        };
        let found = store.record_tried_once(&sent).await.unwrap().unwrap();
        assert_eq!((found.state, found.attempts.len(), found.next_at), (DeliveryState::Failed, 1, None));
        assert_eq!(store.endpoint(one.id).await.unwrap().unwrap(), one);
        let again = store.redeliver(one.id, found.id, T0.plus_ms(1)).await.unwrap().unwrap();
        assert_eq!((again.state, again.next_at), (DeliveryState::Pending, Some(T0.plus_ms(1))));
        let nobody = store.redeliver(EndpointId(7), found.id, T0).await.unwrap();
        assert_eq!(nobody, None, "a delivery belongs to its endpoint");
    }
}
