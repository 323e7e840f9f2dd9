//! Servers that speak HTTP/2 and want HTTP/1.1 for each request, as IIS does where Windows authentication is switched on.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pinwright::server::auth::Auth;
use pinwright::server::{AdminKeyVersion, HttpVersions};
use rustls::{ServerConnection, StreamOwned};

use crate::listener::{read_head, tls_config};
use crate::refused_stream::speak;
use crate::{CARD_ID, CHANGES, Caller, Change, REQUEST, SCID, block_on, caller_over, card, told};

/// RST_STREAM of stream 1: HTTP_1_1_REQUIRED.
const RESET: [u8; 13] = [0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 13];
/// GOAWAY: no stream was processed, HTTP_1_1_REQUIRED.
const GOAWAY: [u8; 17] = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 13];

struct Server {
    url: String,
    ca_pem: String,
    over_2: Arc<Mutex<usize>>,
    /// The request lines.
    over_1_1: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start(last: &'static [u8], status: u16, body: &'static str) -> Self {
        let socket = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let url = format!("https://localhost:{}/cm", socket.local_addr().unwrap().port());
        let (config, ca_pem) = tls_config(&[b"h2", b"http/1.1"]);
        let (over_2, over_1_1) = (Arc::<Mutex<usize>>::default(), Arc::<Mutex<Vec<String>>>::default());
        let (count, lines) = (Arc::clone(&over_2), Arc::clone(&over_1_1));
        std::thread::spawn(move || {
            for stream in socket.incoming().map_while(Result::ok) {
                let tls = ServerConnection::new(config.clone().unwrap()).unwrap();
                let (mut stream, count, lines) =
                    (StreamOwned::new(tls, stream), Arc::clone(&count), Arc::clone(&lines));
                std::thread::spawn(move || {
                    stream.conn.complete_io(&mut stream.sock).ok()?;
                    match stream.conn.alpn_protocol() {
                        Some(b"h2") => speak(&mut stream, last, &count).ok(),
                        _ => answer(&mut stream, status, body, &lines),
                    }
                });
            }
        });
        Self { url, ca_pem, over_2, over_1_1 }
    }

    fn client(&self, versions: &HttpVersions) -> Caller {
        caller_over(versions.clone(), &self.url, &self.ca_pem, Auth::None, Duration::from_secs(8))
    }

    /// Requests over HTTP/2, and over HTTP/1.1.
    fn counts(&self) -> (usize, usize) {
        (*self.over_2.lock().unwrap(), self.over_1_1.lock().unwrap().len())
    }
}

/// One answer for each request, whatever it asks for.
fn answer(stream: &mut (impl Read + Write), status: u16, body: &str, lines: &Mutex<Vec<String>>) -> Option<()> {
    loop {
        let head = read_head(stream)?;
        let length =
            head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
        stream.read_exact(&mut vec![0; length.unwrap_or(0)]).ok()?;
        lines.lock().unwrap().push(head.lines().next()?.to_owned());
        let text = format!(
            "HTTP/1.1 {status} x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(text.as_bytes()).and_then(|()| stream.flush()).ok()?;
    }
}

#[test]
fn a_call_that_reads_goes_on_at_once_and_the_server_is_remembered() {
    for last in [&RESET[..], &GOAWAY] {
        let server = Server::start(last, 200, "[]");
        let versions = HttpVersions::auto();
        block_on(async {
            server.client(&versions).requests("Approved").await.unwrap();
            assert_eq!(server.counts(), (1, 1), "{last:?}");
            // The next job's client.
            server.client(&versions).requests("Approved").await.unwrap();
            assert_eq!(server.counts(), (1, 2), "{last:?}");
        });
    }
    // A call for a secret, too: once more.
    let server = Server::start(&RESET, 200, "\"AQEBAQEBAQE=\"");
    let card = card(CARD_ID, &[1; 8]);
    let client = server.client(&HttpVersions::auto());
    block_on(client.authentication_response(REQUEST, SCID, &card, AdminKeyVersion::Default)).unwrap();
    assert_eq!(server.counts(), (1, 1));
}

#[test]
fn a_safe_call_settles_the_version_before_anything_is_changed() {
    for change in CHANGES {
        let (status, body) = change.success();
        let server = Server::start(&RESET, status, body);
        let client = server.client(&HttpVersions::auto());
        let (found, error) = told(block_on(change.call(&client)));
        assert_eq!((found, server.counts()), ("done", (1, 2)), "{change:?}: {error}");
        let lines = server.over_1_1.lock().unwrap();
        assert!(lines[0].starts_with("GET /cm/api/v1.0/profiletemplates "), "{lines:?}");
        assert!(!lines[1].starts_with("GET "), "{lines:?}");
    }
    // Where nobody answers nothing is sent.
    let server = Server::start(&RESET, 200, "[]");
    let gone = server.url.replace("localhost", "127.0.0.1");
    let client = caller_over(HttpVersions::auto(), &gone, &server.ca_pem, Auth::None, Duration::from_secs(8));
    let (found, error) = told(block_on(Change::CreateRequest.call(&client)));
    assert_eq!((found, server.counts()), ("not sent", (0, 0)), "{error}");
}

/// A route of a server whose other routes take HTTP/2: nobody knows what became of the call, and it is not sent again.
#[test]
fn a_change_is_not_repeated_over_the_other_version() {
    let (status, body) = Change::CreateRequest.success();
    let server = Server::start(&GOAWAY, status, body);
    let client = server.client(&HttpVersions::settled());
    let (found, error) = told(block_on(Change::CreateRequest.call(&client)));
    assert_eq!((found, server.counts()), ("lost", (1, 0)), "{error}");
    assert!(error.contains("HTTP/1.1 only") && error.contains("server.http_version"), "{error}");
}

#[test]
fn the_version_can_be_configured() {
    let server = Server::start(&RESET, 200, "[]");
    let start = Instant::now();
    block_on(server.client(&HttpVersions::only_1_1()).requests("Approved")).unwrap();
    assert_eq!(server.counts(), (0, 1));
    assert!(start.elapsed() < Duration::from_secs(5));
    for (value, is_known) in [("auto", true), ("1.1", true), ("2", false), ("1.0", false)] {
        let text = format!("[server]\nurl = \"https://cm.contoso.com/x\"\nhttp_version = \"{value}\"");
        assert_eq!(pinwright::config::Config::from_toml(&text).is_ok(), is_known, "{value}");
    }
}
