//! What the ledger says of accounts that are to be paid, before anything is signed.
//!
//! Owns what was read of them at the newest validated ledger, each account once however many payments
//! go to it, and the bounds on the reading: so many accounts are asked about at a time, and none is
//! waited for for long. A glance is the word of one server and costs one request; everything else was
//! agreed by the quorum.
//!
//! On failure nothing is known, and that is what is said: never that nothing stands in the way.

mod shelf;

use crate::clock::Clock;
use crate::xrpl::{AgreedLeave, AgreedRoot, HistoryError, Pool, Root, Tip};
use shelf::Shelf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use xrpayd_core::address::AccountId;
use xrpayd_core::ids::LedgerIndex;
use xrpayd_core::preflight::{Facts, Kind, Leave, Reading, Recipient};

/// Accounts that are kept of a ledger: each takes some hundred bytes, and a ledger holds fewer payments.
const KEPT_MAX: usize = 16_384;
/// Accounts that are asked about at a time: what is in flight to a server is bounded too, and signing
/// and following payments must not wait behind courtesies.
const ASKED_AT_ONCE: usize = 64;
/// So long a reading may take, its wait for a turn included.
const READING_TIME_MAX: Duration = Duration::from_secs(3);
/// A ledger that was agreed on longer ago says nothing about now.
const TIP_AGE_MAX_MS: i64 = 60_000;

/// Why nothing is known of an account.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unread {
    /// There is no ledger to look at.
    #[error("the servers have not agreed on a ledger yet")]
    NoLedger,
    /// The newest ledger is too old to say anything about now.
    #[error("the newest ledger that the servers agreed on is {age_s} seconds old")]
    Stale {
        /// How old.
        age_s: i64,
    },
    /// The servers speak of another ledger by the same number.
    #[error("the servers that were asked follow another chain")]
    OtherChain,
    /// It took too long.
    #[error("the servers did not answer in time")]
    TimedOut,
    /// The servers do not agree, or cannot be asked.
    #[error(transparent)]
    Servers(#[from] HistoryError),
}

/// Reads accounts that are to be paid. Cheap to clone.
#[derive(Clone)]
pub struct Preflight {
    pool: Pool,
    clock: Arc<dyn Clock>,
    turns: Arc<Semaphore>,
    roots: Arc<Shelf<AccountId, Arc<AgreedRoot>, Unread>>,
    leaves: Arc<Shelf<(AccountId, AccountId), Arc<AgreedLeave>, Unread>>,
    glances: Arc<Shelf<AccountId, Option<Root>, Unread>>,
}

impl Preflight {
    /// Reads through `pool`.
    #[must_use]
    pub fn new(pool: Pool, clock: Arc<dyn Clock>) -> Self {
        Self {
            pool,
            clock,
            turns: Arc::new(Semaphore::new(ASKED_AT_ONCE)),
            roots: Arc::new(Shelf::new(KEPT_MAX)),
            leaves: Arc::new(Shelf::new(KEPT_MAX)),
            glances: Arc::new(Shelf::new(KEPT_MAX)),
        }
    }

    /// What the newest ledger says of `destination`, which `source` is to pay, where that was read
    /// already. Asks nobody.
    #[must_use]
    pub fn known(&self, source: AccountId, destination: AccountId) -> Option<Facts> {
        let tip = self.tip().ok()?;
        let root = self.roots.known(tip.index, &destination)?;
        let leave = self.leaves.known(tip.index, &(source, destination));
        let is_whole = leave.is_some() || !is_guarded(&root);
        is_whole.then(|| facts(&tip, &root, leave.as_deref()))
    }

    /// What the newest ledger says of `destination`, which `source` is to pay.
    ///
    /// # Errors
    /// Why nothing is known.
    pub async fn read(&self, source: AccountId, destination: AccountId) -> Result<Facts, Unread> {
        if let Some(known) = self.known(source, destination) {
            return Ok(known);
        }
        let tip = self.tip()?;
        let reading = async {
            let at = tip.index;
            let root = self
                .roots
                .get(at, destination, self.ask_root(destination, &tip))
                .await?;
            if !is_guarded(&root) {
                return Ok(facts(&tip, &root, None));
            }
            let ask = self.ask_leave(source, destination, at);
            // Where leave cannot be asked about, what is known of the account is told all the same.
            let leave = self.leaves.get(at, (source, destination), ask).await.ok();
            Ok(facts(&tip, &root, leave.as_deref()))
        };
        match tokio::time::timeout(READING_TIME_MAX, reading).await {
            Ok(read) => read,
            Err(_) => Err(Unread::TimedOut),
        }
    }

    /// What one server said of `destination` at the newest ledger, where one was asked already.
    #[must_use]
    pub fn glanced(&self, destination: AccountId) -> Option<Facts> {
        let tip = self.tip().ok()?;
        let root = self.glances.known(tip.index, &destination)?;
        Some(unagreed(&tip, root))
    }

    /// What one server says of `destination` at the newest ledger: enough to sign a payment on, because
    /// the ledger itself is asked next, and never enough to end one.
    ///
    /// # Errors
    /// Why nothing is said.
    pub async fn glance(&self, destination: AccountId) -> Result<Facts, Unread> {
        let tip = self.tip()?;
        let ask = async {
            let _turn = self.turns.acquire().await;
            let told = self.pool.glance(destination, tip.index).await;
            told.map_err(|error| Unread::Servers(error.into()))
        };
        let root = self.glances.get(tip.index, destination, ask).await?;
        Ok(unagreed(&tip, root))
    }

    /// Whether anything can be read now.
    #[must_use]
    pub fn has_ledger(&self) -> bool {
        self.tip().is_ok()
    }

    /// The newest ledger, where it says anything about now.
    fn tip(&self) -> Result<Tip, Unread> {
        let tip = self.pool.tip().borrow().clone().ok_or(Unread::NoLedger)?;
        let age_ms = self.clock.now().since_ms(tip.seen_at);
        if age_ms > TIP_AGE_MAX_MS {
            let age_s = age_ms / 1_000;
            return Err(Unread::Stale { age_s });
        }
        Ok(tip)
    }

    async fn ask_root(&self, destination: AccountId, tip: &Tip) -> Result<Arc<AgreedRoot>, Unread> {
        // The semaphore is never closed.
        let _turn = self.turns.acquire().await;
        let told = self.pool.account_root(destination, tip.index).await?;
        if told.hash.is_some_and(|hash| hash != tip.hash) {
            return Err(Unread::OtherChain);
        }
        Ok(Arc::new(told))
    }

    async fn ask_leave(
        &self,
        source: AccountId,
        destination: AccountId,
        at: LedgerIndex,
    ) -> Result<Arc<AgreedLeave>, Unread> {
        let _turn = self.turns.acquire().await;
        let told = self.pool.deposit_authorized(source, destination, at).await;
        Ok(Arc::new(told?))
    }
}

/// Whether it depends on the payer whether the account takes a payment.
fn is_guarded(root: &AgreedRoot) -> bool {
    recipient(root.root, Leave::Unknown)
        .is_some_and(|recipient| recipient.kind == Kind::Ordinary && recipient.is_guarded())
}

fn recipient(root: Option<Root>, leave: Leave) -> Option<Recipient> {
    root.map(|root| Recipient {
        balance: root.balance,
        flags: root.flags,
        kind: if root.is_pseudo {
            Kind::Pseudo
        } else {
            Kind::Ordinary
        },
        leave,
    })
}

/// The word of one server, on which nobody agreed.
fn unagreed(tip: &Tip, root: Option<Root>) -> Facts {
    Facts {
        reading: Reading {
            ledger_index: tip.index,
            ledger_hash: tip.hash,
            servers: Vec::new(),
        },
        reserve_base: tip.reserve_base,
        account: recipient(root, Leave::Unknown),
    }
}

fn facts(tip: &Tip, root: &AgreedRoot, leave: Option<&AgreedLeave>) -> Facts {
    let given = leave.map(|leave| leave.is_authorized);
    let account = recipient(
        root.root,
        match given {
            Some(true) => Leave::Given,
            Some(false) => Leave::Withheld,
            None => Leave::Unknown,
        },
    );
    let mut servers = root.servers.clone();
    servers.extend(leave.iter().flat_map(|leave| leave.servers.clone()));
    servers.sort_unstable();
    servers.dedup();
    Facts {
        reading: Reading {
            ledger_index: root.at,
            ledger_hash: tip.hash,
            servers,
        },
        reserve_base: tip.reserve_base,
        account,
    }
}
