//! The fields of the logs as docs/LOGS.md has them, held against the code.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The macros that say something, in lines and in spans.
const SAYING: [&str; 6] = [
    "error!(",
    "warn!(",
    "info!(",
    "debug!(",
    "trace!(",
    "info_span!(",
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() && name != "tests" {
            sources(&path, found);
        } else if name.ends_with(".rs") && name != "tests.rs" {
            found.push(path);
        }
    }
}

/// The arguments of a macro's call, from behind its parenthesis; texts are left out of them.
fn arguments(call: &str) -> Vec<String> {
    let (mut all, mut one, mut depth) = (Vec::new(), String::new(), 0_u32);
    let mut signs = call.chars();
    while let Some(sign) = signs.next() {
        match sign {
            '"' => {
                one.push('"');
                while let Some(sign) = signs.next() {
                    match sign {
                        '\\' => drop(signs.next()),
                        '"' => break,
                        _ => {}
                    }
                }
                continue;
            }
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' if depth == 0 => break,
            ')' | ']' | '}' => depth -= 1,
            ',' if depth == 0 => {
                all.push(std::mem::take(&mut one));
                continue;
            }
            _ => {}
        }
        one.push(sign);
    }
    all.push(one);
    all
}

/// The name of the field that an argument is; none where it is the message or the target.
fn field(argument: &str) -> Option<String> {
    let argument = argument.trim();
    if argument.is_empty() || argument.starts_with('"') || argument.starts_with("target:") {
        return None;
    }
    let name = argument.split(" =").next().unwrap();
    Some(name.trim_start_matches(['%', '?']).trim().to_owned())
}

/// Every field of a text, with nothing of its tests.
fn fields(text: &str) -> BTreeSet<String> {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let mut found = BTreeSet::new();
    for after in text.split("tracing::").skip(1) {
        if let Some(call) = SAYING.iter().find_map(|says| after.strip_prefix(says)) {
            found.extend(
                arguments(call)
                    .iter()
                    .filter_map(|argument| field(argument)),
            );
        }
    }
    found
}

#[test]
fn every_field_that_is_logged_is_on_the_page_and_every_field_on_the_page_is_logged() {
    let mut files = Vec::new();
    sources(&root().join("src"), &mut files);
    let mut logged: BTreeMap<String, PathBuf> = BTreeMap::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        logged.extend(fields(&text).into_iter().map(|field| (field, file.clone())));
    }
    assert!(logged.len() > 50, "the fields are not found: {logged:?}");
    let page = std::fs::read_to_string(root().join("docs/LOGS.md")).unwrap();
    let (_, table) = page.split_once("\n## Fields\n").unwrap();
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `"));
    let told: BTreeSet<&str> = rows.map(|row| row.split('`').next().unwrap()).collect();
    let untold: Vec<_> = logged
        .iter()
        .filter(|(field, _)| !told.contains(field.as_str()))
        .collect();
    assert!(untold.is_empty(), "not in docs/LOGS.md: {untold:#?}");
    let unlogged: Vec<_> = told
        .iter()
        .filter(|field| !logged.contains_key(**field))
        .collect();
    assert!(unlogged.is_empty(), "nobody logs {unlogged:?}");
}

#[test]
fn fields_are_found_in_every_form_that_they_are_written_in() {
    let text = r#"
        tracing::warn!(wallet.name = name(a, "x, y"), %error, ?slot, code, "told, {code}: \" z");
        tracing::info_span!(target: TARGET, "sign", tx.hash = %hash);
        other!(unseen = 1);
    "#;
    let found: Vec<String> = fields(text).into_iter().collect();
    assert_eq!(found, ["code", "error", "slot", "tx.hash", "wallet.name"]);
}
