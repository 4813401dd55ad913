//! The rules that the compiler does not know: who may know whom, what stays in its room, how long
//! a file may be. Each rule is first shown to catch an offender.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "tidy/rules.rs"]
mod rules;

use rules::{RULES, Rule};
use std::fs;
use std::path::{Path, PathBuf};

/// Lines in a file that a person reads in one sitting.
const LINES_MAX: usize = 500;

/// The one file that may be longer: a generated table is looked up, not read.
const TABLE: &str = "crates/codec/src/table.rs";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries {
        let path = entry.expect("a readable folder").path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            found.push(path);
        }
    }
}

fn sources() -> Vec<(String, String)> {
    files_below(&[
        "src",
        "crates/core/src",
        "crates/codec/src",
        "crates/sandbox/src",
        "crates/sim/src",
    ])
}

/// The names and texts of all Rust files in these folders.
fn files_below(folders: &[&str]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for folder in folders {
        rust_files(&root().join(folder), &mut found);
    }
    found
        .into_iter()
        .map(|path| {
            let name = path
                .strip_prefix(root())
                .expect("inside the tree")
                .display()
                .to_string();
            (
                name,
                fs::read_to_string(&path).expect("a readable source file"),
            )
        })
        .collect()
}

fn breaks(rule: &Rule, name: &str, text: &str) -> Vec<String> {
    let in_room = name.starts_with(&format!("{}/", rule.room));
    if !in_room || rule.except.iter().any(|except| name.starts_with(except)) {
        return Vec::new();
    }
    text.lines()
        .enumerate()
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .filter(|(_, line)| rule.words.iter().any(|word| line.contains(word)))
        .map(|(at, line)| format!("{name}:{}: {}: {}", at + 1, rule.why, line.trim()))
        .collect()
}

#[test]
fn every_rule_can_catch_an_offender() {
    for rule in RULES {
        for word in rule.words {
            let offender = format!("{}/offender.rs", rule.room);
            assert_eq!(
                breaks(rule, &offender, &format!("use {word};")).len(),
                1,
                "{word}"
            );
            assert!(
                breaks(rule, &offender, &format!("// {word}")).is_empty(),
                "{word}"
            );
        }
    }
}

#[test]
fn rooms_know_only_whom_they_may() {
    let broken: Vec<String> = sources()
        .iter()
        .flat_map(|(name, text)| RULES.iter().flat_map(move |rule| breaks(rule, name, text)))
        .collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn every_module_says_what_it_is_for() {
    let silent: Vec<String> = sources()
        .into_iter()
        .filter(|(name, text)| !name.ends_with("tests.rs") && !text.starts_with("//!"))
        .map(|(name, _)| name)
        .collect();
    assert!(silent.is_empty(), "no //! at the head of: {silent:?}");
}

#[test]
fn a_file_can_be_read_in_one_sitting() {
    let all = files_below(&["src", "crates", "tests"]);
    let is_there = |name: &str| all.iter().any(|(own, _)| own == name);
    assert!(is_there(TABLE) && is_there("tests/it/main.rs") && is_there("tests/tidy.rs"));
    let long = too_long(&all);
    assert!(long.is_empty(), "{}", long.join("\n"));
    let text = |lines: usize| "x\n".repeat(lines);
    let made = [
        ("at_the_limit.rs".to_owned(), text(LINES_MAX)),
        ("beyond.rs".to_owned(), text(LINES_MAX + 1)),
        (TABLE.to_owned(), text(LINES_MAX + 1)),
    ];
    assert_eq!(too_long(&made), ["beyond.rs: 501 lines"]);
}

fn too_long(files: &[(String, String)]) -> Vec<String> {
    files
        .iter()
        .filter(|(name, _)| name != TABLE)
        .map(|(name, text)| (name, text.lines().count()))
        .filter(|(_, lines)| *lines > LINES_MAX)
        .map(|(name, lines)| format!("{name}: {lines} lines"))
        .collect()
}

#[test]
fn nothing_is_left_for_later_and_nothing_prints() {
    let marks = ["TODO", "FIXME", "XXX", "unimplemented!", "todo!"];
    let left: Vec<String> = sources()
        .iter()
        .flat_map(|(name, text)| {
            text.lines()
                .enumerate()
                .filter(move |(_, line)| marks.iter().any(|mark| line.contains(mark)))
                .map(move |(at, line)| format!("{name}:{}: {}", at + 1, line.trim()))
        })
        .collect();
    assert!(left.is_empty(), "{}", left.join("\n"));
}

/// Names in backticks in what follows each `Shown by:` of a page, up to the paragraph's end.
fn shown_by(page: &str) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    for (at, _) in page.match_indices("Shown by:") {
        let paragraph = page[at..].split("\n\n").next().unwrap_or_default();
        let names = paragraph.split('`').skip(1).step_by(2);
        all.push(names.map(str::to_owned).collect());
    }
    all
}

#[test]
fn every_test_that_the_security_page_names_exists() {
    let mut files = Vec::new();
    for folder in ["src", "crates", "tests"] {
        rust_files(&root().join(folder), &mut files);
    }
    let mut code = String::new();
    for path in files {
        code.push_str(&fs::read_to_string(path).expect("a readable source file"));
    }
    let page = fs::read_to_string(root().join("docs/SECURITY.md")).expect("the page");
    let shown = shown_by(&page);
    assert!(shown.len() >= 11 && shown.iter().all(|names| !names.is_empty()));
    for n in 1..=10 {
        let heading = format!("### API{n} ");
        let (_, section) = page.split_once(&heading).expect(&heading);
        let section = section.split("\n### ").next().unwrap_or_default();
        assert!(
            section.contains("Shown by:"),
            "{heading} is shown by nothing"
        );
    }
    let exists = |name: &String| code.contains(&format!("fn {name}("));
    let missing: Vec<String> = shown
        .into_iter()
        .flatten()
        .filter(|name| !exists(name))
        .collect();
    assert!(missing.is_empty(), "no such tests: {missing:?}");
    assert!(!exists(&"a_test_that_nobody_wrote".to_owned()));
    assert_eq!(shown_by("Shown by: `a`,\n`b`.\n\n`c`"), [["a", "b"]]);
}
