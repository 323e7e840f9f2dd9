//! What the configuration decides about the PIN step.

use serde::{Deserialize, Serialize};

use super::supplier::Need;
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

/// Which admin key the server is told to answer with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum AdminKeyRule {
    /// What template policy, request and card status say together; where they don't say, nothing is tried.
    #[default]
    Policy,
    /// The template's default key (`diversified=False`).
    Default,
    /// The card's own key (`diversified=True`).
    Diversified,
}

/// Which of the two documented routes is asked for the PIN.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PinRouteRule {
    /// The smart card's; where that route does not exist (404) the request's.
    #[default]
    Auto,
    /// `smartcards/{id}/serverproposedpin`.
    Smartcard,
    /// `requests/{reqid}/smartcards/{scid}/serverproposedpin`.
    Request,
}

/// Who makes the PIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PinMaker {
    /// The server: a 204 then is a contradiction and no reason to ask a person.
    Server,
    /// The user: the server isn't asked.
    User,
    /// Not known beforehand: the server's 200 or 204 decides.
    Ask,
}

/// How the PIN step decides.
#[derive(Debug, Clone)]
pub struct Rules {
    /// In order of preference; the first that card and request allow is used, and only that one.
    pub authorities: Vec<Authority>,
    /// With fewer tries left of a PIN, a PUK, an admin PIN or a resetting code nothing that could cost one is done.
    pub min_tries_left: u8,
    /// A person has said that a try of a code that the card does not count aloud may be risked, although an earlier job
    /// may have spent one.
    pub risk_uncounted: bool,
    /// Which admin key the server answers with.
    pub admin_key: AdminKeyRule,
    /// Where the PIN is asked for.
    pub pin_route: PinRouteRule,
    /// What numbers of `UserPinOption` stand for, beyond the default (3 is the user).
    pub pin_makers: Vec<(i64, PinMaker)>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            authorities: vec![Authority::Server],
            min_tries_left: 2,
            risk_uncounted: false,
            admin_key: AdminKeyRule::Policy,
            pin_route: PinRouteRule::Auto,
            pin_makers: Vec::new(),
        }
    }
}
