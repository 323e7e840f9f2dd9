//! TLS servers that are not taken: one sentence says what is wrong with which certificate, and what to do.

use std::path::Path;
use std::time::Duration;

use pinwright::server::auth::Auth;
use support::openssl::{Server, in_folder as openssl};

use crate::{block_on, caller};

/// An authority with one kind of key, and a leaf with another, signed with this hash.
pub fn make(folder: &Path, ca_key: &str, leaf_key: &str, hash: &str) {
    std::fs::write(folder.join("ext"), "subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n").unwrap();
    openssl(
        folder,
        &format!("req -x509 -newkey {ca_key} -nodes -keyout ca.key -out ca.pem -subj /CN=Contoso-CA -days 30"),
    );
    openssl(folder, &format!("req -newkey {leaf_key} -nodes -keyout leaf.key -out leaf.csr -subj /CN=cm-server"));
    openssl(
        folder,
        &format!(
            "x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -{hash} -extfile ext -out leaf.pem"
        ),
    );
}

/// What a person reads of a failed call: the error, its causes, and what to do.
fn words(folder: &Path, arguments: &str) -> String {
    let server = Server::start(folder, arguments);
    let url = format!("https://localhost:{}/cm", server.port);
    let ca = std::fs::read_to_string(folder.join("ca.pem")).unwrap();
    let error = block_on(caller(&url, &ca, Auth::None, Duration::from_secs(8)).requests("Approved")).unwrap_err();
    let mut words = error.to_string();
    let mut next = std::error::Error::source(&error);
    while let Some(cause) = next {
        words = format!("{words} because {cause}");
        next = cause.source();
    }
    assert_eq!(words.matches("because").count(), 1, "the problem in one sentence: {words}");
    format!("{words}. {}", error.problem.remedy())
}

const P_384: &str = "ec -pkeyopt ec_paramgen_curve:P-384";
const P_521: &str = "ec -pkeyopt ec_paramgen_curve:P-521";
const ANY: &str = "-cipher DEFAULT@SECLEVEL=0";

#[test]
fn a_certificate_that_is_not_taken_is_named_with_its_fault() {
    for (ca, leaf, hash, arguments, expected, remedy) in [
        ("rsa:2048", "rsa:1024", "sha256", ANY, "\"cm-server\" has an RSA key of 1024 bits", "2048 bits"),
        (P_384, P_384, "sha512", "", "\"cm-server\" is signed with ECDSA and SHA-512", "SHA-256 or SHA-384"),
        ("rsa:2048", "rsa:2048", "sha1", ANY, "\"cm-server\" is signed with SHA-1", "SHA-256"),
        // The server finds no algorithm that we take for this key, and does not show its certificate.
        ("rsa:2048", P_521, "sha256", "", "nothing that both sides take", "P-256 or P-384"),
        // The same faults in authorities.
        ("rsa:1024", "rsa:2048", "sha256", ANY, "\"Contoso-CA\" has an RSA key of 1024 bits", "2048 bits"),
        (P_521, "rsa:2048", "sha512", "", "\"cm-server\" is signed with ECDSA and SHA-512", "SHA-256 or SHA-384"),
        ("rsa:2048", "rsa:2048", "md5", ANY, "\"cm-server\" is signed with MD5", "SHA-256"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        make(folder.path(), ca, leaf, hash);
        let words = words(folder.path(), arguments);
        assert!(words.contains(expected) && words.contains(remedy), "{ca} {leaf} {hash}: {words}");
        for wrong in ["unknown authority", "ca_file", "right port", "OtherError", "[6, "] {
            assert!(!words.contains(wrong), "{ca} {leaf} {hash}: {words}");
        }
    }
}

#[test]
fn a_server_of_old_ciphers_is_told_from_a_wrong_port() {
    let folder = tempfile::tempdir().unwrap();
    make(folder.path(), "rsa:2048", "rsa:2048", "sha256");
    let cbc = "-tls1_2 -cipher ECDHE-RSA-AES128-SHA256:ECDHE-RSA-AES256-SHA384:AES128-SHA";
    let words = words(folder.path(), cbc);
    assert!(words.contains("nothing that both sides take") && words.contains("AES-GCM"), "{words}");
    assert!(!words.contains("port"), "{words}");
}

#[test]
fn a_server_that_shows_an_authority_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    openssl(
        folder.path(),
        "req -x509 -newkey rsa:2048 -nodes -keyout leaf.key -out leaf.pem -subj /CN=cm-server -days 30 \
         -addext subjectAltName=DNS:localhost",
    );
    std::fs::copy(folder.path().join("leaf.pem"), folder.path().join("ca.pem")).unwrap();
    let words = words(folder.path(), "");
    assert!(words.contains("\"cm-server\" is an authority's (CA:TRUE)"), "{words}");
    assert!(words.contains("CA:FALSE") && !words.contains("OtherError"), "{words}");
}
