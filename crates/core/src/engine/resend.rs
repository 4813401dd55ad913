//! What is sent again. The same bytes can be applied only once, so this is always safe.

use super::{Desk, Flight, Sent, Tick};
use crate::ids::TxHash;
use crate::money::Drops;
use crate::payment::Slot;
use std::collections::BTreeMap;
use std::sync::Arc;

/// An attempt that no server answered for is sent again after this many milliseconds.
const LOST_PAUSE_MS: u64 = 1_000;
/// An attempt that no validated ledger shows is sent again after this many ledgers.
const RESEND_AFTER_LEDGERS: u32 = 2;
/// Attempts sent again in one pass at most.
const RESEND_BATCH_MAX: usize = 2_048;

impl Desk {
    /// What no validated ledger has shown yet and it is time to send again, in the order of the
    /// slots; of several on one slot the dearest, whose place in a queue the others cannot take. All of
    /// it is durable.
    pub fn due_for_sending(&mut self, tick: Tick) -> Vec<(TxHash, Arc<[u8]>)> {
        let at = self.cursor.at;
        let may_go = |flight: &Flight| !flight.refused && at < flight.last_ledger;
        let mut dearest: BTreeMap<Slot, (Drops, TxHash)> = BTreeMap::new();
        for (&hash, flight) in self.flights.iter().filter(|(_, flight)| may_go(flight)) {
            let best = dearest.entry(flight.slot).or_insert((flight.fee, hash));
            *best = (*best).max((flight.fee, hash));
        }
        let mut again = Vec::new();
        for (_, hash) in dearest.into_values() {
            let Some(flight) = self.flights.get_mut(&hash) else {
                continue;
            };
            let waited = match flight.sent_at {
                Sent::Never => true,
                Sent::At(sent) => at.ahead_of(sent) >= RESEND_AFTER_LEDGERS,
                Sent::Lost(since) => tick.since_ms(since) >= LOST_PAUSE_MS,
            };
            if waited && again.len() < RESEND_BATCH_MAX {
                flight.sent_at = Sent::At(at);
                again.push((hash, Arc::clone(&flight.blob)));
            }
        }
        again
    }

    /// The slot of an attempt that is about to leave; none where it was settled meanwhile, or no
    /// server would take it.
    #[must_use]
    pub fn may_leave(&self, hash: &TxHash) -> Option<Slot> {
        let flight = self.flights.get(hash)?;
        (!flight.refused).then_some(flight.slot)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{LaneRecord, bed};
    use super::*;
    use crate::payment::Answer;

    #[test]
    fn what_start_up_finds_is_sent_at_once_in_the_order_of_the_sequences() {
        let record = LaneRecord {
            plugs: vec![bed::plug_record(102, 1), bed::plug_record(100, 9)],
            ..bed::record()
        };
        let mut desk = bed::desk_of(record);
        let due = desk.due_for_sending(Tick(0));
        let hashes: Vec<TxHash> = due.into_iter().map(|(hash, _)| hash).collect();
        assert_eq!(hashes, [bed::hash(9), bed::hash(1)]);
        assert!(desk.due_for_sending(Tick(9_999)).is_empty());
    }

    #[test]
    fn what_no_ledger_shows_is_sent_again_until_its_last_ledger() {
        let mut desk = bed::desk();
        let _ = bed::signed(&mut desk, vec![bed::payment(1)]);
        let mut sent = 0;
        for _ in 0..bed::SETTINGS.ledger_window * 2 {
            bed::next_ledger(&mut desk);
            sent += desk.due_for_sending(Tick(0)).len();
        }
        let within = bed::SETTINGS.ledger_window.saturating_sub(1) / RESEND_AFTER_LEDGERS;
        assert_eq!(sent, usize::try_from(within).unwrap());
    }

    #[test]
    fn a_lost_answer_is_followed_by_the_same_bytes_after_a_pause() {
        let mut desk = bed::desk();
        let sent = bed::signed(&mut desk, vec![bed::payment(1)]);
        let step = desk.take_answers(&[(sent[0], Answer::Lost)], Tick(10), bed::NOW);
        let _ = desk.made_durable(step);
        assert!(desk.due_for_sending(Tick(9 + LOST_PAUSE_MS)).is_empty());
        assert_eq!(desk.due_for_sending(Tick(10 + LOST_PAUSE_MS)).len(), 1);
    }

    #[test]
    fn what_no_server_would_take_does_not_leave() {
        let mut desk = bed::desk();
        let sent = bed::signed(&mut desk, vec![bed::payment(1)]);
        assert_eq!(desk.may_leave(&sent[0]), Some(Slot::Sequence(100)));
        let answer = (sent[0], Answer::Unparsable("invalidTransaction".into()));
        let step = desk.take_answers(&[answer], Tick(0), bed::NOW);
        let _ = desk.made_durable(step);
        assert_eq!(desk.may_leave(&sent[0]), None);
        assert_eq!(desk.may_leave(&bed::hash(200)), None);
    }
}
