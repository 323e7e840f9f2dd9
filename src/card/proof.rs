//! How the right to set a PIN is proved, and which family of cards takes which proof: one table.

/// How the right to set the PIN is proved to the card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// An answer to the admin challenge (from the server, or from a local admin key).
    AdminAnswer,
    /// The PIN unblocking key (PIV).
    Puk,
    /// The admin PIN: PW3 of an OpenPGP card.
    AdminPin,
    /// The resetting code of an OpenPGP card.
    ResettingCode,
    /// The current PIN.
    CurrentPin,
}

impl Proof {
    /// What is proved with, in words that fit behind "the".
    #[must_use]
    pub fn what(self) -> &'static str {
        match self {
            Self::AdminAnswer => "answer to the admin challenge",
            Self::Puk => "PUK",
            Self::AdminPin => "admin PIN (PW3)",
            Self::ResettingCode => "resetting code",
            Self::CurrentPin => "PIN",
        }
    }

    /// Whether proof and new PIN go to the card in one command, which is authorisation and write at once.
    #[must_use]
    pub fn goes_with_the_pin(self) -> bool {
        matches!(self, Self::Puk | Self::ResettingCode | Self::CurrentPin)
    }
}

/// What a family takes.
#[derive(Debug, Clone, Copy)]
pub struct FamilyProofs {
    /// The family's name, as of [`super::Card::family`].
    pub family: &'static str,
    /// The proofs that its commands can carry. One card may have fewer (a profile without administrator, an OpenPGP card
    /// without resetting code): [`super::Card::takes`] says so.
    pub proofs: &'static [Proof],
    /// Why an answer to the admin challenge sets no PIN, where the family has a challenge but no such right.
    pub no_admin_answer: Option<&'static str>,
}

/// Which family takes which proof.
pub const TABLE: [FamilyProofs; 4] = [
    FamilyProofs { family: "gids", proofs: &[Proof::AdminAnswer, Proof::CurrentPin], no_admin_answer: None },
    FamilyProofs {
        family: "piv",
        proofs: &[Proof::Puk, Proof::CurrentPin],
        no_admin_answer: Some("the management key of a PIV card gives no right to its PIN"),
    },
    FamilyProofs {
        family: "openpgp",
        proofs: &[Proof::AdminPin, Proof::ResettingCode, Proof::CurrentPin],
        no_admin_answer: Some("an OpenPGP card has no admin key: its administrator proves himself with a PIN (PW3)"),
    },
    FamilyProofs { family: "iso7816", proofs: &[Proof::AdminAnswer, Proof::CurrentPin], no_admin_answer: None },
];

/// The table's row of a family.
#[must_use]
pub fn of_family(family: &str) -> Option<&'static FamilyProofs> {
    TABLE.iter().find(|row| row.family == family)
}

/// Whether the family's commands can carry the proof.
#[must_use]
pub fn family_takes(family: &str, proof: Proof) -> bool {
    of_family(family).is_some_and(|row| row.proofs.contains(&proof))
}
