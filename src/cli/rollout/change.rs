//! `xrpayd rollout promote` and `demote`: the audited change of stage.

use super::failed;
use crate::cli::args::{ConfigArgs, OutputArgs};
use crate::cli::failure::Failure;
use crate::cli::operator::operator;
use crate::cli::out;
use crate::cli::store::with_store;
use crate::clock::{Clock as _, SystemClock};
use crate::rfc3339::Rfc3339;
use crate::rollout::{self, Refused, Wish, shown};
use crate::store::StageInForce;
use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use serde_json::json;

/// Go up one stage, where the criteria are met or overridden.
#[derive(Debug, Args)]
pub(in crate::cli) struct Promote {
    /// Promote although the criteria are not met, for this reason, which is kept.
    #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    override_reason: Option<String>,
    /// Why, for the history.
    #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    reason: Option<String>,
    /// The stage that is to be left: nothing changes where another one is in force.
    #[arg(long = "from", value_name = "STAGE")]
    seen: Option<String>,
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// Go down, at once and whatever was measured.
#[derive(Debug, Args)]
pub(in crate::cli) struct Demote {
    /// The stage that is to be in force; the next one below where it is not given.
    #[arg(long, value_name = "STAGE")]
    to: Option<String>,
    /// Why, for the history.
    #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    reason: Option<String>,
    /// The stage that is to be left: nothing changes where another one is in force.
    #[arg(long = "from", value_name = "STAGE")]
    seen: Option<String>,
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    output: OutputArgs,
}

fn wish(seen: Option<String>, reason: Option<String>, override_reason: Option<String>) -> Wish {
    Wish {
        seen,
        reason,
        override_reason,
        by: operator(),
        now: SystemClock::new().now(),
    }
}

impl Promote {
    /// Goes up.
    pub(in crate::cli) async fn run(self) -> Result<(), Failure> {
        let config = self.config.load()?.config;
        let ladder = config.ladder();
        let wish = wish(self.seen, self.reason, self.override_reason);
        let now = with_store(&config, |store| async move {
            let done = rollout::promote(&store, &ladder, wish).await;
            done.map_err(|refused| {
                if let Refused::NotMet(evaluation) = &refused {
                    for finding in evaluation.findings.iter().map(shown) {
                        if !finding.met {
                            out::note(&format!("not met: {}: {}", finding.criterion, finding.why));
                        }
                    }
                }
                failed("The stage is not promoted.", refused)
            })
        })
        .await?;
        tell(self.output, "promoted", &now)
    }
}

impl Demote {
    /// Goes down.
    pub(in crate::cli) async fn run(self) -> Result<(), Failure> {
        let config = self.config.load()?.config;
        let ladder = config.ladder();
        let (wish, to) = (wish(self.seen, self.reason, None), self.to);
        let now = with_store(&config, |store| async move {
            let done = rollout::demote(&store, &ladder, to.as_deref(), wish).await;
            done.map_err(|refused| failed("The stage is not demoted.", refused))
        })
        .await?;
        tell(self.output, "demoted", &now)
    }
}

fn tell(output: OutputArgs, change: &str, now: &StageInForce) -> Result<(), Failure> {
    let answer = json!({
        "change": change,
        "stage": now.stage,
        "since": Rfc3339(now.since),
        "version": now.version,
    });
    output.print(&format!("The stage in force is {}.", now.stage), &answer)
}
