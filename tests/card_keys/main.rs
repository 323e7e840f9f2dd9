//! Key pairs and certificates on the virtual cards, by the capabilities that a card hands out: `dyn Card` and nothing of a family.

#![cfg(feature = "sim")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod gids;
mod other;
mod power_cuts;

use std::sync::OnceLock;

use pinwright::apdu::Channel;
use pinwright::card::family::{Families, detect};
use pinwright::card::{
    Card, CardError, Credential, Digest, Hash, Held, HeldKey, KeySlot, KeyType, KeyUsage, PinJob as _, PivSlot,
    PublicKey, Room, SlotChoice, Vacant, answer_with_admin_key,
};
use pinwright::enroll::csr::{Csr, CsrError};
use pinwright::reader::{EndAction, Readers};
use pinwright::secret::{AdminKey, Pin};
use pinwright::sim::card::{SharedCard, VirtualCard};
use pinwright::sim::fault::{Fault, Faulty};
use pinwright::sim::gids::{GidsCard, GidsSettings};
use pinwright::sim::keys::{CardKey, ReadyKeys};
use pinwright::sim::openpgp::{OpenPgpCard, OpenPgpSettings};
use pinwright::sim::piv::{PivCard, PivSettings};
use pinwright::sim::reader::VirtualReaders;

pub const NAME: &str = "{7f3c0f7a-1111-2222-3333-444455556666}";
pub const FIRST: SlotChoice = SlotChoice::First(KeyUsage::Exchange);

/// One key pair for every test that is not about generation.
pub fn ready() -> ReadyKeys {
    static KEY: OnceLock<CardKey> = OnceLock::new();
    let key = KEY.get_or_init(|| CardKey::rsa_2048().unwrap());
    ReadyKeys::new(&vec![key.clone(); 8])
}

pub fn settings() -> GidsSettings {
    GidsSettings { ready_keys: ready(), ..GidsSettings::default() }
}

pub fn slot(name: &str) -> KeySlot {
    name.parse().unwrap()
}

/// Bytes that don't compress, as long as a certificate of RSA 2048 is.
pub fn certificate(seed: u8) -> Vec<u8> {
    let bytes = (0_u8..24).flat_map(|part| Digest::of(Hash::Sha256, &[seed, part]).value().to_vec());
    [0x30, 0x82].into_iter().chain(bytes).take(707).collect()
}

/// Opens the card, finds its family, has the PIN verified on GIDS and the management key authenticated on PIV, and ends with a reset.
pub fn with_card<C: VirtualCard + Send + 'static, T>(
    card: &SharedCard<C>,
    job: impl FnOnce(&mut dyn Card, &mut Channel<'_>) -> T,
) -> T {
    let readers = VirtualReaders::with_card("Desk 1", card.clone());
    let mut connection = readers.open("Desk 1").unwrap();
    let atr = connection.atr().clone();
    let mut channel = Channel::new(connection.as_mut());
    let mut found = detect(&atr, &mut channel, &Families::default()).unwrap();
    found.identify(&mut channel).unwrap();
    let result = job(found.as_mut(), &mut channel);
    drop(connection.end(EndAction::Reset));
    result
}

pub fn verify(card: &mut dyn Card, channel: &mut Channel<'_>) {
    let pin: &[u8] = if card.family().name() == "piv" { b"123456" } else { b"12345678" };
    card.verify_pin(channel, &Pin::new(pin).unwrap()).unwrap();
}

pub fn authorize(card: &mut dyn Card, channel: &mut Channel<'_>) {
    let key = AdminKey::new(&GidsSettings::default().admin_key).unwrap();
    let challenge = card.challenge(channel).unwrap();
    card.authorize(channel, &Credential::Answer(answer_with_admin_key(&key, &challenge).unwrap())).unwrap();
}

pub fn free(room: Room) -> Vacant {
    match room {
        Room::Free(place) => place,
        other => panic!("{other:?}"),
    }
}

pub fn vacant(card: &mut dyn Card, channel: &mut Channel<'_>, choice: SlotChoice) -> Vacant {
    free(card.keys().unwrap().room(channel, choice).unwrap())
}

pub fn generate(card: &mut dyn Card, channel: &mut Channel<'_>, choice: SlotChoice, name: &str) -> PublicKey {
    let place = vacant(card, channel, choice);
    card.keys().unwrap().generate(channel, &place, KeyType::Rsa2048, name).unwrap()
}

pub fn word(error: &CardError) -> Option<u16> {
    error.status().map(|status| status.word())
}

/// Exchanges of a call.
pub fn counted<T>(channel: &mut Channel<'_>, call: impl FnOnce(&mut Channel<'_>) -> T) -> (T, u32) {
    let before = channel.exchanges();
    let result = call(channel);
    (result, channel.exchanges() - before)
}
