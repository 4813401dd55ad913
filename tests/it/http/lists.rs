//! Lists: pages without gaps, filters, events; and the views of what is running.

use super::bed::{Bed, HOT, SHOP, START, get, order};
use axum::http::StatusCode;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;
use xrpayd::http::state::WaitRow;
use xrpayd_core::ids::LedgerIndex;

fn ids(page: &Value) -> Vec<String> {
    let rows = page["data"].as_array().unwrap();
    rows.iter()
        .map(|row| row["id"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn pages_hold_every_payment_once_while_new_ones_come_in() {
    let bed = Bed::new().await;
    let token = bed.merchant().await;
    let mut made = BTreeSet::new();
    for n in 0..23 {
        let payment = bed.pay(&token, &format!("k{n}"), order("0.001")).await;
        made.insert(payment["id"].as_str().unwrap().to_owned());
        bed.clock
            .advance(Duration::from_millis(u64::from(n % 3 == 0)));
    }
    let (mut seen, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let page = bed
            .send(get(&format!("/v1/payments?limit=5{cursor}"), &token))
            .await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        seen.extend(ids(&page.body));
        pages += 1;
        bed.clock.advance(Duration::from_millis(10));
        bed.pay(&token, &format!("late{pages}"), order("0.001"))
            .await;
        match page.body["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(pages, 5);
    assert_eq!(seen.len(), 23, "a payment was shown twice or not at all");
    assert_eq!(seen.iter().cloned().collect::<BTreeSet<_>>(), made);
    bed.end().await;
}

#[tokio::test]
async fn filters_narrow_a_list() {
    let bed = Bed::new().await;
    let token = bed.merchant().await;
    let mut with_reference = order("1");
    with_reference["reference"] = json!("order 7");
    let first = bed.pay(&token, "a", with_reference).await;
    bed.clock.advance(Duration::from_secs(60));
    let mut elsewhere = order("2");
    elsewhere["destination"] = json!("rrrrrrrrrrrrrrrrrrrrrhoLvTp");
    let second = bed.pay(&token, "b", elsewhere).await;
    let id = |payment: &Value| payment["id"].as_str().unwrap().to_owned();
    let cancel = format!("/v1/payments/{}/cancel", id(&second));
    bed.send(super::bed::post(&cancel, &token)).await;
    for (query, expected) in [
        ("", vec![id(&second), id(&first)]),
        ("status=processing", vec![id(&first)]),
        ("status=cancelled", vec![id(&second)]),
        ("status=failed", vec![]),
        ("reference=order%207", vec![id(&first)]),
        ("reference=order", vec![]),
        (&format!("destination={SHOP}"), vec![id(&first)]),
        ("created_after=2027-01-15T08:00:30Z", vec![id(&second)]),
        (
            "created_before=2027-01-15T09:00:30%2B01:00",
            vec![id(&first)],
        ),
        (
            "created_after=2027-01-15T08:00:00Z&created_before=2027-01-15T08:00:00Z",
            vec![],
        ),
    ] {
        let page = bed
            .send(get(&format!("/v1/payments?{query}"), &token))
            .await;
        assert_eq!(ids(&page.body), expected, "{query}");
    }
    for query in [
        "limit=0",
        "limit=201",
        "status=done",
        "cursor=x",
        "page=2",
        "created_after=now",
    ] {
        let answer = bed
            .send(get(&format!("/v1/payments?{query}"), &token))
            .await;
        answer.refused(400, "invalid_query");
    }
    bed.end().await;
}

#[tokio::test]
async fn the_events_of_a_payment_tell_its_story_in_order() {
    let bed = Bed::new().await;
    let token = bed.merchant().await;
    let made = bed.pay(&token, "a", order("1")).await;
    let path = format!("/v1/payments/{}", made["id"].as_str().unwrap());
    bed.clock.advance(Duration::from_secs(1));
    bed.send(super::bed::post(&format!("{path}/cancel"), &token))
        .await;
    let all = bed.send(get(&format!("{path}/events"), &token)).await;
    let rows = all.body["data"].as_array().unwrap();
    let told: Vec<_> = rows
        .iter()
        .map(|row| {
            (
                row["type"].as_str().unwrap(),
                row["timestamp"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("payment.processing", "2027-01-15T08:00:00.000Z"),
            ("payment.cancelled", "2027-01-15T08:00:01.000Z"),
        ]
    );
    let first = bed
        .send(get(&format!("{path}/events?limit=1"), &token))
        .await;
    let cursor = first.body["next_cursor"].as_str().unwrap();
    let rest = bed
        .send(get(
            &format!("{path}/events?limit=1&cursor={cursor}"),
            &token,
        ))
        .await;
    assert_eq!(rest.body["data"], json!([rows[1]]));
    assert_eq!(rest.body["next_cursor"], Value::Null);
    for missing in ["pay_00000000000000000000000000", "pay_x", "7"] {
        let answer = bed
            .send(get(&format!("/v1/payments/{missing}/events"), &token))
            .await;
        answer.refused(404, "payment_not_found");
    }
    bed.end().await;
}

#[tokio::test]
async fn wallets_servers_limits_and_rollout_show_what_is_known() {
    let bed = Bed::new().await;
    let token = bed.merchant().await;
    let paid = bed.pay(&token, "a", order("2.5")).await;
    let xrp = |value: &str| json!({ "currency": "XRP", "value": value });
    let wait = WaitRow {
        from: LedgerIndex(41),
        missing: Some(7),
        why: "nobody holds ledger 41".to_owned(),
    };
    {
        let mut wallets = bed.live.wallets.lock().unwrap();
        let journal = wallets[0].journal.as_mut().unwrap();
        journal.waits.push(wait);
    }
    let wallet = json!({
        // By the same clock, which stands still.
        "as_of": paid["created_at"],
        "object": "wallet", "name": "hot", "address": HOT, "wallet_type": "hot", "status": "ok",
        "paused": false, "halted_reason": null, "balance": xrp("500"), "reserve": xrp("1"), "spendable": xrp("490"),
        "in_flight": xrp("9"), "in_flight_count": 2, "journal_ledger": 77,
        "journal": {
            "start_ledger": 3, "ledger": 40, "lag_ledgers": 39, "backfilling": true,
            "backfill": { "from_ledger": 3, "to_ledger": 70, "ledger": 40, "transactions": 1234 },
            "waiting_for": [
                { "from_ledger": 41, "missing_ledgers": 7, "reason": "nobody holds ledger 41" },
            ],
        },
        "tickets": { "standing": 5, "free": 4, "on_order": 10 },
    });
    let list = bed.send(get("/v1/wallets", &token)).await;
    assert_eq!(list.body, json!({ "data": [wallet], "next_cursor": null }));
    assert_eq!(bed.send(get("/v1/wallets/hot", &token)).await.body, wallet);
    bed.send(get("/v1/wallets/cold", &token))
        .await
        .refused(404, "wallet_not_found");
    bed.live.wallets.lock().unwrap()[0].halted = Some("a stranger signs".to_owned());
    let halted = bed.send(get("/v1/wallets/hot", &token)).await.body;
    assert_eq!(
        (&halted["status"], &halted["halted_reason"]),
        (&json!("halted"), &json!("a stranger signs"))
    );

    let servers = bed.send(get("/v1/servers", &token)).await;
    assert_eq!(
        servers.body["data"],
        json!([{
            "object": "server", "name": "one", "operator": "us", "state": "ready", "ready": true,
            "cause": null, "reason": null, "since": servers.body["data"][0]["since"],
            "validated_ledger": 78, "lag_ledgers": 0, "latency_ms": 12, "latency_p95_ms": 31,
            "errors_per_mille": 4, "budget_per_second": null, "complete_ledgers": "2-78",
            "build_version": "2.4.0", "load_factor": 1, "score": 990,
        }])
    );
    assert!(servers.body["data"][0]["since"].is_string());
    let disputes = servers.body["disputes"].as_array().unwrap();
    let side = |server: &str, hash: &str| json!({ "server": server, "ledger_index": 78, "ledger_hash": hash.repeat(32), "says": format!("{server} says so") });
    let met = &disputes[0]["first_at"];
    assert!(met.is_string());
    assert_eq!(
        disputes[0],
        json!({
            "object": "dispute", "about": "a validated ledger", "outcome": "proven", "times": 3,
            "first_at": met, "last_at": met, "sides": [side("one", "01"), side("two", "02")],
        })
    );
    assert_eq!(
        (disputes.len(), &disputes[1]["sides"][0]["ledger_index"]),
        (2, &json!(77)),
        "the newest come first"
    );
    let limits = bed.send(get("/v1/limits", &token)).await;
    assert_eq!(
        limits.body,
        json!({
            "object": "limits", "stage": "internal", "window_s": 86_400,
            "caps": { "min_payment": xrp("0.001"), "max_payment": xrp("100"), "daily": xrp("1000"), "pending": 500, "approval_threshold": null },
            "used": { "daily": xrp("2.5"), "pending": 1 },
            "left": { "daily": xrp("997.5"), "pending": 499 },
            "resets_at": "2027-01-16T08:00:00.000Z",
            "frees": [{ "at": "2027-01-16T08:00:00.000Z", "amount": xrp("2.5") }],
            "client": {
                "name": "shop", "caps": { "max_payment": null, "daily": null, "pending": null },
                "used": null, "left": { "daily": null, "pending": null },
                "resets_at": null, "frees": [],
            },
            "destination": null,
        })
    );
    bed.store.begin_rollout("internal", START).await.unwrap();
    let rollout = bed.send(get("/v1/rollout", &token)).await;
    assert_eq!(
        rollout.body,
        json!({
            "object": "rollout", "stage": "internal", "since": "2027-01-15T08:00:00.000Z",
            "version": 1, "next": null, "next_refused": "it is the last stage", "ready": false,
            "criteria": [
                {
                    "criterion": "min_duration", "wanted": "1d", "measured": "0s", "met": false,
                    "why": "The stage has to last 86400 seconds more.",
                },
                {
                    "criterion": "max_error_rate", "wanted": "0.01", "measured": null, "met": false,
                    "why": "No payment has had its end at this stage, so there is no rate.",
                },
            ],
            "highest_stage": "internal",
            "history": [{
                "version": 1, "at": "2027-01-15T08:00:00.000Z", "change": "began", "from": null,
                "to": "internal", "overridden": false, "by": null, "reason": null,
                "override_reason": null, "evidence": [],
            }],
            "stages": [{
                "name": "internal", "max_payment": xrp("10"), "daily_limit": null,
                "allowed_clients": ["*"], "min_duration_s": 86_400,
                "criteria": { "max_error_rate": "0.01" },
            }],
        })
    );
    bed.end().await;
}
