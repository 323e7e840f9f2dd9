//! A GIDS card's admin key written by the library, and by OpenSC: each takes the other's.

use pinwright::apdu::Channel;
use pinwright::card::family::{Families, detect};
use pinwright::card::{Card, CardError, KeyAlgorithm};
use pinwright::reader::{EndAction, Readers as _};
use pinwright::secret::AdminKey;
use pinwright::sim::card::SharedCard;
use pinwright::sim::gids::{GidsCard, GidsSettings};
use pinwright::sim::reader::VirtualReaders;

use super::pcscd_with;
use support::opensc::{self, ADMIN_KEY};
use support::pcscd::Pcscd;

/// Two keys with three different parts each.
const OURS: &str = "981540F87A2907F81CFBA16E2AC42AC7E397D3584AD56408";
const THEIRS: &str = "7C38B5A4D3E60192F81C5E2946B7A3D04F6E8B1DC2957A30";

fn key(digits: &str) -> AdminKey {
    AdminKey::from_hex(digits.as_bytes()).unwrap()
}

/// Has the library do something to the card, in a reader of this process.
fn library(
    card: &SharedCard<GidsCard>,
    job: impl FnOnce(&mut dyn Card, &mut Channel<'_>) -> Result<(), CardError>,
) -> Result<(), CardError> {
    let readers = VirtualReaders::with_card("Desk 1", card.clone());
    let mut connection = readers.open("Desk 1").unwrap();
    let atr = connection.atr().clone();
    let mut channel = Channel::new(connection.as_mut());
    let mut gids = detect(&atr, &mut channel, &Families::default()).unwrap();
    let result = job(gids.as_mut(), &mut channel);
    connection.end(EndAction::Reset).unwrap();
    result
}

fn replace(card: &SharedCard<GidsCard>, old: &str, new: &str) -> Result<(), CardError> {
    library(card, |gids, channel| {
        let change = gids.admin_key_change().unwrap();
        change.prove_admin_key(channel, &key(old))?;
        change.write_admin_key(channel, KeyAlgorithm::TripleDes, &key(new))?;
        change.prove_admin_key(channel, &key(new))
    })
}

fn unblocks(pcscd: &Pcscd, key: &str) -> bool {
    opensc::run(pcscd, "gids-tool", 0, &["--unblock", "--admin-key", key, "--pin", "24681357"]).success
}

#[test]
fn opensc_and_the_library_take_each_others_admin_key() {
    let Some(pcscd) = pcscd_with(2) else { return };
    let card = SharedCard::new(GidsCard::personalised(GidsSettings::default()));
    replace(&card, ADMIN_KEY, OURS).unwrap();
    assert_eq!(card.with(|card| card.admin_failures()), 0);

    let inserted = pcscd.insert(0, card.clone());
    assert!(!unblocks(&pcscd, ADMIN_KEY), "the old key");
    assert!(unblocks(&pcscd, OURS), "the key that the library has written");
    let change = ["--change-admin-key", "--admin-key", OURS, "--new-admin-key", THEIRS];
    let changed = opensc::run(&pcscd, "gids-tool", 0, &change);
    assert!(changed.success, "{}", changed.text);
    drop(inserted);

    let refused = replace(&card, OURS, ADMIN_KEY).unwrap_err();
    assert_eq!(refused.status().map(|status| status.word()), Some(0x6982));
    replace(&card, THEIRS, ADMIN_KEY).unwrap();
    assert!(card.with(|card| card.pin_is(b"24681357")));
}
