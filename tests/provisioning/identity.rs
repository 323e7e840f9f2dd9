//! Which card is it? IDs that tell nothing, IDs in other places, and what looks like a master file.

use pinwright::card::CardError;
use pinwright::job::{Cause, Step};
use pinwright::sim::fault::{Fault, Faulty};
use pinwright::sim::gids::{GidsCard, GidsSettings};
use support::provisioning::{CARD_A, CARD_B, InsertedCard, JobSetup, KEY, Kind, OLD, Person, guid, told};

fn gids() -> GidsCard {
    GidsCard::personalised(GidsSettings {
        card_id: CARD_A,
        admin_key: KEY,
        pin: OLD.to_vec(),
        ..GidsSettings::default()
    })
}

fn inserted(card: GidsCard) -> InsertedCard {
    InsertedCard::of(Faulty::new(Box::new(card)), Kind::Gids)
}

fn record(directory: &str, name: &str, object: u32, file: u32) -> Vec<u8> {
    let mut record = Vec::new();
    for text in [directory, name] {
        record.extend(text.bytes().chain(std::iter::repeat(0)).take(9));
    }
    record.extend([0, 0]);
    record.extend(object.to_le_bytes());
    record.extend(file.to_le_bytes());
    record
}

fn table(records: &[Vec<u8>]) -> Vec<u8> {
    [vec![1], records.concat()].concat()
}

#[test]
fn an_id_that_tells_nothing_ends_the_job_before_the_server_hears_of_it() {
    let mut setup = JobSetup::new(Kind::Gids, "server");
    let ids: [(&str, Vec<u8>); 6] = [
        ("zero", vec![0; 16]),
        ("erased", vec![0xFF; 16]),
        ("short", vec![7; 15]),
        ("long", vec![7; 17]),
        ("huge", vec![7; 200]),
        ("empty", Vec::new()),
    ];
    for (case, id) in ids {
        let mut card = gids();
        card.preset_object(0xA012, 0xDF20, &id);
        let inserted = inserted(card);
        let failure = setup.run(&inserted, &mut Person::default()).failed_untouched(case);
        assert_eq!(failure.step, Step::Identify, "{case}");
        assert!(matches!(*failure.cause, Cause::Card(CardError::UnusableId(_))), "{case}: {}", told(&failure));
        assert!(failure.cause.remedy().contains("initialised"), "{case}");
        inserted.assert_not_risked(case);
        assert!(setup.server.requests().is_empty(), "{case}");
    }
    // No such object at all.
    let mut card = gids();
    card.preset_object(0xA000, 0xDF1F, &table(&[record("", "cardid", 0xDF21, 0xA013)]));
    let inserted = inserted(card);
    let failure = setup.run(&inserted, &mut Person::default()).failed_untouched("missing");
    assert!(matches!(*failure.cause, Cause::Card(CardError::Refused { .. })), "{}", told(&failure));
    assert!(setup.server.requests().is_empty());
}

#[test]
fn the_same_on_an_iso_card() {
    use pinwright::sim::iso7816::{Iso7816Card, Iso7816Settings};
    for kind in [Kind::Iso, Kind::IsoImplicit] {
        let mut setup = JobSetup::new(kind, "server");
        for (case, id) in [("zero", vec![0; 16]), ("erased", vec![0xFF; 16]), ("short", vec![7; 6])] {
            let settings = Iso7816Settings {
                card_id: id,
                admin_key: KEY,
                pin: OLD.to_vec(),
                implicit: kind == Kind::IsoImplicit,
                ..Iso7816Settings::default()
            };
            let inserted = InsertedCard::of(Faulty::new(Box::new(Iso7816Card::new(settings))), kind);
            let failure = setup.run(&inserted, &mut Person::default()).failed_untouched(case);
            assert_eq!(failure.step, Step::Identify, "{case}: {}", told(&failure));
            assert!(setup.server.requests().is_empty(), "{case}");
            inserted.assert_not_risked(case);
        }
    }
}

#[test]
fn the_master_file_says_where_the_id_is() {
    let tables: [(&str, Vec<u8>); 4] = [
        ("elsewhere", table(&[record("mscp", "", 0, 0xA000), record("", "cardid", 0xDF2F, 0xA010)])),
        ("in capitals", table(&[record("", "CARDID", 0xDF2F, 0xA010)])),
        (
            "a namesake in a folder first",
            table(&[record("mscp", "cardid", 0xDF20, 0xA012), record("", "cardid", 0xDF2F, 0xA010)]),
        ),
        ("a record without a file first", table(&[record("", "cardid", 0, 0), record("", "cardid", 0xDF2F, 0xA010)])),
    ];
    for (case, table) in tables {
        let mut setup = JobSetup::new(Kind::Gids, "server");
        let mut card = gids();
        card.preset_object(0xA000, 0xDF1F, &table);
        card.preset_object(0xA010, 0xDF2F, &CARD_B);
        let inserted = inserted(card);
        let outcome = setup.run(&inserted, &mut Person::default()).ok(case);
        assert_eq!(outcome.card.card_id.guid(), guid(CARD_B), "{case}");
        assert!(inserted.pin_is(&setup.server.state().last_pin().unwrap()), "{case}");
        setup.assert_no_violations(case);
    }
}

#[test]
fn no_master_file_means_the_generic_place() {
    for word in [0x6A82, 0x6A88, 0x6D00, 0x6982] {
        let mut setup = JobSetup::new(Kind::Gids, "server");
        let faulty = Faulty::new(Kind::Gids.card(CARD_A, KEY, OLD)).at(1, Fault::StatusWord(word));
        let inserted = InsertedCard::of(faulty, Kind::Gids);
        let outcome = setup.run(&inserted, &mut Person::default()).ok("no master file");
        assert_eq!(outcome.card.card_id.guid(), guid(CARD_A));
    }
}

#[test]
fn a_master_file_that_is_garbage_is_not_guessed_at() {
    let mut setup = JobSetup::new(Kind::Gids, "server");
    let tables: [(&str, Vec<u8>); 5] = [
        ("empty", Vec::new()),
        ("a version only", vec![1]),
        ("ones", vec![0xFF; 200]),
        ("cut off", table(&[record("", "cardid", 0xDF20, 0xA012)])[..28].to_vec()),
        ("no such file", table(&[record("", "cardapps", 0xDF21, 0xA010)])),
    ];
    for (case, table) in tables {
        let mut card = gids();
        card.preset_object(0xA000, 0xDF1F, &table);
        let inserted = inserted(card);
        let failure = setup.run(&inserted, &mut Person::default()).failed_untouched(case);
        assert_eq!(failure.step, Step::Identify, "{case}");
        assert!(matches!(*failure.cause, Cause::Card(CardError::Incomplete { .. })), "{case}: {}", told(&failure));
        inserted.assert_not_risked(case);
    }
    assert!(setup.server.requests().is_empty());
}

/// The server's record must be this card's, whatever the list gave.
#[test]
fn a_record_of_another_card_is_refused() {
    let mut setup = JobSetup::new(Kind::Gids, "server");
    setup.wanted.smartcard = Some(uuid::uuid!("17cf063d-e337-4aa9-a822-346554ddd3ca"));
    let inserted = inserted(gids());
    let failure = setup.run(&inserted, &mut Person::default()).failed_untouched("B's record for A");
    assert!(matches!(*failure.cause, Cause::Resolve(_)), "{}", told(&failure));
    setup.wanted.smartcard = None;
    setup.wanted.request = Some(uuid::uuid!("a9b4b42c-cc50-4c9b-89d1-bbc0bcd5a09a"));
    let failure = setup.run(&inserted, &mut Person::default()).failed_untouched("B's request for A");
    assert!(matches!(*failure.cause, Cause::Resolve(_)), "{}", told(&failure));
    inserted.assert_not_risked("another record");
}
