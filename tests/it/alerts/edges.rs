//! What comes from callers and goes to them, and what an operator asks of a running daemon.

use super::service::Place;
use super::table::Course;
use super::watch::shortened;
use crate::drills::scene::SHOP;
use crate::support::overlay::Overlay;
use crate::support::process::Surroundings;
use crate::support::receiver::{Manner, Receiver};
use serde_json::json;

/// Requests that are refused in one of these drills: more than a sleepy threshold.
const REFUSED: usize = 80;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
pub(super) async fn what_goes_wrong_with_callers_and_reloads_is_noticed() {
    let overlay = shortened(&[
        ("AuthFailuresHigh", &[("[10m]", "[15s]"), ("> 100", "> 20")]),
        ("RateLimited", &[("[15m]", "[15s]"), ("> 100", "> 20")]),
        (
            "WebhookBacklog",
            &[(
                "max by (job) (alert_threshold_seconds{alert=\"webhooks\"})",
                "max by (job) (webhook_oldest_undelivered_seconds) * 0 + 2",
            )],
        ),
    ]);
    let settings = [("rate_limit", "per_minute = 30\n")];
    let none = Surroundings::default();
    let Some(place) = Place::new(&settings, none, overlay, &[]).await else {
        return;
    };
    let course = Course::of(&what_goes_wrong_with_callers_and_reloads_is_noticed);
    let drill = place.drill(&course);
    let setup = &place.scene.setup;
    let client = reqwest::Client::new();

    let guesses = async {
        for number in 0..REFUSED {
            let key = format!("xrpayd_{number:016x}_{:064x}", 7);
            let asked = client.get(format!("{}/v1/wallets", setup.api));
            let answer = asked.bearer_auth(key).send().await.unwrap();
            assert_eq!(answer.status().as_u16(), 401);
        }
    };
    drill
        .of_the_past(&["AuthFailuresHigh"], guesses, async {})
        .await;

    let hasty = setup.create_key("shop", &["payments:write"]);
    let floods = async {
        let xrp = json!({ "currency": "XRP", "value": "1" });
        for number in 0..REFUSED {
            let tag = 1_000 + number % 3;
            let body = json!({ "destination": SHOP, "destination_tag": tag, "amount": xrp });
            let asked = client.post(format!("{}/v1/payments", setup.api));
            let asked = asked.bearer_auth(&hasty).json(&body);
            let answer = asked
                .header("idempotency-key", format!("hasty-{tag}"))
                .send()
                .await
                .unwrap();
            assert!([200, 201, 429].contains(&answer.status().as_u16()));
        }
    };
    drill.of_the_past(&["RateLimited"], floods, async {}).await;

    let good = std::fs::read_to_string(setup.config()).unwrap();
    let mistyped = async {
        std::fs::write(setup.config(), format!("{good}[limit]\nmax = 1\n")).unwrap();
        place.ask_to_reload();
    };
    let righted = async { std::fs::write(setup.config(), &good).unwrap() };
    drill
        .by_hand(&["ConfigReloadFailed"], mistyped, righted)
        .await;

    let receiver = Receiver::start(Manner::With(500, Vec::new())).await;
    let owner = setup.create_key("shop", &["payments:read", "webhooks:write"]);
    let ignored = async {
        let asked = client.post(format!("{}/v1/webhook-endpoints", setup.api));
        let body = json!({ "url": receiver.url() });
        let made = asked.bearer_auth(&owner).json(&body).send().await.unwrap();
        assert_eq!(made.status().as_u16(), 201);
        place.scene.pay(1, 2).await;
    };
    let well = async { receiver.behave(Manner::Well) };
    drill.by_others(&["WebhookBacklog"], ignored, well).await;
    let unwatched = async {
        let soon = |overlay: Overlay| overlay.in_rule("BackupTooOld", &[("> 3600", "> 1")]);
        place.put(soon);
        place.reload_prometheus().await;
    };
    drill.by_page(&["BackupTooOld"], unwatched).await;
    let forgotten = async {
        let soon =
            |overlay: Overlay| overlay.in_rule("BackupFarTooOld", &[("> 48 * 3600", "> 20")]);
        place.put(soon);
        place.reload_prometheus().await;
    };
    drill.by_page(&["BackupFarTooOld"], forgotten).await;
    assert!(!receiver.ids().is_empty(), "nothing was told in the end");
    place.scene.settle().await;
}
