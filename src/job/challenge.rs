//! Which challenges of a card MIM CM is handed, and which of them it can answer.

use thiserror::Error;

use crate::card::{AdminChallenge, Challenge};

/// Bytes of the answer to a mutual authentication.
const TOKEN: usize = 40;

/// A challenge that MIM CM has no documented answer to.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
#[error("the card wants an answer of {length} bytes, and what MIM CM answers is documented for 8 only")]
pub struct Unanswerable {
    /// Bytes of the answer that the card wants.
    pub length: usize,
}

/// The challenge as a parameter of a call to the server: empty without one, and where it is one half of a mutual authentication,
/// which is no challenge to anybody else.
#[must_use]
pub fn parameter(challenge: Option<&Challenge>) -> &[u8] {
    match challenge {
        Some(Challenge::Admin(challenge)) => challenge.bytes(),
        Some(Challenge::Mutual(_)) | None => &[],
    }
}

/// Whether MIM CM can answer it: its answer is documented for one Triple DES block and for nothing else.
///
/// # Errors
/// A challenge that only a local admin key can answer.
pub fn answerable(challenge: &Challenge) -> Result<(), Unanswerable> {
    match challenge {
        Challenge::Admin(AdminChallenge::Eight(_)) => Ok(()),
        Challenge::Admin(AdminChallenge::Sixteen(block)) => Err(Unanswerable { length: block.len() }),
        Challenge::Mutual(_) => Err(Unanswerable { length: TOKEN }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::card::Nonces;

    #[test]
    fn what_has_no_documented_answer_is_not_asked_for() {
        let short = Challenge::admin(&[7; 8]).unwrap();
        let long = Challenge::admin(&[7; 16]).unwrap();
        let mutual = Challenge::Mutual(Nonces { card: [7; 16], host: [7; 16] });
        assert_eq!(answerable(&short), Ok(()));
        assert_eq!(answerable(&long), Err(Unanswerable { length: 16 }));
        assert_eq!(answerable(&mutual), Err(Unanswerable { length: 40 }));
        for (challenge, handed) in [(None, 0), (Some(&short), 8), (Some(&long), 16), (Some(&mutual), 0)] {
            assert_eq!(parameter(challenge), vec![7; handed]);
        }
    }
}
