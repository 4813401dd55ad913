//! The way of a signed change to its end, and what a person is shown and asked before.

use super::subject::Subject;
use crate::app::AppError;
use crate::app::key_change::{End, follow};
use crate::cli::args::OutputArgs;
use crate::cli::failure::Failure;
use crate::cli::out;
use crate::cli::words;
use crate::wallet::change::Change;
use crate::wallet::paper::{Draft, Final};
use crate::xrpl::Pool;
use serde_json::json;
use xrpayd_core::address::AccountId;

/// The result of a transaction that did what it says.
const DONE: &str = "tesSUCCESS";

/// Shows what will be and has the account's address typed.
///
/// # Errors
/// Something else was typed.
pub(super) fn ask(sentence: &str, network_id: u32, account: AccountId) -> Result<(), Failure> {
    let question = format!("On network {network_id}: {sentence}");
    // The pool's connections go on while a person thinks.
    tokio::task::block_in_place(|| words::typed(&question, &account.to_string()))
}

/// Why the servers cannot even be asked.
pub(super) fn no_errand(error: AppError) -> Failure {
    Failure::because("The servers cannot be asked.", error)
}

/// What a draft does and by which terms, read out of the transaction itself.
pub(super) fn shown(draft: &Draft) -> String {
    let common = &draft.unsigned.common;
    format!(
        "{} (network {}, {} drops, {:?}, up to ledger {})",
        draft.sentence(),
        draft.network_id,
        common.fee,
        common.slot,
        common.last_ledger
    )
}

/// Submits, follows and tells the end.
///
/// # Errors
/// The ledger did not do it, or nobody knows yet.
pub(super) async fn go(
    pool: &Pool,
    subject: &Subject,
    paper: &Final,
    output: OutputArgs,
) -> Result<(), Failure> {
    let (hash, sentence) = (paper.signed.hash, paper.draft.sentence());
    out::note(&format!("submitting {hash}"));
    let end = follow(pool, paper, out::note).await.map_err(|error| {
        let open = format!(
            "What became of {hash} is not known yet. It may be validated up to ledger {}: submit the same \
             file again, or give the same command again after that ledger.",
            paper.draft.last_ledger()
        );
        Failure::because(open, error)
    })?;
    match end {
        End::Validated {
            result,
            ledger,
            servers,
        } if result == DONE => {
            let before = match paper.draft.change {
                Change::RequireTag => "",
                _ => "once its seed is one that may sign, restart the daemon and ",
            };
            let next = subject.wallet.as_ref().map_or_else(String::new, |wallet| {
                format!(
                    "\n{wallet} stays halted: {before}say xrpayd wallet resume --wallet {wallet} --accept {hash}"
                )
            });
            let human = format!("{sentence} It is in ledger {ledger}, as {hash}.{next}");
            let answer = json!({
                "account": subject.account.to_string(),
                "wallet": subject.wallet,
                "does": sentence,
                "tx_hash": hash.to_string(),
                "ledger_index": ledger.0,
                "result": result,
                "fee_drops": paper.draft.unsigned.common.fee,
                "servers": servers,
            });
            output.print(&human, &answer)
        }
        End::Validated { result, ledger, .. } => Err(Failure::new(format!(
            "Nothing was changed: {hash} is in ledger {ledger} with {result}, and its fee is gone. A wallet of \
             this account stays halted until it is resumed with --accept {hash}."
        ))),
        End::Never { last_ledger, said } => Err(Failure::new(format!(
            "Nothing was changed: {hash} is in no ledger up to {last_ledger}, and no later one can hold \
             it. The servers had said: {}.",
            said.join("; ")
        ))),
    }
}
