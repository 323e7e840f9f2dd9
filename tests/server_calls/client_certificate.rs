//! The certificate that we show: to servers that ask for one, and what is told where it does not do.

use std::error::Error as _;
use std::path::Path;
use std::time::Duration;

use pinwright::error_text::error_text;
use pinwright::server::auth::{Auth, TokenSource};
use pinwright::server::{Client, HttpVersions, Identity, ServerProblem, Settings, SetupError};
use support::openssl::{Server, in_folder as openssl};
use support::rights::{EVERYBODY_CAN_READ, set_mode};

use crate::block_on;
use crate::listener::{Act, Listener};
use crate::tls_words::make;

/// What `openssl ca` has to be told.
const AUTHORITY: &str = "[ca]\ndefault_ca = this\n[this]\ncertificate = ca.pem\nprivate_key = ca.key\ndatabase = index\nnew_certs_dir = .\n\
    rand_serial = yes\ndefault_md = sha256\npolicy = names\n[names]\ncommonName = supplied\n";

/// An authority, a server's leaf, and clients' certificates: a good one, one that has expired, one of another authority.
fn certificates(folder: &Path) {
    make(folder, "rsa:2048", "rsa:2048", "sha256");
    let ec = "-pkeyopt ec_paramgen_curve:P-256 -nodes";
    // OpenSSL 3.5 makes none that ends before today but by this command, which 3.0 has as well.
    std::fs::write(folder.join("authority.cnf"), AUTHORITY).unwrap();
    std::fs::write(folder.join("index"), "").unwrap();
    for (name, years) in [("client", "-days 30"), ("expired", "-startdate 20200101000000Z -enddate 20210101000000Z")] {
        openssl(folder, &format!("req -newkey ec {ec} -keyout {name}.key -out {name}.csr -subj /CN={name}"));
        openssl(
            folder,
            &format!("ca -batch -notext -config authority.cnf {years} -extfile ext -in {name}.csr -out {name}.pem"),
        );
    }
    openssl(folder, &format!("req -x509 -newkey ec {ec} -keyout other.key -out other.pem -subj /CN=other -days 30"));
    openssl(folder, "pkcs8 -topk8 -in client.key -out locked.key -passout pass:secret");
    openssl(folder, "ec -in client.key -out sec1.key");
    private(folder, &["client.key", "client.pem", "expired.key", "other.key", "locked.key", "sec1.key"]);
}

fn private(folder: &Path, names: &[&str]) {
    names.iter().for_each(|name| set_mode(&folder.join(name), 0o600));
}

fn client(folder: &Path, url: &str, ca: &str, pair: Option<(&str, &str)>) -> Result<Client, SetupError> {
    Client::new(&Settings {
        url: url.parse().unwrap(),
        ca_file: Some(folder.join(ca)),
        identity: pair.map(|(certificate, key)| Identity {
            certificate: folder.join(certificate),
            key: TokenSource::File(folder.join(key)),
        }),
        auth: Auth::None,
        timeout: Duration::from_secs(8),
        http_versions: HttpVersions::only_1_1(),
        proxy: None,
    })
}

/// What a call is told; `openssl s_server` shows who gets through a web page.
fn told(folder: &Path, server: &Server, pair: Option<(&str, &str)>) -> String {
    let url = format!("https://localhost:{}/cm", server.port);
    let client = client(folder, &url, "ca.pem", pair).unwrap_or_else(|error| panic!("{}", error_text(&error)));
    let error = block_on(client.requests("Approved")).unwrap_err();
    match &error.problem {
        ServerProblem::Html => "through".to_owned(),
        problem => format!("{}. {}", error_text(&error), problem.remedy()),
    }
}

const GOOD: Option<(&str, &str)> = Some(("client.pem", "client.key"));

#[test]
fn a_server_that_wants_a_certificate_gets_it_over_both_versions_of_tls() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    certificates(here);
    for version in ["-tls1_2", "-tls1_3"] {
        let server = Server::start(here, &format!("{version} -Verify 3 -verify_return_error -CAfile ca.pem -www"));
        assert_eq!(told(here, &server, GOOD), "through", "{version}");
        assert_eq!(told(here, &server, Some(("client.pem", "sec1.key"))), "through", "{version}");
        let none = told(here, &server, None);
        assert!(none.contains("the server wants a client certificate"), "{version}: {none}");
        assert!(none.contains("server.client_certificate_file"), "{version}: {none}");
        let other = told(here, &server, Some(("other.pem", "other.key")));
        assert!(other.contains("does not take the client certificate"), "{version}: {other}");
        assert!(other.contains("trust the authority"), "{version}: {other}");
    }
    // One that only asks takes us without.
    let server = Server::start(here, "-verify 3 -CAfile ca.pem -www");
    assert_eq!((told(here, &server, None), told(here, &server, GOOD)), ("through".to_owned(), "through".to_owned()));
}

#[test]
fn a_certificate_or_key_that_does_not_do_is_told_before_anything_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    certificates(here);
    std::fs::write(here.join("nothing.pem"), "nothing").unwrap();
    private(here, &["nothing.pem"]);
    let refused = |certificate: &str, key: &str| {
        let error = client(here, "https://localhost:1/cm", "ca.pem", Some((certificate, key))).err().unwrap();
        let SetupError::Identity(cause) = &error else { panic!("{error:?}") };
        assert!(error.source().is_some());
        format!("{}; {}", error_text(&error), cause.remedy())
    };
    for (certificate, key, expected, remedy) in [
        ("missing.pem", "client.key", "missing.pem can't be read", "let this user read"),
        ("client.pem", "missing.key", "missing.key can't be read", "let this user read"),
        ("nothing.pem", "client.key", "nothing.pem holds no certificate in PEM", "openssl x509"),
        ("client.pem", "nothing.pem", "nothing.pem holds no private key", "openssl pkey"),
        ("client.pem", "client.pem", "holds no private key", "openssl pkey"),
        ("client.pem", "locked.key", "is protected by a password", "without a password"),
        ("client.pem", "other.key", "is not that of the certificate in", "one pair"),
        ("expired.pem", "expired.key", "\"expired\" in ", "clock"),
    ] {
        let told = refused(certificate, key);
        assert!(told.contains(expected) && told.contains(remedy), "{certificate} {key}: {told}");
    }
    assert!(refused("expired.pem", "expired.key").contains(" expired on 20"));
    set_mode(&here.join("client.key"), 0o644);
    let told = refused("client.pem", "client.key");
    let (who, command) = EVERYBODY_CAN_READ;
    assert!(told.contains(who) && told.contains(command), "{told}");
}

/// IIS that wants a certificate for a path alone answers 403.7, and Apache says why in its page.
#[test]
fn a_server_that_asks_too_late_is_told_by_name() {
    let folder = tempfile::tempdir().unwrap();
    certificates(folder.path());
    for page in [
        "<html><title>403.7 - Forbidden: SSL client certificate is required.</title></html>",
        "<p>Reason: Cannot perform Post-Handshake Authentication.<br />",
    ] {
        let listener = Listener::start(true, move |_| Act::AnswerWith(403, "Content-Type: text/html", page.to_owned()));
        std::fs::write(folder.path().join("listener.pem"), &listener.ca_pem).unwrap();
        for pair in [None, GOOD] {
            let client = client(folder.path(), &listener.url, "listener.pem", pair).unwrap();
            let error = block_on(client.requests("Approved")).unwrap_err();
            assert!(error.to_string().contains("asks for it only after the handshake"), "{error}");
            assert!(error.problem.remedy().contains("Negotiate Client Certificate"), "{}", error.problem.remedy());
        }
    }
    // Any other page is the usual refusal.
    let listener =
        Listener::start(true, |_| Act::AnswerWith(403, "Content-Type: text/html", "<p>Forbidden".to_owned()));
    std::fs::write(folder.path().join("listener.pem"), &listener.ca_pem).unwrap();
    let client = client(folder.path(), &listener.url, "listener.pem", None).unwrap();
    let error = block_on(client.requests("Approved")).unwrap_err();
    assert!(matches!(error.problem, ServerProblem::Forbidden { .. }), "{error}");
}
