//! What was asked about one ledger, each thing once.
//!
//! Owns the answers for the newest ledger that anybody asked about, and for no other: what was true of
//! an older one is forgotten with it. Whoever asks what is being asked already waits for that answer.
//! On failure nothing is kept, so that the next one asks again.

use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::OnceCell;
use xrpayd_core::ids::LedgerIndex;

/// An answer, or the asking of it.
type Cell<V, E> = Arc<OnceCell<Result<V, E>>>;

/// Answers about one ledger, by what was asked.
#[derive(Debug)]
pub(super) struct Shelf<K, V, E> {
    answers: Mutex<Answers<K, V, E>>,
    len_max: usize,
}

#[derive(Debug)]
struct Answers<K, V, E> {
    at: LedgerIndex,
    cells: HashMap<K, Cell<V, E>>,
}

impl<K: Eq + Hash + Clone, V: Clone, E: Clone> Shelf<K, V, E> {
    /// An empty shelf that keeps so many answers at most; what is asked beyond that is asked each time.
    pub(super) fn new(len_max: usize) -> Self {
        Self {
            answers: Mutex::new(Answers {
                at: LedgerIndex(0),
                cells: HashMap::new(),
            }),
            len_max,
        }
    }

    /// What is known about the ledger `at`.
    pub(super) fn known(&self, at: LedgerIndex, key: &K) -> Option<V> {
        let answers = self.answers();
        let cell = answers.cells.get(key).filter(|_| answers.at == at)?;
        cell.get()?.as_ref().ok().cloned()
    }

    /// What is known about the ledger `at`, or else what `ask` finds.
    pub(super) async fn get<F>(&self, at: LedgerIndex, key: K, ask: F) -> Result<V, E>
    where
        F: Future<Output = Result<V, E>>,
    {
        let Some(cell) = self.cell(at, &key) else {
            return ask.await;
        };
        let answer = cell.get_or_init(|| ask).await.clone();
        if answer.is_err() {
            self.forget(at, &key, &cell);
        }
        answer
    }

    /// The place of an answer; none where there is no room, or where a newer ledger is asked about.
    fn cell(&self, at: LedgerIndex, key: &K) -> Option<Cell<V, E>> {
        let mut answers = self.answers();
        if answers.at < at {
            answers.at = at;
            answers.cells.clear();
        }
        if answers.at != at {
            return None;
        }
        if let Some(cell) = answers.cells.get(key) {
            return Some(Arc::clone(cell));
        }
        if answers.cells.len() >= self.len_max {
            return None;
        }
        let cell = Cell::default();
        answers.cells.insert(key.clone(), Arc::clone(&cell));
        Some(cell)
    }

    fn forget(&self, at: LedgerIndex, key: &K, failed: &Cell<V, E>) {
        let mut answers = self.answers();
        let is_it = |cell: &Cell<V, E>| Arc::ptr_eq(cell, failed);
        if answers.at == at && answers.cells.get(key).is_some_and(is_it) {
            answers.cells.remove(key);
        }
    }

    /// Held for a moment only, never across an await.
    fn answers(&self) -> MutexGuard<'_, Answers<K, V, E>> {
        // A panic elsewhere stops the process; what is known is plain data and still whole.
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::future::join_all;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    const ONE: LedgerIndex = LedgerIndex(1);
    const TWO: LedgerIndex = LedgerIndex(2);

    fn shelf(len_max: usize) -> Shelf<&'static str, u32, &'static str> {
        Shelf::new(len_max)
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_ask_the_same_at_once_share_one_asking() {
        let (shelf, asked) = (shelf(8), AtomicU32::new(0));
        let ask = || async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            Ok(asked.fetch_add(1, Ordering::Relaxed))
        };
        let answers = join_all((0..100).map(|_| shelf.get(ONE, "shop", ask()))).await;
        assert!(answers.iter().all(|answer| *answer == Ok(0)));
        assert_eq!(shelf.get(ONE, "shop", ask()).await, Ok(0));
        assert_eq!(shelf.known(ONE, &"shop"), Some(0));
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        assert_eq!(shelf.get(ONE, "other", ask()).await, Ok(1));
    }

    #[tokio::test]
    async fn an_answer_about_one_ledger_is_never_one_about_another() {
        let shelf = shelf(8);
        assert_eq!(shelf.get(ONE, "shop", async { Ok(1) }).await, Ok(1));
        assert_eq!(shelf.known(TWO, &"shop"), None);
        assert_eq!(shelf.get(TWO, "shop", async { Ok(2) }).await, Ok(2));
        assert_eq!(shelf.known(ONE, &"shop"), None);
        // Who still asks about the older one is answered, and leaves nothing behind.
        assert_eq!(shelf.get(ONE, "shop", async { Ok(3) }).await, Ok(3));
        assert_eq!(shelf.known(TWO, &"shop"), Some(2));
    }

    #[tokio::test]
    async fn a_failure_is_told_and_not_kept() {
        let shelf = shelf(8);
        assert_eq!(
            shelf.get(ONE, "shop", async { Err("away") }).await,
            Err("away")
        );
        assert_eq!(shelf.known(ONE, &"shop"), None);
        assert_eq!(shelf.get(ONE, "shop", async { Ok(1) }).await, Ok(1));
    }

    #[tokio::test(start_paused = true)]
    async fn who_stops_waiting_leaves_the_asking_to_the_next() {
        let shelf = shelf(8);
        let slow = shelf.get(ONE, "shop", std::future::pending());
        let given_up = tokio::time::timeout(Duration::from_millis(1), slow).await;
        assert!(given_up.is_err());
        assert_eq!(shelf.get(ONE, "shop", async { Ok(1) }).await, Ok(1));
    }

    #[tokio::test]
    async fn no_more_is_kept_than_there_is_room_for() {
        let shelf = shelf(2);
        for (key, value) in [("a", 1), ("b", 2), ("c", 3)] {
            assert_eq!(shelf.get(ONE, key, async { Ok(value) }).await, Ok(value));
        }
        assert_eq!(shelf.known(ONE, &"c"), None);
        assert_eq!(shelf.known(ONE, &"a"), Some(1));
        assert_eq!(shelf.get(ONE, "c", async { Ok(4) }).await, Ok(4));
    }
}
