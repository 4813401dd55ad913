//! `xrpayd wallet create-tickets`: asks the daemon that runs the wallet to make tickets.
//!
//! Only the daemon signs: two hands on one account's sequences would fight. The command writes the
//! request into the database, where it waits for the daemon however long that takes, and looks there
//! for what came of it. Given again it finds its own request.

use crate::cli::args::{ConfigArgs, OutputArgs, known_wallet, some_duration};
use crate::cli::failure::Failure;
use crate::cli::operator::operator;
use crate::cli::out;
use crate::cli::store::{not_done, with_store};
use crate::clock::{Clock as _, SystemClock};
use crate::config::Config;
use crate::store::{Store, TicketAsk, TicketRow, TicketStatus};
use clap::Args;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::Instant;
use xrpayd_core::engine::TicketRequestId;
use xrpayd_core::tickets::TICKETS_MAX;

/// How often it is looked what came of the request.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How long it takes at most to see whether anything listens where the daemon would.
const KNOCK_WAIT: Duration = Duration::from_secs(2);

/// Make tickets: each lets a payment pass by a transaction that is stuck, and keeps an owner reserve
/// while it stands.
#[derive(Debug, Args)]
pub(in crate::cli) struct CreateTickets {
    /// The wallet's name in the configuration.
    #[arg(value_name = "NAME")]
    wallet: String,
    /// How many; an account holds at most 250.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(TICKETS_MAX)))]
    count: u32,
    /// Leave the request to the daemon and do not wait for what comes of it.
    #[arg(long)]
    no_wait: bool,
    /// How long to wait. The request stays open after that.
    #[arg(long, value_name = "DURATION", default_value = "2m", value_parser = some_duration)]
    timeout: Duration,
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    output: OutputArgs,
}

impl CreateTickets {
    /// Asks, and waits.
    pub(in crate::cli) async fn run(self) -> Result<(), Failure> {
        let config = self.config.load()?.config;
        known_wallet(&config, &self.wallet)?;
        let has_daemon = answers(&config).await;
        let asking = &self;
        let row = with_store(&config, |store| async move {
            let id = asking.ask(&store).await?;
            let deadline = Instant::now() + asking.timeout;
            loop {
                let row = look_up(&store, id).await?;
                let is_open = matches!(row.status, TicketStatus::Open { .. });
                if !is_open || asking.no_wait || !has_daemon || Instant::now() >= deadline {
                    return Ok(row);
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        })
        .await?;
        self.tell(&row, has_daemon)
    }

    async fn ask(&self, store: &Store) -> Result<TicketRequestId, Failure> {
        let now = SystemClock::new().now();
        let asked = store
            .ask_for_tickets(&self.wallet, self.count, &operator(), now)
            .await
            .map_err(not_done("The tickets cannot be asked for."))?;
        match asked {
            TicketAsk::Open(id) => Ok(id),
            TicketAsk::Other(open) => Err(Failure::new(format!(
                "{} tickets of {} are asked for already (request {}): that comes first.",
                open.count, self.wallet, open.id.0
            ))),
        }
    }

    fn tell(&self, row: &TicketRow, has_daemon: bool) -> Result<(), Failure> {
        let (wallet, count, id) = (&self.wallet, row.count, row.id.0);
        let (human, status, more) = match &row.status {
            TicketStatus::Made { hash } => (
                format!("{wallet} has {count} more tickets, made by {hash}"),
                "made",
                json!({ "tx_hash": hash }),
            ),
            TicketStatus::Refused { reason } => {
                return Err(Failure::new(format!(
                    "The tickets were not made (request {id}): {reason}."
                )));
            }
            TicketStatus::Open { waits_for } => {
                let why = waits_for
                    .as_deref()
                    .unwrap_or("the daemon has not seen it yet");
                if !has_daemon {
                    out::note(
                        "No daemon answers: the request waits in the database until one runs.",
                    );
                } else if !self.no_wait {
                    return Err(Failure::new(format!(
                        "The tickets are not made yet, and stay asked for (request {id}): {why}."
                    )));
                }
                (
                    format!("{count} tickets of {wallet} are asked for (request {id})"),
                    "open",
                    json!({ "waits_for": waits_for }),
                )
            }
        };
        let mut answer =
            json!({ "request": id, "wallet": wallet, "count": count, "status": status });
        if let (Value::Object(answer), Value::Object(more)) = (&mut answer, more) {
            answer.extend(more);
        }
        self.output.print(&human, &answer)
    }
}

async fn look_up(store: &Store, id: TicketRequestId) -> Result<TicketRow, Failure> {
    let row = store
        .ticket_request(id)
        .await
        .map_err(not_done("What came of the request cannot be seen."))?;
    row.ok_or_else(|| Failure::new(format!("Request {} is gone from the database.", id.0)))
}

/// Whether anything listens where this configuration's daemon would.
async fn answers(config: &Config) -> bool {
    let knock = tokio::time::timeout(KNOCK_WAIT, TcpStream::connect(config.http.listen));
    matches!(knock.await, Ok(Ok(_)))
}
