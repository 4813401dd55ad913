//! A change of an account, mostly of its keys, from the command line: what the ledger says of the account, the
//! transaction that makes the change, and its way to a proven end.
//!
//! The same rules as for payments: one transaction is followed until it is found in a validated ledger
//! that enough servers agree on, or until they agree on every ledger that could hold it and it is in
//! none. It is given to them again and again meanwhile, the same bytes always. Nothing is concluded from
//! a clock or from a provisional answer.

use super::errand::{self, NoLedger};
use crate::wallet::change::Change;
use crate::wallet::paper::{Draft, Final};
use crate::xrpl::{AccountSetup, HistoryError, Pool, RequestError, SubmitAnswer, Tip};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use xrpayd_codec::SignedBy;
use xrpayd_codec::transaction::{Common, Slot, Unsigned};
use xrpayd_core::address::AccountId;
use xrpayd_core::ids::LedgerIndex;
use xrpayd_core::money::Drops;

/// How long after a question that nobody answered it is asked again, and the bytes are given again.
const AGAIN: Duration = Duration::from_secs(1);
/// No ledger closes faster than this in the long run; on the public network it is almost four seconds.
const LEDGER_MIN: Duration = Duration::from_secs(2);

/// Why the ledger could not be asked or told.
#[derive(Debug, thiserror::Error)]
pub enum KeyChangeError {
    /// The servers do not agree on any ledger.
    #[error(transparent)]
    NoLedger(#[from] NoLedger),
    /// The servers do not agree on the account.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// No server told the fee.
    #[error("no server tells what a transaction costs")]
    Fee(#[source] RequestError),
    /// The account is not on the ledger.
    #[error("{0} does not exist on this network")]
    NoAccount(AccountId),
    /// A transaction costs more than it may.
    #[error("a transaction costs {0} drops now, and at most {1} may be paid (--max-fee-drops)")]
    TooDear(Drops, Drops),
}

/// An account as enough servers agree on it.
#[derive(Debug, Clone)]
pub struct Standing {
    /// The ledger that was looked at.
    pub tip: Tip,
    /// Its root, and who signs for it.
    pub setup: AccountSetup,
    /// Who agrees.
    pub servers: Vec<String>,
}

/// What a transaction may take.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// For how long it can be signed and submitted.
    pub valid_for: Duration,
    /// The most it may cost.
    pub max_fee: Drops,
    /// How many will sign it together; 0 where one key signs.
    pub signers: u32,
    /// A ticket to use in the place of the next sequence.
    pub ticket: Option<u32>,
}

/// What became of a transaction, proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// It is in a validated ledger.
    Validated {
        /// Its result there.
        result: String,
        /// The ledger.
        ledger: LedgerIndex,
        /// Who agrees.
        servers: Vec<String>,
    },
    /// It is in none of the ledgers that could hold it.
    Never {
        /// The last of those.
        last_ledger: LedgerIndex,
        /// What servers said when it was given to them.
        said: Vec<String>,
    },
}

/// The account as it stands at the newest ledger that enough servers agree on.
///
/// # Errors
/// They do not, or there is no such account.
pub async fn standing(pool: &Pool, account: AccountId) -> Result<Standing, KeyChangeError> {
    let tip = errand::newest(pool).await?;
    let found = pool.account_setup(account, tip.index).await?;
    let setup = found.setup.ok_or(KeyChangeError::NoAccount(account))?;
    Ok(Standing {
        tip,
        setup,
        servers: found.servers,
    })
}

/// Waits for a ledger after `last`, so that what was settled before is in what is read next.
///
/// # Errors
/// No ledger comes.
pub async fn next_ledger(pool: &Pool, last: LedgerIndex) -> Result<(), NoLedger> {
    errand::after(pool, last).await.map(|_| ())
}

/// Why `change` is not to be made of the account as it stands: nothing would change, or nobody could
/// sign for it afterwards.
#[must_use]
pub fn objection(change: &Change, setup: &AccountSetup) -> Option<&'static str> {
    let (regular, signers) = (setup.root.regular_key, &setup.signers);
    let needs_master = !setup.is_master_disabled();
    match change {
        Change::RegularKey(key) if regular == Some(*key) => Some("that is its regular key already"),
        Change::NoRegularKey if regular.is_none() => Some("it has no regular key"),
        Change::NoRegularKey if !needs_master && signers.is_none() => Some(
            "its master key is disabled and it has no signers: nobody could sign for it any more",
        ),
        Change::DisableMaster if !needs_master => Some("its master key is disabled already"),
        Change::DisableMaster if regular.is_none() && signers.is_none() => {
            Some("it has neither a regular key nor signers: nobody could sign for it any more")
        }
        Change::RequireTag if setup.requires_tag() => Some("it demands a tag already"),
        Change::NoSigners if signers.is_none() => Some("it has no list of signers"),
        Change::NoSigners if !needs_master && regular.is_none() => Some(
            "its master key is disabled and it has no regular key: nobody could sign for it any more",
        ),
        Change::RegularKey(_)
        | Change::NoRegularKey
        | Change::DisableMaster
        | Change::Signers { .. }
        | Change::NoSigners
        | Change::RequireTag => None,
    }
}

/// Whether the ledger lets those who signed act for the account as it stands.
#[must_use]
pub fn may_sign(by: &SignedBy, account: AccountId, setup: &AccountSetup) -> bool {
    match by {
        SignedBy::One(key) => setup.lets_sign(account, key.account_id()),
        SignedBy::Several(signed) => {
            let list = setup.signers.as_ref();
            list.is_some_and(|list| list.lets_sign(signed.iter().map(|(signer, _)| *signer)))
        }
    }
}

/// The transaction that makes `change` of the account as it stands.
///
/// # Errors
/// The servers do not tell the fee, or it is above what may be paid.
pub async fn prepare(
    pool: &Pool,
    (account, change): (AccountId, Change),
    standing: &Standing,
    terms: &Terms,
    network_id: u32,
) -> Result<Draft, KeyChangeError> {
    let quote = pool.fee().await.map_err(KeyChangeError::Fee)?;
    // One more base fee a signer, as the ledger counts.
    let signatures = u64::from(terms.signers).saturating_add(1);
    let asked = quote.open_ledger.max(quote.minimum).max(quote.base);
    let fee = asked.checked_mul(signatures).unwrap_or(Drops::MAX);
    if fee > terms.max_fee {
        return Err(KeyChangeError::TooDear(fee, terms.max_fee));
    }
    let window = terms.valid_for.as_secs() / LEDGER_MIN.as_secs();
    let window = u32::try_from(window).unwrap_or(u32::MAX).max(1);
    let slot = terms
        .ticket
        .map_or(Slot::Sequence(standing.setup.root.sequence), Slot::Ticket);
    Ok(Draft {
        network_id,
        prepared_at: standing.tip.index,
        unsigned: Unsigned {
            common: Common {
                account,
                fee,
                slot,
                last_ledger: standing.tip.index.plus(window),
                network_id,
                source_tag: None,
                account_txn_id: None,
                memos: Vec::new(),
            },
            action: change.action(),
        },
        change,
    })
}

/// Submits the transaction and follows it to its end. `say` hears what servers answer, each thing once.
///
/// # Errors
/// No server is heard any more; the transaction may be validated all the same.
pub async fn follow(
    pool: &Pool,
    paper: &Final,
    mut say: impl FnMut(&str),
) -> Result<End, KeyChangeError> {
    let (account, hash) = (paper.draft.account(), paper.signed.hash);
    let last = paper.draft.last_ledger();
    let blob: Arc<[u8]> = Arc::from(paper.signed.blob.as_slice());
    let mut tips = pool.tip();
    // The paper may say a ledger that is still to come.
    let mut from = paper
        .draft
        .prepared_at
        .min(errand::newest(pool).await?.index);
    let mut said: Vec<String> = Vec::new();
    let mut note = |text: String| {
        if !said.contains(&text) {
            say(&text);
            said.push(text);
        }
    };
    let (mut newest, mut moved) = (LedgerIndex(0), Instant::now());
    loop {
        tips.mark_unchanged();
        let tip = errand::newest(pool).await?;
        if tip.index > newest {
            (newest, moved) = (tip.index, Instant::now());
        } else if moved.elapsed() > errand::CONNECT {
            return Err(NoLedger.into());
        }
        // What is found below was validated before; it is looked before anything is given again.
        while from <= tip.index.min(last) {
            match pool.history(account, from, tip.index.min(last)).await {
                Ok(seen) => {
                    if let Some(entry) = seen.entries.iter().find(|entry| entry.hash == hash) {
                        return Ok(End::Validated {
                            result: entry.result.clone(),
                            ledger: entry.ledger_index,
                            servers: seen.servers,
                        });
                    }
                    from = seen.to.plus(1);
                }
                Err(error) => {
                    note(format!("not known yet: {error}"));
                    break;
                }
            }
        }
        if from > last {
            return Ok(End::Never {
                last_ledger: last,
                said,
            });
        }
        if tip.index < last {
            for report in pool.submit(&[(hash, Arc::clone(&blob))]).await {
                for (server, answer) in report.answers {
                    note(format!("{server}: {}", shown(&answer)));
                }
            }
        }
        // The next ledger, or soon where none comes.
        let _ = tokio::time::timeout(AGAIN, tips.changed()).await;
    }
}

fn shown(answer: &SubmitAnswer) -> String {
    match answer {
        SubmitAnswer::Engine { result, .. } => format!("{result}, for the time being"),
        SubmitAnswer::Refused { error } => format!("refused ({error})"),
        SubmitAnswer::Unknown { why } => format!("no answer ({why})"),
    }
}
