//! What a page says that the log has, or that a halt gives as its reason, the daemon says in these words:
//! whoever compares the two at night finds them.

use super::runbook::folder;
use std::path::{Path, PathBuf};

/// Tables whose first column is what the daemon says.
const HEADS: [&str; 2] = ["| the log ends with |", "| the reason says |"];
/// What stands in backticks beside the word "log" and is something to type.
const TYPED: [&str; 8] = [
    "amtool",
    "curl",
    "df",
    "export",
    "journalctl",
    "promtool",
    "systemctl",
    "xrpayd",
];

/// Everything in backticks.
fn ticked(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// The words of the daemon that a page quotes, each with its line.
fn quoted(page: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let (mut in_table, mut in_fence) = (false, false);
    for (number, line) in page.lines().enumerate() {
        in_fence ^= line.starts_with("```");
        if HEADS.iter().any(|head| line.starts_with(head)) {
            in_table = true;
        } else if !line.starts_with('|') {
            in_table = false;
        }
        let of_log = line
            .split(|at: char| !at.is_alphanumeric())
            .any(|word| word == "log");
        let said: Vec<&str> = if in_fence {
            Vec::new()
        } else if in_table {
            let cell = line.trim_start_matches('|').split(" | ").next();
            ticked(cell.unwrap_or_default()).collect()
        } else if of_log {
            let is_said = |text: &&str| {
                let mut words = text.split(' ');
                let typed = words.next().is_some_and(|first| TYPED.contains(&first));
                !typed && words.count() >= 2
            };
            ticked(line).filter(is_said).collect()
        } else {
            Vec::new()
        };
        found.extend(said.into_iter().map(|text| (number + 1, text.to_owned())));
    }
    found
}

/// A result code of the ledger, which the page names and the source does not.
fn is_result(word: &str) -> bool {
    let kinds = ["tec", "tef", "tel", "tem", "ter", "tes"];
    kinds.iter().any(|kind| word.starts_with(kind)) && word.contains(|at: char| at.is_uppercase())
}

/// What of a quotation stands in the source as it is: "…" is what the daemon fills in.
fn pieces(quotation: &str) -> Vec<String> {
    let plain = |piece: &str| {
        let words: Vec<&str> = piece.split(' ').filter(|word| !is_result(word)).collect();
        let text = words.join(" ");
        text.trim_matches([' ', ',', ':']).to_owned()
    };
    let pieces = quotation.split('…').map(plain);
    pieces.filter(|piece| !piece.is_empty()).collect()
}

/// All that is said anywhere in the sources of `room`, tests left out, with the strings of several lines as
/// one.
fn said_in(room: &Path, all: &mut String) {
    for entry in std::fs::read_dir(room).unwrap() {
        let path: PathBuf = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() && name != "tests" {
            said_in(&path, all);
        } else if name.ends_with(".rs") && name != "tests.rs" {
            all.push_str(&std::fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn what_a_page_quotes_of_the_daemon_the_daemon_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = String::new();
    for room in ["src", "crates/core/src", "crates/codec/src"] {
        said_in(&root.join(room), &mut all);
    }
    let continued = regex::Regex::new(r"\\\n\s*").unwrap();
    let all = continued.replace_all(&all, "");
    let (mut held, mut wrong) = (0, Vec::new());
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let page = std::fs::read_to_string(&path).unwrap();
        for (line, quotation) in quoted(&page) {
            held += 1;
            if !pieces(&quotation).iter().all(|piece| all.contains(piece)) {
                wrong.push(format!("{}:{line}: {quotation}", path.display()));
            }
        }
    }
    assert!(held > 20, "only {held} quotations were found");
    assert!(
        wrong.is_empty(),
        "the daemon never says:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn a_quotation_is_taken_apart_as_the_daemon_fills_it_in() {
    let page = "| the log ends with | cause |\n| --- | --- |\n| `a b … c`, `d` | `e` |\nThe log says \
                `one two three`, see `df -h x y`.\n```text\nlog `x y z`\n```\n";
    let texts: Vec<String> = quoted(page).into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts, ["a b … c", "d", "one two three"]);
    let pieces = pieces("a submission was answered tefBAD_AUTH…: … is locked");
    assert_eq!(pieces, ["a submission was answered", "is locked"]);
}
