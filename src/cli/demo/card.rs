//! The virtual cards of the demonstration, and what it asks them beside the card's commands.

use std::path::Path;

use uuid::Uuid;

use super::super::sim::Family;
use crate::sim::card::{SharedCard, VirtualCard};
use crate::sim::gids::{GidsCard, GidsSettings};
use crate::sim::iso7816::{Iso7816Card, Iso7816Settings};
use crate::sim::openpgp::{OpenPgpCard, OpenPgpSettings};
use crate::sim::piv::{PivCard, PivSettings};
use crate::sim::reader::VirtualReaders;

/// The PIN that the virtual card comes with.
pub(super) const FACTORY_PIN: &[u8] = b"12345678";

/// The PUK or PW3 that it comes with.
pub(super) const CODE: &[u8] = b"97310864";

/// A virtual card that can be asked what only its maker knows.
trait ObservedCard: VirtualCard {
    fn has_pin(&self, pin: &[u8]) -> bool;
    /// The key with which somebody proves that they manage the card; a family without one has none.
    fn has_admin_key(&self, key: &[u8; 24]) -> bool;
    fn authenticated(&self) -> bool;
}

macro_rules! observed_cards {
    ($($card:ty: $has_admin_key:expr),*) => {$(
        impl ObservedCard for $card {
            fn has_pin(&self, pin: &[u8]) -> bool {
                self.pin_is(pin)
            }

            fn has_admin_key(&self, key: &[u8; 24]) -> bool {
                let asked: fn(&$card, &[u8; 24]) -> bool = $has_admin_key;
                asked(self, key)
            }

            fn authenticated(&self) -> bool {
                self.user_authenticated() || self.admin_authenticated()
            }
        }
    )*};
}
observed_cards!(
    GidsCard: GidsCard::admin_key_is,
    Iso7816Card: |_, _| false,
    PivCard: PivCard::management_key_is,
    OpenPgpCard: |_, _| false
);

/// A virtual card and what the configuration must say of it.
pub(super) struct DemoCard {
    card: SharedCard<Box<dyn ObservedCard>>,
    /// The card's ID as the server knows it.
    pub card_id: Uuid,
    family: Family,
}

impl DemoCard {
    /// A card whose PIN is to be set.
    pub(super) fn new(family: Family) -> Self {
        Self::with(family, false)
    }

    /// A card as a shop sells it, which takes a management key.
    pub(super) fn to_enroll(family: Family) -> Self {
        Self::with(family, true)
    }

    fn with(family: Family, yubico: bool) -> Self {
        let raw = GidsSettings::default().card_id;
        let pin = FACTORY_PIN.to_vec();
        let mut card_id = Uuid::from_bytes_le(raw);
        let card: Box<dyn ObservedCard> = match family {
            Family::Gids => Box::new(GidsCard::personalised(GidsSettings { pin, ..GidsSettings::default() })),
            Family::Iso7816 => {
                let card_id = raw.to_vec();
                Box::new(Iso7816Card::new(Iso7816Settings { pin, card_id, ..Iso7816Settings::default() }))
            }
            Family::Piv => {
                let guid = Some(card_id.into_bytes());
                Box::new(PivCard::new(PivSettings { pin, guid, yubico, puk: CODE.to_vec(), ..PivSettings::default() }))
            }
            Family::OpenPgp => {
                let settings = OpenPgpSettings { pw1: pin, pw3: CODE.to_vec(), ..OpenPgpSettings::default() };
                let ([m, n], [a, b, c, d]) = (settings.manufacturer, settings.serial);
                card_id = Uuid::from_bytes_le([m, n, a, b, c, d, m, n, a, b, c, d, m, n, a, b]);
                Box::new(OpenPgpCard::new(settings))
            }
        };
        Self { card: SharedCard::new(card), card_id, family }
    }

    pub(super) fn readers(&self, reader: &str) -> VirtualReaders {
        VirtualReaders::with_card(reader, self.card.clone())
    }

    pub(super) fn pin_is(&self, pin: &[u8]) -> bool {
        self.card.with(|card| card.has_pin(pin))
    }

    pub(super) fn admin_key_is(&self, key: &[u8; 24]) -> bool {
        self.card.with(|card| card.has_admin_key(key))
    }

    pub(super) fn authenticated(&self) -> bool {
        self.card.with(|card| card.authenticated())
    }

    /// The configuration's lines about the card; `code` is the file that holds its PUK or PW3.
    pub(super) fn configuration(&self, code: &Path) -> String {
        let code = code.display().to_string();
        match self.family {
            Family::Gids => String::new(),
            Family::Iso7816 => iso7816_profile(&Iso7816Settings::default()),
            Family::Piv => format!("[card]\nauthority = [\"puk\"]\npuk_file = {code:?}\n"),
            Family::OpenPgp => format!("[card]\nauthority = [\"admin-pin\"]\nadmin_pin_file = {code:?}\n"),
        }
    }
}

/// A `[[card.profile]]` for the virtual ISO 7816-4 card.
fn iso7816_profile(settings: &Iso7816Settings) -> String {
    let padding = settings.padding.map_or_else(String::new, |padding| {
        format!("padding = {}\npadded_length = {}\n", padding.byte, padding.length)
    });
    let place = match (settings.id_file, settings.id_object) {
        (Some(file), _) => format!("file = \"{file:04X}\""),
        (None, object) => format!("data_object = \"{:04X}\"", object.unwrap_or_default()),
    };
    format!(
        "[[card.profile]]\nname = \"virtual ISO 7816-4 card\"\naid = \"{}\"\ncard_id = {{ {place} }}\n\
         admin = {{ algorithm = {}, reference = {} }}\n[card.profile.pin]\nreference = {}\nmin = {}\nmax = {}\n{padding}",
        hex::encode_upper(&settings.aid),
        settings.admin_algorithm,
        settings.admin_reference,
        settings.pin_reference,
        settings.pin_min,
        settings.pin_max,
    )
}
