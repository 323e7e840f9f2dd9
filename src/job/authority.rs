//! How the right to write to a card is proved, as the configuration names it.

use serde::{Deserialize, Serialize};

use super::secrets::Need;
use crate::card::Proof;

/// How we get the right to set the PIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Authority {
    /// The server answers the card's challenge; the admin key stays there.
    Server,
    /// A local admin key answers it.
    AdminKey,
    /// The card's PIN unblocking key (PIV).
    Puk,
    /// The card's admin PIN: PW3 of an OpenPGP card.
    AdminPin,
    /// The resetting code of an OpenPGP card.
    ResettingCode,
    /// The card's current (transport) PIN is replaced.
    CurrentPin,
}

impl Authority {
    /// Every authority.
    pub const ALL: [Self; 6] =
        [Self::Server, Self::AdminKey, Self::Puk, Self::AdminPin, Self::ResettingCode, Self::CurrentPin];

    /// The name used in configuration and output.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::AdminKey => "admin-key",
            Self::Puk => "puk",
            Self::AdminPin => "admin-pin",
            Self::ResettingCode => "resetting-code",
            Self::CurrentPin => "current-pin",
        }
    }

    /// The authority of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|authority| authority.name() == name)
    }

    /// What it shows to the card. Which family takes which proof: [`crate::card::Family::proofs`].
    #[must_use]
    pub fn proof(self) -> Proof {
        match self {
            Self::Server | Self::AdminKey => Proof::AdminAnswer,
            Self::Puk => Proof::Puk,
            Self::AdminPin => Proof::AdminPin,
            Self::ResettingCode => Proof::ResettingCode,
            Self::CurrentPin => Proof::CurrentPin,
        }
    }

    /// The secret that it needs from a person, a file or a descriptor.
    #[must_use]
    pub fn need(self) -> Option<Need> {
        match self {
            Self::Server => None,
            Self::AdminKey => Some(Need::AdminKey),
            Self::Puk => Some(Need::Puk),
            Self::AdminPin => Some(Need::AdminPin),
            Self::ResettingCode => Some(Need::ResettingCode),
            Self::CurrentPin => Some(Need::CurrentPin),
        }
    }
}
