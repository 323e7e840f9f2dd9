//! What a journal of version 1 says to a job: files that an older program has written, on the card that they are about.

use std::fs;
use std::path::PathBuf;

use pinwright::sim::server::PinMaker;
use serde_json::Value;
use support::installation::Installation;
use support::repository;

use super::{OLD_PIN, pcscd_with, personalised};

/// The file whose name ends so, in the journal of this installation.
fn inherit(installation: &Installation, job: &str) -> PathBuf {
    let folder = repository::root().join("fixtures/journal/1");
    let name = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .find(|name| name.to_string_lossy().ends_with(&format!("_{job}.json")))
        .unwrap();
    fs::create_dir_all(installation.journal()).unwrap();
    let file = installation.journal().join(&name);
    fs::copy(folder.join(name), &file).unwrap();
    file
}

#[test]
fn what_an_older_program_left_open_is_settled_in_its_own_words() {
    let Some(pcscd) = pcscd_with(2) else { return };
    let card = personalised();
    let _inserted = pcscd.insert(0, card.clone());
    for job in [
        "1a224451d6a-cf6374be",
        "1a224452784-34151367",
        "1a224452f9a-399f7bef",
        "1a22445ecce-4be6c092",
        "1a22445ee72-4e6776b5",
    ] {
        let installation = Installation::for_gids(PinMaker::Random(8));
        let file = inherit(&installation, job);
        let run = installation.pinwright(&pcscd, &["--json", "set-pin", "--yes"]);
        assert_eq!(run.exits(0).json()["settled"], job, "{run}");
        assert!(card.with(|card| card.pin_is(&installation.server.state().last_pin().unwrap())), "{job}");
        let old: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        assert_eq!((&old["schema"], &old["point"]), (&"pinwright.journal/1".into(), &"resolved".into()), "{job}");
    }
}

#[test]
fn what_an_older_program_has_done_or_seen_refused_is_not_done_again() {
    let Some(pcscd) = pcscd_with(2) else { return };
    let card = personalised();
    let _inserted = pcscd.insert(0, card.clone());
    for (job, exit, says) in [("1a2244603ff-c1cd98de", 0, "already-done"), ("1a224465b85-a16af35b", 9, "6982")] {
        let installation = Installation::for_gids(PinMaker::Random(8));
        let file = inherit(&installation, job);
        let before = fs::read(&file).unwrap();
        let run = installation.pinwright(&pcscd, &["--json", "set-pin", "--yes"]);
        run.exits(exit).says(says).says(job);
        assert!(installation.server.state().last_pin().is_none(), "no secret was asked for: {run}");
        assert!(card.with(|card| card.pin_is(OLD_PIN.as_bytes())));
        assert_eq!(fs::read(&file).unwrap(), before, "{job}");
    }
}
