//! The readers of the PC/SC service: pcsclite on Linux, winscard on Windows, the PCSC framework on macOS.
//!
//! PC/SC calls can block without limit (a foreign transaction, a reader that hangs), so none runs on the caller's thread:
//! each open card has a worker thread of its own and every call has a deadline. Nobody waits any more for a worker that misses
//! it, and its reader counts as stuck until the worker's call returns.
//!
//! Secrets pass through the worker, so it works on a stack that is unmapped at its end. It releases the service's context
//! together with the card: pcscd keeps the bytes that it last passed on for as long as a context is open.

mod stuck_threads;
mod watch;
mod worker;

use std::ffi::CString;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use self::stuck_threads::{Running, RunningProbe, StuckIn, StuckThreads};
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
        let mut states = [pcsc::ReaderState::new(name, pcsc::State::UNAWARE)];
        let looked = establish().is_ok_and(|context| context.get_status_change(Duration::ZERO, &mut states).is_ok());
        let [state] = states;
        if reply.send(looked && state.event_state().contains(pcsc::State::INUSE)).is_err() {
            tracing::debug!("the service took too long to say who uses the card");
        }
    };
    spawn("pcsc-look", reader, look).is_ok() && answer.recv_timeout(deadline).unwrap_or(false)
}

fn sharing_now(reader: String) -> Result<Sharing, ReaderError> {
    let context = establish()?;
    let name = name::of_text(&reader).ok_or_else(|| ReaderError::NoSuchReader { reader: reader.clone() })?;
    let mut states = [pcsc::ReaderState::new(name, pcsc::State::UNAWARE)];
    let looked = context.get_status_change(Duration::ZERO, &mut states);
    looked.map_err(|code| failure(&reader, "asking who uses the card", code))?;
    let [state] = states;
    let flags = state.event_state();
    Ok(match (flags.contains(pcsc::State::EXCLUSIVE), flags.contains(pcsc::State::INUSE)) {
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

fn establish() -> Result<pcsc::Context, ReaderError> {
    let establish = || pcsc::Context::establish(pcsc::Scope::User);
    let has_socket = card_service::socket().exists();
    reach(establish, has_socket, card_service::listens).map_err(|code| failure(SERVICE, "reaching the service", code))
}

/// A pcscd that refuses us closes the connection. Under load it does so before the library has said its first word, and the library
/// then says that there is no service: where there is a socket, it is asked again, and for longer where somebody listens there.
fn reach<T>(
    mut attempt: impl FnMut() -> Result<T, pcsc::Error>,
    has_socket: bool,
    mut listens: impl FnMut() -> bool,
) -> Result<T, pcsc::Error> {
    let mut reached = attempt();
    for done in 1..ATTEMPTS_WHERE_IT_LISTENS {
        if !(has_socket && matches!(reached, Err(pcsc::Error::NoService))) {
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
    let names = match context.list_readers_owned() {
        Ok(names) => names,
        Err(pcsc::Error::NoReadersAvailable) => return Ok(Vec::new()),
        Err(code) => return Err(failure(SERVICE, "listing the readers", code)),
    };
    let mut entries = Vec::with_capacity(names.len());
    for name in names {
        let shown = name::text_of(&name);
        // One call per reader: in a common call a single reader that was just unplugged spoils the answer of all.
        match presence(&context, &name) {
            Ok(presence) => entries.push(ReaderEntry { name: shown, presence }),
            Err(pcsc::Error::UnknownReader | pcsc::Error::ReaderUnavailable) => {}
            Err(code) => match failure(&shown, "asking for the card's presence", code) {
                error @ (ReaderError::ServiceLost { .. } | ReaderError::AccessDenied) => return Err(error),
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

fn presence(context: &pcsc::Context, name: &CString) -> Result<Presence, pcsc::Error> {
    let mut states = [pcsc::ReaderState::new(name.clone(), pcsc::State::UNAWARE)];
    context.get_status_change(Duration::ZERO, &mut states)?;
    let [state] = states;
    presence_of(&state)
}

fn presence_of(state: &pcsc::ReaderState) -> Result<Presence, pcsc::Error> {
    let flags = state.event_state();
    if flags.intersects(pcsc::State::UNKNOWN | pcsc::State::UNAVAILABLE) {
        return Err(pcsc::Error::UnknownReader);
    }
    let present = flags.contains(pcsc::State::PRESENT);
    Ok(Presence {
        generation: state.event_count(),
        atr: (present && !state.atr().is_empty()).then(|| Atr::new(state.atr())),
        mute: present && (flags.contains(pcsc::State::MUTE) || state.atr().is_empty()),
    })
}

/// The operations that the service may deny to a user.
const OPENING: [&str; 3] = ["reaching the service", "listing the readers", "opening the card"];

/// One sentence for each PC/SC code (the documents' list of what each call returns).
fn failure(reader: &str, operation: &'static str, code: pcsc::Error) -> ReaderError {
    use pcsc::Error as Code;
    let reader = reader.to_owned();
    match code {
        Code::NoService if operation == "reaching the service" => ReaderError::ServiceNotRunning,
        // Windows stops the service with the last reader, and says so to whoever comes then.
        Code::ServiceStopped if operation == "reaching the service" && cfg!(windows) => ReaderError::ServiceNotRunning,
        // What pcscd answers to a library of another protocol version, in the first exchange with it and nowhere else.
        Code::ServiceStopped if operation == "reaching the service" && !cfg!(windows) => ReaderError::OtherProtocol,
        Code::NoService | Code::ServiceStopped | Code::InvalidHandle | Code::CommError | Code::Shutdown => {
            ReaderError::ServiceLost { operation }
        }
        // Polkit is asked when a context is made and when a card is opened. Later it is a service that is going down.
        Code::SecurityViolation | Code::NoAccess if OPENING.contains(&operation) => ReaderError::AccessDenied,
        Code::SecurityViolation | Code::NoAccess => ReaderError::ServiceLost { operation },
        Code::UnknownReader | Code::ReaderUnavailable | Code::NoReadersAvailable => {
            ReaderError::NoSuchReader { reader }
        }
        Code::NoSmartcard => ReaderError::NoCard { reader },
        Code::RemovedCard => ReaderError::CardRemoved { reader, operation },
        Code::ResetCard => ReaderError::CardReset { reader, operation },
        Code::SharingViolation => in_use(reader, Duration::ZERO),
        Code::UnresponsiveCard => ReaderError::Unresponsive { reader },
        Code::UnpoweredCard => ReaderError::Unpowered { reader },
        Code::ProtoMismatch | Code::UnsupportedCard => ReaderError::ProtocolMismatch { reader },
        Code::NotTransacted | Code::CommDataLost | Code::CardUnsupported => {
            ReaderError::Transmission { reader, operation, source: Box::new(code) }
        }
        other => ReaderError::UnexpectedCode { reader, operation, code: other as u32, source: Box::new(other) },
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
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_also_where_the_service_closes_early() {
        use pcsc::Error::{NoService, SecurityViolation};
        let asked_where = |answers: &[pcsc::Error], has_socket, listens: bool| {
            let mut answers = answers.iter();
            let reached: Result<(), _> = reach(|| Err(*answers.next().unwrap()), has_socket, || listens);
            (failure(SERVICE, "reaching the service", reached.unwrap_err()), answers.count())
        };
        let asked = |answers: &[pcsc::Error], has_socket| asked_where(answers, has_socket, false);
        for early in [5, ATTEMPTS_WHERE_IT_LISTENS as usize - 1] {
            let answers = [vec![NoService; early], vec![SecurityViolation]].concat();
            assert!(matches!(asked_where(&answers, true, true), (ReaderError::AccessDenied, 0)), "{early}");
            assert!(matches!(asked(&answers, true), (ReaderError::ServiceNotRunning, _)), "nobody listens: {early}");
        }
        let silent = vec![NoService; ATTEMPTS_WHERE_IT_LISTENS as usize + 1];
        assert!(matches!(asked_where(&silent, true, true), (ReaderError::ServiceNotRunning, 1)), "not for ever");
        for early in 0..ATTEMPTS as usize {
            let answers = [vec![NoService; early], vec![SecurityViolation]].concat();
            assert!(matches!(asked(&answers, true), (ReaderError::AccessDenied, 0)), "{early}");
        }
        let absent = [NoService; 5];
        assert!(matches!(asked(&absent, true), (ReaderError::ServiceNotRunning, 1)), "no more than four times");
        assert!(matches!(asked(&absent, false), (ReaderError::ServiceNotRunning, 4)), "once without a socket");
        if cfg!(not(windows)) {
            assert!(matches!(asked(&[pcsc::Error::ServiceStopped], true), (ReaderError::OtherProtocol, 0)));
        }
        assert!(matches!(asked(&[pcsc::Error::NoMemory], true).1, 0), "a sibling: no other answer is asked again");
    }

    #[test]
    #[cfg(windows)]
    fn a_service_that_stopped_with_its_last_reader_is_one_that_does_not_run() {
        let reaching = failure(SERVICE, "reaching the service", pcsc::Error::ServiceStopped);
        assert!(matches!(reaching, ReaderError::ServiceNotRunning), "{reaching}");
        assert!(reaching.remedy().contains("plug a reader in"), "{}", reaching.remedy());
        for code in [pcsc::Error::ServiceStopped, pcsc::Error::NoService, pcsc::Error::InvalidHandle] {
            let later = failure(SERVICE, "watching the readers", code);
            assert!(matches!(later, ReaderError::ServiceLost { .. }), "{later}");
        }
    }

    #[test]
    #[cfg(not(windows))]
    fn a_service_of_another_protocol_has_not_stopped() {
        let reaching = failure(SERVICE, "reaching the service", pcsc::Error::ServiceStopped);
        assert!(matches!(reaching, ReaderError::OtherProtocol), "{reaching}");
        assert!(reaching.remedy().contains("one release"), "{}", reaching.remedy());
        let later = failure(SERVICE, "listing the readers", pcsc::Error::ServiceStopped);
        assert!(matches!(later, ReaderError::ServiceLost { .. }), "{later}");
    }
}
