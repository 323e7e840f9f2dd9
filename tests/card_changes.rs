//! New admin keys and codes on the virtual cards, by the capabilities that a card hands out: `dyn Card` and nothing of a family.

#![cfg(feature = "sim")]
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use pinwright::apdu::{Channel, Command};
use pinwright::card::family::{Families, detect};
use pinwright::card::{
    AdminKeyHindrance, Card, CardError, Credential, KeyAlgorithm, PinJob as _, Proof, answer_with_admin_key,
};
use pinwright::reader::{EndAction, Readers};
use pinwright::secret::{AdminKey, Code, Pin};
use pinwright::sim::card::{SharedCard, VirtualCard};
use pinwright::sim::fault::{Fault, Faulty};
use pinwright::sim::gids::{GidsCard, GidsSettings};
use pinwright::sim::openpgp::{OpenPgpCard, OpenPgpSettings};
use pinwright::sim::piv::{PivCard, PivSettings};
use pinwright::sim::reader::VirtualReaders;

/// Three different parts, none of them weak.
const NEW: [u8; 24] =
    *b"\x98\x15\x40\xF8\x7A\x29\x07\xF8\x1C\xFB\xA1\x6E\x2A\xC4\x2A\xC7\xE3\x97\xD3\x58\x4A\xD5\x64\x08";

fn key(bytes: &[u8]) -> AdminKey {
    AdminKey::new(bytes).unwrap()
}

fn code(text: &str) -> Code {
    Code::new(text.as_bytes()).unwrap()
}

/// Opens the card, finds its family, and lets go of it without a reset.
fn with_card<C: VirtualCard + Send + 'static, T>(
    card: &SharedCard<C>,
    job: impl FnOnce(&mut dyn Card, &mut Channel<'_>) -> T,
) -> T {
    let readers = VirtualReaders::with_card("Desk 1", card.clone());
    let mut connection = readers.open("Desk 1").unwrap();
    let atr = connection.atr().clone();
    let mut channel = Channel::new(connection.as_mut());
    let mut found = detect(&atr, &mut channel, &Families::default()).unwrap();
    found.identify(&mut channel).unwrap();
    let result = job(found.as_mut(), &mut channel);
    connection.end(EndAction::Leave).unwrap();
    result
}

fn word(error: &CardError) -> Option<u16> {
    error.status().map(|status| status.word())
}

fn authorize(card: &mut dyn Card, channel: &mut Channel<'_>, key: &AdminKey) -> Result<(), CardError> {
    let challenge = card.challenge(channel)?;
    card.authorize(channel, &Credential::Answer(answer_with_admin_key(key, &challenge)?))
}

fn write(card: &mut dyn Card, channel: &mut Channel<'_>, key: &AdminKey) -> Result<(), CardError> {
    card.admin_key_change().unwrap().write_admin_key(channel, KeyAlgorithm::TripleDes, key)
}

fn prove(card: &mut dyn Card, channel: &mut Channel<'_>, key: &AdminKey) -> Result<(), CardError> {
    card.admin_key_change().unwrap().prove_admin_key(channel, key)
}

/// Cards as measured, stricter ones, and one that knows mutual authentication only.
fn gids_cards() -> [GidsSettings; 4] {
    [
        GidsSettings::default(),
        GidsSettings { check_kcv: true, ..GidsSettings::default() },
        GidsSettings { admin_tries: Some(3), ..GidsSettings::default() },
        GidsSettings { mutual_only: true, check_kcv: true, ..GidsSettings::default() },
    ]
}

#[test]
fn a_new_admin_key_counts_at_once_and_is_proved_by_a_new_challenge() {
    for (number, settings) in gids_cards().into_iter().enumerate() {
        let (old, pin) = (key(&settings.admin_key), Pin::new(&settings.pin).unwrap());
        let card = SharedCard::new(GidsCard::personalised(settings));
        let is_new = || card.with(|card| card.admin_key_is(&NEW));
        let new = key(&NEW);
        with_card(&card, |gids, channel| {
            // Neither nobody nor the user has the right.
            assert_eq!(word(&write(gids, channel, &new).unwrap_err()), Some(0x6982), "{number}");
            gids.verify_pin(channel, &pin).unwrap();
            assert_eq!(word(&write(gids, channel, &new).unwrap_err()), Some(0x6982), "{number}");
            assert!(!is_new(), "{number}");

            authorize(gids, channel, &old).unwrap();
            let before = channel.exchanges();
            write(gids, channel, &new).unwrap();
            assert_eq!(channel.exchanges(), before + 1, "one command");
            assert!(is_new() && card.with(|card| card.admin_authenticated()), "{number}");
            prove(gids, channel, &new).unwrap();
            assert_eq!(card.with(|card| card.admin_failures()), 0, "{number}");

            // The old one is refused, once, and ends what was authenticated.
            assert_eq!(word(&prove(gids, channel, &old).unwrap_err()), Some(0x6982), "{number}");
            assert_eq!(card.with(|card| (card.admin_failures(), card.admin_authenticated())), (1, false), "{number}");
            assert_eq!(word(&write(gids, channel, &old).unwrap_err()), Some(0x6982), "{number}");
            assert!(is_new(), "{number}");
        });
    }
}

/// Key first, PIN second: one authentication does for both, since the key keeps the administrator and the PIN ends him.
#[test]
fn one_authentication_does_for_key_and_pin() {
    let settings = GidsSettings::default();
    let old = key(&settings.admin_key);
    let card = SharedCard::new(GidsCard::personalised(settings));
    with_card(&card, |gids, channel| {
        let challenge = gids.challenge(channel).unwrap();
        let answer = Credential::Answer(answer_with_admin_key(&old, &challenge).unwrap());
        gids.authorize(channel, &answer).unwrap();
        write(gids, channel, &key(&NEW)).unwrap();
        gids.set_pin(channel, &answer, &Pin::new(b"24681357").unwrap()).unwrap();
        assert_eq!(word(&write(gids, channel, &old).unwrap_err()), Some(0x6982));
    });
    assert!(card.with(|card| card.admin_key_is(&NEW) && card.pin_is(b"24681357") && !card.admin_authenticated()));
}

/// Whichever of the two was lost on its way: the proof tells which key the card has.
#[test]
fn a_lost_answer_leaves_either_key_and_the_proof_tells_which() {
    for (fault, written) in [(Fault::LostAnswer, true), (Fault::LostCommand, false)] {
        let settings = GidsSettings::default();
        let (old, new) = (key(&settings.admin_key), key(&NEW));
        let card = SharedCard::new(Faulty::new(GidsCard::personalised(settings)));
        let lost = with_card(&card, |gids, channel| {
            authorize(gids, channel, &old).unwrap();
            card.with(|card| card.next(fault));
            write(gids, channel, &new).unwrap_err()
        });
        assert!(matches!(lost, CardError::NoAnswer { command: "PUT DATA admin key", .. }), "{lost}");
        assert_eq!(card.with(|card| card.card().admin_key_is(&NEW)), written);
        with_card(&card, |gids, channel| {
            assert_eq!(prove(gids, channel, &new).is_ok(), written);
            assert_eq!(prove(gids, channel, &old).is_ok(), !written);
        });
    }
}

#[test]
fn a_key_that_the_card_refuses_leaves_the_old_one() {
    let settings = GidsSettings::default();
    let old = key(&settings.admin_key);
    let card = SharedCard::new(Faulty::new(GidsCard::personalised(settings)));
    with_card(&card, |gids, channel| {
        authorize(gids, channel, &old).unwrap();
        card.with(|card| card.next(Fault::StatusWord(0x6A84)));
        assert_eq!(word(&write(gids, channel, &key(&NEW)).unwrap_err()), Some(0x6A84));
        prove(gids, channel, &old).unwrap();
    });
    assert_eq!(card.with(|card| card.card().admin_failures()), 0);
}

#[test]
fn a_new_management_key_and_a_new_puk_on_a_piv_card() {
    let settings = PivSettings { yubico: true, ..PivSettings::default() };
    let (old, new) = (key(&settings.management_key), key(&NEW));
    let card = SharedCard::new(PivCard::new(settings));
    with_card(&card, |piv, channel| {
        assert_eq!(word(&write(piv, channel, &new).unwrap_err()), Some(0x6982));
        prove(piv, channel, &old).unwrap();
        write(piv, channel, &new).unwrap();
        prove(piv, channel, &new).unwrap();
        assert_eq!(word(&prove(piv, channel, &old).unwrap_err()), Some(0x6982));

        let change = piv.code_change().unwrap();
        assert_eq!(change.code(), Proof::Puk);
        assert_eq!(word(&change.change_code(channel, &code("00000000"), &code("86420975")).unwrap_err()), Some(0x63C2));
        change.change_code(channel, &code("12345678"), &code("86420975")).unwrap();
        assert!(piv.certificate_files().is_none());
    });
    assert!(card.with(|card| card.puk_is(b"86420975") && card.puk_tries_left() == 3 && card.admin_failures() == 1));
}

/// SP 800-73-4 has no command for it: a card without Yubico's extensions is not sent one.
#[test]
fn a_piv_card_by_the_book_gets_no_new_management_key() {
    let settings = PivSettings::default();
    let old = key(&settings.management_key);
    let card = SharedCard::new(PivCard::new(settings));
    with_card(&card, |piv, channel| {
        prove(piv, channel, &old).unwrap();
        let refused = write(piv, channel, &key(&NEW)).unwrap_err();
        assert!(matches!(refused, CardError::Incomplete { missing: "command to set the management key", .. }));
    });
    assert!(card.with(|card| card.headers().iter().all(|header| header[1] != 0xFF)));
}

#[test]
fn a_new_admin_pin_on_an_openpgp_card() {
    let card = SharedCard::new(OpenPgpCard::new(OpenPgpSettings::default()));
    let new_pin = Pin::new(b"24681357").unwrap();
    with_card(&card, |openpgp, channel| {
        assert!(openpgp.admin_key_change().is_none() && openpgp.certificate_files().is_none());
        let change = openpgp.code_change().unwrap();
        assert_eq!(change.code(), Proof::AdminPin);
        let (old, new) = (code("12345678"), code("correct horse"));
        assert_eq!(word(&change.change_code(channel, &code("87654321"), &new).unwrap_err()), Some(0x63C2));
        change.change_code(channel, &old, &new).unwrap();
        assert!(openpgp.authorize(channel, &Credential::AdminPin(&old)).is_err());
        openpgp.authorize(channel, &Credential::AdminPin(&new)).unwrap();
        openpgp.set_pin(channel, &Credential::AdminPin(&new), &new_pin).unwrap();
    });
    assert!(card.with(|card| card.pin_is(b"24681357") && card.admin_tries_left() == 3));
}

/// What keeps a card's key from becoming the server's is told before anything is written.
#[test]
fn keys_that_are_left_as_they_are_are_told_with_the_reason() {
    let hindrance = |card: &SharedCard<PivCard>| {
        with_card(card, |piv, channel| {
            drop(piv.challenge(channel));
            piv.admin_key_change().unwrap().hindrance(channel).unwrap()
        })
    };
    let piv = |settings| SharedCard::new(PivCard::new(settings));
    let yubico = || PivSettings { yubico: true, ..PivSettings::default() };
    assert_eq!(hindrance(&piv(yubico())), None);
    assert_eq!(hindrance(&piv(PivSettings::default())), Some(AdminKeyHindrance::NoCommand));
    for (byte, algorithm) in [(0x08, KeyAlgorithm::Aes128), (0x0A, KeyAlgorithm::Aes192), (0x0C, KeyAlgorithm::Aes256)]
    {
        for yubico in [false, true] {
            let settings = PivSettings { yubico, management_algorithm: byte, ..PivSettings::default() };
            let told = hindrance(&piv(settings)).unwrap();
            assert_eq!(told, AdminKeyHindrance::Algorithm(algorithm));
            assert!(told.reason().contains(algorithm.name()));
        }
    }
    // As ykman notes it: PUK blocked, key stored, key derived.
    for (notes, expected) in [
        ("8003810101", None),
        ("8003810102", Some(AdminKeyHindrance::PinProtected)),
        ("8003810103", Some(AdminKeyHindrance::PinProtected)),
        ("80128210000102030405060708090A0B0C0D0E0F", Some(AdminKeyHindrance::PinProtected)),
        ("80068304000000FF", None),
    ] {
        let card = piv(yubico());
        with_card(&card, |piv, channel| {
            authorize(piv, channel, &key(&PivSettings::default().management_key)).unwrap();
            let notes = hex::decode(notes).unwrap();
            let object = [&[0x5C, 0x03, 0x5F, 0xFF, 0x00, 0x53, notes.len().try_into().unwrap()][..], &notes].concat();
            let put = Command::new(0x00, 0xDB, 0x3F, 0xFF).data(&object);
            assert!(channel.send(&put).unwrap().status().is_ok());
        });
        assert_eq!(hindrance(&card), expected, "{notes}");
    }
    let gids = SharedCard::new(GidsCard::personalised(GidsSettings::default()));
    with_card(&gids, |gids, channel| {
        let before = channel.exchanges();
        assert_eq!(gids.admin_key_change().unwrap().hindrance(channel).unwrap(), None);
        assert_eq!(channel.exchanges(), before);
    });
}
