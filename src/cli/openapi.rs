//! `xrpayd openapi`: the document of the API, as the daemon of this binary serves it.

use super::failure::Failure;
use super::out;

/// Prints the OpenAPI 3.1 document; it asks nobody and needs no configuration.
#[derive(Debug, clap::Args)]
pub(super) struct Openapi {
    /// Accepted like everywhere: the document is JSON in any case.
    #[arg(long)]
    json: bool,
}

impl Openapi {
    /// Does it.
    ///
    /// # Errors
    /// Nobody takes it any more.
    pub(super) fn run(self) -> Result<(), Failure> {
        let Self { json: _ } = self;
        out::line(crate::http::openapi::text().trim_end())
    }
}
