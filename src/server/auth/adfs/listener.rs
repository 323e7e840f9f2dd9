//! Where the browser comes back to: one port of this machine, for as long as a sign-in lasts.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use zeroize::Zeroizing;

use super::request::Authorization;
use crate::secret::SecretBytes;
use crate::server::auth::adfs::error::AdfsError;

/// The longest head of a request: a code of AD FS has some 1,500 characters.
const HEAD: usize = 32 * 1024;

/// Browsers open connections in advance; one that says nothing is not waited for for ever.
const PATIENCE: Duration = Duration::from_secs(20);

/// How many connections may wait at once.
const MANY: usize = 32;

/// A port that a browser comes back to.
pub struct Listener {
    listener: TcpListener,
    port: u16,
}

impl Listener {
    /// Takes the port, on the loopback address alone.
    ///
    /// # Errors
    /// [`AdfsError::PortTaken`].
    pub async fn bind(port: u16) -> Result<Self, AdfsError> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
        listener.map(|listener| Self { listener, port }).map_err(|source| AdfsError::PortTaken { port, source })
    }

    /// Waits for the browser with an answer to this sign-in. Whatever else comes is refused and not an answer: any page can send a
    /// browser here. Whoever gives up waiting drops the future.
    ///
    /// # Errors
    /// [`AdfsError::Refused`] where AD FS says no, and [`AdfsError::System`].
    pub async fn code(&self, begun: Arc<Authorization>) -> Result<SecretBytes, AdfsError> {
        let (sender, mut answers) = mpsc::channel(MANY);
        let mut open = tokio::task::JoinSet::new();
        loop {
            tokio::select! {
                answer = answers.recv() => match answer {
                    Some(answer) => {
                        // The page that says how it ended is on its way to the browser.
                        let _ = tokio::time::timeout(Duration::from_secs(1), open.join_next()).await;
                        return answer;
                    }
                    None => return Err(AdfsError::System(std::io::ErrorKind::BrokenPipe.into())),
                },
                accepted = self.listener.accept(), if open.len() < MANY => {
                    let (stream, _) = accepted.map_err(AdfsError::System)?;
                    let (begun, sender, port) = (Arc::clone(&begun), sender.clone(), self.port);
                    open.spawn(async move {
                        let _ = tokio::time::timeout(PATIENCE, serve(stream, &begun, port, sender)).await;
                    });
                }
                Some(_) = open.join_next() => {}
            }
        }
    }
}

type Answers = mpsc::Sender<Result<SecretBytes, AdfsError>>;

async fn serve(mut stream: TcpStream, begun: &Authorization, port: u16, answers: Answers) {
    let mut head = Zeroizing::new(Vec::with_capacity(HEAD));
    let mut piece = Zeroizing::new([0_u8; 2048]);
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(piece.as_mut_slice()).await {
            Ok(read) if read > 0 && head.len() + read <= HEAD => {
                head.extend_from_slice(piece.get(..read).unwrap_or_default())
            }
            _ => return,
        }
    }
    let (page, answer) = match query(&head, port) {
        None => (NOT_HERE, None),
        Some(query) => match begun.code(query) {
            Ok(code) => (SIGNED_IN, Some(Ok(code))),
            Err(error @ AdfsError::Refused(_)) => (DENIED, Some(Err(error))),
            Err(error) => {
                tracing::warn!("a browser came with something else than the answer to this sign-in: {error}");
                (NOT_THIS, None)
            }
        },
    };
    if let Some(answer) = answer {
        let _ = answers.send(answer).await;
    }
    // A browser that has left sees no page.
    let _ = stream.write_all(response(page).as_bytes()).await;
    let _ = stream.shutdown().await;
}

/// The query of a GET of the root of this very host; others are not for us.
fn query(head: &[u8], port: u16) -> Option<&[u8]> {
    let mut lines = head.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end);
    let mut first = lines.next()?.split(|byte| *byte == b' ');
    let (method, target) = (first.next()?, first.next()?);
    let host = lines.find_map(|line| {
        let at = line.iter().position(|byte| *byte == b':')?;
        let (name, value) = line.split_at(at);
        name.eq_ignore_ascii_case(b"host").then(|| value.get(1..).unwrap_or_default().trim_ascii())
    })?;
    let is_ours = host == format!("127.0.0.1:{port}").as_bytes();
    target.strip_prefix(b"/?").filter(|_| method == b"GET" && is_ours)
}

type Page = (&'static str, &'static str);

const SIGNED_IN: Page =
    ("200 OK", "Back to the terminal: pinwright has the answer of AD FS. This window can be closed.");
const DENIED: Page = ("200 OK", "AD FS has said no. The terminal says more. This window can be closed.");
const NOT_THIS: Page = ("400 Bad Request", "This is not the answer to the sign-in that pinwright waits for.");
const NOT_HERE: Page = ("404 Not Found", "There is nothing here.");

/// The page refers to nothing and is not kept: its address has the code.
fn response((status, text): Page) -> String {
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\nCache-Control: no-store\r\n\
         Referrer-Policy: no-referrer\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n{text}",
        text.len()
    )
}
