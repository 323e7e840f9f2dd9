//! One client of the control socket: who it is, what it asks, the answer.

use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::followers::Followers;
use super::protocol::{Command, REQUEST_MAX, Reason, RecheckDone, Refusal, Request, SCHEMA};
use crate::agent::mailbox::{self, MailboxSender};
use crate::job::journal::{CardRecords, Journal, JournalError, Listing};
use crate::os::account::Group;
use crate::os::endpoint::{self, Stream};

/// How long a client has for its request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a client may take to take a line.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);

/// What all clients' answers are made from.
pub(super) struct ControlContext {
    pub agent: MailboxSender,
    pub journal: Option<Journal>,
    pub group: Option<Group>,
    pub followers: Arc<Followers>,
}

/// Serves a client until it has its answer, or until it goes.
pub(super) fn serve(stream: &Stream, context: &ControlContext) {
    let request = match admit(stream, context).and_then(|()| read_request(stream)) {
        Ok(request) => request,
        Err(refusal) => return refuse(stream, &refusal),
    };
    tracing::debug!(command = ?request.command, "the control socket was asked");
    let answer = match request.command {
        Command::Status => context.agent.status().map(|snapshot| write_answer(stream, &snapshot)).map_err(ending),
        Command::Recheck => {
            context.agent.recheck().map(|asked| write_answer(stream, &RecheckDone::new(asked))).map_err(ending)
        }
        Command::History => history(context).map(|records| write_answer(stream, &records)),
        Command::Card => of_card(&request, context).map(|records| write_answer(stream, &records)),
        Command::Follow => follow(stream, context),
    };
    if let Err(refusal) = answer {
        refuse(stream, &refusal);
    }
}

/// Writes a refusal. A client that has gone before it is no failure.
pub(super) fn refuse(stream: &Stream, refusal: &Refusal) {
    write_answer(stream, refusal);
}

fn admit(stream: &Stream, context: &ControlContext) -> Result<(), Refusal> {
    endpoint::admit(stream, context.group).map_err(|refused| {
        match refused.uid {
            Some(uid) => tracing::warn!(%uid, "the control socket refused a user: {uid}"),
            None => tracing::warn!("the control socket refused a client: the system does not say whose it is"),
        }
        let message = "this user may not ask the agent: ask its administrator for the group of `agent.control_group`";
        Refusal::new(Reason::NotAllowed, message)
    })
}

/// The request, which has to arrive in time and as a whole.
fn read_request(stream: &Stream) -> Result<Request, Refusal> {
    let line = read_line(stream)?;
    let malformed = |_| {
        let message = format!("one line of JSON is needed: {{\"schema\":\"{SCHEMA}\",\"command\":\"status\"}}");
        Refusal::new(Reason::NotARequest, message)
    };
    let request: Request = serde_json::from_slice(&line).map_err(malformed)?;
    if request.schema != SCHEMA {
        return Err(Refusal::new(Reason::NotARequest, format!("this agent speaks {SCHEMA}")));
    }
    if (request.command == Command::Card) != request.card_id.is_some() {
        let message = format!(
            "`card_id` is needed for a card, and for nothing else: {{\"schema\":\"{SCHEMA}\",\"command\":\"card\",\"card_id\":GUID}}"
        );
        return Err(Refusal::new(Reason::NotARequest, message));
    }
    Ok(request)
}

fn read_line(mut stream: &Stream) -> Result<Vec<u8>, Refusal> {
    let slow = || Refusal::new(Reason::TooSlow, format!("no request line within {} s", REQUEST_TIMEOUT.as_secs()));
    let deadline = Instant::now() + REQUEST_TIMEOUT;
    let mut line = Vec::new();
    let mut piece = [0_u8; REQUEST_MAX];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() || stream.set_read_timeout(Some(left)).is_err() {
            return Err(slow());
        }
        let read = match stream.read(&mut piece) {
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return Err(slow()),
            Err(_) => 0,
        };
        line.extend_from_slice(piece.get(..read).unwrap_or_default());
        let end = line.iter().position(|byte| *byte == b'\n');
        if end.map_or(line.len(), |end| end + 1) > REQUEST_MAX {
            return Err(Refusal::new(Reason::TooLong, format!("a request line has at most {REQUEST_MAX} bytes")));
        }
        match end {
            Some(end) => {
                line.truncate(end);
                return Ok(line);
            }
            // The client has closed its side: what has come is all.
            None if read == 0 => return Ok(line),
            None => {}
        }
    }
}

fn history(context: &ControlContext) -> Result<Listing, Refusal> {
    let journal = journal(context)?;
    let history = journal.history().map_err(unshown)?;
    Ok(Listing::new(journal.folder(), history))
}

fn of_card(request: &Request, context: &ControlContext) -> Result<CardRecords, Refusal> {
    let card_id = request.card_id.unwrap_or_default();
    let records = journal(context)?.of_card(card_id).map_err(unshown)?;
    CardRecords::new(card_id, records).map_err(|error| unshown(JournalError::Encode(error)))
}

fn journal(context: &ControlContext) -> Result<&Journal, Refusal> {
    context.journal.as_ref().ok_or_else(|| {
        Refusal::new(Reason::Journal, "the agent keeps no journal: set `journal.dir` in its configuration")
    })
}

fn unshown(error: JournalError) -> Refusal {
    tracing::warn!("the journal can't be shown: {error}");
    Refusal::new(Reason::Journal, error.to_string())
}

fn follow(stream: &Stream, context: &ControlContext) -> Result<(), Refusal> {
    let (number, lines) = context.followers.join().ok_or(ending(mailbox::Ended))?;
    // Joined before the state is asked for, so that no event is missed; one may tell what the state shows already.
    match context.agent.status() {
        Ok(snapshot) => write_answer(stream, &snapshot),
        Err(ended) => {
            context.followers.leave(number);
            return Err(ending(ended));
        }
    }
    // A follower sends nothing more: whatever is read now, the end of its connection above all, ends its lines.
    let watcher = stream.try_clone().and_then(|stream| {
        let followers = Arc::clone(&context.followers);
        stream.set_read_timeout(None)?;
        thread::Builder::new().name("control-hangup".to_owned()).spawn(move || {
            let mut byte = [0_u8; 1];
            while (&stream).read(&mut byte).is_err_and(|error| error.kind() == ErrorKind::Interrupted) {}
            followers.leave(number);
        })
    });
    if watcher.is_ok() {
        for line in lines {
            if write(stream, line.as_bytes()).is_err() {
                break;
            }
        }
    } else {
        tracing::error!("a follower of the control socket can't be served: no thread is to be had");
    }
    context.followers.leave(number);
    // Wakes the watcher.
    drop(stream.shutdown(Shutdown::Both));
    Ok(())
}

fn ending(_: mailbox::Ended) -> Refusal {
    Refusal::new(Reason::Ending, "the agent is ending")
}

/// Writes an answer as one line. A client that has gone, or does not take it in time, is no failure.
fn write_answer(stream: &Stream, answer: &impl Serialize) {
    let line = match serde_json::to_vec(answer) {
        Ok(line) => line,
        Err(error) => return tracing::error!("an answer of the control socket can't be told as JSON: {error}"),
    };
    if let Err(error) = write(stream, &[line.as_slice(), b"\n"].concat()) {
        tracing::debug!("a client of the control socket has gone before its answer: {error}");
    }
}

/// Writes, as long as the client takes something within [`WRITE_TIMEOUT`].
fn write(mut stream: &Stream, bytes: &[u8]) -> io::Result<()> {
    stream.set_write_timeout(Some(WRITE_TIMEOUT))?;
    stream.write_all(bytes)
}
