//! A server that does to each request what a test wants, and keeps what it received. HTTP/1.1, with TLS or without.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// What is done to a request.
#[derive(Clone, Debug)]
pub enum Act {
    /// Read it, and answer with this status and this JSON.
    Answer(u16, String),
    /// The same with one more header.
    AnswerWith(u16, &'static str, String),
    /// Read it, and answer with these bytes.
    Raw(Vec<u8>),
    /// Read it, and answer half of a body.
    Half(u16),
    /// Read it, and close the connection.
    Cut,
    /// Read the head and not the body, and reset the connection.
    Reset,
    /// Close the connection before anything is read.
    Close,
    /// Read it, and never answer.
    Stall,
}

/// One request.
#[derive(Clone, Debug)]
pub struct Received {
    /// The number of its connection, from 0.
    pub connection: usize,
    pub head: String,
    pub body: Vec<u8>,
}

impl Received {
    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// A listener on a thread of its own; it ends with the process.
pub struct Listener {
    pub url: String,
    /// The authority to trust; empty without TLS.
    pub ca_pem: String,
    received: Arc<Mutex<Vec<Received>>>,
    connections: Arc<Mutex<usize>>,
}

impl Listener {
    /// Asks `act` what to do with each request, by its number.
    pub fn start(tls: bool, act: impl Fn(usize) -> Act + Send + Sync + 'static) -> Self {
        let socket = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = socket.local_addr().unwrap().port();
        let scheme = if tls { "https" } else { "http" };
        let (config, ca_pem) = if tls { tls_config(&[]) } else { (None, String::new()) };
        let (received, connections) = (Arc::<Mutex<Vec<Received>>>::default(), Arc::<Mutex<usize>>::default());
        let (seen, count, act) = (Arc::clone(&received), Arc::clone(&connections), Arc::new(act));
        std::thread::spawn(move || {
            for stream in socket.incoming().map_while(Result::ok) {
                // Small answers must not wait for more to come.
                stream.set_nodelay(true).unwrap();
                let connection = {
                    let mut count = count.lock().unwrap();
                    *count += 1;
                    *count - 1
                };
                let (config, seen, act) = (config.clone(), Arc::clone(&seen), Arc::clone(&act));
                std::thread::spawn(move || match config {
                    None => serve(stream, connection, &seen, &*act),
                    Some(config) => {
                        let mut stream = StreamOwned::new(ServerConnection::new(config).unwrap(), stream);
                        // The handshake, whatever comes after it.
                        if stream.conn.complete_io(&mut stream.sock).is_ok() {
                            serve(stream, connection, &seen, &*act);
                        }
                    }
                });
            }
        });
        Self { url: format!("{scheme}://localhost:{port}/cm"), ca_pem, received, connections }
    }

    /// The requests whose head has come in full, oldest first.
    pub fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    pub fn connections(&self) -> usize {
        *self.connections.lock().unwrap()
    }
}

/// A certificate for `localhost` that is its own authority.
pub fn tls_config(alpn: &[&[u8]]) -> (Option<Arc<ServerConfig>>, String) {
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
        )
        .unwrap();
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
    (Some(Arc::new(config)), certificate.pem())
}

fn serve(mut stream: impl Read + Write, connection: usize, seen: &Mutex<Vec<Received>>, act: &dyn Fn(usize) -> Act) {
    loop {
        let next = seen.lock().unwrap().len();
        if matches!(act(next), Act::Close) {
            return;
        }
        let Some(head) = read_head(&mut stream) else { return };
        let length =
            head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
        let (number, mut body) = (next, vec![0; length.unwrap_or(0)]);
        let action = act(number);
        // Unread bytes make the system reset the connection.
        let is_whole = !matches!(action, Act::Reset) && stream.read_exact(&mut body).is_ok();
        let body = if is_whole { body } else { Vec::new() };
        seen.lock().unwrap().push(Received { connection, head, body });
        let (status, header, text, sent) = match action {
            Act::Raw(answer) => match stream.write_all(&answer).and_then(|()| stream.flush()) {
                Ok(()) => continue,
                Err(_) => return,
            },
            Act::Answer(status, text) => (status, String::new(), text.clone(), text),
            Act::AnswerWith(status, header, text) => (status, format!("{header}\r\n"), text.clone(), text),
            Act::Half(status) => (status, String::new(), "\"0123456789\"".to_owned(), "\"01234".to_owned()),
            Act::Stall => {
                // Until the caller gives up.
                let _ = stream.read(&mut [0; 1]);
                return;
            }
            Act::Cut | Act::Reset | Act::Close => return,
        };
        // No body and no length after 204.
        let length = if status == 204 { String::new() } else { format!("Content-Length: {}\r\n", text.len()) };
        let kind = if header.to_ascii_lowercase().contains("content-type") {
            ""
        } else {
            "Content-Type: application/json\r\n"
        };
        let answer =
            format!("HTTP/1.1 {status} x\r\n{kind}{length}{header}\r\n{}", if status == 204 { "" } else { &sent });
        if stream.write_all(answer.as_bytes()).and_then(|()| stream.flush()).is_err() || sent != text {
            return;
        }
    }
}

pub fn read_head(stream: &mut impl Read) -> Option<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    String::from_utf8(head).ok()
}

/// Accepts, reads what comes and says nothing: no TLS, no HTTP. The port, and what keeps it open.
pub fn silent() -> u16 {
    let socket = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = socket.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in socket.incoming().map_while(Result::ok) {
            std::thread::spawn(move || swallow(stream));
        }
    });
    port
}

fn swallow(mut stream: TcpStream) {
    let mut piece = [0; 4096];
    while stream.read(&mut piece).is_ok_and(|read| read > 0) {}
}
