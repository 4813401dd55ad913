//! One reconciliation from the command line: connects to the configured servers, compares, and goes.
//!
//! It takes no wallet's key and no lock, so a daemon may run beside it.

use super::errand::{self, NoLedger};
use super::{AppError, build};
use crate::config::Config;
use crate::reconcile::{self, Outcome, Reach, Unable};
use crate::store::{Access, Store};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use xrpayd_core::reconcile::Difference;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Findings {
    /// Each wallet whose journal has begun.
    pub wallets: Vec<Outcome>,
    /// Wallets whose journal has not.
    pub not_begun: Vec<String>,
    /// What is counted otherwise than the payments say.
    pub counters: Vec<Difference>,
}

impl Findings {
    /// How many differences there are.
    #[must_use]
    pub fn differences(&self) -> usize {
        let of_wallets = self.wallets.iter().map(|found| found.differences.len());
        of_wallets
            .sum::<usize>()
            .saturating_add(self.counters.len())
    }

    /// How many deliveries no payment of this database accounts for.
    #[must_use]
    pub fn forgotten(&self) -> usize {
        self.wallets.iter().map(|found| found.forgotten.len()).sum()
    }
}

/// Why nothing could be compared.
#[derive(Debug, thiserror::Error)]
pub enum CannotReconcile {
    /// The program could not be set up.
    #[error(transparent)]
    App(#[from] AppError),
    /// The servers do not agree on any ledger.
    #[error(transparent)]
    NoLedger(#[from] NoLedger),
    /// Books or ledger could not be read.
    #[error(transparent)]
    Unable(#[from] Unable),
    /// It takes longer than it may.
    #[error("it is not done after {} s, which is all that it was given (--timeout)", .0.as_secs_f64())]
    OutOfTime(Duration),
}

/// Compares the wallets `names`, all where there are none, as far as `reach` goes, for `patience` at most
/// and the seconds that connections take to close.
///
/// # Errors
/// Something could not be read, or not in time; nothing is known about what differs then.
pub async fn reconcile(
    config: &Config,
    names: &[String],
    reach: Reach,
    patience: Duration,
) -> Result<Findings, CannotReconcile> {
    let out_of_time = |_| CannotReconcile::OutOfTime(patience);
    let deadline = Instant::now() + patience;
    let settings = build::store_config(config)?;
    let store = timeout_at(deadline, Store::open(&settings, Access::Tool))
        .await
        .map_err(out_of_time)?
        .map_err(AppError::from)?;
    let accounts = config.wallets.values().map(|wallet| wallet.address);
    let books = &store;
    let compare = |pool| async move {
        errand::newest(&pool).await?;
        let mut findings = Findings {
            wallets: Vec::new(),
            not_begun: Vec::new(),
            counters: reconcile::counters(books).await.map_err(Unable::from)?,
        };
        let wanted = |name: &&String| names.is_empty() || names.contains(name);
        for name in config.wallets.keys().filter(wanted) {
            match reconcile::wallet(books, &pool, name, reach).await? {
                Some(outcome) => findings.wallets.push(outcome),
                None => findings.not_begun.push(name.clone()),
            }
        }
        Ok(findings)
    };
    let found = errand::run(config, accounts.collect(), |pool| async move {
        let found = timeout_at(deadline, compare(pool)).await;
        found.map_err(out_of_time).flatten()
    })
    .await;
    store.close().await;
    found?
}
