//! Whom the client talks to, and whom it does not.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use pinwright::config::Config;
use pinwright::provision::Cause;
use pinwright::server::ServerProblem;
use pinwright::server::error::TlsReason;
use pinwright::sim::server::TlsKind;
use support::provisioning::{Bench, Kind, Lines, Person, World, issuer, told};

fn problem(world: &mut World, case: &str) -> String {
    let bench = Bench::new(Kind::Gids);
    let failure = world.run(&bench, &mut Person::default()).failed_untouched(case);
    let Cause::Server(error) = &*failure.cause else { panic!("{case}: {}", told(&failure)) };
    assert!(!failure.cause.remedy().is_empty());
    bench.assert_not_risked(case);
    assert_eq!(world.server.requests().len(), 0, "{case}: nothing is said to a stranger");
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
        let mut world = World::with(Kind::Gids, "server", &Lines::default(), |settings| settings.tls = tls);
        let found = problem(&mut world, &format!("{tls:?}"));
        assert!(reasons.iter().any(|reason| format!("{reason:?}") == found), "{tls:?}: {found}");
    }
    // An authority of another name altogether.
    let other = World::new(Kind::Gids, "server");
    let mut world = World::new(Kind::Gids, "server");
    let mut ca = tempfile::NamedTempFile::new().unwrap();
    ca.write_all(other.server.ca_pem().as_bytes()).unwrap();
    world.config.server.as_mut().unwrap().ca_file = Some(ca.path().to_owned());
    world.issuer = issuer(&world.config);
    assert_eq!(problem(&mut world, "another CA"), "UnknownAuthority");
    // The system's store does not know the stand-in either.
    world.config.server.as_mut().unwrap().ca_file = None;
    if let Ok(client) = pinwright::server::Client::new(world.config.server.as_ref().unwrap()) {
        world.issuer = pinwright::provision::mimcm::MimCm::new(client, world.config.rules.clone()).unwrap();
        let found = problem(&mut world, "the system's store");
        assert!(["UnknownAuthority", "BadCertificate"].contains(&found.as_str()), "{found}");
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
    let mut world = World::with(Kind::Gids, "server", &Lines::default(), |settings| settings.tls = TlsKind::PlainHttp);
    let bench = Bench::new(Kind::Gids);
    world.run(&bench, &mut Person::default()).ok("plain http on loopback");
}

#[test]
fn tls_to_a_plain_port_and_to_nobody() {
    let mut world = World::with(Kind::Gids, "server", &Lines::default(), |settings| settings.tls = TlsKind::PlainHttp);
    let url = world.server.base_url().replace("http://", "https://");
    world.config.server.as_mut().unwrap().url = url.parse().unwrap();
    world.issuer = issuer(&world.config);
    assert_eq!(problem(&mut world, "TLS to a plain port"), "Handshake");

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
    world.config.server.as_mut().unwrap().url = format!("https://127.0.0.1:{port}/x").parse().unwrap();
    world.issuer = issuer(&world.config);
    assert_eq!(problem(&mut world, "SMTP"), "Handshake");
    drop(thread);

    // Nobody at all.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    world.config.server.as_mut().unwrap().url = format!("https://127.0.0.1:{free}/x").parse().unwrap();
    world.issuer = issuer(&world.config);
    assert!(problem(&mut world, "nobody").starts_with("Unreachable"));
}
