//! The machine, the binary, and the files that hold secrets.

use super::items;
use super::{Outcome, Row, must, should};
use crate::config::Profile;

/// Files that the service holds open besides its connections.
const FILES_BESIDES: u64 = 256;
/// The least room on the database's disk.
const DISK_FREE_MIN: u64 = 2 * 1024 * 1024 * 1024;
/// The least share of it.
const DISK_FREE_SHARE: u64 = 10;

/// What was seen.
#[derive(Debug, Clone)]
pub struct HostFacts {
    /// What kind of place this is.
    pub profile: Profile,
    /// The binary.
    pub build: Build,
    /// Files that hold secrets, by the setting that refers to them.
    pub secrets: Vec<(String, Secret)>,
    /// The names of variables that hold a seed.
    pub seeds_in_environment: Vec<String>,
    /// The configuration's files that others may change, and how many there are.
    pub open_files: (Vec<String>, usize),
    /// The folder of the database and the room there; none where that is another machine's.
    pub disk: Option<(String, Result<Room, String>)>,
    /// Where the machine writes down what it signed last, and whether it can; none where nowhere.
    pub last_run: Option<(String, Result<(), String>)>,
    /// Whether it has to be written down somewhere.
    pub needs_last_run: bool,
    /// How many files may be open; none is without a bound.
    pub files_max: Option<u64>,
    /// How many connections are taken.
    pub connections: u64,
    /// How large a memory image a crash may leave; none is without a bound.
    pub core_max: Option<u64>,
    /// Whether this is root.
    pub is_root: bool,
}

/// The binary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Build {
    /// Its version.
    pub version: &'static str,
    /// The commit.
    pub commit: &'static str,
    /// Whether it is optimised and without debugging checks.
    pub is_release: bool,
    /// Whether the model ledger is in it.
    pub has_sandbox: bool,
}

/// Where a secret is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Secret {
    /// In a file, as it should be.
    Kept(String),
    /// In a file, and something is wrong with that.
    Exposed(String),
    /// In the environment, under this name.
    InEnvironment(String),
    /// It cannot be looked at.
    Unknown(String),
}

/// Room on a disk, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// What is free.
    pub free: u64,
    /// What there is.
    pub whole: u64,
}

/// The rows of the machine.
#[must_use]
pub fn rows(facts: &HostFacts) -> Vec<Row> {
    let mut rows = build(facts);
    rows.extend(secrets(facts));
    let (open, count) = &facts.open_files;
    let words = match open.as_slice() {
        [] => format!("{count} files"),
        open => open.join("; "),
    };
    rows.push(Row::of(&items::CONFIG_FILES, must(open.is_empty()), words));
    rows.push(disk(facts));
    rows.push(last_run(facts));
    rows.extend(bounds(facts));
    rows
}

fn build(facts: &HostFacts) -> Vec<Row> {
    let build = &facts.build;
    // A rehearsal is run with what is at hand; real money, and what rehearses it in earnest, is not.
    let ask = |is_so: bool| match facts.profile {
        Profile::Production => must(is_so),
        Profile::Staging | Profile::Testnet | Profile::Sandbox | Profile::Development => {
            should(is_so)
        }
    };
    let knows_commit = !["unknown", "debug"].contains(&build.commit);
    let words = format!("version {}, commit {}", build.version, build.commit);
    let profile = match build.is_release {
        true => "built for release",
        false => "built for debugging",
    };
    let sandbox = match build.has_sandbox {
        true => "the model ledger is built in",
        false => "it is left out",
    };
    vec![
        Row::of(&items::BUILD_COMMIT, ask(knows_commit), words),
        Row::of(&items::BUILD_RELEASE, ask(build.is_release), profile),
        Row::of(&items::BUILD_SANDBOX, ask(!build.has_sandbox), sandbox),
    ]
}

fn secrets(facts: &HostFacts) -> Vec<Row> {
    let files = facts.secrets.iter().map(|(setting, secret)| {
        let (outcome, words) = match secret {
            Secret::Kept(words) => (Outcome::Pass, words.clone()),
            Secret::Exposed(why) | Secret::Unknown(why) => (Outcome::Fail, why.clone()),
            Secret::InEnvironment(name) => (
                Outcome::Fail,
                format!("it is in the environment, as {name}: whoever sees the process sees it"),
            ),
        };
        Row::about(&items::SECRET_FILES, setting, outcome, words)
    });
    let mut rows: Vec<Row> = files.collect();
    let seeds = &facts.seeds_in_environment;
    let words = match seeds.as_slice() {
        [] => "no variable holds a seed".to_owned(),
        names => format!("a seed stands in {}", names.join(", ")),
    };
    let outcome = must(seeds.is_empty());
    rows.push(Row::of(&items::SECRET_ENVIRONMENT, outcome, words));
    rows
}

fn disk(facts: &HostFacts) -> Row {
    let (outcome, words) = match &facts.disk {
        None => (
            Outcome::Pass,
            "the database is another machine's: watch its disk there".to_owned(),
        ),
        Some((path, Err(why))) => (Outcome::Fail, format!("{path}: {why}")),
        Some((path, Ok(room))) => {
            let share = room.whole / DISK_FREE_SHARE;
            let mib = |bytes: u64| bytes / (1024 * 1024);
            let outcome = match room.free {
                free if free < DISK_FREE_MIN => Outcome::Fail,
                free if free < share => Outcome::Warn,
                _ => Outcome::Pass,
            };
            (
                outcome,
                format!(
                    "{path}: {} MiB of {} MiB are free",
                    mib(room.free),
                    mib(room.whole)
                ),
            )
        }
    };
    Row::of(&items::HOST_DISK, outcome, words)
}

fn last_run(facts: &HostFacts) -> Row {
    let (outcome, words) = match &facts.last_run {
        Some((path, Ok(()))) => (Outcome::Pass, format!("{path} can be written to")),
        Some((path, Err(why))) => (Outcome::Fail, format!("{path}: {why}")),
        None => (
            match facts.needs_last_run {
                true => Outcome::Fail,
                false => Outcome::Warn,
            },
            "store.last_run_dir is not set: a copy that is put in the database's place is not known for one"
                .to_owned(),
        ),
    };
    Row::of(&items::HOST_LAST_RUN, outcome, words)
}

fn bounds(facts: &HostFacts) -> Vec<Row> {
    let needed = facts.connections.saturating_add(FILES_BESIDES);
    let files = match facts.files_max {
        None => (Outcome::Pass, "there is no bound".to_owned()),
        Some(most) => (
            must(most >= needed),
            format!("{most} may be open, {needed} are needed at most"),
        ),
    };
    let core = match facts.core_max {
        Some(0) => (Outcome::Pass, "core dumps are off".to_owned()),
        Some(bytes) => (
            Outcome::Fail,
            format!("a crash may leave {bytes} bytes of memory"),
        ),
        None => (
            Outcome::Fail,
            "a crash may leave all of the memory".to_owned(),
        ),
    };
    let user = match facts.is_root {
        true => {
            "this command runs as root: run it as the daemon's user, or its findings are root's"
        }
        false => "not root",
    };
    vec![
        Row::of(&items::HOST_FILES, files.0, files.1),
        Row::of(&items::HOST_CORE, core.0, core.1),
        Row::of(&items::HOST_USER, should(!facts.is_root), user),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host() -> HostFacts {
        HostFacts {
            profile: Profile::Production,
            build: Build {
                version: "1.0.0",
                commit: "0123456789ab",
                is_release: true,
                has_sandbox: false,
            },
            secrets: vec![(
                "wallets.hot.seed".to_owned(),
                Secret::Kept("0400".to_owned()),
            )],
            seeds_in_environment: Vec::new(),
            open_files: (Vec::new(), 2),
            disk: Some((
                "/var/lib/xrpayd".to_owned(),
                Ok(Room {
                    free: 50 << 30,
                    whole: 100 << 30,
                }),
            )),
            last_run: Some(("/var/lib/xrpayd".to_owned(), Ok(()))),
            needs_last_run: true,
            files_max: Some(65_536),
            connections: 4_096,
            core_max: Some(0),
            is_root: false,
        }
    }

    fn found(change: fn(&mut HostFacts)) -> Vec<(&'static str, &'static str)> {
        let mut facts = host();
        change(&mut facts);
        let rows = rows(&facts).into_iter();
        let bad = rows.filter(|row| row.outcome != Outcome::Pass);
        bad.map(|row| (row.item.id, row.outcome.as_str())).collect()
    }

    #[test]
    fn a_machine_that_is_set_up_well_passes_and_each_fault_is_named() {
        assert_eq!(found(|_| ()), []);
        assert_eq!(
            found(|h| h.build.commit = "unknown"),
            [("build.commit", "fail")]
        );
        assert_eq!(
            found(|h| h.build.is_release = false),
            [("build.release", "fail")]
        );
        assert_eq!(
            found(|h| h.build.has_sandbox = true),
            [("build.sandbox", "fail")]
        );
        assert_eq!(
            found(|h| h.secrets[0].1 = Secret::Exposed("others may read it".to_owned())),
            [("secret.files", "fail")]
        );
        assert_eq!(
            found(|h| h.secrets[0].1 = Secret::InEnvironment("SEED".to_owned())),
            [("secret.files", "fail")]
        );
        assert_eq!(
            found(|h| h.seeds_in_environment.push("OLD_SEED".to_owned())),
            [("secret.environment", "fail")]
        );
        assert_eq!(
            found(|h| h.open_files.0.push("/etc/xrpayd.toml".to_owned())),
            [("config.files", "fail")]
        );
        assert_eq!(
            found(|h| h.disk.as_mut().unwrap().1 = Ok(Room {
                free: 9 << 30,
                whole: 100 << 30
            })),
            [("host.disk", "warn")]
        );
        assert_eq!(
            found(|h| h.disk.as_mut().unwrap().1 = Ok(Room {
                free: 1 << 30,
                whole: 2 << 30
            })),
            [("host.disk", "fail")]
        );
        assert_eq!(found(|h| h.last_run = None), [("host.last_run", "fail")]);
        assert_eq!(
            found(|h| h.last_run.as_mut().unwrap().1 = Err("it is not there".to_owned())),
            [("host.last_run", "fail")]
        );
        assert_eq!(
            found(|h| h.files_max = Some(1_024)),
            [("host.open_files", "fail")]
        );
        assert_eq!(found(|h| h.core_max = None), [("host.core_dumps", "fail")]);
        assert_eq!(found(|h| h.is_root = true), [("host.user", "warn")]);
    }

    #[test]
    fn what_a_rehearsal_is_built_like_is_only_warned_of() {
        let found = found(|h| {
            h.profile = Profile::Staging;
            h.build.is_release = false;
            h.build.has_sandbox = true;
            h.last_run = None;
            h.needs_last_run = false;
        });
        assert_eq!(
            found,
            [
                ("build.release", "warn"),
                ("build.sandbox", "warn"),
                ("host.last_run", "warn")
            ]
        );
    }
}
