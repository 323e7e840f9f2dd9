//! A strict OpenPGP card (OpenPGP Smart Card Application 3.4): identification, passwords, challenges.
//!
//! Strict where the document lets a card choose: counters reach zero and say `6983`, a password of a length that can't be is
//! refused before it is compared, RESET RETRY COUNTER leaves PW1 unverified. Left out: keys and certificates.

mod data;
mod settings;
#[cfg(test)]
mod tests;

pub use settings::OpenPgpSettings;

use super::card::{LinkFault, VirtualCard};
use super::command::{self, Command};
use super::counted::Counted;
use super::sw::{self, Outcome};

const AID: [u8; 6] = [0xD2, 0x76, 0x00, 0x01, 0x24, 0x01];

const PW1_SIGN: u8 = 0x81;
const PW1_OTHER: u8 = 0x82;
const PW3: u8 = 0x83;

const PW1_MIN: usize = 6;
const PW3_MIN: usize = 8;
const MAX: usize = 127;

/// What a reset or a new selection wipes.
#[derive(Default)]
struct Session {
    selected: bool,
    /// PW1 with 81, PW1 with 82, PW3.
    sign: bool,
    other: bool,
    admin: bool,
}

/// The card.
// No derive(Debug): it would print passwords.
pub struct OpenPgpCard {
    settings: OpenPgpSettings,
    pw1: Counted,
    code: Counted,
    pw3: Counted,
    session: Session,
    headers: Vec<[u8; 4]>,
}

impl OpenPgpCard {
    /// A card as the settings say.
    #[must_use]
    pub fn new(settings: OpenPgpSettings) -> Self {
        let tries = settings.tries;
        let secret =
            |value: Option<&Vec<u8>>, left: Option<u8>| Counted::new(value.cloned(), left.unwrap_or(tries), tries);
        Self {
            pw1: secret(Some(&settings.pw1), settings.pw1_left),
            code: secret(settings.resetting_code.as_ref(), settings.code_left),
            pw3: secret(Some(&settings.pw3), settings.pw3_left),
            session: Session::default(),
            headers: Vec::new(),
            settings,
        }
    }

    /// Whether this is PW1. Spends no try.
    #[must_use]
    pub fn pin_is(&self, pin: &[u8]) -> bool {
        self.pw1.is(pin)
    }

    /// Whether this is PW3. Spends no try.
    #[must_use]
    pub fn admin_pin_is(&self, pin: &[u8]) -> bool {
        self.pw3.is(pin)
    }

    /// Tries left of PW1.
    #[must_use]
    pub fn tries_left(&self) -> u8 {
        self.pw1.left()
    }

    /// Tries left of the resetting code.
    #[must_use]
    pub fn code_tries_left(&self) -> u8 {
        self.code.left()
    }

    /// Tries left of PW3.
    #[must_use]
    pub fn admin_tries_left(&self) -> u8 {
        self.pw3.left()
    }

    /// Wrong admin answers: such a card knows none.
    #[must_use]
    pub fn admin_failures(&self) -> usize {
        0
    }

    /// Whether PW1 is verified now, for anything.
    #[must_use]
    pub fn user_authenticated(&self) -> bool {
        self.session.sign || self.session.other
    }

    /// Whether PW3 is verified now.
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
        let Ok(command) = Command::parse(bytes) else { return sw::answer(Vec::new(), sw::WRONG_LENGTH) };
        match self.dispatch(&command) {
            Ok(data) => sw::answer(data, sw::OK),
            Err(word) => sw::answer(Vec::new(), word),
        }
    }

    fn dispatch(&mut self, command: &Command) -> Outcome {
        if command.cla != 0x00 {
            return Err(if command.chained() { sw::CHAINING } else { sw::WRONG_CLA });
        }
        if command.ins == 0xA4 {
            return self.select(command);
        }
        if !self.session.selected {
            return Err(sw::NOT_ALLOWED);
        }
        match command.ins {
            0xCA => self.get_data(command),
            0x84 => self.get_challenge(command),
            0x20 => self.verify(command),
            0x24 => self.change_reference_data(command),
            0x2C => self.reset_retry_counter(command),
            _ => Err(sw::WRONG_INS),
        }
    }

    fn select(&mut self, command: &Command) -> Outcome {
        if command.p1p2() != 0x0400 {
            return Err(sw::WRONG_P1P2);
        }
        if command.data.len() < 5 || !self.aid().starts_with(command.data) {
            return Err(sw::FILE_NOT_FOUND);
        }
        if self.settings.terminated {
            return Err(sw::TERMINATED);
        }
        self.session = Session { selected: true, ..Session::default() };
        Ok(Vec::new())
    }

    fn get_challenge(&mut self, command: &Command) -> Outcome {
        if command.p1p2() != 0 {
            return Err(sw::WRONG_P1P2);
        }
        if !self.settings.gives_challenge {
            return Err(sw::WRONG_INS);
        }
        match command.le {
            Some(8) => self.settings.random.take::<8>().map(Vec::from).ok_or(sw::INTERNAL),
            _ => Err(sw::WRONG_LENGTH),
        }
    }

    /// The word for a wrong password, as this card's make has it.
    fn wrong(&self, word: u16) -> u16 {
        if self.settings.uncounted && word != sw::BLOCKED { sw::SECURITY } else { word }
    }

    /// VERIFY (§7.2.2). Without data: `9000` when verified, else the counter; P1 = FF ends the state.
    fn verify(&mut self, command: &Command) -> Outcome {
        let (secret, state, min) = match command.p2 {
            PW1_SIGN => (&mut self.pw1, &mut self.session.sign, PW1_MIN),
            PW1_OTHER => (&mut self.pw1, &mut self.session.other, PW1_MIN),
            PW3 => (&mut self.pw3, &mut self.session.admin, PW3_MIN),
            _ => return Err(sw::WRONG_P1P2),
        };
        match (command.p1, command.data) {
            (0xFF, []) => {
                *state = false;
                Ok(Vec::new())
            }
            (0x00, []) if *state => Ok(Vec::new()),
            (0x00, []) if secret.left() == 0 => Err(sw::BLOCKED),
            (0x00, []) => Err(sw::tries(secret.left())),
            (0x00, password) => {
                if !(min..=MAX).contains(&password.len()) {
                    return Err(sw::WRONG_DATA);
                }
                let checked = secret.check(password);
                *state = checked.is_ok();
                checked.map_err(|word| self.wrong(word))?;
                Ok(Vec::new())
            }
            _ => Err(sw::WRONG_P1P2),
        }
    }

    /// CHANGE REFERENCE DATA (§7.2.3): the card cuts at the length of the password that it knows.
    fn change_reference_data(&mut self, command: &Command) -> Outcome {
        let (secret, state, min) = match (command.p1, command.p2) {
            (0x00, PW1_SIGN) => (&mut self.pw1, &mut self.session.other, PW1_MIN),
            (0x00, PW3) => (&mut self.pw3, &mut self.session.admin, PW3_MIN),
            _ => return Err(sw::WRONG_P1P2),
        };
        let (old, new) = command.data.split_at_checked(secret.length()).ok_or(sw::WRONG_LENGTH)?;
        let checked = secret.check(old);
        *state = false;
        checked.map_err(|word| self.wrong(word))?;
        let secret = if command.p2 == PW3 { &mut self.pw3 } else { &mut self.pw1 };
        store(secret, new, min)
    }

    /// RESET RETRY COUNTER (§7.2.4): by PW3 (P1 = 02), or by the resetting code (P1 = 00).
    fn reset_retry_counter(&mut self, command: &Command) -> Outcome {
        let new = match (command.p1, command.p2) {
            (0x02, PW1_SIGN) if self.session.admin => command.data,
            (0x02, PW1_SIGN) => return Err(sw::SECURITY),
            (0x00, PW1_SIGN) if !self.code.is_set() => return Err(sw::SECURITY),
            (0x00, PW1_SIGN) => {
                let (code, new) = command.data.split_at_checked(self.code.length()).ok_or(sw::WRONG_LENGTH)?;
                self.code.check(code).map_err(|word| self.wrong(word))?;
                new
            }
            _ => return Err(sw::WRONG_P1P2),
        };
        let stored = store(&mut self.pw1, new, PW1_MIN)?;
        (self.session.sign, self.session.other) = (false, false);
        Ok(stored)
    }
}

fn store(secret: &mut Counted, new: &[u8], min: usize) -> Outcome {
    if !(min..=MAX).contains(&new.len()) {
        return Err(sw::WRONG_DATA);
    }
    secret.set(new.to_vec());
    Ok(Vec::new())
}

impl VirtualCard for OpenPgpCard {
    fn atr(&self) -> &[u8] {
        &self.settings.atr
    }

    fn reset(&mut self) {
        self.session = Session::default();
    }

    fn power_off(&mut self) {
        self.reset();
    }

    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, LinkFault> {
        self.headers.push(command::header(command));
        Ok(self.run(command))
    }
}
