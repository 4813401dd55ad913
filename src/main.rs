//! The binary: parses the command line and hands over to the library.

use clap::Parser as _;
use std::process::ExitCode;
use xrpayd::cli::{self, Cli};
use xrpayd::private_memory;

fn main() -> ExitCode {
    if let Err(error) = private_memory::keep() {
        return cli::cannot_begin(&error);
    }
    let cli = Cli::parse();
    match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime.block_on(cli.run()),
        Err(error) => cli::cannot_begin(&error),
    }
}
