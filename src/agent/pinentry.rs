//! Asks a person for a PIN through a pinentry, the dialog of GnuPG: an agent has no terminal.
//!
//! The program may never answer: so the dialog runs on a thread of its own, which is left behind when the time is over.

mod assuan;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use self::assuan::{AssuanError, Connection};
use crate::card::{PinCharacters, PinLimits};
use crate::job::Cause;
use crate::job::consent::{Proposal, Standing};
use crate::job::fit::{self, PolicyLengths};
use crate::job::issuer::Watch;
use crate::job::secrets::{Need, SecretError};
use crate::job::supplier::Supplier;
use crate::secret::scrub::on_own_stack;
use crate::secret::{AdminKey, Code, Pin, SecretBytes};

const NEW_PIN: &str = "the new PIN";
const CURRENT_PIN: &str = "the current PIN";
const DIFFERENT: &str = "The two entries differ.";

/// How often a new PIN is asked for that the card would not take.
const MAX_ENTRIES: u32 = 3;

/// How long the program may take to end by itself once its time is over.
const EXIT_GRACE: Duration = Duration::from_secs(5);

/// How often it is looked whether the job was called off, while a dialog is open.
const INTERRUPT_POLL: Duration = Duration::from_millis(200);

/// Bytes of a name in a dialog: a line of the protocol has at most 1,000, and a byte may take three.
const NAME_MAX: usize = 200;

/// libgpg-error's number for a command that the program does not know.
const UNKNOWN_COMMAND: u16 = 275;

/// Asks a person for PINs, and `files` for everything that is at hand without one.
pub struct PinentrySupplier<S> {
    files: S,
    program: Option<PathBuf>,
    timeout: Duration,
    card: String,
    interrupted: Arc<AtomicBool>,
}

impl<S: Supplier> PinentrySupplier<S> {
    /// Asks through `program`; nobody where that is `None`. `card` names reader and card to the person, who has `timeout`;
    /// `interrupted` ends the wait.
    #[must_use]
    pub fn new(
        files: S,
        program: Option<PathBuf>,
        timeout: Duration,
        card: &str,
        interrupted: Arc<AtomicBool>,
    ) -> Self {
        Self { files, program, timeout, card: shortened(card), interrupted }
    }

    fn ask(&self, what: &'static str, dialog: Dialog) -> Result<Answer, SecretError> {
        let program = self.program.clone().ok_or(SecretError::NoTerminal { what })?;
        let unreadable = |source| SecretError::Unreadable { what, origin: program.display().to_string(), source };
        let answers = dialog.open(program.clone(), self.timeout).map_err(unreadable)?;
        match self.wait(what, &answers)? {
            Ok(entry) => Ok(Answer::Entry(entry)),
            Err(AssuanError::Failed(UNKNOWN_COMMAND)) => Ok(Answer::UnknownCommand),
            Err(AssuanError::Failed(code)) => {
                let words = format!("the program has failed with error {code}");
                Err(unreadable(io::Error::other(words)))
            }
            Err(AssuanError::Cancelled) => Err(SecretError::Cancelled { what }),
            Err(AssuanError::TimedOut) => Err(SecretError::TimedOut { what }),
            Err(AssuanError::NoText) => Err(SecretError::Unusable { what, reason: "it is no text".to_owned() }),
            Err(AssuanError::Io(error)) => Err(unreadable(error)),
        }
    }

    fn wait(&self, what: &'static str, answers: &Answers) -> Result<Entered, SecretError> {
        let deadline = Instant::now() + self.timeout + EXIT_GRACE;
        loop {
            match answers.recv_timeout(INTERRUPT_POLL) {
                Ok(answer) => return Ok(answer),
                Err(RecvTimeoutError::Disconnected) => return Err(SecretError::Cancelled { what }),
                Err(RecvTimeoutError::Timeout) if self.interrupted.load(Ordering::Relaxed) => {
                    return Err(SecretError::Cancelled { what });
                }
                Err(RecvTimeoutError::Timeout) if Instant::now() > deadline => {
                    return Err(SecretError::TimedOut { what });
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// One entry of a new PIN, typed twice.
    fn enter_new(&self, limits: PinLimits, error: Option<String>) -> Result<SecretBytes, SecretError> {
        let kind = match limits.characters {
            PinCharacters::Digits => "digits",
            PinCharacters::Ascii => "letters without accents, digits and signs",
        };
        let dialog = Dialog {
            description: format!("Choose a PIN for {}.\nIt has {} to {} {kind}.", self.card, limits.min, limits.max),
            prompt: "New PIN:",
            error,
            repeat: true,
        };
        if let Answer::Entry(entry) = self.ask(NEW_PIN, dialog.clone())? {
            return Ok(entry);
        }
        // A program that can't ask twice in one dialog is run twice.
        let dialog = Dialog { repeat: false, ..dialog };
        let first = self.ask(NEW_PIN, dialog.clone())?.entry(NEW_PIN)?;
        let second = self.ask(NEW_PIN, Dialog { prompt: "New PIN again:", ..dialog })?.entry(NEW_PIN)?;
        if first.is_same_as(&second) { Ok(first) } else { Err(SecretError::Mismatch { what: NEW_PIN }) }
    }
}

impl<S: Supplier> Supplier for PinentrySupplier<S> {
    fn at_hand(&self, need: Need) -> bool {
        self.files.at_hand(need)
    }

    fn new_pin(&mut self, limits: PinLimits) -> Result<Pin, SecretError> {
        if self.files.at_hand(Need::NewPin) {
            return self.files.new_pin(limits);
        }
        let mut error = None;
        for _ in 1..MAX_ENTRIES {
            match self.enter_new(limits, error.take()) {
                Ok(entry) => match fitting(&entry, limits) {
                    Ok(pin) => return Ok(pin),
                    Err(reason) => error = Some(reason),
                },
                Err(SecretError::Mismatch { .. }) => error = Some(DIFFERENT.to_owned()),
                Err(error) => return Err(error),
            }
        }
        // The last entry is not checked here: the job does, and its failure says what is wrong.
        pin(NEW_PIN, &self.enter_new(limits, error)?)
    }

    fn standing(&self) -> Standing {
        // Whoever configured `agent.on_insert` has said it for every card that is inserted.
        Standing::Given
    }

    fn consent(&mut self, _: &Proposal<'_>, _: Watch<'_>) -> Result<(), Cause> {
        Ok(())
    }

    fn current_pin(&mut self) -> Result<Pin, SecretError> {
        if self.files.at_hand(Need::CurrentPin) {
            return self.files.current_pin();
        }
        // One entry only: a PIN that the card refuses is not asked for again, since each costs a try.
        let description = format!("Enter the current PIN of {}.\nA wrong one costs the card a try.", self.card);
        let dialog = Dialog { description, prompt: "Current PIN:", error: None, repeat: false };
        pin(CURRENT_PIN, &self.ask(CURRENT_PIN, dialog)?.entry(CURRENT_PIN)?)
    }

    fn admin_key(&mut self) -> Result<AdminKey, SecretError> {
        self.files.admin_key()
    }

    fn code(&mut self, need: Need) -> Result<Code, SecretError> {
        // An administrator's secret, as the key is: the person at the dialog is not asked for it.
        self.files.code(need)
    }
}

enum Answer {
    Entry(SecretBytes),
    UnknownCommand,
}

impl Answer {
    fn entry(self, what: &'static str) -> Result<SecretBytes, SecretError> {
        match self {
            Self::Entry(entry) => Ok(entry),
            Self::UnknownCommand => {
                Err(SecretError::Unusable { what, reason: "the pinentry does not know how to ask for it".to_owned() })
            }
        }
    }
}

type Entered = Result<SecretBytes, AssuanError>;
type Answers = Receiver<Entered>;

/// What the person is shown.
#[derive(Clone)]
struct Dialog {
    description: String,
    prompt: &'static str,
    /// What was wrong with the last entry.
    error: Option<String>,
    /// Whether it is to be typed twice.
    repeat: bool,
}

impl Dialog {
    /// Shows it on a thread of its own; the entry comes through the receiver.
    ///
    /// # Errors
    /// No thread can be started.
    fn open(self, program: PathBuf, timeout: Duration) -> io::Result<Answers> {
        let (sender, answers) = sync_channel(1);
        let show = move || {
            // An entry for which nobody waits any more is dropped here, and so zeroed.
            drop(sender.send(on_own_stack(|| self.show(&program, timeout))));
        };
        thread::Builder::new().name("pinentry".to_owned()).spawn(show)?;
        Ok(answers)
    }

    fn show(&self, program: &Path, timeout: Duration) -> Entered {
        let mut dialog = Connection::open(program)?;
        dialog.request("SETTITLE", "Smart card PIN (pinwright)")?;
        dialog.request("SETDESC", &self.description)?;
        if let Some(error) = &self.error {
            dialog.request("SETERROR", error)?;
        }
        dialog.request("SETPROMPT", self.prompt)?;
        if self.repeat {
            dialog.request("SETREPEAT", "New PIN again:")?;
            dialog.request("SETREPEATERROR", DIFFERENT)?;
        }
        dialog.request("SETTIMEOUT", &timeout.as_secs().to_string())?;
        let entry = dialog.entry();
        tracing::debug!(program = %program.display(), "the dialog has ended");
        entry
    }
}

/// Whether the card would take it; if not, why, without the PIN.
fn fitting(entry: &SecretBytes, limits: PinLimits) -> Result<Pin, String> {
    let pin = Pin::new(entry.expose()).map_err(|error| error.to_string())?;
    fit::check(&pin, limits, PolicyLengths::default()).map_err(|error| error.to_string())?;
    Ok(pin)
}

fn pin(what: &'static str, entry: &SecretBytes) -> Result<Pin, SecretError> {
    Pin::new(entry.expose()).map_err(|error| SecretError::Unusable { what, reason: error.to_string() })
}

/// The beginning of a name that is too long for a line of the protocol, without anything that could steer a terminal.
fn shortened(name: &str) -> String {
    let mut short: String = name.chars().filter(|c| !c.is_control()).collect();
    while short.len() > NAME_MAX {
        short.pop();
    }
    short
}
