//! The line that each write to a card leaves in the log, for a SIEM.
//!
//! A process of its own: a subscriber of one thread misses call sites that another thread without one has met before.
#![cfg(feature = "sim")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use pinwright::job::journal::Journal;
use pinwright::provision::Asked;
use pinwright::sim::server::{Endpoint, Fault, FaultKind, PinMaker};
use serde_json::Value;
use support::captured::Captured;
use support::provisioning::{InsertedCard, JobSetup, Kind, Person};

const PIN: &[u8] = b"CANARY-7391";

/// The fields of a line, by their names.
fn names(line: &Value) -> BTreeSet<String> {
    line.as_object().unwrap().keys().cloned().collect()
}

#[test]
fn each_write_leaves_one_line_and_nothing_else_does() {
    let log = Captured::default();
    let writer = log.clone();
    tracing::subscriber::set_global_default(
        tracing_subscriber::fmt().with_writer(move || writer.clone()).with_ansi(false).finish(),
    )
    .unwrap();
    // The lines since the last look.
    let mut seen = 0;
    let mut written = || {
        let text = log.text();
        let lines: Vec<Value> = text[seen..]
            .lines()
            .filter(|line| line.contains("pinwright::write"))
            .map(|line| serde_json::from_str(&line[line.find('{').unwrap()..]).unwrap())
            .collect();
        seen = text.len();
        lines
    };
    let folder = tempfile::tempdir().unwrap();
    let mut setup = JobSetup::new(Kind::Gids, "server");
    setup.server.state().change(|settings| settings.pin_maker = PinMaker::Fixed(PIN.to_vec()));
    setup.journal = Some(Journal::new(folder.path().join("journal"), Duration::from_secs(86400)));

    // A job that ends well, as the agent's.
    setup.asked = Asked::ByInsertion;
    let card = InsertedCard::new(Kind::Gids);
    let outcome = setup.run(&card, &mut Person::default()).ok("done");
    let lines = written();
    let [done] = lines.as_slice() else { panic!("{lines:?}") };
    assert_eq!(done["schema"], "pinwright.write/1");
    assert_eq!((&done["by"], &done["result"]), (&"agent".into(), &"done".into()));
    assert_eq!(done["card_id"], outcome.card.card_id.to_string());
    assert_eq!(done["request"], outcome.request.unwrap().to_string());
    assert_eq!(done["target_user"], outcome.target_user.unwrap().to_string());
    assert_eq!(done["journal"], outcome.journal_id.unwrap());
    assert_eq!(done["account"], serde_json::to_value(pinwright::os::account::own_name()).unwrap());
    assert!(!cfg!(unix) || done["account"].is_string(), "{done}");
    assert!(done["uid"].is_u64() == cfg!(unix) && done["card_state"].is_null(), "{done}");

    // A failure before anything was shown to the card writes nothing, nor does a job that was done before.
    setup.run(&card, &mut Person::default()).failed("done before");
    setup.asked = Asked::Again;
    setup.server.inject(Fault::on(Endpoint::AuthenticationResponse, FaultKind::error(500, "x")));
    setup.run(&card, &mut Person::default()).failed("no answer");
    assert!(written().is_empty());
    setup.server.state().clear_faults();

    // A card that refuses the answer has been written to: a try may be spent.
    let refusing = InsertedCard::new(Kind::Gids);
    refusing.instead(|command| command.starts_with(&[0, 0x87, 0, 0, 12]).then(|| vec![0x69, 0x82]));
    let failure = setup.run(&refusing, &mut Person::default()).failed("refused");
    let lines = written();
    let [failed] = lines.as_slice() else { panic!("{lines:?}") };
    assert_eq!((&failed["by"], &failed["result"]), (&"command".into(), &"failed".into()));
    assert_eq!((&failed["card_state"], &failed["step"]), (&"untouched-try-spent".into(), &"authorize".into()));
    assert_eq!(failed["status_word"], "6982");
    assert_eq!(failed["request"], done["request"]);
    assert_eq!(failed["card_id"], failure.card_id.unwrap().to_string());
    assert_eq!(failed["journal"], failure.journal.unwrap());

    assert!(!log.text().contains("CANARY"), "{}", log.text());
    // The book's example is such a line.
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/src/monitoring.md")).unwrap();
    let example = page.lines().find(|line| line.trim_start().starts_with("{\"schema\":\"pinwright.write/1\"")).unwrap();
    assert_eq!(names(&serde_json::from_str(example.trim()).unwrap()), names(done));
}
