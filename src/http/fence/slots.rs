//! The state of a keyed limiter in a fixed piece of memory, however many keys there are.
//!
//! A key's state is one instant: when its bucket will be full again. It is kept in one of the eight
//! slots that the key's hash names. A key that is not among them takes the slot whose instant is the
//! earliest **and inherits that instant**. Where the instant is past, that is the state of somebody new.
//! Where it is not, because more keys are busy than there are slots, the newcomer is held to what the
//! least busy of the eight has used: the instants of a set never go back. So nobody gets room by having
//! his state pushed out, whoever floods with whatever addresses; when he is back he inherits at least
//! what he had. The hash is drawn anew by each process, so nobody can choose whom to share slots with.

use governor::nanos::Nanos;
use governor::state::StateStore;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, PoisonError};

/// Slots that one key may be in.
const WAYS: usize = 8;

/// A key and the instant at which its bucket is full again, in nanoseconds of the limiter's time.
#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    key: u64,
    full_at: u64,
}

/// The slots of every key.
#[derive(Debug)]
pub struct Slots {
    sets: Box<[Mutex<[Slot; WAYS]>]>,
    hash: RandomState,
}

impl Slots {
    /// Room for `keys` busy keys, rounded up to whole sets.
    #[must_use]
    pub fn with_room_for(keys: usize) -> Arc<Self> {
        let sets = (0..keys.div_ceil(WAYS).max(1)).map(|_| Mutex::default());
        Arc::new(Self {
            sets: sets.collect(),
            hash: RandomState::new(),
        })
    }

    /// The memory that it takes, now and for ever.
    #[cfg(test)]
    pub const fn bytes(&self) -> usize {
        std::mem::size_of_val(&*self.sets)
    }

    fn at<T>(&self, key: u64, work: impl FnOnce(&mut Slot) -> T) -> T {
        let sets = self.sets.len() as u64;
        let place = usize::try_from(self.hash.hash_one(key) % sets).unwrap_or(0);
        let mut set = self.sets[place]
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let own = set.iter().position(|slot| slot.key == key);
        let earliest = || (0..WAYS).min_by_key(|&n| set[n].full_at).unwrap_or(0);
        let chosen = own.unwrap_or_else(earliest);
        work(&mut set[chosen])
    }
}

/// Asks, and writes down what was asked.
#[derive(Debug)]
pub struct Counting(pub Arc<Slots>);

/// Asks, and leaves no trace.
#[derive(Debug)]
pub struct Looking(pub Arc<Slots>);

impl StateStore for Counting {
    type Key = u64;

    fn measure_and_replace<T, F, E>(&self, key: &u64, f: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        self.0.at(*key, |slot| {
            let (answer, full_at) = f(Some(slot.full_at.into()))?;
            *slot = Slot {
                key: *key,
                full_at: full_at.as_u64(),
            };
            Ok(answer)
        })
    }
}

impl StateStore for Looking {
    type Key = u64;

    fn measure_and_replace<T, F, E>(&self, key: &u64, f: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        self.0.at(*key, |slot| {
            f(Some(slot.full_at.into())).map(|(answer, _)| answer)
        })
    }
}
