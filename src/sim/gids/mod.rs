//! A GIDS card (Generic Identity Device Specification 1.0; the TPM virtual smart card's interface).
//!
//! Modelled after measurements on GidsApplet, status word by status word, including what a host
//! would rather not meet: a challenge that serves once, a RESET RETRY COUNTER that ends every
//! authentication, a wrong-length PIN that looks like a wrong one, an interrupted chain that
//! paralyses the application. Where a card stricter than GidsApplet is plausible, a setting makes it
//! so (`admin_tries`, `check_kcv`).
//!
//! Left out: keys of another type than RSA 2048 (6A81, as GidsApplet answers for curves) and import. Where
//! no measurement exists the card refuses: SELECT by file identifier wants P2=0C; a blank card knows no PIN
//! commands besides creating one.
//!
//! | file | part |
//! |---|---|
//! | `mod` | state, dispatch, answers in pieces |
//! | `select` | SELECT, and the life cycle: CREATE, ACTIVATE, DELETE FILE |
//! | `files` | files, data objects, access rules |
//! | `data` | GET DATA, PUT DATA, chains |
//! | `admin` | administrator: MSE, GENERAL AUTHENTICATE, PUT KEY |
//! | `key` | GENERATE ASYMMETRIC KEY PAIR, MSE and PERFORM SECURITY OPERATION with a key pair |
//! | `pin` | VERIFY, CHANGE REFERENCE DATA, RESET RETRY COUNTER |

mod admin;
mod data;
mod files;
mod key;
#[cfg(test)]
mod key_tests;
mod pin;
mod select;
mod settings;
#[cfg(test)]
mod tests;

pub use settings::{ATR, GidsSettings};

use super::card::{LinkFault, VirtualCard};
use super::command::{self, Command};
use super::keys::ReadyKeys;
use super::random::Randomness;
use super::sw::{self, Outcome};
use super::tlv;
use admin::AdminKey;
use data::Chain;
use files::{APPLICATION, Condition, Files, Roles};
use key::Environment;
use pin::Pin;

/// The administrator's challenge, waiting for its answer. It serves once.
enum Challenge {
    External([u8; 8]),
    Mutual { host: [u8; 16], card: [u8; 16] },
}

/// What a reset or a new selection wipes.
struct Session {
    selected: bool,
    roles: Roles,
    challenge: Option<Challenge>,
    /// MANAGE SECURITY ENVIRONMENT named the admin key.
    key_named: bool,
    /// It named a key pair.
    environment: Option<Environment>,
    current: u16,
    chain: Option<Chain>,
    /// Rest of an answer, for GET RESPONSE.
    pending: Vec<u8>,
}

impl Session {
    fn new(selected: bool) -> Self {
        Self {
            selected,
            roles: Roles::default(),
            challenge: None,
            key_named: false,
            environment: None,
            current: APPLICATION,
            chain: None,
            pending: Vec::new(),
        }
    }
}

/// The card. Build it with [`GidsCard::personalised`] or [`GidsCard::blank`].
// No derive(Debug): it would print PIN and key.
pub struct GidsCard {
    cold_atr: Vec<u8>,
    warm_atr: Vec<u8>,
    /// Whether the last reset was without loss of power.
    is_warm: bool,
    random: Randomness,
    mutual_only: bool,
    check_kcv: bool,
    ready_keys: ReadyKeys,
    key_files_max: usize,
    /// Life cycle: a blank card has not been activated as a whole yet.
    active: bool,
    files: Files,
    pin: Pin,
    admin: AdminKey,
    session: Session,
    headers: Vec<[u8; 4]>,
}

impl GidsCard {
    /// A card as it comes from production: no files, no PIN, no key, everything writable.
    #[must_use]
    pub fn blank() -> Self {
        Self::blank_with(GidsSettings::default())
    }

    /// A blank card with settings; of these, card ID, PIN and key do not apply.
    #[must_use]
    pub fn blank_with(settings: GidsSettings) -> Self {
        Self {
            pin: Pin::unset(&settings),
            admin: AdminKey::unset(settings.admin_tries),
            warm_atr: settings.warm_atr.unwrap_or_else(|| settings.atr.clone()),
            cold_atr: settings.atr,
            is_warm: false,
            random: settings.random,
            mutual_only: settings.mutual_only,
            check_kcv: settings.check_kcv,
            ready_keys: settings.ready_keys,
            key_files_max: settings.key_files_max,
            active: false,
            files: Files::blank(),
            session: Session::new(false),
            headers: Vec::new(),
        }
    }

    /// A card with the published file system, a PIN and an admin key, ready for enrollment.
    #[must_use]
    pub fn personalised(settings: GidsSettings) -> Self {
        let mut pin = Pin::unset(&settings);
        pin.preset(&settings);
        let mut admin = AdminKey::unset(settings.admin_tries);
        admin.preset(settings.admin_key);
        Self { pin, admin, active: true, files: Files::personalised(&settings.card_id), ..Self::blank_with(settings) }
    }

    /// Puts a data object on the card behind its rules, as an earlier enrollment would have left it.
    /// Gives false where the file does not exist or is full.
    pub fn preset_object(&mut self, file: u16, tag: u16, value: &[u8]) -> bool {
        let Some(file) = self.files.get_mut(file) else {
            return false;
        };
        match file.open_object(tag, value.len()) {
            Ok(Some(space)) => {
                space.copy_from_slice(value);
                true
            }
            _ => false,
        }
    }

    /// Content of a data object, whatever its access rules say.
    #[must_use]
    pub fn object(&self, file: u16, tag: u16) -> Option<&[u8]> {
        self.files.get(file)?.object(tag)
    }

    /// Whether the file of the key with this reference has a key pair.
    #[must_use]
    pub fn has_key(&self, reference: u8) -> bool {
        self.files.get(u16::from_be_bytes([0xB0, reference])).is_some_and(|file| file.key.is_some())
    }

    /// Whether this is the user PIN. Spends no try.
    #[must_use]
    pub fn pin_is(&self, pin: &[u8]) -> bool {
        self.pin.is(pin)
    }

    /// Whether this is the admin key. Spends no try.
    #[must_use]
    pub fn admin_key_is(&self, key: &[u8; 24]) -> bool {
        self.admin.is(key)
    }

    /// Tries left of the user PIN.
    #[must_use]
    pub fn tries_left(&self) -> u8 {
        self.pin.left()
    }

    /// Wrong admin answers since the card was made.
    #[must_use]
    pub fn admin_failures(&self) -> usize {
        self.admin.failures()
    }

    /// Whether the admin key is locked (only with `admin_tries`).
    #[must_use]
    pub fn admin_locked(&self) -> bool {
        self.admin.locked()
    }

    /// Whether the administrator is authenticated now.
    #[must_use]
    pub fn admin_authenticated(&self) -> bool {
        self.session.roles.admin
    }

    /// Whether the user is authenticated now.
    #[must_use]
    pub fn user_authenticated(&self) -> bool {
        self.session.roles.user
    }

    /// Whether the card has left the blank life cycle.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.active
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
        let Ok(command) = Command::parse(bytes) else {
            self.session.pending.clear();
            return sw::answer(Vec::new(), sw::WRONG_LENGTH);
        };
        match self.dispatch(&command) {
            Ok(data) => self.give(data, command.le),
            Err(sw) => sw::answer(Vec::new(), sw),
        }
    }

    fn dispatch(&mut self, command: &Command) -> Outcome {
        if self.session.selected {
            check_class(command.cla)?;
        } else if !select::names_application(command) {
            return Err(sw::NOT_ALLOWED);
        }
        if select::selects_this_application(command) {
            // Ends an open chain like everything else of the session.
            return self.select_application(command.p2);
        }
        if command.ins == 0xC0 && self.session.chain.is_none() {
            return self.get_response(command);
        }
        // Whatever was left of an answer is gone with the next command.
        self.session.pending.clear();
        if let Some(chain) = self.session.chain.take() {
            return self.continue_chain(chain, command);
        }
        if command.chained() && !matches!(command.ins, 0xDB | 0x2A) {
            return self.refuse_chain(command);
        }
        match command.ins {
            0xA4 => self.select(command),
            0xCB => self.get_data(command),
            0xDB => self.put_data(command),
            0x2A if command.chained() => self.collect_operation(Vec::new(), command),
            0x22 => self.manage_security_environment(command),
            0x87 => self.general_authenticate(command),
            0x20 => self.verify(command),
            0x24 => self.change_reference_data(command),
            0x2C => self.reset_retry_counter(command),
            0xE0 => self.create_file(command),
            0x44 => self.activate_file(command),
            0xE4 => self.delete_file(command),
            0x47 => self.generate_key_pair(command),
            0x2A => self.perform_operation(command.p1p2(), command.data, false),
            _ => Err(sw::WRONG_INS),
        }
    }

    /// Sends what Le allows and keeps the rest (61xx). Measured: an answer that fits into 256 bytes
    /// comes at once even without Le; a longer one then comes as bare 61xx.
    fn give(&mut self, mut data: Vec<u8>, le: Option<usize>) -> Vec<u8> {
        let allowed = match le {
            Some(le) => le,
            None if data.len() <= 256 => data.len(),
            None => 0,
        };
        if data.len() <= allowed {
            return sw::answer(data, sw::OK);
        }
        self.session.pending = data.split_off(allowed);
        sw::answer(data, sw::more(self.session.pending.len()))
    }

    /// GET RESPONSE (ISO 7816-4:2005 §7.6.1). With nothing left: bare 9000, as measured.
    fn get_response(&mut self, command: &Command) -> Outcome {
        if command.p1p2() != 0 {
            self.session.pending.clear();
            return Err(sw::WRONG_P1P2);
        }
        Ok(std::mem::take(&mut self.session.pending))
    }

    /// Access rule, or the freedom of a card (or file) that is still being set up.
    fn allowed(&self, condition: Condition, file_active: bool) -> Result<(), u16> {
        if !self.active || !file_active || condition.holds(self.session.roles) {
            return Ok(());
        }
        Err(sw::SECURITY)
    }

    /// Forgets both roles and a challenge that waits for its answer.
    fn deauthenticate(&mut self) {
        self.session.roles = Roles::default();
        self.session.challenge = None;
    }
}

/// Interindustry class, no secure messaging. Measured: a channel number is accepted and ignored.
fn check_class(cla: u8) -> Result<(), u16> {
    if cla & 0xE0 != 0 {
        return Err(sw::WRONG_CLA);
    }
    if cla & 0x0C != 0 {
        return Err(sw::SECURE_MESSAGING);
    }
    Ok(())
}

impl VirtualCard for GidsCard {
    fn atr(&self) -> &[u8] {
        if self.is_warm { &self.warm_atr } else { &self.cold_atr }
    }

    fn reset(&mut self) {
        self.session = Session::new(false);
        self.is_warm = true;
    }

    fn power_off(&mut self) {
        self.session = Session::new(false);
        self.is_warm = false;
    }

    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, LinkFault> {
        self.headers.push(command::header(command));
        Ok(self.run(command))
    }
}
