//! `xrpayd wallet create-tickets` where no daemon runs.

use super::{Place, json, stderr};

#[test]
fn a_number_of_tickets_that_no_account_could_hold_is_bad_usage() {
    let place = Place::new();
    for count in ["0", "251", "-1", "many"] {
        let output = place.run(&["wallet", "create-tickets", "hot", "--count", count]);
        assert_eq!(output.status.code(), Some(2), "{count}");
    }
}

#[test]
fn tickets_can_be_asked_for_while_no_daemon_runs_and_are_asked_for_once() {
    let place = Place::new();
    // Nothing listens on this port of the loopback.
    let nowhere = place.write("nowhere.toml", "[http]\nlisten = \"127.0.0.1:1\"\n");
    let nowhere = nowhere.display().to_string();
    let ask = |wallet: &str, count: &str| {
        let command = ["wallet", "create-tickets", wallet, "--count", count];
        let all = [&command[..], &["--json", "--config", &nowhere]].concat();
        place.run(&all)
    };
    let unknown = ask("cold", "5");
    assert_eq!(unknown.status.code(), Some(1));
    assert!(stderr(&unknown).contains("no wallet cold"));

    let first = ask("hot", "5");
    assert!(stderr(&first).contains("No daemon answers"));
    let first = json(&first);
    assert_eq!(
        (&first["status"], &first["count"]),
        (&"open".into(), &5.into())
    );
    assert_eq!(json(&ask("hot", "5"))["request"], first["request"]);
    let other = ask("hot", "6");
    assert_eq!(other.status.code(), Some(1));
    assert!(stderr(&other).contains("5 tickets of hot are asked for already"));
}
