//! The bearer token: shown to the configured server alone, read anew once after a refusal, and never told.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pinwright::server::auth::{Offered, Stop};
use pinwright::server::{AdminKeyVersion, ServerError, ServerProblem};
use pinwright::sim::server::{Endpoint, Fault, FaultKind, UriForm};

use crate::listener::{Act, Listener};
use crate::{CARD_ID, CHANGES, Caller, Change, REQUEST, SCID, bearer, block_on, caller, card, stand_in, told};

const OLD: &str = "OLD-CANARY-token";
const NEW: &str = "NEW-CANARY-token";

/// A token file, and a listener that replaces what is in it when the first request comes.
struct SignedInServer {
    listener: Listener,
    token: PathBuf,
    _folder: tempfile::TempDir,
}

fn signed_in_server(
    replace_with: Option<&'static str>,
    act: impl Fn(usize) -> Act + Send + Sync + 'static,
) -> SignedInServer {
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, OLD).unwrap();
    let path = token.clone();
    let listener = Listener::start(true, move |number| {
        // The client has read the file before it connected.
        if number == 0
            && let Some(next) = replace_with
        {
            std::fs::write(&path, next).unwrap();
        }
        act(number)
    });
    SignedInServer { listener, token, _folder: folder }
}

impl SignedInServer {
    fn client(&self) -> Caller {
        caller(&self.listener.url, &self.listener.ca_pem, bearer(&self.token), Duration::from_secs(8))
    }

    /// What the server was shown, in order.
    fn shown(&self) -> Vec<String> {
        let received = self.listener.received();
        let headers = received.iter().map(|received| received.header("authorization").unwrap_or_default().to_owned());
        headers.collect()
    }
}

fn unauthorized(error: &ServerError) -> (String, Stop) {
    assert!(!format!("{error} {error:?} {}", error.problem.remedy()).contains("CANARY"), "{error:?}");
    match &error.problem {
        ServerProblem::Unauthorized { offered, stop } => (offered.to_string(), *stop),
        other => panic!("{other:?}"),
    }
}

/// One call of each rule of repetition.
async fn read_some(client: &Caller) -> [Result<(), ServerError>; 2] {
    let card = card(CARD_ID, &[1; 8]);
    [
        client.requests("Approved").await.map(drop),
        client.authentication_response(REQUEST, SCID, &card, AdminKeyVersion::Default).await.map(drop),
    ]
}

#[test]
fn a_replaced_token_is_read_anew() {
    let both = [format!("Bearer {OLD}"), format!("Bearer {NEW}")];
    for change in CHANGES {
        let (status, body) = change.success();
        let server = signed_in_server(Some(NEW), move |number| match number {
            0 => Act::AnswerWith(401, "WWW-Authenticate: Bearer", String::new()),
            _ => Act::Answer(status, body.to_owned()),
        });
        let (found, error) = told(block_on(change.call(&server.client())));
        assert_eq!((found, server.shown()), ("done", both.to_vec()), "{change:?}: {error}");
        let received = server.listener.received();
        let length = |number: usize| received[number].body.len();
        assert!(length(0) > 0 && length(0) == length(1), "{change:?}: the whole body both times");
    }
    for call in [0, 1] {
        let answers = ["[]".to_owned(), "\"AQEBAQEBAQE=\"".to_owned()];
        let server = signed_in_server(Some(NEW), move |number| match number {
            0 => Act::Answer(401, String::new()),
            _ => Act::Answer(200, answers[call].clone()),
        });
        block_on(async {
            let client = server.client();
            match call {
                0 => drop(client.requests("Approved").await.unwrap()),
                _ => drop(
                    client
                        .authentication_response(REQUEST, SCID, &card(CARD_ID, &[1; 8]), AdminKeyVersion::Default)
                        .await
                        .unwrap(),
                ),
            }
        });
        assert_eq!(server.shown(), both);
    }
}

#[test]
fn the_same_token_is_not_sent_again() {
    for (offer, expected, stop) in [
        ("WWW-Authenticate: Bearer", "Bearer", Stop::SameToken),
        ("X: y", "none", Stop::SameToken),
        ("WWW-Authenticate: Negotiate\r\nWWW-Authenticate: NTLM", "Negotiate, NTLM", Stop::NotOffered),
    ] {
        // The same bytes in a new file.
        let server = signed_in_server(Some(OLD), move |_| Act::AnswerWith(401, offer, String::new()));
        block_on(async {
            let client = server.client();
            for result in read_some(&client).await {
                assert_eq!(unauthorized(&result.unwrap_err()), (expected.to_owned(), stop), "{offer}");
            }
            for change in CHANGES {
                let error = change.call(&client).await.unwrap_err();
                assert_eq!(unauthorized(&error), (expected.to_owned(), stop), "{offer}");
                let says = error.to_string();
                assert_eq!(says.contains("read anew"), stop == Stop::SameToken, "{says}");
                let remedy = error.problem.remedy();
                assert_eq!(remedy.contains("fresh token"), stop == Stop::SameToken, "{remedy}");
            }
        });
        assert_eq!(server.shown().len(), 2 + CHANGES.len(), "once each");
    }
}

#[test]
fn a_new_token_that_is_refused_too_is_the_last() {
    for change in CHANGES {
        let server = signed_in_server(Some(NEW), |_| Act::Answer(401, String::new()));
        let error = block_on(change.call(&server.client())).unwrap_err();
        assert_eq!(unauthorized(&error), (Offered::default().to_string(), Stop::NewTokenRefused));
        assert!(error.to_string().contains("that one is refused too"), "{error}");
        assert_eq!(server.shown().len(), 2, "{change:?}");
    }
}

/// With a new token the call is sent again, and what becomes of it then is what becomes of it.
#[test]
fn a_call_is_lost_after_the_renewal_as_before_it() {
    for (act, expected) in
        [(Act::Cut, "lost"), (Act::Answer(500, String::new()), "lost"), (Act::Answer(403, String::new()), "refused")]
    {
        let server =
            signed_in_server(
                Some(NEW),
                move |number| if number == 0 { Act::Answer(401, String::new()) } else { act.clone() },
            );
        let (found, error) = told(block_on(Change::CreateRequest.call(&server.client())));
        assert_eq!((found, server.shown().len()), (expected, 2), "{error}");
    }
    // A second file that is no token: the first request was refused, and there is no second.
    let server = signed_in_server(Some("two words"), |_| Act::Answer(401, String::new()));
    let (found, error) = told(block_on(Change::CreateRequest.call(&server.client())));
    assert_eq!((found, server.shown().len()), ("refused", 1), "{error}");
    assert!(error.contains("NotAToken"), "{error}");
}

#[test]
fn without_a_token_nothing_is_sent() {
    let server = signed_in_server(None, |_| Act::Answer(200, "[]".to_owned()));
    std::fs::remove_file(&server.token).unwrap();
    let client = server.client();
    for change in CHANGES {
        let (found, error) = told(block_on(change.call(&client)));
        assert_eq!(found, "not sent", "{change:?}: {error}");
    }
    for result in block_on(read_some(&client)) {
        assert!(matches!(result.unwrap_err().problem, ServerProblem::SignIn(_)));
    }
    assert_eq!(server.listener.connections(), 0);
}

/// Redirects and URIs of other hosts: the token is shown to the configured server and to nobody else.
#[test]
fn the_token_goes_to_the_configured_host_alone() {
    let stranger = Arc::new(Listener::start(false, |_| Act::Answer(200, "[]".to_owned())));
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, OLD).unwrap();
    let server = stand_in(|settings| {
        settings.token = Some(OLD.to_owned());
        settings.created_uri = UriForm::Absolute;
    });
    let client = caller(&server.base_url(), server.ca_pem(), bearer(&token), Duration::from_secs(8));
    for code in [301, 302, 303, 307, 308] {
        let elsewhere = FaultKind::status_with(code, "Location", &stranger.url);
        for endpoint in [Endpoint::Requests, Endpoint::AuthenticationResponse, Endpoint::CreateRequest] {
            server.inject(Fault::on(endpoint, elsewhere.clone()));
        }
        for result in block_on(read_some(&client)) {
            let error = result.unwrap_err();
            assert!(matches!(error.problem, ServerProblem::Redirect { status } if status == code), "{error:?}");
        }
        assert_eq!(told(block_on(Change::CreateRequest.call(&client))).0, "lost", "{code}");
        server.state().clear_faults();
    }
    // The URI of what was made names another host, and is not asked for.
    assert_eq!(told(block_on(Change::CreateRequest.call(&client))).0, "done");
    assert_eq!(stranger.connections(), 0);
    assert!(server.requests().iter().all(|request| request.authorization == Some("Bearer")));
}
