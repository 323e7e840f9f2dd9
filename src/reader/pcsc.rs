//! The readers of the PC/SC service: pcsclite on Linux, winscard on Windows, the PCSC framework on macOS.
//!
//! PC/SC calls can block without limit (a foreign transaction, a reader that hangs), so none runs on the caller's thread:
//! each open card has a worker thread of its own and every call has a deadline. Nobody waits any more for a worker that misses
//! it, and its reader counts as stuck until the worker's call returns.
//!
//! Secrets pass through the worker, so it works on a stack that is unmapped at its end. It releases the service's context
//! together with the card: pcscd keeps the bytes that it last passed on for as long as a context is open.

mod code;
mod stuck_threads;
mod watch;
#[cfg(windows)]
mod winscard;
mod worker;

use std::ffi::CString;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

#[cfg(not(windows))]
use pcsc as system;

use self::code::Code;
use self::stuck_threads::{Running, RunningProbe, StuckIn, StuckThreads};
#[cfg(windows)]
use self::winscard as system;
use self::worker::{Facts, Job, Opening, Reply, SHARING_PATIENCE, Worker};
use super::{
    Atr, Connection, EndAction, Frame, Presence, Protocol, ReaderEntry, ReaderError, Readers, Sharing, holders, name,
};
use crate::os::card_service;
use crate::secret::SecretBytes;

/// Shown where an error concerns the service and no reader.
const SERVICE: &str = "PC/SC";

/// A reader that can't tell what is in it.
const UNTOLD: Presence = Presence { generation: 0, atr: None, mute: true };

/// The readers of the running PC/SC service.
#[derive(Debug, Clone)]
pub struct PcscReaders {
    deadline: Duration,
    stuck_threads: StuckThreads,
}

impl PcscReaders {
    /// Readers whose every call must return within `deadline`.
    #[must_use]
    pub fn new(deadline: Duration) -> Self {
        Self { deadline, stuck_threads: StuckThreads::default() }
    }
}

impl Readers for PcscReaders {
    fn list(&self) -> Result<Vec<ReaderEntry>, ReaderError> {
        let (reply, answer) = sync_channel(1);
        spawn("pcsc-list", SERVICE, move || drop(reply.send(list_now())))?;
        receive(&answer, SERVICE, "listing the readers", self.deadline)?
    }

    fn sharing(&self, reader: &str) -> Result<Sharing, ReaderError> {
        let (reply, answer) = sync_channel(1);
        let name = reader.to_owned();
        spawn("pcsc-look", reader, move || drop(reply.send(sharing_now(name))))?;
        receive(&answer, reader, "asking who uses the card", self.deadline)?
    }

    fn open(&self, reader: &str) -> Result<Box<dyn Connection>, ReaderError> {
        match self.stuck_threads.stuck_in(reader) {
            Some(StuckIn::Call) => {
                let operation = "waiting for an earlier call that has not returned";
                return Err(ReaderError::Stuck { reader: reader.to_owned(), operation, after: self.deadline });
            }
            Some(StuckIn::Transaction) => return Err(in_use(reader.to_owned(), Duration::ZERO)),
            None => {}
        }
        let (job, jobs) = sync_channel::<Job>(1);
        let (ready, opening) = sync_channel(Opening::STAGES);
        let name = reader.to_owned();
        let running = Running::default();
        let probe = running.probe();
        spawn("pcsc-card", reader, move || {
            Worker { reader: name, jobs }.run(&ready);
            drop(running);
        })?;
        let opened = self.opened(reader, &opening);
        let facts = opened.map_err(|(stuck_in, error)| {
            if let Some(stuck_in) = stuck_in {
                self.stuck_threads.add(reader, stuck_in, &probe);
            }
            error
        })?;
        Ok(Box::new(PcscConnection {
            reader: reader.to_owned(),
            atr: facts.atr,
            protocol: facts.protocol,
            jobs: Some(job),
            deadline: self.deadline,
            probe,
            stuck_threads: self.stuck_threads.clone(),
        }))
    }
}

impl PcscReaders {
    /// Waits until the worker has the card. An error comes with what the worker is stuck in, where it is.
    ///
    /// Connecting to a card and beginning a transaction take as long as another program has its own, and nothing calls them off:
    /// after a while the service is asked whether the card is in use.
    fn opened(
        &self,
        reader: &str,
        opening: &Receiver<Result<Opening, ReaderError>>,
    ) -> Result<Facts, (Option<StuckIn>, ReaderError)> {
        loop {
            let stage = opening.recv_timeout(SHARING_PATIENCE).or_else(|_| {
                if is_in_use(reader, self.deadline) {
                    return Err((Some(StuckIn::Transaction), in_use(reader.to_owned(), SHARING_PATIENCE)));
                }
                let stage = receive(opening, reader, "opening the card", self.deadline);
                stage.map_err(|error| (Some(StuckIn::Call), error))
            });
            match stage?.map_err(|error| (None, error))? {
                Opening::Connected => {}
                Opening::Ready(facts) => return Ok(facts),
            }
        }
    }
}

/// Whether a program has the card open, by the service's word.
fn is_in_use(reader: &str, deadline: Duration) -> bool {
    let (reply, answer) = sync_channel(1);
    let Some(name) = name::of_text(reader) else { return false };
    let look = move || {
        let mut states = [system::ReaderState::new(name, system::State::UNAWARE)];
        let looked = establish().is_ok_and(|context| context.get_status_change(Duration::ZERO, &mut states).is_ok());
        let [state] = states;
        if reply.send(looked && state.event_state().contains(system::State::INUSE)).is_err() {
            tracing::debug!("the service took too long to say who uses the card");
        }
    };
    spawn("pcsc-look", reader, look).is_ok() && answer.recv_timeout(deadline).unwrap_or(false)
}

fn sharing_now(reader: String) -> Result<Sharing, ReaderError> {
    let context = establish()?;
    let name = name::of_text(&reader).ok_or_else(|| ReaderError::NoSuchReader { reader: reader.clone() })?;
    let mut states = [system::ReaderState::new(name, system::State::UNAWARE)];
    let looked = context.get_status_change(Duration::ZERO, &mut states);
    looked.map_err(|code| failure(&reader, "asking who uses the card", code.into()))?;
    let [state] = states;
    let flags = state.event_state();
    Ok(match (flags.contains(system::State::EXCLUSIVE), flags.contains(system::State::INUSE)) {
        (true, _) => Sharing::Exclusive,
        (false, true) => Sharing::Shared,
        (false, false) => Sharing::Free,
    })
}

/// A card opened by [`PcscReaders`]; its worker thread owns the PC/SC handle.
struct PcscConnection {
    reader: String,
    atr: Atr,
    protocol: Protocol,
    /// `None` once the worker missed a deadline or ended.
    jobs: Option<SyncSender<Job>>,
    deadline: Duration,
    probe: RunningProbe,
    stuck_threads: StuckThreads,
}

impl PcscConnection {
    fn call<T>(&mut self, operation: &'static str, job: impl FnOnce(Reply<T>) -> Job) -> Result<T, ReaderError> {
        let (reply, answer) = sync_channel(1);
        let sent = self.jobs.as_ref().is_some_and(|jobs| jobs.send(job(reply)).is_ok());
        if !sent {
            return Err(ReaderError::Stuck { reader: self.reader.clone(), operation, after: self.deadline });
        }
        let result = receive(&answer, &self.reader, operation, self.deadline);
        if result.is_err() {
            // The worker may never return from that call, so nothing more is given to it.
            self.jobs = None;
            self.stuck_threads.add(&self.reader, StuckIn::Call, &self.probe);
        }
        result?
    }
}

impl Connection for PcscConnection {
    fn reader(&self) -> &str {
        &self.reader
    }

    fn atr(&self) -> &Atr {
        &self.atr
    }

    fn protocol(&self) -> Protocol {
        self.protocol
    }

    fn transmit(&mut self, command: &Frame) -> Result<Frame, ReaderError> {
        let bytes = SecretBytes::copy_of(command.expose());
        self.call("sending a command", |reply| Job::Transmit(bytes, reply))
    }

    fn presence(&mut self) -> Result<Presence, ReaderError> {
        self.call("asking for the card's presence", Job::Presence)
    }

    fn keep_alive(&mut self) -> Result<(), ReaderError> {
        self.call("waiting for the server", Job::KeepAlive)
    }

    fn end(mut self: Box<Self>, action: EndAction) -> Result<(), ReaderError> {
        self.call("letting go of the card", |reply| Job::End(action, reply))
    }
}

/// Attempts to reach a service that may be there.
const ATTEMPTS: u32 = 4;

/// Attempts to reach one that takes connections, and a pause before each that comes after the first few.
const ATTEMPTS_WHERE_IT_LISTENS: u32 = 40;
const PAUSE: Duration = Duration::from_millis(5);

fn establish() -> Result<system::Context, ReaderError> {
    let establish = || Ok(system::Context::establish(system::Scope::User)?);
    let has_socket = card_service::socket().exists();
    reach(establish, has_socket, card_service::listens).map_err(|code| failure(SERVICE, "reaching the service", code))
}

/// A pcscd that refuses us closes the connection. Under load it does so before the library has said its first word, and the library
/// then says that there is no service: where there is a socket, it is asked again, and for longer where somebody listens there.
fn reach<T>(
    mut attempt: impl FnMut() -> Result<T, Code>,
    has_socket: bool,
    mut listens: impl FnMut() -> bool,
) -> Result<T, Code> {
    let mut reached = attempt();
    for done in 1..ATTEMPTS_WHERE_IT_LISTENS {
        if !(has_socket && matches!(reached, Err(Code::NO_SERVICE))) {
            break;
        }
        if done >= ATTEMPTS {
            if !listens() {
                break;
            }
            std::thread::sleep(PAUSE);
        }
        reached = attempt();
    }
    reached
}

fn list_now() -> Result<Vec<ReaderEntry>, ReaderError> {
    let context = establish()?;
    let names = names(&context)?;
    let mut entries = Vec::with_capacity(names.len());
    for name in names {
        let shown = name::text_of(&name);
        // One call per reader: in a common call a single reader that was just unplugged spoils the answer of all.
        match presence(&context, &name) {
            Ok(presence) => entries.push(ReaderEntry { name: shown, presence }),
            Err(Code::UNKNOWN_READER | Code::READER_UNAVAILABLE) => {}
            Err(code) => match failure(&shown, "asking for the card's presence", code) {
                error @ (ReaderError::ServiceLost { .. }
                | ReaderError::SystemEnds { .. }
                | ReaderError::AccessDenied) => {
                    return Err(error);
                }
                // The other readers are listed although this one can't be asked.
                error => {
                    tracing::warn!("{error}");
                    entries.push(ReaderEntry { name: shown, presence: UNTOLD });
                }
            },
        }
    }
    Ok(entries)
}

/// The names of all readers. No reader is an empty list.
fn names(context: &system::Context) -> Result<Vec<CString>, ReaderError> {
    match context.list_readers_owned().map_err(Code::from) {
        Err(Code::NO_READERS_AVAILABLE) => Ok(Vec::new()),
        names => names.map_err(|code| failure(SERVICE, "listing the readers", code)),
    }
}

fn presence(context: &system::Context, name: &CString) -> Result<Presence, Code> {
    let mut states = [system::ReaderState::new(name.clone(), system::State::UNAWARE)];
    context.get_status_change(Duration::ZERO, &mut states)?;
    let [state] = states;
    presence_of(&state)
}

fn presence_of(state: &system::ReaderState) -> Result<Presence, Code> {
    let flags = state.event_state();
    if flags.intersects(system::State::UNKNOWN | system::State::UNAVAILABLE) {
        return Err(Code::UNKNOWN_READER);
    }
    let present = flags.contains(system::State::PRESENT);
    Ok(Presence {
        generation: state.event_count(),
        atr: (present && !state.atr().is_empty()).then(|| Atr::new(state.atr())),
        mute: present && (flags.contains(system::State::MUTE) || state.atr().is_empty()),
    })
}

/// The operations that the service may deny to a user.
const OPENING: [&str; 3] = ["reaching the service", "listing the readers", "opening the card"];

/// One sentence for each number, as far as one is documented for the step, or is known to come of a reader's driver.
fn failure(reader: &str, operation: &'static str, code: Code) -> ReaderError {
    let reader = reader.to_owned();
    let reaches = operation == "reaching the service";
    match code {
        Code::NO_SERVICE if reaches => ReaderError::ServiceNotRunning,
        // Windows stops the service with the last reader, and says so to whoever comes then.
        Code::SERVICE_STOPPED | Code::WINDOWS_RPC_UNAVAILABLE if reaches && cfg!(windows) => {
            ReaderError::ServiceNotRunning
        }
        // What pcscd answers to a library of another protocol version, in the first exchange with it and nowhere else.
        Code::SERVICE_STOPPED if reaches && !cfg!(windows) => ReaderError::OtherProtocol,
        Code::NO_SERVICE
        | Code::SERVICE_STOPPED
        | Code::INVALID_HANDLE
        | Code::COMM_ERROR
        | Code::SHUTDOWN
        | Code::WINDOWS_INVALID_HANDLE
        | Code::WINDOWS_BROKEN_PIPE
        | Code::WINDOWS_NO_DATA
        | Code::WINDOWS_PIPE_NOT_CONNECTED
        | Code::WINDOWS_RPC_UNAVAILABLE
        | Code::WINDOWS_RPC_FAILED => ReaderError::ServiceLost { operation },
        Code::SYSTEM_CANCELLED | Code::WINDOWS_SHUTDOWN_IN_PROGRESS => ReaderError::SystemEnds { operation },
        // Polkit is asked when a context is made and when a card is opened. Later it is a service that is going down.
        Code::SECURITY_VIOLATION | Code::NO_ACCESS | Code::WINDOWS_ACCESS_DENIED if OPENING.contains(&operation) => {
            ReaderError::AccessDenied
        }
        Code::SECURITY_VIOLATION | Code::NO_ACCESS => ReaderError::ServiceLost { operation },
        Code::WINDOWS_NO_SUCH_DEVICE | Code::WINDOWS_DEVICE_NOT_CONNECTED | Code::WINDOWS_DEVICE_REMOVED
            if reader == SERVICE =>
        {
            ReaderError::ServiceLost { operation }
        }
        Code::UNKNOWN_READER
        | Code::READER_UNAVAILABLE
        | Code::NO_READERS_AVAILABLE
        | Code::WINDOWS_NO_SUCH_DEVICE
        | Code::WINDOWS_DEVICE_NOT_CONNECTED
        | Code::WINDOWS_DEVICE_REMOVED => ReaderError::NoSuchReader { reader },
        Code::NO_SMARTCARD | Code::WINDOWS_NO_MEDIA => ReaderError::NoCard { reader },
        Code::REMOVED_CARD => ReaderError::CardRemoved { reader, operation },
        Code::RESET_CARD => ReaderError::CardReset { reader, operation },
        Code::SHARING_VIOLATION | Code::WINDOWS_SHARING_VIOLATION | Code::WINDOWS_BUSY => {
            in_use(reader, Duration::ZERO)
        }
        Code::UNRESPONSIVE_CARD => ReaderError::Unresponsive { reader },
        Code::UNPOWERED_CARD => ReaderError::Unpowered { reader },
        Code::PROTO_MISMATCH | Code::UNSUPPORTED_CARD => ReaderError::ProtocolMismatch { reader },
        Code::NOT_TRANSACTED
        | Code::COMM_DATA_LOST
        | Code::CARD_UNSUPPORTED
        | Code::WINDOWS_NOT_READY
        | Code::WINDOWS_BAD_COMMAND
        | Code::WINDOWS_CRC
        | Code::WINDOWS_GEN_FAILURE
        | Code::WINDOWS_SEM_TIMEOUT
        | Code::WINDOWS_OPERATION_ABORTED
        | Code::WINDOWS_IO_DEVICE
        | Code::WINDOWS_REQUEST_ABORTED
        | Code::WINDOWS_TIMEOUT => ReaderError::Transmission { reader, operation, source: Box::new(code) },
        other => ReaderError::UnexpectedCode { reader, operation, code: other.0, source: Box::new(other) },
    }
}

fn in_use(reader: String, waited: Duration) -> ReaderError {
    ReaderError::InUse { reader, waited, holders: holders::candidates() }
}

fn spawn(name: &str, reader: &str, work: impl FnOnce() + Send + 'static) -> Result<(), ReaderError> {
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(work)
        .map(drop)
        .map_err(|source| ReaderError::NoThread { reader: reader.to_owned(), source })
}

fn receive<T>(
    answers: &Receiver<T>,
    reader: &str,
    operation: &'static str,
    deadline: Duration,
) -> Result<T, ReaderError> {
    answers.recv_timeout(deadline).map_err(|error| match error {
        // A worker that has ended without an answer tells the caller as much as one that is stuck.
        RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected => {
            ReaderError::Stuck { reader: reader.to_owned(), operation, after: deadline }
        }
    })
}

#[cfg(test)]
mod tests;
