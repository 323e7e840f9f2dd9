//! The families of cards, and the proofs of the right to set a PIN that each family takes: one table.

use std::fmt;

use super::key_pair::KeyType;

/// A family of cards: those that are told by the same application and take the same commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// Generic Identity Device Specification: Windows virtual smart cards, GidsApplet.
    Gids,
    /// NIST SP 800-73-4.
    Piv,
    /// OpenPGP Smart Card Application.
    OpenPgp,
    /// ISO 7816-4 with commands and references of a card profile.
    Iso7816,
}

impl Family {
    /// Every family.
    pub const ALL: [Self; 4] = [Self::Gids, Self::Piv, Self::OpenPgp, Self::Iso7816];

    /// The name in JSON, in the journal and in `card.prefer`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Gids => "gids",
            Self::Piv => "piv",
            Self::OpenPgp => "openpgp",
            Self::Iso7816 => "iso7816",
        }
    }

    /// The built-in family of this name. ISO 7816-4 is none: its cards have the names of their profiles.
    #[must_use]
    pub fn built_in_named(name: &str) -> Option<Self> {
        [Self::Gids, Self::Piv, Self::OpenPgp].into_iter().find(|family| family.name() == name)
    }

    /// The proofs that the family's commands can carry. One card may take fewer (a profile without administrator, an OpenPGP
    /// card without resetting code): [`super::Card::takes`] says so.
    #[must_use]
    pub fn proofs(self) -> &'static [Proof] {
        match self {
            Self::Gids => &[Proof::AdminAnswer, Proof::CurrentPin],
            Self::Piv => &[Proof::Puk, Proof::CurrentPin],
            Self::OpenPgp => &[Proof::AdminPin, Proof::ResettingCode, Proof::CurrentPin],
            Self::Iso7816 => &[Proof::AdminAnswer, Proof::Puk, Proof::CurrentPin],
        }
    }

    /// Whether the family's commands can carry the proof.
    #[must_use]
    pub fn takes(self, proof: Proof) -> bool {
        self.proofs().contains(&proof)
    }

    /// Why an answer to the family's challenge sets no PIN, where it has a challenge but no such right.
    #[must_use]
    pub fn no_admin_answer(self) -> Option<&'static str> {
        match self {
            Self::Piv => Some("the management key of a PIV card gives no right to its PIN"),
            Self::OpenPgp => {
                Some("an OpenPGP card has no admin key: its administrator proves himself with a PIN (PW3)")
            }
            Self::Gids | Self::Iso7816 => None,
        }
    }

    /// The key pairs that pinwright makes on cards of the family: on GIDS what Windows' own driver makes there.
    #[must_use]
    pub fn key_types(self) -> &'static [KeyType] {
        match self {
            Self::Gids => &[KeyType::Rsa2048],
            Self::Piv => &KeyType::ALL,
            Self::OpenPgp | Self::Iso7816 => &[],
        }
    }

    /// Why pinwright makes no key pairs on cards of the family, where it makes none.
    #[must_use]
    pub fn why_no_keys(self) -> Option<&'static str> {
        match self {
            Self::Gids | Self::Piv => None,
            Self::OpenPgp => Some(
                "an OpenPGP card has one place for one certificate and no administrator's key, which MIM CM's way of issuing \
                 a card needs",
            ),
            Self::Iso7816 => Some("a card profile describes no commands for keys and certificates"),
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl serde::Serialize for Family {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// How the right to set the PIN is proved to the card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// An answer to the admin challenge (from the server, or from a local admin key).
    AdminAnswer,
    /// The PIN unblocking key: a PIV card's PUK, or the unblocking code of a card profile.
    Puk,
    /// The admin PIN: PW3 of an OpenPGP card.
    AdminPin,
    /// The resetting code of an OpenPGP card.
    ResettingCode,
    /// The current PIN.
    CurrentPin,
}

impl Proof {
    /// Every proof.
    pub const ALL: [Self; 5] = [Self::AdminAnswer, Self::Puk, Self::AdminPin, Self::ResettingCode, Self::CurrentPin];

    /// What is shown to the card, in words that fit behind "the".
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_has_the_name_that_json_has_for_it() {
        let names = Family::ALL.map(|family| serde_json::to_string(&family).unwrap());
        assert_eq!(names, ["\"gids\"", "\"piv\"", "\"openpgp\"", "\"iso7816\""]);
        for family in Family::ALL {
            assert_eq!(family.to_string(), family.name());
            // A card profile may be called iso7816: that name belongs to no application of its own.
            let built_in = Some(family).filter(|family| *family != Family::Iso7816);
            assert_eq!(Family::built_in_named(family.name()), built_in);
        }
        assert_eq!(Family::built_in_named("GIDS"), None);
    }

    #[test]
    fn who_has_no_right_by_an_answer_says_why() {
        for family in Family::ALL {
            assert_ne!(family.takes(Proof::AdminAnswer), family.no_admin_answer().is_some(), "{family}");
        }
    }
}
