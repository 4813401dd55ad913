//! The daemon's own reconciliation: at every interval, all wallets and the counters.
//!
//! A difference halts the wallet that it is about, durably, before anything else is done about it; one
//! of the counters, which guard every wallet alike, halts all of them. Differences of deposits and
//! invoices are told and counted, and halt nothing: no payment is decided by them. A person takes the halt back, as
//! any other; a difference that is still there halts the wallet again at the next pass. Servers or a
//! database that cannot be read end nothing: the pass is made again, soon.

use super::pass::{self, Outcome, Reach};
use crate::clock::Clock;
use crate::store::{Store, Tenure};
use crate::xrpl::Pool;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use xrpayd_core::ids::{LedgerIndex, UnixMs};
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
    /// How long after each other passes are made.
    pub interval: Duration,
    /// How many of a journal's newest ledgers are read again.
    pub ledgers: u32,
}

/// A wallet whose books are compared, while this process holds it: once in all replicas.
#[derive(Debug, Clone)]
pub struct Watched {
    /// Its name.
    pub name: String,
    /// The lease under which this process works it, while it does.
    pub tenure: watch::Receiver<Option<Tenure>>,
}

/// What others may know of the last passes, by wallet.
pub type View = BTreeMap<String, Books>;

/// What the last pass found of one wallet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Books {
    /// The newest ledger through which its books were compared.
    pub through: LedgerIndex,
    /// When they were; unknown where a replica of an older version made the pass.
    pub at: Option<UnixMs>,
    /// How many things differ.
    pub differences: usize,
    /// By how much in all.
    pub drops: u64,
    /// How many deliveries of these ledgers no payment of this database accounts for.
    pub forgotten: usize,
    /// What the same pass found of the counters, which are one for all wallets.
    pub counters: Counters,
}

/// What a pass found of the counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// How many things differ.
    pub differences: usize,
    /// By how much in all.
    pub drops: u64,
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

fn drops_of(differences: &[Difference]) -> u64 {
    let drops = differences.iter().fold(0_u128, |sum, difference| {
        sum.saturating_add(difference.drops.unsigned_abs())
    });
    u64::try_from(drops).unwrap_or(u64::MAX)
}

impl Deps {
    async fn pass(
        &self,
        wallets: &[Watched],
        view: &watch::Sender<View>,
    ) -> Result<(), pass::Unable> {
        let is_held = |wallet: &&Watched| wallet.tenure.borrow().is_some();
        let held: Vec<&Watched> = wallets.iter().filter(is_held).collect();
        if held.is_empty() {
            return Ok(());
        }
        let of_all = pass::counters(&self.store).await?;
        let counters = Counters {
            differences: of_all.len(),
            drops: drops_of(&of_all),
        };
        let mut unable = None;
        for wallet in held {
            // What cannot be read of one wallet says nothing about the others.
            match self.look(wallet, &of_all).await {
                Ok(Some(outcome)) => {
                    let books = Books {
                        through: outcome.through,
                        at: Some(self.clock.now()),
                        differences: outcome.differences.len(),
                        drops: drops_of(&outcome.differences),
                        forgotten: outcome.forgotten.len(),
                        counters,
                    };
                    view.send_modify(|view| {
                        view.insert(wallet.name.clone(), books);
                    });
                }
                Ok(None) => {}
                Err(error) => unable = Some(error),
            }
        }
        unable.map_or(Ok(()), Err)
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
        if let Some(newest) = outcome.forgotten.last() {
            tracing::warn!(
                wallet.name = wallet.name,
                payments.forgotten = outcome.forgotten.len(),
                tx.hash = %newest.hash,
                "the ledger holds payments that this database does not know any more: `xrpayd reconcile` names them"
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
