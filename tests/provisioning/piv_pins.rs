//! PIV cards with two PINs, and cards that do not tell the counter of the one that they have.

use pinwright::card::CardError;
use pinwright::exit::Exit;
use pinwright::job::{Cause, Step};
use pinwright::provision::RiskedProof;
use pinwright::provision::plan::{Surroundings, plan};
use pinwright::sim::fault::Faulty;
use pinwright::sim::piv::{PivCard, PivSettings};
use support::provisioning::{
    CARD_A, CODE, ISO_ATR, InsertedCard, JobSetup, KEY, Kind, Lines, OLD, Person, TRIES, guid, issuer, told,
};

/// The application's PIN, where [`OLD`] is the Global one.
const APPLICATION: &[u8] = b"13572468";
const DISCOVERY: &[u8] = b"\x00\xCB\x3F\xFF\x03\x5C\x01\x7E\x00";

fn inserted(change: impl FnOnce(&mut PivSettings)) -> InsertedCard {
    let mut settings = PivSettings {
        atr: ISO_ATR.to_vec(),
        guid: Some(guid(CARD_A).into_bytes()),
        pin: OLD.to_vec(),
        puk: CODE.to_vec(),
        management_key: KEY,
        ..PivSettings::default()
    };
    change(&mut settings);
    InsertedCard::of(Faulty::new(Box::new(PivCard::new(settings))), Kind::Piv)
}

/// As in the field: `7E124F0BA0000003080000100001005F2F026020`.
fn prefers_global(settings: &mut PivSettings) {
    settings.pin_policy = Some([0x60, 0x20]);
    settings.global_pin = Some(OLD.to_vec());
    settings.pin = APPLICATION.to_vec();
}

fn setup(authority: &str, card: &str) -> JobSetup {
    JobSetup::with(Kind::Piv, authority, &Lines { card: card.to_owned(), ..Lines::default() }, |_| {})
}

/// P2 of the commands with this instruction, in order.
fn references(inserted: &InsertedCard, instruction: u8) -> Vec<u8> {
    let of = |command: &Vec<u8>| (command.get(1) == Some(&instruction)).then(|| command[3]);
    inserted.card.with(|tap| tap.sent.iter().filter_map(of).collect())
}

fn discoveries(inserted: &InsertedCard) -> usize {
    inserted.card.with(|tap| tap.sent.iter().filter(|command| command.as_slice() == DISCOVERY).count())
}

#[test]
fn a_card_that_prefers_its_global_pin_is_shown_no_puk() {
    let inserted = inserted(prefers_global);
    let mut setup = setup("puk", "");
    let mut person = Person::knowing();
    let failure = setup.run(&inserted, &mut person).failed_untouched("puk");
    assert!(matches!(*failure.cause, Cause::NoAuthority { .. }), "{}", told(&failure));
    assert!(
        told(&failure).contains("prefers the Global PIN") && told(&failure).contains("current-pin"),
        "{}",
        told(&failure)
    );
    assert!(person.asked.is_empty() && setup.server.requests().is_empty());
    assert!(references(&inserted, 0x2C).is_empty() && references(&inserted, 0x20).is_empty());
    // The next authority of the configuration is taken instead.
    let mut setup = self::setup("puk\", \"current-pin", "");
    setup.run(&inserted, &mut Person::knowing()).ok("current-pin");
    assert!(references(&inserted, 0x2C).is_empty());
}

#[test]
fn the_global_pin_is_changed_with_its_own_reference() {
    let inserted = inserted(prefers_global);
    let mut setup = setup("current-pin", "");
    setup.run(&inserted, &mut Person::knowing()).ok("current-pin");
    assert_eq!(references(&inserted, 0x24), [0x00]);
    assert_eq!(references(&inserted, 0x20), [0x00, 0x00], "counter and verification");
    inserted.card.with(|tap| {
        assert!(tap.faulty.card().pin_is(APPLICATION), "the application's PIN is as it was");
        assert_eq!(tap.faulty.card().tries(), TRIES);
    });
}

/// No try of the Global PIN is risked that can't be counted, whatever a person allows.
#[test]
fn an_uncounted_global_pin_is_left_alone() {
    for risk in [false, true] {
        let inserted = inserted(|settings| {
            prefers_global(settings);
            settings.status_refused = Some(0x6700);
        });
        let mut setup = setup("current-pin", "");
        setup.risk = risk.then_some(RiskedProof::Pin);
        let failure = setup.run(&inserted, &mut Person::knowing()).failed_untouched("uncounted");
        assert!(matches!(*failure.cause, Cause::Card(CardError::UncountedGlobalPin)), "{}", told(&failure));
        assert!(failure.cause.remedy().contains("card.piv_pin"), "{}", failure.cause.remedy());
        assert!(references(&inserted, 0x24).is_empty());
    }
}

#[test]
fn the_configuration_has_the_applications_pin_set() {
    for policy in [[0x60, 0x20], [0x60, 0x00]] {
        let inserted = inserted(|settings| {
            prefers_global(settings);
            settings.pin_policy = Some(policy);
        });
        let mut setup = setup("puk", "piv_pin = \"application\"");
        setup.run(&inserted, &mut Person::knowing()).ok("application");
        assert_eq!((references(&inserted, 0x2C), references(&inserted, 0x20)), (vec![0x80], vec![0x80]));
        assert_eq!(discoveries(&inserted), 0);
    }
}

#[test]
fn without_a_preference_the_applications_pin_is_set_with_one_command_more() {
    for policy in [None, Some([0x40, 0x10]), Some([0x40, 0x00]), Some([0x60, 0x10])] {
        let inserted = inserted(|settings| settings.pin_policy = policy);
        let mut setup = setup("puk", "");
        let mut person = Person { at_hand: vec![pinwright::job::secrets::Need::Puk], ..Person::knowing() };
        setup.run(&inserted, &mut person).ok("puk");
        assert_eq!((references(&inserted, 0x2C), discoveries(&inserted)), (vec![0x80], 1), "{policy:?}");
        assert_eq!(inserted.apdus(), 8, "{policy:?}");
    }
}

#[test]
fn a_preference_that_can_not_be_read_stops_the_job() {
    type Answer = &'static [u8];
    let answers: [(&str, Answer); 4] = [
        ("cut off", b"\x7E\x12\x4F\x0B\xA0\x00\x90\x00"),
        ("no policy", b"\x7E\x02\x4F\x00\x90\x00"),
        ("neither of the two", b"\x7E\x05\x5F\x2F\x02\x60\x00\x90\x00"),
        ("refused", b"\x69\x82"),
    ];
    for (case, answer) in answers {
        let inserted = inserted(|_| {});
        inserted.instead(move |command| (command == DISCOVERY).then(|| answer.to_vec()));
        let mut setup = setup("puk", "");
        let failure = setup.run(&inserted, &mut Person::knowing()).failed_untouched(case);
        assert_eq!(failure.step, Step::Identify, "{case}");
        assert!(failure.cause.remedy().contains("card.piv_pin"), "{case}: {}", told(&failure));
        inserted.assert_not_risked(case);
        assert!(setup.server.requests().is_empty(), "{case}");
    }
}

/// VERIFY without data is refused: the counter is untold, no try is spent, and a person decides.
#[test]
fn a_refused_question_for_the_counter_is_told_as_such() {
    for word in [0x6700, 0x6A80, 0x6A86, 0x6D00] {
        let refuses = |settings: &mut PivSettings| settings.status_refused = Some(word);
        let inserted = self::inserted(refuses);
        let mut setup = setup("current-pin", "");
        let failure = setup.run(&inserted, &mut Person::knowing()).failed_untouched("refused");
        assert!(matches!(*failure.cause, Cause::CounterRefused { what: "PIN", .. }), "{}", told(&failure));
        assert!(failure.cause.to_string().contains(&format!("{word:04X}")), "{}", failure.cause);
        assert!(
            failure.cause.remedy().contains("pinwright set-pin --risk-uncounted=pin"),
            "{}",
            failure.cause.remedy()
        );
        assert_eq!(Exit::from(&failure), Exit::Attention);
        inserted.assert_not_risked("refused");
        let around = Surroundings {
            readers: &inserted.readers,
            journal: setup.journal.as_ref(),
            elsewhere: None,
            can_supply: &|_| true,
            is_agreed: true,
            interrupted: &false.into(),
        };
        let planned = plan(&setup.job(), around, &mut issuer(&setup.config)).unwrap();
        let obstacle = planned.obstacle.expect("the job would stop");
        assert!(matches!(*obstacle.cause, Cause::CounterRefused { .. }), "{obstacle:?}");
        setup.risk = Some(RiskedProof::Pin);
        setup.run(&inserted, &mut Person::knowing()).ok("risked");
        assert_eq!(references(&inserted, 0x24), [0x80]);
    }
    // These answer the question, and these are no such refusal.
    for (word, few) in [(0x6983, true), (0x63C1, true), (0x6F00, false), (0x6982, false)] {
        let inserted = self::inserted(|settings| settings.status_refused = Some(word));
        let mut setup = setup("current-pin", "");
        setup.risk = Some(RiskedProof::Pin);
        let failure = setup.run(&inserted, &mut Person::knowing()).failed_untouched("told");
        assert_eq!(matches!(*failure.cause, Cause::FewTries { .. }), few, "{word:04X}: {}", told(&failure));
        assert!(references(&inserted, 0x24).is_empty(), "{word:04X}");
    }
}

/// Letters, where the configuration allows them and the card says that it is a YubiKey.
#[test]
fn a_yubikeys_pin_may_have_letters() {
    const YUBIKEY: &[u8] =
        b"\x3B\xFD\x13\x00\x00\x81\x31\xFE\x15\x80\x73\xC0\x21\xC0\x57\x59\x75\x62\x69\x4B\x65\x79\x40";
    for (atr, card, fits) in [
        (YUBIKEY, "pin_characters = \"ascii\"", true),
        (YUBIKEY, "pin_characters = \"digits\"", false),
        (YUBIKEY, "", false),
        (ISO_ATR, "pin_characters = \"ascii\"", false),
    ] {
        let inserted = inserted(|settings| (settings.atr, settings.letters) = (atr.to_vec(), true));
        let mut setup =
            JobSetup::with(Kind::Piv, "puk", &Lines { card: card.to_owned(), ..Lines::default() }, |settings| {
                settings.pin_maker = pinwright::sim::server::PinMaker::Fixed(b"Hunter22".to_vec());
            });
        setup.server.state().change(|settings| settings.cards[0].atr = hex::encode(atr));
        let run = setup.run(&inserted, &mut Person::knowing());
        if fits {
            run.ok(card);
            assert!(inserted.pin_is(b"Hunter22"));
        } else {
            let failure = run.failed_untouched(card);
            assert!(matches!(*failure.cause, Cause::Fit(_)), "{}", told(&failure));
            inserted.assert_not_risked(card);
        }
    }
}
