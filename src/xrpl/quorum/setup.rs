//! How an account is set up at one validated ledger, agreed.
//!
//! Lists of signers and tickets stand in no transaction's account root, so a contradiction is settled
//! by a clear majority or not at all.

use super::agree_at;
use super::root;
use super::state::OfState;
use super::verdict::{self, Verdict};
use crate::xrpl::account_setup::{AccountSetup, AgreedSetup};
use crate::xrpl::error::{HistoryError, RequestError};
use crate::xrpl::proto::account_info::AccountInfo;
use crate::xrpl::server::Server;
use crate::xrpl::shared::Shared;
use std::sync::Arc;
use xrpayd_core::address::AccountId;
use xrpayd_core::ids::{LedgerHash, LedgerIndex};

/// What one server says of the account.
struct Claimed {
    at: LedgerIndex,
    hash: Option<LedgerHash>,
    setup: Option<AccountSetup>,
}

/// Reads how `account` is set up at exactly the validated ledger `at`.
pub(in crate::xrpl) async fn account_setup(
    shared: &Shared,
    account: AccountId,
    at: LedgerIndex,
) -> Result<AgreedSetup, HistoryError> {
    let (claim, servers) = agree_at(shared, at, |server| read(server, account, at)).await?;
    Ok(AgreedSetup {
        at,
        hash: claim.hash,
        servers,
        setup: claim.setup,
    })
}

async fn read(
    server: Arc<Server>,
    account: AccountId,
    at: LedgerIndex,
) -> Result<Claimed, RequestError> {
    let params = r#","signer_lists":true"#;
    let (hash, setup) = root::ask(&server, account, at, params, |info: AccountInfo<'_>| {
        info.setup()
    })
    .await?;
    Ok(Claimed { at, hash, setup })
}

impl OfState for Claimed {
    fn ledger(&self) -> (LedgerIndex, Option<LedgerHash>) {
        (self.at, self.hash)
    }

    fn is_alike(&self, other: &Self) -> bool {
        self.setup == other.setup
    }

    fn says(&self, _: &Self) -> String {
        format!(
            "the account is set up as {:?}, the ledger's hash is {:?}",
            self.setup, self.hash
        )
    }

    async fn judge(_: &Shared, claims: &[&Self]) -> Verdict {
        verdict::of_hashes(claims.iter().map(|claim| claim.hash))
    }
}
