//! Answers in forms that nobody documents: compressed, with a byte order mark, errors of all kinds, odd elements, cookies.

use std::io::Write as _;
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use pinwright::exit::Exit;
use pinwright::server::auth::Auth;
use pinwright::server::{AdminKeyVersion, PfxPassword, Posted, ServerError, ServerProblem};
use pinwright::sim::server::{Endpoint, Fault, FaultKind, UnknownId};
use uuid::Uuid;

use crate::listener::{Act, Listener};
use crate::{CARD_ID, Caller, Change, PKCS10, REQUEST, SCID, bearer, block_on, caller, card, of, stand_in, told};

const BOM: &str = "\u{FEFF}";
const ANSWER: &str = "\"AQEBAQEBAQE=\"";

fn client(listener: &Listener) -> Caller {
    caller(&listener.url, &listener.ca_pem, Auth::None, Duration::from_secs(8))
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// A whole answer whose body is in this encoding.
fn encoded(encoding: &str, body: &[u8]) -> Act {
    let head = format!(
        "HTTP/1.1 200 x\r\nContent-Type: application/json\r\nContent-Encoding: {encoding}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    Act::Raw([head.as_bytes(), body].concat())
}

async fn secret(client: &Caller) -> Result<(), ServerError> {
    client.authentication_response(REQUEST, SCID, &card(CARD_ID, &[1; 8]), AdminKeyVersion::Default).await.map(drop)
}

#[test]
fn gzip_is_undone_where_no_secret_is_in_it() {
    let mark = format!("{BOM}[]");
    for (encoding, body, expected) in [
        ("gzip", gzip(b"[]"), ""),
        ("x-gzip", gzip(b"[]"), ""),
        ("GZIP", gzip(mark.as_bytes()), ""),
        ("identity", b"[]".to_vec(), ""),
        // Five kilobytes on the wire.
        ("gzip", gzip(&vec![b' '; 5 << 20]), "TooLarge"),
        ("gzip", gzip(b"[1,2,3]")[..20].to_vec(), "NotJson"),
        ("br", b"[]".to_vec(), "Compressed { encoding: \"br\" }"),
        ("gzip, gzip", gzip(&gzip(b"[]")), "Compressed"),
    ] {
        let answer = body.clone();
        let listener = Listener::start(true, move |_| encoded(encoding, &answer));
        let result = block_on(client(&listener).requests("Approved"));
        let told = result.as_ref().err().map(|error| format!("{:?}", error.problem)).unwrap_or_default();
        assert!(told.starts_with(expected) && told.is_empty() == expected.is_empty(), "{encoding}: {told}");
        assert_eq!(listener.received()[0].header("accept-encoding"), Some("identity"));
    }
    let listener = Listener::start(true, |_| encoded("gzip", &gzip(ANSWER.as_bytes())));
    let error = block_on(secret(&client(&listener))).unwrap_err();
    assert!(matches!(&error.problem, ServerProblem::Compressed { encoding } if encoding == "gzip"), "{error:?}");
    assert_eq!((Exit::from(&error), listener.received().len()), (Exit::ServerFailed, 1));
    assert!(error.to_string().contains("compressed") && error.problem.remedy().contains("compression"), "{error}");
}

#[test]
fn a_byte_order_mark_is_no_part_of_json() {
    let with_mark = |body: &str| format!("{BOM}{body}");
    let listener = Listener::start(true, move |_| Act::Answer(200, with_mark("[]")));
    assert!(block_on(client(&listener).requests("Approved")).unwrap().is_empty());
    let listener = Listener::start(true, move |_| Act::Answer(200, with_mark(ANSWER)));
    block_on(secret(&client(&listener))).unwrap();
    let (status, body) = Change::CreateRequest.success();
    let listener = Listener::start(true, move |_| Act::Answer(status, with_mark(body)));
    assert_eq!(told(block_on(Change::CreateRequest.call(&client(&listener)))).0, "done");
}

#[test]
fn a_connection_that_fails_is_told_in_one_line() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let client = caller(&format!("https://localhost:{port}/cm"), "", Auth::None, Duration::from_secs(8));
    let error = block_on(client.requests("Approved")).unwrap_err();
    let text = pinwright::error_text::error_text(&error);
    assert!(text.contains(&format!("localhost:{port}: ")) && text.contains("refused"), "{text}");
    assert_eq!(pinwright::error_text::causes(&error).len(), 0, "{:?}", pinwright::error_text::causes(&error));
    let listener = Listener::start(true, |_| Act::Cut);
    let error = block_on(self::client(&listener).requests("Approved")).unwrap_err();
    assert_eq!(pinwright::error_text::causes(&error).len(), 0);
    assert!(error.to_string().contains("localhost:"), "{error}");
}

#[test]
fn a_correlation_id_is_told_where_it_is_one() {
    let id = Uuid::from_u128(0x2F1A_6D1E);
    let error_of = |body: String, is_secret: bool| {
        let listener = Listener::start(true, move |_| Act::Answer(500, body.clone()));
        let client = client(&listener);
        let error = block_on(async {
            match is_secret {
                true => secret(&client).await.unwrap_err(),
                false => client.requests("Approved").await.unwrap_err(),
            }
        });
        let text = format!("{error}. {}", error.problem.remedy());
        assert!(!format!("{error:?} {text}").contains("CANARY") || !is_secret, "{text}");
        text
    };
    let named = format!("{{\"Message\":\"CANARY\",\"CorrelationId\":\"{id}\"}}");
    let in_text = format!("{{\"Message\":\"CANARY Correlation ID: {id}\"}}");
    let ours = format!("{{\"CorrelationId\":\"{REQUEST}\"}}");
    for (body, is_secret, is_told) in [
        (&named, true, true),
        (&named, false, true),
        (&in_text, true, false),
        (&in_text, false, true),
        (&ours, true, false),
    ] {
        let text = error_of(body.clone(), is_secret);
        assert_eq!(text.contains(&format!("correlation id {id}")), is_told, "{body}: {text}");
        assert_eq!(text.contains("give the correlation id"), is_told, "nobody asks for what is withheld: {text}");
    }
    // The answer to certificate requests may hold anything.
    let listener = Listener::start(true, move |_| Act::Answer(500, named.clone()));
    let password = PfxPassword::random().unwrap();
    let Posted::Lost(error) =
        block_on(client(&listener).certificate_data(REQUEST, &[PKCS10.to_vec()], &password, "")).unwrap()
    else {
        panic!("not lost")
    };
    assert!(!format!("{error:?}").contains(&id.to_string()), "{error:?}");
}

#[test]
fn an_unknown_id_is_told_from_an_api_that_is_switched_off() {
    let server = stand_in(|settings| settings.unknown_id = UnknownId::NotFound);
    let error = block_on(of(&server).smartcard(Uuid::from_u128(7))).unwrap_err();
    assert!(matches!(error.problem, ServerProblem::UnknownId), "{error:?}");
    assert_eq!(Exit::from(&error), Exit::ServerRefused);
    assert!(!error.problem.remedy().contains("pin_route") && !error.problem.remedy().contains("WebApi"), "{error}");
    let asked: Vec<_> = server.requests().into_iter().filter_map(|call| call.endpoint).collect();
    assert_eq!(asked, [Endpoint::Smartcard, Endpoint::Templates]);
    server.state().change(|settings| settings.api_enabled = false);
    let error = block_on(of(&server).smartcard(Uuid::from_u128(7))).unwrap_err();
    assert!(matches!(error.problem, ServerProblem::NotFound { api_answered: false, .. }), "{error:?}");
    assert!(error.problem.remedy().contains("WebApi"), "{}", error.problem.remedy());
    assert_eq!(Exit::from(&error), Exit::ServerFailed);
}

#[test]
fn blame_and_repeats_by_the_status() {
    let server = stand_in(|_| {});
    let client = of(&server);
    server.inject(Fault::on(Endpoint::Requests, FaultKind::status(408)));
    block_on(client.requests("Approved")).unwrap();
    assert_eq!(server.requests().len(), 2, "408 is asked again like 503");
    for (status, is_ours) in
        [(400, true), (411, true), (415, true), (402, false), (407, false), (409, false), (413, false), (431, false)]
    {
        server.inject(Fault::on(Endpoint::Requests, FaultKind::status(status)));
        let error = block_on(client.requests("Approved")).unwrap_err();
        assert_eq!(error.problem.remedy().contains("report this"), is_ours, "{status}: {}", error.problem.remedy());
    }
}

#[test]
fn odd_neighbours_in_a_list() {
    let server = stand_in(|_| {});
    let client = of(&server);
    let answer = |body: &str| FaultKind::Status { code: 200, headers: Vec::new(), body: Some(body.to_owned()) };
    let good = format!("{{\"Uuid\":\"{REQUEST}\",\"RequestType\":1,\"Status\":3,\"NewSmartcardUuid\":\"{SCID}\"}}");
    let other = Uuid::from_u128(9);
    let anothers = format!("{{\"Uuid\":null,\"Status\":3,\"NewSmartcardUuid\":\"{other}\"}}");
    let of_this = format!("{{\"Uuid\":null,\"Status\":3,\"NewSmartcardUuid\":\"{SCID}\"}}");
    for (body, expected) in [
        (format!("[{anothers},{good}]"), Ok(1)),
        (format!("[{good},{good}]"), Ok(1)),
        (format!("[{good},{}]", good.replace(":1", ":5")), Ok(2)),
        (format!("[{of_this},{good}]"), Err(1)),
        (format!("[{good},{{\"Status\":3}}]"), Err(2)),
        (format!("[{good},null]"), Err(2)),
    ] {
        server.inject(Fault::on(Endpoint::Requests, answer(&body)));
        let found = block_on(client.requests_beside("Approved", &[SCID]));
        let found = found.map(|requests| requests.len()).map_err(|error| match error.problem {
            ServerProblem::OddElement { number } => {
                let remedy = error.problem.remedy();
                assert!(remedy.contains("--request") && remedy.contains("--smartcard"), "{remedy}");
                number
            }
            other => panic!("{other:?}"),
        });
        assert_eq!(found, expected, "{body}");
        server.state().clear_faults();
    }
    let record = |uuid: &str, card: Uuid| format!("{{\"Uuid\":{uuid},\"Status\":1,\"SerialNumber\":\"{{{card}}}\"}}");
    let good = record(&format!("\"{SCID}\""), CARD_ID);
    for (neighbour, expected) in
        [(record("null", other), Some(1)), (good.clone(), Some(1)), (record("7", CARD_ID), None)]
    {
        server.inject(Fault::on(Endpoint::Smartcards, answer(&format!("[{neighbour},{good}]"))));
        let found = block_on(client.smartcards_by_card_id(&CARD_ID.to_string()));
        assert_eq!(found.ok().map(|records| records.len()), expected, "{neighbour}");
        server.state().clear_faults();
    }
}

#[test]
fn a_session_cookie_stays_with_its_client() {
    let set = "Set-Cookie: ASP.NET_SessionId=CANARY-one; path=/; HttpOnly";
    let listener = Listener::start(true, move |_| Act::AnswerWith(200, set, "[]".to_owned()));
    let (one, other) = (client(&listener), client(&listener));
    block_on(async {
        for caller in [&one, &other, &one] {
            caller.requests("Approved").await.unwrap();
        }
        assert!(!told(Change::RetireCard.call(&one).await).1.contains("CANARY"));
    });
    let cookies: Vec<Option<String>> =
        listener.received().iter().map(|received| received.header("cookie").map(str::to_owned)).collect();
    let sent = Some("ASP.NET_SessionId=CANARY-one".to_owned());
    assert_eq!(cookies, [None, None, sent.clone(), sent], "two principals: none crosses");

    // Over plain HTTP none is sent.
    let listener = Listener::start(false, move |_| Act::AnswerWith(200, set, "[]".to_owned()));
    let client = client(&listener);
    block_on(async {
        client.requests("Approved").await.unwrap();
        client.requests("Approved").await.unwrap();
    });
    assert!(listener.received().iter().all(|received| received.header("cookie").is_none()));
}

/// Another token may be another principal's.
#[test]
fn a_session_ends_with_its_credentials() {
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "one").unwrap();
    let path = token.clone();
    let asked = AtomicUsize::new(0);
    let listener = Listener::start(true, move |number| match number {
        0 => Act::AnswerWith(200, "Set-Cookie: s=1; path=/", "[]".to_owned()),
        1 => {
            // First before the request is read, then when it has come: the client has read the file in between.
            if asked.fetch_add(1, Ordering::SeqCst) == 1 {
                std::fs::write(&path, "two").unwrap();
            }
            Act::Answer(401, String::new())
        }
        _ => Act::Answer(200, "[]".to_owned()),
    });
    let client = caller(&listener.url, &listener.ca_pem, bearer(&token), Duration::from_secs(8));
    block_on(async {
        client.requests("Approved").await.unwrap();
        client.requests("Approved").await.unwrap();
    });
    let received = listener.received();
    let cookies: Vec<Option<&str>> = received.iter().map(|received| received.header("cookie")).collect();
    assert_eq!(cookies, [None, Some("s=1"), None]);
}
