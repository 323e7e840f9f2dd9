//! Which family a card is of: the ATR table first, then at most one SELECT per candidate.

use thiserror::Error;

use super::gids::{self, Gids};
use super::iso7816::{self, Iso7816};
use super::profile::Profile;
use super::{Card, IdOrder, PinLimits};
use crate::apdu::{ApduError, Channel, Status};
use crate::reader::Atr;

/// What is known of cards beforehand: profiles and settings of the configuration.
#[derive(Debug, Clone)]
pub struct Families {
    /// Cards described in the configuration; they come before the built-in families.
    pub profiles: Vec<Profile>,
    /// How the 16 bytes of a GIDS card ID become GUID text.
    pub id_order: IdOrder,
    /// Limits for a GIDS card's PIN, where the configuration sets them.
    pub gids_limits: Option<PinLimits>,
}

impl Default for Families {
    fn default() -> Self {
        Self { profiles: Vec::new(), id_order: IdOrder::Windows, gids_limits: None }
    }
}

/// A card that is none of ours, or that did not answer.
#[derive(Debug, Error)]
pub enum DetectError {
    /// No family's application is there.
    #[error("the card (ATR {atr}) is of no known family")]
    Unknown {
        /// The card's ATR.
        atr: Atr,
        /// What was tried and how the card answered.
        tried: Vec<(String, Status)>,
    },
    /// The SELECT got no answer.
    #[error("SELECT got no answer from the card")]
    NoAnswer(#[source] ApduError),
}

/// The ATR of a Windows virtual smart card up to the vendor byte.
const VIRTUAL_SMART_CARD: [u8; 15] =
    [0x3B, 0x8D, 0x01, 0x80, 0xFB, 0xA0, 0x00, 0x00, 0x03, 0x97, 0x42, 0x54, 0x46, 0x59, 0x03];

enum Candidate<'a> {
    Profile(&'a Profile),
    Gids,
}

/// Finds the family and selects its application.
///
/// # Errors
/// No candidate's application is on the card, or the card does not answer.
pub fn detect(atr: &Atr, channel: &mut Channel<'_>, families: &Families) -> Result<Box<dyn Card>, DetectError> {
    let mut tried = Vec::new();
    for candidate in candidates(atr, families) {
        match candidate {
            Candidate::Profile(profile) => {
                let Some(aid) = &profile.aid else { return Ok(Box::new(Iso7816::new(profile.clone()))) };
                let response =
                    channel.send(&iso7816::commands::select_application(&aid.0)).map_err(DetectError::NoAnswer)?;
                if response.status().is_ok() {
                    return Ok(Box::new(Iso7816::new(profile.clone())));
                }
                tried.push((profile.name.clone(), response.status()));
            }
            Candidate::Gids => {
                let response = channel.send(&gids::commands::select()).map_err(DetectError::NoAnswer)?;
                if Gids::is_selected(&response) {
                    return Ok(Box::new(Gids::new(families.id_order, gids_limits(atr, families))));
                }
                tried.push(("GIDS".to_owned(), response.status()));
            }
        }
    }
    Err(DetectError::Unknown { atr: atr.clone(), tried })
}

/// Profiles that name this ATR, then the family that the ATR tells, then what remains. A profile that names another ATR is
/// no candidate.
fn candidates<'a>(atr: &Atr, families: &'a Families) -> Vec<Candidate<'a>> {
    let by_atr = families.profiles.iter().filter(|profile| profile.matches(atr)).map(Candidate::Profile);
    let by_aid = families.profiles.iter().filter(|profile| profile.atr.is_none()).map(Candidate::Profile);
    if says_gids(atr) {
        by_atr.chain([Candidate::Gids]).chain(by_aid).collect()
    } else {
        by_atr.chain(by_aid).chain([Candidate::Gids]).collect()
    }
}

/// The GIDS application identifier among the historical bytes (COMPACT-TLV tag F).
fn says_gids(atr: &Atr) -> bool {
    atr.bytes().windows(gids::commands::AID.len()).any(|window| window == gids::commands::AID)
}

fn gids_limits(atr: &Atr, families: &Families) -> PinLimits {
    let by_atr =
        if atr.bytes().starts_with(&VIRTUAL_SMART_CARD) { gids::VIRTUAL_CARD_LIMITS } else { gids::APPLET_LIMITS };
    families.gids_limits.unwrap_or(by_atr)
}
