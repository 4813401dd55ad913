//! `xrpayd serve`: runs the daemon until a signal ends it.

use super::args::ConfigArgs;
use super::failure::Failure;
use crate::app::audit::Configured;
use crate::app::{self, RunOptions};
use crate::config::{Loaded, LogFormat};
use crate::telemetry::logs::{self, Format};
use clap::Args;

/// Run the daemon.
#[derive(Debug, Args)]
pub(super) struct Serve {
    #[command(flatten)]
    config: ConfigArgs,
}

impl Serve {
    /// Runs until drained.
    pub(super) async fn run(self) -> Result<(), Failure> {
        let loaded = self.config.load()?;
        start_logs(&loaded)?;
        let options = RunOptions {
            reload: Some(self.config.load_args()),
            configured: Configured::of(&loaded),
            ..RunOptions::default()
        };
        app::run(loaded.config, options)
            .await
            .map_err(|error| Failure::because("The daemon stopped.", error))
    }
}

/// Turns the logs on as the configuration says, and logs its warnings.
fn start_logs(loaded: &Loaded) -> Result<(), Failure> {
    let telemetry = &loaded.config.telemetry;
    let format = match telemetry.log_format {
        LogFormat::Auto => Format::Auto,
        LogFormat::Human => Format::Human,
        LogFormat::Json => Format::Json,
    };
    logs::init(telemetry.log_level.into(), format)
        .map_err(|error| Failure::because("The logs cannot be set up.", error))?;
    for warning in &loaded.warnings {
        tracing::warn!(config.warning = %warning, "the configuration is doubtful");
    }
    Ok(())
}
