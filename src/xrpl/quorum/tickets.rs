//! The tickets of an account that stand at one validated ledger, agreed.
//!
//! No single transaction of a ledger proves what does not stand in it, so a contradiction is settled
//! by a clear majority or not at all: then the tickets are read again with a later ledger.

use super::agree_at;
use super::state::OfState;
use super::verdict::{self, Verdict};
use crate::xrpl::error::{HistoryError, RequestError};
use crate::xrpl::history::AgreedTickets;
use crate::xrpl::proto;
use crate::xrpl::proto::account_info::AtLedger;
use crate::xrpl::proto::account_objects::Tickets;
use crate::xrpl::server::{Command, Server};
use crate::xrpl::shared::Shared;
use std::collections::BTreeSet;
use std::sync::Arc;
use xrpayd_core::address::AccountId;
use xrpayd_core::ids::{LedgerHash, LedgerIndex};
use xrpayd_core::tickets::TICKETS_MAX;

/// Pages that are read of one server at most: even its shortest hold ten, and there are 250 tickets.
const PAGES_MAX: usize = 32;

/// What one server says of the account's tickets.
struct Claimed {
    at: LedgerIndex,
    hash: Option<LedgerHash>,
    standing: BTreeSet<u32>,
}

/// Reads the tickets of `account` that stand at exactly the validated ledger `at`.
pub(in crate::xrpl) async fn tickets(
    shared: &Shared,
    account: AccountId,
    at: LedgerIndex,
) -> Result<AgreedTickets, HistoryError> {
    let (claim, servers) = agree_at(shared, at, |server| read(server, account, at)).await?;
    Ok(AgreedTickets {
        at,
        servers,
        standing: claim.standing,
    })
}

async fn read(
    server: Arc<Server>,
    account: AccountId,
    at: LedgerIndex,
) -> Result<Claimed, RequestError> {
    let account = account.to_string();
    let malformed = |why: &dyn ToString| server.malformed(Command::AccountObjects, why.to_string());
    let mut claim = Claimed {
        at,
        hash: None,
        standing: BTreeSet::new(),
    };
    let mut marker: Option<String> = None;
    for _ in 0..PAGES_MAX {
        let after = marker.map_or_else(String::new, |marker| format!(r#","marker":{marker}"#));
        let params = format!(
            r#","account":"{account}","type":"ticket","ledger_index":{at},"limit":{TICKETS_MAX}{after}"#
        );
        let frame = server.ask_ok(Command::AccountObjects, &params).await?;
        let about: AtLedger<'_> = proto::result(&frame).map_err(|error| malformed(&error))?;
        claim.hash = about.check(at).map_err(|why| malformed(&why))?;
        let page: Tickets<'_> = proto::result(&frame).map_err(|error| malformed(&error))?;
        let numbers = page.numbers(&account).map_err(|why| malformed(&why))?;
        claim.standing.extend(numbers);
        match page.marker {
            None => return Ok(claim),
            Some(next) => marker = Some(next.get().to_owned()),
        }
    }
    Err(malformed(&"the pages do not end"))
}

impl OfState for Claimed {
    fn ledger(&self) -> (LedgerIndex, Option<LedgerHash>) {
        (self.at, self.hash)
    }

    fn is_alike(&self, other: &Self) -> bool {
        self.standing == other.standing
    }

    fn says(&self, beside: &Self) -> String {
        let only = self.standing.difference(&beside.standing);
        let only: Vec<u32> = only.copied().collect();
        format!(
            "{} tickets stand, among them {only:?} by its word alone; the ledger's hash is {:?}",
            self.standing.len(),
            self.hash
        )
    }

    async fn judge(_: &Shared, claims: &[&Self]) -> Verdict {
        verdict::of_hashes(claims.iter().map(|claim| claim.hash))
    }
}
