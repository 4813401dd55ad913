//! The database, and what it holds that decides who may move how much.

use super::items;
use super::{Outcome, Row, must, should};
use xrpayd_core::ids::UnixMs;

/// Clocks that are further apart date what happened wrongly.
const CLOCKS_APART_MAX_MS: i64 = 5_000;
/// Above this they are worth a look.
const CLOCKS_APART_DOUBT_MS: i64 = 1_000;
/// Connections that a replica holds besides those of the configuration: two that keep leases, two that take
/// them, and one that listens.
const CONNECTIONS_BESIDES: u32 = 5;
/// One is taken a day, and takes its time.
const BACKUP_AGE_MAX_MS: i64 = 26 * 3_600_000;

/// What was seen of the database.
#[derive(Debug, Clone)]
pub struct BooksFacts {
    /// What is wrong with the way to it, for each setting where something is.
    pub unverified: Vec<(String, String)>,
    /// The schema it is at, and the newest that this program knows; or why it does not answer.
    pub schema: Result<(Option<i64>, i64), String>,
    /// What it holds; none where it is not opened, because that would have changed it.
    pub opened: Option<Result<Opened, String>>,
}

/// What an open database says.
#[derive(Debug, Clone)]
pub struct Opened {
    /// Whose it is, or why it is not ours.
    pub home: Result<String, String>,
    /// Whether it took a write.
    pub written: Result<(), String>,
    /// What its server is set to; none where it is a file.
    pub server: Option<Server>,
    /// How many connections each replica may hold, and how many replicas there are.
    pub asked: (u32, u32),
    /// What its clock showed, and what ours did; none where it is a file.
    pub clocks: Option<(UnixMs, UnixMs)>,
    /// The newest backup that was found whole.
    pub backup: Backup,
    /// Wallets that nobody has gone on with since the database became another one.
    pub left_behind: Vec<String>,
    /// Wallets that are halted, with the reason.
    pub halted: Vec<(String, String)>,
    /// The keys that have not ended.
    pub keys: Vec<KeyFacts>,
    /// The stages, in order; the one a new database begins at; and the one in force.
    pub stages: Stages,
}

/// The newest backup of the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backup {
    /// No daemon has started on the database: there is nothing to lose yet.
    NotNeeded,
    /// None was ever found whole.
    Never,
    /// So long ago the moment is that it shows, in milliseconds.
    Old(i64),
}

/// A database server's settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Server {
    /// The most connections that it takes of ordinary users.
    pub connections_max: u32,
    /// Whether it waits for the disk, and survives a torn page.
    pub is_durable: bool,
}

/// An API key.
#[derive(Debug, Clone)]
pub struct KeyFacts {
    /// Its public part.
    pub id: String,
    /// The client.
    pub client: String,
    /// What it may do.
    pub scopes: Vec<String>,
    /// Whether it holds from named addresses alone.
    pub is_bound: bool,
    /// Whether it ends.
    pub ends: bool,
    /// Whether it is called after another environment.
    pub elsewhere: Option<&'static str>,
}

/// The rollout.
#[derive(Debug, Clone)]
pub struct Stages {
    /// The first of them.
    pub first: String,
    /// What a new database begins at.
    pub configured: String,
    /// What is in force, where a daemon has started.
    pub in_force: Option<String>,
    /// Whether it has been promoted to, from the first one.
    pub was_promoted: bool,
}

/// The rows of the database.
#[must_use]
pub fn rows(facts: &BooksFacts) -> Vec<Row> {
    let mut rows: Vec<Row> = facts
        .unverified
        .iter()
        .map(|(key, why)| Row::about(&items::STORE_TLS, key, Outcome::Fail, why.clone()))
        .collect();
    if rows.is_empty() {
        let words = "verified, or on this machine";
        rows.push(Row::of(&items::STORE_TLS, Outcome::Pass, words));
    }
    let (found, known) = match &facts.schema {
        Ok(schema) => *schema,
        Err(why) => {
            rows.push(unreachable(why));
            return rows;
        }
    };
    let words = match found {
        None => format!("there is no database yet; this program knows schema {known}"),
        Some(found) => format!("it is at schema {found}, and this program knows {known}"),
    };
    let is_ready = found.is_some_and(|found| found >= known);
    rows.push(Row::of(&items::STORE_SCHEMA, must(is_ready), words));
    match &facts.opened {
        Some(Ok(opened)) => rows.extend(of_opened(opened)),
        Some(Err(why)) => rows.push(unreachable(why)),
        // The row of its schema says why, and is the one to mend.
        None => {}
    }
    rows
}

fn unreachable(why: &str) -> Row {
    let words = format!("{why}; keys, stages and what people said are not known");
    Row::of(&items::STORE_REACHABLE, Outcome::Fail, words)
}

fn of_opened(opened: &Opened) -> Vec<Row> {
    let written = match &opened.written {
        Ok(()) => Row::of(&items::STORE_REACHABLE, Outcome::Pass, "it took a write"),
        Err(why) => Row::of(&items::STORE_REACHABLE, Outcome::Fail, why.clone()),
    };
    let home = match &opened.home {
        Ok(whose) => Row::of(&items::STORE_HOME, Outcome::Pass, whose.clone()),
        Err(why) => Row::of(&items::STORE_HOME, Outcome::Fail, why.clone()),
    };
    let mut rows = vec![written, home, durable(opened), connections(opened)];
    rows.push(backup(opened.backup));
    rows.push(clocks(opened));
    let behind = &opened.left_behind;
    let words = match behind.as_slice() {
        [] => "no wallet was worked on in another one".to_owned(),
        names => format!("{} were last worked on in another one", names.join(", ")),
    };
    rows.push(Row::of(
        &items::STORE_LINEAGE,
        must(behind.is_empty()),
        words,
    ));
    let halted = opened
        .halted
        .iter()
        .map(|(name, why)| Row::about(&items::SIGNING_HALTED, name, Outcome::Fail, why.clone()));
    rows.extend(halted);
    if opened.halted.is_empty() {
        rows.push(Row::of(&items::SIGNING_HALTED, Outcome::Pass, "none is"));
    }
    rows.extend(keys(&opened.keys));
    rows.push(stage(&opened.stages));
    rows
}

fn durable(opened: &Opened) -> Row {
    let (outcome, words) = match opened.server {
        None => (Outcome::Pass, "every commit is synced to the file's disk"),
        Some(server) if server.is_durable => (Outcome::Pass, "fsync and full_page_writes are on"),
        Some(_) => (
            Outcome::Fail,
            "fsync or full_page_writes is off: a crash loses commits",
        ),
    };
    Row::of(&items::STORE_DURABLE, outcome, words)
}

fn connections(opened: &Opened) -> Row {
    let (each, replicas) = opened.asked;
    let (outcome, words) = match opened.server {
        None => (
            must(replicas == 1),
            format!("a file serves one daemon, and {replicas} are configured"),
        ),
        Some(server) => {
            let asked = each
                .saturating_add(CONNECTIONS_BESIDES)
                .saturating_mul(replicas);
            let words = format!(
                "{replicas} replicas ask for {asked} at most, and the server has {}",
                server.connections_max
            );
            (must(asked <= server.connections_max), words)
        }
    };
    Row::of(&items::STORE_CONNECTIONS, outcome, words)
}

fn backup(newest: Backup) -> Row {
    let (outcome, words) = match newest {
        Backup::NotNeeded => (
            Outcome::Pass,
            "no daemon has started on it: there is nothing to lose yet".to_owned(),
        ),
        Backup::Never => (Outcome::Fail, "none was ever found whole".to_owned()),
        Backup::Old(age_ms) => (
            must(age_ms <= BACKUP_AGE_MAX_MS),
            format!("the newest is {} h old", age_ms / 3_600_000),
        ),
    };
    Row::of(&items::STORE_BACKUP, outcome, words)
}

fn clocks(opened: &Opened) -> Row {
    let Some((theirs, ours)) = opened.clocks else {
        return Row::of(&items::CLOCK_STORE, Outcome::Pass, "a file has no clock");
    };
    let apart_ms = theirs.since_ms(ours);
    let outcome = match apart_ms.saturating_abs() {
        far if far > CLOCKS_APART_MAX_MS => Outcome::Fail,
        far if far > CLOCKS_APART_DOUBT_MS => Outcome::Warn,
        _ => Outcome::Pass,
    };
    let words = format!("the database's clock is {apart_ms} ms ahead of ours");
    Row::of(&items::CLOCK_STORE, outcome, words)
}

fn keys(keys: &[KeyFacts]) -> Vec<Row> {
    let may = |key: &KeyFacts, scope: &str| key.scopes.iter().any(|own| own == scope);
    let admins = keys.iter().filter(|key| may(key, "admin")).count();
    let words = format!("{admins} of {} keys may", keys.len());
    let mut rows = vec![Row::of(&items::KEYS_ADMIN, must(admins > 0), words)];
    let name = |key: &KeyFacts| format!("{} of {}", key.id, key.client);
    let all = |found: Vec<String>, good: &str| match found.is_empty() {
        true => good.to_owned(),
        false => found.join(", "),
    };
    let free = keys.iter().filter(|key| !key.is_bound && !key.ends);
    let free: Vec<String> = free.map(name).collect();
    let outcome = must(free.is_empty());
    let words = all(free, "each is bound or ends");
    rows.push(Row::of(&items::KEYS_BOUND, outcome, words));
    let strange = keys
        .iter()
        .filter_map(|key| Some(format!("{} ({})", name(key), key.elsewhere?)));
    let strange: Vec<String> = strange.collect();
    let outcome = must(strange.is_empty());
    let words = all(strange, "none is");
    rows.push(Row::of(&items::KEYS_HERE, outcome, words));
    let mut both: Vec<String> = keys
        .iter()
        .filter(|key| may(key, "payments:write"))
        .filter(|asks| {
            let mut own = keys.iter().filter(|key| key.client == asks.client);
            own.any(|key| may(key, "payments:approve"))
        })
        .map(|key| key.client.clone())
        .collect();
    both.sort();
    both.dedup();
    let outcome = should(both.is_empty());
    let words = all(both, "no client may do both");
    rows.push(Row::of(&items::KEYS_DUTIES, outcome, words));
    rows
}

fn stage(stages: &Stages) -> Row {
    let (outcome, words) = match &stages.in_force {
        None => (
            must(stages.configured == stages.first),
            format!(
                "a new database begins at {}, and {} is the first",
                stages.configured, stages.first
            ),
        ),
        Some(stage) if *stage == stages.first => (Outcome::Pass, format!("{stage} is in force")),
        Some(stage) if stages.was_promoted => {
            (Outcome::Pass, format!("{stage} is in force, by promotion"))
        }
        Some(stage) => (
            Outcome::Fail,
            format!(
                "{stage} is in force from the beginning, and {} is the first",
                stages.first
            ),
        ),
    };
    Row::of(&items::ROLLOUT_STAGE, outcome, words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(client: &str, scopes: &[&str]) -> KeyFacts {
        KeyFacts {
            id: format!("id-{client}"),
            client: client.to_owned(),
            scopes: scopes.iter().map(|&scope| scope.to_owned()).collect(),
            is_bound: true,
            ends: false,
            elsewhere: None,
        }
    }

    fn opened() -> Opened {
        Opened {
            home: Ok("production on network 0".to_owned()),
            written: Ok(()),
            server: Some(Server {
                connections_max: 97,
                is_durable: true,
            }),
            asked: (20, 3),
            clocks: Some((UnixMs(1_100), UnixMs(1_000))),
            backup: Backup::Old(3_600_000),
            left_behind: Vec::new(),
            halted: Vec::new(),
            keys: vec![
                key("shop", &["payments:write"]),
                key("ops", &["admin"]),
                key("boss", &["payments:approve"]),
            ],
            stages: Stages {
                first: "internal".to_owned(),
                configured: "internal".to_owned(),
                in_force: Some("internal".to_owned()),
                was_promoted: false,
            },
        }
    }

    fn found(change: fn(&mut Opened)) -> Vec<(&'static str, &'static str)> {
        let mut opened = opened();
        change(&mut opened);
        found_in(&BooksFacts {
            unverified: Vec::new(),
            schema: Ok((Some(25), 25)),
            opened: Some(Ok(opened)),
        })
    }

    fn found_in(facts: &BooksFacts) -> Vec<(&'static str, &'static str)> {
        let rows = rows(facts).into_iter();
        let bad = rows.filter(|row| row.outcome != Outcome::Pass);
        bad.map(|row| (row.item.id, row.outcome.as_str())).collect()
    }

    #[test]
    fn sound_books_pass_and_each_fault_is_named() {
        assert_eq!(found(|_| ()), []);
        assert_eq!(
            found(|o| o.home = Err("staging's".to_owned())),
            [("store.home", "fail")]
        );
        assert_eq!(
            found(|o| o.written = Err("read-only".to_owned())),
            [("store.reachable", "fail")]
        );
        assert_eq!(
            found(|o| o.server.iter_mut().for_each(|s| s.is_durable = false)),
            [("store.durable", "fail")]
        );
        assert_eq!(
            found(|o| o.asked = (20, 5)),
            [("store.connections", "fail")]
        );
        assert_eq!(
            found(|o| o.clocks = Some((UnixMs(0), UnixMs(2_000)))),
            [("clock.store", "warn")]
        );
        assert_eq!(
            found(|o| o.clocks = Some((UnixMs(9_000), UnixMs(0)))),
            [("clock.store", "fail")]
        );
        assert_eq!(
            found(|o| o.left_behind.push("hot".to_owned())),
            [("store.lineage", "fail")]
        );
        assert_eq!(
            found(|o| o
                .halted
                .push(("hot".to_owned(), "a stranger signed".to_owned()))),
            [("wallet.halted", "fail")]
        );
        assert_eq!(
            found(|o| o.keys[1].scopes.clear()),
            [("keys.admin", "fail")]
        );
        assert_eq!(
            found(|o| o.keys[0].is_bound = false),
            [("keys.bounds", "fail")]
        );
        assert_eq!(
            found(|o| o.keys[0].elsewhere = Some("staging")),
            [("keys.environment", "fail")]
        );
        assert_eq!(
            found(|o| o.keys[2].client = "shop".to_owned()),
            [("keys.duties", "warn")]
        );
        assert_eq!(
            found(|o| o.stages.in_force = Some("general".to_owned())),
            [("rollout.stage", "fail")]
        );
        assert_eq!(
            found(|o| {
                o.stages.in_force = Some("general".to_owned());
                o.stages.was_promoted = true;
            }),
            []
        );
        assert_eq!(
            found(|o| {
                o.server = None;
                o.asked.1 = 2;
            }),
            [("store.connections", "fail")]
        );
    }

    #[test]
    fn a_database_without_a_backup_of_today_is_named_unless_nothing_is_in_it() {
        assert_eq!(found(|o| o.backup = Backup::NotNeeded), []);
        let old = |o: &mut Opened| o.backup = Backup::Old(27 * 3_600_000);
        assert_eq!(found(old), [("store.backup", "fail")]);
        assert_eq!(
            found(|o| o.backup = Backup::Never),
            [("store.backup", "fail")]
        );
    }

    #[test]
    fn a_database_that_is_away_or_of_another_schema_is_one_failure() {
        let facts = |schema, opened| BooksFacts {
            unverified: Vec::new(),
            schema,
            opened,
        };
        let away = facts(Err("refused".to_owned()), None);
        assert_eq!(found_in(&away), [("store.reachable", "fail")]);
        let older = facts(Ok((Some(24), 25)), None);
        assert_eq!(found_in(&older), [("store.schema", "fail")]);
        let none = facts(Ok((None, 25)), None);
        assert_eq!(found_in(&none), [("store.schema", "fail")]);
        let locked = facts(Ok((Some(25), 25)), Some(Err("locked".to_owned())));
        assert_eq!(found_in(&locked), [("store.reachable", "fail")]);
    }
}
