//! Options and policies that change between runs, on GIDS and PIV; authorities that refuse.

use super::*;

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
