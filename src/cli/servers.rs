//! `xrpayd servers`: the pool of a running daemon, as a table.
//!
//! What the pool knows is in the daemon's memory, so the daemon is asked, over its own API and with a
//! key that may read payments.

use super::args::{ConfigArgs, DAEMON, OutputArgs};
use super::ask;
use super::failure::Failure;
use clap::Args;
use serde_json::Value;
use std::net::SocketAddr;
use std::time::Duration;

/// How long the daemon may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Where the key is looked for when it is not given.
const KEY_VARIABLE: &str = "XRPAYD_API_KEY";

/// Show the servers of a running daemon: their state, and how fit each is.
#[derive(Debug, Args)]
pub(super) struct Servers {
    /// An API key that may read payments. Without it: the variable `XRPAYD_API_KEY`.
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    output: OutputArgs,
}

impl Servers {
    /// Asks and shows.
    pub(super) async fn run(self) -> Result<(), Failure> {
        let config = self.config.load_part(DAEMON)?;
        let key = self.key.or_else(|| std::env::var(KEY_VARIABLE).ok());
        let Some(key) = key else {
            return Err(Failure::new(format!(
                "The daemon is asked with an API key: give --key or set {KEY_VARIABLE}."
            )));
        };
        let asked = tokio::time::timeout(PATIENCE, ask(config.http.listen, &key)).await;
        let list = asked.map_err(|_| Failure::new("The daemon does not answer."))??;
        let rows = list["data"].as_array().map_or(&[][..], Vec::as_slice);
        self.output.print(&table(rows), &list)
    }
}

async fn ask(daemon: SocketAddr, key: &str) -> Result<Value, Failure> {
    let daemon = ask::reached_at(daemon).to_string();
    let (status, body) = ask::get(&daemon, "/v1/servers", Some(key)).await?;
    let answer: Value = serde_json::from_slice(&body)
        .map_err(|error| Failure::because("The daemon's answer cannot be read.", error))?;
    if status.is_success() {
        return Ok(answer);
    }
    let detail = answer["detail"].as_str().unwrap_or("it does not say why");
    Err(Failure::new(format!(
        "The daemon refuses ({status}): {detail}"
    )))
}

const HEADINGS: [&str; 14] = [
    "NAME", "STATE", "SINCE", "LEDGER", "LAG", "MEAN", "P95", "ERRORS", "LOAD", "BUDGET", "SCORE",
    "HISTORY", "OPERATOR", "WHY",
];

/// The servers as a person reads them: one a line, what is not known as a dash.
fn table(rows: &[Value]) -> String {
    if rows.is_empty() {
        return "There are no servers.".to_owned();
    }
    let mut lines = vec![HEADINGS.map(str::to_owned)];
    lines.extend(rows.iter().map(cells));
    let widths: Vec<usize> = (0..HEADINGS.len())
        .map(|column| {
            let lengths = lines.iter().filter_map(|line| line.get(column));
            lengths.map(|cell| cell.chars().count()).max().unwrap_or(0)
        })
        .collect();
    let lines: Vec<String> = lines
        .iter()
        .map(|line| {
            let padded = line
                .iter()
                .zip(&widths)
                .map(|(cell, width)| format!("{cell:width$}"));
            padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        })
        .collect();
    lines.join("\n")
}

fn cells(row: &Value) -> [String; 14] {
    let cell = |name: &str, unit: &str| match &row[name] {
        Value::Null => "-".to_owned(),
        Value::String(text) => shown(text),
        other => format!("{other}{unit}"),
    };
    let errors = row["errors_per_mille"].as_u64().map_or_else(
        || "-".to_owned(),
        |share| format!("{}.{} %", share / 10, share % 10),
    );
    let why = match (row["cause"].as_str(), row["reason"].as_str()) {
        (Some(cause), Some(reason)) => shown(&format!("{cause}: {reason}")),
        (Some(text), None) | (None, Some(text)) => shown(text),
        (None, None) => String::new(),
    };
    let budget = match &row["budget_per_second"] {
        Value::Null => "full".to_owned(),
        rate => format!("{rate}/s"),
    };
    [
        cell("name", ""),
        cell("state", ""),
        cell("since", ""),
        cell("validated_ledger", ""),
        cell("lag_ledgers", ""),
        cell("latency_ms", " ms"),
        cell("latency_p95_ms", " ms"),
        errors,
        cell("load_factor", ""),
        budget,
        cell("score", ""),
        cell("complete_ledgers", ""),
        cell("operator", ""),
        why,
    ]
}

/// A text of a server's as it may go to a terminal: without control characters, and not too long.
fn shown(text: &str) -> String {
    const CHARS_MAX: usize = 80;
    let clean = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    clean.take(CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_server_is_a_line_whose_columns_stand_below_their_headings() {
        let ready = json!({
            "name": "one", "state": "ready", "since": "2026-01-31T12:00:00.000Z", "validated_ledger": 78,
            "lag_ledgers": 0, "latency_ms": 12, "latency_p95_ms": 31, "errors_per_mille": 4, "load_factor": 1,
            "budget_per_second": 25, "score": 990, "complete_ledgers": "2-78", "operator": "us",
            "cause": null, "reason": null,
        });
        let down = json!({
            "name": "a-longer-name", "state": "open_circuit", "errors_per_mille": 125, "operator": "them",
            "score": 0, "complete_ledgers": "empty", "cause": "turned_away", "reason": "closed: 1008\u{1b}[31m",
        });
        let table = table(&[ready, down]);
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines.len(), 3);
        for (heading, first, second) in [
            ("STATE", "ready", "open_circuit"),
            ("P95", "31 ms", "-"),
            ("ERRORS", "0.4 %", "12.5 %"),
            ("BUDGET", "25/s", "full"),
            ("OPERATOR", "us", "them"),
        ] {
            let at = lines[0].find(heading).unwrap();
            assert!(lines[1][at..].starts_with(first), "{table}");
            assert!(lines[2][at..].starts_with(second), "{table}");
        }
        assert!(
            lines[2].ends_with("turned_away: closed: 1008 [31m"),
            "{table}"
        );
        assert!(!table.contains('\u{1b}'));
    }
}
