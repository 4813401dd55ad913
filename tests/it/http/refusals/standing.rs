//! Payments that are well said and refused all the same: a limit, a stage, a balance or the wallets stand
//! in the way.

use super::super::bed::{Bed, order, post, post_payment, xrp};
use super::super::validation::{check, failures};
use super::with;
use serde_json::json;
use std::time::Duration;
use xrpayd::http::state::Auth;

#[tokio::test]
async fn the_daily_limit_says_when_there_will_be_room() {
    let bed = Bed::with(|rules| rules.policy.caps.daily = xrp("10"), Auth::Required).await;
    let token = bed.merchant().await;
    bed.pay(&token, "k1", order("4")).await;
    bed.clock.advance(Duration::from_secs(3_600));
    bed.pay(&token, "k2", order("6")).await;
    let full = bed.send(post_payment(&token, "k3", &order("4"))).await;
    full.refused(422, "daily_limit_exceeded");
    assert_eq!(full.body["resets_at"], "2027-01-16T08:00:00.000Z");
    assert_eq!(full.body["retryable"], true);
    let checked = bed
        .send(post("/v1/payments/validate", &token).json(&order("4")))
        .await;
    let pointer = "/amount/value".to_owned();
    assert_eq!(
        failures(&checked),
        [("daily_limit_exceeded".to_owned(), pointer)]
    );
    let check = check(&checked, "daily_limit_exceeded");
    assert_eq!(check["resets_at"], full.body["resets_at"]);
    bed.clock.advance(Duration::from_secs(23 * 3_600));
    bed.pay(&token, "k3", order("4")).await;
    bed.end().await;
}

#[tokio::test]
async fn a_stage_is_open_to_its_clients_only() {
    let only_beta = |rules: &mut xrpayd::http::Rules| {
        rules.policy.allowed_clients = vec!["beta".to_owned()];
    };
    let bed = Bed::with(only_beta, Auth::Required).await;
    let scopes = ["payments:read", "payments:write"];
    let (shop, beta) = (
        bed.key("shop", &scopes).await,
        bed.key("beta", &scopes).await,
    );
    let refused = bed.send(post_payment(&shop, "k", &order("1"))).await;
    refused.refused(403, "client_not_in_stage");
    bed.pay(&beta, "k", order("1")).await;
    bed.end().await;
}

#[tokio::test]
async fn more_than_the_wallet_holds_is_refused_and_the_balance_is_not_told() {
    let bed = Bed::new().await;
    let token = bed.merchant().await;
    bed.live.wallets.lock().unwrap()[0].balance = Some(xrp("51"));
    let refused = bed
        .send(post_payment(&token, "k1", &order("50.000001")))
        .await;
    refused.refused(422, "insufficient_balance");
    bed.pay(&token, "k2", order("50")).await;
    bed.live.wallets.lock().unwrap()[0].balance = None;
    bed.pay(&token, "k3", order("51")).await;
    bed.end().await;
}

#[tokio::test]
async fn a_wallet_must_be_named_where_none_pays_unasked() {
    let bed = Bed::with(|rules| rules.policy.routed.clear(), Auth::Required).await;
    let token = bed.merchant().await;
    let unnamed = bed.send(post_payment(&token, "k", &order("1"))).await;
    assert_eq!(unnamed.refused(400, "missing_field"), ["/wallet"]);
    bed.pay(&token, "k", with("wallet", json!("hot"))).await;
    bed.end().await;
}
