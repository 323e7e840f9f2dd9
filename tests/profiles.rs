//! The card profiles that are shipped: each is taken, tells its card, and does on it what it says.
#![cfg(feature = "sim")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::path::{Path, PathBuf};

use pinwright::apdu::Channel;
use pinwright::card::family::{Reason, find};
use pinwright::card::{Card, Challenge, Credential, PinJob as _, Proof, Tries, answer_with_admin_key};
use pinwright::config::Config;
use pinwright::reader::{EndAction, Readers};
use pinwright::secret::{AdminKey, Pin};
use pinwright::sim::card::SharedCard;
use pinwright::sim::iso7816::{Iso7816Card, Iso7816Settings};
use pinwright::sim::reader::VirtualReaders;

const ID: &str = "3ff188bcba833740826246eba1291c6e";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/profiles")
}

/// A configuration that names all these files, in a folder of this user's own: where the repository is others may write.
fn config(names: &[&str]) -> Config {
    let own = tempfile::tempdir().unwrap();
    let copied = |name: &&str| {
        let path = own.path().join(name);
        std::fs::copy(folder().join(name), &path).unwrap();
        path
    };
    let paths: Vec<PathBuf> = names.iter().map(copied).collect();
    let file = own.path().join("config.toml");
    std::fs::write(&file, format!("[card]\nprofile_files = {paths:?}\n")).unwrap();
    Config::load(Some(&file), &[]).unwrap()
}

fn card(settings: Iso7816Settings) -> SharedCard<Iso7816Card> {
    SharedCard::new(Iso7816Card::new(Iso7816Settings { card_id: hex::decode(ID).unwrap(), ..settings }))
}

/// Finds the card's family by the shipped profiles and gives what it is called, why, and its exchanges.
fn with_card<T>(
    card: &SharedCard<Iso7816Card>,
    profiles: &[&str],
    look: impl FnOnce(&str, Reason, &mut dyn Card, &mut Channel<'_>) -> T,
) -> T {
    let config = config(profiles);
    let readers = VirtualReaders::with_card("Reader", card.clone());
    let mut connection = readers.open("Reader").unwrap();
    let atr = connection.atr().clone();
    let mut channel = Channel::new(connection.as_mut());
    let mut found = find(&atr, &mut channel, &config.families).unwrap();
    let result = look(&found.application.name, found.application.reason, found.card.as_mut(), &mut channel);
    connection.end(EndAction::Reset).unwrap();
    result
}

fn idprime(atr: &str) -> SharedCard<Iso7816Card> {
    card(Iso7816Settings {
        atr: hex::decode(atr).unwrap(),
        aid: hex::decode("A000000018800000000662").unwrap(),
        id_object: None,
        pin_reference: 0x11,
        pin_max: 16,
        ..Iso7816Settings::default()
    })
}

#[test]
fn every_shipped_file_is_taken_alone_and_all_together() {
    let mut names: Vec<String> = Vec::new();
    for entry in std::fs::read_dir(folder()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.ends_with(".toml") {
            assert_eq!(config(&[&name]).families.profiles.len(), 1, "{name}");
            let pasted = std::fs::read_to_string(folder().join(&name)).unwrap();
            assert_eq!(Config::from_toml(&pasted).unwrap().families.profiles.len(), 1, "{name}");
            names.push(name);
        }
    }
    assert!(names.len() >= 2, "{names:?}");
    let all: Vec<&str> = names.iter().map(String::as_str).collect();
    assert_eq!(config(&all).families.profiles.len(), names.len());
}

/// The makes that OpenSC's driver knows.
#[test]
fn idprime_is_told_by_its_atr_and_identified_and_nothing_else_is_sent() {
    for atr in [
        "3B7F96000080318065B084413DF6120FFE829000",
        "3B7F96000080318065B084565110120FFE829000",
        "3B7F11000080318065B0846160FB12FFFE829000",
        "3B7F96000080318065B0850300EF120FFE829000",
        "3B7F96000080318065B0855956FB120FFE829000",
    ] {
        let card = idprime(atr);
        with_card(&card, &["idprime-md.toml", "generic-iso7816.toml"], |name, reason, family, channel| {
            assert_eq!((name, reason, channel.exchanges()), ("IDPrime MD", Reason::ProfileAtr, 1), "{atr}");
            assert_eq!(family.identify(channel).unwrap().raw_hex(), ID);
            assert_eq!(family.confirm(channel).unwrap().raw_hex(), ID);
            assert_eq!(family.tries_left(channel).unwrap(), Tries::Untold);
            for proof in Proof::ALL {
                assert!(!family.takes(proof), "{proof:?}");
            }
        });
        let sent = card.with(|card| card.headers().to_vec());
        assert_eq!(sent, [[0, 0xA4, 4, 0], [0, 0xA4, 0, 0], [0, 0xB0, 0, 0], [0, 0xB0, 0, 0]], "{atr}");
    }
}

#[test]
fn the_generic_card_is_set_a_pin_as_its_profile_says() {
    let settings = Iso7816Settings::default();
    let key = AdminKey::new(&settings.admin_key).unwrap();
    let card = card(settings);
    with_card(&card, &["generic-iso7816.toml"], |name, reason, family, channel| {
        assert_eq!((name, reason), ("ISO 7816-4 card", Reason::Order));
        assert_eq!(family.identify(channel).unwrap().raw_hex(), ID);
        assert_eq!(family.tries_left(channel).unwrap(), Tries::Left { left: 3, max: None });
        let challenge: Challenge = family.challenge(channel).unwrap();
        let answer = Credential::Answer(answer_with_admin_key(&key, &challenge).unwrap());
        family.authorize(channel, &answer).unwrap();
        family.set_pin(channel, &answer, &Pin::new(b"246813").unwrap()).unwrap();
        family.verify_pin(channel, &Pin::new(b"246813").unwrap()).unwrap();
    });
    assert!(card.with(|card| card.pin_is(b"246813") && !card.user_authenticated() && !card.admin_authenticated()));
}

/// A wrong profile for a card that has another application behind the same ATR costs one SELECT, and no more.
#[test]
fn an_atr_without_the_application_costs_one_select() {
    let other = card(Iso7816Settings {
        atr: hex::decode("3B7F96000080318065B084413DF6120FFE829000").unwrap(),
        ..Iso7816Settings::default()
    });
    with_card(&other, &["idprime-md.toml", "generic-iso7816.toml"], |name, _, _, channel| {
        assert_eq!(name, "ISO 7816-4 card");
        // IDPrime, then PIV, GIDS, OpenPGP, then this one.
        assert_eq!(channel.exchanges(), 5);
    });
}
