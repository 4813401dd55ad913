//! `xrpayd audit` where no daemon runs.

use super::{Place, json, stderr, stdout};
use serde_json::Value;
use sqlx::{Connection as _, Executor as _, SqliteConnection};

/// A place with two keys, one of them revoked.
fn with_a_past() -> Place {
    let place = Place::new();
    for name in ["shop", "till"] {
        let command = [
            "keys",
            "create",
            "--name",
            name,
            "--scope",
            "payments:read",
            "--json",
        ];
        let key = json(&place.run(&command));
        if name == "till" {
            let id = key["id"].as_str().unwrap();
            assert_eq!(place.run(&["keys", "revoke", id]).status.code(), Some(0));
        }
    }
    place
}

fn sequences(list: &Value) -> Vec<i64> {
    let entries = list["data"].as_array().unwrap();
    entries
        .iter()
        .map(|entry| entry["sequence"].as_i64().unwrap())
        .collect()
}

async fn tamper(place: &Place, sql: &'static str) {
    let url = format!("sqlite://{}/xrpayd.db", place.0.display());
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    connection.execute(sql).await.unwrap();
    connection.close().await.unwrap();
}

#[test]
fn an_operator_sees_what_was_done_by_whom() {
    let place = with_a_past();
    let all = json(&place.run(&["audit", "list", "--json"]));
    assert_eq!(
        (sequences(&all), &all["next_cursor"]),
        (vec![3, 2, 1], &Value::Null)
    );
    let newest = &all["data"][0];
    assert_eq!(
        (&newest["action"], &newest["actor"]["kind"]),
        (&"key.revoked".into(), &"cli".into())
    );
    let me = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(&place.0).unwrap());
    assert_eq!(
        newest["actor"]["uid"], me,
        "who made the folder ran the command"
    );
    let list = |more: &[&str]| {
        let command = [&["audit", "list", "--json"], more].concat();
        sequences(&json(&place.run(&command)))
    };
    assert_eq!(list(&["--after", "1"]), [2, 3]);
    assert_eq!(list(&["--after", "0", "--limit", "1"]), [1]);
    assert_eq!(list(&["--limit", "2"]), [3, 2]);
    assert_eq!(list(&["--action", "key.created"]), [2, 1]);
    assert_eq!(list(&["--since", "1h"]), [3, 2, 1]);
    assert_eq!(list(&["--since", "2099-01-01T00:00:00Z"]), [0_i64; 0]);
    let human = stdout(&place.run(&["audit", "list"]));
    assert!(
        human.contains("key.revoked") && human.contains(&format!("by user {me}")),
        "{human}"
    );
    for bad in [
        vec!["audit"],
        vec!["audit", "list", "--after", "-1"],
        vec!["audit", "list", "--limit", "0"],
        vec!["audit", "list", "--since", "lately"],
        vec!["audit", "verify", "--head", "3"],
    ] {
        assert_eq!(place.run(&bad).status.code(), Some(2), "{bad:?}");
    }
}

/// In a container every operator is the same user.
#[test]
fn an_operator_is_noted_by_the_name_that_he_gives_and_as_the_user_that_he_is() {
    let place = Place::new();
    let pause = ["pause", "--scope", "payments", "--operator", "Ada Lovelace"];
    assert_eq!(place.run(&pause).status.code(), Some(0));
    let entry = json(&place.run(&["audit", "list", "--json", "--limit", "1"]));
    let entry = &entry["data"][0];
    assert_eq!(
        (&entry["actor"]["kind"], &entry["data"]["said_by"]),
        (&"cli".into(), &"Ada Lovelace".into()),
        "{entry:#}"
    );
    let listed = stdout(&place.run(&["audit", "list"]));
    assert!(listed.contains("who says Ada Lovelace"), "{listed}");
    assert_eq!(place.run(&["audit", "verify"]).status.code(), Some(0));
    let again = stdout(&place.run(&["pause", "--scope", "all"]));
    assert!(again.contains("(says Ada Lovelace)"), "{again}");
    let bad = place.run(&["resume", "--operator", "two\nlines"]);
    assert_eq!(bad.status.code(), Some(2), "{}", stderr(&bad));
}

#[tokio::test]
async fn a_log_that_was_changed_fails_the_verification_which_names_the_entry() {
    let place = with_a_past();
    let output = place.run(&["audit", "verify"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let whole = json(&place.run(&["audit", "verify", "--json"]));
    assert_eq!(
        (&whole["whole"], &whole["entries"]),
        (&true.into(), &3.into())
    );
    let head = whole["head"].as_str().unwrap().to_owned();
    assert!(stdout(&output).contains(&head), "{}", stdout(&output));
    assert_eq!(
        json(&place.run(&["audit", "verify", "--head", &head, "--json"]))["whole"],
        true
    );

    let other = format!("3:{}", "00".repeat(32));
    let output = place.run(&[
        "audit", "verify", "--head", &head, "--head", &other, "--json",
    ]);
    assert_eq!(output.status.code(), Some(1));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&found["whole"], &found["faults"][0]["kind"]),
        (&false.into(), &"not_as_kept".into())
    );

    tamper(&place, "drop trigger audit_log_update").await;
    tamper(
        &place,
        "update audit_log set data = replace(data, 'shop', 'chef') where sequence = 1",
    )
    .await;
    let output = place.run(&["audit", "verify", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let faults = &found["faults"];
    assert_eq!(
        (&faults[0]["kind"], &faults[0]["sequence"]),
        (&"changed".into(), &1.into())
    );
    assert_eq!(
        (&faults[1]["kind"], &faults[1]["sequence"]),
        (&"unguarded".into(), &Value::Null)
    );
    assert!(
        stderr(&output).starts_with("error: The audit log is not whole.\n  entry 1 was changed")
    );
    let human = stdout(&place.run(&["audit", "verify"]));
    assert!(human.contains("BROKEN  entry 1 was changed"), "{human}");
}
