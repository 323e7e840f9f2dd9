//! A kept answer that is broken, a journal that can't be written, Ctrl-C, and another process.

use super::*;

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
