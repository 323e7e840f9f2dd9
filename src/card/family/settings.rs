//! What is known of cards before one is asked.

use crate::card::id::IdOrder;
use crate::card::pin::PinLimits;
use crate::card::profile::Profile;

/// What is known of cards beforehand: profiles and settings of the configuration.
#[derive(Debug, Clone)]
pub struct Families {
    /// Cards described in the configuration.
    pub profiles: Vec<Profile>,
    /// Names of families and profiles that are tried before others, in this order.
    pub prefer: Vec<String>,
    /// How the 16 bytes of a GIDS card ID become GUID text.
    pub id_order: IdOrder,
    /// Limits for a GIDS card's PIN, where the configuration sets them.
    pub gids_limits: Option<PinLimits>,
}

impl Default for Families {
    fn default() -> Self {
        Self { profiles: Vec::new(), prefer: Vec::new(), id_order: IdOrder::Windows, gids_limits: None }
    }
}
