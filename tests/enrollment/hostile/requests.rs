//! Requests that somebody else ends, loses or completes.

use super::*;

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
