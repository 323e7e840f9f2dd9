//! Channel bindings, which Apache passes over: a server of our own that insists on them.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cross_krb5::{AcceptFlags, ServerCtx, Step};
use pinwright::config::Config;
use pinwright::error_text::error_text;
use pinwright::server::Client;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use support::kerberos::Realm;

/// Client and server are one process, whose environment has the tickets of the one and the keytab of the other.
#[test]
#[ignore = "played by a process of its own"]
fn plays_both_sides() {
    let Ok(expects) = std::env::var("BINDINGS_EXPECTED") else { return };
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    let hash = ring::digest::digest(&ring::digest::SHA256, certificate.der());
    let own = [b"tls-server-end-point:", hash.as_ref()].concat();
    let expected = if expects == "own" { own } else { b"tls-server-end-point:another".to_vec() };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
        )
        .unwrap();
    let tls = Arc::new(tls);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://localhost:{}/cm", listener.local_addr().unwrap().port());
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            serve(StreamOwned::new(ServerConnection::new(Arc::clone(&tls)).unwrap(), stream), &expected);
        }
    });
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ca.pem"), certificate.pem()).unwrap();
    let (ca, bindings) = (folder.path().join("ca.pem"), std::env::var("BINDINGS_SHOWN").unwrap());
    let text = format!(
        "[server]\nauth = \"negotiate\"\nurl = \"{url}\"\nca_file = \"{}\"\nchannel_bindings = \"{bindings}\"\n",
        ca.display()
    );
    let client = Client::new(&Config::from_toml(&text).unwrap().server.unwrap()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let answer = runtime.block_on(client.requests("Approved"));
    println!("\nanswer: {}", answer.map_or_else(|error| error_text(&error), |_| "taken".to_owned()));
}

fn serve(stream: StreamOwned<ServerConnection, TcpStream>, expected: &[u8]) {
    stream.sock.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut stream = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if stream.read_line(&mut head).unwrap_or_default() == 0 {
                return;
            }
        }
        let token = head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            let token = value.strip_prefix("Negotiate ").filter(|_| name.eq_ignore_ascii_case("authorization"))?;
            STANDARD.decode(token).ok()
        });
        let proof = token.and_then(|token| accept(&token, expected));
        let answer = match proof {
            Some(proof) => format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nWWW-Authenticate: Negotiate {}\r\nContent-Length: 2\r\n\r\n[]",
                STANDARD.encode(proof)
            ),
            None => "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Negotiate\r\nContent-Length: 0\r\n\r\n".to_owned(),
        };
        if stream.get_mut().write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

fn accept(token: &[u8], expected: &[u8]) -> Option<Vec<u8>> {
    let server = ServerCtx::new(AcceptFlags::DISABLE_CONFIDENTIALITY, None, Some(expected)).unwrap();
    match server.step(token) {
        Ok(Step::Finished((_, proof))) => proof.map(|proof| proof.to_vec()),
        Ok(Step::Continue(_)) => panic!("Kerberos has one round"),
        Err(_) => None,
    }
}

#[test]
fn the_ticket_is_bound_to_the_servers_certificate() {
    if !support::kerberos::is_here() {
        return;
    }
    let realm = Realm::start();
    let alice = realm.person("alice", "1h");
    let answer = |expected: &str, shown: &str| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "bindings::plays_both_sides", "--ignored", "--nocapture"]);
        realm.furnish(&mut command);
        command.env("KRB5CCNAME", &alice.0).env("KRB5_KTNAME", realm.http_keytab());
        command.env("BINDINGS_EXPECTED", expected).env("BINDINGS_SHOWN", shown);
        let output = command.output().unwrap();
        let out = String::from_utf8_lossy(&output.stdout).into_owned();
        let answer = out.lines().find_map(|line| line.strip_prefix("answer: ").map(str::to_owned));
        answer.unwrap_or_else(|| panic!("{out}\n{}", String::from_utf8_lossy(&output.stderr)))
    };
    assert_eq!(answer("own", "auto"), "taken");
    let refused = answer("another", "auto");
    assert!(refused.contains("does not take the Kerberos ticket"), "{refused}");
    // Without any, MIT's server takes the ticket: that it is refused above is the work of the bindings.
    assert_eq!(answer("another", "off"), "taken");
}
