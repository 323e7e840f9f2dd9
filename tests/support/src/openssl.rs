//! OpenSSL as a judge of requests and signatures, and as the authority that issues certificates.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A folder with an authority of the test's own.
pub struct Authority {
    folder: tempfile::TempDir,
}

impl Authority {
    /// With a new key and a certificate for two days.
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("authority").tempdir().expect("a temporary folder");
        let authority = Self { folder };
        let [key, certificate] = ["ca.key", "ca.pem"].map(|name| authority.path(name));
        let new = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=Test CA", "-days", "2", "-keyout"];
        openssl(&[&new[..], &[&key, "-out", &certificate]].concat());
        authority
    }

    /// A path in its folder.
    pub fn path(&self, name: &str) -> String {
        self.file(name).to_str().expect("a temporary folder has a plain name").to_owned()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Its folder, for a program that leaves a request there.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Has OpenSSL verify a request (DER), and issues a certificate (DER) for it, which is also left as `NAME.pem` with its public key
    /// as `NAME.pub`.
    pub fn issue(&self, request: &[u8], name: &str) -> Vec<u8> {
        let [csr, pem, der, public] = ["csr", "pem", "der", "pub"].map(|kind| self.path(&format!("{name}.{kind}")));
        fs::write(&csr, request).expect("the folder is ours");
        let verified = openssl(&["req", "-inform", "DER", "-in", &csr, "-verify", "-noout", "-text"]);
        assert!(verified.contains("verify OK"), "{verified}");
        let [key, certificate] = ["ca.key", "ca.pem"].map(|name| self.path(name));
        let signed_by = ["-CA", &certificate, "-CAkey", &key, "-set_serial", "4711", "-days", "1"];
        let request = ["x509", "-req", "-inform", "DER", "-in", &csr, "-out", &pem];
        openssl(&[&request[..], &signed_by].concat());
        openssl(&["verify", "-CAfile", &certificate, &pem]);
        openssl(&["x509", "-in", &pem, "-outform", "DER", "-out", &der]);
        openssl(&["x509", "-in", &pem, "-noout", "-pubkey", "-out", &public]);
        fs::read(der).expect("it was issued")
    }

    /// Whether a file holds a signature over another one by this PKCS#11 mechanism, with the public key of a certificate that was
    /// issued.
    pub fn verifies(&self, name: &str, mechanism: &str, data: &str, signature: &str) -> bool {
        let hash = if mechanism.contains("SHA384") { "-sha384" } else { "-sha256" };
        let [public, data, signature] = [&format!("{name}.pub"), data, signature].map(|name| self.path(name));
        run(&["dgst", hash, "-verify", &public, "-signature", &signature, &data]).0
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

/// Runs it to success, and gives all that it said.
#[track_caller]
pub fn openssl(arguments: &[&str]) -> String {
    let (success, text) = run(arguments);
    assert!(success, "openssl {arguments:?}: {text}");
    text
}

/// Runs it: its own claim, and all that it said.
pub fn run(arguments: &[&str]) -> (bool, String) {
    let mut command = Command::new("openssl");
    let output = command.args(arguments).stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("openssl (packaging/system-packages installs it): {error}"));
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}
