//! A strict PIV card (NIST SP 800-73-4 part 2), with Yubico's documented extensions where a setting wants them.
//!
//! Strict where the standard lets a card choose: a PIN of another form than six to eight digits filled up with `FF` is no PIN
//! (`6A80`, and no try is spent), a wrong management answer is `6982`, a challenge serves once, RESET RETRY COUNTER leaves
//! nobody verified, 9C signs once after each VERIFY. Left out: key agreement, import of keys, and answers to an AES challenge.

mod keys;
mod objects;
mod settings;
#[cfg(test)]
mod tests;
mod transport;

use self::keys::Stored;
use self::objects::{chuid, discovery, halves, is_pin, padded, tagged};
pub use self::settings::PivSettings;

use super::card::{LinkFault, VirtualCard};
use super::command::{self, Command};
use super::counted::Counted;
use super::sw::{self, Outcome};
use super::{tdes, tlv};

const AID: [u8; 11] = [0xA0, 0x00, 0x00, 0x03, 0x08, 0x00, 0x00, 0x10, 0x00, 0x01, 0x00];
/// The fewest bytes of it that a SELECT may have: the RID, by which Yubico's tools select, and which YubiKey and PivApplet take.
const AID_MIN: usize = 5;

const PIN: u8 = 0x80;
const GLOBAL_PIN: u8 = 0x00;
const PUK: u8 = 0x81;
const MANAGEMENT_KEY: u8 = 0x9B;
const TRIPLE_DES: u8 = 0x03;

/// Bytes of a PIN or PUK on the wire.
const BLOCK: usize = 8;

/// What a reset or a new selection wipes.
#[derive(Default)]
struct Session {
    selected: bool,
    user: bool,
    global: bool,
    management: bool,
    challenge: Option<Vec<u8>>,
    /// The PIN was verified since the last signature.
    fresh: bool,
    /// A command in blocks that is not complete yet: instruction, P1 and P2, data.
    chain: Option<(u8, u16, Vec<u8>)>,
    /// The rest of an answer, for GET RESPONSE.
    pending: Vec<u8>,
}

/// The card.
// No derive(Debug): it would print PIN and keys.
pub struct PivCard {
    settings: PivSettings,
    pin: Counted,
    global: Counted,
    puk: Counted,
    key: [u8; 24],
    stored: Stored,
    failures: usize,
    session: Session,
    headers: Vec<[u8; 4]>,
}

impl PivCard {
    /// A card as the settings say.
    #[must_use]
    pub fn new(settings: PivSettings) -> Self {
        let secret =
            |value: &[u8], left: Option<u8>, tries| Counted::new(Some(padded(value)), left.unwrap_or(tries), tries);
        Self {
            pin: secret(&settings.pin, settings.pin_left, settings.pin_tries),
            global: Counted::new(settings.global_pin.as_deref().map(padded), settings.pin_tries, settings.pin_tries),
            puk: secret(&settings.puk, settings.puk_left, settings.puk_tries),
            key: settings.management_key,
            stored: Stored::default(),
            failures: 0,
            session: Session::default(),
            headers: Vec::new(),
            settings,
        }
    }

    /// Whether this is the PIN. Spends no try.
    #[must_use]
    pub fn pin_is(&self, pin: &[u8]) -> bool {
        self.pin.is(&padded(pin))
    }

    /// Whether this is the PUK. Spends no try.
    #[must_use]
    pub fn puk_is(&self, puk: &[u8]) -> bool {
        self.puk.is(&padded(puk))
    }

    /// Whether this is the Global PIN. Spends no try.
    #[must_use]
    pub fn global_pin_is(&self, pin: &[u8]) -> bool {
        self.global.is(&padded(pin))
    }

    /// Tries left of the Global PIN.
    #[must_use]
    pub fn global_tries_left(&self) -> u8 {
        self.global.left()
    }

    /// Tries left of the PIN.
    #[must_use]
    pub fn tries_left(&self) -> u8 {
        self.pin.left()
    }

    /// Tries left of the PUK.
    #[must_use]
    pub fn puk_tries_left(&self) -> u8 {
        self.puk.left()
    }

    /// Wrong management answers since the card was made.
    #[must_use]
    pub fn admin_failures(&self) -> usize {
        self.failures
    }

    /// Whether this is the management key.
    #[must_use]
    pub fn management_key_is(&self, key: &[u8; 24]) -> bool {
        self.key == *key
    }

    /// Whether there is a key pair with this reference.
    #[must_use]
    pub fn has_key(&self, reference: u8) -> bool {
        self.stored.has_key(reference)
    }

    /// Content of a data object that was written, whatever its access rules say.
    #[must_use]
    pub fn object(&self, tag: &[u8]) -> Option<&[u8]> {
        self.stored.object(tag)
    }

    /// Whether the PIN is verified now.
    #[must_use]
    pub fn user_authenticated(&self) -> bool {
        self.session.user
    }

    /// Whether the holder of the management key is authenticated now.
    #[must_use]
    pub fn admin_authenticated(&self) -> bool {
        self.session.management
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
        // Newer versions of ykman send a YubiKey nothing but commands of extended length.
        let parse = if self.settings.yubico { Command::parse_extended } else { Command::parse };
        let Ok(command) = parse(bytes) else { return sw::answer(Vec::new(), sw::WRONG_LENGTH) };
        match self.collect(&command) {
            Ok(data) => self.give(data, command.le),
            Err(word) => sw::answer(Vec::new(), word),
        }
    }

    fn dispatch(&mut self, command: &Command) -> Outcome {
        if command.ins == 0xA4 {
            return self.select(command);
        }
        if !self.session.selected {
            return Err(sw::NOT_ALLOWED);
        }
        match command.ins {
            0xDB => self.put_data(command),
            0x47 => self.generate_key_pair(command),
            0xCB => self.get_data(command),
            0x20 => self.verify(command),
            0x24 => self.change_reference_data(command),
            0x2C => self.reset_retry_counter(command),
            0x87 => self.general_authenticate(command),
            0xFD if self.settings.yubico => Ok(vec![5, 4, 3]),
            0xF8 if self.settings.yubico => Ok(self.settings.serial.to_be_bytes().to_vec()),
            0xF7 if self.settings.yubico => self.metadata(command.p2),
            0xFF if self.settings.yubico => self.set_management_key(command),
            _ => Err(sw::WRONG_INS),
        }
    }

    fn select(&mut self, command: &Command) -> Outcome {
        if command.p1p2() != 0x0400 {
            return Err(sw::WRONG_P1P2);
        }
        if command.data.len() < AID_MIN || !AID.starts_with(command.data) {
            return Err(sw::FILE_NOT_FOUND);
        }
        // Selected once more, it changes no state (§3.1.1).
        self.session.selected = true;
        let mut authority = Vec::new();
        tlv::write(&mut authority, 0x4F, AID.get(..5).unwrap_or_default());
        let mut template = Vec::new();
        tlv::write(&mut template, 0x4F, AID.get(5..).unwrap_or_default());
        tlv::write(&mut template, 0x79, &authority);
        Ok(tagged(0x61, &template))
    }

    fn get_data(&self, command: &Command) -> Outcome {
        if command.p1p2() != 0x3FFF {
            return Err(sw::WRONG_P1P2);
        }
        let (tag, object, rest) = tlv::element(command.data).ok_or(sw::WRONG_DATA)?;
        if tag != 0x5C || !rest.is_empty() {
            return Err(sw::WRONG_DATA);
        }
        if let ([0x7E], Some(policy)) = (object, self.settings.pin_policy) {
            return Ok(discovery(policy));
        }
        if let Some(stored) = self.stored.object(object) {
            return Ok(stored.to_vec());
        }
        match (object, self.settings.guid, self.settings.ccc_identifier) {
            ([0x5F, 0xC1, 0x02], Some(guid), _) => Ok(tagged(0x53, &chuid(guid))),
            ([0x5F, 0xC1, 0x07], _, Some(identifier)) => Ok(tagged(0x53, &tagged(0xF0, &identifier))),
            _ => Err(sw::FILE_NOT_FOUND),
        }
    }

    /// VERIFY (§3.2.1). Without data: `9000` when verified, else the counter; P1 = FF ends the user's state.
    fn verify(&mut self, command: &Command) -> Outcome {
        let (pin, verified) = match command.p2 {
            PIN => (&mut self.pin, &mut self.session.user),
            GLOBAL_PIN if self.settings.global_pin.is_some() => (&mut self.global, &mut self.session.global),
            _ => return Err(sw::NOT_FOUND),
        };
        match (command.p1, command.data) {
            (0xFF, []) => {
                *verified = false;
                self.session.fresh = false;
                Ok(Vec::new())
            }
            (0x00, []) if self.settings.status_refused.is_some() => {
                Err(self.settings.status_refused.unwrap_or(sw::WRONG_LENGTH))
            }
            (0x00, []) if *verified => Ok(Vec::new()),
            (0x00, []) if pin.left() == 0 => Err(sw::BLOCKED),
            (0x00, []) => Err(sw::tries(pin.left())),
            (0x00, value) => {
                if !is_pin(value, self.settings.letters) {
                    return Err(sw::WRONG_DATA);
                }
                let checked = pin.check(value);
                *verified = checked.is_ok();
                self.session.fresh = checked.is_ok() && command.p2 == PIN;
                checked.map(|()| Vec::new())
            }
            _ => Err(sw::WRONG_P1P2),
        }
    }

    /// CHANGE REFERENCE DATA (§3.2.2) of PIN or PUK, eight bytes each.
    fn change_reference_data(&mut self, command: &Command) -> Outcome {
        if command.p1 != 0x00 {
            return Err(sw::WRONG_P1P2);
        }
        let (old, new) = halves(command.data)?;
        let uncounted = self.settings.uncounted_change;
        let count = |word: u16| if uncounted && word != sw::BLOCKED { sw::WRONG } else { word };
        match command.p2 {
            PIN | GLOBAL_PIN => {
                let (pin, verified) = match command.p2 {
                    PIN => (&mut self.pin, &mut self.session.user),
                    _ if self.settings.global_pin.is_some() => (&mut self.global, &mut self.session.global),
                    _ => return Err(sw::NOT_FOUND),
                };
                if !is_pin(old, self.settings.letters) || !is_pin(new, self.settings.letters) {
                    return Err(sw::WRONG_DATA);
                }
                let checked = pin.check(old);
                *verified = checked.is_ok();
                checked.map_err(count)?;
                pin.set(new.to_vec());
            }
            PUK => {
                self.puk.check(old).map_err(count)?;
                self.puk.set(new.to_vec());
            }
            _ => return Err(sw::NOT_FOUND),
        }
        Ok(Vec::new())
    }

    /// RESET RETRY COUNTER (§3.2.3): PUK and new PIN. A new PIN that is none spends no try of the PUK.
    fn reset_retry_counter(&mut self, command: &Command) -> Outcome {
        match (command.p1, command.p2) {
            (0x00, PIN) => {}
            (0x00, _) => return Err(sw::NOT_FOUND),
            _ => return Err(sw::WRONG_P1P2),
        }
        let (puk, new) = halves(command.data)?;
        if !is_pin(new, self.settings.letters) {
            return Err(sw::WRONG_DATA);
        }
        self.puk.check(puk)?;
        self.pin.set(new.to_vec());
        self.session.user = false;
        Ok(Vec::new())
    }

    /// GENERAL AUTHENTICATE (§3.2.4) with the management key: external authentication only. With a key pair: its signature.
    fn general_authenticate(&mut self, command: &Command) -> Outcome {
        if command.p2 != MANAGEMENT_KEY {
            return self.sign(command);
        }
        if command.p2 != MANAGEMENT_KEY || command.p1 != self.settings.management_algorithm {
            return Err(sw::WRONG_P1P2);
        }
        let (tag, template, _) = tlv::element(command.data).ok_or(sw::WRONG_DATA)?;
        let parts = tlv::elements(template).filter(|_| tag == 0x7C).ok_or(sw::WRONG_DATA)?;
        match parts.as_slice() {
            [(0x81, [])] => {
                self.session.management = false;
                let random = &mut self.settings.random;
                let challenge = match self.settings.management_algorithm {
                    TRIPLE_DES => random.take::<8>().map(Vec::from),
                    _ => random.take::<16>().map(Vec::from),
                };
                let challenge = challenge.ok_or(sw::INTERNAL)?;
                self.session.challenge = Some(challenge.clone());
                Ok(tagged(0x7C, &tagged(0x81, &challenge)))
            }
            [(0x82, answer)] => {
                let challenge = self.session.challenge.take().ok_or(sw::CONDITIONS)?;
                let right = <[u8; 8]>::try_from(challenge).map(|block| tdes::encrypt_block(&self.key, block));
                self.session.management = right.is_ok_and(|right| right.as_slice() == *answer);
                if self.session.management {
                    return Ok(Vec::new());
                }
                self.failures += 1;
                Err(sw::SECURITY)
            }
            _ => Err(sw::WRONG_DATA),
        }
    }

    /// GET METADATA (Yubico, firmware 5.3).
    fn metadata(&self, reference: u8) -> Outcome {
        let factory = PivSettings::default();
        let (algorithm, is_factory) = match reference {
            PIN => (0xFF, self.pin.is(&padded(&factory.pin))),
            PUK => (0xFF, self.puk.is(&padded(&factory.puk))),
            MANAGEMENT_KEY => (self.settings.management_algorithm, self.key == factory.management_key),
            key => return self.key_metadata(key),
        };
        let mut data = tagged(0x01, &[algorithm]);
        if reference == MANAGEMENT_KEY {
            tlv::write(&mut data, 0x02, &[0x00, 0x01]);
        }
        if self.settings.silent_metadata != Some(reference) {
            tlv::write(&mut data, 0x05, &[u8::from(is_factory)]);
        }
        let counter = match reference {
            PIN => Some(&self.pin),
            PUK => Some(&self.puk),
            _ => None,
        };
        if let Some(counter) = counter {
            tlv::write(&mut data, 0x06, &[counter.limit(), counter.left()]);
        }
        Ok(data)
    }

    /// SET MANAGEMENT KEY (Yubico), after authentication.
    fn set_management_key(&mut self, command: &Command) -> Outcome {
        if !self.session.management {
            return Err(sw::SECURITY);
        }
        match command.data {
            [TRIPLE_DES, MANAGEMENT_KEY, 24, key @ ..] => {
                self.key = key.try_into().map_err(|_| sw::WRONG_LENGTH)?;
                Ok(Vec::new())
            }
            _ => Err(sw::WRONG_DATA),
        }
    }
}

impl VirtualCard for PivCard {
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
