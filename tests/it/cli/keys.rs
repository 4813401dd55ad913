//! A key that is rotated on the command line.

use super::{Place, json, stderr, stdout};

#[test]
fn a_rotated_key_keeps_its_id_and_limits_and_shows_its_new_secret_once() {
    let place = Place::new();
    let create = [
        "keys",
        "create",
        "--name",
        "shop",
        "--scope",
        "payments:read",
        "--per-minute",
        "5",
        "--reads-per-minute",
        "9",
        "--json",
    ];
    let made = json(&place.run(&create));
    let limits = serde_json::json!({"per_minute": 5, "per_hour": null, "reads_per_minute": 9});
    assert_eq!(made["limits"], limits);
    let (id, old) = (made["id"].as_str().unwrap(), made["key"].as_str().unwrap());

    let output = place.run(&["keys", "rotate", id, "--overlap", "2h"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let new = stdout(&output).trim().to_owned();
    let secret = new.strip_prefix(&format!("xrpayd_{id}_")).unwrap();
    assert_eq!(secret.len(), 64);
    assert!(!old.contains(secret) && !stderr(&output).contains(secret));
    assert!(
        stderr(&output).contains("the old one holds until"),
        "{}",
        stderr(&output)
    );
    // The second rotation within the overlap says what it ends.
    let again = place.run(&[
        "keys",
        "rotate",
        &new,
        "--overlap",
        "0s",
        "--expires-in",
        "90d",
    ]);
    assert!(stderr(&again).contains("has ended"), "{}", stderr(&again));

    let rows = json(&place.run(&["keys", "list", "--json"]))["data"].clone();
    let row = &rows[0];
    assert_eq!(rows.as_array().unwrap().len(), 1);
    assert_eq!((&row["id"], &row["state"]), (&id.into(), &"active".into()));
    assert_eq!(row["limits"], limits);
    assert!(row["expires_at"].as_str() > row["rotated_at"].as_str());
    assert_eq!(row["old_secret_until"], row["rotated_at"]);
    assert!(row["last_used_at"].is_null());
    let listed = stdout(&place.run(&["keys", "list"]));
    assert!(
        listed.contains("never used") && listed.contains("5 writes/min"),
        "{listed}"
    );
    let missing = place.run(&["keys", "rotate", "nobody"]);
    assert_eq!(missing.status.code(), Some(1));
    assert_eq!(stderr(&missing), "error: There is no key nobody.\n");
}
