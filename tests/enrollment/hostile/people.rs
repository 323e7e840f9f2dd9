//! Cards that are exchanged or full, and people who say no, yes, or nothing.

use super::*;

#[test]
fn another_card_at_any_exchange_is_not_written_to() {
    let exchanges = {
        let mut site = Site::new(Faulty::new(gids()), template(true));
        let job = site.job(Purpose::Enroll);
        site.done(&job);
        site.card.with(|card| card.exchanges())
    };
    let mut sample = Sample::from(0);
    for at in (0..exchanges).filter(|_| sample.takes()) {
        let other = GidsCard::personalised(GidsSettings {
            card_id: CARD_B,
            admin_key: *b"another card's admin key",
            pin: b"97531".to_vec(),
            ready_keys: ready(),
            ..GidsSettings::default()
        });
        let other = pinwright::sim::card::SharedCard::new(other);
        let card = Faulty::new(gids()).at(at, Fault::Swap(Box::new(other.clone())));
        let mut site = Site::new(card, template(true));
        let job = site.job(Purpose::Enroll);
        let ended = site.run(&job);
        let case = format!("exchange {at} of {exchanges}");
        let state = other
            .with(|card| (card.pin_is(b"97531"), card.admin_key_is(b"another card's admin key"), card.has_key(0x81)));
        assert_eq!(state, (true, true, false), "{case}: {:?}", ended.err().as_ref().map(told));
    }
}

fn full(settings: GidsSettings) -> GidsCard {
    GidsCard::personalised(settings)
}

#[test]
fn a_full_card_is_told_and_what_is_on_it_is_lost_to_a_yes_alone() {
    // The card has room for one key pair, and an enrollment has taken it.
    let card = full(GidsSettings {
        card_id: CARD_A,
        admin_key: KEY,
        pin: OLD.to_vec(),
        ready_keys: ready(),
        key_files_max: 1,
        ..GidsSettings::default()
    });
    let mut site = Site::new(card, template(false));
    let job = site.job(Purpose::Enroll);
    site.done(&job);
    site.done(&site.job(Purpose::Retire));
    let failure = site.run(&job).unwrap_err();
    println!("{} -> {:?}", told(&failure), stop(&failure).map(Stop::remedy));
    let erase = EnrollJob { erase: true, ..site.job(Purpose::Enroll) };
    match site.run(&erase) {
        Ok(Ended::Done(outcome)) => assert_eq!(outcome.certificates.len(), 1),
        Ok(other) => panic!("{other:?}"),
        Err(failure) => println!("with --erase: {} -> {:?}", told(&failure), stop(&failure).map(Stop::remedy)),
    }
    assert_eq!(site.card.with(|card| card.admin_failures()), 0);
}

#[test]
fn a_no_changes_nothing_and_a_later_yes_goes_on() {
    let mut site = Site::new(gids(), template(false));
    let job = site.job(Purpose::Enroll);
    let failure = site.run_with(&job, &mut Person { declines: true, ..Person::knowing() }, &mut |_| {}).unwrap_err();
    assert_eq!(Exit::from(&failure), Exit::Interrupted, "{}", told(&failure));
    assert!(site.server.requests().iter().all(|call| call.method == "GET") && site.records().is_empty());
    cut_at(&mut site, &job, Step::BindCard, 0);
    let failure = site.run_with(&job, &mut Person { declines: true, ..Person::knowing() }, &mut |_| {}).unwrap_err();
    assert_eq!(Exit::from(&failure), Exit::Interrupted, "{}", told(&failure));
    assert_eq!(site.calls("POST", "/smartcards"), 0);
    site.done(&job);
    nothing_twice(&site, "yes");
}

#[test]
fn nobody_is_worked_for_with_the_card_of_another_user() {
    let mut settings = template(false);
    settings.add_card(guid(CARD_A), "");
    settings.cards[0].user = Uuid::from_u128(7);
    let mut site = Site::new(gids(), settings);
    let job = site.job(Purpose::Enroll);
    let failure = site.run(&job).unwrap_err();
    println!("{}", told(&failure));
    assert!(site.server.requests().iter().all(|call| call.method == "GET"), "{}", site.lines());
}

/// The record's ATR is that of a PIV card, and the card is a GIDS card with the same ID.
#[test]
fn a_card_that_may_be_another_one_is_asked_about_before_anything_is_written() {
    let site = || {
        let mut settings = template(true);
        settings.add_card(guid(CARD_A), "3bfd1300008131fe158073c021c057597562694b657940");
        Site::new(gids(), settings)
    };
    // A yes that was said beforehand is none to this, and nobody says one to the agent.
    for asked in [Asked::ByPerson, Asked::ByInsertion] {
        let mut site = site();
        let job = EnrollJob { asked, new: None, ..site.job(Purpose::Enroll) };
        let failure = site.run(&job).unwrap_err();
        assert!(told(&failure).contains("is another card, or this one in another reader"), "{}", told(&failure));
        assert!(site.server.requests().iter().all(|call| call.method == "GET"));
        assert_eq!(site.calls("GET", "/authenticationresponse") + site.calls("GET", "/diversifiedkey"), 0);
        assert!(site.card.with(|card| card.pin_is(OLD) && card.admin_key_is(&KEY)), "{}", site.lines());
    }
    let mut site = site();
    let named = site.server.state().change(|settings| settings.cards[0].uuid);
    let ended = site.run(&EnrollJob { smartcard: Some(named), new: None, ..site.job(Purpose::Enroll) });
    println!("named: {:?}", ended.as_ref().map(drop).map_err(told));
    assert!(!ended.as_ref().is_err_and(|failure| failure.to_string().contains("find the card")), "{:?}", ended.err());
}

#[test]
fn an_inserted_card_is_not_enrolled_for_somebody_who_is_not_told() {
    let mut settings = template(false);
    settings.add_card(guid(CARD_A), "");
    settings.requests[0].user = Uuid::from_u128(7);
    settings.cards[0].user = Uuid::from_u128(7);
    let mut site = Site::new(gids(), settings);
    let agent = EnrollJob { asked: Asked::ByInsertion, new: None, ..site.job(Purpose::Enroll) };
    let ended = site.run_with(&agent, &mut Person { is_absent: true, ..Person::knowing() }, &mut |_| {});
    println!("{:?}", ended.as_ref().map_err(told));
    assert!(ended.is_err());
    assert!(site.server.requests().iter().all(|call| call.method == "GET"), "{}", site.lines());
    assert!(site.card.with(|card| card.pin_is(OLD)));
}

#[test]
fn a_pin_that_the_user_chooses_is_asked_for_once_a_run() {
    let mut settings = template(false);
    settings.pin_maker = PinMaker::UserProvided;
    let mut site = Site::new(gids(), settings);
    let job = site.job(Purpose::Enroll);
    let mut person = Person { new_pin: Some(b"13572468".to_vec()), ..Person::knowing() };
    site.run_with(&job, &mut person, &mut |_| {}).unwrap();
    assert_eq!(person.asked.iter().filter(|what| **what == "new PIN").count(), 1, "{:?}", person.asked);
    assert!(site.card.with(|card| card.pin_is(b"13572468")));
    nothing_twice(&site, "204");
}

#[test]
fn a_card_with_an_old_record_is_unblocked_and_retired_by_the_one_in_use() {
    for purpose in [Purpose::Unblock, Purpose::Retire] {
        let mut site = Site::new(gids(), template(false));
        let job = site.job(Purpose::Enroll);
        site.done(&job);
        site.server.state().change(|settings: &mut Settings| {
            let mut old = settings.cards[0].clone();
            (old.uuid, old.status) = (Uuid::from_u128(0xDEAD), 3);
            settings.cards.insert(0, old);
        });
        let ended = site.run(&site.job(purpose));
        let asked = site.server.state().change(|settings| settings.requests.last().unwrap().new_card);
        println!("{purpose:?}: {:?}", ended.as_ref().map_err(told));
        assert_ne!(asked, Some(Uuid::from_u128(0xDEAD)), "{purpose:?}\n{}", site.lines());
    }
}
