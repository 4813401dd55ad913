//! `xrpayd wallet resume`: takes back the halt of a wallet, once a person has seen to its reason.
//!
//! What the account sent that nothing here signed is shown first, and is accepted by name or by typed words
//! for what was shown, never by the way: it may be a thief's. What is booked while a person reads was not
//! shown, and keeps the wallet halted.

use crate::cli::args::{BOOKS_AND_WALLETS, ConfigArgs, OutputArgs, known_wallet};
use crate::cli::failure::Failure;
use crate::cli::operator::operator;
use crate::cli::out;
use crate::cli::store::{not_done, with_store};
use crate::cli::words;
use crate::clock::{Clock as _, SystemClock};
use crate::store::{FOREIGN_MAX, ForeignTx, Resumed, Store};
use clap::Args;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use xrpayd_core::ids::TxHash;
use xrpayd_core::journal::Delivered;

/// Let a wallet that was halted sign again. Why it was halted is shown first, and every transaction of its
/// account that was not signed here: each has to be accepted, or the wallet stays halted.
#[derive(Debug, Args)]
pub(in crate::cli) struct Resume {
    /// The wallet's name in the configuration.
    #[arg(long, value_name = "NAME")]
    wallet: String,
    /// Accept this transaction, though it was not signed here; may be given several times. Without it, all
    /// that are shown are accepted by typing what is asked for.
    #[arg(long, value_name = "HASH")]
    accept: Vec<TxHash>,
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    output: OutputArgs,
}

impl Resume {
    /// Takes the halt back.
    pub(in crate::cli) async fn run(self) -> Result<(), Failure> {
        let config = self.config.load_part(BOOKS_AND_WALLETS)?;
        known_wallet(&config, &self.wallet)?;
        let asked = &self;
        let (reason, foreign) =
            with_store(&config, |store| async move { asked.resume(&store).await }).await?;
        let wallet = &self.wallet;
        let mut human = match &reason {
            Some(reason) => format!("{wallet} may sign again; it was halted: {reason}"),
            None => format!("{wallet} was not halted"),
        };
        for theirs in &foreign {
            human.push_str("\naccepted, though it was not signed here: ");
            human.push_str(&shown(theirs));
        }
        let answer = json!({
            "wallet": wallet,
            "resumed": reason.is_some(),
            "was_halted": reason,
            "foreign": foreign.iter().map(document).collect::<Vec<Value>>(),
        });
        self.output.print(&human, &answer)
    }

    /// Shows what there is to accept, takes the word, and resumes; answers with the reason of the halt and
    /// with what was accepted.
    async fn resume(&self, store: &Store) -> Result<(Option<String>, Vec<ForeignTx>), Failure> {
        let wallet = self.wallet.as_str();
        let reason = store
            .halt_reason(wallet)
            .await
            .map_err(not_done("The wallet cannot be looked up."))?;
        let Some(reason) = reason else {
            return Ok((None, Vec::new()));
        };
        let foreign = store
            .foreign_transactions(wallet)
            .await
            .map_err(not_done("What the wallet sent cannot be looked up."))?;
        out::note(&format!("{wallet} is halted: {reason}"));
        for theirs in &foreign {
            out::note(&format!("not signed here: {}", shown(theirs)));
        }
        let accepted = self.accepted(&foreign)?;
        let resumed = store
            .resume_wallet(wallet, &accepted, &operator(), SystemClock::new().now())
            .await
            .map_err(not_done("The wallet cannot be resumed."))?;
        match resumed {
            Resumed::Yes(reason) => Ok((Some(reason), foreign)),
            Resumed::WasNot => Ok((None, Vec::new())),
            Resumed::Not(unnamed) => Err(stays(wallet, &unnamed)),
            Resumed::InPart => Err(Failure::new(format!(
                "{FOREIGN_MAX} and more transactions were not signed here. Those that were shown are accepted, and \
                 {wallet} stays halted: give the command again for the next."
            ))),
        }
    }

    /// What a person accepts of what was shown to him.
    fn accepted(&self, foreign: &[ForeignTx]) -> Result<BTreeSet<TxHash>, Failure> {
        let wallet = &self.wallet;
        let shown: BTreeSet<TxHash> = foreign.iter().map(|theirs| theirs.hash).collect();
        if !self.accept.is_empty() {
            let strange = self.accept.iter().find(|hash| !shown.contains(hash));
            return match strange {
                None => Ok(self.accept.iter().copied().collect()),
                Some(hash) => Err(Failure::new(format!(
                    "{hash} is none that waits to be accepted: {wallet} stays halted. What is new in the ledger \
                     is there once the daemon has booked it, some seconds later."
                ))),
            };
        }
        if !shown.is_empty() {
            let count = shown.len();
            let question = format!(
                "Accept what {wallet}'s account sent, {count} in all, only where you know who signed each \
                 of them, and why. Else somebody has its key: leave it halted."
            );
            let words = format!("accept {count} of {wallet}");
            // The connection to the database is kept up while a person thinks.
            tokio::task::block_in_place(|| words::typed(&question, &words))?;
        }
        Ok(shown)
    }
}

fn stays(wallet: &str, unnamed: &[ForeignTx]) -> Failure {
    let hashes: Vec<String> = unnamed.iter().map(|tx| tx.hash.to_string()).collect();
    Failure::new(format!(
        "{wallet} stays halted: not accepted is {}.",
        hashes.join(", ")
    ))
}

/// A transaction in a line.
fn shown(theirs: &ForeignTx) -> String {
    let amount = amount(theirs).map(|amount| format!(" of {amount}"));
    let whom = theirs.destination.as_ref().map(|to| format!(" to {to}"));
    let marked = if theirs.is_marked {
        ", with the mark of a payment that this database does not know"
    } else {
        ""
    };
    format!(
        "{}{}{} in ledger {}, {} ({}{marked})",
        theirs.kind,
        amount.unwrap_or_default(),
        whom.unwrap_or_default(),
        theirs.ledger_index,
        theirs.hash,
        theirs.result,
    )
}

fn amount(theirs: &ForeignTx) -> Option<String> {
    match &theirs.delivered {
        Delivered::Nothing => None,
        Delivered::Xrp(drops) => Some(format!("{} XRP", drops.to_xrp())),
        Delivered::Other(_) | Delivered::Unreadable(_) | Delivered::Unavailable => {
            Some("something else than XRP".to_owned())
        }
    }
}

fn document(theirs: &ForeignTx) -> Value {
    json!({
        "tx_hash": theirs.hash.to_string(),
        "ledger_index": theirs.ledger_index.0,
        "type": theirs.kind,
        "result": theirs.result,
        "delivered": amount(theirs),
        "destination": theirs.destination,
        "fee_drops": theirs.fee,
    })
}
