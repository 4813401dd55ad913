//! What production refuses, one test a rule, and what is warned of.

use super::*;

/// A file that production takes: no error, and only what cannot be had in a test is doubted.
const GOOD: &str = r#"
[xrpl]
servers = ["wss://s1.ripple.com", "wss://xrplcluster.com"]
[wallets.hot]
address = "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh"
seed = "file:/run/secrets/hot_wallet_seed"
[store]
url = "postgres://db.example.org/xrpayd?sslmode=verify-full"
[telemetry]
alert_receiver = "https://alerts.example.org"
"#;

/// The only error that production finds in the good file once `from` reads `to`.
fn refused(from: &str, to: &str) -> Problem {
    let text = GOOD.replace(from, to);
    assert_ne!(text, GOOD);
    refused_text(&text)
}

fn refused_text(text: &str) -> Problem {
    let mut errors = load(Some("production"), &[text], &[]).unwrap_err().errors;
    assert_eq!(errors.len(), 1, "{errors:?}");
    errors.remove(0)
}

fn refused_with(more: &str) -> Problem {
    refused_text(&format!("{GOOD}{more}"))
}

#[test]
fn production_takes_a_sound_configuration() {
    let loaded = load(Some("production"), &[GOOD], &[]).unwrap();
    let doubts: Vec<&str> = loaded.warnings.iter().map(|w| w.key.as_str()).collect();
    assert_eq!(doubts, ["wallets.hot.seed"]);
}

#[test]
fn production_refuses_a_testnet_server() {
    for host in [
        "wss://s.altnet.rippletest.net:51233",
        "wss://S.ALTNET.rippletest.net.:51233/x",
        "wss://s.devnet.rippletest.net:51233",
        "wss://clio.altnet.rippletest.net:51233",
        "wss://testnet.xrpl-labs.com",
        "wss://user@testnet.xrpl-labs.com",
    ] {
        let error = refused("wss://xrplcluster.com", host);
        assert_eq!(error.key, "xrpl.servers[1]", "{host}");
        assert!(error.message.contains("test network"), "{error}");
    }
}

#[test]
fn production_refuses_the_identifier_of_a_test_network() {
    assert_eq!(refused_with("[network]\nid = 1\n").key, "network.id");
}

#[test]
fn production_refuses_a_plain_server_that_is_not_on_this_machine() {
    let error = refused("wss://xrplcluster.com", "ws://xrplcluster.com");
    assert!(error.message.contains("not encrypted"), "{error}");
    for local in [
        "ws://127.0.0.1:6006",
        "ws://[::1]:6006",
        "ws://localhost:6006",
    ] {
        let text = GOOD.replace("wss://xrplcluster.com", local);
        assert!(load(Some("production"), &[&text], &[]).is_ok(), "{local}");
    }
}

#[test]
fn production_refuses_fewer_than_two_servers() {
    let one = GOOD.replace(", \"wss://xrplcluster.com\"]", "]\nquorum = 1");
    assert_eq!(refused_text(&one).key, "xrpl.servers");
}

#[test]
fn production_takes_the_word_of_one_server_only_where_it_is_ones_own() {
    let named = "servers = [\"wss://s1.ripple.com\", \"wss://xrplcluster.com\"]\n";
    let alone = GOOD.replace(named, &format!("{named}quorum = 1\n"));
    assert_eq!(refused_text(&alone).key, "xrpl.quorum");
    let own = alone.replace(named, "");
    let own = format!(
        "{own}[[xrpl.servers]]\nurl = \"wss://xrplcluster.com\"\n\
         [[xrpl.servers]]\nurl = \"ws://127.0.0.1:6006\"\ntrusted = true\n"
    );
    let config = load(Some("production"), &[&own], &[]).unwrap().config;
    let counting: Vec<bool> = config
        .xrpl
        .servers
        .iter()
        .map(|server| config.xrpl.counts(server))
        .collect();
    assert_eq!(counting, [false, true]);
}

#[test]
fn production_refuses_to_run_without_authentication() {
    assert_eq!(
        refused_with("[auth]\nenabled = false\n").key,
        "auth.enabled"
    );
}

#[test]
fn production_refuses_the_sandbox() {
    let error = load(
        Some("production"),
        &[GOOD, "[network]\nsandbox = true\n"],
        &[],
    )
    .unwrap_err();
    assert!(find(&error.errors, "network.sandbox").is_some(), "{error}");
}

#[test]
fn a_seed_in_the_file_is_refused_everywhere_and_never_repeated() {
    let seed = "snoPBrXtMeMyMHUVTgbuqAfg1SUTb";
    let error = refused("file:/run/secrets/hot_wallet_seed", seed);
    assert_eq!(error.key, "wallets.hot.seed");
    assert!(error.message.contains("in the clear"), "{error}");
    assert!(!format!("{error} {error:?}").contains(seed));
    let text = MINIMAL.replace("file:/run/secrets/hot_wallet_seed", seed);
    assert!(load(None, &[&text], &[]).is_err());
}

#[test]
fn production_refuses_a_stage_above_the_hard_caps() {
    let error =
        refused_with("[rollout]\nstage = \"public-beta\"\n[limits]\ndaily_limit_xrp = \"5000\"\n");
    assert_eq!(error.key, "rollout.stages[2].max_payment_xrp");
    let own = "[rollout]\nstage = \"a\"\n[[rollout.stages]]\nname = \"a\"\n\
               [[rollout.stages]]\nname = \"b\"\ndaily_limit_xrp = \"1000.000001\"\n";
    assert_eq!(refused_with(own).key, "rollout.stages[1].daily_limit_xrp");
    let lowered = refused_with("[limits]\nmax_payment_xrp = \"9\"\n");
    assert_eq!(lowered.key, "rollout.stages[0].max_payment_xrp");
}

#[test]
fn production_refuses_a_secret_of_the_environment() {
    let error = refused("file:/run/secrets/hot_wallet_seed", "env:HOT_SEED");
    assert!(error.message.contains("environment"), "{error}");
    let error = refused(
        "postgres://db.example.org/xrpayd?sslmode=verify-full",
        "env:DATABASE_URL",
    );
    assert_eq!(error.key, "store.url");
}

#[test]
fn production_refuses_a_database_of_another_machine_that_is_not_verified() {
    for to in [
        "",
        "?sslmode=disable",
        "?sslmode=require",
        "?sslmode=verify-ca",
    ] {
        let error = refused("?sslmode=verify-full", to);
        assert_eq!(error.key, "store.url", "{to}");
        assert!(error.message.contains("?sslmode=verify-full"), "{error}");
    }
    let here = GOOD.replace(
        "db.example.org/xrpayd?sslmode=verify-full",
        "localhost/xrpayd",
    );
    load(Some("production"), &[&here], &[]).unwrap();
}

#[test]
fn production_sends_a_collector_no_token_in_the_clear() {
    let with = |endpoint: &str, headers: &str| {
        let receiver = "alert_receiver = \"https://alerts.example.org\"\n";
        let more = format!("{receiver}otlp_endpoint = \"{endpoint}\"\n{headers}");
        GOOD.replace(receiver, &more)
    };
    let token = "otlp_headers = \"file:/run/secrets/otlp_headers\"\n";
    for endpoint in [
        "http://collector.example.org:4318",
        "HTTP://10.0.0.9:4318",
        "http://[2001:db8::1]:4318",
    ] {
        let open = with(endpoint, token);
        let error = refused_text(&open);
        assert_eq!(error.key, "telemetry.otlp_endpoint", "{endpoint}");
        assert!(error.message.contains("in the clear"), "{error}");
        let elsewhere = load(Some("staging"), &[&open], &[]).unwrap();
        let mut doubts = elsewhere.warnings.iter().map(|doubt| doubt.key.as_str());
        assert!(doubts.any(|key| key == "telemetry.otlp_endpoint"));
        // Without a token there is nothing to hear.
        load(Some("production"), &[&with(endpoint, "")], &[]).unwrap();
    }
    for endpoint in [
        "https://collector.example.org:4318",
        "http://127.0.0.1:4318",
        "http://[::1]:4318",
        "http://localhost:4318",
    ] {
        load(Some("production"), &[&with(endpoint, token)], &[]).unwrap();
    }
}

#[test]
fn production_refuses_what_is_called_after_another_environment() {
    let seed = "file:/run/secrets/hot_wallet_seed";
    for (from, to, key) in [
        (
            seed,
            "file:/run/secrets/staging/hot_seed",
            "wallets.hot.seed",
        ),
        (seed, "vault:kv/testnet/hot#seed", "wallets.hot.seed"),
        (
            "postgres://db.example.org/xrpayd",
            "postgres://db.example.org/xrpayd_staging",
            "store.url",
        ),
        (
            "postgres://db.example.org/xrpayd?sslmode=verify-full",
            "sqlite:///var/lib/xrpayd/sandbox.db",
            "store.url",
        ),
    ] {
        let error = refused(from, to);
        assert_eq!(error.key, key, "{to}");
        assert!(error.message.contains("another environment"), "{error}");
        let text = GOOD.replace(from, to);
        assert!(load(Some("staging"), &[&text], &[]).is_ok(), "{to}");
    }
}

#[test]
fn production_refuses_debug_logging() {
    for level in ["debug", "trace"] {
        let error = refused(
            "[telemetry]\n",
            &format!("[telemetry]\nlog_level = \"{level}\"\n"),
        );
        assert_eq!(error.key, "telemetry.log_level");
    }
}

#[test]
fn production_refuses_a_cap_above_ten_thousand_until_it_is_acknowledged() {
    let high = "[limits]\nmax_payment_xrp = \"10000.000001\"\n";
    assert_eq!(refused_with(high).key, "limits.max_payment_xrp");
    let known = format!("{GOOD}{high}acknowledge_high_cap = true\n");
    assert!(load(Some("production"), &[&known], &[]).is_ok());
    let at_most = format!("{GOOD}[limits]\nmax_payment_xrp = \"10000\"\n");
    assert!(load(Some("production"), &[&at_most], &[]).is_ok());
}

#[test]
fn what_production_refuses_another_place_is_warned_of() {
    let text = minimal_and(
        "replicas = 2\n[limits]\nmax_payment_xrp = \"20000\"\n[auth]\nenabled = false\n\
         [telemetry]\nlog_level = \"debug\"\n\
         [webhooks]\nallow_http = true\nallow_private = true\nencryption_key = \"file:/nowhere\"\n",
    );
    let warnings = load(Some("staging"), &[&text], &[]).unwrap().warnings;
    for key in [
        "limits.max_payment_xrp",
        "telemetry.log_level",
        "store.replicas",
        "telemetry.alert_receiver",
        "auth.enabled",
        "wallets.hot.seed",
        "webhooks.allow_http",
        "webhooks.allow_private",
        "webhooks.encryption_key",
    ] {
        assert!(find(&warnings, key).is_some(), "{key} in {warnings:?}");
    }
}

#[test]
fn production_warns_of_servers_that_are_all_of_one_operator() {
    let text = GOOD.replace("wss://xrplcluster.com", "wss://s2.ripple.com");
    let warnings = load(Some("production"), &[&text], &[]).unwrap().warnings;
    assert!(find(&warnings, "xrpl.servers").is_some(), "{warnings:?}");
}
