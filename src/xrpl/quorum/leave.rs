//! Whether one account may pay another that takes payments only from those it authorised, at one
//! validated ledger, agreed.

use super::agree_at;
use super::state::OfState;
use super::verdict::Verdict;
use crate::xrpl::error::{HistoryError, RequestError};
use crate::xrpl::history::AgreedLeave;
use crate::xrpl::proto;
use crate::xrpl::proto::account_info::AtLedger;
use crate::xrpl::proto::deposit_authorized::DepositAuthorized;
use crate::xrpl::server::{Command, Server};
use crate::xrpl::shared::Shared;
use std::sync::Arc;
use xrpayd_core::address::AccountId;
use xrpayd_core::ids::{LedgerHash, LedgerIndex};

/// What one server says.
struct Claimed {
    at: LedgerIndex,
    hash: Option<LedgerHash>,
    is_authorized: bool,
}

/// Asks whether `source` may pay `destination`, at exactly the validated ledger `at`.
pub(in crate::xrpl) async fn deposit_authorized(
    shared: &Shared,
    source: AccountId,
    destination: AccountId,
    at: LedgerIndex,
) -> Result<AgreedLeave, HistoryError> {
    let ask = |server| read(server, source, destination, at);
    let (claim, servers) = agree_at(shared, at, ask).await?;
    Ok(AgreedLeave {
        at,
        hash: claim.hash,
        servers,
        is_authorized: claim.is_authorized,
    })
}

async fn read(
    server: Arc<Server>,
    source: AccountId,
    destination: AccountId,
    at: LedgerIndex,
) -> Result<Claimed, RequestError> {
    let params = format!(
        r#","source_account":"{source}","destination_account":"{destination}","ledger_index":{at}"#
    );
    let frame = server.ask_ok(Command::DepositAuthorized, &params).await?;
    let malformed =
        |why: &dyn ToString| server.malformed(Command::DepositAuthorized, why.to_string());
    let about: AtLedger<'_> = proto::result(&frame).map_err(|error| malformed(&error))?;
    let hash = about.check(at).map_err(|why| malformed(&why))?;
    let told: DepositAuthorized<'_> = proto::result(&frame).map_err(|error| malformed(&error))?;
    if !told.is_about(source, destination) {
        return Err(malformed(&"the answer is about other accounts"));
    }
    Ok(Claimed {
        at,
        hash,
        is_authorized: told.deposit_authorized,
    })
}

impl OfState for Claimed {
    fn ledger(&self) -> (LedgerIndex, Option<LedgerHash>) {
        (self.at, self.hash)
    }

    fn is_alike(&self, other: &Self) -> bool {
        self.is_authorized == other.is_authorized
    }

    fn says(&self, _: &Self) -> String {
        let not = if self.is_authorized { "" } else { "not " };
        format!("the payment would {not}be let in")
    }

    /// Who may pay stands in no transaction of the payer's: nothing can be made to prove it.
    async fn judge(_shared: &Shared, _claims: &[&Self]) -> Verdict {
        Verdict::Open
    }
}
