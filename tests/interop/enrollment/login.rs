//! The certificate in use: servers of the test's own that let nobody in without the card, and clients that know it by OpenSC's module.

use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use support::openssl::openssl;
use support::pcscd::{Pcscd, free_pair};
use support::waiting::until;

use super::cards::Inserted;
use super::site::Enrolled;
use crate::judge::{Verdict, command, run};

/// A server of this test; killed when dropped.
struct Server {
    process: Child,
    port: u16,
}

impl Server {
    /// Starts it, and waits until it listens.
    fn start(mut command: Command, port: u16, enrolled: &Enrolled, log: &str) -> Self {
        let log = fs::File::create(enrolled.installation.path(log)).unwrap();
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let process = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let server = Self { process, port };
        until("a server that listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        server
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail where it has ended by itself, which the clients have noticed.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn port() -> u16 {
    free_pair().expect("a free port")
}

/// Where the distribution has OpenSC's PKCS#11 module.
fn module() -> PathBuf {
    let folders = fs::read_dir("/usr/lib").unwrap().map(|entry| entry.unwrap().path());
    let mut found = folders.map(|folder| folder.join("opensc-pkcs11.so")).filter(|module| module.is_file());
    found.next().expect("OpenSC's module (Debian: opensc-pkcs11)")
}

/// curl gets a page of a TLS server that demands a client certificate of the stand-in's authority; without the card, or with it and a
/// server that trusts another authority, it gets none.
pub fn curl_logs_in(pcscd: &Pcscd, card: &Inserted, enrolled: &Enrolled) {
    let [key, certificate] = ["server.key", "server.pem"].map(|name| enrolled.path(name));
    let new = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "2", "-addext"];
    openssl(&[&new[..], &["subjectAltName=DNS:localhost", "-keyout", &key, "-out", &certificate]].concat());
    for (trusted, is_let_in) in [("authorities.pem", true), ("server.pem", false)] {
        let server = web_server(card, enrolled, trusted);
        let said = curl(pcscd, enrolled, &server, true);
        assert_eq!(said.success, is_let_in, "{}", said.text);
        if is_let_in {
            let subject = enrolled.told["certificates"][0]["subject"].as_str().unwrap();
            assert!(said.text.contains(&subject.replace('=', " = ")) || said.text.contains(subject), "{}", said.text);
            assert!(!curl(pcscd, enrolled, &server, false).success);
        }
    }
}

/// `openssl s_server`, which shows to whom it has talked.
fn web_server(card: &Inserted, enrolled: &Enrolled, trusted: &str) -> Server {
    let port = port();
    let mut command = Command::new("openssl");
    command.args(["s_server", "-www", "-verify_return_error", "-Verify", "2", "-accept", &format!("127.0.0.1:{port}")]);
    command.args(["-key", &enrolled.path("server.key"), "-cert", &enrolled.path("server.pem")]);
    command.args(["-CAfile", &enrolled.path(trusted)]);
    if !card.is_piv {
        // TLS 1.3 wants RSA-PSS, for which OpenSC does not use the keys of a GIDS card.
        command.args(["-tls1_2", "-client_sigalgs", "RSA+SHA256"]);
    }
    Server::start(command, port, enrolled, "web-server.log")
}

fn curl(pcscd: &Pcscd, enrolled: &Enrolled, server: &Server, with_card: bool) -> Verdict {
    // The PIN is in a file and in no argument.
    let object = |kind: &str| format!("pkcs11:id=%{};type={kind}", enrolled.id);
    let card = format!(
        "engine = \"pkcs11\"\ncert = \"{}\"\ncert-type = ENG\nkey = \"{}\"\nkey-type = ENG\npass = \"{}\"\n",
        object("cert"),
        object("private"),
        enrolled.pin
    );
    let configuration = enrolled.file("curl.config", if with_card { card.as_str() } else { "" });
    let mut command = command(pcscd, "curl");
    command.env("PKCS11_MODULE_PATH", module());
    command.args(["--config", &configuration, "--silent", "--show-error", "--fail"]);
    command.args(["--cacert", &enrolled.path("server.pem"), "--resolve"]);
    command.arg(format!("localhost:{}:127.0.0.1", server.port));
    run(command.arg(format!("https://localhost:{}/", server.port)))
}

/// ssh logs in where the only key that is let in is that of the certificate.
pub fn ssh_logs_in(pcscd: &Pcscd, enrolled: &Enrolled) {
    let key = run(command(pcscd, "ssh-keygen").args(["-i", "-m", "PKCS8", "-f", &enrolled.path("issued.pub")]));
    enrolled.file("authorized", key.accepted());
    let host = enrolled.path("host");
    run(command(pcscd, "ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f", &host])).accepted();
    let server = ssh_server(enrolled);
    let said = ssh(pcscd, enrolled, &server, true).accepted();
    assert!(said.contains("logged in with the card"), "{said}");
    ssh(pcscd, enrolled, &server, false).refused();
}

/// An sshd that reads nothing outside the test's folder but accounts.
fn ssh_server(enrolled: &Enrolled) -> Server {
    let port = port();
    let [host, authorized] = ["host", "authorized"].map(|name| enrolled.path(name));
    let configuration = enrolled.file(
        "sshd.config",
        format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {host}\nAuthorizedKeysFile {authorized}\nPidFile none\n\
             StrictModes no\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n\
             PermitRootLogin prohibit-password\n"
        ),
    );
    // As root it wants a folder of its own below /run, which is another one here where that can be mounted.
    let script =
        "mount -t tmpfs none /run 2>/dev/null; mkdir -p /run/sshd 2>/dev/null; exec /usr/sbin/sshd -D -e -f \"$1\"";
    let can_mount = Command::new("unshare").args(["--mount", "true"]).stderr(Stdio::null()).status();
    let mut command = match can_mount {
        Ok(status) if status.success() => {
            let mut command = Command::new("unshare");
            command.args(["--mount", "sh", "-c", script, "sh", &configuration]);
            command
        }
        _ => {
            let mut command = Command::new("sh");
            command.args(["-c", "mkdir -p /run/sshd 2>/dev/null; exec /usr/sbin/sshd -D -e -f \"$1\"", "sh"]);
            command.arg(&configuration);
            command
        }
    };
    command.env_remove("SSH_AUTH_SOCK");
    Server::start(command, port, enrolled, "sshd.log")
}

fn ssh(pcscd: &Pcscd, enrolled: &Enrolled, server: &Server, with_card: bool) -> Verdict {
    let (pin, askpass) = (enrolled.file("pin", &enrolled.pin), enrolled.path("askpass"));
    fs::write(&askpass, format!("#!/bin/sh\ncat '{pin}'\n")).unwrap();
    fs::set_permissions(&askpass, fs::Permissions::from_mode(0o700)).unwrap();
    let mut command = command(pcscd, "setsid");
    command.env("SSH_ASKPASS", askpass).env("SSH_ASKPASS_REQUIRE", "force").env_remove("SSH_AUTH_SOCK");
    command.args(["--wait", "ssh", "-F", "none", "-o", "PreferredAuthentications=publickey", "-o", "LogLevel=ERROR"]);
    command.args(["-o", "StrictHostKeyChecking=no", "-o"]);
    command.arg(format!("UserKnownHostsFile={}", enrolled.path("known-hosts")));
    if with_card {
        command.arg("-o").arg(format!("PKCS11Provider={}", module().display()));
    }
    let account = nix::unistd::User::from_uid(nix::unistd::Uid::current()).unwrap().unwrap().name;
    command.args(["-p", &server.port.to_string(), &format!("{account}@127.0.0.1"), "echo logged in with the card"]);
    run(&mut command)
}
