//! Cards with IDs of their own, all known to one server.

use std::time::Duration;

use pinwright::sim::card::SharedCard;
use pinwright::sim::gids::{GidsCard, GidsSettings};
use pinwright::sim::server::{RequestStatus, Settings, StandIn};
use pinwright::sim::vpcd::{VpcdHandle, VpcdOptions};
use uuid::Uuid;

use crate::installation::Installation;
use crate::pcscd::Pcscd;

const OLD_PIN: &[u8] = b"12345678";

/// A card that test and reader share.
pub type Card = SharedCard<GidsCard>;

fn settings(number: u32) -> GidsSettings {
    let mut settings = GidsSettings::default();
    settings.card_id[..4].copy_from_slice(&number.to_be_bytes());
    settings
}

fn guid(number: u32) -> Uuid {
    Uuid::from_bytes_le(settings(number).card_id)
}

/// The card's ID as the agent tells it.
pub fn id(number: u32) -> String {
    guid(number).to_string()
}

/// An installation with a server that has an approved request for each of the cards 0 to `count`.
pub fn installation_for(count: u32) -> Installation {
    let gids = settings(0);
    let atr = hex::encode(&gids.atr);
    let mut server = Settings::for_card(guid(0), &atr, gids.admin_key);
    for number in 1..count {
        server.add_card(guid(number), &atr);
    }
    Installation::new(server)
}

/// The same, with no request approved yet: nobody has a thousand open ones, and each card's job would read them all.
pub fn installation_to_come(count: u32) -> Installation {
    let installation = installation_for(count);
    set(&installation, &(0..count).collect::<Vec<_>>(), RequestStatus::Pending);
    installation
}

/// Sets the status of these cards' requests.
pub fn set(installation: &Installation, numbers: &[u32], status: RequestStatus) {
    installation.server.state().change(|settings| {
        for number in numbers {
            settings.requests[*number as usize].status = status;
        }
    });
}

/// One of them.
pub fn card(number: u32) -> Card {
    SharedCard::new(GidsCard::personalised(settings(number)))
}

/// Puts it into a reader, without waiting for anybody to notice.
pub fn insert(pcscd: &Pcscd, reader: usize, card: &Card, delay: Duration) -> VpcdHandle {
    let options = VpcdOptions { delay, ..VpcdOptions::local(pcscd.readers()[reader].port) };
    VpcdHandle::insert(card.clone(), &options).expect("the driver listens")
}

/// The new PIN is on it, no try is spent, nobody is authenticated.
#[track_caller]
pub fn assert_done(card: &Card, server: &StandIn) {
    let pins = server.state().pins();
    card.with(|card| {
        assert!(!card.pin_is(OLD_PIN), "the old PIN is on the card");
        assert!(pins.iter().any(|pin| card.pin_is(pin)), "a PIN that the server did not propose");
        assert_eq!(card.tries_left(), 3, "tries");
        assert_eq!(card.admin_failures(), 0, "refused admin answers");
        assert!(!card.user_authenticated() && !card.admin_authenticated(), "still unlocked");
    });
}

/// It is as it came.
#[track_caller]
pub fn assert_untouched(card: &Card) {
    card.with(|card| {
        assert!(card.pin_is(OLD_PIN), "the PIN was changed");
        assert_eq!((card.tries_left(), card.admin_failures()), (3, 0), "tries");
        assert!(!card.user_authenticated() && !card.admin_authenticated(), "still unlocked");
    });
}
