//! Where a virtual card takes its challenges from.

use std::collections::VecDeque;

/// A card's random source.
#[derive(Debug, Clone, Default)]
pub enum Randomness {
    /// The operating system's.
    #[default]
    System,
    /// Bytes fixed beforehand, so that a recorded session can be replayed. When they run out the
    /// card fails (6F00) rather than improvise: a replay that needs more bytes is a wrong replay.
    Script(VecDeque<u8>),
}

impl Randomness {
    /// A source that gives exactly these bytes, in order.
    #[must_use]
    pub fn script(bytes: &[u8]) -> Self {
        Self::Script(bytes.iter().copied().collect())
    }

    /// The next `N` bytes, or `None` where the source is dry.
    pub(super) fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let mut bytes = [0; N];
        match self {
            Self::System => getrandom::fill(&mut bytes).ok()?,
            Self::Script(script) => {
                if script.len() < N {
                    return None;
                }
                for (to, from) in bytes.iter_mut().zip(script.drain(..N)) {
                    *to = from;
                }
            }
        }
        Some(bytes)
    }
}
