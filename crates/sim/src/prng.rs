//! Chance, from one seed: the same seed draws the same world for ever, on every machine.

/// A small generator (SplitMix64): good enough to draw faults, and the same everywhere.
#[derive(Debug, Clone)]
pub struct Prng(u64);

impl Prng {
    /// The generator of `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed ^ 0x5851_f42d_4c95_7f2d)
    }

    /// The next 64 bits.
    pub const fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// A number below `bound`; zero where the bound is zero.
    pub const fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.bits() % bound }
    }

    /// A number from `low` through `high`.
    pub const fn within(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low) + 1)
    }

    /// True in `permille` of a thousand cases.
    pub const fn chance(&mut self, permille: u32) -> bool {
        self.below(1_000) < permille as u64
    }

    /// An index into something of `len` elements; zero where there are none.
    pub fn index(&mut self, len: usize) -> usize {
        let below = self.below(u64::try_from(len).unwrap_or(u64::MAX));
        usize::try_from(below).unwrap_or_default()
    }

    /// One of several.
    pub fn pick<T: Copy>(&mut self, from: &[T], otherwise: T) -> T {
        from.get(self.index(from.len()))
            .copied()
            .unwrap_or(otherwise)
    }

    /// Brings `items` into any order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.index(at + 1));
        }
    }
}

/// Spreads every bit of `x` over all of them.
#[must_use]
pub const fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_draws_the_same_for_ever() {
        let mut prng = Prng::new(7);
        let drawn: Vec<u64> = (0..4).map(|_| prng.below(1_000)).collect();
        let mut again = Prng::new(7);
        assert_eq!(
            drawn,
            (0..4).map(|_| again.below(1_000)).collect::<Vec<_>>()
        );
        let mut other = Prng::new(8);
        assert_ne!(
            drawn,
            (0..4).map(|_| other.below(1_000)).collect::<Vec<_>>()
        );
    }

    #[test]
    fn chance_keeps_to_its_share() {
        let mut prng = Prng::new(1);
        let hits = (0..10_000).filter(|_| prng.chance(250)).count();
        assert!((2_300..2_700).contains(&hits), "{hits}");
        assert!(!(0..1_000).any(|_| prng.chance(0)));
        assert!((0..1_000).all(|_| prng.chance(1_000)));
    }
}
