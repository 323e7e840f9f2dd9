//! Key pairs and certificates that the library has put on our own cards, found and used by OpenSC and Yubico's tool.

use std::fs;

use pinwright::apdu::Channel;
use pinwright::card::family::{Families, detect};
use pinwright::card::{
    Card, Credential, Hash, KeySlot, KeyType, KeyUsage, PinJob as _, PublicKey, Room, SlotChoice, answer_with_admin_key,
};
use pinwright::enroll::csr::{Csr, check_certificate};
use pinwright::reader::{EndAction, Readers as _};
use pinwright::secret::{AdminKey, Pin};
use pinwright::sim::card::{SharedCard, VirtualCard};
use pinwright::sim::gids::{GidsCard, GidsSettings};
use pinwright::sim::piv::{PivCard, PivSettings};
use pinwright::sim::reader::VirtualReaders;
use support::openssl::Authority;
use support::pcscd::Pcscd;

use super::pcscd_with;

const GIDS_PIN: &str = "12345678";
const PIV_PIN: &str = "123456";

/// Has the library enroll the card, in a reader of this process: key pair, request, certificate, which is read back.
fn enroll<C: VirtualCard + 'static>(
    card: &SharedCard<C>,
    authority: &Authority,
    (choice, key_type): (SlotChoice, KeyType),
    name: &str,
) {
    let readers = VirtualReaders::with_card("Desk 1", card.clone());
    let mut connection = readers.open("Desk 1").unwrap();
    let atr = connection.atr().clone();
    let mut channel = Channel::new(connection.as_mut());
    let mut card = detect(&atr, &mut channel, &Families::default()).unwrap();
    card.identify(&mut channel).unwrap();
    let (slot, key) = make(card.as_mut(), &mut channel, choice, key_type, name);
    let hash = Hash::of_key(key_type);
    let csr = Csr::sign(card.keys().unwrap(), &mut channel, slot, &key, "CN=Card User,O=example", hash).unwrap();
    let certificate = authority.issue(csr.der(), name);
    check_certificate(&certificate, csr.key()).unwrap();
    let certificates = card.certificates().unwrap();
    certificates.write(&mut channel, slot, &certificate).unwrap();
    assert_eq!(certificates.read(&mut channel, slot).unwrap(), Some(certificate));
    connection.end(EndAction::Reset).unwrap();
}

fn make(
    card: &mut dyn Card,
    channel: &mut Channel<'_>,
    choice: SlotChoice,
    key_type: KeyType,
    name: &str,
) -> (KeySlot, PublicKey) {
    let Room::Free(place) = card.keys().unwrap().room(channel, choice).unwrap() else { panic!("it is in use") };
    let is_piv = matches!(place.slot(), KeySlot::Piv(_));
    if is_piv {
        let key = AdminKey::new(&PivSettings::default().management_key).unwrap();
        let challenge = card.challenge(channel).unwrap();
        card.authorize(channel, &Credential::Answer(answer_with_admin_key(&key, &challenge).unwrap())).unwrap();
    }
    let verify = |card: &mut dyn Card, channel: &mut Channel<'_>| {
        let pin = if is_piv { PIV_PIN } else { GIDS_PIN };
        card.verify_pin(channel, &Pin::new(pin.as_bytes()).unwrap()).unwrap();
    };
    verify(card, channel);
    let key = card.keys().unwrap().generate(channel, &place, key_type, name).unwrap();
    verify(card, channel);
    (place.slot(), key)
}

/// Runs a tool to its end; its own claim, and all that it said.
fn run(pcscd: &Pcscd, tool: &str, arguments: &[&str]) -> (bool, String) {
    let mut command = pcscd.command("timeout");
    let output = command.args(["--kill-after=5", "60", tool]).args(arguments).output().unwrap();
    assert_ne!(output.status.code(), Some(127), "{tool} is not installed: `make test` installs it");
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

#[track_caller]
fn accepted(pcscd: &Pcscd, tool: &str, arguments: &[&str]) -> String {
    let (success, said) = run(pcscd, tool, arguments);
    assert!(success, "{tool} {arguments:?}: {said}");
    said
}

/// Has OpenSC sign a file with the object of this ID, and OpenSSL verify it with the certificate.
fn signs(pcscd: &Pcscd, authority: &Authority, (name, id): (&str, &str), mechanism: &str, pin: &str) {
    let [data, signature] = ["data", "signature"].map(|file| authority.path(file));
    fs::write(&data, b"what is signed").unwrap();
    drop(fs::remove_file(&signature));
    let login = ["--slot-index", "0", "--login", "--pin", pin];
    let sign = ["--sign", "--id", id, "-m", mechanism, "--signature-format", "openssl", "-i", &data, "-o", &signature];
    accepted(pcscd, "pkcs11-tool", &[&login[..], &sign].concat());
    assert!(authority.verifies(name, mechanism, "data", "signature"), "{name}");
    fs::write(&data, b"something else").unwrap();
    assert!(!authority.verifies(name, mechanism, "data", "signature"), "{name}");
}

#[test]
fn opensc_finds_and_uses_what_the_library_has_put_on_a_gids_card() {
    let Some(pcscd) = pcscd_with(2) else { return };
    let (card, authority) = (SharedCard::new(GidsCard::personalised(GidsSettings::default())), Authority::new());
    // The table of containers gets another place with the fourth one, and the table of files two blocks.
    let names = ["first", "second", "third", "fourth"];
    for (name, usage) in names.into_iter().zip([KeyUsage::Exchange, KeyUsage::Signature].into_iter().cycle()) {
        enroll(&card, &authority, (SlotChoice::First(usage), KeyType::Rsa2048), name);
    }
    let _inserted = pcscd.insert(0, card.clone());

    let dump = accepted(&pcscd, "pkcs15-tool", &["--reader", "0", "--dump"]);
    assert_eq!(
        (dump.matches("ModLength      : 2048").count(), dump.matches("X.509 Certificate").count()),
        (8, 4),
        "{dump}"
    );
    for (number, name) in names.into_iter().enumerate() {
        assert!(dump.contains(&format!("Private RSA Key [{name}]")), "{name}: {dump}");
        let id = format!("{number:02X}");
        let read = accepted(&pcscd, "pkcs15-tool", &["--reader", "0", "--read-certificate", &id]);
        let issued = fs::read_to_string(authority.path(&format!("{name}.pem"))).unwrap();
        assert!(read.contains(issued.trim()), "{read}");
        signs(&pcscd, &authority, (name, &id), "SHA256-RSA-PKCS", GIDS_PIN);
    }
    let objects = accepted(&pcscd, "pkcs11-tool", &["--slot-index", "0", "--list-objects"]);
    assert_eq!(objects.matches("Certificate Object").count(), 4, "{objects}");
    let test = accepted(&pcscd, "pkcs11-tool", &["--slot-index", "0", "--login", "--pin", GIDS_PIN, "--test"]);
    // OpenSC asks no GIDS card for random bytes; all else it can do with these keys.
    let errors: Vec<_> = test.lines().map(str::trim).filter(|line| line.starts_with("ERR")).collect();
    let is_of_random =
        |line: &&str| line.contains("C_GenerateRandom") && line.ends_with("CKR_FUNCTION_NOT_SUPPORTED (0x54)");
    assert!(!errors.is_empty() && errors.iter().all(is_of_random), "{test}");
    for done in ["SHA256-RSA-PKCS: OK", "Decryption", "testing key 1 (second) -- can't be used to decrypt"] {
        assert!(test.contains(done), "{done}: {test}");
    }
}

/// OpenSC goes on with the card: it removes what the library has made, and the library makes another key in its place.
#[test]
fn opensc_and_the_library_take_turns_on_a_gids_card() {
    let Some(pcscd) = pcscd_with(2) else { return };
    let (card, authority) = (SharedCard::new(GidsCard::blank()), Authority::new());
    let inserted = pcscd.insert(0, card.clone());
    let key = support::opensc::ADMIN_KEY;
    let blank = ["--reader", "0", "--initialize", "--admin-key", key, "--pin", GIDS_PIN, "--serial-number"];
    accepted(&pcscd, "gids-tool", &[&blank[..], &["00112233445566778899AABBCCDDEEFF"]].concat());
    let login = ["--slot-index", "0", "--login", "--pin", GIDS_PIN];
    accepted(
        &pcscd,
        "pkcs11-tool",
        &[&login[..], &["--keypairgen", "--key-type", "rsa:2048", "--label", "theirs"]].concat(),
    );
    drop(inserted);

    enroll(&card, &authority, (SlotChoice::First(KeyUsage::Exchange), KeyType::Rsa2048), "ours");
    let inserted = pcscd.insert(0, card.clone());
    let objects = accepted(&pcscd, "pkcs11-tool", &[&login[..], &["--list-objects", "--type", "privkey"]].concat());
    assert!(objects.contains("theirs") && objects.contains("ours"), "{objects}");
    for kind in ["cert", "privkey"] {
        accepted(&pcscd, "pkcs11-tool", &[&login[..], &["--delete-object", "--type", kind, "--id", "01"]].concat());
    }
    accepted(
        &pcscd,
        "pkcs11-tool",
        &[&login[..], &["--keypairgen", "--key-type", "rsa:2048", "--label", "again"]].concat(),
    );
    drop(inserted);

    enroll(&card, &authority, (SlotChoice::First(KeyUsage::Exchange), KeyType::Rsa2048), "last");
    let _inserted = pcscd.insert(0, card.clone());
    signs(&pcscd, &authority, ("last", "02"), "SHA256-RSA-PKCS", GIDS_PIN);
}

#[test]
fn opensc_and_yubico_find_and_use_what_the_library_has_put_on_a_piv_card() {
    let Some(pcscd) = pcscd_with(2) else { return };
    for (key_type, mechanism) in
        [(KeyType::Rsa2048, "SHA256-RSA-PKCS"), (KeyType::P256, "ECDSA-SHA256"), (KeyType::P384, "ECDSA-SHA384")]
    {
        let settings = PivSettings { yubico: true, ..PivSettings::default() };
        let (card, authority) = (SharedCard::new(PivCard::new(settings)), Authority::new());
        for slot in ["9a", "9c", "9d"] {
            enroll(&card, &authority, (SlotChoice::Named(slot.parse().unwrap()), key_type), slot);
        }
        let inserted = pcscd.insert(0, card.clone());
        let objects = accepted(&pcscd, "pkcs11-tool", &["--slot-index", "0", "--list-objects"]);
        assert_eq!(objects.matches("Certificate Object").count(), 3, "{objects}");
        for (slot, id) in [("9a", "01"), ("9c", "02")] {
            let read = accepted(&pcscd, "pkcs15-tool", &["--reader", "0", "--read-certificate", id]);
            let issued = authority.path(&format!("{slot}.pem"));
            assert!(read.contains(fs::read_to_string(&issued).unwrap().trim()), "{read}");
            signs(&pcscd, &authority, (slot, id), mechanism, PIV_PIN);
            let (reader, hash) = (&pcscd.readers()[0].name, Hash::of_key(key_type).name().replace('-', ""));
            let read = accepted(
                &pcscd,
                "yubico-piv-tool",
                &["--reader", reader, "--action", "read-certificate", "--slot", slot],
            );
            assert!(read.contains(fs::read_to_string(&issued).unwrap().trim()), "{read}");
            let test = ["--reader", reader, "--action", "verify-pin", "--action", "test-signature", "--pin", PIV_PIN];
            let said = accepted(
                &pcscd,
                "yubico-piv-tool",
                &[&test[..], &["--slot", slot, "--input", &issued, "--hash", &hash]].concat(),
            );
            assert!(
                said.contains("Successful ECDSA verification") || said.contains("Successful RSA verification"),
                "{said}"
            );
        }
        drop(inserted);
        pcscd.wait_for_card(0, false);
    }
}

/// Commands of OpenSC's tools and of the library for the same on the same card, each from the first SELECT on.
#[test]
fn the_library_sends_a_gids_card_fewer_commands_than_opensc() {
    let Some(pcscd) = pcscd_with(2) else { return };
    let (card, authority) = (SharedCard::new(GidsCard::personalised(GidsSettings::default())), Authority::new());
    let seen = || card.with(|card| card.commands_seen());
    let before = seen();
    enroll(&card, &authority, (SlotChoice::First(KeyUsage::Exchange), KeyType::Rsa2048), "ours");
    let ours = seen() - before;

    let _inserted = pcscd.insert(0, card.clone());
    let login = ["--slot-index", "0", "--login", "--pin", GIDS_PIN];
    let certificate = authority.path("ours.der");
    let mut theirs = 0;
    for (what, arguments) in [
        ("key pair", &["--keypairgen", "--key-type", "rsa:2048", "--label", "theirs", "--id", "01"][..]),
        ("certificate", &["--write-object", &certificate, "--type", "cert", "--id", "01"]),
    ] {
        let before = seen();
        accepted(&pcscd, "pkcs11-tool", &[&login[..], arguments].concat());
        println!("OpenSC, {what}: {} commands", seen() - before);
        theirs += seen() - before;
    }
    println!("the library, key pair, request, certificate, all of it read back: {ours} commands");
    assert!(2 * ours < theirs, "{ours}, and OpenSC {theirs}");
}
