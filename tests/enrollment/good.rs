//! Enrollments that end well.

use pinwright::card::KeySlot;
use pinwright::enroll::job::Ended;
use pinwright::enroll::next::Purpose;
use pinwright::exit::Exit;
use pinwright::job::{Cause, Stop};
use pinwright::provision::Rules;
use pinwright::sim::openpgp::{OpenPgpCard, OpenPgpSettings};
use pinwright::sim::piv::{PivCard, PivSettings};
use pinwright::sim::server::{KeyOptions, RequestStatus, Settings};
use support::provisioning::{CARD_A, CODE, ISO_ATR, KEY, OLD, guid};

use crate::site::{Site, gids, template, told};

#[test]
fn from_an_empty_card_to_a_certificate() {
    let mut site = Site::new(gids(), template(true));
    let job = site.job(Purpose::Enroll);
    let outcome = site.done(&job);
    assert!(outcome.created && outcome.admin_key_replaced && outcome.pin.is_some());
    assert_eq!(outcome.certificates.len(), 1);
    assert!(site.server.violations().is_empty(), "{:?}", site.server.violations());
    assert!(!site.card.with(|card| card.pin_is(OLD) || card.admin_key_is(&KEY)));
    assert_eq!(site.card.with(|card| card.admin_failures()), 0);
    let status = site.server.state().change(|settings| settings.requests[0].status);
    assert_eq!(status, RequestStatus::Completed);
    for (method, end) in [("POST", "/requests"), ("POST", "/smartcards"), ("POST", "/certificatedata")] {
        assert_eq!(site.calls(method, end), 1, "{method} {end}");
    }
    assert!(site.records().iter().all(|record| !record.is_open()), "{:#?}", site.records());
}

/// A PIV card with Yubico's extensions, whose management key is the template's.
pub fn piv() -> PivCard {
    PivCard::new(PivSettings {
        atr: ISO_ATR.to_vec(),
        guid: Some(guid(CARD_A).into_bytes()),
        yubico: true,
        pin: OLD.to_vec(),
        puk: CODE.to_vec(),
        management_key: KEY,
        ..PivSettings::default()
    })
}

pub fn wants(settings: &mut Settings, algorithm: &str, bits: u32, hash: &str) {
    settings.templates[0].keys = vec![KeyOptions { algorithm: algorithm.to_owned(), bits, hash: hash.to_owned() }];
}

#[test]
fn a_piv_card_gets_its_management_key_and_a_key_of_each_curve() {
    for (algorithm, bits) in [("ECDSA_P256", 256), ("ECDSA_P384", 384)] {
        let mut settings = template(true);
        wants(&mut settings, algorithm, bits, "SHA256");
        let mut site = Site::new(piv(), settings);
        let mut job = site.job(Purpose::Enroll);
        job.rules = Rules { authorities: vec![pinwright::job::authority::Authority::Puk], ..Rules::default() };
        let outcome = site.done(&job);
        assert!(outcome.admin_key_replaced, "{algorithm}");
        assert_eq!(outcome.certificates[0].slot, "9a".parse::<KeySlot>().unwrap(), "{algorithm}");
        assert!(site.server.violations().is_empty(), "{algorithm}: {:?}", site.server.violations());
    }
}

#[test]
fn a_request_that_waits_for_approval_is_gone_on_with_by_another_process() {
    let mut settings = template(false);
    settings.new_request_status = RequestStatus::Pending;
    let mut site = Site::new(gids(), settings);
    let job = site.job(Purpose::Enroll);
    let Ok(Ended::AwaitsApproval(awaiting)) = site.run(&job) else { panic!("{}", site.lines()) };
    assert!(awaiting.created);
    let Ok(Ended::AwaitsApproval(again)) = site.run(&job) else { panic!("{}", site.lines()) };
    assert_eq!((again.request, again.created), (awaiting.request, false));
    site.server.state().set_request_status(awaiting.request, RequestStatus::Approved);
    let outcome = site.done(&job);
    assert_eq!(outcome.request, awaiting.request);
    assert_eq!(site.calls("POST", "/requests"), 1);
}

#[test]
fn a_request_that_wants_a_pin_alone_gets_a_pin_alone() {
    let mut settings = Settings::for_card(guid(CARD_A), "", KEY);
    settings.templates[0].keys.clear();
    let mut site = Site::new(gids(), settings);
    let mut job = site.job(Purpose::Enroll);
    job.new = None;
    let outcome = site.done(&job);
    assert!(outcome.pin.is_some() && outcome.certificates.is_empty() && !outcome.created);
    assert_eq!(site.calls("GET", "/serverproposedpin"), 1);
    assert_eq!(site.server.state().change(|settings| settings.requests[0].status), RequestStatus::Completed);
}

#[test]
fn a_forgotten_pin_and_the_end_of_a_card() {
    let mut site = Site::new(gids(), template(true));
    let job = site.job(Purpose::Enroll);
    site.done(&job);
    let before = site.server.state().last_pin().unwrap();
    let outcome = site.done(&site.job(Purpose::Unblock));
    assert!(outcome.created && outcome.pin.is_some() && outcome.certificates.is_empty());
    assert!(!site.card.with(|card| card.pin_is(&before)));
    let held = site.card.with(|card| card.has_key(0x81));
    let outcome = site.done(&site.job(Purpose::Retire));
    assert!(outcome.pin.is_none() && outcome.wiped.is_empty());
    assert_eq!(site.card.with(|card| card.has_key(0x81)), held, "the card stays as it is");
    assert!(site.server.violations().is_empty(), "{:?}", site.server.violations());
    assert_eq!(site.card.with(|card| card.admin_failures()), 0);
}

#[test]
fn what_a_template_collects_is_asked_for_before_the_request_is_made() {
    let mut site = Site::new(gids(), template(false));
    let job = site.job(Purpose::Enroll);
    site.done(&job);
    site.server.state().change(|settings| settings.templates[0].data_items = vec!["City".into(), "Reason".into()]);
    for purpose in [Purpose::Unblock, Purpose::Retire] {
        let mut job = site.job(purpose);
        job.new.as_mut().unwrap().data = vec![("City".to_owned(), "Oslo".to_owned())];
        let before = site.calls("POST", "/requests");
        let failure = site.run(&job).unwrap_err();
        assert!(matches!(failure.cause.as_ref(), Cause::Stop(Stop::DataMissing { names }) if names == &["Reason"]));
        assert_eq!(
            (Exit::from(&failure), site.calls("POST", "/requests")),
            (Exit::Usage, before),
            "{}",
            told(&failure)
        );
        site.item = Some("forgotten".to_owned());
        let outcome = site.done(&job);
        assert!(outcome.created && site.calls("POST", "/requests") == before + 1);
        let data = site.server.state().change(|settings| settings.requests.last().unwrap().data.clone());
        assert_eq!(data, [("City".to_owned(), "Oslo".to_owned()), ("Reason".to_owned(), "forgotten".to_owned())]);
        site.item = None;
    }
    // Once where nobody answered, once where somebody did.
    assert_eq!(site.items, ["Reason"; 4]);
    assert!(site.server.violations().is_empty(), "{:?}", site.server.violations());
}

#[test]
fn a_card_in_use_is_refused_before_a_request_is_made() {
    let mut site = Site::new(gids(), template(true));
    let job = site.job(Purpose::Enroll);
    site.done(&job);
    let failure = site.run(&job).unwrap_err();
    assert!(matches!(failure.cause.as_ref(), Cause::Stop(Stop::InUse { .. })), "{}", told(&failure));
    assert_eq!((Exit::from(&failure), site.calls("POST", "/requests")), (Exit::ServerRefused, 1));
    assert!(told(&failure).contains("is in use already"), "{}", told(&failure));
    // No document says that one that is disabled is free: a person decides that, with `--reuse`.
    site.server.state().change(|settings| settings.cards[0].status = 3);
    let failure = site.run(&job).unwrap_err();
    assert!(told(&failure).contains("is assigned, and disabled, already"), "{}", told(&failure));
    assert_eq!((Exit::from(&failure), site.calls("POST", "/requests")), (Exit::ServerRefused, 1));
}

#[test]
fn two_key_pairs_get_two_places() {
    let mut settings = template(false);
    let one = settings.templates[0].keys[0].clone();
    settings.templates[0].keys.push(one);
    let mut site = Site::new(gids(), settings);
    let outcome = site.done(&site.job(Purpose::Enroll));
    let slots: Vec<String> = outcome.certificates.iter().map(|written| written.slot.to_string()).collect();
    assert_eq!(slots.len(), 2);
    assert_ne!(slots[0], slots[1]);
    assert_ne!(outcome.certificates[0].thumbprint, outcome.certificates[1].thumbprint);
}

#[test]
fn what_would_be_done_is_told_without_doing_it() {
    let mut site = Site::new(gids(), template(true));
    let job = site.job(Purpose::Enroll);
    let plan = site.plan(&job).unwrap();
    let names: Vec<&str> = plan.stages.iter().map(|stage| stage.name).collect();
    assert_eq!(names, ["request", "bind", "admin-key", "pin", "completion"]);
    assert!(plan.stop.is_none() && site.records().is_empty());
    assert!(site.server.requests().iter().all(|call| call.method == "GET"));
}

#[test]
fn a_card_without_a_place_for_keys_is_told_before_a_request_is_made() {
    let card =
        OpenPgpCard::new(OpenPgpSettings { pw1: OLD.to_vec(), pw3: CODE.to_vec(), ..OpenPgpSettings::default() });
    let mut site = Site::new(card, template(false));
    let job = site.job(Purpose::Enroll);
    let failure = site.run(&job).unwrap_err();
    assert!(told(&failure).contains("OpenPGP"), "{}", told(&failure));
    assert!(site.server.requests().iter().all(|call| call.method == "GET") && site.plan(&job).is_err());
}
