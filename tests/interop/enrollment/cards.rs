//! The cards that are enrolled: ours, and an independent one.

use pinwright::sim::card::SharedCard;
use pinwright::sim::gids::{GidsCard, GidsSettings};
use pinwright::sim::piv::{PivCard, PivSettings};
use pinwright::sim::vpcd::VpcdHandle;
use support::pcscd::Pcscd;
use support::vcard::Vcard;
use uuid::Uuid;

use crate::{GUID, PUK};

/// A card in the first reader, as a shop sells it; taken out when dropped.
pub struct Inserted {
    /// As the server is to know it.
    pub card_id: Uuid,
    /// PIV, and not GIDS.
    pub is_piv: bool,
    /// The PUK that sets its PIN; without one the server's answer does.
    pub puk: Option<&'static str>,
    _card: Kind,
}

enum Kind {
    Ours { _handle: VpcdHandle },
    Independent { _card: Vcard },
}

/// Our GIDS card, whose admin key is the template's.
pub fn gids(pcscd: &Pcscd) -> Inserted {
    let card = SharedCard::new(GidsCard::personalised(GidsSettings::default()));
    gids_in(&card, pcscd.insert(0, card.clone()))
}

/// One that is in its reader already.
pub fn gids_in(card: &SharedCard<GidsCard>, handle: VpcdHandle) -> Inserted {
    assert!(card.with(|card| card.admin_key_is(&GidsSettings::default().admin_key)));
    let card_id = Uuid::from_bytes_le(GidsSettings::default().card_id);
    Inserted { card_id, is_piv: false, puk: None, _card: Kind::Ours { _handle: handle } }
}

/// Our PIV card, with Yubico's extensions.
pub fn piv(pcscd: &Pcscd) -> Inserted {
    let settings = PivSettings { yubico: true, ..PivSettings::default() };
    let card_id = Uuid::parse_str(GUID).unwrap();
    assert_eq!(settings.guid, Some(card_id.into_bytes()));
    let handle = pcscd.insert(0, PivCard::new(settings));
    Inserted { card_id, is_piv: true, puk: Some(PUK), _card: Kind::Ours { _handle: handle } }
}

/// Nitrokey's PIV application.
pub fn nitrokey(pcscd: &Pcscd) -> Inserted {
    let card = Vcard::piv(pcscd, 0, &["--guid", GUID, "--lenient"]);
    let card_id = Uuid::parse_str(GUID).unwrap();
    Inserted { card_id, is_piv: true, puk: Some(PUK), _card: Kind::Independent { _card: card } }
}
