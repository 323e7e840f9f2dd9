//! The readers of the PC/SC service: pcsclite on Linux, winscard on Windows, the PCSC framework on macOS.
//!
//! PC/SC calls can block without limit (a foreign transaction, a reader that hangs), so none runs on the caller's thread:
//! each open card has a worker thread of its own and every call has a deadline. A worker that misses it is left behind; its
//! end is the process's end.
//!
//! Secrets pass through the worker, so it works on a stack that is unmapped at its end, and the service's context is given up
//! with the card: pcscd keeps what it last passed on for as long as a context is open.

mod watch;

use std::ffi::CString;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use super::{Atr, Connection, EndAction, Frame, Presence, Protocol, ReaderEntry, ReaderError, Readers, holders};
use crate::secret::SecretBytes;
use crate::secret::scrub::on_own_stack;

/// Shown where an error concerns the service and no reader.
const SERVICE: &str = "PC/SC";

/// How long we wait for a card that another program holds exclusively.
const SHARING_PATIENCE: Duration = Duration::from_secs(3);

/// How long after a broken exchange the service may take to notice that the card is gone: pcscd looks every 400 ms.
const REMOVAL_NOTICE: Duration = Duration::from_secs(1);

/// A reader that can't tell what is in it.
const UNTOLD: Presence = Presence { generation: 0, atr: None, mute: true };

/// Bytes of a status word.
const STATUS_WORD: usize = 2;

/// Largest response APDU: 65,536 bytes and the status word.
const RESPONSE_MAX: usize = 65_538;

/// The readers of the running PC/SC service.
#[derive(Debug, Clone)]
pub struct PcscReaders {
    deadline: Duration,
}

impl PcscReaders {
    /// Readers whose every call must return within `deadline`.
    #[must_use]
    pub fn new(deadline: Duration) -> Self {
        Self { deadline }
    }
}

impl Readers for PcscReaders {
    fn list(&self) -> Result<Vec<ReaderEntry>, ReaderError> {
        let (reply, answer) = sync_channel(1);
        spawn("pcsc-list", SERVICE, move || drop(reply.send(list_now())))?;
        receive(&answer, SERVICE, "listing the readers", self.deadline)?
    }

    fn open(&self, reader: &str) -> Result<Box<dyn Connection>, ReaderError> {
        let (job, jobs) = sync_channel::<Job>(1);
        let (ready, opened) = sync_channel(1);
        let name = reader.to_owned();
        spawn("pcsc-card", reader, move || Worker { reader: name, jobs }.run(&ready))?;
        // Connecting may also wait for a card held by others, on top of the call's own deadline.
        let facts = receive(&opened, reader, "opening the card", self.deadline + SHARING_PATIENCE)??;
        Ok(Box::new(PcscConnection {
            reader: reader.to_owned(),
            atr: facts.atr,
            protocol: facts.protocol,
            jobs: Some(job),
            deadline: self.deadline,
        }))
    }
}

/// A card opened by [`PcscReaders`]; its worker thread owns the PC/SC handle.
struct PcscConnection {
    reader: String,
    atr: Atr,
    protocol: Protocol,
    /// `None` once the worker missed a deadline or ended.
    jobs: Option<SyncSender<Job>>,
    deadline: Duration,
}

/// Where a job's result goes: a channel of its own, so that a late answer is never taken for another job's.
type Reply<T> = SyncSender<Result<T, ReaderError>>;

enum Job {
    Transmit(SecretBytes, Reply<Frame>),
    Presence(Reply<Presence>),
    KeepAlive(Reply<()>),
    End(EndAction, Reply<()>),
}

/// The last answer of a worker, given when nothing of the card is left in it.
struct Ended {
    reply: Reply<()>,
    result: Result<(), ReaderError>,
}

struct Facts {
    atr: Atr,
    protocol: Protocol,
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
            // The worker may hang in that call for ever: don't queue behind it.
            self.jobs = None;
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

/// The thread that owns one card.
struct Worker {
    reader: String,
    jobs: Receiver<Job>,
}

impl Worker {
    fn run(self, ready: &SyncSender<Result<Facts, ReaderError>>) {
        let ended = on_own_stack(|| self.serve(ready));
        // A caller that has given up does not listen any more.
        match ended {
            Ok(Some(Ended { reply, result })) => drop(reply.send(result)),
            Ok(None) => {}
            Err(error) => drop(ready.send(Err(error))),
        }
    }

    fn serve(&self, ready: &SyncSender<Result<Facts, ReaderError>>) -> Result<Option<Ended>, ReaderError> {
        let context = establish()?;
        let name = CString::new(self.reader.as_str())
            .map_err(|_| ReaderError::NoSuchReader { reader: self.reader.clone() })?;
        let mut card = self.connect(&context, &name)?;
        let transaction = self.begin(&mut card)?;
        let facts = self.facts(&transaction)?;
        let ended = if ready.send(Ok(facts)).is_ok() {
            self.obey(&context, &name, transaction)
        } else {
            // The caller gave up; nothing was sent to the card.
            drop(self.end(transaction, EndAction::Leave));
            None
        };
        // Leave, not the crate's default reset: the transaction's end has already done what was asked.
        drop(card.disconnect(pcsc::Disposition::LeaveCard));
        // The context goes with this frame, and what pcscd has kept goes with the context.
        Ok(ended)
    }

    fn facts(&self, transaction: &pcsc::Transaction<'_>) -> Result<Facts, ReaderError> {
        let status = transaction.status2_owned().map_err(|code| self.failure("opening the card", code))?;
        let protocol = match status.protocol2() {
            Some(pcsc::Protocol::T0) => Protocol::T0,
            Some(pcsc::Protocol::T1) => Protocol::T1,
            Some(pcsc::Protocol::RAW) | None => {
                return Err(ReaderError::ProtocolMismatch { reader: self.reader.clone() });
            }
        };
        Ok(Facts { atr: Atr::new(status.atr()), protocol })
    }

    /// Carries jobs out until the last one, or until the caller is gone (then with a reset).
    fn obey(&self, context: &pcsc::Context, name: &CString, transaction: pcsc::Transaction<'_>) -> Option<Ended> {
        let mut buffer = vec![0_u8; RESPONSE_MAX];
        while let Ok(job) = self.jobs.recv() {
            // A caller that has given up is noticed at the next turn of the loop: its sender is gone.
            match job {
                Job::Transmit(command, reply) => {
                    drop(reply.send(self.transmit(context, name, &transaction, &command, &mut buffer)));
                }
                Job::Presence(reply) => drop(reply.send(
                    presence(context, name).map_err(|code| self.failure("asking for the card's presence", code)),
                )),
                Job::KeepAlive(reply) => drop(reply.send(
                    transaction.status2_owned().map(drop).map_err(|code| self.failure("waiting for the server", code)),
                )),
                Job::End(action, reply) => return Some(Ended { reply, result: self.end(transaction, action) }),
            }
        }
        drop(self.end(transaction, EndAction::Reset));
        None
    }

    fn transmit(
        &self,
        context: &pcsc::Context,
        name: &CString,
        transaction: &pcsc::Transaction<'_>,
        command: &SecretBytes,
        buffer: &mut [u8],
    ) -> Result<Frame, ReaderError> {
        let operation = "sending a command";
        let code = match transaction.transmit(command.expose(), buffer) {
            Ok(response) if response.len() >= STATUS_WORD => return Ok(Frame::open(response)),
            // Some drivers report a card that vanished under the command as an empty answer.
            Ok(_) => pcsc::Error::CommDataLost,
            Err(code) => code,
        };
        let lost = matches!(code, pcsc::Error::CommDataLost | pcsc::Error::NotTransacted);
        if lost && is_gone(context, name) {
            return Err(ReaderError::CardRemoved { reader: self.reader.clone(), operation });
        }
        Err(self.failure(operation, code))
    }

    /// The reset happens inside the transaction's end: between a plain end and a later reset another program could use
    /// what we are authenticated for.
    fn end(&self, transaction: pcsc::Transaction<'_>, action: EndAction) -> Result<(), ReaderError> {
        let disposition = match action {
            EndAction::Leave => pcsc::Disposition::LeaveCard,
            EndAction::Reset => pcsc::Disposition::ResetCard,
        };
        match transaction.end(disposition) {
            Ok(()) => Ok(()),
            // A card that is gone or was reset by others holds nothing of ours any more.
            Err((_, pcsc::Error::RemovedCard | pcsc::Error::ResetCard | pcsc::Error::NoSmartcard)) => Ok(()),
            Err((_, code)) => Err(self.failure("letting go of the card", code)),
        }
    }

    /// Connects shared; waits in growing steps while another program holds the card exclusively.
    fn connect(&self, context: &pcsc::Context, name: &CString) -> Result<pcsc::Card, ReaderError> {
        let start = Instant::now();
        let mut pause = Duration::from_millis(25);
        loop {
            match context.connect(name, pcsc::ShareMode::Shared, pcsc::Protocols::ANY) {
                Ok(card) => return Ok(card),
                Err(pcsc::Error::SharingViolation) if start.elapsed() + pause < SHARING_PATIENCE => {
                    thread::sleep(pause);
                    pause = pause * 3 / 2;
                }
                Err(pcsc::Error::SharingViolation) => {
                    return Err(in_use(self.reader.clone(), start.elapsed()));
                }
                Err(code) => return Err(self.failure("opening the card", code)),
            }
        }
    }

    /// Begins the transaction. Nothing was sent yet, so a reset by others in between costs one reconnect and no state.
    fn begin<'card>(&self, card: &'card mut pcsc::Card) -> Result<pcsc::Transaction<'card>, ReaderError> {
        match card.transaction2() {
            Ok(transaction) => Ok(transaction),
            Err((card, pcsc::Error::ResetCard)) => {
                card.reconnect(pcsc::ShareMode::Shared, pcsc::Protocols::ANY, pcsc::Disposition::LeaveCard)
                    .map_err(|code| self.failure("opening the card", code))?;
                card.transaction().map_err(|code| self.failure("opening the card", code))
            }
            Err((_, code)) => Err(self.failure("opening the card", code)),
        }
    }

    fn failure(&self, operation: &'static str, code: pcsc::Error) -> ReaderError {
        failure(&self.reader, operation, code)
    }
}

fn establish() -> Result<pcsc::Context, ReaderError> {
    pcsc::Context::establish(pcsc::Scope::User).map_err(|code| failure(SERVICE, "reaching the service", code))
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
        let shown = name.to_string_lossy().into_owned();
        // One call per reader: in a common call a single reader that was just unplugged spoils the answer of all.
        match presence(&context, &name) {
            Ok(presence) => entries.push(ReaderEntry { name: shown, presence }),
            Err(pcsc::Error::UnknownReader | pcsc::Error::ReaderUnavailable) => {}
            Err(code) => match failure(&shown, "asking for the card's presence", code) {
                error @ (ReaderError::ServiceLost { .. } | ReaderError::AccessDenied) => return Err(error),
                // This reader's own trouble is no reason to show none of the others.
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

/// Whether the card leaves the reader now: the service may notice a removal later than the exchange that it broke.
fn is_gone(context: &pcsc::Context, name: &CString) -> bool {
    let mut states = [pcsc::ReaderState::new(name.clone(), pcsc::State::UNAWARE)];
    for _ in 0..2 {
        if context.get_status_change(REMOVAL_NOTICE, &mut states).is_err() {
            return false;
        }
        let [state] = &mut states;
        if !state.event_state().contains(pcsc::State::PRESENT) {
            return true;
        }
        // The second turn waits for a change.
        state.sync_current_state();
    }
    false
}

/// One sentence for each PC/SC code (the documents' list of what each call returns).
fn failure(reader: &str, operation: &'static str, code: pcsc::Error) -> ReaderError {
    use pcsc::Error as Code;
    let reader = reader.to_owned();
    match code {
        Code::NoService if operation == "reaching the service" => ReaderError::ServiceNotRunning,
        Code::NoService | Code::ServiceStopped | Code::InvalidHandle | Code::CommError | Code::Shutdown => {
            ReaderError::ServiceLost { operation }
        }
        Code::SecurityViolation | Code::NoAccess => ReaderError::AccessDenied,
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
        // A worker that ended without a word has lost the service's thread of control: to the caller the same as no answer.
        RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected => {
            ReaderError::Stuck { reader: reader.to_owned(), operation, after: deadline }
        }
    })
}
