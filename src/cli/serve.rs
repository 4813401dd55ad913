//! `xrpayd serve`: runs the daemon until a signal ends it.

use super::args::ConfigArgs;
use super::failure::Failure;
use crate::app::audit::Configured;
use crate::app::{self, RunOptions};
use crate::clock::{OsEntropy, SystemClock};
use crate::config::{Loaded, LogFormat};
use crate::telemetry::logs::{self, Format};
use crate::telemetry::traces::{self, Spans};
use clap::Args;
use std::sync::Arc;

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
        let spans = start_logs(&loaded)?;
        let options = RunOptions {
            reload: Some(self.config.load_args()),
            configured: Configured::of(&loaded),
            spans,
            ..RunOptions::default()
        };
        app::run(loaded.config, options)
            .await
            .map_err(|error| Failure::because("The daemon stopped.", error))
    }
}

/// Turns logs and traces on as the configuration says, and logs its warnings. The spans, where there are
/// to be any, are what is to be sent.
fn start_logs(loaded: &Loaded) -> Result<Option<Spans>, Failure> {
    let telemetry = &loaded.config.telemetry;
    let format = match telemetry.log_format {
        LogFormat::Auto => Format::Auto,
        LogFormat::Human => Format::Human,
        LogFormat::Json => Format::Json,
    };
    let (layer, spans) = match &telemetry.otlp_endpoint {
        Some(_) => {
            let entropy = OsEntropy::new()
                .map_err(|error| Failure::because("The traces cannot be set up.", error))?;
            let clock = Arc::new(SystemClock::new());
            let (layer, spans) = traces::pair(telemetry.trace_ratio, clock, Arc::new(entropy));
            (Some(layer), Some(spans))
        }
        None => (None, None),
    };
    logs::init(telemetry.log_level.into(), format, layer)
        .map_err(|error| Failure::because("The logs cannot be set up.", error))?;
    for warning in &loaded.warnings {
        tracing::warn!(config.warning = %warning, "the configuration is doubtful");
    }
    Ok(spans)
}
