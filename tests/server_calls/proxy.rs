//! `server.proxy`: asked with CONNECT, told who we are and nothing else, and no other server's.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pinwright::config::Config;
use pinwright::server::error::TlsReason;
use pinwright::server::{Client, ServerProblem, Settings};
use pinwright::sim::server::TlsKind;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::TlsAcceptor;

use crate::listener::{Act, Listener, read_head, tls_config};
use crate::{bearer, block_on, of, stand_in};

/// A proxy on a thread of its own: what it was asked for, and its port.
fn proxy(status: &'static str) -> (u16, Arc<Mutex<Vec<String>>>) {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    let heads = Arc::<Mutex<Vec<String>>>::default();
    let asked = Arc::clone(&heads);
    std::thread::spawn(move || {
        for mut stream in socket.incoming().map_while(Result::ok) {
            let asked = Arc::clone(&asked);
            std::thread::spawn(move || {
                let head = read_head(&mut stream)?;
                let target = head.split_whitespace().nth(1)?.to_owned();
                asked.lock().unwrap().push(head);
                stream.write_all(format!("HTTP/1.1 {status}\r\n\r\n").as_bytes()).ok()?;
                if status.starts_with("200") {
                    let server = TcpStream::connect(target.replace("localhost", "127.0.0.1")).ok()?;
                    let (from, to) = (stream.try_clone().ok()?, server.try_clone().ok()?);
                    std::thread::spawn(move || copy(from, to));
                    copy(server, stream);
                }
                Some(())
            });
        }
    });
    (port, heads)
}

/// The same behind TLS, with an authority of its own: its port, what it was asked for, and the authority.
fn proxy_over_tls() -> (u16, Arc<Mutex<Vec<String>>>, String) {
    let (config, authority) = tls_of_proxy();
    let (inner, heads) = proxy("200 x");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let (told, port) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        block_on(async {
            let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            told.send(socket.local_addr().unwrap().port()).unwrap();
            while let Ok((stream, _)) = socket.accept().await {
                // A client that does not take the certificate is none.
                let Ok(mut client) = acceptor.accept(stream).await else { continue };
                let mut proxy = tokio::net::TcpStream::connect(("127.0.0.1", inner)).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut client, &mut proxy).await;
            }
        });
    });
    (port.recv().unwrap(), heads, authority)
}

fn tls_of_proxy() -> (rustls::ServerConfig, String) {
    let (key, own) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let pem = authority.self_signed(&key).unwrap().pem();
    let leaf = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let leaf = leaf.signed_by(&own, &Issuer::new(authority, key)).unwrap();
    let own = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(own.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    (config.with_no_client_auth().with_single_cert(vec![leaf.der().clone()], own).unwrap(), pem)
}

fn copy(mut from: TcpStream, mut to: TcpStream) {
    let mut piece = [0; 4096];
    while let Ok(read @ 1..) = from.read(&mut piece) {
        if to.write_all(&piece[..read]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Both);
}

fn settings(url: &str, ca: &Path, folder: &Path, port: u16) -> Settings {
    settings_over(&format!("http://127.0.0.1:{port}"), url, ca, folder)
}

fn settings_over(proxy: &str, url: &str, ca: &Path, folder: &Path) -> Settings {
    let text = format!(
        "[server]\nurl = {url:?}\nca_file = {ca:?}\ntimeout = \"8s\"\nproxy = {proxy:?}\nproxy_user = \"agent\"\n\
         proxy_password_file = {:?}",
        folder.join("password")
    );
    Config::from_toml(&text).unwrap().server.unwrap()
}

#[test]
fn a_proxy_connects_and_sees_no_call() {
    let server = stand_in(|_| {});
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, server.ca_pem()).unwrap();
    std::fs::write(folder.path().join("password"), "CANARY secret\n").unwrap();
    let (port, heads) = proxy("200 x");
    let client = Client::new(&settings(&server.base_url(), &ca, folder.path(), port)).unwrap();
    block_on(client.requests("Approved")).unwrap();
    let heads = heads.lock().unwrap().clone();
    let target = server.base_url().replace("https://", "").replace("/CertificateManagement", "");
    assert_eq!(heads.len(), 1);
    assert!(heads[0].starts_with(&format!("CONNECT {target} HTTP/1.1\r\n")), "{heads:?}");
    // agent:CANARY secret
    assert!(heads[0].contains("Basic YWdlbnQ6Q0FOQVJZIHNlY3JldA=="), "{heads:?}");
    assert!(!heads[0].contains("CertificateManagement"), "{heads:?}");
    let seen = server.requests();
    assert!(seen.len() == 1 && seen[0].authorization.is_none(), "{seen:?}");
    // Without the configuration it is not asked.
    block_on(of(&server).requests("Approved")).unwrap();

    // One that wants other credentials, and a password that is not there.
    let (port, _heads) = proxy("407 x");
    let refused = Client::new(&settings(&server.base_url(), &ca, folder.path(), port)).unwrap();
    let error = block_on(refused.requests("Approved")).unwrap_err();
    assert!(matches!(error.problem, ServerProblem::Unreachable(_)) && error.to_string().contains("prox"), "{error}");
    assert!(!format!("{error} {error:?}").contains("CANARY"), "{error:?}");
    std::fs::remove_file(folder.path().join("password")).unwrap();
    let error = Client::new(&settings(&server.base_url(), &ca, folder.path(), port)).err().unwrap();
    let text = pinwright::error_text::error_text(&error);
    assert!(text.contains("server.proxy") && text.contains("can't be read"), "{text}");
}

/// A folder with the password for the proxy.
fn folder_with_password() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("password"), "CANARY secret\n").unwrap();
    folder
}

#[test]
fn tls_to_the_proxy() {
    let server = stand_in(|settings| settings.token = Some("CANARY-token".to_owned()));
    let folder = folder_with_password();
    let (ca, token) = (folder.path().join("ca.pem"), folder.path().join("token"));
    std::fs::write(&token, "CANARY-token").unwrap();
    let (port, heads, authority) = proxy_over_tls();
    let both = [server.ca_pem(), &authority].concat();
    let with = |trusted: &str, host: &str| {
        std::fs::write(&ca, trusted).unwrap();
        let proxy = format!("https://{host}:{port}");
        let mut settings = settings_over(&proxy, &server.base_url(), &ca, folder.path());
        settings.auth = bearer(&token);
        block_on(Client::new(&settings).unwrap().requests("Approved")).map(drop)
    };
    // One that nobody vouches for, and one of another name.
    for (trusted, host) in [(server.ca_pem(), "localhost"), (&both, "127.0.0.1")] {
        let error = with(trusted, host).unwrap_err();
        let text = pinwright::error_text::error_text(&error);
        assert!(matches!(error.problem, ServerProblem::Tls { .. }), "{error:?}");
        assert!(text.contains(&format!("with the proxy {host}:{port}: ")), "{text}");
        assert!(error.problem.remedy().contains("server.proxy"), "{}", error.problem.remedy());
        assert!(heads.lock().unwrap().is_empty() && server.requests().is_empty(), "a stranger is told nothing");
    }
    with(&both, "localhost").unwrap();
    let heads = heads.lock().unwrap().clone();
    assert!(heads.len() == 1 && heads[0].starts_with("CONNECT localhost:"), "{heads:?}");
    assert!(heads[0].contains("Basic ") && !heads[0].contains("Bearer") && !heads[0].contains("/cm"), "{heads:?}");
    let seen = server.requests();
    // The stand-in keeps the scheme alone.
    assert_eq!(seen.iter().map(|call| call.authorization).collect::<Vec<_>>(), [Some("Bearer")]);
}

/// A certificate that the server shows behind the proxy is the server's fault and not the proxy's.
#[test]
fn a_failure_behind_the_proxy_is_the_servers() {
    let server = stand_in(|settings| settings.tls = TlsKind::ExpiredLeaf);
    let folder = folder_with_password();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, server.ca_pem()).unwrap();
    let (port, heads) = proxy("200 x");
    let client = Client::new(&settings(&server.base_url(), &ca, folder.path(), port)).unwrap();
    let error = block_on(client.requests("Approved")).unwrap_err();
    assert!(matches!(error.problem, ServerProblem::Tls { reason: TlsReason::Expired, .. }), "{error:?}");
    assert!(error.to_string().contains("connection with localhost:"), "{error}");
    assert!(error.problem.remedy().contains("clock") && heads.lock().unwrap().len() == 1, "{error}");
}

/// What goes to a proxy is shown to it in full where it is no TLS: nothing goes there then.
#[test]
fn plain_http_passes_by_the_proxy() {
    let listener = Listener::start(false, |_| Act::Answer(200, "[]".to_owned()));
    let folder = folder_with_password();
    let (port, heads) = proxy("200 x");
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, tls_config(&[]).1).unwrap();
    let mut settings = settings("https://localhost/cm", &ca, folder.path(), port);
    // The configuration refuses both together.
    settings.url = listener.url.parse().unwrap();
    block_on(Client::new(&settings).unwrap().requests("Approved")).unwrap();
    assert_eq!((listener.received().len(), heads.lock().unwrap().len()), (1, 0));
    assert!(listener.received()[0].header("proxy-authorization").is_none());
}

/// The connection ends at the proxy, and is told so.
#[test]
fn a_proxy_that_gives_no_connection() {
    let server = stand_in(|_| {});
    let folder = folder_with_password();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, server.ca_pem()).unwrap();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for (port, reason) in [(proxy("407 x").0, "authorization"), (proxy("403 x").0, ""), (nobody, "refused")] {
        let client = Client::new(&settings(&server.base_url(), &ca, folder.path(), port)).unwrap();
        let error = block_on(client.requests("Approved")).unwrap_err();
        let text = pinwright::error_text::error_text(&error);
        assert!(text.contains(&format!(" through the proxy 127.0.0.1:{port}: ")) && text.contains(reason), "{text}");
        let remedy = error.problem.remedy();
        assert!(remedy.contains("server.proxy") && !remedy.contains("no effect"), "{remedy}");
        assert!(!format!("{error:?} {text}").contains("CANARY"), "{error:?}");
    }
    assert!(server.requests().is_empty());
}

#[test]
fn what_is_no_proxy_is_refused_without_being_quoted() {
    let with = |url: &str, lines: &str| Config::from_toml(&format!("[server]\nurl = \"{url}\"\n{lines}"));
    let https = "https://cm.contoso.com/x";
    for (url, lines) in [
        ("http://localhost/x", "proxy = \"http://p:3128\""),
        (https, "proxy = \"socks5://p:1080\""),
        (https, "proxy = \"http://me:CANARY@p:3128\""),
        (https, "proxy = \"http://p:3128/CANARY\""),
        (https, "proxy = \"CANARY\""),
        (https, "proxy = \"http://p:3128\"\nproxy_user = \"CANARY\""),
        (https, "proxy_user = \"a\"\nproxy_password_file = \"CANARY\""),
        (
            https,
            "proxy = \"http://p:1\"\nproxy_user = \"a\"\nproxy_password_file = \"f\"\nproxy_password_credential = \"c\"",
        ),
    ] {
        let error = with(url, lines).unwrap_err().to_string();
        assert!(error.contains("prox") && !error.contains("CANARY"), "{lines}: {error}");
    }
    assert!(with(https, "proxy = \"https://p:3128\"").unwrap().server.unwrap().proxy.is_some());
}

/// Not a test: a server that nobody is, in a process with these variables.
#[test]
#[ignore = "helper process of the test below"]
fn a_server_that_is_not_reached() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let client = crate::caller(
        &format!("https://localhost:{port}/cm"),
        "",
        pinwright::server::auth::Auth::None,
        Duration::from_secs(8),
    );
    let error = block_on(client.requests("Approved")).unwrap_err();
    println!("REMEDY {}", error.problem.remedy());
}

#[test]
fn a_proxy_of_the_environment_is_named_where_the_connection_fails() {
    let remedy = |variable: Option<&str>| {
        let mut helper = std::process::Command::new(std::env::current_exe().unwrap());
        helper.args(["--exact", "proxy::a_server_that_is_not_reached", "--ignored", "--nocapture"]);
        for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
            helper.env_remove(name);
        }
        helper.envs(variable.map(|name| (name, "http://me:CANARY@192.0.2.1:3128")));
        let output = helper.output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    for name in ["HTTPS_PROXY", "https_proxy", "all_proxy"] {
        let told = remedy(Some(name));
        // Windows knows both by one name.
        let name = if cfg!(windows) { name.to_uppercase() } else { name.to_owned() };
        assert!(told.contains(&format!("{name} is set and has no effect")) && told.contains("server.proxy"), "{told}");
        assert!(!told.contains("CANARY"), "{told}");
    }
    let told = remedy(None);
    assert!(told.contains("REMEDY") && !told.contains("server.proxy"), "{told}");
}
