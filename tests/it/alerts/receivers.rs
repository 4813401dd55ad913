//! Who is told in the end: as shipped nobody, and `deploy/receivers.sh` says so; a test page by the same script
//! reaches the pager and the chat of a real Alertmanager.

use super::runbook::path;
use crate::support::alertmanager::{Alertmanager, Told};
use crate::support::overlay::{Overlay, shipped};
use std::process::{Command, Output};

/// Runs the script.
fn receivers(arguments: &[&str]) -> Output {
    let mut command = Command::new("deploy/receivers.sh");
    command.args(arguments).env("PATH", path());
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    command.output().unwrap()
}

#[test]
fn receivers_that_are_examples_are_refused_by_their_names() {
    let refused = receivers(&["check"]);
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8(refused.stderr).unwrap();
    for told in ["pager", "chat", "deadman"] {
        assert!(said.contains(&format!("{told}.example.net")), "{said}");
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("alertmanager.yml");
    let text = std::fs::read_to_string(shipped().join("alertmanager.yml")).unwrap();
    let check = |text: &str| {
        std::fs::write(&file, text).unwrap();
        receivers(&["check", file.to_str().unwrap()])
            .status
            .success()
    };
    // The words about it may stay, and a name that only resembles is a name.
    assert!(check(
        &text
            .replace("//", "//my.counter")
            .replace(".example.net", "example.net")
    ));
    assert!(check(&text.replace(".example.net/", ".mine.test/")));
    assert!(!check(&text.replacen(".example.net/", ".mine.test/", 2)));
    assert!(!check(&text.replace(".example.net/", ".EXAMPLE.org:443/")));
    assert!(!check("route: {}\n"), "a file without receivers");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_test_page_reaches_the_pager_and_the_chat() {
    let folder = tempfile::tempdir().unwrap();
    let overlay = Overlay::of_the_repository();
    let Some(alertmanager) = Alertmanager::start(folder.path(), overlay).await else {
        return;
    };
    let sent = receivers(&["test", &alertmanager.url]);
    assert!(sent.status.success(), "{sent:?}");
    for told in [Told::Pager, Told::Chat] {
        alertmanager.tells(told, "DeliveryTest", "firing", 0).await;
    }
}
