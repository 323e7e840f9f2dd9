//! Deauthentication by command, for whoever lets go of a card without a reset: the PIN step itself ends with a reset.

#![cfg(feature = "sim")]
#![allow(clippy::unwrap_used, missing_docs)]

use pinwright::apdu::Channel;
use pinwright::card::family::{Families, detect};
use pinwright::card::{Credential, PinJob as _, answer_with_admin_key};
use pinwright::reader::{EndAction, Readers};
use pinwright::secret::{AdminKey, Pin};
use pinwright::sim::card::SharedCard;
use pinwright::sim::gids::{GidsCard, GidsSettings};
use pinwright::sim::reader::VirtualReaders;

#[test]
fn forget_drops_the_administrator_and_the_user() {
    let settings = GidsSettings::default();
    let key = AdminKey::new(&settings.admin_key).unwrap();
    let pin = Pin::new(&settings.pin).unwrap();
    let card = SharedCard::new(GidsCard::personalised(settings));
    let readers = VirtualReaders::with_card("Desk 1", card.clone());
    let mut connection = readers.open("Desk 1").unwrap();
    let atr = connection.atr().clone();
    let mut channel = Channel::new(connection.as_mut());
    let mut gids = detect(&atr, &mut channel, &Families::default()).unwrap();
    let authenticated = || card.with(|card| (card.admin_authenticated(), card.user_authenticated()));

    let challenge = gids.challenge(&mut channel).unwrap();
    let answer = Credential::Answer(answer_with_admin_key(&key, &challenge).unwrap());
    gids.authorize(&mut channel, &answer).unwrap();
    gids.verify_pin(&mut channel, &pin).unwrap();
    assert_eq!(authenticated(), (true, true));

    gids.forget(&mut channel).unwrap();
    assert_eq!(authenticated(), (false, false));
    assert_eq!(card.with(|card| card.headers().last().copied()), Some([0x00, 0x20, 0x00, 0x82]));
    // Left as it is: no reset has done what the command is for.
    connection.end(EndAction::Leave).unwrap();
    assert_eq!(authenticated(), (false, false));
}
