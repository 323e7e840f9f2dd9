//! Requests whose making was cut off, looked for by the journal alone.

use std::time::SystemTime;

use super::*;
use crate::enroll::record::noted_request::KNOWN_MAX;
use crate::server::wire::{RequestStatus, RequestType};
use crate::server::{DataForm, Purpose as SentPurpose, RequestLook};

const TEMPLATE: Uuid = Uuid::from_u128(0x39);

#[test]
fn a_lost_request_is_looked_for_out_of_the_journal_alone() {
    let (_folder, journal) = journal();
    let data = [("Reason".to_owned(), "CANARY".to_owned())];
    let new = NewRequest {
        purpose: SentPurpose::Enroll { profile_template: TEMPLATE },
        data: &data,
        data_form: DataForm::Array,
        comment: "why not",
        target: Some(OTHER),
    };
    let mut first = log(&journal, None);
    let facts = Facts { reader: Some("Reader 1".to_owned()), ..Facts::default() };
    first.about_to_create(&new, &[REQUEST], facts).unwrap();
    let id = first.id().unwrap().to_owned();
    drop(first);

    let again = log(&journal, None);
    assert_eq!(
        (again.id(), again.says(0).request, again.purpose()),
        (Some(id.as_str()), Noted::Begun, Some(Purpose::Enroll))
    );
    let noted = again.noted_request().unwrap();
    assert_eq!((noted.purpose, noted.comment.as_str(), noted.target), (new.purpose, "why not", Some(OTHER)));
    let shown = |uuid, comment: &str| crate::server::wire::Request {
        uuid,
        kind: RequestType::Enroll,
        status: RequestStatus::Pending,
        new_smartcard: None,
        profile_template: Some(TEMPLATE),
        target_user: Some(OTHER),
        submitted: Some(SystemTime::now()),
        completed: None,
        old_smartcard: None,
        comment: Some(comment.to_owned()),
        data: vec![("Reason".to_owned(), Some("whatever was typed".to_owned()))],
    };
    let sent = noted.sent();
    let ours = Uuid::from_u128(1);
    let all = [shown(REQUEST, "why not"), shown(Uuid::from_u128(2), "another"), shown(ours, "why not")];
    assert!(matches!(noted.lost(&sent).among(&all), RequestLook::Made(made) if made.uuid == ours));
    assert_eq!(noted.lost(&sent).among(&all[..2]), RequestLook::NotShown);
    assert!(!journal_text(&journal).contains("CANARY"), "what was typed is not noted");
}

fn journal_text(journal: &Journal) -> String {
    walk(journal.folder())
        .iter()
        .map(|path| String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned())
        .collect()
}

#[test]
fn of_many_requests_that_are_alike_a_record_notes_some() {
    let (_folder, journal) = journal();
    let new = NewRequest {
        purpose: SentPurpose::Retire { smartcard: OTHER },
        data: &[],
        data_form: DataForm::Text,
        comment: "",
        target: None,
    };
    let many: Vec<Uuid> = (0..5000).map(Uuid::from_u128).collect();
    let mut log = log(&journal, None);
    log.about_to_create(&new, &many, Facts::default()).unwrap();
    assert_eq!(log.noted_request().unwrap().known, many[..KNOWN_MAX]);
    drop(log);
    assert_eq!(journal.of_card(card_id().guid()).unwrap()[0].smartcard(), Some(OTHER), "it can be read");
}
