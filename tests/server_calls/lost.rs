//! A lost answer of each call that changes the server is answered by looking, and the call is not sent a second time.

use std::time::SystemTime;

use pinwright::server::wire::{CardStatus, RequestStatus};
use pinwright::server::{
    BindingLook, EndLook, LostRequest, NewRequest, Posted, Purpose, RequestEnd, RequestLook, ServerError,
};
use pinwright::sim::server::{Endpoint, Fault, FaultKind, RequestStatus as Status, StandIn};
use uuid::Uuid;

use crate::{CARD_ID, Caller, NEW_CARD_ID, REQUEST, SCID, block_on, card, done, enroll, of, stand_in};

/// Ways in which the server carries a call out and its answer does not say so.
const WAYS: [FaultKind; 5] = [
    FaultKind::DropBeforeHeaders,
    FaultKind::DropMidBody,
    FaultKind::TruncatedBody,
    FaultKind::Garbage,
    FaultKind::Html,
];

/// What the call lost was carried out, whatever the fault.
#[track_caller]
fn is_lost<T: std::fmt::Debug>(posted: Result<Posted<T>, ServerError>) {
    let posted = posted.unwrap();
    assert!(matches!(posted, Posted::Lost(_)), "{posted:?}");
}

/// One POST or PUT to this endpoint, and no rule broken.
#[track_caller]
fn sent_once(server: &StandIn, endpoint: Endpoint) {
    let sent = server.requests().into_iter().filter(|call| call.endpoint == Some(endpoint) && call.method != "GET");
    assert_eq!(sent.count(), 1);
    assert!(server.violations().is_empty(), "{:?}", server.violations());
}

/// Sends a request whose answer is lost, and looks.
async fn look(client: &Caller, server: &StandIn, kind: &FaultKind, sent: &NewRequest<'_>) -> RequestLook {
    let known: Vec<Uuid> = client.own_requests().await.unwrap().iter().map(|request| request.uuid).collect();
    server.inject(Fault::on(Endpoint::CreateRequest, kind.clone()));
    let at = SystemTime::now();
    is_lost(client.create_request(sent).await);
    let lost = LostRequest { sent, at, given_up: Some(SystemTime::now()), known: &known };
    client.look_for_request(&lost).await.unwrap()
}

#[test]
fn a_request() {
    for kind in WAYS {
        for status in [Status::Approved, Status::Pending, Status::Denied] {
            let server = stand_in(|settings| settings.new_request_status = status);
            let found = block_on(look(&of(&server), &server, &kind, &enroll("a comment")));
            let made = server.state().change(|settings| settings.requests.last().unwrap().uuid);
            let RequestLook::Made(request) = found else { panic!("{kind:?}, {status:?}: {found:?}") };
            assert_eq!((request.uuid, request.status.to_string()), (made, format!("{status:?}")));
            sent_once(&server, Endpoint::CreateRequest);
        }
    }
}

#[test]
fn a_request_beside_others() {
    let server = stand_in(|_| {});
    let client = of(&server);
    block_on(async {
        // One like it from before, and one of another comment.
        done(client.create_request(&enroll("why")).await);
        done(client.create_request(&enroll("another")).await);
        let found = look(&client, &server, &FaultKind::status(500), &enroll("why")).await;
        let made = server.state().change(|settings| settings.requests.last().unwrap().uuid);
        let RequestLook::Made(request) = found else { panic!("{found:?}") };
        assert_eq!(request.uuid, made);
        // Somebody else makes one like it meanwhile: only a person can tell which is which.
        let (sent, at) = (enroll("why"), SystemTime::now());
        let known: Vec<Uuid> = client.own_requests().await.unwrap().iter().map(|request| request.uuid).collect();
        let lost = LostRequest { sent: &sent, at, given_up: None, known: &known };
        assert_eq!(client.look_for_request(&lost).await.unwrap(), RequestLook::NotShown);
        let (one, other) = (client.create_request(&sent).await, client.create_request(&sent).await);
        let several = client.look_for_request(&lost).await.unwrap();
        assert_eq!(several, RequestLook::Several(vec![done(one), done(other)]));
    });
}

/// One that the server refuses is not made, and the look says so.
#[test]
fn a_request_that_was_not_made() {
    let server = stand_in(|_| {});
    let client = of(&server);
    let (sent, at) = (enroll(""), SystemTime::now());
    block_on(async {
        server.inject(Fault::on(Endpoint::CreateRequest, FaultKind::status(403)));
        client.create_request(&sent).await.unwrap_err();
        let lost = LostRequest { sent: &sent, at, given_up: None, known: &[] };
        assert_eq!(client.look_for_request(&lost).await.unwrap(), RequestLook::NotShown);
        // A look that fails leaves it in doubt.
        server.inject(Fault::on(Endpoint::Requests, FaultKind::status(403)));
        assert!(client.look_for_request(&lost).await.is_err());
    });
}

#[test]
fn requests_about_a_card_and_for_others() {
    let server = stand_in(|settings| settings.makes_for_others = true);
    let client = of(&server);
    let other = Uuid::from_u128(0xB0);
    block_on(async {
        for sent in [
            NewRequest { purpose: Purpose::Unblock { smartcard: SCID }, ..enroll("") },
            NewRequest { purpose: Purpose::Retire { smartcard: SCID }, ..enroll("") },
            NewRequest { target: Some(other), ..enroll("") },
        ] {
            let found = look(&client, &server, &FaultKind::DropBeforeHeaders, &sent).await;
            let made = server.state().change(|settings| settings.requests.last().unwrap().uuid);
            let RequestLook::Made(request) = found else { panic!("{sent:?}: {found:?}") };
            assert_eq!(request.uuid, made, "{sent:?}");
        }
    });
    assert!(server.violations().is_empty(), "{:?}", server.violations());
}

#[test]
fn a_binding() {
    for kind in WAYS {
        let server = stand_in(|_| {});
        let client = of(&server);
        block_on(async {
            let request = done(client.create_request(&enroll("")).await);
            assert_eq!(client.look_for_binding(request, NEW_CARD_ID).await.unwrap(), BindingLook::NotBound);
            server.inject(Fault::on(Endpoint::BindCard, kind.clone()));
            is_lost(client.bind_smartcard(request, &card(NEW_CARD_ID, &[])).await);
            let bound = server.state().change(|settings| settings.cards.last().unwrap().uuid);
            let found = client.look_for_binding(request, NEW_CARD_ID).await.unwrap();
            assert_eq!(found, BindingLook::Bound(bound), "{kind:?}");
            assert_eq!(client.look_for_binding(request, CARD_ID).await.unwrap(), BindingLook::OtherCard(bound));
        });
        sent_once(&server, Endpoint::BindCard);
    }
}

#[test]
fn the_end_of_a_request() {
    for kind in WAYS {
        for (end, status) in [(RequestEnd::Completed, "Completed"), (RequestEnd::Abandoned, "Failed")] {
            let server = stand_in(|_| {});
            let client = of(&server);
            block_on(async {
                let before = client.look_for_end(REQUEST, end).await.unwrap();
                assert_eq!(before, EndLook::AsBefore(RequestStatus::Approved));
                server.inject(Fault::on(Endpoint::EndRequest, kind.clone()));
                is_lost(client.end_request(REQUEST, end).await);
                assert_eq!(client.look_for_end(REQUEST, end).await.unwrap(), EndLook::Done, "{kind:?}");
                let other = client.look_for_end(REQUEST, RequestEnd::Canceled).await.unwrap();
                assert!(matches!(other, EndLook::Otherwise(other) if other.to_string() == status), "{other:?}");
            });
            sent_once(&server, Endpoint::EndRequest);
        }
    }
}

#[test]
fn the_end_of_a_card() {
    for kind in WAYS {
        let server = stand_in(|_| {});
        let client = of(&server);
        block_on(async {
            let new = NewRequest { purpose: Purpose::Retire { smartcard: SCID }, ..enroll("") };
            let request = done(client.create_request(&new).await);
            let before = client.look_for_retirement(SCID).await.unwrap();
            assert_eq!(before, EndLook::AsBefore(CardStatus::Assigned));
            server.inject(Fault::on(Endpoint::RetireCard, kind.clone()));
            is_lost(client.retire_smartcard(request, SCID).await);
            assert_eq!(client.look_for_retirement(SCID).await.unwrap(), EndLook::Done, "{kind:?}");
        });
        sent_once(&server, Endpoint::RetireCard);
    }
}
