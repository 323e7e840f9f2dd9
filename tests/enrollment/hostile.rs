//! Servers that lie, cards that are somebody else's, folders that fill up, and people who go away: nothing is done twice, nothing is
//! said that is not so, and the run after it finds its way.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use pinwright::enroll::job::{Ended, EnrollJob};
use pinwright::enroll::next::Purpose;
use pinwright::enroll::rules::{ManagementRule, Rules as KeyRules};
use pinwright::exit::Exit;
use pinwright::job::authority::Authority;
use pinwright::job::secrets::Need;
use pinwright::job::{Cause, Failure, Step, Stop};
use pinwright::provision::{Asked, Rules};
use pinwright::sim::card::VirtualCard;
use pinwright::sim::fault::{Fault, Faulty};
use pinwright::sim::gids::{GidsCard, GidsSettings};
use pinwright::sim::piv::PivCard;
use pinwright::sim::server::{
    Endpoint, Fault as ServerFault, FaultKind, Issues, KeyOptions, PinMaker, RequestStatus, Settings,
};
use support::provisioning::{CARD_A, CARD_B, KEY, OLD, Person, guid};
use uuid::Uuid;

use crate::good::piv;
use crate::site::{Site, gids, ready, template, told};

/// The process ends right before this step is taken for the nth time (from 0).
fn cut_at<C: VirtualCard + Send + 'static>(site: &mut Site<C>, job: &EnrollJob, step: Step, nth: usize) {
    let mut seen = 0;
    let mut at_step = |now: Step| {
        if now == step {
            if seen == nth {
                resume_unwind(Box::new("the process ends here"));
            }
            seen += 1;
        }
    };
    let cut = catch_unwind(AssertUnwindSafe(|| {
        site.run_with(job, &mut Person::knowing(), &mut at_step).map(drop).map_err(|failure| told(&failure))
    }));
    assert!(cut.is_err(), "{step:?}: it did not come to it: {cut:?}\n{}", site.lines());
}

fn stop(failure: &Failure) -> Option<&Stop> {
    match failure.cause.as_ref() {
        Cause::Stop(stop) => Some(stop),
        _ => None,
    }
}

fn request<C: VirtualCard + Send + 'static>(site: &Site<C>, index: usize) -> Uuid {
    site.server.state().change(|settings| settings.requests[index].uuid)
}

fn set_status<C: VirtualCard + Send + 'static>(site: &Site<C>, status: RequestStatus) {
    let request = request(site, 0);
    site.server.state().set_request_status(request, status);
}

/// No call that changes the server was sent twice, no try was lost, and nothing strict about the server was broken.
fn nothing_twice(site: &Site<GidsCard>, case: &str) {
    for (method, end) in [("POST", "/requests"), ("POST", "/smartcards"), ("POST", "/certificatedata")] {
        assert!(site.calls(method, end) <= 1, "{case}: {method} {end}\n{}", site.lines());
    }
    assert!(site.server.violations().is_empty(), "{case}: {:?}", site.server.violations());
    assert_eq!(site.card.with(|card| (card.admin_failures(), card.tries_left())), (0, 3), "{case}\n{}", site.lines());
}

// ---- requests that end without us

#[test]
fn a_request_that_was_ended_by_somebody_else_is_told_once_and_frees_the_card() {
    for status in [RequestStatus::Denied, RequestStatus::Canceled, RequestStatus::Failed] {
        let mut settings = template(false);
        settings.new_request_status = RequestStatus::Pending;
        let mut site = Site::new(gids(), settings);
        let job = site.job(Purpose::Enroll);
        let Ok(Ended::AwaitsApproval(_)) = site.run(&job) else { panic!("{}", site.lines()) };
        set_status(&site, status);
        site.server.state().change(|settings| settings.new_request_status = RequestStatus::Approved);
        let failure = site.run(&job).unwrap_err();
        assert!(matches!(stop(&failure), Some(Stop::Closed { .. })), "{status:?}: {}", told(&failure));
        assert_eq!(Exit::from(&failure), Exit::ServerRefused);
        let outcome = site.done(&job);
        assert!(outcome.created, "{status:?}");
    }
}

#[test]
fn a_request_that_was_ended_while_keys_were_made_can_be_given_up_with_again() {
    let mut site = Site::new(gids(), template(false));
    let mut job = site.job(Purpose::Enroll);
    cut_at(&mut site, &job, Step::Submit, 0);
    set_status(&site, RequestStatus::Canceled);
    let failure = site.run(&job).unwrap_err();
    assert!(matches!(stop(&failure), Some(Stop::Closed { .. })), "{}", told(&failure));
    let remedy = stop(&failure).unwrap().remedy();
    assert!(remedy.contains("--again"), "{remedy}");
    // The card is free at the server, too.
    site.server.state().change(|settings| settings.cards[0].status = 6);
    (job.asked, job.erase) = (Asked::Again, true);
    let outcome = site.done(&job);
    assert!(outcome.created);
    assert!(site.records().iter().all(|record| !record.is_open()), "{:#?}", site.records());
}

#[test]
fn a_request_that_somebody_else_completes_is_no_success_of_ours() {
    for step in [Step::GenerateKeyPair, Step::Submit, Step::WriteCertificate] {
        let mut site = Site::new(gids(), template(false));
        let job = site.job(Purpose::Enroll);
        cut_at(&mut site, &job, step, 0);
        set_status(&site, RequestStatus::Completed);
        match site.run(&job) {
            Err(failure) => {
                let is_it = matches!(stop(&failure), Some(Stop::CompletedElsewhere { .. }));
                assert!(is_it, "{step:?}: {}", told(&failure));
            }
            Ok(ended) => panic!("{step:?}: {ended:?}\n{}", site.lines()),
        }
        nothing_twice(&site, &format!("{step:?}"));
    }
}

/// The server has completed the request, and the process never hears of it, or never comes to note it: the next run closes the record,
/// so that the card is free for another request.
#[test]
fn a_completion_that_was_not_noted_closes_the_record_in_the_next_run() {
    for case in ["answers lost", "not noted"] {
        let mut site = Site::new(gids(), template(false));
        let job = site.job(Purpose::Enroll);
        let (journal, away) = (site.folder.path().join("journal"), site.folder.path().join("away"));
        let server = site.server.shared_state();
        let mut is_first = true;
        let mut at_step = |step: Step| {
            if step == Step::Complete && std::mem::take(&mut is_first) {
                copy(&journal, &away);
                if case == "answers lost" {
                    server.inject(ServerFault::on(Endpoint::EndRequest, FaultKind::DropBeforeHeaders));
                    server.inject(ServerFault::on(Endpoint::Request, FaultKind::status(503)).times(9));
                }
            }
        };
        let first = site.run_with(&job, &mut Person::knowing(), &mut at_step);
        site.server.state().clear_faults();
        assert_eq!(first.is_ok(), case == "not noted", "{case}");
        if first.is_ok() {
            std::fs::remove_dir_all(&journal).unwrap();
            std::fs::rename(&away, &journal).unwrap();
        }
        assert!(site.done(&job).was_done_before, "{case}");
        assert!(site.records().iter().all(|record| !record.is_open()), "{case}: {}", site.lines());
        let again = site.run(&job).unwrap_err();
        assert!(matches!(stop(&again), Some(Stop::InUse { .. })), "{case}: {}", told(&again));
        nothing_twice(&site, case);
    }
}

fn copy(from: &PathBuf, to: &PathBuf) {
    std::fs::create_dir_all(to).unwrap();
    let mode = std::fs::metadata(from).unwrap().permissions();
    std::fs::set_permissions(to, mode).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        match entry.path().is_dir() {
            true => copy(&entry.path(), &to.join(entry.file_name())),
            false => drop(std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap()),
        }
    }
}

#[test]
fn a_request_that_is_done_is_told_as_done_to_who_names_it() {
    let mut site = Site::new(gids(), template(true));
    let mut job = site.job(Purpose::Enroll);
    job.request = Some(site.done(&job).request);
    let outcome = site.done(&job);
    assert!(outcome.was_done_before && outcome.pin.is_none());
    nothing_twice(&site, "named");
}

#[test]
fn a_card_is_retired_whatever_has_become_of_its_enrollment() {
    for (step, status) in [
        (Step::WriteCertificate, RequestStatus::Completed),
        (Step::GenerateKeyPair, RequestStatus::Canceled),
        (Step::Submit, RequestStatus::Failed),
    ] {
        let mut site = Site::new(gids(), template(false));
        let job = site.job(Purpose::Enroll);
        cut_at(&mut site, &job, step, 0);
        set_status(&site, status);
        let outcome = site.done(&site.job(Purpose::Retire));
        assert!(outcome.created, "{step:?}");
        assert!(site.records().iter().all(|record| !record.is_open()), "{step:?}: {}", site.lines());
    }
}

// ---- loops

#[test]
fn a_lost_request_and_another_one_that_is_named_do_not_make_a_run_endless() {
    let mut site = Site::new(gids(), template(true));
    let mut job = site.job(Purpose::Enroll);
    site.done(&job);
    job = site.job(Purpose::Unblock);
    site.server.inject(ServerFault::on(Endpoint::CreateRequest, FaultKind::DropBeforeHeaders));
    site.server.inject(ServerFault::on(Endpoint::Requests, FaultKind::status(503)).after(7).times(9));
    let _ = site.run(&job);
    site.server.state().clear_faults();
    let open: Vec<Uuid> = site
        .server
        .state()
        .change(|settings| settings.requests.iter().filter(|it| it.status.is_open()).map(|it| it.uuid).collect());
    assert_eq!(open.len(), 1, "{}", site.lines());
    job.request = Some(open[0]);
    let before = site.calls("GET", "/serverproposedpin");
    let mut left = 200;
    let mut at_step = |_| {
        left -= 1;
        assert!(left > 0, "endless");
    };
    site.run_with(&job, &mut Person::knowing(), &mut at_step).unwrap();
    assert_eq!(site.calls("GET", "/serverproposedpin"), before + 1);
}

// ---- options and policies that change between runs

fn pair(algorithm: &str, bits: u32) -> KeyOptions {
    KeyOptions { algorithm: algorithm.to_owned(), bits, hash: "SHA256".to_owned() }
}

#[test]
fn options_that_are_gone_once_certificates_are_issued_complete_nothing() {
    for wanted in [vec![], vec![pair("RSA", 2048), pair("RSA", 2048)], vec![pair("ECDSA_P256", 256)]] {
        let mut site = Site::new(gids(), template(false));
        let job = site.job(Purpose::Enroll);
        cut_at(&mut site, &job, Step::WriteCertificate, 0);
        let before = site.server.state().change(|settings| std::mem::replace(&mut settings.templates[0].keys, wanted));
        let case = format!("{}", site.server.state().change(|settings| settings.templates[0].keys.len()));
        match site.run(&job) {
            Ok(Ended::Done(outcome)) => assert_eq!(outcome.certificates.len(), 1, "{case}\n{}", site.lines()),
            Ok(other) => panic!("{case}: {other:?}"),
            Err(failure) => {
                println!("{case}: {}", told(&failure));
                assert!(!site.card.with(|card| card.has_key(0x82)), "{case}: a second key pair");
                // The server comes to its senses.
                site.server.state().change(|settings| settings.templates[0].keys = before);
                assert_eq!(site.done(&job).certificates.len(), 1, "{case}");
            }
        }
        nothing_twice(&site, &case);
    }
}

#[test]
fn one_key_pair_more_is_made_before_anything_is_handed_in() {
    let mut site = Site::new(gids(), template(false));
    let job = site.job(Purpose::Enroll);
    cut_at(&mut site, &job, Step::Submit, 0);
    site.server.state().change(|settings| settings.templates[0].keys.push(pair("RSA", 2048)));
    assert_eq!(site.done(&job).certificates.len(), 2);
    nothing_twice(&site, "two");
}

#[test]
fn a_policy_that_is_hidden_later_does_not_undo_what_the_card_has_proved() {
    for (case, hides) in [("property", true), ("403", false)] {
        let mut site = Site::new(gids(), template(true));
        let job = site.job(Purpose::Enroll);
        cut_at(&mut site, &job, Step::GenerateKeyPair, 0);
        match hides {
            true => site
                .server
                .state()
                .change(|settings| settings.templates[0].omitted.push("diversifyadminkey".to_owned())),
            false => site.server.inject(ServerFault::on(Endpoint::CardPolicy, FaultKind::status(403)).times(99)),
        }
        let outcome = site.done(&job);
        assert!(outcome.admin_key_replaced, "{case}");
        nothing_twice(&site, case);
    }
}

#[test]
fn a_request_that_has_ended_is_told_as_ended_where_the_policy_is_hidden() {
    let mut site = Site::new(gids(), template(false));
    let job = site.job(Purpose::Enroll);
    cut_at(&mut site, &job, Step::GenerateKeyPair, 0);
    set_status(&site, RequestStatus::Canceled);
    site.server.inject(ServerFault::on(Endpoint::CardPolicy, FaultKind::status(403)).times(99));
    let failure = site.run(&job).unwrap_err();
    assert!(matches!(stop(&failure), Some(Stop::Closed { .. })), "{}", told(&failure));
}

#[test]
fn a_template_that_stops_to_diversify_and_begins_again_costs_no_try() {
    for step in [Step::SetPin, Step::GenerateKeyPair, Step::Submit, Step::WriteCertificate, Step::Complete] {
        let mut site = Site::new(gids(), template(true));
        let job = site.job(Purpose::Enroll);
        cut_at(&mut site, &job, step, 0);
        site.server.state().change(|settings| settings.templates[0].diversify_admin_key = false);
        let case = format!("{step:?}");
        site.done(&job);
        nothing_twice(&site, &case);
        // An unblock of the diversified card under either policy spends no try, whether it can be done or not.
        for diversify in [false, true] {
            site.server.state().change(|settings| settings.templates[0].diversify_admin_key = diversify);
            let mut unblock = site.job(Purpose::Unblock);
            unblock.new = unblock.new.filter(|_| diversify || site.calls("POST", "/requests") == 1);
            if let Err(failure) = site.run(&unblock) {
                println!("{case} {diversify}: {}", told(&failure));
            }
            assert_eq!(site.card.with(|card| card.admin_failures()), 0, "{case} {diversify}\n{}", site.lines());
        }
    }
}

// ---- PIV

fn piv_site(diversify: bool) -> Site<PivCard> {
    let mut settings = template(diversify);
    settings.templates[0].keys = vec![pair("ECDSA_P256", 256)];
    Site::new(piv(), settings)
}

fn piv_job(site: &Site<PivCard>, purpose: Purpose) -> EnrollJob {
    EnrollJob { rules: Rules { authorities: vec![Authority::Puk], ..Rules::default() }, ..site.job(purpose) }
}

#[test]
fn a_local_management_key_is_not_shown_once_the_server_has_replaced_it() {
    let mut site = piv_site(true);
    let mut job = piv_job(&site, Purpose::Enroll);
    job.keys = KeyRules { management: ManagementRule::AdminKey, ..KeyRules::default() };
    let ended = site.run(&job);
    assert_eq!(site.card.with(|card| card.admin_failures()), 0, "{}", site.lines());
    assert!(ended.is_ok(), "{}", told(&ended.unwrap_err()));
}

#[test]
fn a_card_with_a_key_of_its_own_is_wiped_with_that_key_or_not_at_all() {
    for keeps_journal in [true, false] {
        let mut site = piv_site(true);
        let job = piv_job(&site, Purpose::Enroll);
        site.done(&job);
        if !keeps_journal {
            std::fs::remove_dir_all(site.folder.path().join("journal")).unwrap();
        }
        let retire = EnrollJob { wipe: true, ..piv_job(&site, Purpose::Retire) };
        // The stand-in answers no challenge under a request to retire: what is asked for is seen all the same.
        let ended = site.run(&retire);
        assert!(ended.is_err(), "{keeps_journal}");
        let mut answers =
            site.server.requests().into_iter().filter(|call| call.path.ends_with("/authenticationresponse"));
        let last = answers.next_back().unwrap().query;
        assert!(last.contains("diversified=True"), "{keeps_journal}: {last}");
        assert_eq!(site.card.with(|card| card.admin_failures()), 0, "{keeps_journal}\n{}", site.lines());
    }
}

#[test]
fn a_wrong_puk_costs_one_try_and_no_second_one_unasked() {
    let mut site = piv_site(false);
    let job = piv_job(&site, Purpose::Enroll);
    let mut person = Person { code: Some(b"00000000".to_vec()), ..Person::knowing() };
    let failure = site.run_with(&job, &mut person, &mut |_| {}).unwrap_err();
    assert_eq!(Exit::from(&failure), Exit::CardRefused, "{}", told(&failure));
    assert_eq!(site.card.with(|card| card.puk_tries_left()), 2);
    let agent = EnrollJob { asked: Asked::ByInsertion, new: None, ..piv_job(&site, Purpose::Enroll) };
    let mut kept = Person { code: Some(b"00000000".to_vec()), at_hand: vec![Need::Puk], ..Person::knowing() };
    let _ = site.run_with(&agent, &mut kept, &mut |_| {});
    assert_eq!(site.card.with(|card| card.puk_tries_left()), 2, "{}", site.lines());
    site.done(&job);
    assert_eq!(site.card.with(|card| card.puk_tries_left()), 3);
}

// ---- authorities

#[test]
fn what_the_authority_makes_of_a_request_is_told_and_never_asked_for_again() {
    for issues in [Issues::Denied("No.\u{1b}[2J\u{202e}".to_owned()), Issues::ForAnotherKey, Issues::Nothing] {
        let mut settings = template(false);
        settings.issues = issues.clone();
        let mut site = Site::new(gids(), settings);
        let job = site.job(Purpose::Enroll);
        for _ in 0..3 {
            let failure = site.run(&job).unwrap_err();
            assert!(matches!(stop(&failure), Some(Stop::Certificate { .. })), "{issues:?}: {}", told(&failure));
            assert!(!told(&failure).contains(['\u{1b}', '\u{202e}']), "{}", told(&failure));
            nothing_twice(&site, &format!("{issues:?}"));
        }
        // The way out that the remedy names: the request is abandoned, the card is free.
        set_status(&site, RequestStatus::Failed);
        site.server.state().change(|settings| {
            settings.cards[0].status = 6;
            settings.issues = Issues::Right;
        });
        let again = EnrollJob { asked: Asked::Again, erase: true, ..site.job(Purpose::Enroll) };
        site.done(&again);
    }
}

// ---- the kept answer

#[test]
fn a_kept_answer_that_is_broken_or_gone_is_told_and_never_asked_for_again() {
    for case in ["deleted", "truncated", "garbage", "another one's"] {
        let mut site = Site::new(gids(), template(false));
        let job = site.job(Purpose::Enroll);
        cut_at(&mut site, &job, Step::WriteCertificate, 0);
        let kept: Vec<PathBuf> = walk(&site.folder.path().join("journal"))
            .into_iter()
            .filter(|path| path.extension().is_some_and(|end| end == "kept"))
            .collect();
        assert_eq!(kept.len(), 1);
        let text = std::fs::read(&kept[0]).unwrap();
        match case {
            "deleted" => std::fs::remove_file(&kept[0]).unwrap(),
            "truncated" => std::fs::write(&kept[0], &text[..text.len() / 2]).unwrap(),
            "garbage" => std::fs::write(&kept[0], [0xFF; 64]).unwrap(),
            _ => {
                let empty = r#"{"schema":"pinwright.kept-answer/1","requests":[],"answer":""}"#;
                std::fs::write(&kept[0], empty).unwrap();
            }
        }
        for _ in 0..2 {
            let failure = site.run(&job).unwrap_err();
            println!("{case}: {} (exit {:?})", told(&failure), Exit::from(&failure));
            assert_eq!(Exit::from(&failure), Exit::Attention, "{case}: {}", told(&failure));
        }
        nothing_twice(&site, case);
        assert!(!site.card.with(|card| card.has_key(0x82)), "{case}");
        if case != "deleted" {
            std::fs::write(&kept[0], &text).unwrap();
            site.done(&job);
        }
    }
}

fn walk(folder: &PathBuf) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

// ---- a journal that can't be written, processes at the same time, and Ctrl-C

fn steps(diversify: bool) -> Vec<Step> {
    let mut site = Site::new(gids(), template(diversify));
    let job = site.job(Purpose::Enroll);
    site.done(&job);
    site.steps
}

#[test]
fn a_journal_that_goes_away_at_any_step_loses_nothing() {
    let all = steps(true);
    for at in 0..all.len() {
        let mut site = Site::new(gids(), template(true));
        let mut job = site.job(Purpose::Enroll);
        let (journal, away) = (site.folder.path().join("journal"), site.folder.path().join("away"));
        let mut seen = 0;
        let mut at_step = |_| {
            if seen == at && journal.exists() {
                std::fs::rename(&journal, &away).unwrap();
                std::fs::write(&journal, b"").unwrap();
            }
            seen += 1;
        };
        let first = site.run_with(&job, &mut Person::knowing(), &mut at_step);
        let case = format!("step {at} of {} ({:?})", all.len(), all[at]);
        nothing_twice(&site, &case);
        if away.exists() {
            std::fs::remove_file(&journal).unwrap();
            std::fs::rename(&away, &journal).unwrap();
        }
        let told_first = first.as_ref().err().map(told);
        let mut runs = 0;
        loop {
            runs += 1;
            assert!(runs < 4, "{case}");
            match site.run(&job) {
                Ok(_) => break,
                Err(failure) => match stop(&failure) {
                    Some(Stop::AdminKeyUnknown { .. }) => {
                        let is_old = site.card.with(|card| card.admin_key_is(&KEY));
                        job.rules.admin_key = match is_old {
                            true => pinwright::provision::AdminKeyRule::Default,
                            false => pinwright::provision::AdminKeyRule::Diversified,
                        };
                    }
                    // The journal never heard of it.
                    Some(Stop::InUse { .. }) if first.is_ok() => break,
                    _ => panic!("{case}: first {told_first:?}, then {}\n{}", told(&failure), site.lines()),
                },
            }
        }
        nothing_twice(&site, &case);
        assert!(!site.card.with(|card| card.has_key(0x82)), "{case}");
    }
}

#[test]
fn ctrl_c_at_any_step_is_gone_on_from() {
    let all = steps(true);
    for at in 0..all.len() {
        let mut site = Site::new(gids(), template(true));
        let job = site.job(Purpose::Enroll);
        let interrupted = Arc::clone(&site.interrupted);
        let mut seen = 0;
        let mut at_step = |_| {
            if seen == at {
                interrupted.store(true, Ordering::Relaxed);
            }
            seen += 1;
        };
        let first = site.run_with(&job, &mut Person::knowing(), &mut at_step);
        let case = format!("step {at} of {} ({:?})", all.len(), all[at]);
        if let Err(failure) = &first {
            assert!(matches!(failure.cause.as_ref(), Cause::Interrupted), "{case}: {}", told(failure));
            assert_eq!(Exit::from(failure), Exit::Interrupted, "{case}: {:?}", failure.effect);
        }
        site.interrupted.store(false, Ordering::Relaxed);
        if first.is_err() {
            site.done(&job);
        }
        nothing_twice(&site, &case);
        assert!(!site.card.with(|card| card.has_key(0x82)), "{case}");
        assert!(site.records().iter().all(|record| !record.is_open()), "{case}\n{}", site.lines());
    }
}

#[test]
fn a_card_that_another_process_works_on_is_left_alone() {
    let mut site = Site::new(gids(), template(true));
    let job = site.job(Purpose::Enroll);
    let journal = site.journal();
    let claim = journal.claim(guid(CARD_A)).unwrap();
    let failure = site.run(&job).unwrap_err();
    assert!(matches!(failure.cause.as_ref(), Cause::Journal(_)), "{}", told(&failure));
    assert!(site.server.requests().iter().all(|call| call.method == "GET"));
    drop(claim);
    site.done(&job);
}

// ---- cards

#[test]
fn another_card_at_any_exchange_is_not_written_to() {
    let exchanges = {
        let mut site = Site::new(Faulty::new(gids()), template(true));
        let job = site.job(Purpose::Enroll);
        site.done(&job);
        site.card.with(|card| card.exchanges())
    };
    for at in 0..exchanges {
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

// ---- people

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
