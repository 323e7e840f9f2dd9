//! A reader of a case, and the card in it.

use pinwright::card::family::Families;
use pinwright::card::{KeyType, KeyUsage, Room, SlotChoice};
use pinwright::job::held::OpenCard;
use pinwright::secret::Pin;
use pinwright::sim::card::SharedCard;
use pinwright::sim::gids::{GidsCard, GidsSettings};
use pinwright::sim::iso7816::{Iso7816Card, Iso7816Settings};
use pinwright::sim::openpgp::{OpenPgpCard, OpenPgpSettings};
use pinwright::sim::piv::{PivCard, PivSettings};
use pinwright::sim::reader::VirtualReaders;
use serde::Deserialize;

use crate::both::Both;
use crate::obliging::Obliging;

/// Neither the PIN nor the PUK nor PW3 of any factory.
const CHANGED: &[u8] = b"97310864";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReaderSpec {
    name: String,
    /// gids, iso7816, gids+iso7816 (both applications on one card), piv, piv+yubico (with its extensions), openpgp, foreign,
    /// obliging (an iso7816 one that answers every SELECT with 9000), mute, or nothing.
    card: Option<String>,
    /// The card's ID in the card's own order.
    pub card_id: Option<String>,
    tries_left: Option<u8>,
    atr: Option<String>,
    /// Secrets of a PIV card that are no longer the factory's: pin, puk, management-key.
    #[serde(default)]
    changed: Vec<String>,
    /// The one whose metadata don't say whether it is.
    silent: Option<String>,
    puk_left: Option<u8>,
    /// It has a key pair with a certificate in its first container.
    #[serde(default)]
    used: bool,
}

impl ReaderSpec {
    /// Puts reader and card there.
    pub fn add(&self, readers: &mut VirtualReaders) {
        let slot = readers.add(&self.name);
        let Some(kind) = &self.card else { return };
        let mut settings = GidsSettings::default();
        if let Some(id) = &self.card_id {
            settings.card_id = hex::decode(id).unwrap().try_into().unwrap();
        }
        if let Some(atr) = &self.atr {
            settings.atr = hex::decode(atr).unwrap();
        }
        settings.pin_left = self.tries_left;
        match kind.as_str() {
            "gids" if self.used => slot.insert(used(settings)),
            "gids" => slot.insert(GidsCard::personalised(settings)),
            "mute" => {
                slot.insert(GidsCard::personalised(settings));
                slot.set_mute();
            }
            "iso7816" | "obliging" => {
                let card_id = settings.card_id.to_vec();
                let card = Iso7816Card::new(Iso7816Settings { card_id, ..Iso7816Settings::default() });
                if kind == "obliging" { slot.insert(Obliging(card)) } else { slot.insert(card) }
            }
            "gids+iso7816" => {
                let mut iso = Iso7816Settings { card_id: (16..32).collect(), ..Iso7816Settings::default() };
                if self.atr.is_some() {
                    iso.atr.clone_from(&settings.atr);
                }
                let (gids, iso) = (GidsCard::personalised(settings), Iso7816Card::new(iso));
                slot.insert(Both { gids, iso, iso_selected: false });
            }
            "piv" | "piv+yubico" => slot.insert(PivCard::new(self.piv(kind == "piv+yubico"))),
            "openpgp" => slot
                .insert(OpenPgpCard::new(OpenPgpSettings { pw1_left: self.tries_left, ..OpenPgpSettings::default() })),
            "foreign" => {
                slot.insert(Iso7816Card::new(Iso7816Settings { atr: settings.atr, ..Iso7816Settings::default() }))
            }
            other => panic!("unknown card {other:?}"),
        }
    }

    fn piv(&self, yubico: bool) -> PivSettings {
        let mut settings =
            PivSettings { yubico, pin_left: self.tries_left, puk_left: self.puk_left, ..PivSettings::default() };
        for name in &self.changed {
            match name.as_str() {
                "pin" => settings.pin = CHANGED.to_vec(),
                "puk" => settings.puk = CHANGED.to_vec(),
                "management-key" => settings.management_key = [0x5A; 24],
                other => panic!("a PIV card has no {other:?}"),
            }
        }
        settings.silent_metadata = self.silent.as_ref().map(|name| match name.as_str() {
            "pin" => 0x80,
            "puk" => 0x81,
            "management-key" => 0x9B,
            other => panic!("a PIV card has no {other:?}"),
        });
        settings
    }
}

/// A card with a key pair and something in place of its certificate.
fn used(settings: GidsSettings) -> SharedCard<GidsCard> {
    const READER: &str = "where it was enrolled";
    let pin = Pin::new(&settings.pin).unwrap();
    let card = SharedCard::new(GidsCard::personalised(settings));
    let readers = VirtualReaders::with_card(READER, card.clone());
    let mut held = OpenCard::open(&readers, READER).unwrap().identify(&Families::default()).unwrap();
    held.show_pin(&pin).unwrap();
    let Room::Free(place) = held.room(SlotChoice::First(KeyUsage::Exchange)).unwrap() else { panic!("it is empty") };
    held.generate(&place, KeyType::Rsa2048, "9a1c").unwrap();
    held.write_certificate(place.slot(), b"\x30\x03\x02\x01\x00").unwrap();
    held.end().unwrap();
    card
}
