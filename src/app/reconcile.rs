//! One reconciliation from the command line: connects to the configured servers, compares, and goes.
//!
//! It takes no wallet's key and no lock, so a daemon may run beside it.

use super::{AppError, build};
use crate::clock::{OsEntropy, SystemClock};
use crate::config::Config;
use crate::reconcile::{self, Outcome, Reach, Unable};
use crate::store::{Access, Store};
use crate::supervise::Supervisor;
use crate::telemetry::metrics::Metrics;
use std::sync::Arc;
use std::time::Duration;
use xrpayd_core::reconcile::Difference;

/// How long the pool may take until enough servers agree on a ledger.
const CONNECT: Duration = Duration::from_secs(60);
/// How long its connections may take to end.
const GRACE: Duration = Duration::from_secs(5);

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
}

/// Why nothing could be compared.
#[derive(Debug, thiserror::Error)]
pub enum CannotReconcile {
    /// The program could not be set up.
    #[error(transparent)]
    App(#[from] AppError),
    /// The servers do not agree on any ledger.
    #[error("not enough servers agree on a validated ledger within {0:?}")]
    NoLedger(Duration),
    /// Books or ledger could not be read.
    #[error(transparent)]
    Unable(#[from] Unable),
}

/// Compares the wallets `names`, all where there are none, as far as `reach` goes.
///
/// # Errors
/// Something could not be read; nothing is known about what differs then.
pub async fn reconcile(
    config: &Config,
    names: &[String],
    reach: Reach,
) -> Result<Findings, CannotReconcile> {
    let ground = build::Ground {
        clock: Arc::new(SystemClock::new()),
        entropy: Arc::new(OsEntropy::new().map_err(AppError::from)?),
        metrics: Arc::new(Metrics::new().map_err(|error| AppError::Metrics(error.to_string()))?),
    };
    let settings = build::store_config(config)?;
    let store = Store::open(&settings, Access::Tool)
        .await
        .map_err(AppError::from)?;
    let tasks = Supervisor::new();
    let accounts = config.wallets.values().map(|wallet| wallet.address);
    let pool = build::pool(config, accounts.collect(), &ground, &tasks)?;
    let work = async {
        let mut tip = pool.tip();
        tokio::time::timeout(CONNECT, tip.wait_for(Option::is_some))
            .await
            .ok()
            .and_then(Result::ok)
            .ok_or(CannotReconcile::NoLedger(CONNECT))?;
        let mut findings = Findings {
            wallets: Vec::new(),
            not_begun: Vec::new(),
            counters: reconcile::counters(&store).await.map_err(Unable::from)?,
        };
        let wanted = |name: &&String| names.is_empty() || names.contains(name);
        for name in config.wallets.keys().filter(wanted) {
            match reconcile::wallet(&store, &pool, name, reach).await? {
                Some(outcome) => findings.wallets.push(outcome),
                None => findings.not_begun.push(name.clone()),
            }
        }
        Ok(findings)
    };
    let found = work.await;
    tasks.shutdown(GRACE).await;
    store.close().await;
    found
}
