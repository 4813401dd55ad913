//! The blocks of the pages stop where something fails, in the very shell that the pages prescribe: a guard
//! that refuses keeps what stands behind it from being done, and leaves the person's shell as it was.

use super::runbook::{Block, Hands, Kind, Runbook, folder};
use std::path::{Path, PathBuf};

/// How a block of several commands begins and ends.
const GUARD: (&str, &str) = ("(set -euo pipefail", ")");
/// A stand-in that says nothing, writes down that it was called, and fails.
const FAILS: &str = "echo \"${0##*/} $*\" >>\"$HOME/called\"\nexit 1";

/// What is wrong with a block: it is more than one command, and nothing stops it at the first that fails.
fn unguarded(block: &str) -> Option<&'static str> {
    let is_code = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    let code: Vec<&str> = block.lines().filter(is_code).collect();
    let (Some(first), Some(last)) = (code.first(), code.last()) else {
        return Some("it has no command");
    };
    if first.trim() == GUARD.0 && last.trim() == GUARD.1 {
        return None;
    }
    let (mut quote, mut escaped) = (None, false);
    let mut bare = String::new();
    for character in code.join("\n").chars() {
        match (quote, character) {
            _ if escaped => escaped = false,
            (None | Some('"'), '\\') => escaped = true,
            (None, '\'' | '"') => quote = Some(character),
            (Some(open), _) if open == character => quote = None,
            (None, _) => bare.push(character),
            (Some(_), _) => {}
        }
    }
    let lines: Vec<&str> = bare.lines().collect();
    let goes_on = |line: &&str| line.trim_end().ends_with(['|', '\\']);
    let (_, before) = lines.split_last()?;
    if !before.iter().all(goes_on) || bare.contains(';') {
        return Some("several commands outside of (set -euo pipefail … )");
    }
    let changes = ["exit", "trap", "set", "cd", "export"];
    let mut words = bare.split_whitespace();
    words
        .any(|word| changes.contains(&word))
        .then_some("it changes the person's shell")
}

/// Every page with commands that are run.
fn pages() -> Vec<(String, Runbook)> {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let mut pages = Vec::new();
    for place in [folder(), docs] {
        for entry in std::fs::read_dir(&place).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            let tagged = ["```sh check", "```sh fix", "```sh destructive"];
            if path.extension().is_some_and(|ending| ending == "md")
                && tagged.iter().any(|fence| text.contains(fence))
            {
                let name = path.file_stem().unwrap().to_str().unwrap();
                pages.push((name.to_owned(), Runbook::read(name, &text).unwrap()));
            }
        }
    }
    assert!(pages.len() > 50, "the pages were not found");
    pages
}

#[test]
fn every_block_of_several_commands_stops_at_the_first_that_fails() {
    for good in [
        "# shows: a\ncurl a |\n    jq 'b\nc'\n",
        "xrpayd pause --reason 'a; b'\n",
        "curl a || true\n",
        "# shows: a\n(set -euo pipefail\ntrap b EXIT\nexit 1\n)\n",
    ] {
        assert_eq!(unguarded(good), None, "{good:?}");
    }
    for bad in [
        "",
        "a\nb\n",
        "a; b\n",
        "for a in b; do\nc\ndone\n",
        "(set -uo pipefail\na\nb\n)\n",
        "(set -euo pipefail\na\n)\nb\n",
        "exit 1\n",
    ] {
        assert!(unguarded(bad).is_some(), "{bad:?} was taken");
    }
    let mut wrong = Vec::new();
    for (_, page) in pages() {
        for block in &page.blocks {
            if let Some(why) = unguarded(&block.text) {
                wrong.push(format!("{}: {why}", block.place));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The block of a page, by its file, that has these words.
fn block(file: &str, words: &str) -> Block {
    let page = file.trim_end_matches(".md");
    let blocks = Runbook::of(page).blocks;
    let found = blocks.into_iter().find(|block| block.text.contains(words));
    found.unwrap_or_else(|| panic!("{page} has no block with {words:?}"))
}

/// What the stand-ins were asked, in its order.
fn called(folder: &Path) -> Vec<String> {
    let all = std::fs::read_to_string(folder.join("called")).unwrap_or_default();
    all.lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn nothing_is_done_after_a_command_that_failed() {
    let (mut tried, mut guarded) = (0, Vec::new());
    for (name, page) in pages() {
        for block in &page.blocks {
            let begins = |line: &str| line.trim_start().starts_with("xrpayd ");
            if block.kind == Kind::Check || !block.text.lines().any(begins) {
                continue;
            }
            let folder = tempfile::tempdir().unwrap();
            let programs = ["xrpayd", "pgrep", "curl", "amtool"].map(|name| (name, FAILS));
            let mut hands = Hands::with_stand_ins(folder.path(), &programs);
            for given in ["CONFIG", "WALLET", "API", "METRICS", "ALERTMANAGER"] {
                hands = hands.given(given, "given");
            }
            for given in [
                "STOLEN_KEY_ID",
                "CHANGE",
                "TO",
                "WARM",
                "REFILL",
                "REFILL_ID",
                "BACKUPS",
            ] {
                hands = hands.given(given, "given");
            }
            for given in ["ADMIN_KEY_FILE", "KEY_FILE"] {
                let file = folder.path().join(given);
                std::fs::write(&file, "xrpayd_id_secret\n").unwrap();
                hands = hands.given(given, file.to_str().unwrap());
            }
            let failed = hands.once(block).await.expect_err(&block.place);
            assert!(!failed.starts_with("the shell was"), "{failed}");
            let called = called(folder.path());
            assert!(called.len() <= 1, "{}: {called:#?}", block.place);
            tried += 1;
            if called
                .iter()
                .any(|call| call.starts_with("xrpayd reconcile"))
            {
                guarded.push(name.clone());
            }
        }
    }
    assert!(tried > 30, "only {tried} were tried");
    for page in ["LeaseHeldTwice.md", "XrplServersDisagree.md"] {
        let is_it = |name: &String| page.trim_end_matches(".md") == name;
        assert!(guarded.iter().any(is_it), "{page}: not by its reconcile");
    }
}

#[tokio::test]
async fn a_key_that_could_not_be_rotated_is_the_one_that_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("probe.key");
    for xrpayd in ["exit 1", "echo '{}'", "true"] {
        std::fs::write(&key, "xrpayd_id_secret\n").unwrap();
        let programs = [("xrpayd", xrpayd), ("sleep", "true"), ("curl", "true")];
        let hands = Hands::with_stand_ins(folder.path(), &programs)
            .given("KEY_FILE", key.to_str().unwrap())
            .given("API", "http://api")
            .given("CONFIG", "config");
        let rotation = block("key-rotation.md", "keys rotate");
        hands.once(&rotation).await.expect_err(xrpayd);
        let now = std::fs::read_to_string(&key).unwrap();
        assert_eq!(now, "xrpayd_id_secret\n", "{xrpayd}");
    }
}

#[tokio::test]
async fn a_key_for_an_hour_is_revoked_when_its_block_ends_however_that_is() {
    let xrpayd = "echo \"$*\" >>\"$HOME/called\"\n\
                  if [ \"$2\" = create ]; then echo '{\"id\":\"made\",\"key\":\"secret\"}'; fi";
    for curl in ["exit 22", "echo '{\"data\":[]}'"] {
        let folder = tempfile::tempdir().unwrap();
        let programs = [("xrpayd", xrpayd), ("sleep", "true"), ("curl", curl)];
        let hands = Hands::with_stand_ins(folder.path(), &programs)
            .given("API", "http://api")
            .given("CONFIG", "config");
        let ended = hands.once(&block("WebhookBacklog.md", "keys create")).await;
        assert_eq!(ended.is_err(), curl == "exit 22", "{ended:?}");
        let called = called(folder.path());
        assert_eq!(called.len(), 2, "{called:#?}");
        assert!(called[1].starts_with("keys revoke made"), "{called:#?}");
    }
}

#[tokio::test]
async fn a_first_payment_that_failed_is_shown_and_the_shell_stays() {
    let folder = tempfile::tempdir().unwrap();
    let failed = "echo '{\"id\":\"p\",\"status\":\"failed\",\"failure\":{\"code\":\"no\"}}'";
    let key = folder.path().join("probe.key");
    std::fs::write(&key, "xrpayd_id_secret\n").unwrap();
    let hands = Hands::with_stand_ins(folder.path(), &[("curl", failed)])
        .given("KEY_FILE", key.to_str().unwrap())
        .given("PROBE_TO", "rProbe")
        .given("LAUNCH", "launch-1")
        .given("API", "http://api");
    let first = block("launch-day.md", "Idempotency-Key");
    let told = hands.once(&first).await.expect_err("it failed");
    assert!(!told.starts_with("the shell was"), "{told}");
    assert!(told.contains("\"code\": \"no\""), "{told}");
}
