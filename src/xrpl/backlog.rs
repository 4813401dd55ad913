//! The open attempts of one wallet as the servers need them: in the order of their sequences, with
//! what has been given to each server on the connection that stands now.
//!
//! A server that lacks an account's earlier transactions cannot take the next one. So whoever is
//! submitted to gets first what it has not had on this connection, and a server that has had
//! everything gets nothing twice: to find that out costs one look at a number. The engine opens and
//! closes attempts, the pool reads them. Bounded by the wallet's `max_in_flight`; on failure nothing
//! is lost, because the engine sends again what no ledger shows.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use xrpayd_core::ids::TxHash;
use xrpayd_core::payment::Slot;

/// A moment in the life of a backlog: everything that was opened before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Mark(u64);

/// The open attempts of one wallet. Starts empty.
#[derive(Debug, Default)]
pub struct Backlog {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    newest: u64,
    open: BTreeMap<u64, Open>,
    numbers: HashMap<TxHash, u64>,
    /// One a server, by its name.
    views: HashMap<String, View>,
}

#[derive(Debug)]
struct Open {
    hash: TxHash,
    slot: Slot,
    blob: Arc<[u8]>,
}

/// What one server was given on one connection.
#[derive(Debug, Default)]
struct View {
    connection: u64,
    /// Everything up to this number.
    through: u64,
    /// And these beyond it, while a submission is under way.
    ahead: BTreeSet<u64>,
}

/// One blob that a server is to be given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Due {
    /// Its number, where the backlog holds it.
    pub number: Option<u64>,
    /// Its place in the batch; a predecessor has none.
    pub place: Option<usize>,
    pub hash: TxHash,
    pub blob: Arc<[u8]>,
}

impl Backlog {
    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere stops the process; this is plain data and still whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an attempt that is about to be submitted; one that is open already stays as it is.
    pub fn open(&self, hash: TxHash, slot: Slot, blob: &Arc<[u8]>) {
        let mut state = self.state();
        if state.numbers.contains_key(&hash) {
            return;
        }
        state.newest += 1;
        let number = state.newest;
        state.numbers.insert(hash, number);
        let blob = Arc::clone(blob);
        state.open.insert(number, Open { hash, slot, blob });
    }

    /// Forgets an attempt that is settled, or that no server would ever take.
    pub fn close(&self, hash: &TxHash) {
        let mut state = self.state();
        if let Some(number) = state.numbers.remove(hash) {
            state.open.remove(&number);
        }
    }

    /// Everything that is open now.
    #[must_use]
    pub fn mark(&self) -> Mark {
        Mark(self.state().newest)
    }

    /// What a server is to be given on its connection: what it lacks up to `mark`, and all of
    /// `batch`, in the order of the sequences. What the backlog does not hold keeps its order.
    pub(super) fn due(
        &self,
        server: &str,
        connection: u64,
        mark: Mark,
        batch: &[(TxHash, Arc<[u8]>)],
    ) -> Vec<Due> {
        let mut state = self.state();
        state.view(server, connection);
        let mut places: HashMap<TxHash, usize> = HashMap::with_capacity(batch.len());
        places.extend(
            batch
                .iter()
                .enumerate()
                .map(|(nth, (hash, _))| (*hash, nth)),
        );
        let mut due: Vec<(Option<Slot>, Due)> = Vec::with_capacity(batch.len());
        let lacking = state.views.get(server).into_iter().flat_map(|view| {
            let beyond = view.through.saturating_add(1)..=mark.0.max(view.through);
            // An empty range must not be asked for with its ends the wrong way round.
            let range = (view.through < mark.0).then(|| state.open.range(beyond));
            let unseen = |(number, _): &(&u64, &Open)| !view.ahead.contains(number);
            range.into_iter().flatten().filter(unseen)
        });
        for (number, open) in lacking {
            due.push((
                Some(open.slot),
                Due {
                    number: Some(*number),
                    place: places.remove(&open.hash),
                    hash: open.hash,
                    blob: Arc::clone(&open.blob),
                },
            ));
        }
        // What it has had is sent again all the same: that is what a batch of the engine's asks for.
        for (nth, (hash, blob)) in batch.iter().enumerate() {
            if places.contains_key(hash) {
                let number = state.numbers.get(hash).copied();
                let slot = number
                    .and_then(|number| state.open.get(&number))
                    .map(|open| open.slot);
                let again = Due {
                    number,
                    place: Some(nth),
                    hash: *hash,
                    blob: Arc::clone(blob),
                };
                due.push((slot, again));
            }
        }
        due.sort_by_key(|(slot, _)| *slot);
        due.into_iter().map(|(_, due)| due).collect()
    }

    /// A blob was handed to a server's connection.
    pub(super) fn given(&self, server: &str, connection: u64, number: u64) {
        let mut state = self.state();
        let view = state.view(server, connection);
        if number > view.through {
            view.ahead.insert(number);
        }
    }

    /// Everything up to `mark` was handed to a server's connection.
    pub(super) fn given_all(&self, server: &str, connection: u64, mark: Mark) {
        let mut state = self.state();
        let view = state.view(server, connection);
        view.through = view.through.max(mark.0);
        view.ahead = view.ahead.split_off(&view.through.saturating_add(1));
    }
}

impl State {
    /// The view of a server's present connection; that of an earlier one is worth nothing.
    fn view(&mut self, server: &str, connection: u64) -> &mut View {
        let view = self.views.entry(server.to_owned()).or_default();
        if view.connection != connection {
            *view = View {
                connection,
                ..View::default()
            };
        }
        view
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hash(n: u8) -> TxHash {
        TxHash([n; 32])
    }

    fn blob(n: u8) -> (TxHash, Arc<[u8]>) {
        (hash(n), Arc::from(vec![n]))
    }

    fn open(backlog: &Backlog, n: u8) {
        backlog.open(hash(n), Slot::Sequence(n.into()), &blob(n).1);
    }

    fn due(backlog: &Backlog, connection: u64, batch: &[u8]) -> Vec<u8> {
        let batch: Vec<_> = batch.iter().map(|&n| blob(n)).collect();
        let due = backlog.due("s", connection, backlog.mark(), &batch);
        for due in &due {
            let place = due.place.map(|nth| batch[nth].0);
            assert!(place.is_none_or(|hash| hash == due.hash));
        }
        due.iter().map(|due| due.hash.0[0]).collect()
    }

    fn give(backlog: &Backlog, connection: u64) {
        backlog.given_all("s", connection, backlog.mark());
    }

    #[test]
    fn a_server_gets_what_it_lacks_before_what_is_new_and_nothing_twice() {
        let backlog = Backlog::default();
        for n in [1, 2, 3] {
            open(&backlog, n);
        }
        assert_eq!(due(&backlog, 1, &[3]), [1, 2, 3]);
        give(&backlog, 1);
        open(&backlog, 4);
        assert_eq!(due(&backlog, 1, &[4]), [4]);
        give(&backlog, 1);
        assert!(due(&backlog, 1, &[]).is_empty());
        backlog.close(&hash(1));
        open(&backlog, 5);
        assert_eq!(due(&backlog, 2, &[5]), [2, 3, 4, 5], "another connection");
    }

    #[test]
    fn what_is_sent_again_goes_out_once_more_in_its_place() {
        let backlog = Backlog::default();
        for n in [1, 2, 3] {
            open(&backlog, n);
        }
        give(&backlog, 1);
        open(&backlog, 4);
        assert_eq!(due(&backlog, 1, &[4, 2]), [2, 4]);
    }

    #[test]
    fn an_attempt_that_was_not_handed_over_is_still_due() {
        let backlog = Backlog::default();
        for n in [2, 3, 1] {
            open(&backlog, n);
        }
        // Opened third, and first in the order of the sequences.
        backlog.given("s", 1, 3);
        assert_eq!(due(&backlog, 1, &[]), [2, 3]);
        backlog.given("s", 1, 1);
        assert_eq!(due(&backlog, 1, &[]), [3]);
    }

    #[test]
    fn a_batch_that_the_backlog_does_not_know_keeps_its_order() {
        assert_eq!(due(&Backlog::default(), 1, &[9, 3, 5]), [9, 3, 5]);
    }

    #[test]
    fn what_was_opened_after_the_mark_waits_for_its_own_batch() {
        let backlog = Backlog::default();
        open(&backlog, 1);
        let mark = backlog.mark();
        open(&backlog, 2);
        let due = backlog.due("s", 1, mark, &[]);
        assert_eq!(due.len(), 1);
        backlog.given_all("s", 1, mark);
        assert_eq!(backlog.due("s", 1, backlog.mark(), &[]).len(), 1);
    }

    proptest! {
        /// However openings, closings, submissions, interruptions and reconnects interleave.
        #[test]
        fn each_connection_gets_every_open_attempt_exactly_once_in_order(
            steps in proptest::collection::vec((0_u8..5, 0_usize..8), 1..80),
        ) {
            let backlog = Backlog::default();
            let (mut connection, mut next, mut live) = (1_u64, 0_u8, Vec::new());
            let mut had: BTreeSet<u8> = BTreeSet::new();
            for (step, arg) in steps {
                match step {
                    0 | 1 => {
                        next = next.wrapping_add(1);
                        open(&backlog, next);
                        live.push(next);
                    }
                    2 if !live.is_empty() => {
                        let gone = live.remove(arg % live.len());
                        backlog.close(&hash(gone));
                    }
                    3 => {
                        connection += 1;
                        had.clear();
                    }
                    _ => {
                        // A submission that is cut off after `arg` blobs, or comes to its end.
                        let mark = backlog.mark();
                        let due = backlog.due("s", connection, mark, &[]);
                        let order: Vec<u8> = due.iter().map(|due| due.hash.0[0]).collect();
                        prop_assert!(order.is_sorted());
                        let lacking: Vec<u8> = live.iter().copied().filter(|n| !had.contains(n)).collect();
                        prop_assert_eq!(&order, &lacking);
                        for due in due.iter().take(arg) {
                            backlog.given("s", connection, due.number.unwrap());
                            had.insert(due.hash.0[0]);
                        }
                        if due.len() <= arg {
                            backlog.given_all("s", connection, mark);
                        }
                    }
                }
            }
        }
    }
}
