//! The ledger's servers: whether they are there, whose they are, and whether they tell the same.

use super::items;
use super::{Outcome, Row, must, should};
use std::collections::BTreeSet;
use std::time::Duration;
use xrpayd_core::ids::{LedgerHash, LedgerIndex, UnixMs};

/// A certificate that ends sooner is to be renewed first.
const CERTIFICATE_MIN_MS: i64 = 14 * 86_400_000;
/// Ledgers close to the tenth of a second by their own rules, but tell it to ten seconds or thirty.
const LEDGER_CLOCK_MS: i64 = 60_000;
/// Above this the clock is worth a look.
const LEDGER_CLOCK_DOUBT_MS: i64 = 30_000;
/// A validated ledger that was agreed on longer ago is not of now.
const LEDGER_AGE_MAX_MS: i64 = 60_000;

/// What was seen of one server.
#[derive(Debug, Clone)]
pub struct ServerFacts {
    /// Its name.
    pub name: String,
    /// Who runs it.
    pub operator: String,
    /// Whether its word counts.
    pub counts: bool,
    /// How it is spoken to.
    pub way: Way,
    /// What it is fit for.
    pub standing: Standing,
    /// The network it says it is of.
    pub network_id: Option<u32>,
    /// Its version.
    pub version: Option<String>,
    /// The newest validated ledger it told of.
    pub validated: Option<LedgerIndex>,
    /// Until when its certificate holds, or why it is not trusted; none where it shows none.
    pub certificate: Option<Result<UnixMs, String>>,
}

/// How a server is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Over TLS.
    Encrypted,
    /// In the clear, on this machine.
    Loopback,
    /// In the clear, over a network.
    Clear,
}

/// What a server is fit for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Everything.
    Ready,
    /// It is connected, and something is doubtful about it.
    Doubtful(String),
    /// It is of another network.
    OtherNetwork,
    /// It cannot follow the network's rules any more.
    AmendmentBlocked,
    /// It does not answer, or nothing of use.
    Away(String),
}

/// What was seen of all of them.
#[derive(Debug, Clone)]
pub struct PoolFacts {
    /// The network that they must be of.
    pub network_id: u32,
    /// How many must agree.
    pub quorum: usize,
    /// Each of them.
    pub servers: Vec<ServerFacts>,
    /// The newest ledger that enough agree on.
    pub tip: Option<TipFacts>,
    /// What they said against each other, in words.
    pub disputes: Vec<String>,
    /// The oldest ledger from which a quorum holds every one.
    pub held_from: Option<LedgerIndex>,
    /// The oldest ledger that a wallet still has to read, where that is known.
    pub needed_from: Option<LedgerIndex>,
    /// How long they were waited for.
    pub waited: Duration,
}

/// A ledger that enough servers agree on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TipFacts {
    /// Which.
    pub index: LedgerIndex,
    /// Its hash.
    pub hash: LedgerHash,
    /// When it closed, by its own time.
    pub closed_at: UnixMs,
    /// When it was seen here, by this machine's clock.
    pub seen_at: UnixMs,
}

/// The rows of all servers.
#[must_use]
pub fn rows(facts: &PoolFacts, now: UnixMs) -> Vec<Row> {
    let mut rows = Vec::new();
    let newest = facts.servers.iter().filter_map(major).max();
    for server in &facts.servers {
        of_server(server, facts, newest, now, &mut rows);
    }
    rows.push(agreement(facts, now));
    rows.push(history(facts));
    rows.push(operators(facts));
    rows.push(clock(facts));
    rows
}

/// A server that is away is told of once: what it would have said is not known.
fn of_server(
    server: &ServerFacts,
    facts: &PoolFacts,
    newest: Option<u32>,
    now: UnixMs,
    rows: &mut Vec<Row>,
) {
    let name = server.name.as_str();
    let (way, words) = match server.way {
        Way::Encrypted => (Outcome::Pass, "TLS"),
        Way::Loopback => (Outcome::Pass, "in the clear, on this machine"),
        Way::Clear => (Outcome::Fail, "in the clear over a network"),
    };
    rows.push(Row::about(&items::SERVER_TLS, name, way, words));
    if let Some(certificate) = &server.certificate {
        let (outcome, words) = certificate_row(certificate, now);
        rows.push(Row::about(&items::SERVER_CERTIFICATE, name, outcome, words));
    }
    let network = match server.network_id {
        Some(id) if id == facts.network_id => (Outcome::Pass, format!("it is of network {id}")),
        // A server that stands alone tells none, and was not refused for it.
        None if server.standing != Standing::OtherNetwork => {
            (Outcome::Warn, "it does not tell its network".to_owned())
        }
        Some(id) => (
            Outcome::Fail,
            format!(
                "it is of network {id}, and {} is configured",
                facts.network_id
            ),
        ),
        None => (
            Outcome::Fail,
            format!("it is not of network {}", facts.network_id),
        ),
    };
    match &server.standing {
        Standing::Ready | Standing::Doubtful(_) => {
            let at = server
                .validated
                .map_or_else(String::new, |ledger| format!(", at ledger {ledger}"));
            let (outcome, words) = match &server.standing {
                Standing::Doubtful(why) => (Outcome::Warn, why.clone()),
                _ => (Outcome::Pass, format!("connected and in sync{at}")),
            };
            rows.push(Row::about(&items::SERVER_REACHABLE, name, outcome, words));
            rows.push(Row::about(
                &items::SERVER_NETWORK,
                name,
                network.0,
                network.1,
            ));
            let words = "it follows the network's rules";
            rows.push(Row::about(
                &items::SERVER_AMENDMENTS,
                name,
                Outcome::Pass,
                words,
            ));
            rows.push(version(server, newest));
        }
        Standing::OtherNetwork => {
            rows.push(Row::about(
                &items::SERVER_NETWORK,
                name,
                Outcome::Fail,
                network.1,
            ));
        }
        Standing::AmendmentBlocked => {
            let words = "it is amendment-blocked: its word is worth nothing";
            rows.push(Row::about(
                &items::SERVER_AMENDMENTS,
                name,
                Outcome::Fail,
                words,
            ));
        }
        Standing::Away(why) => {
            let words = format!("{why} (waited {} s)", facts.waited.as_secs());
            rows.push(Row::about(
                &items::SERVER_REACHABLE,
                name,
                Outcome::Fail,
                words,
            ));
        }
    }
}

/// What is said of a certificate: until when it holds, or why it is not trusted.
#[must_use]
pub fn certificate_row(certificate: &Result<UnixMs, String>, now: UnixMs) -> (Outcome, String) {
    match certificate {
        Ok(until) => {
            let left_ms = until.since_ms(now);
            let days = left_ms / 86_400_000;
            let words = if left_ms < 0 {
                format!("it ended {} days ago", days.saturating_neg())
            } else {
                format!("it holds for {days} days")
            };
            (must(left_ms >= CERTIFICATE_MIN_MS), words)
        }
        Err(why) => (Outcome::Fail, why.clone()),
    }
}

/// The first number of a version.
fn major(server: &ServerFacts) -> Option<u32> {
    let version = server.version.as_deref()?;
    let number = version.trim_start_matches(|c: char| !c.is_ascii_digit());
    number.split('.').next()?.parse().ok()
}

fn version(server: &ServerFacts, newest: Option<u32>) -> Row {
    let (outcome, words) = match (&server.version, major(server)) {
        (None, _) => (Outcome::Warn, "it tells no version".to_owned()),
        (Some(text), None) => (Outcome::Warn, format!("it tells the version {text:?}")),
        (Some(text), own) => (should(own >= newest), format!("version {text}")),
    };
    Row::about(&items::SERVER_VERSION, &server.name, outcome, words)
}

fn agreement(facts: &PoolFacts, now: UnixMs) -> Row {
    let Some(tip) = facts.tip else {
        let words = format!(
            "no ledger is agreed on by {} servers (waited {} s)",
            facts.quorum,
            facts.waited.as_secs()
        );
        return Row::of(&items::LEDGER_AGREED, Outcome::Fail, words);
    };
    let age_ms = now.since_ms(tip.seen_at);
    let told = format!("ledger {} is {}", tip.index, tip.hash);
    let (outcome, words) = if let Some(dispute) = facts.disputes.last() {
        (
            Outcome::Fail,
            format!("{told}, and servers contradict each other: {dispute}"),
        )
    } else if age_ms > LEDGER_AGE_MAX_MS {
        (
            Outcome::Fail,
            format!("{told}, agreed on {} s ago", age_ms / 1_000),
        )
    } else {
        (
            Outcome::Pass,
            format!("{told}, by {} servers at least", facts.quorum),
        )
    };
    Row::of(&items::LEDGER_AGREED, outcome, words)
}

fn history(facts: &PoolFacts) -> Row {
    let (outcome, words) = match (facts.held_from, facts.needed_from) {
        (None, _) => (
            Outcome::Fail,
            "no history is held by enough servers".to_owned(),
        ),
        (Some(held), None) => (
            Outcome::Warn,
            format!("held from ledger {held} on; what is needed is not known"),
        ),
        (Some(held), Some(needed)) => (
            must(held <= needed),
            format!("held from ledger {held} on, needed from {needed} on"),
        ),
    };
    Row::of(&items::LEDGER_HISTORY, outcome, words)
}

fn operators(facts: &PoolFacts) -> Row {
    let counting = facts.servers.iter().filter(|server| server.counts);
    let operators: BTreeSet<&str> = counting.map(|server| server.operator.as_str()).collect();
    let outcome = match operators.len() {
        count if count < facts.quorum => Outcome::Fail,
        count if count == facts.quorum => Outcome::Warn,
        _ => Outcome::Pass,
    };
    let names: Vec<&str> = operators.into_iter().collect();
    let words = format!("{} must agree, run by {}", facts.quorum, names.join(", "));
    Row::of(&items::SERVER_OPERATORS, outcome, words)
}

fn clock(facts: &PoolFacts) -> Row {
    let Some(tip) = facts.tip else {
        let words = "there is no ledger to compare with";
        return Row::of(&items::CLOCK_LEDGER, Outcome::Fail, words);
    };
    let ahead_ms = tip.seen_at.since_ms(tip.closed_at);
    let outcome = match ahead_ms.saturating_abs() {
        far if far > LEDGER_CLOCK_MS => Outcome::Fail,
        far if far > LEDGER_CLOCK_DOUBT_MS => Outcome::Warn,
        _ => Outcome::Pass,
    };
    let words = format!(
        "ledger {} closed {} ms before this machine saw it",
        tip.index, ahead_ms
    );
    Row::of(&items::CLOCK_LEDGER, outcome, words)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMs = UnixMs(1_000_000_000);

    /// What is wrong with a server, the item that names it, and how it ends.
    type Case = (fn(&mut ServerFacts), &'static str, &'static str);

    fn server(name: &str) -> ServerFacts {
        ServerFacts {
            name: name.to_owned(),
            operator: format!("operator of {name}"),
            counts: true,
            way: Way::Encrypted,
            standing: Standing::Ready,
            network_id: Some(0),
            version: Some("2.4.0".to_owned()),
            validated: Some(LedgerIndex(9)),
            certificate: Some(Ok(UnixMs(NOW.0 + 90 * 86_400_000))),
        }
    }

    fn pool() -> PoolFacts {
        PoolFacts {
            network_id: 0,
            quorum: 2,
            servers: vec![server("a"), server("b"), server("c")],
            tip: Some(TipFacts {
                index: LedgerIndex(9),
                hash: LedgerHash([7; 32]),
                closed_at: UnixMs(NOW.0 - 4_000),
                seen_at: NOW,
            }),
            disputes: Vec::new(),
            held_from: Some(LedgerIndex(2)),
            needed_from: Some(LedgerIndex(5)),
            waited: Duration::from_secs(15),
        }
    }

    /// The items that do not pass, with their subjects.
    fn found(facts: &PoolFacts) -> Vec<(&'static str, Option<String>, &'static str)> {
        let rows = rows(facts, NOW).into_iter();
        let bad = rows.filter(|row| row.outcome != Outcome::Pass);
        bad.map(|row| (row.item.id, row.subject, row.outcome.as_str()))
            .collect()
    }

    fn one(facts: &PoolFacts, id: &str, subject: Option<&str>, outcome: &str) {
        let found = found(facts);
        let expected = (
            id.to_owned(),
            subject.map(str::to_owned),
            outcome.to_owned(),
        );
        let found: Vec<_> = found
            .into_iter()
            .map(|(id, subject, outcome)| (id.to_owned(), subject, outcome.to_owned()))
            .collect();
        assert_eq!(found, [expected]);
    }

    #[test]
    fn sound_servers_pass_every_item() {
        assert_eq!(found(&pool()), []);
    }

    #[test]
    fn each_fault_of_a_server_is_named_alone() {
        let cases: [Case; 8] = [
            (|s| s.way = Way::Clear, "xrpl.encrypted", "fail"),
            (
                |s| s.certificate = Some(Ok(UnixMs(NOW.0 + 86_400_000))),
                "xrpl.certificate",
                "fail",
            ),
            (
                |s| s.certificate = Some(Err("unknown issuer".to_owned())),
                "xrpl.certificate",
                "fail",
            ),
            (
                |s| s.standing = Standing::OtherNetwork,
                "xrpl.network",
                "fail",
            ),
            (
                |s| s.standing = Standing::AmendmentBlocked,
                "xrpl.amendments",
                "fail",
            ),
            (
                |s| s.standing = Standing::Away("no answer".to_owned()),
                "xrpl.reachable",
                "fail",
            ),
            (
                |s| s.standing = Standing::Doubtful("it lags".to_owned()),
                "xrpl.reachable",
                "warn",
            ),
            (
                |s| s.version = Some("1.12.0".to_owned()),
                "xrpl.version",
                "warn",
            ),
        ];
        for (change, id, outcome) in cases {
            let mut facts = pool();
            change(&mut facts.servers[1]);
            one(&facts, id, Some("b"), outcome);
        }
    }

    #[test]
    fn each_fault_of_the_pool_is_named_alone() {
        let tip = |change: fn(&mut TipFacts)| {
            move |facts: &mut PoolFacts| facts.tip.iter_mut().for_each(change)
        };
        let mut facts = pool();
        tip(|tip| tip.closed_at = UnixMs(NOW.0 - 90_000))(&mut facts);
        one(&facts, "clock.ledger", None, "fail");
        let mut facts = pool();
        tip(|tip| tip.closed_at = UnixMs(NOW.0 + 40_000))(&mut facts);
        one(&facts, "clock.ledger", None, "warn");
        let mut facts = pool();
        tip(|tip| {
            tip.seen_at = UnixMs(NOW.0 - 61_000);
            tip.closed_at = tip.seen_at;
        })(&mut facts);
        one(&facts, "xrpl.agreement", None, "fail");
        let mut facts = pool();
        facts
            .disputes
            .push("a says so, b says otherwise".to_owned());
        one(&facts, "xrpl.agreement", None, "fail");
        let mut facts = pool();
        facts.held_from = Some(LedgerIndex(6));
        one(&facts, "xrpl.history", None, "fail");
        let mut facts = pool();
        facts.servers[2].operator = facts.servers[1].operator.clone();
        one(&facts, "xrpl.operators", None, "warn");
        facts.servers[1].counts = false;
        facts.servers[2].counts = false;
        one(&facts, "xrpl.operators", None, "fail");
    }

    #[test]
    fn without_a_ledger_nothing_about_it_passes() {
        let mut facts = pool();
        facts.tip = None;
        facts.held_from = None;
        let ids: Vec<&str> = found(&facts).into_iter().map(|(id, ..)| id).collect();
        assert_eq!(ids, ["xrpl.agreement", "xrpl.history", "clock.ledger"]);
    }
}
