//! The rules that the compiler does not know: who may know whom, what stays in its room, how long
//! a file may be. Each rule is first shown to catch an offender.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};

/// A rule of the house: in files under `room`, lines may not contain any of `words`.
struct Rule {
    room: &'static str,
    except: &'static [&'static str],
    words: &'static [&'static str],
    why: &'static str,
}

const RULES: &[Rule] = &[
    Rule {
        room: "crates/core/src",
        except: &[],
        words: &[
            "tokio",
            "std::fs",
            "std::net",
            "std::env",
            "rand::",
            "getrandom",
            "xrpayd_",
        ],
        why: "core is pure and knows nobody",
    },
    Rule {
        room: "crates/codec/src",
        except: &[],
        words: &[
            "tokio",
            "std::fs",
            "std::net",
            "std::env",
            "xrpayd::",
            "xrpayd_sandbox",
        ],
        why: "the codec is pure and knows core only",
    },
    Rule {
        room: "crates/sim/src",
        except: &[],
        words: &[
            "tokio",
            "std::fs",
            "std::net",
            "std::env",
            "std::time",
            "xrpayd::",
            "xrpayd_codec",
            "xrpayd_sandbox",
        ],
        why: "the simulator has no time, no disk and no network but its own, and knows core only",
    },
    Rule {
        room: "crates/sandbox/src",
        except: &[],
        words: &["xrpayd::"],
        why: "the model ledger does not know the daemon",
    },
    Rule {
        room: "src",
        except: &["src/store/"],
        words: &["sqlx::"],
        why: "sqlx stays in the store",
    },
    Rule {
        room: "src",
        except: &["src/http/"],
        words: &["axum::", "tower::", "tower_http::"],
        why: "axum stays in http",
    },
    Rule {
        room: "src",
        except: &["src/supervise.rs"],
        words: &["tokio::spawn(", "task::spawn("],
        why: "only the supervisor spawns",
    },
    Rule {
        room: "src",
        except: &["src/clock.rs"],
        words: &[
            "SystemTime::now",
            "std::time::Instant",
            "getrandom::",
            "thread_rng",
            "rand::rng",
        ],
        why: "only the clock reads time and entropy",
    },
    Rule {
        room: "src/xrpl",
        except: &[],
        words: &[
            "crate::store",
            "crate::wallet",
            "crate::payments",
            "crate::journal",
            "crate::http",
            "crate::app",
            "crate::cli",
        ],
        why: "the pool knows no room above it",
    },
    Rule {
        room: "src/wallet",
        except: &[],
        words: &[
            "crate::store",
            "crate::xrpl",
            "crate::payments",
            "crate::journal",
            "crate::http",
            "crate::app",
            "crate::cli",
            "crate::config",
        ],
        why: "the wallet knows no room above or beside it",
    },
    Rule {
        room: "src/store",
        except: &[],
        words: &[
            "crate::xrpl",
            "crate::wallet",
            "crate::payments",
            "crate::journal",
            "crate::http",
            "crate::app",
            "crate::cli",
            "crate::config",
        ],
        why: "the store knows no room above or beside it",
    },
    Rule {
        room: "src/telemetry",
        except: &[],
        words: &[
            "crate::store",
            "crate::xrpl",
            "crate::wallet",
            "crate::payments",
            "crate::journal",
            "crate::http",
            "crate::app",
            "crate::cli",
        ],
        why: "telemetry measures and knows nobody's insides",
    },
    Rule {
        room: "src/config",
        except: &[],
        words: &[
            "crate::store",
            "crate::xrpl",
            "crate::wallet",
            "crate::payments",
            "crate::journal",
            "crate::http",
            "crate::app",
            "crate::cli",
        ],
        why: "the configuration is read by others and knows nobody",
    },
    Rule {
        room: "src/shape",
        except: &[],
        words: &[
            "crate::store",
            "crate::xrpl",
            "crate::wallet",
            "crate::payments",
            "crate::journal",
            "crate::http",
            "crate::config",
            "crate::app",
            "crate::cli",
        ],
        why: "a shape is made of what core knows",
    },
    Rule {
        room: "src/http",
        except: &[],
        words: &[
            "crate::xrpl",
            "crate::wallet",
            "crate::journal",
            "crate::payments::engine",
            "crate::app",
            "crate::cli",
        ],
        why: "http sees the store, payments::accept and deposits::issue, never the ledger or the keys",
    },
    Rule {
        room: "src/webhooks",
        except: &[],
        words: &[
            "crate::http",
            "crate::app",
            "crate::cli",
            "crate::config",
            "crate::payments",
            "crate::journal",
            "crate::wallet",
            "crate::xrpl",
        ],
        why: "webhooks carry what the store holds and know nobody else",
    },
    Rule {
        room: "src/rollout",
        except: &[],
        words: &[
            "crate::http",
            "crate::app",
            "crate::cli",
            "crate::payments",
            "crate::journal",
            "crate::wallet",
            "crate::xrpl",
        ],
        why: "the rollout is judged by what the store holds and the configuration says",
    },
    Rule {
        room: "src/preflight",
        except: &[],
        words: &[
            "crate::store",
            "crate::xrpl",
            "crate::wallet",
            "crate::payments",
            "crate::http",
            "crate::app",
            "crate::cli",
            "tokio",
            "std::net::Tcp",
        ],
        why: "the checklist is a fold over facts, and gathers none",
    },
    Rule {
        room: "src/payments",
        except: &[],
        words: &["crate::http", "crate::app", "crate::cli"],
        why: "payments know no room above them",
    },
    Rule {
        room: "src/backup",
        except: &[],
        words: &[
            "crate::xrpl",
            "crate::wallet",
            "crate::payments",
            "crate::journal",
            "crate::http",
            "crate::app",
            "crate::cli",
            "crate::config",
            "crate::webhooks",
        ],
        why: "backups know the store and the disk, and no room above",
    },
    Rule {
        room: "src/deposits",
        except: &[],
        words: &[
            "crate::store",
            "crate::xrpl",
            "crate::wallet",
            "crate::payments",
            "crate::journal",
            "crate::http",
            "crate::app",
            "crate::cli",
            "crate::config",
        ],
        why: "what is asked for is judged by itself and by the rules that are handed in",
    },
    Rule {
        room: "src/request",
        except: &[],
        words: &[
            "crate::store",
            "crate::xrpl",
            "crate::wallet",
            "crate::payments",
            "crate::deposits",
            "crate::journal",
            "crate::http",
            "crate::app",
            "crate::cli",
            "crate::config",
        ],
        why: "what requests share knows none of the rooms that share it",
    },
    Rule {
        room: "src/reconcile",
        except: &[],
        words: &[
            "crate::http",
            "crate::app",
            "crate::cli",
            "crate::config",
            "crate::payments",
        ],
        why: "a reconciliation owes nothing to what it checks, and knows no room above it",
    },
    Rule {
        room: "src/journal",
        except: &[],
        words: &[
            "crate::http",
            "crate::app",
            "crate::cli",
            "crate::payments",
            "crate::wallet",
        ],
        why: "the journal reads the ledger and knows no room above it",
    },
];

/// Lines in a file that a person reads in one sitting.
const LINES_MAX: usize = 500;

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
    let mut found = Vec::new();
    for folder in [
        "src",
        "crates/core/src",
        "crates/codec/src",
        "crates/sandbox/src",
        "crates/sim/src",
    ] {
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
    let long: Vec<String> = sources()
        .into_iter()
        // A generated table is looked up, not read.
        .filter(|(name, _)| name != "crates/codec/src/table.rs")
        .filter(|(_, text)| text.lines().count() > LINES_MAX)
        .map(|(name, text)| format!("{name}: {} lines", text.lines().count()))
        .collect();
    assert!(long.is_empty(), "{}", long.join("\n"));
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
