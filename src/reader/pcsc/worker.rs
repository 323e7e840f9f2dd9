//! The thread that owns one open card: it connects, carries out jobs, and disconnects.

use std::ffi::CString;
use std::sync::mpsc::{Receiver, SyncSender};
use std::thread;
use std::time::{Duration, Instant};

use super::{establish, failure, in_use, presence};
use crate::reader::{Atr, EndAction, Frame, Presence, Protocol, ReaderError, name};
use crate::secret::SecretBytes;
use crate::secret::scrub::on_own_stack;

/// How long we wait for a card that another program holds exclusively.
pub(super) const SHARING_PATIENCE: Duration = Duration::from_secs(3);

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
        let mut card = self.connect(&context, &name)?;
        // A caller that has given up by now is noticed at the next message.
        drop(ready.send(Ok(Opening::Connected)));
        let transaction = self.begin(&mut card)?;
        let facts = self.facts(&transaction)?;
        let ended = if ready.send(Ok(Opening::Ready(facts))).is_ok() {
            self.carry_out(&context, &name, transaction)
        } else {
            // The caller gave up; nothing was sent to the card.
            drop(self.end(transaction, EndAction::Leave));
            None
        };
        // Leave, not the crate's default reset: the transaction's end has already done what was asked.
        drop(card.disconnect(pcsc::Disposition::LeaveCard));
        // The context is released at the end of this function, and with it the bytes that pcscd has kept.
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
    fn carry_out(&self, context: &pcsc::Context, name: &CString, transaction: pcsc::Transaction<'_>) -> Option<Ended> {
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
            Ok(response) if response.len() >= STATUS_WORD => return Ok(Frame::public(response)),
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
