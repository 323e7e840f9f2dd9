//! The stand-in server over real connections: TLS, both HTTP versions, and every fault.
#![cfg(feature = "sim")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::error::Error as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pinwright::sim::server::{Endpoint, Fault, FaultKind, PinMaker, Rule, Settings, StandIn, TlsKind};
use reqwest::{Client, Response, Version};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use rustls::{ClientConfig, RootCertStore};
use support::captured::Captured;
use uuid::{Uuid, uuid};

const CARD_ID: Uuid = uuid!("bc88f13f-83ba-4037-8262-46eba1291c6e");
const ATR: &str = "3b8d0180fba000000397425446590301c8";
const PIN: &str = "smartcards/17cf063d-e337-4aa9-a822-346554ddd3c9/serverproposedpin";
const ANSWER: &str = "requests/a9b4b42c-cc50-4c9b-89d1-bbc0bcd5a099/smartcards/17cf063d-e337-4aa9-a822-346554ddd3c9/authenticationresponse?cardid=bc88f13f-83ba-4037-8262-46eba1291c6e&challenge=1hFD%2Bcz%2F0so%3D&diversified=False";

fn settings() -> Settings {
    let mut settings = Settings::for_card(CARD_ID, ATR, [0; 24]);
    settings.pin_maker = PinMaker::Fixed(b"31415926".to_vec());
    settings
}

fn client(server: &StandIn, http2: bool) -> Client {
    let mut roots = RootCertStore::empty();
    let ca = CertificateDer::from_pem_slice(server.ca_pem().as_bytes()).unwrap();
    roots.add(ca).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    if http2 {
        tls.alpn_protocols.push(b"h2".to_vec());
    }
    tls.alpn_protocols.push(b"http/1.1".to_vec());
    Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .timeout(Duration::from_secs(5))
        .build()
        .unwrap()
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

async fn get(client: &Client, server: &StandIn, path: &str) -> reqwest::Result<Response> {
    let url = format!("{}/api/v1.0/{path}", server.base_url());
    client.get(url).send().await
}

#[test]
fn speaks_both_versions_of_http() {
    for (http2, version) in [(false, Version::HTTP_11), (true, Version::HTTP_2)] {
        let server = StandIn::start(settings()).unwrap();
        block_on(async {
            let client = client(&server, http2);
            for _ in 0..2 {
                let response = get(&client, &server, PIN).await.unwrap();
                assert_eq!(response.version(), version);
                let headers = response.headers();
                assert_eq!(headers["content-type"], "application/json; charset=utf-8");
                assert_eq!(headers["content-length"], "10");
                assert_eq!(response.bytes().await.unwrap(), &b"\"31415926\""[..]);
            }
            let answer = get(&client, &server, ANSWER).await.unwrap();
            assert_eq!(answer.text().await.unwrap(), "\"F0Zudm4wPLY=\"");
            server.state().change(|s| s.pin_maker = PinMaker::UserProvided);
            let none = get(&client, &server, PIN).await.unwrap();
            assert_eq!(none.status(), 204);
            assert!(none.bytes().await.unwrap().is_empty());
        });
        let seen = server.requests();
        assert_eq!(seen.len(), 4);
        assert!(seen.iter().all(|call| call.connection == 0), "one connection");
        assert_eq!(seen[0].version, format!("{version:?}"));
        assert_eq!(seen[0].status, Some(200));
        assert_eq!(seen[0].endpoint, Some(Endpoint::PinByCard));
        assert!(seen[0].header("host").unwrap().starts_with("localhost:"));
        assert!(server.violations().is_empty());
        assert_eq!(server.state().last_pin().unwrap(), b"31415926");
    }
}

#[test]
fn bad_certificates_are_refused_by_a_client() {
    for (tls, reason) in [
        (TlsKind::ExpiredLeaf, "Expired"),
        (TlsKind::WrongHost, "NotValidForName"),
        (TlsKind::OtherAuthority, "BadSignature"),
    ] {
        let server = StandIn::start(Settings { tls, ..settings() }).unwrap();
        let error = block_on(async { get(&client(&server, true), &server, PIN).await.unwrap_err() });
        assert!(format!("{error:?}").contains(reason), "{tls:?}: {error:?}");
        assert!(server.requests().is_empty());
    }
}

#[test]
fn plain_http() {
    let tls = TlsKind::PlainHttp;
    let server = StandIn::start(Settings { tls, ..settings() }).unwrap();
    assert!(server.base_url().starts_with("http://localhost:"));
    let status = block_on(async { get(&client(&server, false), &server, PIN).await.unwrap().status() });
    assert_eq!(status, 200);
}

#[test]
fn the_token_is_required_and_never_recorded() {
    let mut settings = settings();
    settings.token = Some("canary-token".to_owned());
    let server = StandIn::start(settings).unwrap();
    block_on(async {
        let client = client(&server, true);
        let refused = get(&client, &server, PIN).await.unwrap();
        assert_eq!(refused.status(), 401);
        assert_eq!(refused.headers()["www-authenticate"], "Bearer");
        let url = format!("{}/api/v1.0/{PIN}", server.base_url());
        let good = client.get(url).bearer_auth("canary-token").send().await;
        assert_eq!(good.unwrap().status(), 200);
    });
    assert_eq!(server.violations()[0].rule, Rule::MissingAuthorization);
    let seen = server.requests();
    assert_eq!(seen[1].authorization, Some("Bearer"));
    assert!(!format!("{seen:?}").contains("canary"));
}

#[test]
fn lost_answers() {
    use FaultKind::{DropAfterHeaders, DropBeforeHeaders, DropMidBody};
    for http2 in [false, true] {
        for (kind, headers) in [(DropBeforeHeaders, false), (DropAfterHeaders, true), (DropMidBody, true)] {
            let server = StandIn::start(settings()).unwrap();
            server.inject(Fault::on(Endpoint::AuthenticationResponse, kind.clone()));
            block_on(async {
                let client = client(&server, http2);
                match get(&client, &server, ANSWER).await {
                    Err(_) => assert!(!headers, "{kind:?} http2={http2}"),
                    Ok(response) => {
                        assert!(headers, "{kind:?}");
                        assert_eq!(response.headers()["content-length"], "14");
                        assert!(response.bytes().await.is_err(), "{kind:?}");
                    }
                }
                assert!(server.state().answers().is_empty(), "{kind:?}");
                // The answer never arrived, so the same challenge may be sent once more, on a new connection.
                let again = get(&client, &server, ANSWER).await.unwrap();
                assert_eq!(again.text().await.unwrap(), "\"F0Zudm4wPLY=\"");
                let spent = get(&client, &server, ANSWER).await.unwrap();
                assert_eq!(spent.status(), 400);
            });
            let seen = server.requests();
            assert_ne!(seen[0].connection, seen[1].connection);
            assert_eq!(seen[0].status, headers.then_some(200));
            assert_eq!(server.violations()[0].rule, Rule::ChallengeReused);
        }
    }
}

#[test]
fn a_challenge_is_not_sent_for_ever() {
    let server = StandIn::start(settings()).unwrap();
    server.inject(Fault::on(Endpoint::AuthenticationResponse, FaultKind::status(401)));
    server.inject(Fault::on(Endpoint::AuthenticationResponse, FaultKind::status(503)).times(3));
    let statuses = block_on(async {
        let client = client(&server, false);
        let mut statuses = Vec::new();
        for _ in 0..4 {
            statuses.push(get(&client, &server, ANSWER).await.unwrap().status().as_u16());
        }
        statuses
    });
    // The 401 did not count; both faults saw the first call.
    assert_eq!(statuses, [401, 503, 503, 400]);
    assert_eq!(server.violations()[0].rule, Rule::ChallengeRepeated);
}

#[test]
fn wrong_answers() {
    let server = StandIn::start(settings()).unwrap();
    let correlation = Uuid::from_u128(77);
    let arm = |kind| server.inject(Fault::on(Endpoint::PinByCard, kind));
    let client = client(&server, true);
    let fetch = |kind| {
        arm(kind);
        block_on(async {
            let response = get(&client, &server, PIN).await.unwrap();
            let (status, headers) = (response.status().as_u16(), response.headers().clone());
            (status, headers, response.bytes().await.unwrap())
        })
    };
    let (status, headers, _) = fetch(FaultKind::status_with(503, "Retry-After", "2"));
    assert_eq!((status, &headers["retry-after"]), (503, &"2".parse().unwrap()));
    let (status, _, body) = fetch(FaultKind::server_error(correlation));
    assert_eq!(status, 500);
    assert!(String::from_utf8_lossy(&body).contains(&correlation.to_string()));
    assert_eq!(fetch(FaultKind::Html).1["content-type"], "text/html");
    let (status, headers, _) = fetch(FaultKind::Redirect("https://adfs.contoso.com/".into()));
    assert_eq!((status, &headers["location"]), (302, &"https://adfs.contoso.com/".parse().unwrap()));
    assert_eq!(&fetch(FaultKind::TruncatedBody).2[..], b"\"3141");
    assert_eq!(fetch(FaultKind::ContentType("text/plain".into())).1["content-type"], "text/plain");
    assert!(std::str::from_utf8(&fetch(FaultKind::Garbage).2).is_err());
    assert_eq!(&fetch(FaultKind::WrongJsonType).2[..], b"20250101");
    // Only the answer with the odd content type gave the PIN away.
    assert_eq!(server.state().pins().len(), 1);
}

#[test]
fn oversize_answers() {
    for http2 in [false, true] {
        let server = StandIn::start(settings()).unwrap();
        for declared in [true, false] {
            server.inject(Fault::on(Endpoint::PinByCard, FaultKind::Oversize { declared }));
            block_on(async {
                let response = get(&client(&server, http2), &server, PIN).await.unwrap();
                assert_eq!(response.content_length().is_some(), declared);
                let size = response.bytes().await.unwrap().len();
                assert_eq!(size, 10 * 1024 * 1024 + 2);
            });
        }
    }
}

#[test]
fn slow_answers() {
    let server = StandIn::start(settings()).unwrap();
    let pause = Duration::from_millis(10);
    server.inject(Fault::on(Endpoint::PinByCard, FaultKind::SlowDrip(pause)));
    server.inject(Fault::on(Endpoint::PinByCard, FaultKind::Delay(pause * 10)).after(1));
    block_on(async {
        let client = client(&server, false);
        for _ in 0..2 {
            let start = Instant::now();
            let response = get(&client, &server, PIN).await.unwrap();
            assert_eq!(response.text().await.unwrap(), "\"31415926\"");
            assert!(start.elapsed() >= pause * 10);
        }
        server.state().change(|s| s.latency = pause * 10);
        let start = Instant::now();
        get(&client, &server, "requests").await.unwrap();
        assert!(start.elapsed() >= pause * 10);
    });
    assert_eq!(server.state().pins().len(), 2);
}

#[test]
fn a_stalled_call_does_not_hold_up_the_end() {
    let server = StandIn::start(settings()).unwrap();
    server.inject(Fault::on(Endpoint::PinByCard, FaultKind::Stall));
    let error = block_on(async {
        let client = client(&server, true);
        let url = format!("{}/api/v1.0/{PIN}", server.base_url());
        let call = client.get(url).timeout(Duration::from_millis(300)).send();
        let error = call.await.unwrap_err();
        // The connection still serves other calls, and ends with the server.
        assert_eq!(get(&client, &server, "requests").await.unwrap().status(), 200);
        let start = Instant::now();
        let url = server.base_url();
        drop(server);
        assert!(start.elapsed() < Duration::from_secs(1));
        let gone = client.get(url).send().await.unwrap_err();
        assert!(gone.is_connect() || gone.source().is_some());
        error
    });
    assert!(error.is_timeout());
}

#[test]
fn an_abandoned_call_gives_nothing_away() {
    for http2 in [false, true] {
        let server = StandIn::start(settings()).unwrap();
        let delay = FaultKind::Delay(Duration::from_millis(300));
        server.inject(Fault::on(Endpoint::PinByCard, delay));
        block_on(async {
            let client = client(&server, http2);
            let url = format!("{}/api/v1.0/{PIN}", server.base_url());
            let call = client.get(url).timeout(Duration::from_millis(100));
            match call.send().await {
                Err(error) => assert!(error.is_timeout()),
                Ok(response) => assert!(response.bytes().await.is_err()),
            }
            tokio::time::sleep(Duration::from_millis(400)).await;
        });
        assert!(server.state().pins().is_empty(), "http2={http2}");
    }
}

#[test]
fn traces_hold_no_secrets() {
    // What the whole process traces.
    let sink = Captured::default();
    let writer = sink.clone();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone()).finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();
    for http2 in [false, true] {
        let mut settings = settings();
        settings.token = Some("canary-token".to_owned());
        settings.pin_maker = PinMaker::Fixed(b"canary-pin".to_vec());
        settings.templates[0].default_admin_key = *b"canary-key-canary-key-ca";
        let server = StandIn::start(settings).unwrap();
        block_on(async {
            let client = client(&server, http2);
            for path in [PIN, ANSWER] {
                let url = format!("{}/api/v1.0/{path}", server.base_url());
                let response = client.get(url).bearer_auth("canary-token").send().await;
                assert_eq!(response.unwrap().status(), 200);
            }
        });
        let answer = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &server.state().answers()[0]);
        let text = sink.text();
        assert!(text.contains("answered"), "the sink works");
        for secret in ["canary", &*answer, &*hex::encode("canary")] {
            assert!(!text.contains(secret), "http2={http2}");
        }
    }
}
