//! `server.ca_file` and the token file as people have them: other forms are read, or named with file and reason.

use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pinwright::server::auth::{Auth, TokenSource};
use pinwright::server::{Client, HttpVersions, Settings};
use pinwright::sim::server::StandIn;
use support::openssl::in_folder as openssl;

use crate::{block_on, stand_in};

fn client(server: &StandIn, ca_file: &Path, auth: Auth) -> Result<Client, String> {
    let settings = Settings {
        url: server.base_url().parse().unwrap(),
        ca_file: Some(ca_file.to_owned()),
        identity: None,
        auth,
        timeout: Duration::from_secs(8),
        http_versions: HttpVersions::auto(),
        proxy: None,
    };
    Client::new(&settings).map_err(|error| pinwright::error_text::error_text(&error))
}

/// Whether a server is trusted by this file, or why the file can't be used.
fn tried(server: &StandIn, content: &[u8]) -> Result<bool, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca-file");
    std::fs::write(&path, content).unwrap();
    let result = client(server, &path, Auth::None);
    if let Err(error) = &result {
        assert!(error.contains("ca-file"), "the file is named: {error}");
    }
    result.map(|client| block_on(client.requests("Approved")).is_ok())
}

#[test]
fn what_names_an_authority_is_read() {
    let server = stand_in(|_| {});
    let pem = server.ca_pem().to_owned();
    let base64: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let der = STANDARD.decode(base64).unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ca.pem"), &pem).unwrap();
    openssl(folder.path(), "crl2pkcs7 -nocrl -certfile ca.pem -out p7b.pem");
    openssl(folder.path(), "crl2pkcs7 -nocrl -certfile ca.pem -outform DER -out p7b.der");
    openssl(
        folder.path(),
        "req -x509 -newkey rsa:2048 -nodes -keyout k -out leaf.pem -subj /CN=x -addext basicConstraints=CA:FALSE",
    );
    let read = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
    let leaf = String::from_utf8(read("leaf.pem")).unwrap();
    for (form, content) in [
        ("PEM", pem.clone().into_bytes()),
        ("DER", der),
        ("UTF-8 with BOM", format!("\u{FEFF}{pem}").into_bytes()),
        ("p7b in PEM", read("p7b.pem")),
        ("p7b in DER", read("p7b.der")),
        ("CRLF, text around it", format!("subject=CN\r\n{}\r\nend", pem.replace('\n', "\r\n")).into_bytes()),
        ("beside a server's own", format!("{leaf}{pem}").into_bytes()),
        ("beside a key", format!("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n{pem}").into_bytes()),
    ] {
        assert_eq!(tried(&server, &content), Ok(true), "{form}");
    }
    // A self-signed certificate alone is an anchor, of another server here.
    assert_eq!(tried(&server, leaf.as_bytes()), Ok(false));
}

#[test]
fn what_is_no_file_of_authorities_is_named_with_its_reason() {
    let server = stand_in(|_| {});
    let pem = server.ca_pem().to_owned();
    let utf_16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ext"), "basicConstraints=CA:FALSE\n").unwrap();
    openssl(folder.path(), "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -subj /CN=ca");
    openssl(folder.path(), "req -newkey rsa:2048 -nodes -keyout leaf.key -out leaf.csr -subj /CN=cm-server");
    openssl(
        folder.path(),
        "x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -CAcreateserial -extfile ext -out leaf.pem",
    );
    openssl(folder.path(), "x509 -in ca.pem -trustout -addtrust clientAuth -out trusted.pem");
    let read = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
    for (content, expected) in [
        (utf_16(&format!("\u{FEFF}{pem}")), "UTF-16"),
        (utf_16(&pem), "UTF-16"),
        (read("trusted.pem"), "TRUSTED CERTIFICATE"),
        (
            format!("{pem}-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n").into_bytes(),
            "block 2 is no certificate",
        ),
        (
            format!("{pem}-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n").into_bytes(),
            "block 2 is no certificate",
        ),
        (
            pem.trim_end().replace('\n', " ").into_bytes(),
            "block 1 has its BEGIN line, content and END line on one line",
        ),
        (pem.trim_end().replace('\n', "").into_bytes(), "on one line"),
        (pem.as_bytes()[..pem.len() / 2].to_vec(), "block 1 has no END line"),
        (read("leaf.pem"), "\"cm-server\" in it is no authority's certificate"),
        (b"".to_vec(), "holds no certificate"),
        (b"<html>".to_vec(), "holds no certificate"),
        (vec![0x30, 0x82, 0xFF, 0xFF, 0], "holds no certificate"),
    ] {
        let error = tried(&server, &content).expect_err(expected);
        assert!(error.contains(expected), "{expected}: {error}");
    }
}

#[test]
fn a_token_file_with_what_people_leave_in_it() {
    let server = stand_in(|settings| settings.token = Some("canary-token".to_owned()));
    let folder = tempfile::tempdir().unwrap();
    let (ca, token) = (folder.path().join("ca.pem"), folder.path().join("token"));
    std::fs::write(&ca, server.ca_pem()).unwrap();
    let ask = |content: &[u8]| {
        std::fs::write(&token, content).unwrap();
        let client = client(&server, &ca, Auth::Bearer(TokenSource::File(token.clone()))).unwrap();
        block_on(client.requests("Approved")).map(drop).map_err(|error| pinwright::error_text::error_text(&error))
    };
    for content in [
        "canary-token\n",
        "\u{FEFF}canary-token\r\n",
        "Bearer canary-token",
        "bearer  canary-token\n",
        "\"canary-token\"\n",
        "'canary-token'",
        "\u{FEFF}\"Bearer canary-token\"\n",
    ] {
        assert_eq!(ask(content.as_bytes()), Ok(()), "{content:?}");
    }
    let utf_16: Vec<u8> = "\u{FEFF}canary-token".encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (content, expected) in [
        (&utf_16[..], "UTF-16"),
        (b"\"canary-token", "does not hold a bearer token"),
        (b"Bearer", "is empty"),
        (b"\"\"", "is empty"),
        (b"Basic canary-token", "does not hold a bearer token"),
        (b"Bearer canary token", "does not hold a bearer token"),
    ] {
        let error = ask(content).unwrap_err();
        assert!(error.contains(expected) && !error.contains("canary"), "{expected}: {error}");
    }
}
