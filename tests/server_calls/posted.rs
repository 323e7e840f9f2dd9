//! What becomes of a call that changes the server, by where it failed; and that it is never sent a second time.

use std::time::{Duration, Instant};

use pinwright::server::auth::Auth;
use pinwright::server::{Posted, RequestEnd, ServerProblem};
use pinwright::sim::server::{Endpoint, Fault, FaultKind, TlsKind};

use crate::listener::{Act, Listener, silent};
use crate::{CHANGES, Caller, Change, REQUEST, block_on, caller, enroll, of, stand_in, told};

const PATIENT: Duration = Duration::from_secs(8);

fn to(listener: &Listener, timeout: Duration) -> Caller {
    caller(&listener.url, &listener.ca_pem, Auth::None, timeout)
}

/// An answer to each change, and what becomes of the call. One request arrives, whatever is answered.
#[test]
fn answers() {
    let answer = |status: u16, text: &str| Act::Answer(status, text.to_owned());
    let cases = [
        (answer(204, ""), "lost", "does not confirm"),
        (answer(500, "{\"Message\":\"x\"}"), "lost", "failed (500)"),
        (answer(502, ""), "lost", "failed (502)"),
        (answer(503, ""), "lost", "busy (503)"),
        (Act::AnswerWith(503, "Retry-After: 0", String::new()), "lost", "busy (503)"),
        (answer(202, "\"x\""), "lost", "status 202"),
        (answer(206, ""), "lost", "status 206"),
        (Act::AnswerWith(302, "Location: /elsewhere", String::new()), "lost", "redirects (302)"),
        (Act::AnswerWith(307, "Location: /elsewhere", String::new()), "lost", "redirects (307)"),
        (Act::Half(201), "lost", ""),
        (Act::Cut, "lost", "connection broke"),
        (answer(400, "{\"Message\":\"x\"}"), "refused", "(400)"),
        (answer(401, ""), "refused", "(401; it offers none)"),
        (answer(403, "{\"Message\":\"x\"}"), "refused", "(403)"),
        (answer(404, ""), "refused", "(404)"),
        (answer(405, ""), "refused", "(405)"),
        (answer(409, ""), "refused", "(409)"),
        (answer(411, ""), "refused", "(411)"),
        (answer(415, ""), "refused", "(415)"),
        (answer(429, ""), "refused", "busy (429)"),
        (Act::AnswerWith(429, "Retry-After: 0", String::new()), "refused", "busy (429)"),
    ];
    for tls in [false, true] {
        for change in CHANGES {
            for (act, expected, words) in &cases {
                let case = format!("{change:?}, TLS {tls}, {act:?}");
                let answer = act.clone();
                let listener = Listener::start(tls, move |_| answer.clone());
                let (found, error) = told(block_on(change.call(&to(&listener, PATIENT))));
                assert_eq!((found, listener.received().len()), (*expected, 1), "{case}: {error}");
                assert!(error.contains(words), "{case}: {error}");
            }
        }
    }
}

#[test]
fn success() {
    for tls in [false, true] {
        for change in CHANGES {
            let (status, body) = change.success();
            let listener = Listener::start(tls, move |_| Act::Answer(status, body.to_owned()));
            let (found, error) = told(block_on(change.call(&to(&listener, PATIENT))));
            assert_eq!(found, "done", "{change:?}: {error}");
            let received = &listener.received()[0];
            assert_eq!(received.header("content-type"), Some("application/json"), "{change:?}");
            assert_eq!(received.header("content-length"), Some(&*received.body.len().to_string()), "{change:?}");
            assert_eq!(received.header("transfer-encoding"), None, "{change:?}");
            assert!(std::str::from_utf8(&received.body).unwrap().starts_with('{'), "{change:?}");
        }
    }
}

/// The status of success with a body that makes none: something was made, and we can't say what.
#[test]
fn a_success_that_is_not_understood_is_in_doubt() {
    for change in CHANGES {
        let (status, _) = change.success();
        for body in ["", "\"\"", "null", "\"api/v1.0/requests/CANARY\"", "\"CANARY", "[[]]", "7"] {
            let listener = Listener::start(false, move |_| Act::Answer(status, body.to_owned()));
            let (found, error) = told(block_on(change.call(&to(&listener, PATIENT))));
            assert_eq!((found, listener.received().len()), ("lost", 1), "{change:?}, {body}: {error}");
            assert!(!error.contains("CANARY"), "{error}");
        }
        let html = Act::AnswerWith(status, "Content-Type: text/html", "<html>".to_owned());
        let listener = Listener::start(false, move |_| html.clone());
        let (found, error) = told(block_on(change.call(&to(&listener, PATIENT))));
        assert_eq!(found, "lost", "{change:?}: {error}");
        // Of one success, not of the other.
        let other = if status == 200 { 201 } else { 200 };
        let body = change.success().1;
        let listener = Listener::start(false, move |_| Act::Answer(other, body.to_owned()));
        let (found, error) = told(block_on(change.call(&to(&listener, PATIENT))));
        assert_eq!(found, "lost", "{change:?}: {error}");
    }
}

/// Nobody is there, or nobody whom we trust: not a byte of the call has left.
#[test]
fn what_can_not_begin_is_not_sent() {
    let strangers = [
        ("nobody listens", "http://localhost:1/cm".to_owned(), PATIENT),
        ("nobody listens, TLS", "https://localhost:1/cm".to_owned(), PATIENT),
        ("no such host", "https://no-such-host.invalid/cm".to_owned(), Duration::from_secs(3)),
        ("no TLS handshake", format!("https://localhost:{}/cm", silent()), Duration::from_millis(300)),
    ];
    for change in CHANGES {
        for (case, url, timeout) in &strangers {
            // Certificate data has a longer deadline of its own, and one name that is not resolved is as good as another.
            if (change == Change::CertificateData && *timeout != PATIENT)
                || (change != Change::CreateRequest && case.contains("host"))
            {
                continue;
            }
            let (found, error) = told(block_on(change.call(&caller(url, "", Auth::None, *timeout))));
            assert_eq!(found, "not sent", "{change:?}, {case}: {error}");
        }
    }
    for tls in [TlsKind::ExpiredLeaf, TlsKind::WrongHost, TlsKind::OtherAuthority] {
        let server = stand_in(|settings| settings.tls = tls);
        for change in CHANGES {
            let (found, error) = told(block_on(change.call(&of(&server))));
            assert_eq!(found, "not sent", "{change:?}, {tls:?}: {error}");
            assert!(error.contains("no trusted TLS connection"), "{error}");
        }
        assert!(server.requests().is_empty());
    }
    // The connection is closed as soon as it is there: sent or not, nothing has arrived.
    for change in CHANGES {
        let listener = Listener::start(true, |_| Act::Close);
        let (found, error) = told(block_on(change.call(&to(&listener, PATIENT))));
        assert!(["not sent", "lost"].contains(&found), "{change:?}: {error}");
        assert!(listener.received().is_empty() && listener.connections() == 1, "{change:?}: once");
    }
}

/// The head was read, the body was not, or only its first part.
#[test]
fn a_reset_amid_the_body() {
    let long = "x".repeat(8 * 1024 * 1024);
    for tls in [false, true] {
        let listener = Listener::start(tls, |_| Act::Reset);
        let client = to(&listener, PATIENT);
        let (found, error) = told(block_on(client.create_request(&enroll(&long))));
        assert_eq!((found, listener.received().len()), ("lost", 1), "TLS {tls}: {error}");
        assert_eq!(listener.connections(), 1, "TLS {tls}");
    }
}

#[test]
fn no_answer_in_time() {
    for tls in [false, true] {
        for change in CHANGES.into_iter().filter(|change| *change != Change::CertificateData) {
            let listener = Listener::start(tls, |_| Act::Stall);
            let started = Instant::now();
            let (found, error) = told(block_on(change.call(&to(&listener, Duration::from_millis(400)))));
            assert_eq!((found, listener.received().len()), ("lost", 1), "{change:?}: {error}");
            assert!(error.contains("no complete answer within 0.4 s"), "{error}");
            assert!(started.elapsed() < Duration::from_secs(3));
        }
    }
}

/// An authority takes longer than a reader of records would wait.
#[test]
fn certificates_are_waited_for() {
    let server = stand_in(|_| {});
    server.inject(Fault::on(Endpoint::CertificateData, FaultKind::Delay(Duration::from_millis(700))));
    let impatient = caller(&server.base_url(), server.ca_pem(), Auth::None, Duration::from_millis(300));
    let (found, error) = told(block_on(Change::CertificateData.call(&impatient)));
    assert_eq!(found, "done", "{error}");
}

/// Every way in which an answer is lost, over both versions of HTTP: the server has carried it out, once.
#[test]
fn a_lost_call_was_carried_out_once() {
    for http2 in [false, true] {
        for kind in [
            FaultKind::DropBeforeHeaders,
            FaultKind::DropAfterHeaders,
            FaultKind::DropMidBody,
            FaultKind::TruncatedBody,
            FaultKind::Garbage,
            FaultKind::Html,
            FaultKind::Oversize { declared: true },
            FaultKind::status(204),
            FaultKind::status(500),
            FaultKind::status_with(503, "Retry-After", "0"),
            FaultKind::Redirect("https://localhost:1/sign-in".to_owned()),
        ] {
            let case = format!("{kind:?}, HTTP/2 {http2}");
            let server = stand_in(|settings| settings.http2 = http2);
            // For ever: a second one would be lost as well.
            server.inject(Fault::on(Endpoint::CreateRequest, kind).always());
            let before = server.state().change(|settings| settings.requests.len());
            let client = of(&server);
            let (found, error) = told(block_on(client.create_request(&enroll(""))));
            assert_eq!(found, "lost", "{case}: {error}");
            let after = server.state().change(|settings| settings.requests.len());
            assert_eq!((after - before, server.requests().len(), client.calls()), (1, 1, 1), "{case}");
        }
    }
}

/// A connection that was used before, and that the server gives up at that very moment, would leave a change in doubt. It is
/// not used for one.
#[test]
fn a_stale_connection_loses_no_change() {
    for tls in [false, true] {
        for change in CHANGES {
            let (status, body) = change.success();
            let listener = Listener::start(tls, move |number| match number {
                0 => Act::Answer(200, "[]".to_owned()),
                _ => Act::Answer(status, body.to_owned()),
            });
            block_on(async {
                let client = to(&listener, PATIENT);
                client.requests("Approved").await.unwrap();
                for _ in 0..2 {
                    let (found, error) = told(change.call(&client).await);
                    assert_eq!(found, "done", "{change:?}: {error}");
                }
            });
            let connections: Vec<usize> = listener.received().iter().map(|received| received.connection).collect();
            assert_eq!(connections, [0, 1, 2], "{change:?}, TLS {tls}: each on a connection of its own");
        }
    }
}

/// The problem of a lost call is told, not only that it is lost.
#[test]
fn the_reason_is_kept() {
    let server = stand_in(|_| {});
    server.inject(Fault::on(Endpoint::EndRequest, FaultKind::status(204)));
    let lost = block_on(of(&server).end_request(REQUEST, RequestEnd::Completed)).unwrap();
    let Posted::Lost(error) = lost else { panic!("{lost:?}") };
    assert!(matches!(error.problem, ServerProblem::Unconfirmed));
    assert_eq!(error.call, "PUT requests/{id}");
    assert!(error.problem.remedy().contains("look"));
    // And so it was: the look shows that it was carried out.
    let request = block_on(of(&server).request(REQUEST)).unwrap();
    assert_eq!(request.status.to_string(), "Completed");
}
