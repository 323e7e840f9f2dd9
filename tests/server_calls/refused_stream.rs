//! HTTP/2 servers that say "not processed, send it again": libraries do so by themselves, ours must not.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pinwright::server::auth::Auth;
use rustls::{ServerConnection, StreamOwned};

use crate::listener::tls_config;
use crate::{CHANGES, block_on, caller, told};

const PREFACE: usize = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".len();
/// An empty SETTINGS frame.
const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
/// RST_STREAM of stream 1: REFUSED_STREAM.
const REFUSED: [u8; 13] = [0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 7];
/// GOAWAY: no stream was processed, NO_ERROR.
const GOAWAY: [u8; 17] = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const END_STREAM: u8 = 1;

/// Answers the end of each request with `last`, and counts requests.
fn server(last: &'static [u8]) -> (String, String, Arc<Mutex<usize>>) {
    let socket = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("https://localhost:{}/cm", socket.local_addr().unwrap().port());
    let (config, ca_pem) = tls_config(&[b"h2"]);
    let count = Arc::<Mutex<usize>>::default();
    let requests = Arc::clone(&count);
    std::thread::spawn(move || {
        for stream in socket.incoming().map_while(Result::ok) {
            let tls = ServerConnection::new(config.clone().unwrap()).unwrap();
            let (mut stream, requests) = (StreamOwned::new(tls, stream), Arc::clone(&requests));
            std::thread::spawn(move || speak(&mut stream, last, &requests).ok());
        }
    });
    (url, ca_pem, count)
}

pub fn speak(stream: &mut (impl Read + Write), last: &[u8], requests: &Mutex<usize>) -> std::io::Result<()> {
    stream.read_exact(&mut [0; PREFACE])?;
    stream.write_all(&SETTINGS)?;
    stream.flush()?;
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head)?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let (kind, flags) = (head[3], head[4]);
        stream.read_exact(&mut vec![0; length as usize])?;
        if kind == HEADERS {
            *requests.lock().unwrap() += 1;
        }
        if matches!(kind, DATA | HEADERS) && flags & END_STREAM != 0 {
            stream.write_all(last)?;
            stream.flush()?;
        }
    }
}

#[test]
fn an_unprocessed_change_is_not_sent_again() {
    for last in [&REFUSED[..], &GOAWAY] {
        for change in CHANGES {
            let (url, ca_pem, count) = server(last);
            let client = caller(&url, &ca_pem, Auth::None, Duration::from_secs(8));
            let (found, error) = told(block_on(change.call(&client)));
            assert_eq!((found, *count.lock().unwrap()), ("lost", 1), "{change:?}: {error}");
        }
    }
}
