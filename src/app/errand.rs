//! A command's errand to the servers: connects to those of the configuration, does its work, and goes.
//!
//! It takes no wallet's key and no lock, so a daemon may run beside it.

use super::{AppError, build};
use crate::clock::{OsEntropy, SystemClock};
use crate::config::Config;
use crate::supervise::Supervisor;
use crate::telemetry::metrics::Metrics;
use crate::xrpl::{Pool, Tip};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use xrpayd_core::address::AccountId;
use xrpayd_core::ids::LedgerIndex;

/// How long the pool may take until enough servers agree on a ledger.
pub(super) const CONNECT: Duration = Duration::from_secs(60);
/// How long its connections may take to end.
const GRACE: Duration = Duration::from_secs(5);

/// The servers do not agree on any ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not enough servers agree on a validated ledger within a minute")]
pub struct NoLedger;

/// Does `work` with a pool that listens for `accounts`, and closes it again.
///
/// # Errors
/// The pool cannot be set up.
pub async fn run<T, Done: Future<Output = T>>(
    config: &Config,
    accounts: Vec<AccountId>,
    work: impl FnOnce(Pool) -> Done,
) -> Result<T, AppError> {
    let ground = build::Ground {
        clock: Arc::new(SystemClock::new()),
        entropy: Arc::new(OsEntropy::new()?),
        metrics: Arc::new(Metrics::new().map_err(|error| AppError::Metrics(error.to_string()))?),
    };
    let tasks = Supervisor::new();
    let pool = build::pool(config, accounts, &ground, &tasks)?;
    let done = work(pool).await;
    tasks.shutdown(GRACE).await;
    Ok(done)
}

/// The newest ledger that enough servers agree on, waited for where they have not yet.
///
/// # Errors
/// They do not in time.
pub async fn newest(pool: &Pool) -> Result<Tip, NoLedger> {
    after(pool, LedgerIndex(0)).await
}

/// The same of a ledger after `last`.
///
/// # Errors
/// There is none in time.
pub async fn after(pool: &Pool, last: LedgerIndex) -> Result<Tip, NoLedger> {
    let mut tip = pool.tip();
    let is_later = |tip: &Option<Tip>| tip.as_ref().is_some_and(|tip| tip.index > last);
    let known = tokio::time::timeout(CONNECT, tip.wait_for(is_later)).await;
    let known = known.ok().and_then(Result::ok);
    known.as_deref().cloned().flatten().ok_or(NoLedger)
}
