//! `xrpayd store copy`: the books of one database into another one that is empty.

use super::StoreUrlParser;
use crate::app::moving::{self, CannotMove, End, HalfDone, Moved, Order, Step, Tools};
use crate::cli::args::{ConfigArgs, OutputArgs};
use crate::cli::failure::Failure;
use crate::cli::operator::operator;
use crate::cli::out;
use crate::clock::{Clock as _, OsEntropy, SystemClock};
use crate::config::StoreUrl;
use crate::store::TableSum;
use clap::Args;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::time::Duration;

/// How often a person is told how far it is.
const TELL_EVERY: Duration = Duration::from_secs(2);

/// Move the books to another, empty database, and see that all of them came.
///
/// No daemon may run on either. The old database takes no write any more from the first moment on; where
/// anything fails it is made usable again, and once all has come it stays as it is, for good.
#[derive(Debug, Args)]
pub(in crate::cli) struct Copy {
    /// Where the books are: sqlite://… or postgres://…, or a reference such as file:/run/secrets/url.
    #[arg(long, value_name = "URL", value_parser = StoreUrlParser)]
    from: StoreUrl,
    /// Where they go: a database without tables, or with empty ones.
    #[arg(long, value_name = "URL", value_parser = StoreUrlParser)]
    to: StoreUrl,
    /// Drop what an earlier copy that did not come to its end has left in the target.
    #[arg(long)]
    clear_target: bool,
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    output: OutputArgs,
}

impl Copy {
    /// Copies, and tells what came.
    pub(in crate::cli) async fn run(self) -> Result<(), Failure> {
        let config = self.config.load_if_given()?.map(Box::new);
        let order = Order {
            source: End { url: self.from },
            target: End { url: self.to },
            half_done: if self.clear_target {
                HalfDone::Clear
            } else {
                HalfDone::Keep
            },
            config,
            by: operator(),
        };
        let clock = SystemClock::new();
        let entropy = OsEntropy::new()
            .map_err(|error| Failure::because("The books were not moved.", error))?;
        let (mut told, mut of_table) = (clock.monotonic(), String::new());
        let mut tell = |step: Step<'_>| {
            let line = match step {
                Step::Listening(name) => {
                    format!("A daemon, {name}, was there a moment ago: waiting until it is silent.")
                }
                Step::Retired => "The source takes no write any more.".to_owned(),
                Step::Resumed => "An earlier copy that was cut short is gone on with.".to_owned(),
                Step::Reconciling => "The copy is held against the ledger.".to_owned(),
                Step::Copied(table, rows) => format!("copied {table}: {rows} rows"),
                Step::Read(table, rows) => format!("read again {table}: {rows} rows"),
            };
            if let Step::Copied(table, _) | Step::Read(table, _) = step {
                let now = clock.monotonic();
                if of_table == table && now.saturating_sub(told) < TELL_EVERY {
                    return;
                }
                (told, of_table) = (now, table.to_owned());
            }
            out::note(&line);
        };
        let mut tools = Tools {
            clock: &clock,
            entropy: &entropy,
            tell: &mut tell,
        };
        let began = clock.monotonic();
        let moved = moving::copy(&order, &mut tools).await.map_err(not_moved)?;
        let took = clock.monotonic().saturating_sub(began);
        self.output
            .print(&text(&order, &moved), &document(&order, &moved, took))
    }
}

fn not_moved(error: CannotMove) -> Failure {
    Failure::because("The books were not moved.", error)
}

/// What was moved, as a person reads it.
fn text(order: &Order, moved: &Moved) -> String {
    let mut page = String::new();
    for sum in moved.tables.iter().filter(|sum| sum.rows > 0) {
        let digest = hex::encode(sum.digest);
        let _ = writeln!(page, "{:<22}{:>12} rows  {digest}", sum.table, sum.rows);
        for (status, rows) in &sum.by_status {
            let _ = writeln!(page, "  {status:<20}{rows:>12}");
        }
        for (name, drops) in &sum.drops {
            let _ = writeln!(page, "  {name:<36}{drops:>22} drops");
        }
    }
    let (feed, target) = (moved.feed, &order.target.url);
    let _ = writeln!(page, "The audit log is whole. Its head: {}", moved.audit);
    let _ = writeln!(page, "The feed goes on after event {}.", feed.drawn);
    let _ = writeln!(
        page,
        "Both databases hold the same. The books are kept in {target} from now on, and the old database \
         takes no write any more."
    );
    if let Some(file) = &moved.sealing_key {
        let _ = writeln!(
            page,
            "The secrets of webhook endpoints are sealed by the key in {0}, which is not in the database: \
             set webhooks.encryption_key = \"file:{0}\".",
            file.display()
        );
    }
    page.push_str(match &moved.findings {
        Some(_) => "The books agree with the ledger, to the drop.",
        None => {
            "Set store.url to the new database, run `xrpayd reconcile`, and then start the daemon."
        }
    });
    page
}

/// The same as a program reads it; amounts are drops, as texts.
fn document(order: &Order, moved: &Moved, took: Duration) -> Value {
    json!({
        "moved": true,
        "id": moved.id,
        "from": order.source.url.to_string(),
        "to": order.target.url.to_string(),
        "tables": moved.tables.iter().map(table).collect::<Vec<_>>(),
        "audit": { "entries": moved.audit.sequence, "head": moved.audit.to_string() },
        "feed": {
            "last_sequence": moved.feed.drawn,
            "expired_through": moved.feed.expired,
            "events": moved.feed.events,
            "missing": moved.feed.missing(),
        },
        "webhook_key_file": moved.sealing_key,
        "reconciled": moved.findings.is_some(),
        "seconds": took.as_secs(),
    })
}

fn table(sum: &TableSum) -> Value {
    let drops = sum.drops.iter();
    let drops: serde_json::Map<String, Value> = drops
        .map(|(name, drops)| (name.clone(), drops.to_string().into()))
        .collect();
    json!({
        "table": sum.table,
        "rows": sum.rows,
        "sha256": hex::encode(sum.digest),
        "by_status": sum.by_status,
        "drops": drops,
    })
}
