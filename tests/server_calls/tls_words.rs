//! TLS servers that are not taken: one sentence says what is wrong with which certificate, and what to do.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use pinwright::server::auth::Auth;

use crate::{block_on, caller};

/// Runs openssl in a folder.
pub fn openssl(folder: &Path, arguments: &str) {
    let output = Command::new("openssl").args(arguments.split_whitespace()).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

/// `openssl s_server` with the folder's `leaf.pem`.
pub struct Server {
    child: Child,
    pub port: u16,
    /// Kept open: it writes there.
    _output: BufReader<ChildStdout>,
}

impl Server {
    pub fn start(folder: &Path, arguments: &str) -> Self {
        let mut command = Command::new("openssl");
        command.args("s_server -accept 127.0.0.1:0 -cert leaf.pem -key leaf.key -naccept 9".split_whitespace());
        command.args(arguments.split_whitespace()).current_dir(folder);
        // It ends where its standard input does.
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let port = loop {
            let mut line = String::new();
            assert!(output.read_line(&mut line).unwrap() > 0, "openssl s_server {arguments} has ended");
            if let Some(address) = line.trim().strip_prefix("ACCEPT ") {
                break address.rsplit(':').next().unwrap().parse().unwrap();
            }
        };
        Self { child, port, _output: output }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

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
