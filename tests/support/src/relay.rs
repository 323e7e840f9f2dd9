//! A line of known length between a client and a server on this machine.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// Passes on what it gets, each way half a round trip later. TCP's handshake is the system's own and takes no time here, so the first bytes
/// of a connection wait one round trip more. Ends with the process.
#[derive(Debug)]
pub struct Relay {
    port: u16,
}

impl Relay {
    /// Before the server at this port.
    pub fn start(server: u16, round_trip: Duration) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = listener.local_addr().expect("it has one").port();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                thread::spawn(move || pass(&client, server, round_trip));
            }
        });
        Self { port }
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The same URL by way of this line.
    pub fn url(&self, url: &str) -> String {
        let (server, path) = split(url);
        format!(
            "{}:{}{path}",
            server.trim_end_matches(|last: char| last.is_ascii_digit()).trim_end_matches(':'),
            self.port
        )
    }
}

/// The port in a URL.
pub fn port_of(url: &str) -> u16 {
    let (server, _) = split(url);
    server.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port")
}

/// A URL up to its port, and its path.
fn split(url: &str) -> (&str, &str) {
    let host = url.find("://").map_or(0, |at| at + 3);
    let path = url[host..].find('/').map_or(url.len(), |at| host + at);
    url.split_at(path)
}

fn pass(client: &TcpStream, server: u16, round_trip: Duration) {
    thread::sleep(round_trip);
    let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, server)) else { return };
    thread::scope(|scope| {
        scope.spawn(|| one_way(client, &server, round_trip / 2));
        scope.spawn(|| one_way(&server, client, round_trip / 2));
    });
}

/// To the end of what `from` sends, or until `to` takes no more.
fn one_way(mut from: &TcpStream, mut to: &TcpStream, delay: Duration) {
    let _ = to.set_nodelay(true);
    let (sender, receiver) = mpsc::channel::<(Instant, Vec<u8>)>();
    thread::scope(|scope| {
        scope.spawn(move || {
            for (due, bytes) in receiver {
                thread::sleep(due.saturating_duration_since(Instant::now()));
                if to.write_all(&bytes).is_err() {
                    break;
                }
            }
            let _ = to.shutdown(Shutdown::Write);
        });
        let mut buffer = [0; 16 * 1024];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            if sender.send((Instant::now() + delay, buffer[..count].to_vec())).is_err() {
                break;
            }
        }
        drop(sender);
    });
}
