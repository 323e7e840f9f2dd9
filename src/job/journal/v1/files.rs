//! Files that commit 03ed169 has written (`fixtures/journal/1`): jobs killed through a real pcscd, cards that refused or were
//! pulled.

use std::fs;
use std::path::{Path, PathBuf};

use super::*;

/// The job, and what its file tells: point, whether somebody must see to it, authority, proof, the card's word.
type Told = (&'static str, Point, bool, &'static str, ProofState, Option<&'static str>);

const FILES: [Told; 11] = [
    ("1a224451d6a-cf6374be", Point::Authorizing, true, "server", ProofState::Shown, None),
    ("1a224452784-34151367", Point::Setting, true, "server", ProofState::Accepted, None),
    ("1a224452f9a-399f7bef", Point::Set, true, "server", ProofState::Accepted, None),
    ("1a22445539b-ec37b4df", Point::Setting, true, "current-pin", ProofState::Shown, None),
    ("1a22445ecce-4be6c092", Point::Unclear, true, "server", ProofState::Accepted, None),
    ("1a22445ee72-4e6776b5", Point::Unclear, true, "server", ProofState::Accepted, None),
    ("1a2244603ff-c1cd98de", Point::Done, false, "server", ProofState::Accepted, None),
    ("1a224451c83-a609a4df", Point::Resolved, false, "server", ProofState::Shown, None),
    ("1a224465b85-a16af35b", Point::Untouched, false, "server", ProofState::Refused, Some("6982")),
    ("1a224464b0f-c50ba4c4", Point::Untouched, false, "puk", ProofState::Refused, Some("63C2")),
    ("1a224464176-905ab596", Point::Untouched, false, "puk", ProofState::Refused, Some("6983")),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/journal/1")
}

#[test]
fn what_a_file_of_version_one_tells() {
    let names: Vec<String> =
        fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(names.len(), FILES.len());
    for (id, point, is_open, authority, proof, word) in FILES {
        let name = names.iter().find(|name| name.ends_with(&format!("_{id}.json"))).unwrap();
        let file = File::parse(&fs::read(folder().join(name)).unwrap()).unwrap();
        assert_eq!(file.name(), *name);
        let record = file.record();
        assert_eq!((record.point(), record.is_open(), record.id.as_str()), (point, is_open, id));
        assert_eq!((record.authority(), record.proof(), record.status_word()), (Some(authority), proof, word), "{id}");
        assert!(record.reader().is_some_and(|reader| reader.starts_with("Virtual ")), "{id}");
        assert!(record.card_id().is_some() && record.smartcard().is_some() && record.request().is_some(), "{id}");
        assert!(record.changed().starts_with("2026-11-28T"), "{id}");
    }
}
