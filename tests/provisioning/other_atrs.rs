//! Cards that show another ATR than the server's record or the journal has.

use pinwright::job::effect::ProofState;
use pinwright::job::journal::{Facts, JobKind, Journal, Moment, Phase, Stage};
use pinwright::job::records::ResolveError;
use pinwright::job::secrets::SecretError;
use pinwright::job::{Cause, Step};
use pinwright::provision::{Asked, RiskedProof};
use pinwright::sim::fault::Faulty;
use pinwright::sim::gids::{GidsCard, GidsSettings};
use pinwright::sim::piv::{PivCard, PivSettings};
use support::provisioning::{CARD_A, InsertedCard, JobSetup, KEY, Kind, Lines, OLD, Person, guid, told};

const COLD: &str = "3b8d0180fba000000397425446590301c8";
const WARM: &str = "3b8d0180fba000000397425446590401cf";
/// Names other families than GIDS.
const YUBIKEY: &str = "3bfd1300008131fe158073c021c057597562694b657940";

fn bytes(text: &str) -> Vec<u8> {
    hex::decode(text).unwrap()
}

fn gids(cold: &str, warm: &str) -> InsertedCard {
    let settings = GidsSettings {
        atr: bytes(cold),
        warm_atr: Some(bytes(warm)),
        card_id: CARD_A,
        admin_key: KEY,
        pin: OLD.to_vec(),
        ..GidsSettings::default()
    };
    InsertedCard::of(Faulty::new(Box::new(GidsCard::personalised(settings))), Kind::Gids)
}

fn recorded(setup: &JobSetup, atr: &str) {
    setup.server.state().change(|settings| settings.cards[0].atr = atr.to_owned());
}

/// The same card with power just on and after a reset, in another reader, and in the words of other clients.
#[test]
fn another_atr_of_the_same_card() {
    let filled = format!("{COLD:0<66}");
    let spaced = "3b 8d 01 80 fb a0 00 00 03 97 42 54 46 59 03 01 c8";
    // What the record has, what the card shows, and whether strictness would refuse it.
    for (theirs, ours, differs) in [
        (WARM, COLD, true),
        (COLD, WARM, true),
        ("3b 8d 01", COLD, true),
        ("3B:8D:01", COLD, true),
        (COLD, "3b80800101", true),
        (spaced, COLD, false),
        (COLD, &filled, false),
    ] {
        let inserted = gids(ours, ours);
        let mut setup = JobSetup::new(Kind::Gids, "server");
        recorded(&setup, theirs);
        setup.run(&inserted, &mut Person::default()).ok(theirs);
        assert!(inserted.pin_is(&setup.server.state().last_pin().unwrap()), "{theirs}");
        setup.assert_no_violations(theirs);
        let inserted = gids(ours, ours);
        let strict = Lines { card: "atr = \"strict\"".to_owned(), ..Lines::default() };
        let mut setup = JobSetup::with(Kind::Gids, "server", &strict, |_| {});
        recorded(&setup, theirs);
        let run = setup.run(&inserted, &mut Person::default());
        if differs {
            let failure = run.failed_untouched(theirs);
            assert!(matches!(*failure.cause, Cause::Resolve(ResolveError::OtherAtr { .. })), "{}", told(&failure));
            inserted.assert_not_risked(theirs);
        } else {
            run.ok(theirs);
        }
    }
    // The reset at the end of one job does not make the card a stranger to the next.
    let inserted = gids(COLD, WARM);
    let mut setup = JobSetup::new(Kind::Gids, "server");
    recorded(&setup, COLD);
    for case in ["cold", "warm"] {
        setup.run(&inserted, &mut Person::default()).ok(case);
    }
}

/// Another family's ATR in the record, and an ID that is six bytes repeated and tells less: a person decides, an agent does not.
#[test]
fn an_atr_that_may_be_another_cards_is_asked_about() {
    let yubikey = || (gids(COLD, COLD), JobSetup::new(Kind::Gids, "server"), YUBIKEY, "piv or openpgp");
    let openpgp = || {
        let setup = JobSetup::new(Kind::OpenPgp, "admin-pin");
        (InsertedCard::new(Kind::OpenPgp), setup, "3b8d01", "something shorter")
    };
    for set_up in [&yubikey as &dyn Fn() -> (InsertedCard, JobSetup, &'static str, &'static str), &openpgp] {
        let (inserted, mut setup, theirs, says) = set_up();
        recorded(&setup, theirs);
        setup.asked = Asked::ByInsertion;
        let failure = setup.run(&inserted, &mut Person::knowing()).failed_untouched(theirs);
        assert!(matches!(*failure.cause, Cause::Resolve(ResolveError::OtherAtr { .. })), "{}", told(&failure));
        assert!(told(&failure).contains(says), "{}", told(&failure));
        setup.asked = Asked::ByPerson;
        let mut person = Person { declines: true, ..Person::knowing() };
        let failure = setup.run(&inserted, &mut person).failed_untouched(theirs);
        assert!(matches!(*failure.cause, Cause::Secret(SecretError::Declined)), "{}", told(&failure));
        assert!(person.told_of_atr.as_ref().is_some_and(|told| told.contains(says)), "{:?}", person.told_of_atr);
        let failure =
            setup.run(&inserted, &mut Person { is_absent: true, ..Person::knowing() }).failed_untouched(theirs);
        assert_eq!(failure.step, Step::Consent);
        inserted.assert_not_risked(theirs);
        assert!(setup.server.state().last_pin().is_none(), "{theirs}");
        // A yes that was said beforehand is none to a record of another family's card, unless it is named.
        if theirs == YUBIKEY {
            let failure = setup.run(&inserted, &mut Person::knowing()).failed_untouched(theirs);
            assert!(failure.cause.remedy().contains("`--smartcard`"), "{}", told(&failure));
            setup.wanted.smartcard = Some(setup.server.state().change(|settings| settings.cards[0].uuid));
        }
        setup.run(&inserted, &mut Person::knowing()).ok(theirs);
    }
}

/// A PIV card whose profile names its ATR of another reader, and says that it must not be asked for its counter: by the server's
/// record or by the journal the card is known to be under it.
#[test]
fn a_profile_is_found_by_an_atr_that_the_card_is_known_by() {
    const PROFILE: &str = r#"piv_pin = "application"
[[card.profile]]
name = "silent"
atr = "3b8d01"
aid = "A00000030800001000"
card_id = { data_object = "5FC102", tags = ["53", "34"], order = "raw" }
pin = { reference = 0x80, padding = 0xFF, padded_length = 8, characters = "digits", status_query = false }"#;
    let lines = || Lines { card: PROFILE.to_owned(), ..Lines::default() };
    for (theirs, in_journal, is_silent) in [("3b8d01", false, true), ("", true, true), ("", false, false)] {
        let case = format!("record {theirs:?}, journal {in_journal}");
        let inserted = InsertedCard::of(
            Faulty::new(Box::new(PivCard::new(PivSettings {
                guid: Some(guid(CARD_A).into_bytes()),
                pin: OLD.to_vec(),
                management_key: KEY,
                ..PivSettings::default()
            }))),
            Kind::Piv,
        );
        let mut setup = JobSetup::with(Kind::Piv, "current-pin", &lines(), |_| {});
        recorded(&setup, theirs);
        setup.risk = Some(RiskedProof::Pin);
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::new(folder.path().join("journal"), std::time::Duration::from_secs(3600));
        if in_journal {
            let facts = Facts { atr: Some("3b8d01".to_owned()), ..Facts::default() };
            let moment = Moment { facts, ..Moment::new(Stage::Prove, Phase::Refused, ProofState::NotShown) };
            journal.claim(guid(CARD_A)).unwrap().begin(JobKind::SetPin, moment).unwrap();
        }
        setup.journal = Some(journal);
        setup.run(&inserted, &mut Person::knowing()).ok(&case);
        let asked = inserted
            .card
            .with(|tap| tap.sent.iter().any(|command| command.starts_with(b"\x00\x20") && command.len() < 6));
        assert_eq!(asked, !is_silent, "{case}");
        assert!(inserted.pin_is(&setup.server.state().last_pin().unwrap()), "{case}");
    }
}
