//! Cards behind contactless readers, over T=0, with ATRs of the greatest length or a wrong check byte, and with names that stand
//! in no template: the job passes, or refuses clearly before anything is risked.

use pinwright::job::Cause;
use pinwright::job::records::ResolveError;
use pinwright::provision::Asked;
use pinwright::reader::{Protocol, historical};
use pinwright::sim::card::{LinkFault, VirtualCard};
use pinwright::sim::fault::Faulty;
use support::provisioning::{CARD_A, InsertedCard, InspectableCard, JobSetup, KEY, Kind, OLD, Person, told};

/// What these cards show over their contacts.
const GIDS: &str = "3b8d0180fba000000397425446590301c8";
const PIV: &str = "3b7d96000080318065b0831117d683009000";
const OPENPGP: &str = "3bda18ff81b1fe751f030031f573c001600090001c";
/// A YubiKey 5 NFC in a contactless reader.
const YUBIKEY_NFC: &str = "3b8d80018073c021c057597562694b6579f9";

const CARDS: [(Kind, &str, &str); 5] = [
    (Kind::Gids, "server", GIDS),
    (Kind::PivYubico, "puk", PIV),
    (Kind::Piv, "current-pin", PIV),
    (Kind::OpenPgp, "admin-pin", OPENPGP),
    (Kind::OpenPgpOther, "resetting-code", OPENPGP),
];

/// A card that shows another ATR than its own.
struct Showing {
    atr: Vec<u8>,
    card: Box<dyn InspectableCard>,
}

impl VirtualCard for Showing {
    fn atr(&self) -> &[u8] {
        &self.atr
    }

    fn reset(&mut self) {
        self.card.reset();
    }

    fn power_off(&mut self) {
        self.card.power_off();
    }

    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, LinkFault> {
        self.card.transmit(command)
    }
}

impl InspectableCard for Showing {
    fn pin_is(&self, pin: &[u8]) -> bool {
        self.card.pin_is(pin)
    }

    fn tries(&self) -> u8 {
        self.card.tries()
    }

    fn admin_failures(&self) -> usize {
        self.card.admin_failures()
    }

    fn code_tries_lost(&self) -> u8 {
        self.card.code_tries_lost()
    }

    fn authenticated(&self) -> bool {
        self.card.authenticated()
    }

    fn commands(&self) -> usize {
        self.card.commands()
    }
}

fn showing(kind: Kind, atr: &[u8]) -> InsertedCard {
    let card = Showing { atr: atr.to_vec(), card: kind.card(CARD_A, KEY, OLD) };
    InsertedCard::of(Faulty::new(Box::new(card)), kind)
}

fn bytes(text: &str) -> Vec<u8> {
    hex::decode(text).unwrap()
}

/// As a contactless reader makes it up (PC/SC part 3 §3.1.3.2.3).
fn made_up(historical: &[u8]) -> Vec<u8> {
    let head = [0x80 | u8::try_from(historical.len()).unwrap(), 0x80, 0x01];
    let mut atr = [&[0x3B][..], &head, historical].concat();
    let check = atr[1..].iter().fold(0, |sum, byte| sum ^ byte);
    atr.push(check);
    atr
}

/// All interface bytes that there can be, all historical bytes, and a check byte.
fn longest() -> Vec<u8> {
    let interface = bytes("ff 11 00 00 f1 fe 00 00 f1 fe 45 00 71 fe 45 00".replace(' ', "").as_str());
    let atr = [&[0x3B][..], &interface, b"pinwright tests", &[0x2A]].concat();
    assert_eq!(atr.len(), 33);
    atr
}

/// What may be shown instead of the card's ATR over its contacts.
fn shown(contacts: &str) -> Vec<(&'static str, Vec<u8>)> {
    let contacts = bytes(contacts);
    let mut wrongly_checked = contacts.clone();
    *wrongly_checked.last_mut().unwrap() ^= 0x5A;
    let mut filled = contacts.clone();
    filled.resize(33, 0x00);
    vec![
        ("over its contacts", contacts.clone()),
        ("a contactless reader", made_up(historical(&contacts))),
        ("a contactless reader, with nothing of the card's", made_up(&[])),
        ("a YubiKey's in a contactless reader", bytes(YUBIKEY_NFC)),
        ("33 bytes of its own", longest()),
        ("33 bytes, filled with zeros", filled),
        ("a wrong check byte", wrongly_checked),
    ]
}

#[test]
fn every_family_in_every_reader() {
    for (kind, authority, contacts) in CARDS {
        for (what, atr) in shown(contacts) {
            for protocol in [Protocol::T1, Protocol::T0] {
                let case = format!("{kind:?} {authority}, {what}, {protocol}");
                let inserted = showing(kind, &atr);
                inserted.slot.set_protocol(protocol);
                let mut setup = JobSetup::new(kind, authority);
                setup.server.state().change(|settings| settings.cards[0].atr = hex::encode(&atr));
                setup.run(&inserted, &mut Person::knowing()).ok(&case);
                assert!(inserted.pin_is(&setup.server.state().last_pin().unwrap()), "{case}");
                assert!(!inserted.authenticated() && inserted.code_tries_lost() == 0, "{case}");
                setup.assert_no_violations(&case);
            }
        }
    }
}

/// The server knows the card by its ATR over the contacts: an ID of the card's own is enough, a serial number is not.
#[test]
fn a_card_that_the_server_knows_by_its_contacts() {
    for (kind, authority, contacts) in CARDS {
        for (what, atr) in shown(contacts) {
            let case = format!("{kind:?} {authority}, {what}");
            let mut setup = JobSetup::new(kind, authority);
            setup.asked = Asked::ByInsertion;
            setup.server.state().change(|settings| settings.cards[0].atr = contacts.to_owned());
            let inserted = showing(kind, &atr);
            let run = setup.run(&inserted, &mut Person::knowing());
            let is_same = pinwright::reader::Atr::new(&atr).to_string() == contacts;
            if is_same || !matches!(kind, Kind::OpenPgp | Kind::OpenPgpOther) {
                run.ok(&case);
                continue;
            }
            let failure = run.failed_untouched(&case);
            assert!(
                matches!(*failure.cause, Cause::Resolve(ResolveError::OtherAtr { .. })),
                "{case}: {}",
                told(&failure)
            );
            assert!(failure.cause.remedy().contains("pinwright"), "{case}: {}", told(&failure));
            inserted.assert_not_risked(&case);
        }
    }
}

/// The answer to SELECT is the name of the application and nothing around it.
#[test]
fn a_name_without_a_template() {
    for (kind, authority, name, passes) in [
        (Kind::Piv, "puk", "a000000308000010000100", true),
        (Kind::Piv, "puk", "a000000308", true),
        (Kind::OpenPgp, "admin-pin", "d27600012401", true),
        (Kind::OpenPgp, "admin-pin", "d276000124010304000500000a1b0000", true),
        (Kind::Gids, "server", "a0000003974254465902", false),
    ] {
        let case = format!("{kind:?} {name}");
        let inserted = InsertedCard::new(kind);
        let answer = [bytes(name), vec![0x90, 0x00]].concat();
        inserted.forge(move |command, was| {
            let is_select = command.starts_with(&[0x00, 0xA4, 0x04]) && was.ends_with(&[0x90, 0x00]);
            if is_select { answer.clone() } else { was }
        });
        let mut setup = JobSetup::new(kind, authority);
        let run = setup.run(&inserted, &mut Person::knowing());
        if passes {
            run.ok(&case);
            assert!(inserted.pin_is(&setup.server.state().last_pin().unwrap()), "{case}");
            continue;
        }
        let failure = run.failed_untouched(&case);
        assert!(told(&failure).contains("of no known family"), "{case}: {}", told(&failure));
        assert!(failure.cause.remedy().contains("[[card.profile]]"), "{case}: {}", told(&failure));
        inserted.assert_not_risked(&case);
    }
}
