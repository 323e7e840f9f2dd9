//! Challenges: the random bytes that a card gives to whoever wants to prove himself to it.

/// A challenge taken from a card: not a secret, valid for one answer in this card session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Challenge {
    /// Its answer is the same block, enciphered with the admin key.
    Admin(AdminChallenge),
    /// One half of a mutual authentication (GIDS): its answer is a token made of both sides' random bytes.
    Mutual(Nonces),
}

impl Challenge {
    /// A challenge of 8 or 16 bytes; `None` for any other length.
    #[must_use]
    pub fn admin(bytes: &[u8]) -> Option<Self> {
        AdminChallenge::new(bytes).map(Self::Admin)
    }
}

/// A challenge that is one block of a cipher.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdminChallenge {
    /// 8 bytes: one block of Triple DES.
    Eight([u8; 8]),
    /// 16 bytes: one block of AES.
    Sixteen([u8; 16]),
}

impl AdminChallenge {
    /// Takes 8 or 16 bytes; `None` for any other length.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        match bytes.len() {
            8 => bytes.try_into().ok().map(Self::Eight),
            16 => bytes.try_into().ok().map(Self::Sixteen),
            _ => None,
        }
    }

    /// The bytes as the card gave them.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Eight(bytes) => bytes,
            Self::Sixteen(bytes) => bytes,
        }
    }
}

/// Bytes of either side's random number in a mutual authentication.
pub const NONCE: usize = 16;

/// The random numbers of a mutual authentication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nonces {
    /// The card's (R2).
    pub card: [u8; NONCE],
    /// Ours (R1).
    pub host: [u8; NONCE],
}

/// What a card's challenge is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChallengeUse {
    /// An administrator proves himself with an answer of so many bytes. (A card that falls back to mutual authentication wants
    /// more of them.)
    Administrator {
        /// Bytes of the answer.
        answer: usize,
    },
    /// Nobody answers it: the card gives random bytes to whoever has a use for them.
    Random,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_admin_challenge_is_one_block() {
        for length in 0..=41 {
            let bytes = vec![7; length];
            let challenge = AdminChallenge::new(&bytes);
            assert_eq!(challenge.is_some(), matches!(length, 8 | 16), "{length}");
            assert!(challenge.is_none_or(|challenge| challenge.bytes() == bytes), "{length}");
        }
    }
}
