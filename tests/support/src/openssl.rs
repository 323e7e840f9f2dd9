//! OpenSSL as a judge of requests and signatures, as the authority that issues certificates, and as a server for TLS.

use std::fs;
use std::io::{self, BufRead, BufReader, Read as _};
use std::net::{Shutdown, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::native;

/// The variable with the port where it is to be had under Wine.
const PORT: &str = "PINWRIGHT_OPENSSL";

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
    let Said { success, out, err } = said(Path::new("."), arguments);
    (success, String::from_utf8_lossy(&[out, err].concat()).into_owned())
}

/// Runs it to success in a folder, with words as arguments, and gives its standard output.
#[track_caller]
pub fn in_folder(folder: &Path, arguments: &str) -> Vec<u8> {
    let Said { success, out, err } = said(folder, &arguments.split_whitespace().collect::<Vec<_>>());
    assert!(success, "openssl {arguments}: {}", String::from_utf8_lossy(&err));
    out
}

struct Said {
    success: bool,
    out: Vec<u8>,
    err: Vec<u8>,
}

fn said(folder: &Path, arguments: &[&str]) -> Said {
    if let Some(connection) = native::start(PORT, folder, arguments) {
        return told(connection).unwrap_or_else(|error| panic!("openssl {arguments:?}: {error}"));
    }
    let mut command = Command::new("openssl");
    let output = command.args(arguments).current_dir(folder).stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("openssl (packaging/system-packages installs it): {error}"));
    Said { success: output.status.success(), out: output.stdout, err: output.stderr }
}

/// Its exit code and the lengths of its two outputs, and then these.
fn told(connection: TcpStream) -> io::Result<Said> {
    let mut connection = BufReader::new(connection);
    let mut head = String::new();
    connection.read_line(&mut head)?;
    let head: Vec<usize> = head.split_whitespace().filter_map(|number| number.parse().ok()).collect();
    let [status, out_length, err_length] = head[..] else { return Err(io::ErrorKind::InvalidData.into()) };
    let (mut out, mut err) = (vec![0; out_length], vec![0; err_length]);
    connection.read_exact(&mut out)?;
    connection.read_exact(&mut err)?;
    Ok(Said { success: status == 0, out, err })
}

/// `openssl s_server` with the folder's `leaf.pem`, until it is dropped.
pub struct Server {
    /// Where it listens on loopback.
    pub port: u16,
    /// Kept open: it writes there.
    _output: Box<dyn BufRead + Send>,
    end: End,
}

enum End {
    Child(Child),
    Connection(TcpStream),
}

impl Server {
    /// Starts it with these words as arguments more.
    #[must_use]
    pub fn start(folder: &Path, arguments: &str) -> Self {
        let of_all = "s_server -accept 127.0.0.1:0 -cert leaf.pem -key leaf.key -naccept 9";
        let words: Vec<&str> = of_all.split_whitespace().chain(arguments.split_whitespace()).collect();
        let (mut output, end): (Box<dyn BufRead + Send>, _) = match native::start(PORT, folder, &words) {
            Some(connection) => {
                let output = connection.try_clone().expect("a connection has more than one name");
                (Box::new(BufReader::new(output)), End::Connection(connection))
            }
            None => {
                let mut command = Command::new("openssl");
                command.args(&words).current_dir(folder);
                // It ends where its standard input does.
                command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
                let mut child = command.spawn().expect("openssl starts");
                let output = child.stdout.take().expect("it is a pipe");
                (Box::new(BufReader::new(output)), End::Child(child))
            }
        };
        let port = loop {
            let mut line = String::new();
            let length = output.read_line(&mut line).expect("it can be read");
            assert!(length > 0, "openssl s_server {arguments} has ended");
            if let Some(address) = line.trim().strip_prefix("ACCEPT ") {
                break address.rsplit(':').next().and_then(|port| port.parse().ok()).expect("an address has a port");
            }
        };
        Self { port, _output: output, end }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        match &mut self.end {
            End::Child(child) => {
                child.kill().expect("it runs");
                child.wait().expect("it was killed");
            }
            // What is at its other end ends it.
            End::Connection(connection) => drop(connection.shutdown(Shutdown::Both)),
        }
    }
}
