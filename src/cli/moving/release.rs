//! `xrpayd store release`: a move is taken back, and the old database is the books' home again.

use super::StoreUrlParser;
use crate::app::moving::{self, CopyIsLost, End};
use crate::cli::args::OutputArgs;
use crate::cli::failure::Failure;
use crate::cli::operator::operator;
use crate::clock::SystemClock;
use crate::config::StoreUrl;
use clap::Args;
use serde_json::json;

/// Take a move back: the old database is the books' home again.
///
/// A move that was cut short is taken back with the old database alone. One that came to its end is taken
/// back only as long as no daemon has started on the new database, which is unusable afterwards.
#[derive(Debug, Args)]
pub(in crate::cli) struct Release {
    /// The database that the books have left.
    #[arg(long, value_name = "URL", value_parser = StoreUrlParser)]
    from: StoreUrl,
    /// The database that they went to.
    #[arg(long, value_name = "URL", value_parser = StoreUrlParser, conflicts_with = "target_is_lost")]
    to: Option<StoreUrl>,
    /// The new database is gone for good, with every copy of it, and no daemon has ever run on it: two
    /// daemons on two copies of the books pay twice.
    #[arg(long)]
    target_is_lost: bool,
    #[command(flatten)]
    output: OutputArgs,
}

impl Release {
    /// Takes the move back.
    pub(in crate::cli) async fn run(self) -> Result<(), Failure> {
        let source = End { url: self.from };
        let copy = self.to.map(|url| End { url });
        let lost = if self.target_is_lost {
            CopyIsLost::Yes
        } else {
            CopyIsLost::No
        };
        let clock = SystemClock::new();
        let back = moving::release(&source, copy.as_ref(), lost, operator(), &clock)
            .await
            .map_err(|error| Failure::because("The move was not taken back.", error))?;
        let human = format!(
            "The books are kept in {} again. The copy in {} is not to be used.",
            source.url, back.other
        );
        let answer = json!({
            "released": true,
            "id": back.id,
            "from": source.url.to_string(),
            "to": back.other,
        });
        self.output.print(&human, &answer)
    }
}
