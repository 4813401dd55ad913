//! `xrpayd reconcile`: the books against the ledger, to the drop.
//!
//! The database is only read, and the servers are asked for everything again, so it may run beside a
//! daemon. What differs is printed and the command fails; so it does where nothing could be compared.
//! Payments that the ledger holds and the database forgot are printed too, and are no failure: the books
//! bear them, and no word of a person would take them off the list.

use super::args::{ConfigArgs, OutputArgs, known_wallet, some_duration};
use super::failure::Failure;
use crate::app::reconcile::{Findings, reconcile};
use crate::reconcile::{Forgotten, Outcome, Reach};
use clap::Args;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::time::Duration;
use xrpayd_core::ids::LedgerIndex;
use xrpayd_core::reconcile::Difference;

/// Hold the books against the ledger, to the drop. Fails where anything differs.
#[derive(Debug, Args)]
pub(super) struct Reconcile {
    /// The first ledger to compare. Without it: the journal's first one.
    #[arg(long, value_name = "LEDGER")]
    from: Option<u32>,
    /// Only this wallet; may be given several times.
    #[arg(long = "wallet", value_name = "NAME")]
    wallets: Vec<String>,
    /// How long it may take at most; what is not known by then fails the command.
    #[arg(long, value_name = "DURATION", default_value = "30m", value_parser = some_duration)]
    timeout: Duration,
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    output: OutputArgs,
}

impl Reconcile {
    /// Compares and shows.
    pub(super) async fn run(self) -> Result<(), Failure> {
        let config = self.config.load()?.config;
        for name in &self.wallets {
            known_wallet(&config, name)?;
        }
        let reach = self
            .from
            .map_or(Reach::Whole, |from| Reach::From(LedgerIndex(from)));
        let findings = reconcile(&config, &self.wallets, reach, self.timeout)
            .await
            .map_err(|error| {
                Failure::because("The books could not be held against the ledger.", error)
            })?;
        self.output.print(&text(&findings), &document(&findings))?;
        match findings.differences() {
            0 => Ok(()),
            1 => Err(Failure::new(
                "The books differ from the ledger in one place.",
            )),
            count => Err(Failure::new(format!(
                "The books differ from the ledger in {count} places."
            ))),
        }
    }
}

/// The findings as a person reads them.
fn text(findings: &Findings) -> String {
    let mut page = String::new();
    for found in &findings.wallets {
        let moved = &found.moved;
        let _ = writeln!(
            page,
            "{}: {} from ledger {} through {}",
            found.wallet, found.account, found.from, found.through
        );
        let ledger = found
            .ledger
            .map_or_else(|| "not read".to_owned(), |drops| drops.to_string());
        for (name, drops) in [
            ("opening", found.opening.to_string()),
            ("credited", format!("{:+}", moved.credited)),
            (
                "delivered",
                format!("{:+}", moved.delivered.saturating_neg()),
            ),
            ("fees", format!("{:+}", moved.fees.saturating_neg())),
            ("other", format!("{:+}", moved.other)),
            ("books", found.books.to_string()),
            ("ledger", ledger),
        ] {
            let _ = writeln!(page, "  {name:<10}{drops:>22} drops");
        }
        if found.foreign_known > 0 {
            let count = found.foreign_known;
            let _ = writeln!(page, "  {count} transactions past the daemon were accepted");
        }
        list(&mut page, &found.differences);
        for forgotten in &found.forgotten {
            let _ = writeln!(page, "  FORGOTTEN {}", told(forgotten));
        }
    }
    for name in &findings.not_begun {
        let _ = writeln!(page, "{name}: its journal has not begun");
    }
    if !findings.counters.is_empty() {
        page.push_str("counters:\n");
        list(&mut page, &findings.counters);
    }
    match findings.forgotten() {
        0 => {}
        1 => page.push_str("One delivery belongs to no payment of this database any more.\n"),
        count => {
            let _ = writeln!(
                page,
                "{count} deliveries belong to no payment of this database any more."
            );
        }
    }
    page.push_str(match findings.differences() {
        0 => "The books agree with the ledger, to the drop.",
        _ => "The books differ from the ledger.",
    });
    page
}

fn list(page: &mut String, differences: &[Difference]) {
    for difference in differences {
        let _ = writeln!(page, "  DIFFERS {difference}");
    }
}

/// What the ledger tells of a payment that is not known any more.
fn told(forgotten: &Forgotten) -> String {
    let mut line = format!(
        "transaction {} in ledger {}: {} drops to {}",
        forgotten.hash,
        forgotten.ledger_index,
        forgotten.delivered,
        forgotten.destination.as_deref().unwrap_or("nobody"),
    );
    if let Some(tag) = forgotten.destination_tag {
        let _ = write!(line, " with tag {tag}");
    }
    line.push_str(", for a payment that this database does not know any more");
    if let Some(payment) = forgotten.payment {
        let _ = write!(
            line,
            "; its key asked for something else as payment {payment}"
        );
    }
    line
}

/// The findings as a program reads them; amounts are drops, as texts.
fn document(findings: &Findings) -> Value {
    json!({
        "agrees": findings.differences() == 0,
        "differences": findings.differences(),
        "forgotten": findings.forgotten(),
        "wallets": findings.wallets.iter().map(wallet).collect::<Vec<_>>(),
        "not_begun": findings.not_begun,
        "counters": findings.counters.iter().map(difference).collect::<Vec<_>>(),
    })
}

fn wallet(found: &Outcome) -> Value {
    let drops = |drops: i128| drops.to_string();
    let balance = found.ledger.map(|ledger| i128::from(ledger.get()));
    json!({
        "wallet": found.wallet,
        "account": found.account.to_string(),
        "asset": "XRP",
        "from_ledger": found.from.0,
        "through_ledger": found.through.0,
        "opening_drops": drops(found.opening),
        "credited_drops": drops(found.moved.credited),
        "delivered_drops": drops(found.moved.delivered),
        "fee_drops": drops(found.moved.fees),
        "other_drops": drops(found.moved.other),
        "books_drops": drops(found.books),
        "ledger_drops": balance.map(drops),
        "difference_drops": balance.map(|ledger| drops(found.books.saturating_sub(ledger))),
        "servers": found.servers,
        "foreign_accepted": found.foreign_known,
        "differences": found.differences.iter().map(difference).collect::<Vec<_>>(),
        "forgotten": found.forgotten.iter().map(forgotten).collect::<Vec<_>>(),
    })
}

fn forgotten(forgotten: &Forgotten) -> Value {
    json!({
        "tx_hash": forgotten.hash.to_string(),
        "ledger_index": forgotten.ledger_index.0,
        "destination": forgotten.destination,
        "destination_tag": forgotten.destination_tag,
        "delivered_drops": forgotten.delivered.to_string(),
        "payment_id": forgotten.payment.map(|id| id.to_string()),
    })
}

fn difference(difference: &Difference) -> Value {
    json!({
        "kind": difference.kind.as_str(),
        "subject": difference.subject,
        "ledger_index": difference.ledger_index.map(|ledger| ledger.0),
        "books": difference.books,
        "ledger": difference.ledger,
        "difference_drops": difference.drops.to_string(),
    })
}
