//! What the configuration decides about the stages on the card.

use serde::{Deserialize, Serialize};

use crate::card::PivSlot;

/// What proves the management key of a PIV card, without which no key is made there and no certificate written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ManagementRule {
    /// The server answers the card's challenge.
    #[default]
    Server,
    /// A local admin key answers it.
    AdminKey,
}

/// How the stages on the card decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// Whether a certificate request may be signed with SHA-1.
    pub allow_sha1: bool,
    /// The PIV key that the first certificate is for.
    pub piv_slot: PivSlot,
    /// What proves a PIV card's management key.
    pub management: ManagementRule,
}

impl Default for Rules {
    fn default() -> Self {
        Self { allow_sha1: false, piv_slot: PivSlot::Authentication, management: ManagementRule::Server }
    }
}
