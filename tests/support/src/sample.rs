//! A part of a large matrix of cases, where all of them take too long: with `PINWRIGHT_SAMPLE=7` each seventh is played.

use std::fmt;

/// Which cases are played: all of them where the variable says nothing.
pub struct Sample {
    each: usize,
    seen: usize,
}

impl Sample {
    /// One for a matrix, or for a part of it that begins with case `first`.
    #[must_use]
    pub fn from(first: usize) -> Self {
        let each = std::env::var("PINWRIGHT_SAMPLE").map_or(1, |each| each.parse().unwrap_or(0));
        assert!(each > 0, "PINWRIGHT_SAMPLE is a number of cases of which one is played");
        Self { each, seen: first }
    }

    /// Whether the next case is played.
    pub fn takes(&mut self) -> bool {
        self.seen += 1;
        (self.seen - 1).is_multiple_of(self.each)
    }

    /// Whether every case is played.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.each == 1
    }

    /// How many of so many cases that are drawn are drawn: one at least.
    #[must_use]
    pub fn of(&self, cases: usize) -> usize {
        cases.div_ceil(self.each)
    }
}

/// What is said beside a count of cases: nothing where they are all.
impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.each == 1 { Ok(()) } else { write!(f, " (one in {})", self.each) }
    }
}
