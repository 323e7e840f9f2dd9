//! What the configuration decides about the PIN step.

use serde::{Deserialize, Serialize};

use crate::job::authority::Authority;
use crate::job::issuer::PinMaker;

/// Which admin key the server is told to answer with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, clap::ValueEnum)]
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
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
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

/// A proof of which a person risks one more try, although nobody can tell how many are left and an earlier job may have spent
/// one. It is good for one attempt of one call: neither the configuration nor the agent has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum RiskedProof {
    /// The answer to the card's challenge, although the card has refused it.
    Admin,
    /// The PUK, the admin PIN or the resetting code.
    Puk,
    /// The current PIN.
    Pin,
}

/// How the PIN step decides.
#[derive(Debug, Clone)]
pub struct Rules {
    /// In order of preference; the first that card and request allow is used, and only that one.
    pub authorities: Vec<Authority>,
    /// With fewer tries left of a PIN, a PUK, an admin PIN or a resetting code nothing that could cost one is done.
    pub min_tries_left: u8,
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
            admin_key: AdminKeyRule::Policy,
            pin_route: PinRouteRule::Auto,
            pin_makers: Vec::new(),
        }
    }
}
