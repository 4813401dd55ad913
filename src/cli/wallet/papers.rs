//! `xrpayd wallet sign`, `combine` and `submit`: a prepared change on its way between machines.
//!
//! `sign` and `combine` need neither a network nor a configuration.

use super::change::{cannot_sign, write};
use super::quiet::bring_to_rest;
use super::subject::{SeedArg, Subject};
use super::way::{self, shown};
use crate::app::errand;
use crate::app::key_change::{may_sign, standing};
use crate::cli::args::{ConfigArgs, OutputArgs, some_duration};
use crate::cli::failure::Failure;
use crate::wallet::paper::{Final, Paper, combine};
use clap::Args;
use serde_json::json;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;
use xrpayd_core::address::AccountId;

/// No paper is longer: 32 signatures are some 10 kB.
const PAPER_BYTES_MAX: u64 = 64 * 1024;

/// Sign a prepared change, where its key is. Needs no network.
#[derive(Debug, Args)]
pub(in crate::cli) struct Sign {
    /// The file that was prepared with --out.
    #[arg(long = "in", value_name = "FILE")]
    from: PathBuf,
    /// The seed to sign with: file:PATH or env:NAME.
    #[arg(long, value_name = "REFERENCE")]
    seed: SeedArg,
    /// Sign as this member of the account's list of signers, together with others.
    #[arg(long = "as", value_name = "ADDRESS")]
    signer: Option<AccountId>,
    /// The new file to write the signed transaction, or the one signature of several, into.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    output: OutputArgs,
}

/// Put the signatures of several signers together. Needs no network.
#[derive(Debug, Args)]
pub(in crate::cli) struct Combine {
    /// The files of `wallet sign --as`; several are given.
    #[arg(long = "in", value_name = "FILE", required = true, num_args = 1..)]
    from: Vec<PathBuf>,
    /// The new file to write the signed transaction into.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    output: OutputArgs,
}

/// Submit a signed change and follow it to its end. May be given again and again.
#[derive(Debug, Args)]
pub(in crate::cli) struct Submit {
    /// The file with the signed transaction.
    #[arg(long = "in", value_name = "FILE")]
    from: PathBuf,
    /// How long to wait for what the daemon has in flight.
    #[arg(long, value_name = "DURATION", default_value = "2m", value_parser = some_duration)]
    timeout: Duration,
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    output: OutputArgs,
}

impl Sign {
    /// Signs it.
    pub(in crate::cli) fn run(self) -> Result<(), Failure> {
        let Paper::Draft(draft) = read(&self.from)? else {
            return Err(Failure::new(format!(
                "{} is signed already.",
                self.from.display()
            )));
        };
        let pair = self.seed.pair()?;
        way::ask(&shown(&draft), draft.network_id, draft.account())?;
        let paper = match self.signer {
            Some(signer) => Paper::Part(draft.sign_as(&pair, signer).map_err(cannot_sign)?),
            None => Paper::Final(draft.sign(&pair).map_err(cannot_sign)?),
        };
        write(&self.out, &paper)?;
        let path = self.out.display().to_string();
        let key = pair.account_id();
        let human = format!("signed with the key of {key}: {path}");
        let mut answer = json!({ "file": path, "key": key.to_string(), "does": draft.sentence() });
        if let Paper::Final(done) = &paper {
            answer["tx_hash"] = json!(done.signed.hash.to_string());
        }
        self.output.print(&human, &answer)
    }
}

impl Combine {
    /// Puts them together.
    pub(in crate::cli) fn run(self) -> Result<(), Failure> {
        let part = |path: &PathBuf| match read(path)? {
            Paper::Part(part) => Ok(part),
            Paper::Draft(_) | Paper::Final(_) => Err(Failure::new(format!(
                "{} is not one signature of several.",
                path.display()
            ))),
        };
        let parts = self.from.iter().map(part).collect::<Result<_, _>>()?;
        let done = combine(parts).map_err(cannot_sign)?;
        let (hash, does) = (done.signed.hash.to_string(), shown(&done.draft));
        write(&self.out, &Paper::Final(done))?;
        let path = self.out.display().to_string();
        let human = format!("{does}\nwritten to {path}");
        let answer = json!({ "file": path, "tx_hash": hash, "does": does });
        self.output.print(&human, &answer)
    }
}

impl Submit {
    /// Submits it.
    pub(in crate::cli) async fn run(self) -> Result<(), Failure> {
        let Paper::Final(paper) = read(&self.from)? else {
            return Err(Failure::new(format!(
                "{} is not signed, or not by all yet (xrpayd wallet sign, wallet combine).",
                self.from.display()
            )));
        };
        let config = self.config.load()?.config;
        let (network, own) = (paper.draft.network_id, config.network.id);
        if network != own {
            return Err(Failure::new(format!(
                "The transaction is meant for network {network}, and the configuration is of network {own}."
            )));
        }
        let subject = Subject::of(&config, paper.draft.account());
        let (asked, settings, who, signed) = (&self, &config, &subject, &paper);
        errand::run(&config, vec![subject.account], |pool| async move {
            let found = standing(&pool, who.account)
                .await
                .map_err(|error| Failure::because("The account cannot be read.", error))?;
            // Where its sequence is used already, this may be what used it.
            if is_ahead(signed, found.setup.root.sequence)
                && !may_sign(&signed.by, who.account, &found.setup)
            {
                return Err(Failure::new(format!(
                    "Who signed it may not sign for {}.",
                    who.account
                )));
            }
            way::ask(&shown(&signed.draft), network, who.account)?;
            bring_to_rest(settings, who, &signed.draft.sentence(), asked.timeout).await?;
            way::go(&pool, who, signed, asked.output).await
        })
        .await
        .map_err(way::no_errand)?
    }
}

/// Whether the account has not come to the transaction's place yet.
fn is_ahead(paper: &Final, next: u32) -> bool {
    match paper.draft.unsigned.common.slot {
        xrpayd_codec::transaction::Slot::Sequence(sequence) => sequence >= next,
        xrpayd_codec::transaction::Slot::Ticket(_) => false,
    }
}

fn read(path: &Path) -> Result<Paper, Failure> {
    let named = path.display();
    let mut text = String::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(PAPER_BYTES_MAX).read_to_string(&mut text))
        .map_err(|error| Failure::because(format!("{named} cannot be read."), error))?;
    Paper::read(&text).map_err(|error| Failure::because(format!("{named} is not taken."), error))
}
