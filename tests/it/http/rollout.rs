//! The stages over HTTP: a day of payments that earns the next one, what is refused for want of which
//! criterion, and how a stage is given up.

use super::bed::{Answer, Bed, START, get, order, post, post_payment, xrp};
use crate::store::bed::{committed, cursor, delivered, found, signed};
use crate::support::held::Held as _;
use axum::http::StatusCode;
use serde_json::{Value, json};
use sqlx::{Connection as _, Executor as _, PgConnection};
use std::time::Duration;
use xrpayd::http::Rules;
use xrpayd::http::state::Auth;
use xrpayd::store::{Actor, IncidentKind};
use xrpayd_core::address::AccountId;
use xrpayd_core::ids::PaymentId;
use xrpayd_core::limits::Caps;
use xrpayd_core::payment::Payment;
use xrpayd_core::rollout::{Alerts, Confirmed, Criteria, Ladder, Ratio, Stage};

const HOUR: Duration = Duration::from_secs(3_600);

/// The shipped stages, with every criterion asked of the first one.
fn staged(rules: &mut Rules) {
    let stage = |name: &str, most: &str, daily: &str, criteria| Stage {
        name: name.to_owned(),
        max_payment: Some(xrp(most)),
        daily_limit: Some(xrp(daily)),
        caps: Caps {
            max_payment: xrp(most),
            daily: xrp(daily),
            ..rules.policy.caps
        },
        allowed_clients: vec!["*".to_owned()],
        criteria,
    };
    let asked = Criteria {
        min_duration_ms: Some(24 * 3_600_000),
        min_payments: Some(40),
        max_error_rate: Some(Ratio { ppm: 30_000 }),
        confirmed: Some(Confirmed {
            within_ms: 120_000,
            ratio: Ratio { ppm: 1_000_000 },
        }),
        max_security_incidents: Some(0),
        alerts: Alerts::MustBeAcknowledged,
    };
    rules.ladder = Ladder {
        stages: vec![
            stage("internal", "10", "100", asked),
            stage("limited-beta", "100", "1000", asked),
            stage("general", "500", "5000", Criteria::default()),
        ],
        first: "internal".to_owned(),
        highest: "limited-beta".to_owned(),
        auto_demotion: None,
    };
    rules.policy = rules.policy_at("internal");
}

/// A bed on each store whose rollout has begun, with a key of an administrator.
async fn beds() -> Vec<(Bed, String)> {
    let mut beds = vec![Bed::with(staged, Auth::Required).await];
    beds.extend(Bed::postgres(staged).await);
    let mut begun = Vec::new();
    for bed in beds {
        let account = AccountId([1; 20]);
        bed.store
            .anchor_held("hot", account, 0, &cursor(100), None, START)
            .await
            .unwrap();
        bed.store.begin_rollout("internal", START).await.unwrap();
        bed.state.switches.look_again().await;
        let admin = bed.key("ops", &["admin"]).await;
        begun.push((bed, admin));
    }
    begun
}

impl Bed {
    async fn accepted(&self, key: &str, value: &str) -> Payment {
        let token = self.merchant().await;
        let body = self.pay(&token, key, order(value)).await;
        let id: PaymentId = body["id"].as_str().unwrap().parse().unwrap();
        self.store.payment(id).await.unwrap().unwrap()
    }

    /// A payment that arrives as long after its acceptance.
    async fn paid(&self, key: &str, sequence: u32, took: Duration) {
        let payment = self.accepted(key, "1").await;
        self.clock.advance(took);
        delivered(&self.store, &payment, sequence, self.state.clock.now()).await;
    }

    /// One that the ledger refuses for no fault of the destination.
    async fn failed(&self, key: &str, sequence: u32) {
        let payment = self.accepted(key, "1").await;
        let now = self.state.clock.now();
        let payment = committed(&self.store, signed(&payment, sequence, now)).await;
        committed(&self.store, found(&payment, "tecPATH_DRY", now)).await;
    }

    async fn promote(&self, admin: &str, body: Value) -> Answer {
        self.send(post("/v1/rollout/promote", admin).json(&body))
            .await
    }

    async fn demote(&self, admin: &str, body: Value) -> Answer {
        self.send(post("/v1/rollout/demote", admin).json(&body))
            .await
    }

    /// The criteria that a promotion is refused for.
    async fn failing(&self, admin: &str) -> Vec<String> {
        let answer = self.promote(admin, json!({})).await;
        answer.refused(409, "criteria_not_met")
    }

    async fn acknowledged_alert(&self) {
        let (by, now) = (Actor::Cli { uid: 1, said: None }, self.state.clock.now());
        let alert = self
            .store
            .report_incident(IncidentKind::Alert, "a drill", &by, now)
            .await
            .unwrap();
        self.store
            .close_incident(alert.number, Some("seen"), &by, now)
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_stage_is_earned_by_a_day_of_payments_and_by_nothing_less() {
    for (bed, admin) in beds().await {
        let token = bed.merchant().await;
        bed.send(post_payment(&token, "big", &order("50")))
            .await
            .refused(422, "amount_above_stage_limit");
        // No data is a failure: of all that needs some.
        bed.clock.advance(HOUR);
        let missing = bed.failing(&admin).await;
        assert_eq!(
            missing,
            [
                "/criteria/min_duration",
                "/criteria/min_payments",
                "/criteria/max_error_rate",
                "/criteria/confirmed_within",
                "/criteria/alerts_acknowledged",
            ]
        );
        bed.acknowledged_alert().await;
        // Through the day: a payment every half an hour, each confirmed within a ledger or two.
        for n in 0..45 {
            bed.paid(&format!("key-{n}"), 10 + n, Duration::from_secs(8))
                .await;
            bed.clock.advance(HOUR / 2 - Duration::from_secs(8));
            if n == 20 {
                let missing = bed.failing(&admin).await;
                assert_eq!(
                    missing,
                    ["/criteria/min_duration", "/criteria/min_payments"]
                );
            }
        }
        bed.failed("key-45", 60).await;
        bed.clock.advance(HOUR / 2 - Duration::from_millis(1));
        assert_eq!(
            bed.failing(&admin).await,
            ["/criteria/min_duration"],
            "a millisecond too early"
        );
        bed.clock.advance(Duration::from_millis(1));

        let seen = bed.send(get("/v1/rollout", &token)).await.body;
        assert_eq!(
            (&seen["stage"], &seen["next"], &seen["ready"]),
            (&json!("internal"), &json!("limited-beta"), &json!(true))
        );
        let by_name = |name: &str| {
            let all = seen["criteria"].as_array().unwrap();
            all.iter()
                .find(|one| one["criterion"] == name)
                .cloned()
                .unwrap()
        };
        assert_eq!(by_name("min_duration")["measured"], "1d");
        assert_eq!(by_name("min_payments")["measured"], "46");
        assert_eq!(by_name("max_error_rate")["measured"], "0.02174");
        assert_eq!(by_name("confirmed_within")["wanted"], "1 within 2m");
        let promoted = bed
            .promote(
                &admin,
                json!({ "stage": "internal", "reason": "a good day" }),
            )
            .await;
        assert_eq!(promoted.status, StatusCode::OK, "{}", promoted.body);
        assert_eq!(promoted.body["stage"], "limited-beta");
        let record = &promoted.body["history"][0];
        assert_eq!(
            (
                &record["change"],
                &record["from"],
                &record["reason"],
                &record["overridden"]
            ),
            (
                &json!("promoted"),
                &json!("internal"),
                &json!("a good day"),
                &json!(false)
            )
        );
        assert!(record["by"].as_str().unwrap().starts_with("key:"));
        assert_eq!(
            record["evidence"].as_array().unwrap().len(),
            6,
            "the measured values are kept"
        );
        // The same wish once more is not one too many.
        let again = bed.promote(&admin, json!({ "stage": "internal" })).await;
        assert_eq!(again.refused(409, "stage_changed"), ["/stage"]);
        // This process goes by the new stage in its next answer.
        let big = bed.pay(&token, "big", order("50")).await;
        assert_eq!(big["stage"], "limited-beta");
        assert_eq!(
            bed.send(get("/v1/limits", &token)).await.body["caps"]["daily"]["value"],
            "1000"
        );
        // What was seen at the stage before speaks for none above it.
        bed.reload(|rules| rules.ladder.highest = "general".to_owned());
        let missing = bed.failing(&admin).await;
        assert!(
            missing.contains(&"/criteria/min_payments".to_owned()),
            "{missing:?}"
        );
        bed.end().await;
    }
}

#[tokio::test]
async fn each_criterion_alone_refuses_a_promotion() {
    type Spoil = fn(&Bed) -> futures_util::future::BoxFuture<'_, ()>;
    let cases: [(&str, Spoil); 5] = [
        ("max_error_rate", |bed| {
            Box::pin(async move {
                bed.failed("a", 90).await;
                bed.failed("b", 91).await;
            })
        }),
        ("confirmed_within", |bed| {
            Box::pin(bed.paid("slow", 92, Duration::from_secs(121)))
        }),
        ("confirmed_within", |bed| {
            Box::pin(async move {
                bed.accepted("stuck", "1").await;
                bed.clock.advance(Duration::from_secs(121));
            })
        }),
        ("max_security_incidents", |bed| {
            Box::pin(async move {
                let (by, now) = (Actor::Daemon, bed.state.clock.now());
                bed.store
                    .report_incident(IncidentKind::Security, "a lost key", &by, now)
                    .await
                    .unwrap();
            })
        }),
        ("alerts_acknowledged", |bed| {
            Box::pin(async move {
                let (by, now) = (Actor::Daemon, bed.state.clock.now());
                bed.store
                    .report_incident(IncidentKind::Alert, "it burns", &by, now)
                    .await
                    .unwrap();
            })
        }),
    ];
    for (criterion, spoil) in cases {
        let (bed, admin) = beds().await.swap_remove(0);
        bed.acknowledged_alert().await;
        for n in 0..40 {
            bed.paid(&format!("key-{n}"), 10 + n, Duration::ZERO).await;
        }
        bed.clock.advance(24 * HOUR);
        spoil(&bed).await;
        assert_eq!(
            bed.failing(&admin).await,
            [format!("/criteria/{criterion}")]
        );
        let seen = bed.send(get("/v1/rollout", &admin)).await.body;
        assert_eq!(seen["ready"], false);
        bed.end().await;
    }
}

#[tokio::test]
async fn an_override_is_kept_with_its_reason_and_goes_no_higher_than_is_allowed() {
    for (bed, admin) in beds().await {
        let blank = bed.promote(&admin, json!({ "override_reason": "" })).await;
        assert_eq!(
            blank.refused(422, "validation_failed"),
            ["/override_reason"]
        );
        let blanks = bed
            .promote(&admin, json!({ "override_reason": "  " }))
            .await;
        blanks.refused(409, "criteria_not_met");
        let why = "the board said so";
        let promoted = bed.promote(&admin, json!({ "override_reason": why })).await;
        assert_eq!(promoted.status, StatusCode::OK, "{}", promoted.body);
        let record = &promoted.body["history"][0];
        assert_eq!(
            (&record["override_reason"], &record["overridden"]),
            (&json!(why), &json!(true))
        );
        let unmet = record["evidence"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|one| one["met"] == false);
        assert_eq!(unmet.count(), 5);
        // Whoever may only read sees what changed, and not who said what.
        let token = bed.merchant().await;
        let seen = bed.send(get("/v1/rollout", &token)).await.body["history"][0].clone();
        assert_eq!(
            (&seen["overridden"], &seen["override_reason"], &seen["by"]),
            (&json!(true), &Value::Null, &Value::Null)
        );
        let higher = bed.promote(&admin, json!({ "override_reason": why })).await;
        higher.refused(409, "no_promotion");
        let told = bed.send(get("/v1/events", &admin)).await.body["data"].clone();
        let told: Vec<&Value> = told
            .as_array()
            .unwrap()
            .iter()
            .filter(|one| one["type"] == "rollout.changed")
            .collect();
        assert_eq!(told.len(), 1);
        assert_eq!(told[0]["data"]["stage"], "limited-beta");
        bed.end().await;
    }
}

#[tokio::test]
async fn a_demotion_is_granted_at_once_to_administrators_alone() {
    for (bed, admin) in beds().await {
        let lowest = bed.demote(&admin, json!({})).await;
        lowest.refused(409, "no_demotion");
        bed.promote(&admin, json!({ "override_reason": "to come down again" }))
            .await;
        let token = bed.merchant().await;
        bed.pay(&token, "big", order("50")).await;
        for path in ["/v1/rollout/promote", "/v1/rollout/demote"] {
            let payer = bed
                .key(
                    "shop",
                    &["payments:read", "payments:write", "payments:approve"],
                )
                .await;
            bed.send(post(path, &payer).json(&json!({})))
                .await
                .refused(403, "scope_missing");
        }
        assert_eq!(
            bed.demote(&admin, json!({ "to": "nowhere" }))
                .await
                .refused(422, "validation_failed"),
            ["/to"]
        );
        assert_eq!(
            bed.demote(&admin, json!({ "to": "general" }))
                .await
                .refused(409, "no_demotion"),
            ["/to"]
        );
        bed.demote(&admin, json!({ "stage": "internal" }))
            .await
            .refused(409, "stage_changed");
        // Without a body it is the next stage below.
        let down = bed.send(post("/v1/rollout/demote", &admin)).await;
        assert_eq!(
            (down.status, &down.body["stage"]),
            (StatusCode::OK, &json!("internal")),
            "{}",
            down.body
        );
        bed.send(post_payment(&token, "bigger", &order("50")))
            .await
            .refused(422, "amount_above_stage_limit");
        let replay = bed.send(post_payment(&token, "big", &order("50"))).await;
        assert_eq!(
            (replay.status, &replay.body["stage"]),
            (StatusCode::OK, &json!("limited-beta"))
        );
        bed.end().await;
    }
}

#[tokio::test]
async fn a_change_by_another_process_binds_before_this_one_has_heard_of_it() {
    for (bed, admin) in beds().await {
        bed.promote(&admin, json!({ "override_reason": "to come down again" }))
            .await;
        let (by, now) = (Actor::Cli { uid: 1, said: None }, bed.state.clock.now());
        let wish = xrpayd::rollout::Wish {
            seen: None,
            reason: None,
            override_reason: None,
            by,
            now,
        };
        let ladder = bed.state.rules.borrow().ladder.clone();
        let token = bed.merchant().await;
        // The store alone knows, as after a command on the same machine.
        xrpayd::rollout::demote(&bed.store, &ladder, None, wish)
            .await
            .unwrap();
        bed.send(post_payment(&token, "big", &order("50")))
            .await
            .refused(422, "amount_above_stage_limit");
        let small = bed.pay(&token, "small", order("5")).await;
        assert_eq!(small["stage"], "internal");
        bed.end().await;
    }
}

#[tokio::test]
async fn a_stage_that_the_configuration_lost_goes_by_the_lowest_ones_rules() {
    for (bed, admin) in beds().await {
        bed.promote(&admin, json!({ "override_reason": "to be lost" }))
            .await;
        bed.reload(|rules| {
            rules.ladder.stages.remove(1);
            rules.ladder.highest = "general".to_owned();
        });
        let token = bed.merchant().await;
        bed.send(post_payment(&token, "big", &order("50")))
            .await
            .refused(422, "amount_above_stage_limit");
        let small = bed.pay(&token, "small", order("5")).await;
        assert_eq!(small["stage"], "limited-beta");
        bed.promote(&admin, json!({ "override_reason": "up" }))
            .await
            .refused(409, "no_promotion");
        let seen = bed.send(get("/v1/rollout", &admin)).await.body;
        assert_eq!(
            (&seen["criteria"], &seen["next"]),
            (&json!([]), &Value::Null)
        );
        let down = bed.demote(&admin, json!({})).await;
        assert_eq!(down.body["stage"], "internal", "{}", down.body);
        bed.end().await;
    }
}

#[tokio::test]
async fn limits_that_cannot_be_read_again_are_no_conflict_of_the_clients() {
    for (bed, _) in beds().await {
        if !bed.url.starts_with("postgres") {
            continue;
        }
        let token = bed.merchant().await;
        let mut database = PgConnection::connect(&bed.url).await.unwrap();
        // Another replica has said something, and what it said is not to be had.
        let said =
            "alter table limit_words rename to hidden; update limit_state set words = words + 1";
        database.execute(said).await.unwrap();
        let asked = || post_payment(&token, "k", &order("1"));
        let answer = bed.send(asked()).await;
        assert!(answer.status.is_server_error(), "{}", answer.body);
        assert_eq!(answer.body["effect"], "none", "{}", answer.body);
        let back = "alter table hidden rename to limit_words";
        database.execute(back).await.unwrap();
        let answer = bed.send(asked()).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
        bed.end().await;
    }
}
