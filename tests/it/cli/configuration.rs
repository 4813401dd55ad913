//! The configuration as commands check and show it.

use super::{Place, SEED, fails, json, run, stderr, stdout};
use serde_json::Value;
use std::process::Command;

#[test]
fn a_sound_configuration_passes_the_check() {
    let place = Place::new();
    let output = place.run(&["config", "check"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(
        stdout(&output),
        "The configuration is sound (profile development).\n"
    );
    assert_eq!(stderr(&output), "");
    let answer = json(&place.run(&["config", "check", "--json"]));
    assert_eq!(answer["ok"], true);
    assert_eq!(answer["profile"], "development");
}

#[test]
fn the_check_tells_every_error_at_once_and_exits_with_one() {
    let place = Place::new();
    let bad = place.minimal()
        + "[limits]\nmax_payment_xrp = 5\nmax_pendin = 1\n[http]\nlisten = \"here\"\n";
    let bad = place.write("bad.toml", &bad);
    let output = place.run_on(&bad, &["config", "check"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(stdout(&output), "");
    let text = stderr(&output);
    assert!(
        text.starts_with("error: The configuration has 3 errors.\n"),
        "{text}"
    );
    for line in [
        "limits.max_payment_xrp must be a decimal number of XRP such as \"12.5\", in quotation marks",
        "limits.max_pendin is not a setting; did you mean max_pending?",
        "http.listen must be an address and port such as \"127.0.0.1:3000\"",
        "bad.toml:12",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
    let output = place.run_on(&bad, &["config", "check", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["ok"], false);
    assert_eq!(answer["errors"].as_array().unwrap().len(), 3);
}

#[test]
fn a_seed_in_the_file_stops_every_command_and_is_never_repeated() {
    let place = Place::new();
    let text = place
        .minimal()
        .replace(&format!("file:{}/seed", place.0.display()), SEED);
    let bad = place.write("bad.toml", &text);
    for command in [
        vec!["config", "check"],
        vec!["config", "check", "--json"],
        vec!["config", "show"],
        vec!["keys", "list"],
        vec!["serve"],
    ] {
        let output = place.run_on(&bad, &command);
        assert_eq!(output.status.code(), Some(1), "{command:?}");
        let told = stdout(&output) + &stderr(&output);
        assert!(told.contains("wallets.hot.seed"), "{told}");
        assert!(!told.contains(SEED), "{told}");
    }
}

#[test]
fn an_unknown_profile_or_a_missing_file_is_an_error() {
    let place = Place::new();
    let output = place.run(&["config", "check", "--profile", "prod"]);
    fails(&output, "profile is unknown");
    let output = run(&["serve", "--config", "/nonexistent/xrpayd.toml"]);
    fails(&output, "/nonexistent/xrpayd.toml");
}

#[test]
fn what_is_shown_has_origins_and_no_secret() {
    let place = Place::new();
    let mut command = Command::new(env!("CARGO_BIN_EXE_xrpayd"));
    let config = place.0.join("xrpayd.toml");
    let output = command
        .args(["config", "show", "--profile", "sandbox", "--config"])
        .arg(&config)
        .env("XRPAYD__LIMITS__MAX_PENDING", "7")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = stdout(&output);
    for line in [
        "max_pending = 7  # variable XRPAYD__LIMITS__MAX_PENDING".to_owned(),
        "max_payment_xrp = \"10000\"  # profile sandbox".to_owned(),
        "min_payment_xrp = \"0.001\"  # default".to_owned(),
        format!("quorum = 2  # {}:5", config.display()),
    ] {
        assert!(text.contains(&line), "{line} in {text}");
    }
    assert!(!text.contains(SEED) && !text.contains("TOKEN"), "{text}");
    let answer = json(&place.run(&["config", "show", "--json"]));
    assert_eq!(answer["values"]["limits.max_pending"]["value"], 50);
    assert_eq!(answer["values"]["limits.max_pending"]["origin"], "default");
}

#[test]
fn what_is_wrong_elsewhere_does_not_hold_up_an_emergency() {
    let place = Place::new();
    let folder = place.0.join("backups");
    std::fs::create_dir(&folder).unwrap();
    let folder = folder.display().to_string();
    let sound = place.minimal();
    let servers = "\"wss://b.example.net/TOKEN\"";
    assert!(sound.contains(servers));
    let broken = sound.replace(servers, "\"https://b.example.net/TOKEN\"")
        + "[telemetry]\nalerts = [\"nobody_knows_it\"]\n[webhooks]\ntimeut = \"5s\"\n";
    let broken = place.write("broken.toml", &broken);
    for command in [
        &["pause", "--reason", "three in the morning"][..],
        &["pause", "--scope", "wallet:hot"],
        &["resume"],
        &["resume", "--scope", "wallet:hot"],
        &["wallet", "resume", "--wallet", "hot"],
        &["keys", "list"],
        &["audit", "list"],
        &["audit", "verify"],
        &["store", "backup", "--to", &folder],
    ] {
        let output = place.run_on(&broken, command);
        let told = stderr(&output);
        assert_eq!(output.status.code(), Some(0), "{command:?}: {told}");
        assert!(told.starts_with("warning: "), "{command:?}: {told}");
        for key in ["xrpl.servers[1]", "telemetry.alerts", "webhooks.timeut"] {
            assert!(told.contains(key), "{command:?}: {key} in {told}");
        }
        assert!(!told.contains("TOKEN"), "{told}");
    }
    // What needs the whole goes on refusing.
    for command in [
        &["config", "check"][..],
        &["serve"],
        &["reconcile"],
        &[
            "keys",
            "create",
            "--name",
            "shop",
            "--scope",
            "payments:read",
        ],
    ] {
        let output = place.run_on(&broken, command);
        assert_eq!(output.status.code(), Some(1), "{command:?}");
    }
    // So does every command where its own part is wrong.
    for (part, command) in [
        ("max_connections = \"many\"\n", &["pause"][..]),
        ("max_conections = 5\n", &["keys", "list"]),
        (
            "[wallets.hot]\nlow_balance_xrp = 5\n",
            &["pause", "--scope", "wallet:hot"],
        ),
        (
            "[wallets.hot]\nlow_balance_xrp = 5\n",
            &["wallet", "resume", "--wallet", "hot"],
        ),
        ("[network]\nid = \"main\"\n", &["audit", "verify"]),
        ("[", &["pause"]),
    ] {
        let layer = if part.starts_with('[') {
            part.to_owned()
        } else {
            format!("[store]\n{part}")
        };
        let layer = place.write("layer.toml", &layer);
        let below = place.0.join("xrpayd.toml").display().to_string();
        let all = [command, &["--config", &below]].concat();
        let output = place.run_on(&layer, &all);
        assert_eq!(output.status.code(), Some(1), "{part}: {}", stderr(&output));
    }
}
