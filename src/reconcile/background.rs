//! The daemon's own reconciliation: at every interval, all wallets and the counters.
//!
//! A difference halts the wallet that it is about, durably, before anything else is done about it; one
//! of the counters, which guard every wallet alike, halts all of them. Differences of deposits and
//! invoices are told and counted, and halt nothing: no payment is decided by them. A person takes the halt back, as
//! any other; a difference that is still there halts the wallet again at the next pass. Servers or a
//! database that cannot be read end nothing: the pass is made again, soon.

use super::pass::{self, Outcome, Reach};
use crate::clock::Clock;
use crate::store::Store;
use crate::telemetry::metrics::Metrics;
use crate::xrpl::Pool;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use xrpayd_core::ids::LedgerIndex;
use xrpayd_core::reconcile::Difference;

/// The first pass, and one after a pass that could not be made, comes after so long at the latest.
const SOON: Duration = Duration::from_secs(60);
/// Differences of one wallet that are logged; one mistake may show in many places.
const LOGGED_MAX: usize = 20;

/// What a pass works with.
#[derive(Clone)]
pub struct Deps {
    /// The books.
    pub store: Store,
    /// The ledger.
    pub pool: Pool,
    /// The time of a halt.
    pub clock: Arc<dyn Clock>,
    /// Where what was found is measured.
    pub metrics: Arc<Metrics>,
    /// How long after each other passes are made.
    pub interval: Duration,
    /// How many of a journal's newest ledgers are read again.
    pub ledgers: u32,
}

/// A wallet whose books are compared.
#[derive(Debug, Clone)]
pub struct Watched {
    /// Its name.
    pub name: String,
}

/// What others may know of the last pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct View {
    /// The newest ledger through which the books of every wallet were compared; `None` before the first
    /// pass.
    pub through: Option<LedgerIndex>,
    /// How many differences it found.
    pub differences: usize,
}

/// Makes passes for ever.
pub async fn keep(deps: Deps, wallets: Vec<Watched>, view: watch::Sender<View>) {
    let mut pause = deps.interval.min(SOON);
    loop {
        tokio::time::sleep(pause).await;
        pause = match deps.pass(&wallets, &view).await {
            Ok(()) => deps.interval,
            Err(unable) => {
                tracing::warn!(error = %unable, "the books were not held against the ledger");
                deps.interval.min(SOON)
            }
        };
    }
}

impl Deps {
    async fn pass(
        &self,
        wallets: &[Watched],
        view: &watch::Sender<View>,
    ) -> Result<(), pass::Unable> {
        let of_all = pass::counters(&self.store).await?;
        let mut found: Vec<Difference> = of_all.clone();
        let mut through: Option<LedgerIndex> = None;
        let mut unable = None;
        for wallet in wallets {
            // What cannot be read of one wallet says nothing about the others.
            match self.look(wallet, &of_all).await {
                Ok(Some(outcome)) => {
                    let at = outcome.through;
                    through = Some(through.map_or(at, |known| known.min(at)));
                    found.extend(outcome.differences);
                }
                Ok(None) => {}
                Err(error) => unable = Some(error),
            }
        }
        if let Some(unable) = unable {
            return Err(unable);
        }
        let drops = found.iter().fold(0_i128, |sum, difference| {
            sum.saturating_add(difference.drops.saturating_abs())
        });
        let (metrics, count) = (&self.metrics, found.len());
        metrics
            .reconciliation_difference_drops
            .set(i64::try_from(drops).unwrap_or(i64::MAX));
        metrics
            .reconciliation_differences
            .set(i64::try_from(count).unwrap_or(i64::MAX));
        view.send_replace(View {
            through,
            differences: count,
        });
        Ok(())
    }

    /// Compares one wallet and acts on what was found.
    async fn look(
        &self,
        wallet: &Watched,
        of_all: &[Difference],
    ) -> Result<Option<Outcome>, pass::Unable> {
        let reach = Reach::Newest(self.ledgers);
        let outcome = pass::wallet(&self.store, &self.pool, &wallet.name, reach).await?;
        if let Some(outcome) = &outcome {
            self.act(wallet, outcome, of_all).await?;
        }
        Ok(outcome)
    }

    /// Halts the wallet where something differs that may have to do with what it pays, and says what.
    async fn act(
        &self,
        wallet: &Watched,
        outcome: &Outcome,
        of_all: &[Difference],
    ) -> Result<(), pass::Unable> {
        let all = || outcome.differences.iter().chain(of_all);
        let of_payments = || all().filter(|difference| difference.kind.halts());
        if let Some(first) = of_payments().next() {
            let reason = match of_payments().count() {
                1 => format!("the books differ from the ledger: {first}"),
                count => {
                    format!(
                        "the books differ from the ledger in {count} places; the first: {first}"
                    )
                }
            };
            let (store, now) = (&self.store, self.clock.now());
            // Where that is news its engine is told, and reads everything again.
            store
                .halt_unless_halted(&wallet.name, &reason, outcome.accepted_through, now)
                .await?;
        }
        for difference in all().take(LOGGED_MAX) {
            tracing::error!(
                wallet.name = wallet.name,
                %difference,
                "the books differ from the ledger"
            );
        }
        if all().next().is_none() {
            tracing::debug!(
                wallet.name = wallet.name,
                from.ledger = outcome.from.0,
                ledger.index = outcome.through.0,
                "the books agree with the ledger"
            );
        }
        Ok(())
    }
}
