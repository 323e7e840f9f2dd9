//! The stages of an enrollment on the virtual cards: admin key, key pairs, certificates, and what is said of each afterwards.

#![cfg(feature = "sim")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod admin_key;
mod cuts;
mod keys;
mod places;

use std::cell::RefCell;
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;

use pinwright::card::family::Families;
use pinwright::card::{Challenge, Digest, Hash, KeySlot, KeyType, answer_with_admin_key};
use pinwright::enroll::admin_key::{AdminKeySource, Moment, prove, replace};
use pinwright::enroll::management::{Management, Rights};
use pinwright::job::Cause;
use pinwright::job::held::{HeldCard, OpenCard};
use pinwright::job::issuer::Watch;
use pinwright::secret::{AdminKey, AdminResponse, Pin};
use pinwright::server::{AdminKeyVersion, CardParameters};
use pinwright::sim::card::{SharedCard, VirtualCard};
use pinwright::sim::fault::{Fault, Faulty};
use pinwright::sim::gids::{GidsCard, GidsSettings};
use pinwright::sim::keys::{CardKey, ReadyKeys};
use pinwright::sim::piv::{PivCard, PivSettings};
use pinwright::sim::reader::VirtualReaders;

/// Three different parts, none of them weak.
pub const NEW: [u8; 24] =
    *b"\x98\x15\x40\xF8\x7A\x29\x07\xF8\x1C\xFB\xA1\x6E\x2A\xC4\x2A\xC7\xE3\x97\xD3\x58\x4A\xD5\x64\x08";
pub const DEFAULT: [u8; 24] =
    *b"\x01\x02\x03\x04\x05\x06\x07\x08\x01\x02\x03\x04\x05\x06\x07\x08\x01\x02\x03\x04\x05\x06\x07\x08";
pub static NEVER: AtomicBool = AtomicBool::new(false);

/// A server that keeps two keys and answers with them.
pub struct Source {
    pub default: Vec<u8>,
    pub diversified: Vec<u8>,
    /// What it writes out as the diversified key.
    pub given: Vec<u8>,
    pub calls: Vec<String>,
}

impl Default for Source {
    fn default() -> Self {
        Self { default: DEFAULT.to_vec(), diversified: NEW.to_vec(), given: NEW.to_vec(), calls: Vec::new() }
    }
}

impl AdminKeySource for Source {
    fn answer(
        &mut self,
        card: &CardParameters,
        key: AdminKeyVersion,
        watch: Watch<'_>,
    ) -> Result<AdminResponse, Cause> {
        watch()?;
        self.calls.push(format!("answer {}", key.parameter()));
        let bytes = match key {
            AdminKeyVersion::Default => &self.default,
            AdminKeyVersion::Diversified => &self.diversified,
        };
        let challenge = Challenge::admin(&card.challenge).unwrap();
        Ok(answer_with_admin_key(&AdminKey::new(bytes).unwrap(), &challenge)?)
    }

    fn diversified_key(&mut self, card: &CardParameters, watch: Watch<'_>) -> Result<AdminKey, Cause> {
        watch()?;
        assert!(card.challenge.is_empty() && !card.card_id.is_empty());
        self.calls.push("diversified key".to_owned());
        Ok(AdminKey::new(&self.given).unwrap())
    }
}

/// One key pair for every test that is not about generation.
pub fn ready() -> ReadyKeys {
    static KEYS: OnceLock<Vec<CardKey>> = OnceLock::new();
    let keys = KEYS.get_or_init(|| (0..3).map(|_| CardKey::rsa_2048().unwrap()).collect());
    ReadyKeys::new(&[&keys[..], &keys[..]].concat())
}

pub fn gids() -> GidsSettings {
    GidsSettings { ready_keys: ready(), ..GidsSettings::default() }
}

pub fn yubico() -> PivSettings {
    PivSettings { yubico: true, ready_keys: ready(), ..PivSettings::default() }
}

pub fn pin() -> Pin {
    Pin::new(&GidsSettings::default().pin).unwrap()
}

pub fn piv_pin() -> Pin {
    Pin::new(&PivSettings::default().pin).unwrap()
}

pub fn slot(name: &str) -> KeySlot {
    name.parse().unwrap()
}

/// Bytes that don't compress, as long as a certificate of RSA 2048 is.
pub fn certificate(seed: u8) -> Vec<u8> {
    let bytes = (0_u8..24).flat_map(|part| Digest::of(Hash::Sha256, &[seed, part]).value().to_vec());
    [0x30, 0x82].into_iter().chain(bytes).take(707).collect()
}

/// Holds the card and ends as jobs do.
pub fn hold<C: VirtualCard + Send + 'static, T>(card: &SharedCard<C>, job: impl FnOnce(&mut HeldCard) -> T) -> T {
    let readers = VirtualReaders::with_card("Desk 1", card.clone());
    let mut held = OpenCard::open(&readers, "Desk 1").unwrap().identify(&Families::default()).unwrap();
    let result = job(&mut held);
    drop(held.end());
    result
}

/// What was noted.
#[derive(Default)]
pub struct Noted(RefCell<Vec<Moment>>);

impl Noted {
    pub fn note(&self) -> impl FnMut(Moment) -> Result<(), Cause> + '_ {
        |moment| {
            self.0.borrow_mut().push(moment);
            Ok(())
        }
    }

    pub fn all(&self) -> Vec<Moment> {
        self.0.borrow().clone()
    }

    pub fn has(&self, moment: Moment) -> bool {
        self.all().contains(&moment)
    }
}

pub fn rights<'a>(pin: &'a Pin, source: &'a mut Source) -> Rights<'a> {
    let management = Management::Server { source, version: AdminKeyVersion::Default, record: None };
    Rights { pin, management, interrupted: &NEVER }
}

pub fn word(cause: &Cause) -> Option<u16> {
    cause.status().map(|status| status.word())
}
