//! Seeded pseudo-randomness, so that a drill with a seed runs again alike. Not for secrets.
//!
//! Owns one word of state (SplitMix64).

/// A small generator; equal seeds give equal sequences.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    /// A generator that starts from `seed`.
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The generator of one of the many that draw for themselves: `numbers` tell which. What one draws
    /// does not depend on when the others do.
    pub(crate) const fn of(seed: u64, numbers: [u64; 3]) -> Self {
        let mut random = Self(seed);
        let mut left = numbers.as_slice();
        while let [number, rest @ ..] = left {
            random = Self(random.next() ^ *number);
            left = rest;
        }
        random
    }

    /// The next 64 bits.
    pub(crate) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Whether an event of `per_mille` in a thousand happens this time.
    pub(crate) const fn happens(&mut self, per_mille: u32) -> bool {
        self.next() % 1_000 < per_mille as u64
    }

    /// Thirty-two bytes.
    pub(crate) fn bytes32(&mut self) -> [u8; 32] {
        let mut out = [0_u8; 32];
        for chunk in out.chunks_exact_mut(8) {
            chunk.copy_from_slice(&self.next().to_be_bytes());
        }
        out
    }
}
