//! The limits of single clients and destinations, as a client meets them.

use super::bed::{Answer, Bed, HOT, SHOP, START, get, order, post, post_payment, rules};
use axum::http::StatusCode;
use serde_json::{Value, json};
use std::sync::Arc;
use xrpayd::http::{AppState, Rules, router};
use xrpayd_core::limits::{ScopeCaps, WINDOW_MS};
use xrpayd_core::money::Drops;

fn xrp(text: &str) -> Drops {
    Drops::from_xrp(text).unwrap()
}

fn amount(value: &str) -> Value {
    json!({ "currency": "XRP", "value": value })
}

fn fenced(rules: &mut Rules) {
    let scopes = Arc::make_mut(&mut rules.policy.scopes);
    scopes.every_client = ScopeCaps {
        max_payment: Some(xrp("20")),
        daily: Some(xrp("30")),
        max_pending: Some(3),
    };
    scopes.clients.insert(
        "big".to_owned(),
        ScopeCaps {
            max_payment: Some(xrp("60")),
            daily: Some(xrp("100")),
            max_pending: Some(9),
        },
    );
    scopes.every_destination = ScopeCaps {
        daily: Some(xrp("50")),
        ..ScopeCaps::NONE
    };
}

async fn beds() -> Vec<Bed> {
    let mut beds = vec![Bed::with(fenced, xrpayd::http::state::Auth::Required).await];
    beds.extend(Bed::postgres(fenced).await);
    beds
}

#[track_caller]
fn refused(answer: &Answer, code: &str, scope: &str, resets_at: Option<&str>) {
    let body = &answer.body;
    assert_eq!(body["code"], code, "{body}");
    assert_eq!(body["scope"], scope, "{body}");
    assert_eq!(body["resets_at"].as_str(), resets_at, "{body}");
}

#[tokio::test]
async fn a_refusal_says_whose_limit_it_was_and_when_it_frees() {
    for bed in beds().await {
        let shop = bed.merchant().await;
        let big = bed.key("big", &["payments:read", "payments:write"]).await;
        let ask = async |token: &str, key: &str, value: &str| {
            bed.send(post_payment(token, key, &order(value))).await
        };
        let tomorrow = Some("2027-01-16T08:00:00.000Z");
        let over = ask(&shop, "a", "20.000001").await;
        assert_eq!(over.status, StatusCode::UNPROCESSABLE_ENTITY);
        refused(&over, "amount_above_stage_limit", "client", None);
        let over = ask(&shop, "a", "101").await;
        refused(&over, "amount_above_stage_limit", "all", None);
        for (key, value) in [("b", "20"), ("c", "6")] {
            assert_eq!(
                ask(&shop, key, value).await.status,
                StatusCode::CREATED,
                "{key}"
            );
        }
        let over = ask(&shop, "d", "5").await;
        refused(&over, "daily_limit_exceeded", "client", tomorrow);
        assert_eq!(
            over.body["errors"][0]["detail"],
            "the amount is above what is left of the client's daily limit: 4 XRP"
        );
        assert_eq!(ask(&shop, "e", "4").await.status, StatusCode::CREATED);
        let many = ask(&shop, "f", "0.5").await;
        assert_eq!(many.status, StatusCode::TOO_MANY_REQUESTS);
        refused(&many, "too_many_pending", "client", None);
        // Another client's day is open, and the destination's is nearly used up.
        let over = ask(&big, "a", "21").await;
        refused(&over, "daily_limit_exceeded", "destination", tomorrow);
        let verdict = bed
            .send(post("/v1/payments/validate", &big).json(&order("21")))
            .await;
        let checks = verdict.body["checks"].as_array().unwrap();
        let day = checks
            .iter()
            .find(|check| check["code"] == "daily_limit_exceeded");
        assert_eq!(day.unwrap()["status"], "fail", "{}", verdict.body);
        assert_eq!(day.unwrap()["scope"], "destination");
        assert_eq!(day.unwrap()["resets_at"].as_str(), tomorrow);
        assert_eq!(ask(&big, "b", "20").await.status, StatusCode::CREATED);
        // What was accepted is answered under its key, whatever the limits say.
        assert_eq!(ask(&shop, "b", "20").await.status, StatusCode::OK);
        bed.end().await;
    }
}

#[tokio::test]
async fn the_limits_show_a_client_its_own_and_an_operator_everybodys() {
    for bed in beds().await {
        let shop = bed.merchant().await;
        let admin = bed.key("ops", &["admin"]).await;
        bed.pay(&shop, "a", order("12")).await;
        bed.clock.advance(std::time::Duration::from_secs(60));
        bed.pay(&shop, "b", order("3")).await;
        let frees = json!([
            { "at": "2027-01-16T08:00:00.000Z", "amount": amount("12") },
            { "at": "2027-01-16T08:01:00.000Z", "amount": amount("3") },
        ]);
        let path = format!("/v1/limits?destination={SHOP}");
        let own = bed.send(get(&path, &shop)).await.body;
        assert_eq!(
            own["client"],
            json!({
                "name": "shop",
                "caps": { "max_payment": amount("20"), "daily": amount("30"), "pending": 3 },
                "used": { "daily": amount("15"), "pending": 2 },
                "left": { "daily": amount("15"), "pending": 1 },
                "resets_at": "2027-01-16T08:00:00.000Z",
                "frees": frees,
            })
        );
        assert_eq!(
            own["destination"],
            json!({
                "name": SHOP,
                "caps": { "max_payment": null, "daily": amount("50"), "pending": null },
                "used": { "daily": amount("15"), "pending": 2 },
                "left": { "daily": amount("35"), "pending": null },
                "resets_at": "2027-01-16T08:00:00.000Z",
                "frees": frees,
            })
        );
        assert_eq!(own["frees"], frees);
        assert_eq!(own["used"]["daily"], amount("15"));
        let others = bed.send(get("/v1/limits?client=big", &shop)).await;
        others.refused(403, "scope_missing");
        let seen = bed.send(get("/v1/limits?client=shop", &admin)).await.body;
        assert_eq!(seen["client"], own["client"]);
        assert_eq!(seen["destination"], Value::Null);
        let bad = bed.send(get("/v1/limits?destination=nobody", &shop)).await;
        bad.refused(400, "invalid_query");
        // Switched off: nothing is counted that nobody asks for.
        bed.reload(|rules| rules.policy.scopes = Default::default());
        let own = bed.send(get("/v1/limits", &shop)).await.body;
        assert_eq!(own["client"]["used"], Value::Null);
        // And on again, with what came meanwhile.
        bed.pay(&shop, "c", order("5")).await;
        bed.reload(fenced);
        let own = bed.send(get("/v1/limits", &shop)).await.body;
        assert_eq!(own["client"]["used"]["daily"], amount("20"));
        bed.end().await;
    }
}

#[tokio::test]
async fn what_goes_back_counts_for_whoever_it_is_paid_to() {
    let bed = Bed::with(fenced, xrpayd::http::state::Auth::Required).await;
    let shop = bed.merchant().await;
    bed.reload(|rules| {
        let blocked = ScopeCaps {
            max_payment: Some(Drops::ZERO),
            ..ScopeCaps::NONE
        };
        let account = SHOP.parse().unwrap();
        let scopes = Arc::make_mut(&mut rules.policy.scopes);
        scopes.destinations.insert(account, blocked);
    });
    let answer = bed.send(post_payment(&shop, "a", &order("1"))).await;
    refused(&answer, "amount_above_stage_limit", "destination", None);
    let mut own = order("1");
    own["destination"] = json!(HOT);
    let answer = bed.send(post_payment(&shop, "b", &own)).await;
    assert_eq!(answer.body["code"], "destination_is_self");
    bed.end().await;
}

/// Two daemons on one database, each with its own handles, its own writer and its own rules.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_of_two_daemons_share_what_is_left_to_the_drop() {
    let few = |rules: &mut Rules| {
        rules.policy.caps.daily = xrp("40");
        let scopes = Arc::make_mut(&mut rules.policy.scopes);
        scopes.every_client.daily = Some(xrp("25"));
    };
    let Some(bed) = Bed::postgres(few).await else {
        return;
    };
    let tokens = [
        bed.key("one", &["payments:write"]).await,
        bed.key("two", &["payments:write"]).await,
    ];
    let store = bed.replica().await;
    store.start_accept_writer(&bed.web);
    let mut second = rules();
    few(&mut second);
    let other = tokio::sync::watch::Sender::new(Arc::new(second));
    let beside = router(AppState {
        store: store.clone(),
        rules: other.subscribe(),
        ..bed.state.clone()
    });
    let callers: Vec<_> = (0..60_u32)
        .map(|n| {
            let router = if n % 2 == 0 {
                bed.router.clone()
            } else {
                beside.clone()
            };
            let by = usize::from(n % 4 > 1);
            let value = ["1.5", "0.7", "2.25", "4", "0.35"][n as usize % 5];
            let call = post_payment(&tokens[by], &format!("race-{n}"), &order(value)).build();
            tokio::spawn(async move {
                let response = tower::ServiceExt::oneshot(router, call).await.unwrap();
                (by, xrp(value).get(), response.status())
            })
        })
        .collect();
    let (mut sums, mut refused) = ([0, 0], Vec::new());
    for caller in callers {
        let (by, drops, status) = caller.await.unwrap();
        match status {
            StatusCode::CREATED => sums[by] += drops,
            StatusCode::UNPROCESSABLE_ENTITY => refused.push((by, drops)),
            other => panic!("{other}"),
        }
    }
    let all = sums[0] + sums[1];
    let used = store.limit_usage(START).await.unwrap().usage;
    assert_eq!(used.daily_used.get(), all);
    assert!(all <= xrp("40").get() && sums.iter().all(|sum| *sum <= xrp("25").get()));
    assert!(refused.len() > 10, "{}", refused.len());
    for (by, drops) in refused {
        let fits = all + drops <= xrp("40").get() && sums[by] + drops <= xrp("25").get();
        assert!(!fits, "{drops} drops of {by} would have fitted");
    }
    let at = START.plus_ms(WINDOW_MS);
    assert_eq!(
        store.limit_usage(at).await.unwrap().usage.daily_used,
        Drops::ZERO
    );
    store.close().await;
    bed.end().await;
}
