//! The two histories of a wallet that are read while its engine lives: the journal, which the engine
//! folds page by page, and the ledgers before it, which are booked beside it.

use super::backfill::{self, Progress, Shown};
use super::engine::{Deps, Hands};
use crate::journal::reader;
use crate::journal::waits::{Wait, Waits};
use crate::store::StoreError;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use xrpayd_core::engine::Desk;
use xrpayd_core::journal::Page;

/// How the reading of a wallet's histories stands.
pub(super) struct Histories {
    /// What the journal waits for.
    journal: watch::Receiver<Option<Wait>>,
    /// How far the ledgers before it have been booked.
    past: watch::Receiver<Option<Progress>>,
    /// What that waits for.
    past_waits: watch::Receiver<Option<Wait>>,
    /// What was read of them and does not fit.
    past_broken: watch::Receiver<Option<Wait>>,
}

impl Histories {
    /// Begins to read the journal on, and to book what is before it.
    ///
    /// # Errors
    /// The store does not say how far that has been booked.
    pub(super) async fn open(
        deps: &Deps,
        desk: &Desk,
        pages: mpsc::Sender<Page>,
        cancel: &CancellationToken,
        hands: Hands,
    ) -> Result<Self, StoreError> {
        let name = &deps.wallet.name;
        let (show_journal, journal) = watch::channel(None);
        deps.supervisor.spawn(
            format!("journal:{name}"),
            reader::follow(
                deps.pool.clone(),
                deps.wallet.account,
                (desk.cursor().at, desk.cursor().at_hash),
                pages,
                Waits::of(format!("the journal of {name}"), show_journal),
                cancel.clone(),
            ),
        );
        // Shown from the first moment: a journal without its past is not a whole one.
        let begun = deps.store.backfill(name).await?;
        let begun = begun.as_ref().and_then(backfill::progress_of);
        let (progress, past) = watch::channel(begun);
        let (wait, past_waits) = watch::channel(None);
        let (broken, past_broken) = watch::channel(None);
        let shown = Shown {
            progress,
            wait,
            broken,
        };
        deps.supervisor.spawn(
            format!("backfill:{name}"),
            backfill::run(deps.clone(), shown, (cancel.clone(), hands)),
        );
        Ok(Self {
            journal,
            past,
            past_waits,
            past_broken,
        })
    }

    /// How far the ledgers before the journal have been booked, while they are.
    pub(super) fn past(&self) -> Option<Progress> {
        *self.past.borrow()
    }

    /// The histories that cannot be read on.
    pub(super) fn waits(&self) -> Vec<Wait> {
        let waits = [&self.journal, &self.past_waits, &self.past_broken];
        let waits = waits.into_iter().map(|wait| wait.borrow().clone());
        waits.flatten().collect()
    }
}
