//! What every replica shows of every wallet: the holder says it, the others show that.
//!
//! Owns what is shown of the wallets that this process does not hold: it is read from the store every
//! second. Of those that it holds it is the engine's own view, and is told to the others when it has
//! changed, at most once a second, and every few seconds anyway. On failure the last picture stands and
//! grows old; whoever shows it can tell ([`Picture::age`]).
//!
//! With it goes how far each wallet's past was read, because no wallet signs before all have read theirs
//! ([`Pasts`]). That is taken only from a replica that holds the wallet to this moment: what an older
//! database says of a life that it forgot counts for nothing.

mod said;

use super::live::{LaneHandle, LiveView};
use crate::payments::engine::View;
use crate::payments::pasts::{Pasts, Told};
use crate::reconcile::Books;
use crate::store::{LaneView, Store, StoreError, Tenure};
use said::Said;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How often what is held is said, where it has changed, and what is not is read.
const PERIOD: Duration = Duration::from_secs(1);
/// How often what has not changed is said again.
const SAID_AGAIN: Duration = Duration::from_secs(3);
/// What was said so long ago is not shown as what is: its holder is gone, or cannot write.
pub(super) const STALE_AFTER: Duration = Duration::from_secs(15);

/// What a holder shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shown {
    /// Its engine's view.
    pub(super) view: View,
    /// How far the wallet's past was read.
    pub(super) past: Option<Told>,
    /// What the last reconciliation of the wallet found.
    pub(super) books: Option<Books>,
}

/// What another replica showed last.
#[derive(Debug, Clone)]
pub(super) struct Elsewhere {
    pub(super) shown: Shown,
    /// How old it was when it was read.
    age: Duration,
    read_at: Instant,
}

impl Elsewhere {
    fn age(&self) -> Duration {
        self.age.saturating_add(self.read_at.elapsed())
    }
}

/// A wallet as it is shown here.
#[derive(Debug, Clone)]
pub(super) struct Picture {
    /// What is shown; as of nothing where no replica has shown anything yet.
    pub(super) view: View,
    /// How long ago another replica said so; `None` where this one holds the wallet, or nothing is known.
    pub(super) age: Option<Duration>,
}

impl Picture {
    /// Whether it is too old to be shown as what is.
    pub(super) fn is_stale(&self) -> bool {
        self.age.is_some_and(|age| age >= STALE_AFTER)
    }
}

impl LaneHandle {
    /// The wallet as it is shown here: everything outside the engine that shows a wallet asks this.
    pub(super) fn picture(&self) -> Picture {
        let own = self.view.borrow().clone();
        if own.journal_at.is_some() {
            return Picture {
                view: own,
                age: None,
            };
        }
        // Also while this process has just taken the wallet and reads it: what was shown last stands.
        match &*self.elsewhere.borrow() {
            Some(told) => Picture {
                view: told.shown.view.clone(),
                age: Some(told.age()),
            },
            None => Picture {
                view: own,
                age: None,
            },
        }
    }
}

/// Says and reads what is shown, for ever.
pub(super) async fn keep(store: Store, live: Arc<LiveView>, pasts: Pasts) {
    if store.file().is_some() {
        // Nobody else can have the database, and nobody would read it.
        return;
    }
    let mut keeper = Keeper {
        store,
        live,
        pasts,
        said: BTreeMap::new(),
    };
    let mut tick = tokio::time::interval(PERIOD);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        if let Err(error) = keeper.say().await {
            tracing::warn!(%error, "the other replicas are not told how the wallets stand");
        }
        if let Err(error) = keeper.read().await {
            tracing::warn!(%error, "the wallets of other replicas are shown as they were");
        }
    }
}

/// What was said of a wallet last.
struct LastSaid {
    tenure: Tenure,
    text: String,
    at: Instant,
}

struct Keeper {
    store: Store,
    live: Arc<LiveView>,
    pasts: Pasts,
    said: BTreeMap<String, LastSaid>,
}

impl Keeper {
    /// Says what is held and has changed, or was said long ago.
    async fn say(&mut self) -> Result<(), StoreError> {
        let now = Instant::now();
        let (mut views, mut saying) = (Vec::new(), Vec::new());
        for lane in self.live.lanes() {
            let Some(tenure) = lane.tenure.borrow().clone() else {
                self.said.remove(&lane.name);
                continue;
            };
            let view = lane.view.borrow().clone();
            let (Some(_), Some(past)) = (view.journal_at, self.pasts.told_of(&lane.name)) else {
                continue;
            };
            let shown = Shown {
                view,
                past: Some(past),
                books: self.live.books_of(lane),
            };
            let said = Said::of(shown.clone());
            let text = serde_json::to_string(&said).map_err(|error| StoreError::Corrupt {
                what: format!("the view of {}", lane.name),
                why: error.to_string(),
            })?;
            let is_known = self.said.get(&lane.name).is_some_and(|last| {
                last.tenure == tenure
                    && last.text == text
                    && now.saturating_duration_since(last.at) < SAID_AGAIN
            });
            if !is_known {
                views.push((tenure, text));
                saying.push((lane, shown));
            }
        }
        if views.is_empty() {
            return Ok(());
        }
        self.store.show_lanes(&views).await?;
        for (lane, shown) in saying {
            // Should the wallet be another's the next moment, this is what is known of it.
            lane.elsewhere.send_replace(Some(Elsewhere {
                shown,
                age: Duration::ZERO,
                read_at: now,
            }));
        }
        for (tenure, text) in views {
            let last = LastSaid {
                text,
                at: now,
                tenure,
            };
            self.said.insert(last.tenure.wallet.clone(), last);
        }
        Ok(())
    }

    /// Reads what others say of what they hold.
    async fn read(&self) -> Result<(), StoreError> {
        let is_held = |lane: &LaneHandle| lane.tenure.borrow().is_some();
        if self.live.lanes().all(is_held) {
            return Ok(());
        }
        let read_at = Instant::now();
        for row in self.store.shown_lanes().await? {
            let Some(lane) = self.live.lane(&row.wallet).filter(|lane| !is_held(lane)) else {
                continue;
            };
            let Some(shown) = read_view(&row) else {
                continue;
            };
            if let Some(told) = shown.past.filter(|_| row.is_current) {
                self.pasts.hear(&row.wallet, told);
            }
            lane.elsewhere.send_replace(Some(Elsewhere {
                shown,
                age: row.age,
                read_at,
            }));
        }
        Ok(())
    }
}

fn read_view(row: &LaneView) -> Option<Shown> {
    let said: Result<Said, _> = serde_json::from_str(&row.view);
    match said.ok().and_then(Said::shown) {
        Some(shown) => Some(shown),
        None => {
            tracing::warn!(
                wallet.name = row.wallet,
                "what another replica says of the wallet cannot be read"
            );
            None
        }
    }
}
