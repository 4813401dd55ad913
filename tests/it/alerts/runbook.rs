//! A runbook as the engineer on call uses it: its commands are taken out of the page and run, by the
//! shell, with what the page says is given and with nothing else.

use crate::support::alertmanager::Alertmanager;
use crate::support::daemon::Setup;
use crate::support::executable;
use crate::support::prometheus::Prometheus;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What every page has, in this order.
pub const HEADINGS: [&str; 8] = [
    "Meaning",
    "Impact",
    "First five minutes",
    "Causes",
    "Fixes",
    "When not to act",
    "Escalation",
    "Afterwards",
];
/// How long one block may take.
const BLOCK: &str = "60";
/// How long a block that only looks is run again until it shows what it says: figures come by the second,
/// and the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(60);
/// What the shell says after a block, unless the block has closed it.
const STILL_THERE: &str = "the shell is still there";
/// How long until it is looked again.
const PAUSE: Duration = Duration::from_millis(300);

/// What the person is told to say to his shell before anything is pasted into it: the suite's shell is told
/// the same and nothing else, so that a block which needs more is noticed here.
pub fn told_shell() -> String {
    let page = std::fs::read_to_string(folder().join("README.md")).unwrap();
    let told: BTreeSet<&str> = page
        .lines()
        .filter(|line| line.starts_with("set -"))
        .collect();
    assert_eq!(told.len(), 1, "the pages prescribe one shell: {told:?}");
    told.into_iter().collect()
}

/// What a block does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It only looks.
    Check,
    /// It cures.
    Fix,
    /// It cures, and can lose something.
    Destructive,
}

/// One fenced block.
#[derive(Debug, Clone)]
pub struct Block {
    /// What it does.
    pub kind: Kind,
    /// The heading that it stands under.
    pub heading: String,
    /// Its commands.
    pub text: String,
    /// Where it is, for a failure's message.
    pub place: String,
}

impl Block {
    /// Whether it runs a script of `deploy/`, for which one daemon is too few.
    pub fn deploys(&self) -> bool {
        self.text.contains("$DEPLOY/")
    }
}

/// A page.
#[derive(Debug, Clone)]
pub struct Runbook {
    /// The headings of the second level, in their order.
    pub headings: Vec<String>,
    /// The blocks that are run, in their order.
    pub blocks: Vec<Block>,
}

/// Where the pages are.
pub fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("runbooks")
}

impl Runbook {
    /// The page of an alert, or of a topic.
    pub fn of(name: &str) -> Self {
        let path = folder().join(format!("{name}.md"));
        let text = std::fs::read_to_string(&path);
        let text = text.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self::read(name, &text).unwrap_or_else(|wrong| panic!("{wrong}"))
    }

    /// Takes a page apart. A block of a kind that nobody knows would never be run, so it is an error.
    pub fn read(name: &str, page: &str) -> Result<Self, String> {
        let (mut headings, mut blocks) = (Vec::new(), Vec::<Block>::new());
        let mut open: Option<Option<Kind>> = None;
        for (at, line) in page.lines().enumerate() {
            let place = format!("runbooks/{name}.md:{}", at + 1);
            match (open, line.trim_start().strip_prefix("```")) {
                (Some(_), Some("")) => open = None,
                (Some(_), Some(_)) => return Err(format!("{place}: a fence within a fence")),
                (Some(None), None) => {}
                (Some(Some(_)), None) => {
                    let block = blocks.last_mut().unwrap();
                    block.text.push_str(line);
                    block.text.push('\n');
                }
                (None, Some(information)) => {
                    let kind = kind(information)
                        .ok_or_else(|| format!("{place}: a block of the kind {information:?}"))?;
                    open = Some(kind);
                    if let Some(kind) = kind {
                        blocks.push(Block {
                            kind,
                            heading: headings.last().cloned().unwrap_or_default(),
                            text: String::new(),
                            place,
                        });
                    }
                }
                (None, None) => {
                    if let Some(heading) = line.strip_prefix("## ") {
                        headings.push(heading.trim().to_owned());
                    }
                }
            }
        }
        if open.is_some() {
            return Err(format!("runbooks/{name}.md ends within a fence"));
        }
        Ok(Self { headings, blocks })
    }
}

/// The kind of a block by what stands behind its fence: none for what is never run, and nothing for what
/// nobody knows.
fn kind(information: &str) -> Option<Option<Kind>> {
    match information {
        "sh check" => Some(Some(Kind::Check)),
        "sh fix" => Some(Some(Kind::Fix)),
        "sh destructive" => Some(Some(Kind::Destructive)),
        "text" | "json" | "toml" => Some(None),
        _ => None,
    }
}

/// Whoever runs the blocks, and what is given: of one daemon and those who watch it.
#[derive(Debug, Clone)]
pub struct Hands {
    given: Vec<(&'static str, String)>,
}

impl Hands {
    /// Hands for the daemon of `setup`, with keys of their own, whose files are put into `folder`.
    pub fn new(folder: &Path, setup: &Setup) -> Self {
        let all = [
            "payments:read",
            "payments:write",
            "invoices:read",
            "invoices:write",
            "webhooks:write",
        ];
        let keys = [
            ("ADMIN_KEY_FILE", "on-call", &["admin"][..]),
            ("KEY_FILE", "runbooks", &all[..]),
        ];
        let mut given = Vec::new();
        for (variable, name, scopes) in keys {
            let file = folder.join(format!("{name}.key"));
            std::fs::write(&file, setup.create_key(name, scopes)).unwrap();
            given.push((variable, file.display().to_string()));
        }
        given.extend([
            ("API", setup.api.clone()),
            ("METRICS", setup.metrics.clone()),
            ("CONFIG", setup.config().display().to_string()),
            ("WALLET", "hot".to_owned()),
            ("PATH", path()),
            ("HOME", folder.display().to_string()),
            ("TMPDIR", folder.display().to_string()),
        ]);
        Self { given }
    }

    /// Hands with what is given and nothing else, for programs that are not there: in the place of each of
    /// `programs` is a script of the test's in `folder`.
    pub fn with_stand_ins(folder: &Path, programs: &[(&str, &str)]) -> Self {
        for (name, script) in programs {
            let text = format!("#!/usr/bin/env bash\n{script}\n");
            executable::write(&folder.join(name), &text);
        }
        let at = folder.display().to_string();
        let given = vec![
            ("PATH", format!("{at}:{}", path())),
            ("HOME", at.clone()),
            ("TMPDIR", at),
        ];
        Self { given }
    }

    /// The same with those who watch.
    pub fn watched_by(mut self, prometheus: &Prometheus, alertmanager: &Alertmanager) -> Self {
        let urls = [
            ("PROMETHEUS", prometheus.url.clone()),
            ("ALERTMANAGER", alertmanager.url.clone()),
            ("PROMETHEUS_PROCESS", prometheus.process.clone()),
        ];
        self.given.extend(urls);
        self
    }

    /// The same with something given otherwise.
    pub fn given(mut self, variable: &'static str, value: &str) -> Self {
        self.given.retain(|(name, _)| *name != variable);
        self.given.push((variable, value.to_owned()));
        self
    }

    /// Runs a block. One that only looks is run until it succeeds and shows what it says; the others are
    /// run once, and have to succeed.
    pub async fn run(&self, block: &Block) -> String {
        let begun = Instant::now();
        let deadline = begun + PATIENCE;
        loop {
            match self.once(block).await {
                Ok(shown) => {
                    println!("  {} in {:.1?}", block.place, begun.elapsed());
                    return shown;
                }
                Err(failed) => {
                    let again = block.kind == Kind::Check && Instant::now() < deadline;
                    assert!(again, "{failed}");
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Runs a block once, as it is pasted into the prescribed shell. That shell goes on afterwards, by its
    /// own options: a block that ended it, or left it `-e` or a trap, has done something to the person.
    pub async fn once(&self, block: &Block) -> Result<String, String> {
        let pasted = format!(
            "{}\n{}\nended=$?\ncase $- in *e*) exit 98 ;; esac\n\
             if [ -n \"$(trap -p)\" ]; then exit 99; fi\necho '{STILL_THERE}' >&2\nexit \"$ended\"\n",
            told_shell(),
            block.text
        );
        let mut command = Command::new("timeout");
        command
            .args(["-k", "1", BLOCK, "bash", "-c", &pasted])
            .env_clear()
            .envs(self.given.iter().cloned())
            .stdin(Stdio::null());
        let output = tokio::task::spawn_blocking(move || command.output())
            .await
            .unwrap()
            .unwrap();
        let shown = String::from_utf8_lossy(&output.stdout).into_owned();
        let told = format!(
            "{} ({:?}):\n{}printed:\n{shown}{}",
            block.place,
            output.status.code(),
            block.text,
            String::from_utf8_lossy(&output.stderr)
        );
        if !String::from_utf8_lossy(&output.stderr).contains(STILL_THERE) {
            return Err(format!("the shell was closed or changed by {told}"));
        }
        if !output.status.success() {
            return Err(told);
        }
        let first = block.text.lines().next().unwrap_or_default();
        if let Some(pattern) = first.strip_prefix("# shows: ") {
            let pattern = regex::RegexBuilder::new(pattern.trim())
                .multi_line(true)
                .build()
                .unwrap_or_else(|error| panic!("{}: {error}", block.place));
            if !pattern.is_match(&shown) {
                return Err(told);
            }
        }
        Ok(shown)
    }
}

/// Where programs are looked for: the daemon's own, those that a script found for the tests, the system's.
pub fn path() -> String {
    let of = |program: &str| {
        let folder = Path::new(program).parent()?;
        Some(folder.display().to_string())
    };
    let mut folders: Vec<String> = of(env!("CARGO_BIN_EXE_xrpayd")).into_iter().collect();
    for name in ["PROMTOOL", "AMTOOL", "CURL", "JQ"] {
        let found = std::env::var(format!("XRPAYD_TEST_{name}"));
        folders.extend(found.ok().and_then(|program| of(&program)));
    }
    folders.extend(std::env::var("PATH"));
    folders.join(":")
}

#[test]
fn a_page_is_taken_apart_into_what_is_run() {
    let page = "# A\n## Meaning\nwords\n```text\nnever\n```\n## Fixes\n1. So:\n   ```sh fix\n   \
                echo a\n   ```\n```sh check\n# shows: b\necho b\n```\n";
    let runbook = Runbook::read("A", page).unwrap();
    assert_eq!(runbook.headings, ["Meaning", "Fixes"]);
    let blocks: Vec<_> = runbook
        .blocks
        .iter()
        .map(|block| (block.kind, block.heading.as_str(), block.text.trim()))
        .collect();
    let expected = [
        (Kind::Fix, "Fixes", "echo a"),
        (Kind::Check, "Fixes", "# shows: b\necho b"),
    ];
    assert_eq!(blocks, expected);
    for bad in ["```sh\nls\n```\n", "```sh fix\nls\n"] {
        assert!(Runbook::read("A", bad).is_err(), "{bad:?} was taken");
    }
}

#[tokio::test]
async fn a_block_that_fails_or_does_not_show_what_it_says_is_noticed() {
    let hands = Hands {
        given: vec![("PATH", path()), ("WALLET", "hot".to_owned())],
    };
    let block = |text: &str| Block {
        kind: Kind::Fix,
        heading: "Fixes".to_owned(),
        text: text.to_owned(),
        place: "a test".to_owned(),
    };
    for good in [
        "echo \"$WALLET\"",
        "# shows: ^hot$\necho cold\necho \"$WALLET\"",
        "xrpayd --version",
    ] {
        hands.once(&block(good)).await.unwrap();
    }
    for bad in [
        "(set -euo pipefail\nfalse\ntrue\n)",
        "false | true",
        "exit 0",
        "set -e",
        "trap true EXIT",
        "echo \"$CARGO_MANIFEST_DIR\"",
        "# shows: ^hot$\necho cold",
    ] {
        assert!(hands.once(&block(bad)).await.is_err(), "{bad:?} passed");
    }
}
