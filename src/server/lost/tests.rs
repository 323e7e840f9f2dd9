//! What is taken from what a server shows: one row a question.

use std::time::UNIX_EPOCH;

use super::*;
use crate::server::DataForm;

const TEMPLATE: Uuid = Uuid::from_u128(0xA0);
const CARD: Uuid = Uuid::from_u128(0xC0);
const CARD_ID: Uuid = Uuid::from_u128(0x1D);

/// So many seconds into a day on which all of this happens.
fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_436_312_000 + seconds)
}

const SENT: u64 = 10_000;

/// An approved request like the one that was sent, of this number.
fn shown(number: u128) -> Request {
    Request {
        uuid: Uuid::from_u128(number),
        kind: RequestType::Enroll,
        status: RequestStatus::Approved,
        new_smartcard: None,
        profile_template: Some(TEMPLATE),
        target_user: Some(Uuid::from_u128(0xE0)),
        submitted: Some(at(SENT)),
        completed: None,
        old_smartcard: None,
        comment: Some("why not".to_owned()),
        data: vec![("Reason".to_owned(), Some("new".to_owned()))],
    }
}

/// The same with one thing about it changed.
fn with(number: u128, change: impl FnOnce(&mut Request)) -> Request {
    let mut request = shown(number);
    change(&mut request);
    request
}

fn data() -> [(String, String); 1] {
    [("Reason".to_owned(), "new".to_owned())]
}

fn sent(purpose: Purpose, data: &[(String, String)]) -> NewRequest<'_> {
    NewRequest { purpose, data, data_form: DataForm::Text, comment: "why not", target: None }
}

fn look(purpose: Purpose, target: Option<Uuid>, known: &[Uuid], given_up: Option<u64>, all: &[Request]) -> Vec<u128> {
    let data = data();
    let sent = NewRequest { target, ..sent(purpose, &data) };
    let lost = LostRequest { sent: &sent, at: at(SENT), given_up: given_up.map(at), known };
    match lost.among(all) {
        RequestLook::Made(request) => vec![request.uuid.as_u128()],
        RequestLook::NotShown => vec![],
        RequestLook::Several(several) => several.iter().map(Uuid::as_u128).collect(),
    }
}

#[test]
fn which_of_the_requests_is_the_one_that_was_sent() {
    type Change = fn(&mut Request);
    let is_ours = true;
    let cases: [(&str, Change, bool); 30] = [
        ("like it", |_| {}, is_ours),
        ("pending", |r| r.status = RequestStatus::Pending, is_ours),
        ("denied since", |r| r.status = RequestStatus::Denied, is_ours),
        ("a status that nobody explains", |r| r.status = RequestStatus::Unknown(7), is_ours),
        ("no type stated", |r| r.kind = RequestType::Unknown(-1), is_ours),
        ("another type", |r| r.kind = RequestType::Unblock, false),
        ("a type of another name", |r| r.kind = RequestType::Retire, false),
        ("a type of another number", |r| r.kind = RequestType::Unknown(12), false),
        ("no template stated", |r| r.profile_template = None, is_ours),
        ("another template", |r| r.profile_template = Some(CARD), false),
        ("a card is bound", |r| r.new_smartcard = Some(CARD), false),
        ("of an earlier card", |r| r.old_smartcard = Some(CARD), is_ours),
        ("no time stated", |r| r.submitted = None, is_ours),
        ("a little before, by the server's clock", |r| r.submitted = Some(at(SENT - 899)), is_ours),
        ("long before", |r| r.submitted = Some(at(SENT - 901)), false),
        ("a year before", |r| r.submitted = Some(UNIX_EPOCH), false),
        ("on its way for a while", |r| r.submitted = Some(at(SENT + 930)), is_ours),
        ("long after it was given up", |r| r.submitted = Some(at(SENT + 932)), false),
        ("another user, where none was named", |r| r.target_user = Some(CARD), is_ours),
        ("no comment stated", |r| r.comment = None, is_ours),
        ("another comment", |r| r.comment = Some("why".to_owned()), false),
        ("an empty comment", |r| r.comment = Some(String::new()), false),
        ("the comment with blanks", |r| r.comment = Some(" why not ".to_owned()), is_ours),
        ("no items", |r| r.data.clear(), is_ours),
        ("an item without its value", |r| r.data[0].1 = None, is_ours),
        ("an item with another value", |r| r.data[0].1 = Some("old".to_owned()), false),
        ("an empty item", |r| r.data[0].1 = Some(String::new()), false),
        ("one more item", |r| r.data.push(("City".to_owned(), Some("Ulm".to_owned()))), is_ours),
        ("another item", |r| r.data[0].0 = "City".to_owned(), is_ours),
        (
            "nothing but its id",
            |r| {
                (r.kind, r.profile_template, r.target_user) = (RequestType::Unknown(-1), None, None);
                (r.submitted, r.comment) = (None, None);
                r.data.clear();
            },
            is_ours,
        ),
    ];
    let enroll = Purpose::Enroll { profile_template: TEMPLATE };
    let others = [with(8, |r| r.profile_template = Some(CARD)), with(9, |r| r.new_smartcard = Some(CARD))];
    for (case, change, is_ours) in cases {
        let all = [&[with(1, change)], &others[..]].concat();
        let expected: &[u128] = if is_ours { &[1] } else { &[] };
        assert_eq!(look(enroll, None, &[], Some(SENT + 31), &all), expected, "{case}");
        // One that was shown before is none, whatever it is like.
        assert!(look(enroll, None, &[Uuid::from_u128(1)], Some(SENT + 31), &all).is_empty(), "{case}");
        // Two that may be are for a person to tell apart.
        let several: &[u128] = if is_ours { &[1, 2] } else { &[2] };
        let all = [&[with(1, change), shown(2)], &others[..]].concat();
        assert_eq!(look(enroll, None, &[], Some(SENT + 31), &all), several, "{case}");
    }
    assert!(look(enroll, None, &[], None, &[]).is_empty());
    // Where the program was stopped nobody knows when it was given up.
    let late = [with(1, |r| r.submitted = Some(at(SENT + 100_000)))];
    assert_eq!(look(enroll, None, &[], None, &late), [1]);
}

#[test]
fn a_request_for_another_user() {
    let enroll = Purpose::Enroll { profile_template: TEMPLATE };
    let (wanted, other) = (Uuid::from_u128(0xB0), Uuid::from_u128(0xB1));
    for (target_user, expected) in [(Some(wanted), &[1][..]), (Some(other), &[]), (None, &[1])] {
        let all = [with(1, |r| r.target_user = target_user)];
        assert_eq!(look(enroll, Some(wanted), &[], None, &all), expected, "{target_user:?}");
    }
}

#[test]
fn a_request_about_a_card() {
    type Change = fn(&mut Request);
    let cases: [(&str, Change, bool, bool); 9] = [
        ("unblock", |r| r.kind = RequestType::Unblock, true, false),
        ("enroll", |r| r.kind = RequestType::Enroll, false, false),
        ("retire by name", |r| r.kind = RequestType::Retire, false, true),
        ("retire by a number that nobody explains", |r| r.kind = RequestType::Unknown(11), false, true),
        ("no type stated", |r| r.kind = RequestType::Unknown(-1), true, true),
        ("the card it started from", |r| (r.new_smartcard, r.kind) = (None, RequestType::Unblock), true, false),
        ("another card", |r| (r.new_smartcard, r.old_smartcard) = (Some(TEMPLATE), None), false, false),
        ("no card", |r| (r.new_smartcard, r.old_smartcard) = (None, None), false, false),
        ("another template", |r| (r.kind, r.profile_template) = (RequestType::Unblock, Some(CARD)), true, false),
    ];
    for (case, change, is_unblock, is_retire) in cases {
        let request = with(1, |r| {
            (r.new_smartcard, r.old_smartcard, r.kind) = (Some(CARD), Some(CARD), RequestType::Unknown(-1));
            change(r);
        });
        let found = |purpose| !look(purpose, None, &[], None, std::slice::from_ref(&request)).is_empty();
        assert_eq!(found(Purpose::Unblock { smartcard: CARD }), is_unblock, "{case}");
        assert_eq!(found(Purpose::Retire { smartcard: CARD }), is_retire, "{case}");
    }
}

#[test]
fn comments_are_compared_as_they_are_shown() {
    let long = "x".repeat(300);
    let data = data();
    let request = NewRequest { comment: &long, ..sent(Purpose::Enroll { profile_template: TEMPLATE }, &data) };
    let lost = LostRequest { sent: &request, at: at(SENT), given_up: None, known: &[] };
    let cut = with(1, |r| r.comment = Some("x".repeat(200)));
    assert!(matches!(lost.among(&[cut]), RequestLook::Made(_)));
}

#[test]
fn whether_a_card_is_bound() {
    let record = |card_id| SmartCard {
        uuid: CARD,
        status: CardStatus::Assigned,
        card_id,
        atr: String::new(),
        assigned_user: None,
        profile_template: None,
    };
    let other = SmartCard { uuid: TEMPLATE, ..record(Some(CARD_ID)) };
    let bound = with(1, |r| r.new_smartcard = Some(CARD));
    for (case, request, record, expected) in [
        ("none", shown(1), None, BindingLook::NotBound),
        ("none, whatever record is at hand", shown(1), Some(record(Some(CARD_ID))), BindingLook::NotBound),
        ("ours", bound.clone(), Some(record(Some(CARD_ID))), BindingLook::Bound(CARD)),
        ("another", bound.clone(), Some(record(Some(TEMPLATE))), BindingLook::OtherCard(CARD)),
        ("no id stated", bound.clone(), Some(record(None)), BindingLook::Unclear(CARD)),
        ("no record", bound.clone(), None, BindingLook::Unclear(CARD)),
        ("another record", bound, Some(other), BindingLook::Unclear(CARD)),
    ] {
        assert_eq!(binding(&request, record.as_ref(), CARD_ID), expected, "{case}");
    }
}

#[test]
fn whether_a_request_has_ended() {
    use RequestEnd::{Abandoned, Canceled as Cancel, Completed as Complete};
    use RequestStatus::{Approved, Canceled, Completed, Denied, Executing, Failed, Pending, Unknown};
    for (end, wanted) in [(Complete, Completed), (Cancel, Canceled), (Abandoned, Failed)] {
        for status in [Approved, Pending, Executing] {
            assert_eq!(end.look(status), EndLook::AsBefore(status));
        }
        for status in [Denied, Completed, Failed, Canceled, Unknown(0), Unknown(-1)] {
            let expected = if status == wanted { EndLook::Done } else { EndLook::Otherwise(status) };
            assert_eq!(end.look(status), expected, "{end:?}");
        }
    }
    use CardStatus::{Active, Assigned, Disabled, New, Retired};
    assert_eq!(retired(Retired), EndLook::Done);
    for status in [New, Assigned, Active] {
        assert_eq!(retired(status), EndLook::AsBefore(status));
    }
    for status in [Disabled, CardStatus::Unknown(4)] {
        assert_eq!(retired(status), EndLook::Otherwise(status));
    }
}

#[test]
fn whether_certificates_were_issued() {
    let certificate = |serial: &str, thumbprint: &str| CardCertificate {
        serial_number: serial.to_owned(),
        thumbprint: thumbprint.to_owned(),
        template: "Logon".to_owned(),
        is_key_history: false,
    };
    let (old, new) = (certificate("1B0A", "C5"), certificate("1B0B", "D6"));
    let history = CardCertificate { is_key_history: true, ..certificate("0001", "EE") };
    let lower = certificate("1b0a", "c5");
    for (case, before, now, expected) in [
        ("a new card", vec![], vec![], vec![]),
        ("a new card, issued", vec![], vec![new.clone()], vec![new.clone()]),
        ("as before", vec![old.clone()], vec![old.clone()], vec![]),
        ("as before in other letters", vec![old.clone()], vec![lower], vec![]),
        ("one more", vec![old.clone()], vec![new.clone(), old.clone()], vec![new.clone()]),
        ("an earlier key restored", vec![old.clone()], vec![old.clone(), history], vec![]),
        ("one that is gone", vec![old.clone(), new.clone()], vec![old.clone()], vec![]),
        (
            "the same number of another authority",
            vec![old],
            vec![certificate("1B0A", "AA")],
            vec![certificate("1B0A", "AA")],
        ),
    ] {
        let expected = if expected.is_empty() { CertificateLook::NotShown } else { CertificateLook::Issued(expected) };
        assert_eq!(issued(&before, &now), expected, "{case}");
    }
}
