//! Where all that is left to chance comes from: a number that follows from the seed and from what it is for.
//!
//! Knows: numbers. Must not know: what they decide.
//!
//! Nothing draws from a common source: what one call meets does not depend on how many others there were. So a story from
//! which something is left out stays much the same, and can be shortened.

/// The seed of a story.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Chance(u64);

/// Numbers for one purpose.
#[derive(Debug, Clone)]
pub(crate) struct Draw(u64);

/// SplitMix64's step: it is good enough for lots, and needs no library.
fn mixed(state: u64) -> u64 {
    let mut word = state;
    word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    word ^ (word >> 31)
}

const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

impl Chance {
    /// What follows from that seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The seed of the n-th episode.
    pub(crate) fn episode(self, number: u64) -> Self {
        Self(self.draw(&[number]).next())
    }

    /// Numbers for that purpose.
    pub(crate) fn draw(self, purpose: &[u64]) -> Draw {
        Draw(purpose.iter().fold(mixed(self.0), |state, word| mixed(state.wrapping_add(STEP) ^ mixed(*word + 1))))
    }
}

impl Draw {
    /// The next number.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        mixed(self.0)
    }

    /// One of the numbers below that one.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit.max(1)
    }

    /// A number from the first up to the last.
    pub(crate) fn between(&mut self, first: u64, last: u64) -> u64 {
        first + self.below(last - first + 1)
    }

    /// Whether one of so many per thousand is hit.
    pub(crate) fn hits(&mut self, per_thousand: u64) -> bool {
        self.below(1000) < per_thousand
    }

    /// One of several.
    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        let index = usize::try_from(self.below(from.len() as u64)).unwrap_or(0);
        from.get(index)
    }

    /// One of several, each as often as its weight says.
    pub(crate) fn weighted<T: Copy>(&mut self, from: &[(u64, T)]) -> T {
        let mut left = self.below(from.iter().map(|(weight, _)| weight).sum());
        for (weight, one) in from {
            if left < *weight {
                return *one;
            }
            left -= weight;
        }
        unreachable!("the weights are not all zero")
    }
}
