//! How an account is set up at one validated ledger, agreed.
//!
//! Lists of signers and tickets stand in no transaction's account root, so a contradiction is settled
//! by a clear majority or not at all.

use super::root;
use super::verdict::{self, Verdict};
use super::{Claim, agree_at};
use crate::xrpl::account_setup::{AccountSetup, AgreedSetup};
use crate::xrpl::error::{Evidence, HistoryError, RequestError};
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

impl Claim for Claimed {
    async fn judge(_: &Shared, claims: &[&Self]) -> Verdict {
        verdict::of_hashes(claims.iter().map(|claim| claim.hash))
    }

    fn difference(
        &self,
        name: &str,
        other: &Self,
        other_name: &str,
    ) -> Option<(Evidence, Evidence)> {
        let hashes = self.hash.zip(other.hash);
        let hashes_differ = hashes.is_some_and(|(ours, theirs)| ours != theirs);
        if self.setup == other.setup && !hashes_differ {
            return None;
        }
        let evidence = |claim: &Self, name: &str| Evidence {
            server: name.to_owned(),
            ledger: claim.at,
            ledger_hash: claim.hash,
            says: format!(
                "the account is set up as {:?}, the ledger's hash is {:?}",
                claim.setup, claim.hash
            ),
        };
        Some((evidence(self, name), evidence(other, other_name)))
    }
}
