//! `xrpayd wallet set-regular-key`, `disable-master` and `signer-list`: who may sign for an account; and
//! `require-tag`: what it takes.
//!
//! With a seed the change is signed here and followed to its end. With --out it is written down
//! unsigned, for a machine that has the key and no network: `wallet sign` there, `wallet submit` here.

use super::quiet::bring_to_rest;
use super::subject::{SeedArg, Subject};
use super::way::{self, shown};
use crate::app::errand;
use crate::app::key_change::{self, Terms, objection, prepare, standing};
use crate::cli::args::{ConfigArgs, OutputArgs, some_duration};
use crate::cli::failure::Failure;
use crate::config::Config;
use crate::private_file;
use crate::wallet::change::Change;
use crate::wallet::paper::{Draft, Paper};
use crate::xrpl::Pool;
use clap::{ArgGroup, Args};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::Duration;
use xrpayd_codec::Keypair;
use xrpayd_core::address::AccountId;
use xrpayd_core::money::Drops;

/// How long what is signed here may take to enter a ledger.
const VALID_HERE: Duration = Duration::from_secs(120);
/// How long there is to carry what is signed elsewhere to and fro.
const VALID_ELSEWHERE: Duration = Duration::from_secs(4 * 3600);

/// What every change is told.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("hand").required(true).args(["seed", "out"]))]
struct Making {
    /// The wallet's name in the configuration, or an account's address.
    #[arg(value_name = "NAME|ADDRESS")]
    subject: String,
    /// Sign here, with this seed: file:PATH or env:NAME.
    #[arg(long, value_name = "REFERENCE")]
    seed: Option<SeedArg>,
    /// Sign elsewhere: write the unsigned transaction into this new file.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// For how long it can be signed and submitted. Without it: 4h with --out, else 2m.
    #[arg(long, value_name = "DURATION", value_parser = some_duration)]
    valid_for: Option<Duration>,
    /// How many will sign it together, which the fee depends on.
    #[arg(long, value_name = "N", default_value_t = 0, requires = "out", value_parser = clap::value_parser!(u32).range(0..=32))]
    signers: u32,
    /// Use this ticket of the account, and not its next sequence.
    #[arg(long, value_name = "N")]
    ticket: Option<u32>,
    /// The most that it may cost.
    #[arg(long, value_name = "DROPS", default_value = "20000")]
    max_fee_drops: Drops,
    /// How long to wait for what the daemon has in flight.
    #[arg(long, value_name = "DURATION", default_value = "2m", value_parser = some_duration)]
    timeout: Duration,
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// Give an account a second key, or take it away: the one a daemon signs with, while the master key is
/// kept where no machine reaches it.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true).args(["key", "remove"]))]
pub(in crate::cli) struct SetRegularKey {
    /// The address of the new key, as `wallet generate` shows it.
    #[arg(long, value_name = "ADDRESS")]
    key: Option<AccountId>,
    /// Take the regular key away.
    #[arg(long)]
    remove: bool,
    #[command(flatten)]
    making: Making,
}

/// Let the account's own key sign nothing any more. Refused where nobody else could sign then.
#[derive(Debug, Args)]
pub(in crate::cli) struct DisableMaster {
    #[command(flatten)]
    making: Making,
}

/// Say who may sign for an account together, or that nobody may.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true).args(["signer", "remove"]))]
pub(in crate::cli) struct SignerList {
    /// A signer and what his signature weighs, as rADDRESS=1; several are given.
    #[arg(long, value_name = "ADDRESS=WEIGHT", num_args = 1.., value_parser = signer, requires = "quorum")]
    signer: Vec<(AccountId, u16)>,
    /// The weight that signatures must have together.
    #[arg(long, value_name = "N")]
    quorum: Option<u32>,
    /// Take the list away.
    #[arg(long)]
    remove: bool,
    #[command(flatten)]
    making: Making,
}

/// Have the account take payments with a destination tag alone: one without belongs to nobody.
#[derive(Debug, Args)]
pub(in crate::cli) struct RequireTag {
    #[command(flatten)]
    making: Making,
}

impl RequireTag {
    /// Makes the change.
    pub(in crate::cli) async fn run(self) -> Result<(), Failure> {
        self.making.run(Change::RequireTag).await
    }
}

impl SetRegularKey {
    /// Makes the change.
    pub(in crate::cli) async fn run(self) -> Result<(), Failure> {
        let change = self.key.map_or(Change::NoRegularKey, Change::RegularKey);
        self.making.run(change).await
    }
}

impl DisableMaster {
    /// Makes the change.
    pub(in crate::cli) async fn run(self) -> Result<(), Failure> {
        self.making.run(Change::DisableMaster).await
    }
}

impl SignerList {
    /// Makes the change.
    pub(in crate::cli) async fn run(self) -> Result<(), Failure> {
        let change = match self.quorum.filter(|_| !self.remove) {
            Some(quorum) => Change::Signers {
                quorum,
                signers: self.signer,
            },
            None => Change::NoSigners,
        };
        self.making.run(change).await
    }
}

fn signer(text: &str) -> Result<(AccountId, u16), String> {
    let (signer, weight) = text.split_once('=').ok_or("must be ADDRESS=WEIGHT")?;
    let signer = signer
        .parse()
        .map_err(|error| format!("{signer}: {error}"))?;
    let weight = weight.parse().map_err(|_| "a weight is 1 to 65535")?;
    Ok((signer, weight))
}

impl Making {
    async fn run(self, change: Change) -> Result<(), Failure> {
        let pair = self.seed.as_ref().map(SeedArg::pair).transpose()?;
        let config = self.config.load()?.config;
        let subject = Subject::find(&config, &self.subject)?;
        let (asked, settings, who) = (&self, &config, &subject);
        errand::run(&config, vec![subject.account], |pool| async move {
            let draft = asked
                .draft(settings, who, &pool, change, pair.as_ref())
                .await?;
            match (pair, &asked.out) {
                (Some(pair), _) => {
                    let paper = draft.sign(&pair).map_err(cannot_sign)?;
                    way::go(&pool, who, &paper, asked.output).await
                }
                (None, Some(path)) => asked.write(draft, path),
                // The command line demands one of them.
                (None, None) => Err(Failure::new("Neither --seed nor --out was given.")),
            }
        })
        .await
        .map_err(way::no_errand)?
    }

    /// Everything up to the signature.
    async fn draft(
        &self,
        config: &Config,
        subject: &Subject,
        pool: &Pool,
        change: Change,
        pair: Option<&Keypair>,
    ) -> Result<Draft, Failure> {
        let cannot = |error| Failure::because("The account cannot be read.", error);
        let account = subject.account;
        let found = standing(pool, account).await.map_err(cannot)?;
        let sentence = format!("{account} {change}.");
        if let Some(why) = objection(&change, &found.setup) {
            return Err(Failure::new(format!("{sentence} That is not done: {why}.")));
        }
        if let Some(pair) = pair
            && !found.setup.lets_sign(account, pair.account_id())
        {
            return Err(Failure::new(format!(
                "The seed is the key of {}, which may not sign for {account}.",
                pair.account_id()
            )));
        }
        way::ask(&sentence, config.network.id, account)?;
        bring_to_rest(config, subject, &sentence, self.timeout).await?;
        if subject.wallet.is_some() {
            key_change::next_ledger(pool, found.tip.index)
                .await
                .map_err(|error| Failure::because("No ledger closes.", error))?;
        }
        let found = standing(pool, account).await.map_err(cannot)?;
        let usual = if pair.is_some() {
            VALID_HERE
        } else {
            VALID_ELSEWHERE
        };
        let terms = Terms {
            valid_for: self.valid_for.unwrap_or(usual),
            max_fee: self.max_fee_drops,
            signers: self.signers,
            ticket: self.ticket,
        };
        prepare(pool, (account, change), &found, &terms, config.network.id)
            .await
            .map_err(|error| Failure::because("The transaction cannot be prepared.", error))
    }

    fn write(&self, draft: Draft, path: &Path) -> Result<(), Failure> {
        let shown = shown(&draft);
        let last = draft.last_ledger();
        write(path, &Paper::Draft(draft))?;
        let path = path.display().to_string();
        let human = format!(
            "{shown}\nwritten to {path}: sign it where the key is (xrpayd wallet sign), and submit it \
             before ledger {last} (xrpayd wallet submit)"
        );
        let answer = json!({ "file": path, "does": shown, "last_ledger": last.0 });
        self.output.print(&human, &answer)
    }
}

/// Writes a paper where nothing is yet.
///
/// # Errors
/// Something is, or the file system refuses.
pub(super) fn write(path: &Path, paper: &Paper) -> Result<(), Failure> {
    let text = paper.write().map_err(cannot_sign)?;
    private_file::write_new(path, text.as_bytes())
        .map_err(|error| Failure::because(format!("{} cannot be written.", path.display()), error))
}

/// Why there is no signature.
pub(super) fn cannot_sign(error: crate::wallet::paper::CannotSign) -> Failure {
    Failure::because("The transaction cannot be signed.", error)
}
