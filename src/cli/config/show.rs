//! `xrpayd config show`: the effective configuration with each value's origin and no secret.

use crate::cli::args::{ConfigArgs, OutputArgs};
use crate::cli::failure::Failure;
use crate::config::{show_json, show_toml};
use clap::Args;

/// Print the effective configuration as TOML, each value with its origin and none with a secret.
#[derive(Debug, Args)]
pub(in crate::cli) struct Show {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    output: OutputArgs,
}

impl Show {
    /// Prints.
    pub(in crate::cli) fn run(self) -> Result<(), Failure> {
        let loaded = self.config.load()?;
        self.output
            .print(show_toml(&loaded).trim_end(), &show_json(&loaded))
    }
}
