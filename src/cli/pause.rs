//! `xrpayd pause` and `xrpayd resume`: the emergency stop from the command line.
//!
//! They write to the store, beside the daemons that run on it and whether or not one does. What they
//! wrote binds before they return; every daemon shows it within a second.

use super::args::{BOOKS, BOOKS_AND_WALLETS, ConfigArgs, OutputArgs, known_wallet};
use super::failure::Failure;
use super::operator::operator;
use super::store::{not_done, with_store};
use crate::clock::{Clock as _, SystemClock};
use crate::rfc3339::Rfc3339;
use crate::store::{Pause as InForce, Switched};
use clap::Args;
use serde_json::{Value, json};
use std::fmt::Write as _;
use xrpayd_core::pause::Scope;

/// Stop new payments and new signatures at once. What is in flight is still followed to its end.
#[derive(Debug, Args)]
pub(super) struct Pause {
    #[command(flatten)]
    switch: Switch,
}

/// Take a pause back. Pauses of other scopes stay in force.
#[derive(Debug, Args)]
pub(super) struct Resume {
    #[command(flatten)]
    switch: Switch,
}

#[derive(Debug, Args)]
struct Switch {
    /// What it is about: all, payments or wallet:NAME.
    #[arg(long, value_name = "SCOPE", default_value = "all")]
    scope: Scope,
    /// Why, for the audit log and for whoever looks at the pause.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    output: OutputArgs,
}

impl Pause {
    /// Pauses.
    pub(super) async fn run(self) -> Result<(), Failure> {
        let Switch {
            scope,
            reason,
            config,
            output,
        } = self.switch;
        let needs = scope.wallet().map_or(BOOKS, |_| BOOKS_AND_WALLETS);
        let config = config.load_part(needs)?;
        if let Some(name) = scope.wallet() {
            known_wallet(&config, name)?;
        }
        let (scope, switched) = with_store(&config, |store| async move {
            let now = SystemClock::new().now();
            let switched = store
                .pause(&scope, reason.as_deref(), &operator(), now)
                .await
                .map_err(not_done("It is not known to be paused; try again."))?;
            Ok((scope, switched))
        })
        .await?;
        let first = match switched.changed {
            true => format!("{scope} is paused"),
            false => format!("{scope} was paused already, and nothing changed"),
        };
        print(output, first, &switched)
    }
}

impl Resume {
    /// Resumes.
    pub(super) async fn run(self) -> Result<(), Failure> {
        let Switch {
            scope,
            reason,
            config,
            output,
        } = self.switch;
        let config = config.load_part(BOOKS)?;
        let (scope, switched) = with_store(&config, |store| async move {
            let now = SystemClock::new().now();
            let switched = store
                .resume(&scope, reason.as_deref(), &operator(), now)
                .await
                .map_err(not_done("It is not known to be resumed; try again."))?;
            Ok((scope, switched))
        })
        .await?;
        let first = match switched.changed {
            true => format!("{scope} is resumed"),
            false => format!("{scope} was not paused, and nothing changed"),
        };
        print(output, first, &switched)
    }
}

fn print(output: OutputArgs, first: String, switched: &Switched) -> Result<(), Failure> {
    let mut human = first;
    for pause in &switched.pauses {
        let why = pause.reason.as_deref().unwrap_or("no reason given");
        let _ = write!(
            human,
            "\nin force: {} since {} by {}: {why}",
            pause.scope,
            Rfc3339(pause.at),
            pause.by
        );
    }
    let pauses: Vec<Value> = switched.pauses.iter().map(InForce::document).collect();
    let answer = json!({ "changed": switched.changed, "pauses": pauses });
    output.print(&human, &answer)
}
