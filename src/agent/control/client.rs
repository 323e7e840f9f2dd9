//! The client's end of the control socket.

use std::io::{self, BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use thiserror::Error;
use uuid::Uuid;

use super::protocol::{Command, Refusal, RefusalDetail, Request};
use crate::agent::Settings;
use crate::job::journal::CardRecords;
use crate::os::endpoint::{self, NotBelieved, Stream};

/// The longest answer about one card that is read.
const CARD_ANSWER_MAX: usize = 4 * 1024 * 1024;

/// How long the agent may take for an answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// The longest line that is read: a journal of many years.
const LINE_MAX: u64 = 64 * 1024 * 1024;

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum AskError {
    /// No path is configured, and none follows from the environment.
    #[error("there is no place where an agent could listen")]
    NoSocket,
    /// Nobody listens.
    #[error("no agent is running: nobody listens on {}", alternatives(.paths))]
    NotRunning {
        /// Where it was looked for.
        paths: Vec<PathBuf>,
    },
    /// The socket may not be opened.
    #[error("this user may not talk to the agent on {}", .path.display())]
    NoAccess {
        /// The socket.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Somebody else's listener.
    #[error("what listens on {} is not taken for an agent", .path.display())]
    NotBelieved {
        /// The socket.
        path: PathBuf,
        /// Why.
        #[source]
        source: NotBelieved,
    },
    /// The connection failed.
    #[error("the agent on {} did not answer", .path.display())]
    Io {
        /// The socket.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The agent refused the request.
    #[error("the agent refused: {}", .0.message)]
    Refused(RefusalDetail),
    /// The answer about one card goes on and on.
    #[error("the agent's answer is longer than {CARD_ANSWER_MAX} bytes")]
    Endless,
    /// Not an answer of a version that is known here.
    #[error("the agent's answer is not understood: is it of another version?")]
    Unknown(#[source] serde_json::Error),
}

fn alternatives(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(" or ")
}

/// An agent that was asked something.
#[derive(Debug)]
pub struct Answers {
    path: PathBuf,
    lines: BufReader<Stream>,
}

/// Asks the agent where the settings say that one listens.
///
/// # Errors
/// No agent, none that this user may talk to, or somebody else's listener: nothing that it says is read.
pub fn ask(settings: &Settings, command: Command) -> Result<Answers, AskError> {
    let paths: Vec<PathBuf> = places(settings).cloned().collect();
    if paths.is_empty() {
        return Err(AskError::NoSocket);
    }
    for path in &paths {
        if let Some(stream) = connect(path, ANSWER_TIMEOUT)? {
            return send(path, stream, command);
        }
    }
    Err(AskError::NotRunning { paths })
}

/// Asks every agent that listens where the settings say what its journal holds about this card. All of it takes no longer than
/// `within`, whatever listens there.
pub fn ask_about_card(settings: &Settings, card_id: Uuid, within: Duration) -> Vec<Result<CardRecords, AskError>> {
    let deadline = Instant::now() + within;
    places(settings).map(|path| about_card(path, card_id, deadline)).collect()
}

fn places(settings: &Settings) -> impl Iterator<Item = &PathBuf> {
    settings.control.iter().chain(&settings.control_of_system)
}

/// A connection to who listens there and may be believed; `None` where nobody listens.
fn connect(path: &Path, within: Duration) -> Result<Option<Stream>, AskError> {
    match endpoint::connect(path, within) {
        Ok(stream) => match endpoint::believe(&stream, path) {
            Ok(()) => Ok(Some(stream)),
            Err(source) => Err(AskError::NotBelieved { path: path.to_owned(), source }),
        },
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => Ok(None),
        Err(source) if source.kind() == ErrorKind::PermissionDenied => {
            Err(AskError::NoAccess { path: path.to_owned(), source })
        }
        Err(source) => Err(AskError::Io { path: path.to_owned(), source }),
    }
}

fn about_card(path: &Path, card_id: Uuid, deadline: Instant) -> Result<CardRecords, AskError> {
    let failed = |source| AskError::Io { path: path.to_owned(), source };
    let left = || match deadline.saturating_duration_since(Instant::now()) {
        Duration::ZERO => Err(failed(ErrorKind::TimedOut.into())),
        left => Ok(left),
    };
    let Some(mut stream) = connect(path, left()?)? else {
        return Err(AskError::NotRunning { paths: vec![path.to_owned()] });
    };
    let line = serde_json::to_string(&Request::about_card(card_id)).map_err(AskError::Unknown)? + "\n";
    stream.set_write_timeout(Some(left()?)).map_err(failed)?;
    match stream.write_all(line.as_bytes()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
        sent => sent.map_err(failed)?,
    }
    let mut answer = Vec::new();
    let mut piece = [0_u8; 16 * 1024];
    while answer.last() != Some(&b'\n') {
        stream.set_read_timeout(Some(left()?)).map_err(failed)?;
        match stream.read(&mut piece) {
            Ok(0) => break,
            Ok(read) => answer.extend_from_slice(piece.get(..read).unwrap_or_default()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(source) => return Err(failed(source)),
        }
        if answer.len() > CARD_ANSWER_MAX {
            return Err(AskError::Endless);
        }
    }
    if let Ok(refusal) = serde_json::from_slice::<Refusal>(&answer) {
        return Err(AskError::Refused(refusal.error));
    }
    serde_json::from_slice(&answer).map_err(AskError::Unknown)
}

fn send(path: &Path, mut stream: Stream, command: Command) -> Result<Answers, AskError> {
    let failed = |source| AskError::Io { path: path.to_owned(), source };
    // An answer comes soon; the next event may take any time.
    let timeout = (command != Command::Follow).then_some(ANSWER_TIMEOUT);
    stream.set_read_timeout(timeout).map_err(failed)?;
    stream.set_write_timeout(Some(ANSWER_TIMEOUT)).map_err(failed)?;
    let line = serde_json::to_string(&command.request()).map_err(AskError::Unknown)? + "\n";
    match stream.write_all(line.as_bytes()) {
        // An agent that refuses a client closes without reading the request; its answer is there to be read.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
        sent => sent.map_err(failed)?,
    }
    Ok(Answers { path: path.to_owned(), lines: BufReader::new(stream) })
}

impl Answers {
    /// The next answer: its text, and what it says. `None` where the agent has no more.
    ///
    /// # Errors
    /// The agent refused, or its answer is none.
    pub fn line<T: DeserializeOwned>(&mut self) -> Result<Option<(String, T)>, AskError> {
        let mut line = String::new();
        let failed = |source| AskError::Io { path: self.path.clone(), source };
        (&mut self.lines).take(LINE_MAX).read_line(&mut line).map_err(failed)?;
        let text = line.trim_end().to_owned();
        if text.is_empty() {
            return Ok(None);
        }
        if let Ok(refusal) = serde_json::from_str::<Refusal>(&text) {
            return Err(AskError::Refused(refusal.error));
        }
        let answer = serde_json::from_str(&text).map_err(AskError::Unknown)?;
        Ok(Some((text, answer)))
    }

    /// The next answer, which has to come.
    ///
    /// # Errors
    /// As [`Answers::line`]; also where there is none.
    pub fn expect<T: DeserializeOwned>(&mut self) -> Result<(String, T), AskError> {
        let ended = || io::Error::from(ErrorKind::UnexpectedEof);
        self.line()?.ok_or_else(|| AskError::Io { path: self.path.clone(), source: ended() })
    }
}
