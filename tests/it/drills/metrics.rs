//! What is measured after a few payments: every family of the contract, and nothing in a label
//! that grows with use.

use super::scene::{SHOP, Scene};
use crate::support::daemon::WALLET;
use std::collections::BTreeSet;

/// Lines that have to be there, up to their value.
const PRESENT: &[&str] = &[
    r#"http_requests_total{method="POST",route="/v1/payments",status="201"}"#,
    r#"http_requests_total{method="GET",route="/v1/payments/{id}",status="200"}"#,
    r#"http_request_duration_seconds_count{method="POST",route="/v1/payments",status="201"}"#,
    r#"xrpl_request_duration_seconds_count{command="submit"}"#,
    r#"xrpl_request_duration_seconds_count{command="account_tx"}"#,
    r#"xrpl_submissions_total{engine_result="tesSUCCESS"}"#,
    "xrpl_server_disagreements_total",
    "xrpl_validated_ledger_index",
    "xrpl_validated_ledger_age_seconds",
    "payment_amount_xrp_total",
    "payment_oldest_pending_seconds",
    r#"payments_by_substatus{substatus="queued"}"#,
    r#"payments_by_substatus{substatus="outcome_unknown"}"#,
    r#"payment_stage_seconds_count{stage="accepted_to_signed"}"#,
    r#"payment_stage_seconds_count{stage="signed_to_submitted"}"#,
    r#"payment_stage_seconds_count{stage="submitted_to_validated"}"#,
    r#"payment_stage_seconds_count{stage="validated_to_recorded"}"#,
    r#"payment_stage_seconds_count{stage="accepted_to_final"}"#,
    r#"wallet_spendable_xrp{wallet_type="hot"}"#,
    r#"wallet_reserve_xrp{wallet_type="hot"}"#,
    r#"wallet_sequence_gap{wallet_type="hot"}"#,
    r#"limit_used_ratio{window="24h"}"#,
    r#"limit_used_ratio{window="pending"}"#,
    "rollout_stage",
    r#"journal_cursor_ledger{wallet_type="hot"}"#,
    r#"journal_lag_ledgers{wallet_type="hot"}"#,
    "xrpl_quorum 2",
    "attempts_overdue 0",
    r#"payment_oldest_by_substatus_seconds{substatus="queued"} 0"#,
    r#"wallet_balance_threshold_xrp{level="low",wallet_type="hot"}"#,
    r#"wallet_balance_threshold_xrp{level="critical",wallet_type="hot"}"#,
    r#"wallets_below_threshold{level="low",wallet_type="hot"} 0"#,
    r#"wallets_below_threshold{level="critical",wallet_type="hot"} 0"#,
    r#"wallet_halted{wallet_type="hot"} 0"#,
    r#"foreign_transactions_unaccepted{wallet_type="hot"} 0"#,
    "reconciliation_last_timestamp_seconds",
    "reconciliation_interval_seconds 3600",
    "backup_last_timestamp_seconds",
    "lease_wallets 1",
    "store_up 1",
    r#"store_pool_connections{state="in_use"}"#,
    r#"store_pool_connections{state="idle"}"#,
    r#"store_pool_connections{state="max"} 8"#,
    "config_last_reload_successful 1",
    r#"alert_threshold_seconds{alert="latency"} 2"#,
    r#"alert_threshold_seconds{alert="oldest_payment"} 300"#,
    r#"alert_threshold_seconds{alert="webhooks"} 900"#,
    r#"http_problems_total{code="unauthenticated"} 1"#,
    r#"http_problems_total{code="paused"} 0"#,
    r#"payment_stage_seconds_bucket{stage="accepted_to_final",le="25"}"#,
    r#"deposits_total{matched="true"}"#,
    r#"deposits_total{matched="false"}"#,
    r#"deposits_total{matched="internal"}"#,
    r#"auth_failures_total{reason="#,
    "build_info{",
    "process_resident_memory_bytes",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_some_payments_every_family_is_measured_and_no_label_names_a_payment() {
    let scene = Scene::new("manual", "10000", "");
    let _daemon = scene.start().await;
    let ids = scene.pay(1, 10).await;
    let submitted = r#"payments_by_substatus{substatus="submitted"}"#;
    scene.until_metric(submitted, |count| count == 10.0).await;
    scene
        .until_metric("pending_payments", |count| count == 10.0)
        .await;
    scene.ledger.close().await;
    scene
        .merchant
        .get(&format!("/v1/payments/{}", ids[0]))
        .await;
    let payments = scene.all_succeed(10).await;
    let url = format!("{}/v1/payments", scene.setup.api);
    let stranger = reqwest::Client::new().get(url).send().await.unwrap();
    assert_eq!(stranger.status(), 401);

    scene
        .until_metric("pending_payments", |count| count == 0.0)
        .await;
    let balance = r#"wallet_balance_xrp{wallet_type="hot"}"#;
    scene.until_metric(balance, |xrp| xrp == 9989.9999).await;
    let text = scene.metrics().await;
    let is_there = |wanted: &str| text.lines().any(|line| line.starts_with(wanted));
    assert!(
        is_there(r#"payments_total{status="succeeded"} 10"#),
        "{text}"
    );
    assert!(is_there("payment_amount_xrp_total 10"), "{text}");
    assert!(
        is_there(r#"wallet_sequence_gap{wallet_type="hot"} 0"#),
        "{text}"
    );
    for wanted in PRESENT {
        assert!(is_there(wanted), "{wanted} in\n{text}");
    }
    for url in &scene.ledger.urls {
        let server = url.trim_start_matches("ws://");
        for family in [
            "xrpl_connection_status",
            "xrpl_server_ledger_lag",
            "xrpl_server_score",
        ] {
            let wanted = format!("{family}{{server=\"{server}\"}}");
            assert!(is_there(&wanted), "{wanted} in\n{text}");
        }
    }
    let cursor = scene
        .metric(r#"journal_cursor_ledger{wallet_type="hot"}"#)
        .await;
    assert!(cursor > 2.0, "{cursor}");

    let values: BTreeSet<&str> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .flat_map(|line| line.split('"').skip(1).step_by(2))
        .collect();
    let secrets = payments
        .values()
        .flat_map(|payment| [&payment["id"], &payment["tx_hash"]]);
    let mut forbidden: Vec<&str> = secrets.map(|value| value.as_str().unwrap()).collect();
    forbidden.extend([WALLET.0, SHOP, "drill-"]);
    for value in values {
        assert!(
            !forbidden.iter().any(|word| value.contains(word)),
            "the label value {value}"
        );
    }
}
