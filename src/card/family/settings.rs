//! What is known of cards before one is asked.

use serde::Deserialize;

use crate::card::id::IdOrder;
use crate::card::pin::{PinCharacters, PinLimits};
use crate::card::piv::discovery::PivPin;
use crate::card::profile::Profile;

/// Whether a card is taken for the one of the server's record although it shows another ATR.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AtrRule {
    /// Where it has an ID of its own in common with it, and the record's ATR names no other family or profile.
    #[default]
    Record,
    /// Never.
    Strict,
}

/// What is known of cards beforehand: profiles and settings of the configuration.
#[derive(Debug, Clone)]
pub struct Families {
    /// Cards described in the configuration.
    pub profiles: Vec<Profile>,
    /// Names of families and profiles that are tried before others, in this order.
    pub prefer: Vec<String>,
    /// How the 16 bytes of a GIDS card ID become GUID text.
    pub id_order: IdOrder,
    /// Whether a card may show another ATR than the server's record of its ID has.
    pub atr: AtrRule,
    /// Which PIN is set on a PIV card.
    pub piv_pin: PivPin,
    /// Characters of the PIN of a YubiKey's PIV application; other PIV cards take digits.
    pub pin_characters: PinCharacters,
    /// Limits for a GIDS card's PIN, where the configuration sets them.
    pub gids_limits: Option<PinLimits>,
}

impl Default for Families {
    fn default() -> Self {
        Self {
            profiles: Vec::new(),
            prefer: Vec::new(),
            id_order: IdOrder::Windows,
            atr: AtrRule::Record,
            piv_pin: PivPin::Discovery,
            pin_characters: PinCharacters::Digits,
            gids_limits: None,
        }
    }
}
