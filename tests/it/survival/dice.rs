//! Draws that a seed repeats.

use xrpayd::clock::{SeededEntropy, random_up_to};

/// A sequence of draws.
#[derive(Debug)]
pub struct Dice {
    entropy: SeededEntropy,
}

impl Dice {
    /// The draws of `seed`; those of another `stream` are others.
    pub fn new(seed: u64, stream: u64) -> Self {
        let mixed = seed ^ stream.wrapping_mul(0xD6E8_FEB8_6659_FD93);
        Self {
            entropy: SeededEntropy::new(mixed),
        }
    }

    /// One of `from..=to`.
    pub fn between(&self, from: u64, to: u64) -> u64 {
        from + random_up_to(&self.entropy, to - from)
    }

    /// Whether what happens so many times in a hundred happens now.
    pub fn happens(&self, per_cent: u64) -> bool {
        self.between(1, 100) <= per_cent
    }

    /// One of `choices`.
    pub fn pick<'a, T>(&self, choices: &'a [T]) -> &'a T {
        &choices[self.index(choices.len())]
    }

    /// An index into something with `len` places.
    pub fn index(&self, len: usize) -> usize {
        let last = u64::try_from(len).unwrap() - 1;
        usize::try_from(self.between(0, last)).unwrap()
    }
}

/// The seed of this run: given by `XRPAYD_TEST_SEED`, or another one each time.
pub fn seed() -> u64 {
    match std::env::var("XRPAYD_TEST_SEED") {
        Ok(given) => given.parse().expect("XRPAYD_TEST_SEED is a whole number"),
        Err(_) => {
            let since = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
            u64::try_from(since.as_micros()).unwrap()
        }
    }
}
