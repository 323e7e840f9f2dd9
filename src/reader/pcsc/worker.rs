//! The thread that owns one open card: it connects, carries out jobs, and disconnects.

use std::ffi::CString;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::thread;
use std::time::{Duration, Instant};

use super::code::Code;
use super::{establish, failure, in_use, presence, system};
use crate::reader::{Atr, EndAction, Frame, Presence, Protocol, ReaderError, name};
use crate::secret::SecretBytes;
use crate::secret::scrub::on_own_stack;

/// How long we wait for a card that another program holds exclusively.
pub(super) const SHARING_PATIENCE: Duration = Duration::from_secs(3);

/// How long a transaction is left idle. Windows resets a card whose transaction is idle for 5 s; a call that is late by a busy machine
/// still comes before that.
const IDLE: Duration = Duration::from_secs(2);

/// The pauses before a card is opened once more that speaks no protocol yet: one that was just put in is being powered, and the service
/// forgets what was agreed on.
const POWER_UP: [Duration; 5] = [
    Duration::from_millis(20),
    Duration::from_millis(40),
    Duration::from_millis(80),
    Duration::from_millis(160),
    Duration::from_millis(320),
];

/// How long after a broken exchange the service may take to notice that the card is gone: pcscd looks every 400 ms.
const REMOVAL_NOTICE: Duration = Duration::from_secs(1);

/// Bytes of a status word.
const STATUS_WORD: usize = 2;

/// Largest response APDU: 65,536 bytes and the status word.
const RESPONSE_MAX: usize = 65_538;

/// Where a job's result goes: a channel of its own, so that a late answer is never taken for another job's.
pub(super) type Reply<T> = SyncSender<Result<T, ReaderError>>;

pub(super) enum Job {
    Transmit(SecretBytes, Reply<Frame>),
    Presence(Reply<Presence>),
    KeepAlive(Reply<()>),
    End(EndAction, Reply<()>),
}

/// The last answer of a worker: sent when the card is disconnected and the stack that held its secrets is unmapped.
struct Ended {
    reply: Reply<()>,
    result: Result<(), ReaderError>,
}

/// How far the opening of a card has come.
pub(super) enum Opening {
    /// Connected.
    Connected,
    /// The transaction has begun; these are the card's ATR and protocol.
    Ready(Facts),
}

impl Opening {
    /// The number of messages that a worker sends while it opens a card.
    pub const STAGES: usize = 2;
}

pub(super) struct Facts {
    pub atr: Atr,
    pub protocol: Protocol,
}

/// The thread that owns one card.
pub(super) struct Worker {
    pub reader: String,
    pub jobs: Receiver<Job>,
}

impl Worker {
    pub fn run(self, ready: &SyncSender<Result<Opening, ReaderError>>) {
        let ended = on_own_stack(|| self.serve(ready));
        // A caller that has given up does not listen any more.
        match ended {
            Ok(Some(Ended { reply, result })) => drop(reply.send(result)),
            Ok(None) => {}
            Err(error) => drop(ready.send(Err(error))),
        }
    }

    fn serve(&self, ready: &SyncSender<Result<Opening, ReaderError>>) -> Result<Option<Ended>, ReaderError> {
        let context = establish()?;
        let name =
            name::of_text(&self.reader).ok_or_else(|| ReaderError::NoSuchReader { reader: self.reader.clone() })?;
        let mut is_told = false;
        // The context is released at the end of this function, and with it the bytes that pcscd has kept.
        once_powered(thread::sleep, || {
            let mut card = self.connect(&context, &name)?;
            if !std::mem::replace(&mut is_told, true) {
                // A caller that has given up by now is noticed at the next message.
                drop(ready.send(Ok(Opening::Connected)));
            }
            let transaction = self.begin(&mut card)?;
            let opened = self.facts(&transaction).map(|facts| ready.send(Ok(Opening::Ready(facts))).is_ok());
            let ended = if let Ok(true) = opened {
                Ok(self.carry_out(&context, &name, transaction))
            } else {
                // The caller gave up, or the card can't be used: nothing was sent to it.
                drop(self.end(transaction, EndAction::Leave));
                opened.map(|_| None)
            };
            // Leave, not the crate's default reset: the transaction's end has already done what was asked.
            let _ = card.disconnect(system::Disposition::LeaveCard);
            ended
        })
    }

    fn facts(&self, transaction: &system::Transaction<'_>) -> Result<Facts, ReaderError> {
        let status = transaction.status2_owned().map_err(|code| self.failure("opening the card", code.into()))?;
        let protocol = match status.protocol2() {
            Some(system::Protocol::T0) => Protocol::T0,
            Some(system::Protocol::T1) => Protocol::T1,
            Some(system::Protocol::RAW) | None => {
                return Err(ReaderError::ProtocolMismatch { reader: self.reader.clone() });
            }
        };
        Ok(Facts { atr: Atr::new(status.atr()), protocol })
    }

    /// Carries jobs out until the last one, or until the caller is gone (then with a reset).
    fn carry_out(
        &self,
        context: &system::Context,
        name: &CString,
        transaction: system::Transaction<'_>,
    ) -> Option<Ended> {
        let mut buffer = vec![0_u8; RESPONSE_MAX];
        // Whoever holds the card may be waiting for anything: a server, a person, a disk. A card that was reset or pulled meanwhile
        // says so at the next command.
        let keep = || drop(transaction.status2_owned());
        while let Some(job) = next_job(|limit| self.jobs.recv_timeout(limit), keep) {
            // A caller that has given up is noticed at the next turn of the loop: its sender is gone.
            match job {
                Job::Transmit(command, reply) => {
                    drop(reply.send(self.transmit(context, name, &transaction, &command, &mut buffer)));
                }
                Job::Presence(reply) => drop(reply.send(
                    presence(context, name).map_err(|code| self.failure("asking for the card's presence", code)),
                )),
                Job::KeepAlive(reply) => drop(
                    reply.send(
                        transaction
                            .status2_owned()
                            .map(drop)
                            .map_err(|code| self.failure("waiting for the server", code.into())),
                    ),
                ),
                Job::End(action, reply) => return Some(Ended { reply, result: self.end(transaction, action) }),
            }
        }
        drop(self.end(transaction, EndAction::Reset));
        None
    }

    fn transmit(
        &self,
        context: &system::Context,
        name: &CString,
        transaction: &system::Transaction<'_>,
        command: &SecretBytes,
        buffer: &mut [u8],
    ) -> Result<Frame, ReaderError> {
        let operation = "sending a command";
        let code = match transaction.transmit(command.expose(), buffer).map_err(Code::from) {
            Ok(response) if response.len() >= STATUS_WORD => return Ok(Frame::public(response)),
            // Some drivers report a card that vanished under the command as an empty answer.
            Ok(_) => Code::COMM_DATA_LOST,
            Err(code) => code,
        };
        let lost = matches!(code, Code::COMM_DATA_LOST | Code::NOT_TRANSACTED);
        if lost && is_gone(context, name) {
            return Err(ReaderError::CardRemoved { reader: self.reader.clone(), operation });
        }
        Err(self.failure(operation, code))
    }

    /// The reset happens inside the transaction's end: between a plain end and a later reset another program could use
    /// what we are authenticated for.
    fn end(&self, transaction: system::Transaction<'_>, action: EndAction) -> Result<(), ReaderError> {
        let disposition = match action {
            EndAction::Leave => system::Disposition::LeaveCard,
            EndAction::Reset => system::Disposition::ResetCard,
        };
        match transaction.end(disposition).map_err(|(_, code)| Code::from(code)) {
            Ok(()) => Ok(()),
            // A card that is gone or was reset by others holds nothing of ours any more.
            Err(Code::REMOVED_CARD | Code::RESET_CARD | Code::NO_SMARTCARD) => Ok(()),
            Err(code) => Err(self.failure("letting go of the card", code)),
        }
    }

    /// Connects shared; waits in growing steps while another program holds the card exclusively.
    fn connect(&self, context: &system::Context, name: &CString) -> Result<system::Card, ReaderError> {
        let start = Instant::now();
        let mut pause = Duration::from_millis(25);
        loop {
            match context.connect(name, system::ShareMode::Shared, system::Protocols::ANY).map_err(Code::from) {
                Ok(card) => return Ok(card),
                Err(Code::SHARING_VIOLATION) if start.elapsed() + pause < SHARING_PATIENCE => {
                    thread::sleep(pause);
                    pause = pause * 3 / 2;
                }
                Err(Code::SHARING_VIOLATION) => {
                    return Err(in_use(self.reader.clone(), start.elapsed()));
                }
                Err(code) => return Err(self.failure("opening the card", code)),
            }
        }
    }

    /// Begins the transaction. Nothing was sent yet, so a reset by others in between costs one reconnect and no state.
    fn begin<'card>(&self, card: &'card mut system::Card) -> Result<system::Transaction<'card>, ReaderError> {
        match card.transaction2().map_err(|(card, code)| (card, Code::from(code))) {
            Ok(transaction) => Ok(transaction),
            Err((card, Code::RESET_CARD)) => {
                card.reconnect(system::ShareMode::Shared, system::Protocols::ANY, system::Disposition::LeaveCard)
                    .map_err(|code| self.failure("opening the card", code.into()))?;
                card.transaction().map_err(|code| self.failure("opening the card", code.into()))
            }
            Err((_, code)) => Err(self.failure("opening the card", code)),
        }
    }

    fn failure(&self, operation: &'static str, code: Code) -> ReaderError {
        failure(&self.reader, operation, code)
    }
}

/// Waits for the next job, and keeps the transaction from being idle meanwhile; `None` where nobody can send one any more.
fn next_job<T>(mut wait: impl FnMut(Duration) -> Result<T, RecvTimeoutError>, mut keep: impl FnMut()) -> Option<T> {
    loop {
        match wait(IDLE) {
            Ok(job) => return Some(job),
            Err(RecvTimeoutError::Timeout) => keep(),
            Err(RecvTimeoutError::Disconnected) => return None,
        }
    }
}

/// Opens the card, and once more for a bounded time where it speaks no protocol.
fn once_powered<T>(
    mut pause: impl FnMut(Duration),
    mut open: impl FnMut() -> Result<T, ReaderError>,
) -> Result<T, ReaderError> {
    let mut pauses = POWER_UP.into_iter();
    loop {
        match (open(), pauses.next()) {
            (Err(ReaderError::ProtocolMismatch { reader }), Some(length)) => {
                tracing::debug!("reader {reader:?} has agreed on no protocol with its card yet");
                pause(length);
            }
            (result, _) => return result,
        }
    }
}

/// Whether the card leaves the reader now: the service may notice a removal later than the exchange that it broke.
fn is_gone(context: &system::Context, name: &CString) -> bool {
    let mut states = [system::ReaderState::new(name.clone(), system::State::UNAWARE)];
    for _ in 0..2 {
        if context.get_status_change(REMOVAL_NOTICE, &mut states).is_err() {
            return false;
        }
        let [state] = &mut states;
        if !state.event_state().contains(system::State::PRESENT) {
            return true;
        }
        // The second turn waits for a change.
        state.sync_current_state();
    }
    false
}

#[cfg(test)]
mod tests;
