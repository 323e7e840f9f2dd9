//! Key pairs and certificates that the library has put on an independent PIV card, found and used by OpenSC and Yubico's tool.

use std::fs;
use std::path::Path;

use pinwright::apdu::Channel;
use pinwright::card::{Card, CardError, Hash, KeySlot, KeyType, PinJob as _, Room, SlotChoice};
use pinwright::enroll::csr::Csr;
use pinwright::secret::Pin;
use support::openssl::Authority;
use support::pcscd::Pcscd;
use support::vcard::{Exchange, Vcard};

use super::judge::{Verdict, command, run};
use super::keys::library;
use super::yubico::Yubico;
use super::{GUID, PIN, apdu};

const GENERATE: u8 = 0x47;
const PUT_DATA: u8 = 0xDB;

/// The library's part: in a process of its own, after the management key was proved.
pub fn carry_out(card: &mut dyn Card, channel: &mut Channel<'_>, task: &[&str]) -> Result<(), CardError> {
    match *task {
        ["make a key pair", slot, key_type, folder] => {
            let slot: KeySlot = slot.parse().unwrap();
            let key_type = KeyType::ALL.into_iter().find(|known| known.name() == key_type).unwrap();
            let place = match card.keys().unwrap().room(channel, SlotChoice::Named(slot))? {
                Room::Free(place) => place,
                Room::Taken(taken) => taken.give_up(),
                Room::Full(_) => panic!("a PIV card is never full"),
            };
            let key = card.keys().unwrap().generate(channel, &place, key_type, "")?;
            card.verify_pin(channel, &Pin::new(PIN.as_bytes()).unwrap())?;
            let hash = Hash::of_key(key_type);
            let csr = Csr::sign(card.keys().unwrap(), channel, slot, &key, "CN=Card User,O=example", hash).unwrap();
            fs::write(Path::new(folder).join("made"), csr.der()).unwrap();
            Ok(())
        }
        ["write a certificate", slot, folder, name] => {
            let slot: KeySlot = slot.parse().unwrap();
            let certificate = fs::read(Path::new(folder).join(name)).unwrap();
            let certificates = card.certificates().unwrap();
            certificates.write(channel, slot, &certificate)?;
            assert_eq!(certificates.read(channel, slot)?, Some(certificate));
            assert_eq!(certificates.list(channel)?, [slot]);
            Ok(())
        }
        _ => panic!("no such task: {task:?}"),
    }
}

/// Key pair and certificate in this slot; what the card was sent.
fn enroll(pcscd: &Pcscd, card: &Vcard, authority: &Authority, slot: &str, key_type: KeyType) -> Vec<Exchange> {
    let folder = authority.folder().to_str().unwrap();
    let (verdict, mut exchanges) = library(pcscd, card, &["make a key pair", slot, key_type.name(), folder]);
    verdict.accepted();
    let issued = authority.issue(&fs::read(authority.folder().join("made")).unwrap(), slot);
    let (verdict, writing) = library(pcscd, card, &["write a certificate", slot, folder, &format!("{slot}.der")]);
    verdict.accepted();
    assert!(!issued.is_empty());
    exchanges.extend(writing);
    exchanges
}

/// OpenSC's PKCS#11 module, for the one card that is there.
fn pkcs11(pcscd: &Pcscd, arguments: &[&str]) -> Verdict {
    run(command(pcscd, "pkcs11-tool").args(["--slot-index", "0"]).args(arguments))
}

fn signs(pcscd: &Pcscd, authority: &Authority, slot: &str, id: &str, mechanism: &str) {
    let [data, signature] = ["data", "signature"].map(|file| authority.path(file));
    fs::write(&data, b"what is signed").unwrap();
    let sign = ["--sign", "--id", id, "-m", mechanism, "--signature-format", "openssl", "-i", &data, "-o", &signature];
    pkcs11(pcscd, &[&["--login", "--pin", PIN][..], &sign].concat()).accepted();
    assert!(authority.verifies(slot, mechanism, "data", "signature"));
}

#[test]
fn the_judges_find_and_use_what_the_library_has_put_on_the_card() {
    let Some(pcscd) = Pcscd::start_or_skip(2) else { return };
    for (key_type, mechanism) in
        [(KeyType::Rsa2048, "SHA256-RSA-PKCS"), (KeyType::P256, "ECDSA-SHA256"), (KeyType::P384, "ECDSA-SHA384")]
    {
        let card = Vcard::piv(&pcscd, 0, &["--guid", GUID, "--lenient"]);
        let authority = Authority::new();
        let exchanges = enroll(&pcscd, &card, &authority, "9a", key_type);
        let sent = |instruction| exchanges.iter().filter(|it| it.command[1] == instruction).count();
        assert_eq!((sent(GENERATE), sent(PUT_DATA) > 1), (1, true), "{exchanges:?}");
        // Nothing else on the card is written: CHUID and CCC stay.
        let written: Vec<_> = exchanges.iter().filter(|it| it.command.starts_with(&[0x10, PUT_DATA])).collect();
        assert!(written.iter().take(1).all(|it| it.command[5..10] == [0x5C, 0x03, 0x5F, 0xC1, 0x05]), "{written:?}");

        let issued = fs::read_to_string(authority.path("9a.pem")).unwrap();
        let objects = pkcs11(&pcscd, &["--list-objects"]).accepted();
        assert_eq!(objects.matches("Certificate Object").count(), 1, "{objects}");
        signs(&pcscd, &authority, "9a", "01", mechanism);
        let yubico = Yubico::new(&pcscd, &card);
        assert!(yubico.read_certificate("9a").accepted().contains(issued.trim()));
        yubico.verify_pin(PIN).accepted();
        let tested = yubico.test_signature("9a", PIN, &authority.path("9a.pem"), Hash::of_key(key_type)).accepted();
        assert!(tested.contains("Successful"), "{tested}");
        assert_eq!(yubico.status().guid, GUID);
        drop(card);
        pcscd.wait_for_card(0, false);
    }
}

/// Without the management key there is no key pair; without the PIN there is no signature.
#[test]
fn the_independent_card_has_the_same_access_rules() {
    let Some(pcscd) = Pcscd::start_or_skip(2) else { return };
    let card = Vcard::piv(&pcscd, 0, &["--guid", GUID]);
    let opensc = super::opensc::OpenSc::piv(&pcscd, &card);
    let generate = "0047009A05AC0380011100".to_owned();
    let answers = opensc.send(&[generate.clone(), apdu::piv_verify(PIN), generate]);
    let words: Vec<u16> = answers.iter().map(Exchange::status).collect();
    assert_eq!(words, [0x6982, 0x9000, 0x6982]);
}

/// A slot in use is given up with its certificate.
#[test]
fn a_key_that_was_given_up_takes_its_certificate_along() {
    let Some(pcscd) = Pcscd::start_or_skip(2) else { return };
    let card = Vcard::piv(&pcscd, 0, &["--guid", GUID, "--lenient"]);
    let authority = Authority::new();
    enroll(&pcscd, &card, &authority, "9a", KeyType::P256);
    let first = fs::read(authority.path("9a.der")).unwrap();
    let folder = authority.folder().to_str().unwrap();
    library(&pcscd, &card, &["make a key pair", "9a", KeyType::P256.name(), folder]).0.accepted();
    let objects = pkcs11(&pcscd, &["--list-objects"]).accepted();
    assert!(!objects.contains("Certificate Object"), "{objects}");
    let second = authority.issue(&fs::read(authority.folder().join("made")).unwrap(), "second");
    assert_ne!(first, second);
    let key = |csr: &str| fs::read(authority.path(csr)).unwrap();
    assert_ne!(key("9a.pub"), key("second.pub"));
}
