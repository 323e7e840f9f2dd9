//! Which requests can be given up in which way.

use super::*;

fn request(status: RequestStatus, kind: RequestType, smartcard: Option<Uuid>) -> Request {
    Request {
        uuid: Uuid::from_u128(1),
        kind,
        status,
        new_smartcard: smartcard,
        profile_template: None,
        target_user: None,
        submitted: None,
        completed: None,
        old_smartcard: None,
        comment: None,
        data: Vec::new(),
    }
}

#[test]
fn by_status_and_card() {
    use GivingUp::{Abandon, Cancel};
    use RequestStatus::{Approved, Canceled, Completed, Denied, Executing, Failed, Pending, Unknown};
    use RequestType::{Enroll, Unblock};
    let card = Some(Uuid::from_u128(2));
    let cases = [
        (Cancel, Pending, Enroll, None, Ok(true)),
        (Cancel, Approved, Enroll, None, Ok(true)),
        (Cancel, Approved, Enroll, card, Err("is bound to it")),
        // Bound from its beginning.
        (Cancel, Approved, Unblock, card, Ok(true)),
        (Cancel, Unknown(7), Enroll, None, Ok(true)),
        (Cancel, Canceled, Enroll, None, Ok(false)),
        (Cancel, Executing, Enroll, card, Err("is Executing: it can't be canceled")),
        (Cancel, Completed, Enroll, card, Err("is Completed")),
        (Cancel, Denied, Enroll, None, Err("is Denied")),
        (Cancel, Failed, Enroll, None, Err("is Failed")),
        (Abandon, Approved, Enroll, None, Ok(true)),
        (Abandon, Executing, Enroll, card, Ok(true)),
        (Abandon, Unknown(7), Unblock, card, Ok(true)),
        (Abandon, Failed, Enroll, card, Ok(false)),
        (Abandon, Pending, Enroll, None, Err("is Pending: it can't be abandoned")),
        (Abandon, Completed, Enroll, card, Err("is Completed")),
        (Abandon, Denied, Enroll, None, Err("is Denied")),
        (Abandon, Canceled, Enroll, None, Err("is Canceled")),
    ];
    for (end, status, kind, smartcard, expected) in cases {
        let found = allowed(&request(status, kind, smartcard), end);
        match (&found, expected) {
            (Ok(found), Ok(expected)) => assert_eq!(*found, expected, "{end:?} {status}"),
            (Err(error), Err(expected)) => {
                assert!(error.to_string().contains(expected), "{end:?} {status}: {error}");
                assert!(error.hint().unwrap().contains("pinwright request"), "{end:?} {status}");
            }
            _ => panic!("{end:?} {status}: {found:?}"),
        }
    }
}

#[test]
fn the_question_says_what_is_lost() {
    let card = Uuid::from_u128(2);
    let text = question(&request(RequestStatus::Executing, RequestType::Enroll, Some(card)), GivingUp::Abandon);
    assert!(text.starts_with("Abandon request 00000000-") && text.contains(&format!("card object {card}")), "{text}");
    assert!(text.contains("Executing Enroll") && text.ends_with("the card stays as it is."), "{text}");
    let text = question(&request(RequestStatus::Pending, RequestType::Enroll, None), GivingUp::Cancel);
    assert!(text.starts_with("Cancel request") && text.ends_with("it can't be resumed."), "{text}");
}
