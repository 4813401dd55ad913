//! `xrpayd rollout incident`: what the criteria ask about and no payment tells.

use super::store_failed;
use crate::cli::args::{ConfigArgs, OutputArgs};
use crate::cli::failure::Failure;
use crate::cli::operator::operator;
use crate::cli::store::with_store;
use crate::clock::{Clock as _, SystemClock};
use crate::rfc3339::Rfc3339;
use crate::store::{Closing, Incident, IncidentKind};
use clap::builder::{NonEmptyStringValueParser, PossibleValuesParser};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

/// How many are listed.
const LISTED_MAX: u32 = 200;

/// What can be done with incidents.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Command {
    /// Write a security incident or an alert down.
    Add(Add),
    /// List them, the newest first.
    List(List),
    /// Close one; of an alert that is its acknowledgement.
    Close(Close),
}

impl Command {
    /// Does it.
    pub(in crate::cli) async fn run(self) -> Result<(), Failure> {
        match self {
            Self::Add(command) => command.run().await,
            Self::List(command) => command.run().await,
            Self::Close(command) => command.run().await,
        }
    }
}

/// Write a security incident or an alert down.
#[derive(Debug, Args)]
pub(in crate::cli) struct Add {
    /// What kind it is.
    #[arg(long, value_name = "KIND")]
    #[arg(value_parser = PossibleValuesParser::new(IncidentKind::ALL.map(IncidentKind::as_str)))]
    kind: String,
    /// What happened.
    #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    summary: String,
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    output: OutputArgs,
}

impl Add {
    async fn run(self) -> Result<(), Failure> {
        let mut kinds = IncidentKind::ALL.into_iter();
        let kind = kinds.find(|kind| kind.as_str() == self.kind);
        let kind = kind.ok_or_else(|| Failure::new(format!("{} is no kind.", self.kind)))?;
        let (config, summary) = (self.config.load()?.config, self.summary);
        let now = SystemClock::new().now();
        let incident = with_store(&config, |store| async move {
            let reported = store
                .report_incident(kind, &summary, &operator(), now)
                .await;
            reported.map_err(store_failed("The incident cannot be written down."))
        })
        .await?;
        let human = format!("Incident {} is written down.", incident.number);
        self.output.print(&human, &row(&incident))
    }
}

/// List them, the newest first.
#[derive(Debug, Args)]
pub(in crate::cli) struct List {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    output: OutputArgs,
}

impl List {
    async fn run(self) -> Result<(), Failure> {
        let config = self.config.load()?.config;
        let incidents = with_store(&config, |store| async move {
            let listed = store.incidents(LISTED_MAX).await;
            listed.map_err(store_failed("The incidents cannot be read."))
        })
        .await?;
        let human = match incidents.is_empty() {
            true => "There are no incidents.".to_owned(),
            false => incidents.iter().map(line).collect::<Vec<_>>().join("\n"),
        };
        let rows: Vec<Value> = incidents.iter().map(row).collect();
        self.output.print(&human, &json!({ "data": rows }))
    }
}

/// Close one; of an alert that is its acknowledgement.
#[derive(Debug, Args)]
pub(in crate::cli) struct Close {
    /// The number of the incident, as `incident list` shows it.
    #[arg(value_name = "NUMBER")]
    number: i64,
    /// What was found and done.
    #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    note: Option<String>,
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    output: OutputArgs,
}

impl Close {
    async fn run(self) -> Result<(), Failure> {
        let (config, number, note) = (self.config.load()?.config, self.number, self.note);
        let now = SystemClock::new().now();
        let closing = with_store(&config, |store| async move {
            let by = operator();
            let closing = store
                .close_incident(number, note.as_deref(), &by, now)
                .await;
            closing.map_err(store_failed("The incident cannot be closed."))
        })
        .await?;
        let (incident, human) = match closing {
            Closing::Closed(incident) => (incident, format!("Incident {number} is closed.")),
            Closing::WasClosed(incident) => {
                (incident, format!("Incident {number} was closed already."))
            }
            Closing::NotFound => {
                return Err(Failure::new(format!("There is no incident {number}.")));
            }
        };
        self.output.print(&human, &row(&incident))
    }
}

fn line(incident: &Incident) -> String {
    let state = match &incident.closed {
        Some((at, by, _)) => format!("closed {} by {by}", Rfc3339(*at)),
        None => "open".to_owned(),
    };
    format!(
        "{}  {}  {}  {}  {state}",
        incident.number,
        incident.kind.as_str(),
        Rfc3339(incident.reported_at),
        incident.summary
    )
}

fn row(incident: &Incident) -> Value {
    let closed = incident.closed.as_ref();
    json!({
        "number": incident.number,
        "kind": incident.kind.as_str(),
        "summary": incident.summary,
        "reported_at": Rfc3339(incident.reported_at),
        "reported_by": incident.reported_by,
        "closed_at": closed.map(|(at, _, _)| Rfc3339(*at)),
        "closed_by": closed.map(|(_, by, _)| by),
        "note": closed.and_then(|(_, _, note)| note.as_deref()),
    })
}
