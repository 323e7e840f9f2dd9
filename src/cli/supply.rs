//! Secrets that the server does not give: from a descriptor, a file, a systemd credential, or a person.

mod descriptor;
mod descriptors;
mod new_pin;
mod question;
pub mod source;

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

pub use self::descriptors::{Descriptors, Handed};
use self::source::Patience;
use crate::card::{CardId, PinLimits};
use crate::config::{SecretFile, Sources};
use crate::job::Cause;
use crate::job::consent::{Proposal, Standing};
use crate::job::issuer::Watch;
use crate::job::secrets::{Need, SecretError};
use crate::job::supplier::Supplier;
use crate::job::undertaking::Undertaking;
use crate::os::credential;
use crate::os::files::{open_regular, refuse_readable, refuse_writable};
use crate::os::prompt::{Terminal, can_confirm, is_interactive};
use crate::os::service::credentials;
use crate::secret::{AdminKey, Code, Pin, SecretBytes};

/// The command's supplier.
pub struct CommandSupplier {
    handed: Handed,
    sources: Sources,
    standing: Standing,
    /// A person can be asked for a yes, although it may have been said beforehand.
    can_confirm: bool,
    /// What would be lost on the card was agreed to beforehand.
    loss_is_agreed: bool,
    /// A person may be asked for secrets.
    interactive: bool,
    interrupted: Arc<AtomicBool>,
    /// Which card a person is asked about.
    subject: String,
    /// How long people took to answer.
    waited: Cell<Duration>,
}

/// What a person may be asked.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asking {
    /// The yes was said beforehand.
    pub yes: bool,
    /// A person may be asked at all.
    pub is_allowed: bool,
}

impl CommandSupplier {
    /// Asks nobody where that is not allowed or no terminal is there.
    #[must_use]
    pub fn new(handed: Handed, sources: Sources, asking: Asking, interrupted: Arc<AtomicBool>) -> Self {
        let interactive = asking.is_allowed && is_interactive();
        let can_confirm = asking.is_allowed && can_confirm();
        let standing = match (asking.yes, can_confirm) {
            (true, _) => Standing::Given,
            (false, true) => Standing::Ask,
            (false, false) => Standing::Nobody,
        };
        Self {
            handed,
            sources,
            standing,
            can_confirm,
            loss_is_agreed: false,
            interactive,
            interrupted,
            subject: "the card".to_owned(),
            waited: Cell::default(),
        }
    }

    /// Notes whether what would be lost on the card was agreed to beforehand, by an option of its own.
    pub fn loss_is_agreed(&mut self, is_agreed: bool) {
        self.loss_is_agreed = is_agreed;
    }

    /// How long people took to answer, all told.
    #[must_use]
    pub fn waited(&self) -> Duration {
        self.waited.get()
    }

    /// Counts the time of what a person is asked.
    fn timed<T>(&self, ask: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let answer = ask();
        self.waited.set(self.waited.get() + start.elapsed());
        answer
    }

    /// Whether the secret can be had at all.
    #[must_use]
    pub fn can_supply(&self, need: Need) -> bool {
        self.interactive || self.handed.of(need).is_some() || self.sources.of(need).is_some()
    }

    fn ask(&self, what: &'static str, question: &str) -> Result<SecretBytes, SecretError> {
        if !self.interactive {
            return Err(SecretError::NoTerminal { what });
        }
        let unreadable = |source| SecretError::Unreadable { what, origin: "the terminal".to_owned(), source };
        let mut terminal = Terminal::open().map_err(unreadable)?;
        let mut go_on = || !self.interrupted.load(Ordering::Relaxed);
        self.timed(|| terminal.secret(question, &mut go_on)).map_err(unreadable)?.ok_or(SecretError::Cancelled { what })
    }

    /// Asks for a yes on the terminal; `question` ends with what a yes does.
    fn confirmed(&self, question: &str, watch: Watch<'_>) -> Result<(), Cause> {
        let what = "the go-ahead";
        let unreadable = |source| SecretError::Unreadable { what, origin: "the terminal".to_owned(), source };
        let mut terminal = Terminal::open().map_err(unreadable)?;
        let mut stopped = None;
        let mut go_on = || match watch() {
            Ok(()) => true,
            Err(cause) => {
                stopped = Some(cause);
                false
            }
        };
        let answer = self.timed(|| terminal.confirm(question, &mut go_on)).map_err(unreadable)?;
        match (answer, stopped) {
            (_, Some(cause)) => Err(cause),
            (Some(true), None) => Ok(()),
            (Some(false) | None, None) => Err(SecretError::Declined.into()),
        }
    }

    /// From the descriptor, else the configured file or credential, else a person.
    fn get(&self, need: Need, question: &str) -> Result<SecretBytes, SecretError> {
        match (self.handed.of(need), self.sources.of(need)) {
            (Some(descriptor), _) => descriptor.secret(need.what(), self.patience()),
            (None, Some(file)) => self.secret_file(need.what(), file),
            (None, None) => self.ask(need.what(), question),
        }
    }

    fn secret_file(&self, what: &'static str, file: &SecretFile) -> Result<SecretBytes, SecretError> {
        let path = match file {
            SecretFile::Path(path) => path.clone(),
            SecretFile::Credential(name) => {
                let folder = credentials().ok_or_else(|| SecretError::Unusable {
                    what,
                    reason: "systemd gave this process no credentials (CREDENTIALS_DIRECTORY is not set)".to_owned(),
                })?;
                folder.join(name)
            }
        };
        let origin = path.display().to_string();
        let opened =
            open_regular(&path).map_err(|source| SecretError::Unreadable { what, origin: origin.clone(), source })?;
        refuse_writable(&opened, &path)
            .and_then(|()| refuse_readable(&opened, &path))
            .map_err(|source| SecretError::Exposed { what, source })?;
        let opened = credential::opened(opened, &path).map_err(|source| SecretError::Unreadable {
            what,
            origin: origin.clone(),
            source,
        })?;
        source::line(what, &opened, &origin, self.patience())
    }

    fn patience(&self) -> Patience<'_> {
        Patience::from_now(&self.interrupted)
    }
}

impl Supplier for CommandSupplier {
    fn at_hand(&self, need: Need) -> bool {
        match self.handed.of(need) {
            // What nobody has written yet may be long in coming: the card is let go of meanwhile.
            Some(descriptor) => descriptor.is_ready(),
            None => self.sources.of(need).is_some(),
        }
    }

    fn new_pin(&mut self, limits: PinLimits) -> Result<Pin, SecretError> {
        let what = Need::NewPin.what();
        if let Some(descriptor) = self.handed.of(Need::NewPin) {
            return pin(what, &descriptor.secret(what, self.patience())?);
        }
        new_pin::new_pin(&self.subject, limits, &mut |question| self.ask(what, question))
    }

    fn meet(&mut self, card: CardId, reader: &str) {
        self.subject = format!("card {card} in {reader:?}");
    }

    fn standing(&self) -> Standing {
        self.standing
    }

    fn consent(&mut self, proposal: &Proposal<'_>, watch: Watch<'_>) -> Result<(), Cause> {
        match self.standing {
            Standing::Given => Ok(()),
            Standing::Nobody => Err(SecretError::NobodyToAsk.into()),
            Standing::Ask => self.confirmed(&question::question(proposal), watch),
        }
    }
    fn agree(&mut self, undertaking: &Undertaking<'_>, watch: Watch<'_>) -> Result<(), Cause> {
        match self.standing {
            Standing::Ask => self.confirmed(&question::undertaking(undertaking), watch),
            Standing::Given if undertaking.lost.is_empty() || self.loss_is_agreed => Ok(()),
            // What is lost is nobody's yes to everything else.
            Standing::Given if self.can_confirm => self.confirmed(&question::loss(undertaking), watch),
            Standing::Given | Standing::Nobody => Err(SecretError::NobodyToAsk.into()),
        }
    }

    fn item(&mut self, name: &str) -> Result<Option<String>, SecretError> {
        if !self.interactive {
            return Ok(None);
        }
        let what = "an item that the profile template collects";
        let unreadable = |source| SecretError::Unreadable { what, origin: "the terminal".to_owned(), source };
        let mut terminal = Terminal::open().map_err(unreadable)?;
        let mut go_on = || !self.interrupted.load(Ordering::Relaxed);
        let question = format!("The profile template collects data. {name:?}: ");
        let typed = self.timed(|| terminal.line(&question, &mut go_on)).map_err(unreadable)?;
        typed.map(Some).ok_or(SecretError::Cancelled { what })
    }

    fn current_pin(&mut self) -> Result<Pin, SecretError> {
        pin(Need::CurrentPin.what(), &self.get(Need::CurrentPin, "Current PIN of the card: ")?)
    }

    fn admin_key(&mut self) -> Result<AdminKey, SecretError> {
        let text = self.get(Need::AdminKey, "Admin key (48 hex digits): ")?;
        AdminKey::from_hex(text.expose()).ok_or_else(|| SecretError::Unusable {
            what: Need::AdminKey.what(),
            reason: "48 hexadecimal digits are needed (32, 48 or 64 for AES)".to_owned(),
        })
    }

    fn code(&mut self, need: Need) -> Result<Code, SecretError> {
        let question = match need {
            Need::AdminPin => "Admin PIN (PW3) of the card: ",
            Need::ResettingCode => "Resetting code of the card: ",
            _ => "PUK of the card: ",
        };
        let what = need.what();
        let text = self.get(need, question)?;
        Code::new(line(&text)).map_err(|error| SecretError::Unusable { what, reason: error.to_string() })
    }
}

fn pin(what: &'static str, text: &SecretBytes) -> Result<Pin, SecretError> {
    Pin::new(line(text)).map_err(|error| SecretError::Unusable { what, reason: error.to_string() })
}

/// The secret without the line end that a pipe brings along.
fn line(text: &SecretBytes) -> &[u8] {
    let bytes = text.expose();
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    bytes.strip_suffix(b"\r").unwrap_or(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::testing;

    #[test]
    fn an_admin_key_that_everybody_can_read_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "01".repeat(24)).unwrap();
        let sources = Sources { admin_key: Some(SecretFile::Path(file.path().to_owned())), ..Sources::default() };
        let mut supplier =
            CommandSupplier::new(Handed::default(), sources, Asking { yes: true, is_allowed: false }, Arc::default());
        assert!(supplier.admin_key().is_ok());
        for readable_only in [false, true] {
            let exposed = match readable_only {
                true => testing::let_everybody_read(file.path()),
                false => testing::open_to_others(file.path(), true),
            };
            if !exposed {
                return;
            }
            let error = supplier.admin_key().map(drop).unwrap_err();
            assert!(matches!(error, SecretError::Exposed { .. }), "{error}");
        }
    }
}
