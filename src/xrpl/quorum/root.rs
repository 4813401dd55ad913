//! An account root at one validated ledger, agreed.

use super::agree_at;
use super::state::OfState;
use super::verdict::{self, Verdict};
use crate::xrpl::error::{HistoryError, RequestError};
use crate::xrpl::history::{AgreedRoot, Root};
use crate::xrpl::proto;
use crate::xrpl::proto::account_info::{AccountInfo, AtLedger};
use crate::xrpl::route;
use crate::xrpl::server::{Command, Server};
use crate::xrpl::shared::Shared;
use std::sync::Arc;
use xrpayd_core::address::AccountId;
use xrpayd_core::ids::{LedgerHash, LedgerIndex};

/// What one server says of the account.
pub(super) struct Claimed {
    pub(super) account: AccountId,
    pub(super) at: LedgerIndex,
    pub(super) hash: Option<LedgerHash>,
    pub(super) root: Option<Root>,
}

/// Reads the root of `account` at exactly the validated ledger `at`.
pub(in crate::xrpl) async fn account_root(
    shared: &Shared,
    account: AccountId,
    at: LedgerIndex,
) -> Result<AgreedRoot, HistoryError> {
    let (claim, servers) = agree_at(shared, at, |server| read(server, account, at)).await?;
    Ok(AgreedRoot {
        at,
        servers,
        hash: claim.hash,
        root: claim.root,
    })
}

/// Servers whose word alone is asked for, one after the other.
const GLANCES_MAX: usize = 2;

/// What one server says of the root of `account` at exactly the validated ledger `at`, of those that are
/// fit and within their budgets; the next one's word where the first gives none in its usual time.
pub(in crate::xrpl) async fn glance(
    shared: &Shared,
    account: AccountId,
    at: LedgerIndex,
) -> Result<Option<Root>, RequestError> {
    let holding = route::holders(shared, at, at);
    let holds = |server: &Arc<Server>| holding.iter().any(|other| other.index == server.index);
    let asked = route::readers(shared).into_iter().filter(holds);
    let mut last_error = RequestError::NoServer;
    for server in asked.take(GLANCES_MAX) {
        let patience = server.patience();
        let name = server.name().to_owned();
        match tokio::time::timeout(patience, read(server, account, at)).await {
            Ok(Ok(claim)) => return Ok(claim.root),
            Ok(Err(error)) => last_error = error,
            Err(_) => last_error = RequestError::TimedOut { server: name },
        }
    }
    Err(last_error)
}

/// Reads the root from one server.
pub(super) async fn read(
    server: Arc<Server>,
    account: AccountId,
    at: LedgerIndex,
) -> Result<Claimed, RequestError> {
    let (hash, root) = ask(&server, account, at, "", |info: AccountInfo<'_>| {
        Ok(info.root())
    })
    .await?;
    Ok(Claimed {
        account,
        at,
        hash,
        root,
    })
}

/// Asks one server for `account` at exactly the validated ledger `at`, with `params` beside what every
/// such question holds, and takes from the answer what is wanted of it; `None` where the account does
/// not exist there. With it the ledger's hash, where the server told it.
pub(super) async fn ask<T>(
    server: &Server,
    account: AccountId,
    at: LedgerIndex,
    params: &str,
    take: impl FnOnce(AccountInfo<'_>) -> Result<T, &'static str>,
) -> Result<(Option<LedgerHash>, Option<T>), RequestError> {
    let account = account.to_string();
    let malformed = |why: &dyn ToString| server.malformed(Command::AccountInfo, why.to_string());
    let params = format!(r#","account":"{account}","ledger_index":{at}{params}"#);
    let answer = server.ask(Command::AccountInfo, &params).await?;
    let frame = answer.frame.as_str();
    match answer.error.as_deref() {
        None => {
            let about: AtLedger<'_> = proto::result(frame).map_err(|error| malformed(&error))?;
            let hash = about.check(at).map_err(|why| malformed(&why))?;
            let info: AccountInfo<'_> = proto::result(frame).map_err(|error| malformed(&error))?;
            if info.account_data.account != account {
                return Err(malformed(&"the answer is about another account"));
            }
            let told = take(info).map_err(|why| malformed(&why))?;
            Ok((hash, Some(told)))
        }
        // An error bears its ledger beside it, not in a result.
        Some("actNotFound") => {
            let about: AtLedger<'_> =
                serde_json::from_str(frame).map_err(|error| malformed(&error))?;
            let hash = about.check(at).map_err(|why| malformed(&why))?;
            Ok((hash, None))
        }
        Some(error) => Err(RequestError::Server {
            server: server.name().to_owned(),
            error: error.to_owned(),
        }),
    }
}

impl OfState for Claimed {
    fn ledger(&self) -> (LedgerIndex, Option<LedgerHash>) {
        (self.at, self.hash)
    }

    fn is_alike(&self, other: &Self) -> bool {
        self.root == other.root
    }

    fn says(&self, _: &Self) -> String {
        format!(
            "the account root is {:?}, the ledger's hash {:?}",
            self.root, self.hash
        )
    }

    async fn judge(shared: &Shared, claims: &[&Self]) -> Verdict {
        verdict::of_roots(shared, claims).await
    }
}
