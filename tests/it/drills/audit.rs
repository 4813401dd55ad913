//! What a daemon tells the audit log of itself, beside everybody who reads it.

use super::scene::{GRACE, PATIENCE, Scene, store_in};
use sqlx::{Connection as _, Executor as _, SqliteConnection};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn starts_reloads_and_ends_are_noted_and_the_heads_in_the_logs_bear_witness() {
    let scene = Scene::new("200ms", "10000", "");
    let layer = |daily: &str| format!("[limits]\ndaily_limit_xrp = \"{daily}\"\n");
    let setup = scene.setup.clone().with(&layer("5000"));
    let daemon = setup.start();
    setup.ready().await;
    let entries = |action: &str| {
        let list = setup.command(&["audit", "list", "--action", action]);
        list["data"].as_array().unwrap().clone()
    };
    let started = entries("service.started");
    assert_eq!(started.len(), 1);
    let told = &started[0]["data"];
    assert_eq!(told["settings"]["limits.daily_limit_xrp"], "5000", "{told}");
    assert_eq!(told["config_sha256"].as_str().unwrap().len(), 64);
    let noted = async |action: &str| {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let mut found = entries(action);
            if !found.is_empty() {
                return found.remove(0);
            }
            assert!(
                tokio::time::Instant::now() < deadline,
                "{action}: {}",
                setup.log()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    assert_eq!(noted("wallet.added").await["subject"], "hot");

    setup.rewrite_last_layer(&layer("4000"));
    daemon.ask_to_reload();
    let reload = noted("config.reloaded").await;
    let (before, after) = (&reload["data"]["before"], &reload["data"]["after"]);
    assert_eq!(
        (
            &before["limits.daily_limit_xrp"],
            &after["limits.daily_limit_xrp"]
        ),
        (&"5000".into(), &"4000".into())
    );
    assert_eq!(
        setup.command(&["audit", "verify"])["whole"],
        true,
        "while it runs"
    );

    assert_eq!(daemon.terminate(GRACE), Some(0));
    assert_eq!(entries("service.ended").len(), 1);
    // A log with colours puts them around a field's name.
    let log = std::fs::read_to_string(scene.folder().join("daemon.log")).unwrap();
    let heads: Vec<String> = log
        .split(|c: char| !c.is_ascii_hexdigit() && c != ':')
        .filter(|word| {
            word.split_once(':')
                .is_some_and(|(_, hash)| hash.len() == 64)
        })
        .map(str::to_owned)
        .collect();
    assert!(heads.len() >= 2, "at the start and at the end: {log}");
    let mut command = vec!["audit", "verify"];
    for head in &heads {
        command.extend(["--head", head]);
    }
    let report = setup.command(&command);
    assert_eq!(report["whole"], true);
    assert_eq!(heads.last().map(String::as_str), report["head"].as_str());

    // What was done to the database in between is said aloud by the next start.
    let mut database = SqliteConnection::connect(&store_in(scene.folder()))
        .await
        .unwrap();
    for tampering in [
        "drop trigger audit_log_update",
        "update audit_log set object = 'cold' where action = 'wallet.added'",
    ] {
        database.execute(tampering).await.unwrap();
    }
    database.close().await.unwrap();
    let daemon = setup.start();
    let log = scene.folder().join("daemon.log");
    let deadline = tokio::time::Instant::now() + PATIENCE;
    let said = loop {
        let text = std::fs::read_to_string(&log).unwrap();
        let said: Vec<String> = text
            .lines()
            .filter(|line| line.contains("is not whole"))
            .map(str::to_owned)
            .collect();
        if said.len() == 2 {
            break said;
        }
        assert!(tokio::time::Instant::now() < deadline, "{}", setup.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert!(
        said[0].contains("was changed") && said[1].contains("audit_log_update"),
        "{said:?}"
    );
    assert_eq!(daemon.terminate(GRACE), Some(0));
    assert_eq!(setup.try_command(&["audit", "verify"]).0, Some(1));
}
