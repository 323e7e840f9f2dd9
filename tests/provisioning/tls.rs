//! Whom the client talks to, and whom it does not.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use pinwright::config::Config;
use pinwright::job::Cause;
use pinwright::server::ServerProblem;
use pinwright::server::error::TlsReason;
use pinwright::sim::server::TlsKind;
use support::provisioning::{InsertedCard, JobSetup, Kind, Lines, Person, issuer, told};

fn problem(setup: &mut JobSetup, case: &str) -> String {
    let inserted = InsertedCard::new(Kind::Gids);
    let failure = setup.run(&inserted, &mut Person::default()).failed_untouched(case);
    let Cause::Server(error) = &*failure.cause else { panic!("{case}: {}", told(&failure)) };
    assert!(!failure.cause.remedy().is_empty());
    inserted.assert_not_risked(case);
    assert_eq!(setup.server.requests().len(), 0, "{case}: nothing is said to a stranger");
    match &error.problem {
        ServerProblem::Tls { reason, .. } => format!("{reason:?}"),
        other => format!("{other:?}"),
    }
}

#[test]
fn a_stranger_is_told_nothing() {
    for (tls, reasons) in [
        (TlsKind::ExpiredLeaf, vec![TlsReason::Expired]),
        (TlsKind::WrongHost, vec![TlsReason::WrongHost]),
        // Same name, another key.
        (TlsKind::OtherAuthority, vec![TlsReason::UnknownAuthority]),
    ] {
        let mut setup = JobSetup::with(Kind::Gids, "server", &Lines::default(), |settings| settings.tls = tls);
        let found = problem(&mut setup, &format!("{tls:?}"));
        assert!(reasons.iter().any(|reason| format!("{reason:?}") == found), "{tls:?}: {found}");
    }
    // An authority of another name altogether.
    let other = JobSetup::new(Kind::Gids, "server");
    let mut setup = JobSetup::new(Kind::Gids, "server");
    let mut ca = tempfile::NamedTempFile::new().unwrap();
    ca.write_all(other.server.ca_pem().as_bytes()).unwrap();
    setup.config.server.as_mut().unwrap().ca_file = Some(ca.path().to_owned());
    setup.issuer = issuer(&setup.config);
    assert_eq!(problem(&mut setup, "another CA"), "UnknownAuthority");
    // The system's store does not know the stand-in either.
    setup.config.server.as_mut().unwrap().ca_file = None;
    if let Ok(client) = pinwright::server::Client::new(setup.config.server.as_ref().unwrap()) {
        setup.issuer = pinwright::provision::mimcm::MimCm::new(client, setup.config.rules.clone()).unwrap();
        let found = problem(&mut setup, "the system's store");
        // Of Windows: the number of what it does not trust, or finds no way to.
        let is_stores = pinwright::os::machine::HAS_CERTIFICATE_STORE && found.starts_with("Store(");
        assert!(is_stores || ["UnknownAuthority", "BadCertificate"].contains(&found.as_str()), "{found}");
    }
}

#[test]
fn plain_http_is_for_this_machine_alone() {
    for url in [
        "http://cm.contoso.com/CertificateManagement",
        "http://192.0.2.1/x",
        "http://[2001:db8::1]/x",
        "http://localhost.contoso.com/x",
    ] {
        let error = Config::from_toml(&format!("[server]\nurl = \"{url}\"")).unwrap_err();
        assert!(error.to_string().contains("plain http"), "{url}: {error}");
    }
    // On the loopback it works, for tests and tunnels.
    let mut setup =
        JobSetup::with(Kind::Gids, "server", &Lines::default(), |settings| settings.tls = TlsKind::PlainHttp);
    let inserted = InsertedCard::new(Kind::Gids);
    setup.run(&inserted, &mut Person::default()).ok("plain http on loopback");
}

#[test]
fn tls_to_a_plain_port_and_to_nobody() {
    let mut setup =
        JobSetup::with(Kind::Gids, "server", &Lines::default(), |settings| settings.tls = TlsKind::PlainHttp);
    let url = setup.server.base_url().replace("http://", "https://");
    setup.config.server.as_mut().unwrap().url = url.parse().unwrap();
    setup.issuer = issuer(&setup.config);
    assert_eq!(problem(&mut setup, "TLS to a plain port"), "Handshake");

    // A port that is taken and says something else.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let thread = std::thread::spawn(move || {
        for _ in 0..3 {
            let Ok((mut stream, _)) = listener.accept() else { return };
            let mut buffer = [0; 512];
            let _ = stream.read(&mut buffer);
            let _ = stream.write_all(b"220 mail.contoso.com ESMTP\r\n");
        }
    });
    setup.config.server.as_mut().unwrap().url = format!("https://127.0.0.1:{port}/x").parse().unwrap();
    setup.issuer = issuer(&setup.config);
    assert_eq!(problem(&mut setup, "SMTP"), "Handshake");
    drop(thread);

    // Nobody at all.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    setup.config.server.as_mut().unwrap().url = format!("https://127.0.0.1:{free}/x").parse().unwrap();
    setup.issuer = issuer(&setup.config);
    assert!(problem(&mut setup, "nobody").starts_with("Unreachable"));
}
