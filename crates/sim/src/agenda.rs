//! Virtual time: what happens next. Events of one instant happen in the order in which they were put
//! down, so that a seed is a story that is always told the same.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::collections::BinaryHeap;

/// What is going to happen, and when.
#[derive(Debug)]
pub struct Agenda<E> {
    now: u64,
    put: u64,
    order: BinaryHeap<Reverse<(u64, u64)>>,
    events: BTreeMap<u64, E>,
}

impl<E> Default for Agenda<E> {
    fn default() -> Self {
        Self {
            now: 0,
            put: 0,
            order: BinaryHeap::new(),
            events: BTreeMap::new(),
        }
    }
}

impl<E> Agenda<E> {
    /// Milliseconds since the world began.
    #[must_use]
    pub const fn now(&self) -> u64 {
        self.now
    }

    /// Puts down `event` for `after` milliseconds from now.
    pub fn put(&mut self, after: u64, event: E) {
        self.put += 1;
        self.order.push(Reverse((self.now + after, self.put)));
        self.events.insert(self.put, event);
    }

    /// Goes on to the next event.
    pub fn next(&mut self) -> Option<E> {
        let Reverse((at, number)) = self.order.pop()?;
        self.now = at;
        self.events.remove(&number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_happen_in_the_order_of_their_time_and_then_of_their_writing() {
        let mut agenda = Agenda::default();
        for (after, name) in [(5, 'c'), (1, 'a'), (5, 'd'), (1, 'b')] {
            agenda.put(after, name);
        }
        let told: String = std::iter::from_fn(|| agenda.next()).collect();
        assert_eq!((told.as_str(), agenda.now()), ("abcd", 5));
        agenda.put(2, 'e');
        assert_eq!((agenda.next(), agenda.now()), (Some('e'), 7));
    }
}
