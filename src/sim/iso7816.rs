//! A strict card by the book (ISO 7816-4), for what vendor profiles describe: identification by file
//! or data object, GET CHALLENGE and EXTERNAL AUTHENTICATE, PIN commands by reference.
//!
//! Strict where the standard lets a card choose: a challenge is valid for the very next command only,
//! counters reach zero, a reset PIN ends the administrator's authentication, and a wrong length is
//! 6700 and costs no try. With `t0` it shows what T=0 looks like below a reader that does not hide
//! it: data never comes with a command that carried data, and Le must be exact.

mod pin;
mod settings;
#[cfg(test)]
mod tests;

use super::card::{LinkFault, VirtualCard};
use super::command::{self, Command};
use super::sw::{self, Outcome};
use super::{tdes, tlv};
use pin::Secret;

pub use settings::{Iso7816Settings, Padding};

/// What a reset or a new selection wipes.
#[derive(Default)]
struct Session {
    selected: bool,
    user: bool,
    admin: bool,
    challenge: Option<[u8; 8]>,
    file: Option<u16>,
    pending: Vec<u8>,
}

/// The card.
// No derive(Debug): it would print PIN, PUK and key.
pub struct Iso7816Card {
    settings: Iso7816Settings,
    pin: Secret,
    puk: Option<Secret>,
    admin_left: u8,
    admin_failures: usize,
    session: Session,
    headers: Vec<[u8; 4]>,
}

impl Iso7816Card {
    /// A card in use.
    #[must_use]
    pub fn new(settings: Iso7816Settings) -> Self {
        let secret = |value: &[u8], tries| Secret::new(value, tries, &settings);
        Self {
            pin: secret(&settings.pin, settings.pin_tries),
            puk: settings.puk.as_deref().map(|puk| secret(puk, settings.puk_tries)),
            admin_left: settings.admin_tries,
            admin_failures: 0,
            session: Session { selected: settings.implicit, ..Session::default() },
            headers: Vec::new(),
            settings,
        }
    }

    /// Whether this is the user PIN (without filling). Spends no try.
    #[must_use]
    pub fn pin_is(&self, pin: &[u8]) -> bool {
        self.pin.is(pin)
    }

    /// Tries left of the user PIN.
    #[must_use]
    pub fn tries_left(&self) -> u8 {
        self.pin.left()
    }

    /// Tries left of the unblocking code, where there is one.
    #[must_use]
    pub fn puk_tries_left(&self) -> Option<u8> {
        self.puk.as_ref().map(Secret::left)
    }

    /// Answers left until the admin key locks.
    #[must_use]
    pub fn admin_tries_left(&self) -> u8 {
        self.admin_left
    }

    /// Wrong admin answers since the card was made.
    #[must_use]
    pub fn admin_failures(&self) -> usize {
        self.admin_failures
    }

    /// Whether the user is authenticated now.
    #[must_use]
    pub fn user_authenticated(&self) -> bool {
        self.session.user
    }

    /// Whether the administrator is authenticated now.
    #[must_use]
    pub fn admin_authenticated(&self) -> bool {
        self.session.admin
    }

    /// Commands that reached the card.
    #[must_use]
    pub fn commands_seen(&self) -> usize {
        self.headers.len()
    }

    /// Their headers, in order: CLA INS P1 P2, never data.
    #[must_use]
    pub fn headers(&self) -> &[[u8; 4]] {
        &self.headers
    }

    fn run(&mut self, bytes: &[u8]) -> Vec<u8> {
        let challenge = self.session.challenge.take();
        let waiting = std::mem::take(&mut self.session.pending);
        let Ok(command) = Command::parse(bytes) else {
            return sw::answer(Vec::new(), sw::WRONG_LENGTH);
        };
        let outcome = match (command.cla, command.ins) {
            (0x00, 0xC0) => self.get_response(&command, waiting),
            (0x00, 0x82) => self.external_authenticate(&command, challenge),
            _ => self.dispatch(&command),
        };
        match outcome {
            Ok(data) => self.give(data, &command),
            Err(sw) => sw::answer(Vec::new(), sw),
        }
    }

    fn dispatch(&mut self, command: &Command) -> Outcome {
        match command.cla {
            0x00 => {}
            0x10 => return Err(sw::CHAINING),
            cla if cla & 0xEC == 0x0C => return Err(sw::SECURE_MESSAGING),
            _ => return Err(sw::WRONG_CLA),
        }
        if command.ins == 0xA4 && command.p1 == 0x04 {
            return self.select_application(command);
        }
        if !self.session.selected {
            return Err(sw::NOT_ALLOWED);
        }
        match command.ins {
            0xA4 => self.select_file(command),
            0xB0 => self.read_binary(command),
            0xCA => self.get_data(command),
            0x84 => self.get_challenge(command),
            0x20 => self.verify(command),
            0x24 => self.change_reference_data(command),
            0x2C => self.reset_retry_counter(command),
            _ => Err(sw::WRONG_INS),
        }
    }

    /// T=1: what Le allows, the rest as 61xx. T=0: see [`Self::give_t0`].
    fn give(&mut self, mut data: Vec<u8>, command: &Command) -> Vec<u8> {
        if self.settings.t0 {
            return self.give_t0(data, command);
        }
        let allowed = command.le.unwrap_or(256);
        let rest = data.split_off(allowed.min(data.len()));
        let word = match (rest.len(), command.ins, command.le) {
            // READ BINARY has an end; a shorter read is a complete one.
            (0, 0xB0, Some(le)) if le != 256 && le > data.len() => sw::END_OF_FILE,
            (0, ..) | (_, 0xB0, _) => sw::OK,
            (waiting, ..) => sw::more(waiting),
        };
        if word != sw::OK {
            self.session.pending = rest;
        }
        sw::answer(data, word)
    }

    /// ISO 7816-3 §12.2: a command with data is answered by 61xx alone; Le that differs from what is
    /// there is corrected by 6Cxx, and nothing has happened.
    fn give_t0(&mut self, data: Vec<u8>, command: &Command) -> Vec<u8> {
        if data.is_empty() {
            return sw::answer(data, sw::OK);
        }
        let length = u16::from(u8::try_from(data.len()).unwrap_or(0));
        if !command.data.is_empty() {
            self.session.pending = data;
            return sw::answer(Vec::new(), sw::MORE_DATA | length);
        }
        if command.ins == 0xB0 && command.le.is_some_and(|le| le < data.len()) {
            let part = data.into_iter().take(command.le.unwrap_or(0)).collect();
            return sw::answer(part, sw::OK);
        }
        if command.le != Some(data.len()) {
            if command.ins == 0xC0 {
                self.session.pending = data;
            }
            return sw::answer(Vec::new(), sw::WRONG_LE | length);
        }
        sw::answer(data, sw::OK)
    }

    fn get_response(&mut self, command: &Command, waiting: Vec<u8>) -> Outcome {
        if command.p1p2() != 0 {
            return Err(sw::WRONG_P1P2);
        }
        if waiting.is_empty() {
            return Err(sw::CONDITIONS);
        }
        Ok(waiting)
    }

    /// SELECT by name wipes the session; an absent application leaves everything as it is.
    fn select_application(&mut self, command: &Command) -> Outcome {
        let aid = &self.settings.aid;
        if command.data.len() < aid.len().min(5) || !aid.starts_with(command.data) {
            return Err(sw::FILE_NOT_FOUND);
        }
        let mut name = Vec::new();
        tlv::write(&mut name, 0x84, aid);
        let mut answer = Vec::new();
        match command.p2 {
            0x00 => tlv::write(&mut answer, 0x6F, &name),
            0x04 => tlv::write(&mut answer, 0x62, &name),
            0x0C => {}
            _ => return Err(sw::WRONG_P1P2),
        }
        self.session = Session { selected: true, ..Session::default() };
        Ok(answer)
    }

    fn select_file(&mut self, command: &Command) -> Outcome {
        if !matches!((command.p1, command.p2), (0x00 | 0x02, 0x00 | 0x04 | 0x0C)) {
            return Err(sw::WRONG_P1P2);
        }
        let &[high, low] = command.data else {
            return Err(sw::WRONG_LENGTH);
        };
        let id = u16::from_be_bytes([high, low]);
        if self.settings.id_file != Some(id) {
            return Err(sw::FILE_NOT_FOUND);
        }
        self.session.file = Some(id);
        if command.p2 == 0x0C {
            return Ok(Vec::new());
        }
        let size = u16::try_from(self.settings.card_id.len()).unwrap_or(u16::MAX);
        let mut parameters = Vec::new();
        tlv::write(&mut parameters, 0x80, &size.to_be_bytes());
        tlv::write(&mut parameters, 0x82, &[0x01]);
        tlv::write(&mut parameters, 0x83, &[high, low]);
        let mut answer = Vec::new();
        tlv::write(&mut answer, 0x62, &parameters);
        Ok(answer)
    }

    fn read_binary(&mut self, command: &Command) -> Outcome {
        if command.p1 & 0x80 != 0 {
            return Err(sw::WRONG_P1P2);
        }
        if self.session.file.is_none() {
            return Err(sw::NOT_ALLOWED);
        }
        if !command.data.is_empty() || command.le.is_none() {
            return Err(sw::WRONG_LENGTH);
        }
        let content = self.settings.card_id.get(usize::from(command.p1p2())..);
        match content {
            Some(content) if !content.is_empty() => Ok(content.to_vec()),
            _ => Err(sw::OFFSET),
        }
    }

    fn get_data(&mut self, command: &Command) -> Outcome {
        if !command.data.is_empty() {
            return Err(sw::WRONG_LENGTH);
        }
        if self.settings.id_object != Some(command.p1p2()) {
            return Err(sw::NOT_FOUND);
        }
        Ok(self.settings.card_id.clone())
    }

    /// GET CHALLENGE: eight bytes, for the next command alone.
    fn get_challenge(&mut self, command: &Command) -> Outcome {
        if command.p1p2() != 0 {
            return Err(sw::WRONG_P1P2);
        }
        if !command.data.is_empty() {
            return Err(sw::WRONG_LENGTH);
        }
        match command.le {
            Some(8) => {}
            Some(256) if !self.settings.t0 => {}
            _ if self.settings.t0 => return Err(sw::WRONG_LE | 8),
            _ => return Err(sw::WRONG_LENGTH),
        }
        let challenge = self.settings.random.take::<8>().ok_or(sw::INTERNAL)?;
        self.session.admin = false;
        self.session.challenge = Some(challenge);
        Ok(challenge.to_vec())
    }

    /// EXTERNAL AUTHENTICATE: 3DES-ECB over the challenge. Without data it asks for the state.
    fn external_authenticate(&mut self, command: &Command, challenge: Option<[u8; 8]>) -> Outcome {
        if !self.session.selected {
            return Err(sw::NOT_ALLOWED);
        }
        if command.p1 != self.settings.admin_algorithm {
            return Err(sw::WRONG_P1P2);
        }
        if command.p2 != self.settings.admin_reference {
            return Err(sw::NOT_FOUND);
        }
        if self.admin_left == 0 {
            return Err(sw::BLOCKED);
        }
        if command.data.is_empty() {
            return match self.session.admin {
                true => Ok(Vec::new()),
                false => Err(sw::tries(self.admin_left)),
            };
        }
        if command.data.len() != tdes::BLOCK {
            return Err(sw::WRONG_LENGTH);
        }
        let challenge = challenge.ok_or(sw::CONDITIONS)?;
        let right = tdes::encrypt_block(&self.settings.admin_key, challenge);
        self.session.admin = command.data == right;
        if self.session.admin {
            self.admin_left = self.settings.admin_tries;
            return Ok(Vec::new());
        }
        self.admin_left -= 1;
        self.admin_failures += 1;
        Err(sw::tries(self.admin_left))
    }
}

impl VirtualCard for Iso7816Card {
    fn atr(&self) -> &[u8] {
        &self.settings.atr
    }

    fn reset(&mut self) {
        self.session = Session { selected: self.settings.implicit, ..Session::default() };
    }

    fn power_off(&mut self) {
        self.reset();
    }

    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, LinkFault> {
        self.headers.push(command::header(command));
        Ok(self.run(command))
    }
}
