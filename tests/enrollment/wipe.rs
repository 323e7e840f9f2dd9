//! The end of a card whose keys and certificates are erased, too.

use std::panic::{AssertUnwindSafe, catch_unwind};

use pinwright::card::family::Families;
use pinwright::card::{HeldKey, KeyType, KeyUsage, Room, SlotChoice};
use pinwright::enroll::job::{EnrollJob, EnrollOutcome};
use pinwright::enroll::next::Purpose;
use pinwright::exit::Exit;
use pinwright::job::authority::Authority;
use pinwright::job::held::OpenCard;
use pinwright::job::journal::{Phase, Stage};
use pinwright::job::{Cause, Stop};
use pinwright::provision::{AdminKeyRule, Rules};
use pinwright::secret::Pin;
use pinwright::sim::card::VirtualCard;
use pinwright::sim::fault::Faulty;
use pinwright::sim::gids::{GidsCard, GidsSettings};
use pinwright::sim::piv::PivCard;
use pinwright::sim::reader::VirtualReaders;
use pinwright::sim::server::{RequestStatus, Settings};
use support::provisioning::{CARD_A, KEY, OLD, guid};
use support::sample::Sample;

use crate::cut_off::Ending;
use crate::good::{piv, wants};
use crate::site::{READER, Site, gids, template, told};

/// An enrolled card, whose PIN the person knows.
fn enrolled<C: VirtualCard + Send + 'static>(mut site: Site<C>, rules: &Rules) -> (Site<C>, EnrollJob) {
    let mut job = site.job(Purpose::Enroll);
    job.rules = rules.clone();
    site.done(&job);
    site.current_pin = site.server.state().last_pin();
    let mut job = site.job(Purpose::Retire);
    (job.rules, job.wipe) = (rules.clone(), true);
    (site, job)
}

fn enrolled_gids() -> (Site<Faulty<GidsCard>>, EnrollJob) {
    enrolled(Site::new(Faulty::new(gids()), template(true)), &Rules::default())
}

fn enrolled_piv() -> (Site<PivCard>, EnrollJob) {
    let mut settings = template(true);
    wants(&mut settings, "ECDSA_P256", 256, "SHA256");
    settings.answers_for_retirement = true;
    let rules = Rules { authorities: vec![Authority::Puk], ..Rules::default() };
    enrolled(Site::new(piv(), settings), &rules)
}

/// A card in use with a key pair and something in place of its certificate, as the server's records have it.
fn used_gids() -> (Site<Faulty<GidsCard>>, EnrollJob) {
    let mut settings = Settings::for_card(guid(CARD_A), "", KEY);
    settings.requests.clear();
    let site = Site::new(Faulty::new(gids()), settings);
    let readers = VirtualReaders::with_card(READER, site.card.clone());
    let mut held = OpenCard::open(&readers, READER).unwrap().identify(&Families::default()).unwrap();
    held.show_pin(&Pin::new(OLD).unwrap()).unwrap();
    let Room::Free(place) = held.room(SlotChoice::First(KeyUsage::Exchange)).unwrap() else { panic!("it is empty") };
    held.generate(&place, KeyType::Rsa2048, "9a1c").unwrap();
    held.write_certificate(place.slot(), b"\x30\x03\x02\x01\x00").unwrap();
    held.end().unwrap();
    let mut job = site.job(Purpose::Retire);
    job.wipe = true;
    (site, job)
}

/// What the card tells of its keys and certificates.
fn held<C: VirtualCard + Send + 'static>(site: &Site<C>) -> Vec<(bool, bool)> {
    let readers = VirtualReaders::with_card(READER, site.card.clone());
    let mut card = OpenCard::open(&readers, READER).unwrap().identify(&Families::default()).unwrap();
    let held = card.held_keys().unwrap();
    held.into_iter().map(|held| (held.key != HeldKey::None, held.certificate)).collect()
}

fn keys(site: &Site<Faulty<GidsCard>>) -> [bool; 2] {
    site.card.with(|card| [0x81, 0x82].map(|key| card.card().has_key(key)))
}

/// The call that retires the card.
const RETIRED: &str = "/smartcards/17cf063d-e337-4aa9-a822-346554ddd3c9";

/// Nothing is left in doubt, and no call that changes the server was sent a second time.
fn check<C: VirtualCard + Send + 'static>(site: &Site<C>, outcome: &EnrollOutcome, case: &str) {
    assert!(site.server.violations().is_empty(), "{case}: {:?}", site.server.violations());
    assert_eq!(site.calls("PUT", RETIRED), 1, "{case}");
    assert!(site.records().iter().all(|record| !record.is_open()), "{case}: {:#?}", site.records());
    let statuses =
        site.server.state().change(|settings| settings.requests.iter().map(|it| it.status).collect::<Vec<_>>());
    assert!(statuses.iter().all(|status| *status == RequestStatus::Completed), "{case}: {statuses:?}");
    assert!(!outcome.was_done_before, "{case}");
}

#[test]
fn a_gids_card_loses_its_keys_and_certificates_with_its_pin() {
    let (mut site, job) = enrolled_gids();
    assert_eq!((keys(&site), held(&site)), ([true, false], vec![(true, true)]));
    let plan = site.plan(&job).unwrap();
    assert_eq!(
        plan.stages.iter().map(|stage| stage.name).collect::<Vec<_>>(),
        ["request", "wipe", "retirement", "completion"]
    );
    assert!(plan.notes.iter().any(|note| note.starts_with("lost on the card: the key pair and certificate in kxc00")));
    let outcome = site.done(&job);
    assert_eq!(outcome.wiped, ["kxc00: key and certificate"]);
    assert_eq!((keys(&site), held(&site)), ([false; 2], vec![]));
    assert_eq!(site.card.with(|card| card.card().tries_left()), 3);
    check(&site, &outcome, "gids");
}

#[test]
fn a_piv_card_loses_its_certificates_with_the_servers_answer_and_keeps_its_keys() {
    let (mut site, job) = enrolled_piv();
    assert_eq!(held(&site), [(true, true)]);
    let outcome = site.done(&job);
    assert_eq!(outcome.wiped, ["9a: certificate; the private key stays, which no command of such a card deletes"]);
    assert_eq!(held(&site), [(true, false)]);
    assert_eq!(site.card.with(|card| card.admin_failures()), 0);
    check(&site, &outcome, "piv");
}

#[test]
fn a_server_that_answers_for_no_retirement_leaves_the_card_as_it_is() {
    let (mut site, job) = enrolled_piv();
    site.server.state().change(|settings| settings.answers_for_retirement = false);
    let failure = site.run(&job).unwrap_err();
    assert_eq!(Exit::from(&failure), Exit::ServerRefused, "{}", told(&failure));
    assert!(!failure.effect.try_may_be_spent() && !failure.effect.contents.needs_attention());
    assert_eq!((held(&site), site.calls("PUT", RETIRED)), (vec![(true, true)], 0));
    // Whoever gives up the wipe retires the card with the same request.
    let outcome = site.done(&EnrollJob { wipe: false, ..job });
    assert!(outcome.wiped.is_empty() && site.calls("PUT", RETIRED) == 1, "{}", site.lines());
}

#[test]
fn which_management_key_a_piv_card_has_is_known_or_nothing_is_shown_to_it() {
    let (mut site, job) = enrolled_piv();
    // Another machine's journal, and a template that was changed since: nobody knows of the card's own key any more.
    site.folder = tempfile::tempdir().unwrap();
    site.server.state().change(|settings| settings.templates[0].diversify_admin_key = false);
    let mut wrong = job.clone();
    wrong.rules.admin_key = AdminKeyRule::Diversified;
    let outcome = site.done(&wrong);
    assert_eq!((site.card.with(|card| card.admin_failures()), outcome.wiped.len()), (0, 1));

    let (mut site, job) = enrolled_piv();
    site.server.state().change(|settings| settings.templates[0].diversify_admin_key = false);
    let failure = site.run(&job).unwrap_err();
    assert!(matches!(failure.cause.as_ref(), Cause::Stop(Stop::AdminKeyUnknown { .. })), "{}", told(&failure));
    assert_eq!(site.card.with(|card| card.admin_failures()), 0, "journal and policy disagree");
    assert_eq!(held(&site), [(true, true)]);
}

#[test]
fn a_wrong_pin_costs_one_try_and_changes_nothing_else() {
    let (mut site, job) = enrolled_gids();
    let right = site.current_pin.replace(OLD.to_vec());
    let failure = site.run(&job).unwrap_err();
    assert_eq!(Exit::from(&failure), Exit::CardRefused, "{}", told(&failure));
    assert!(failure.effect.try_may_be_spent() && !failure.effect.contents.needs_attention());
    assert_eq!(site.card.with(|card| card.card().tries_left()), 2);
    assert_eq!((keys(&site), held(&site)), ([true, false], vec![(true, true)]));
    let record = site.records().into_iter().find(|record| record.is_open()).unwrap();
    let last = record.entries.last().unwrap();
    assert_eq!((last.stage, last.phase), (Stage::Prove, Phase::Refused), "{}", site.lines());
    assert!(!record.in_doubt(), "{record:#?}");

    // Two tries are left, one of which may be risked.
    site.current_pin = right;
    let outcome = site.done(&job);
    assert_eq!((keys(&site), site.card.with(|card| card.card().tries_left())), ([false; 2], 3));
    check(&site, &outcome, "the right PIN");
}

#[test]
fn a_card_with_few_tries_left_is_refused_before_a_request_is_made() {
    let settings = GidsSettings { pin_left: Some(1), card_id: CARD_A, ..GidsSettings::default() };
    let mut site = Site::new(GidsCard::personalised(settings), template(false));
    let mut job = site.job(Purpose::Retire);
    job.wipe = true;
    let failure = site.run(&job).unwrap_err();
    assert!(matches!(failure.cause.as_ref(), Cause::FewTries { left: 1, .. }), "{}", told(&failure));
    assert_eq!((site.card.with(|card| card.tries_left()), site.calls("POST", "/requests")), (1, 0));
}

#[test]
fn nobody_who_knows_the_pin_no_request() {
    let (mut site, job) = enrolled_gids();
    site.forgets_pin = true;
    let failure = site.run(&job).unwrap_err();
    assert!(matches!(failure.cause.as_ref(), Cause::Secret(_)), "{}", told(&failure));
    assert_eq!((site.calls("POST", "/requests"), held(&site).len()), (1, 1));
}

#[test]
fn the_process_ends_at_any_exchange_of_a_wipe() {
    let all = {
        let (mut site, job) = used_gids();
        let before = site.card.with(|card| card.exchanges());
        site.done(&job);
        site.card.with(|card| card.exchanges()) - before
    };
    let (mut was_left, mut sample) = (0, Sample::from(0));
    for after in [false, true] {
        for at in (0..all).filter(|_| sample.takes()) {
            let case = format!("exchange {at} of {all}, {}", if after { "after" } else { "before" });
            let (mut site, job) = used_gids();
            let readers = VirtualReaders::with_card(READER, site.card.clone());
            let ending = Ending::new(&readers, at, after);
            let cut = catch_unwind(AssertUnwindSafe(|| site.run_in(&ending, &job).map(drop)));
            assert!(cut.is_err(), "{case}: it did not end");
            was_left += usize::from(site.records().iter().any(|record| record.in_doubt()));
            site.card.with(Faulty::reinsert);
            let outcome = site.done(&job);
            assert_eq!((keys(&site), held(&site)), ([false; 2], vec![]), "{case}\n{}", site.lines());
            assert!(!outcome.wiped.is_empty(), "{case}\n{}", site.lines());
            assert_eq!(site.card.with(|card| card.card().tries_left()), 3, "{case}");
            check(&site, &outcome, &case);
        }
    }
    assert!(was_left > sample.of(10), "{was_left} runs were cut off while they erased");
}
