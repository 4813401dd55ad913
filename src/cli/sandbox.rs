//! `xrpayd sandbox`: the main job with nothing else installed.

use super::args::some_duration;
use super::failure::Failure;
use clap::Args;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Run a model ledger, a funded wallet and the daemon, all on this machine, with play money.
#[derive(Debug, Args)]
pub(super) struct Sandbox {
    /// Where everything is kept; run again with the same folder it carries on.
    #[arg(long, value_name = "DIR", default_value = ".sandbox")]
    dir: PathBuf,
    /// Where the API listens.
    #[arg(long, value_name = "ADDR")]
    http: Option<SocketAddr>,
    /// Where the metrics are served.
    #[arg(long, value_name = "ADDR")]
    metrics: Option<SocketAddr>,
    /// How often ledgers close, as 1s or 200ms.
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = some_duration)]
    close_interval: Duration,
    /// A configuration file; may be given several times, later ones win.
    #[arg(long = "config", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Print one line of JSON once it is ready, and nothing else.
    #[arg(long)]
    json: bool,
}

/// Says that this binary has no sandbox.
#[cfg(not(feature = "sandbox"))]
pub(super) fn not_built_in() -> Failure {
    Failure::new(
        "The sandbox is not built into this binary: build it with the feature `sandbox`, which is on \
         by default.",
    )
}

#[cfg(not(feature = "sandbox"))]
impl Sandbox {
    /// Says that it cannot.
    pub(super) async fn run(self) -> Result<(), Failure> {
        Err(not_built_in())
    }
}

#[cfg(feature = "sandbox")]
impl Sandbox {
    /// Runs until a signal.
    pub(super) async fn run(self) -> Result<(), Failure> {
        use crate::app::sandbox::{self, SandboxArgs};
        use crate::telemetry::logs::{self, Format, Level};
        use std::io::IsTerminal as _;

        // A person reads the greeting, not every step of it.
        let level = if std::io::stderr().is_terminal() {
            Level::WARN
        } else {
            Level::INFO
        };
        logs::init(level, Format::Auto, None)
            .map_err(|error| Failure::because("The logs cannot be set up.", error))?;
        let json = self.json;
        let args = SandboxArgs {
            dir: self.dir,
            http: self.http,
            metrics: self.metrics,
            close_interval: self.close_interval,
            files: self.files,
            json,
        };
        sandbox::run(args, move |greeting| greet(greeting, json))
            .await
            .map_err(|error| Failure::because("The sandbox stopped.", error))
    }
}

/// Tells a person or a program what there is. Whoever does not read it can still use the sandbox, so
/// a closed output ends nothing.
#[cfg(feature = "sandbox")]
fn greet(greeting: &crate::app::sandbox::Greeting, json: bool) {
    use super::out;
    let told = if json {
        match serde_json::to_value(greeting) {
            Ok(value) => out::json(&value),
            Err(error) => Err(Failure::because("The greeting cannot be written.", error)),
        }
    } else {
        out::line(&words(greeting))
    };
    if let Err(failure) = told {
        failure.tell();
    }
}

#[cfg(feature = "sandbox")]
fn words(greeting: &crate::app::sandbox::Greeting) -> String {
    let crate::app::sandbox::Greeting {
        api,
        metrics,
        console: _,
        ledger,
        api_key,
        admin_key,
        wallet,
        dir,
        customer,
    } = greeting;
    let ledger = ledger.join(" ");
    format!(
        r#"xrpayd sandbox: play money on a model ledger, kept in {dir}

  API        {api}
  metrics    {metrics}
  ledger     {ledger}
  wallet     {wallet}
  API key    {api_key}
  admin key  {admin_key}

Pay somebody:

  curl -sS {api}/v1/payments \
    -H "Authorization: Bearer {api_key}" \
    -H "Idempotency-Key: $(date +%s)-$RANDOM" \
    -H "Content-Type: application/json" \
    -d '{{"destination":"{customer}","amount":{{"currency":"XRP","value":"12.5"}}}}'

See what became of it:

  curl -sS {api}/v1/payments -H "Authorization: Bearer {api_key}"

Ctrl-C stops it; run again, it carries on."#
    )
}
