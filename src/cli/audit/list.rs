//! `xrpayd audit list`: the entries, from either end.

use crate::cli::args::{BOOKS, ConfigArgs, OutputArgs};
use crate::cli::failure::Failure;
use crate::cli::store::{not_done, with_store};
use crate::clock::{Clock as _, SystemClock};
use crate::config::duration;
use crate::rfc3339::{self, Rfc3339};
use crate::store::{Actor, AuditEntry, AuditFilter, AuditFrom, PAGE_MAX};
use clap::Args;
use serde_json::json;
use std::fmt::Write as _;
use std::time::Duration;
use xrpayd_core::ids::UnixMs;

/// Show entries, the newest first.
#[derive(Debug, Args)]
pub(in crate::cli) struct List {
    /// Only those after this one, the oldest first: whoever copies the log goes on from the last it has.
    #[arg(long, value_name = "SEQUENCE", value_parser = clap::value_parser!(i64).range(0..))]
    after: Option<i64>,
    /// How many at most.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
    /// Only this action, such as key.created.
    #[arg(long, value_name = "ACTION")]
    action: Option<String>,
    /// Only what is about this: a key, a payment, a wallet, a stage.
    #[arg(long, value_name = "ID")]
    subject: Option<String>,
    /// Only since then: a time such as 2026-01-31T12:00:00Z, or how long ago, as 24h.
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Option<Since>,
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// A moment, or how long ago it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Since {
    At(UnixMs),
    Ago(Duration),
}

impl Since {
    fn as_of(self, now: UnixMs) -> UnixMs {
        match self {
            Self::At(at) => at,
            Self::Ago(ago) => {
                let ago_ms = i64::try_from(ago.as_millis()).unwrap_or(i64::MAX);
                UnixMs(now.0.saturating_sub(ago_ms))
            }
        }
    }
}

fn since(text: &str) -> Result<Since, String> {
    if let Some(at) = rfc3339::parse(text) {
        return Ok(Since::At(at));
    }
    duration(text).map(Since::Ago).map_err(|_| {
        "must be a time such as 2026-01-31T12:00:00Z, or how long ago, as 24h".to_owned()
    })
}

impl List {
    /// Shows them.
    pub(in crate::cli) async fn run(self) -> Result<(), Failure> {
        let config = self.config.load_part(BOOKS)?;
        let now = SystemClock::new().now();
        let filter = AuditFilter {
            action: self.action,
            subject: self.subject,
            since: self.since.map(|since| since.as_of(now)),
        };
        let (mut from, mut wanted) = (
            self.after.map_or(AuditFrom::Newest, AuditFrom::After),
            self.limit,
        );
        let (found, next) = with_store(&config, |store| async move {
            let (mut found, mut next) = (Vec::new(), None);
            while wanted > 0 {
                let page = store
                    .audit_entries(&filter, from, wanted.min(PAGE_MAX))
                    .await
                    .map_err(not_done("The audit log cannot be read."))?;
                let count = u32::try_from(page.items.len()).unwrap_or(u32::MAX);
                wanted = wanted.saturating_sub(count);
                found.extend(page.items);
                next = page.next;
                let Some(last) = next else { break };
                from = match from {
                    AuditFrom::After(_) => AuditFrom::After(last),
                    AuditFrom::Newest | AuditFrom::Before(_) => AuditFrom::Before(last),
                };
            }
            Ok((found, next))
        })
        .await?;
        let lines: Vec<String> = found.iter().map(line).collect();
        let human = if lines.is_empty() {
            "There is no such entry.".to_owned()
        } else {
            lines.join("\n")
        };
        let entries: Vec<_> = found.into_iter().map(AuditEntry::form).collect();
        let answer = json!({ "data": entries, "next_cursor": next.map(|next| next.to_string()) });
        self.output.print(&human, &answer)
    }
}

fn line(entry: &AuditEntry) -> String {
    let mut line = format!(
        "{:>6}  {}  {:<32} {}",
        entry.sequence,
        Rfc3339(entry.at),
        entry.action,
        entry.subject
    );
    let _ = match &entry.actor {
        Actor::Key { id, client } => write!(line, "  by key {id} of {client}"),
        Actor::Cli { uid, said: None } => write!(line, "  by user {uid}"),
        Actor::Cli {
            uid,
            said: Some(name),
        } => write!(line, "  by user {uid}, who says {name}"),
        Actor::Daemon => write!(line, "  by the daemon"),
    };
    let _ = write!(line, "  {}", entry.data);
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn since_is_a_moment_or_how_long_ago() {
        let now = UnixMs(1_800_000_000_000);
        let ago = since("24h").unwrap().as_of(now);
        assert_eq!(ago, UnixMs(now.0 - 24 * 3_600_000));
        let at = since("2026-01-31T12:00:00Z").unwrap();
        assert_eq!(
            Rfc3339(at.as_of(now)).to_string(),
            "2026-01-31T12:00:00.000Z"
        );
        for bad in ["", "yesterday", "-1h", "12"] {
            assert!(since(bad).is_err(), "{bad}");
        }
    }
}
