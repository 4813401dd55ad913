//! `xrpayd health`: whether a running daemon is well, by its own word, for the health checks of containers
//! and units that have no HTTP client of their own.
//!
//! Exit 0 where the daemon says yes, 1 where it says no, says nothing in time, or is not there.

use super::args::{ConfigArgs, DAEMON, OutputArgs, some_duration};
use super::ask;
use super::failure::Failure;
use clap::{Args, ValueEnum};
use serde_json::Value;
use std::time::Duration;

/// What may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Probe {
    /// Whether it can durably accept payments.
    Ready,
    /// Whether the process makes progress.
    Live,
    /// All that it knows of itself; no only where it is unhealthy, and not where it is degraded.
    All,
}

impl Probe {
    const fn path(self) -> &'static str {
        match self {
            Self::Ready => "/health/ready",
            Self::Live => "/health/live",
            Self::All => "/health",
        }
    }
}

/// Ask a running daemon whether it is well; exit 1 where it is not.
#[derive(Debug, Args)]
pub(super) struct Health {
    /// The daemon's address, such as `http://127.0.0.1:3000`. Without it: `http.listen` of the
    /// configuration.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// What is asked.
    #[arg(long, value_enum, default_value = "ready")]
    probe: Probe,
    /// How long the answer may take.
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = some_duration)]
    timeout: Duration,
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    output: OutputArgs,
}

impl Health {
    /// Asks, shows what was answered, and fails where that is no.
    pub(super) async fn run(self) -> Result<(), Failure> {
        let daemon = match &self.url {
            Some(url) => authority(url)?,
            None => ask::reached_at(self.config.load_part(DAEMON)?.http.listen).to_string(),
        };
        let asked = ask::get(&daemon, self.probe.path(), None);
        let asked = tokio::time::timeout(self.timeout, asked).await;
        let silent = |_| {
            let waited = self.timeout.as_secs_f32();
            Failure::new(format!("{daemon} does not answer within {waited} s."))
        };
        let (status, body) = asked.map_err(silent)??;
        let answer: Value = serde_json::from_slice(&body)
            .map_err(|error| Failure::because("The daemon's answer cannot be read.", error))?;
        let word = answer["status"].as_str().unwrap_or_default();
        self.output.print(word, &answer)?;
        if status.is_success() {
            return Ok(());
        }
        let reason = answer["reason"].as_str();
        let reason = reason.map_or_else(|| ill(&answer), str::to_owned);
        Err(Failure::new(format!("{daemon} says {word:?}: {reason}.")))
    }
}

/// The parts of the whole document that are unhealthy.
fn ill(answer: &Value) -> String {
    let checks = answer["checks"].as_object().into_iter().flatten();
    let ill = checks.filter(|(_, check)| check["status"] == "unhealthy");
    let names: Vec<&str> = ill.map(|(name, _)| name.as_str()).collect();
    match names[..] {
        [] => "it does not say why".to_owned(),
        _ => names.join(", "),
    }
}

/// Host and port of a URL without a path.
fn authority(url: &str) -> Result<String, Failure> {
    let cannot = |why: &str| Failure::new(format!("{url} cannot be asked: {why}."));
    let parsed = url::Url::parse(url).map_err(|error| cannot(&error.to_string()))?;
    if parsed.scheme() != "http" {
        return Err(cannot("a daemon speaks plain http"));
    }
    if parsed.path() != "/" || parsed.query().is_some() || !parsed.username().is_empty() {
        return Err(cannot("give http://HOST:PORT and nothing else"));
    }
    let host = parsed.host_str().ok_or_else(|| cannot("it has no host"))?;
    let port = parsed.port_or_known_default().unwrap_or(80);
    Ok(format!("{host}:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_daemon_is_asked_at_a_host_and_a_port_in_plain_http() {
        assert_eq!(
            authority("http://127.0.0.1:3000").unwrap(),
            "127.0.0.1:3000"
        );
        assert_eq!(authority("http://[::1]:3000/").unwrap(), "[::1]:3000");
        assert_eq!(authority("http://xrpayd-1").unwrap(), "xrpayd-1:80");
        for url in [
            "https://127.0.0.1:3000",
            "127.0.0.1:3000",
            "http://127.0.0.1:3000/health",
            "http://127.0.0.1:3000/?x",
            "http://me@127.0.0.1:3000",
            "",
        ] {
            assert!(authority(url).is_err(), "{url}");
        }
    }

    #[test]
    fn an_address_of_all_interfaces_is_reached_by_loopback_and_others_by_themselves() {
        for (listen, reached) in [
            ("0.0.0.0:3000", "127.0.0.1:3000"),
            ("[::]:3000", "[::1]:3000"),
            ("172.30.80.11:3000", "172.30.80.11:3000"),
        ] {
            let address = ask::reached_at(listen.parse().unwrap());
            assert_eq!(address.to_string(), reached);
        }
    }

    #[test]
    fn what_is_ill_is_named() {
        let answer =
            json!({"checks": {"xrpl": {"status": "unhealthy"}, "store": {"status": "healthy"}}});
        assert_eq!(ill(&answer), "xrpl");
        assert_eq!(ill(&json!({})), "it does not say why");
    }
}
