//! Several servers of which one is the primary, and how that one is found.
//!
//! A URL may name them as libpq's do: `postgres://a:5432,b:5432/pay`. Whoever is not in recovery is the
//! primary, and only it is used. It is looked for at the start and whenever a server refuses to write,
//! cuts a connection, or says nothing: all servers are asked at once, so that a dead one holds nobody
//! up for longer than the living ones take. Where two say that they are the primary, because an old one
//! came back that nobody had taken away, the one on the newer timeline is; and none is taken on an
//! older timeline than this process has already worked on. The one that came back, or was never taken
//! away, is a *rival*: whoever has not heard of the promotion still writes to it. So all are asked now and
//! then while everything works, and a rival is told of for as long as it is there.
//!
//! A single address behind which servers change places is asked in the same way: an answer over a new
//! connection, while an old one says nothing, tells that the old ones lead nowhere.

use super::url;
use crate::store::error::StoreError;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, Executor as _, Row as _};
use std::time::Duration;
use tokio::sync::{Mutex, watch};
use tokio::time::Instant;

/// More servers than anybody has, for one database.
const HOSTS_MAX: usize = 16;
/// How long the others may still take once one has said that it is the primary.
const SECOND_OPINION: Duration = Duration::from_millis(150);
const IS_STANDBY: &str = "select pg_is_in_recovery() as is_standby";
/// Which system a primary is, and the timeline that it writes.
const STANDING: &str = "select system_identifier::text as system, \
     ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::bigint as timeline \
     from pg_control_system()";

/// Where a primary is in the history of its system; engines that are not PostgreSQL do not say.
type Standing = Option<(String, i64)>;

/// The primary as it was found last.
#[derive(Debug, Clone)]
struct Known {
    at: usize,
    standing: Standing,
    found_at: Instant,
}

/// The servers that a URL names.
#[derive(Debug)]
pub(super) struct Hosts {
    options: Vec<PgConnectOptions>,
    /// How long each may take to answer.
    patience: Duration,
    known: Mutex<Option<Known>>,
    /// Servers that took writes when all were asked last, though another has succeeded them.
    rivals: watch::Sender<Vec<String>>,
}

/// What all of them say.
#[derive(Debug)]
struct Survey {
    /// The primary that is furthest, and where that is in its history.
    primary: (usize, Standing),
    /// Those that were primaries before it and take writes still.
    rivals: Vec<usize>,
}

/// Where the primary is, as one who looks is told.
#[derive(Debug)]
pub(super) struct Primary {
    /// Whether it says which timeline it writes.
    pub(super) tells_timeline: bool,
    /// How to connect to it.
    pub(super) options: PgConnectOptions,
    /// Whether it is another server than before, or has become another.
    pub(super) is_another: bool,
}

impl Hosts {
    /// The servers of `url`, each of which gets `patience` to answer.
    pub(super) fn of(url: &str, patience: Duration) -> Result<Self, StoreError> {
        let urls = one_each(url).map_err(StoreError::Config)?;
        let options: Result<Vec<_>, _> = urls.iter().map(|url| url::options(url)).collect();
        Ok(Self {
            options: options?,
            patience,
            known: Mutex::new(None),
            rivals: watch::Sender::default(),
        })
    }

    /// The servers that took writes when all were asked last, though another has succeeded them.
    pub(super) fn rivals(&self) -> Vec<String> {
        self.rivals.borrow().clone()
    }

    /// Whether there is a choice.
    pub(super) const fn are_several(&self) -> bool {
        self.options.len() > 1
    }

    /// Finds the primary. Who comes while another looks is told what that one finds: `since` is when
    /// there was reason to look.
    pub(super) async fn find(&self, since: Instant) -> Result<Primary, StoreError> {
        let mut known = self.known.lock().await;
        if let Some(known) = known.as_ref().filter(|known| known.found_at >= since) {
            return Ok(self.primary(known, false));
        }
        let before = known.clone();
        let survey = self.look(before.as_ref()).await?;
        self.tell_rivals(&survey);
        let (at, standing) = survey.primary;
        let is_as_before = |before: &Known| before.at == at && before.standing == standing;
        let is_another = before.as_ref().is_some_and(|before| !is_as_before(before));
        if is_another || before.is_none() {
            let timeline = standing.as_ref().map(|(_, timeline)| *timeline);
            tracing::info!(
                store.server = self.name(at),
                store.timeline = timeline,
                "the database's primary"
            );
        }
        let now = Known {
            at,
            standing,
            found_at: Instant::now(),
        };
        let primary = self.primary(&now, is_another);
        *known = Some(now);
        Ok(primary)
    }

    /// Asks all of them.
    async fn look(&self, before: Option<&Known>) -> Result<Survey, sqlx::Error> {
        let all = 0..self.options.len();
        let mut asked: FuturesUnordered<_> = all.map(|at| self.ask(at)).collect();
        let mut primaries: Vec<(usize, Standing)> = Vec::new();
        let mut best: Option<(usize, Standing)> = None;
        let mut why = sqlx::Error::PoolTimedOut;
        loop {
            let next = asked.next();
            let answer = match best {
                None => next.await,
                Some(_) => tokio::time::timeout(SECOND_OPINION, next)
                    .await
                    .ok()
                    .flatten(),
            };
            let Some((at, answer)) = answer else { break };
            if let Ok(standing) = &answer {
                primaries.push((at, standing.clone()));
            }
            let answer = answer.and_then(|standing| not_behind(before, standing));
            match (answer, &best) {
                (Ok(standing), Some((_, known))) if timeline(&standing) <= timeline(known) => {}
                (Ok(standing), _) => best = Some((at, standing)),
                (Err(error), _) => {
                    tracing::debug!(store.server = self.name(at), %error, "the primary is not there");
                    why = error;
                }
            }
        }
        let primary = best.ok_or(why)?;
        let is_rival = |(_, standing): &&(usize, Standing)| is_succeeded(standing, &primary.1);
        let rivals = primaries.iter().filter(is_rival).map(|(at, _)| *at);
        Ok(Survey {
            rivals: rivals.collect(),
            primary,
        })
    }

    /// Keeps which rivals there are, and says so when that changes.
    fn tell_rivals(&self, survey: &Survey) {
        let names = survey.rivals.iter().map(|at| self.name(*at));
        let names: Vec<String> = names.collect();
        let changed = self.rivals.send_if_modified(|known| {
            let is_another = *known != names;
            known.clone_from(&names);
            is_another
        });
        if !changed {
            return;
        }
        match names.is_empty() {
            true => tracing::info!("no server takes writes any more that another has succeeded"),
            false => tracing::error!(
                store.rivals = ?names,
                store.server = self.name(survey.primary.0),
                "a server takes writes though another was promoted: take it away, what is written there is lost"
            ),
        }
    }

    /// Asks one of them whether it is the primary.
    async fn ask(&self, at: usize) -> (usize, Result<Standing, sqlx::Error>) {
        let answer = async {
            let mut connection = self.options[at].connect().await?;
            let row = connection.fetch_one(IS_STANDBY).await?;
            if row.try_get("is_standby")? {
                return Err(no_primary("the server is a standby"));
            }
            let standing = match connection.fetch_one(STANDING).await {
                Ok(row) => Some((row.try_get("system")?, row.try_get("timeline")?)),
                // Whatever speaks this protocol and has no such functions, or does not let us.
                Err(sqlx::Error::Database(error)) if is_never_told(error.as_ref()) => None,
                Err(error) => return Err(error),
            };
            connection.close().await?;
            Ok(standing)
        };
        let answer = tokio::time::timeout(self.patience, answer).await;
        (at, answer.unwrap_or(Err(sqlx::Error::PoolTimedOut)))
    }

    fn primary(&self, known: &Known, is_another: bool) -> Primary {
        Primary {
            tells_timeline: known.standing.is_some(),
            options: self.options[known.at].clone(),
            is_another,
        }
    }

    fn name(&self, at: usize) -> String {
        let options = &self.options[at];
        format!("{}:{}", options.get_host(), options.get_port())
    }
}

/// Whether a server will never tell its timeline: there is no such function, or it is not for us. Any
/// other error is of the moment, and a server whose standing is not known then is not worked on.
fn is_never_told(error: &dyn sqlx::error::DatabaseError) -> bool {
    const UNDEFINED_FUNCTION: &str = "42883";
    const INSUFFICIENT_PRIVILEGE: &str = "42501";
    const FEATURE_NOT_SUPPORTED: &str = "0A000";
    let code = error.code();
    matches!(
        code.as_deref(),
        Some(UNDEFINED_FUNCTION | INSUFFICIENT_PRIVILEGE | FEATURE_NOT_SUPPORTED)
    )
}

fn timeline(standing: &Standing) -> Option<i64> {
    standing.as_ref().map(|(_, timeline)| *timeline)
}

/// Whether a server is the primary of an earlier timeline than another's, in the same system.
fn is_succeeded(standing: &Standing, by: &Standing) -> bool {
    match (standing, by) {
        (Some((system, timeline)), Some((known, newest))) => system == known && timeline < newest,
        _ => false,
    }
}

/// Refuses a server that another one has succeeded.
fn not_behind(before: Option<&Known>, standing: Standing) -> Result<Standing, sqlx::Error> {
    if before.is_some_and(|before| is_succeeded(&standing, &before.standing)) {
        return Err(no_primary(
            "the server was the primary once: another was promoted since",
        ));
    }
    Ok(standing)
}

/// Why a server that answers is not to be worked on.
fn no_primary(why: &str) -> sqlx::Error {
    sqlx::Error::Protocol(why.to_owned())
}

/// One URL for each server that `url` names.
fn one_each(url: &str) -> Result<Vec<String>, String> {
    let (scheme, rest) = url.split_once("://").ok_or("must name a server")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, after) = rest.split_at(end);
    let (userinfo, hosts) = match authority.rsplit_once('@') {
        Some((userinfo, hosts)) => (format!("{userinfo}@"), hosts),
        None => (String::new(), authority),
    };
    let hosts: Vec<&str> = hosts.split(',').collect();
    if hosts.len() > HOSTS_MAX {
        return Err(format!("names more than {HOSTS_MAX} servers"));
    }
    if hosts.len() > 1 && hosts.iter().any(|host| host.is_empty()) {
        return Err("names a server without a name".to_owned());
    }
    let after = without_target(after)?;
    let url = |host: &&str| format!("{scheme}://{userinfo}{host}{after}");
    Ok(hosts.iter().map(url).collect())
}

/// What follows the servers, without the parameter that says which of them is meant: it is the primary.
fn without_target(after: &str) -> Result<String, String> {
    let Some((path, query)) = after.split_once('?') else {
        return Ok(after.to_owned());
    };
    let mut kept = Vec::new();
    for pair in query.split('&') {
        match pair.strip_prefix("target_session_attrs=") {
            None => kept.push(pair),
            Some("read-write" | "primary") => {}
            Some(other) => {
                return Err(format!(
                    "asks for target_session_attrs={other}: a daemon works on the primary alone, so it is \"read-write\" or left out"
                ));
            }
        }
    }
    Ok(match kept.is_empty() {
        true => path.to_owned(),
        false => format!("{path}?{}", kept.join("&")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_may_name_several_servers_as_libpq_reads_it() {
        let urls = one_each(
            "postgres://u:p%40@a,b:5433,[::1]:7/pay?sslmode=disable&target_session_attrs=read-write",
        );
        let expected = ["a", "b:5433", "[::1]:7"]
            .map(|host| format!("postgres://u:p%40@{host}/pay?sslmode=disable"));
        assert_eq!(urls.unwrap(), expected);
        assert_eq!(one_each("postgres://a/pay").unwrap(), ["postgres://a/pay"]);
        let socket = "postgres:///pay?host=/run/postgresql";
        assert_eq!(one_each(socket).unwrap(), [socket]);
        for bad in [
            "postgres://a,,b/pay",
            "postgres://a,b/pay?target_session_attrs=any",
            "postgres://a/pay?target_session_attrs=standby",
        ] {
            assert!(one_each(bad).is_err(), "{bad}");
        }
        let many = vec!["a"; HOSTS_MAX + 1].join(",");
        assert!(one_each(&format!("postgres://{many}/pay")).is_err());
        let hosts = Hosts::of("postgres://u@a:1,b:2/pay", Duration::ZERO).unwrap();
        assert!(hosts.are_several());
        assert_eq!([hosts.name(0), hosts.name(1)], ["a:1", "b:2"]);
    }

    #[test]
    fn a_server_that_was_succeeded_is_not_gone_back_to() {
        let known = |timeline| Known {
            at: 0,
            standing: Some(("7".to_owned(), timeline)),
            found_at: Instant::now(),
        };
        let at = |system: &str, timeline| Some((system.to_owned(), timeline));
        assert!(not_behind(Some(&known(2)), at("7", 1)).is_err());
        for standing in [at("7", 2), at("7", 3), at("8", 1), None] {
            assert_eq!(
                not_behind(Some(&known(2)), standing.clone()).unwrap(),
                standing
            );
        }
        assert!(not_behind(None, at("7", 1)).is_ok());
    }
}
