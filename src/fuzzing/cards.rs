//! What a card may answer: chaining, `61xx`, `6Cxx`, and the card families on top.

mod files;

use std::error::Error;
use std::sync::LazyLock;

use super::script::{EXCHANGES_MAX, Script};
use crate::apdu::{Channel, Command};
use crate::card::family::{Families, detect};
use crate::card::gids::{APPLET_LIMITS, Gids, master_file};
use crate::card::iso7816::Iso7816;
use crate::card::openpgp::OpenPgp;
use crate::card::piv::Piv;
use crate::card::profile::Profile;
use crate::card::{
    Card, CardError, CardId, Challenge, Credential, Digest, Family, Hash, IdOrder, KeyAlgorithm, KeySlot, KeyType,
    PinJob, Proof, Room, SlotChoice, Tries,
};
use crate::reader::Protocol;
use crate::secret::{AdminKey, AdminResponse, Code, Pin, SecretBytes};

/// The longest answer that extended length could carry.
const ANSWER_MAX: usize = 65_536;

/// First byte of an input: how the card is reached, beside what [`Script`] takes from it.
const EXTENDED: u8 = 0x04;
const SECRET: u8 = 0x08;

/// What is asked of a card family, in this order; the second byte of an input chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Call {
    /// Find the family by SELECT.
    Detect = 0x80,
    /// Read the card ID.
    Identify = 0x01,
    /// Read the tries left.
    Tries = 0x02,
    /// Take a challenge.
    Challenge = 0x04,
    /// Read the card ID again.
    Confirm = 0x08,
    /// List the certificates.
    Certificates = 0x10,
    /// Answer the challenge.
    Authorize = 0x20,
    /// Set, change and verify the PIN.
    Pin = 0x40,
}

/// An input for the targets that are cards: `head` (two or three bytes) and what the card answers, status words included.
#[must_use]
pub fn dialogue(head: &[u8], answers: &[Vec<u8>]) -> Vec<u8> {
    let mut input = head.to_vec();
    for answer in answers {
        input.extend(u16::try_from(answer.len()).unwrap_or(u16::MAX).to_be_bytes());
        input.extend(answer);
    }
    input
}

/// One command over any transport: bounded, nothing secret is sent twice, and the answer is what the card said.
pub(super) fn channel(input: &[u8]) {
    let Some((&[flags, length, expected], answers)) = input.split_first_chunk::<3>() else { return };
    let data = vec![0x31; usize::from(length) * 4];
    let mut command = Command::new(0x00, 0xDB, 0x3F, 0xFF);
    let secret = flags & SECRET != 0;
    command = if secret { command.secret(SecretBytes::copy_of(&data)) } else { command.data(&data) };
    if let Some(length) = [None, Some(8), Some(256), Some(65_536)][usize::from(expected % 4)] {
        command = command.expecting(length);
    }
    let mut script = Script::new(flags, answers);
    let extended = flags & EXTENDED != 0;
    let frames = command.frames(script.protocol, extended).len();
    let result = Channel::new(&mut script).extended(extended).send(&command);

    let own = script.sent.iter().filter(|(_, instruction, _)| *instruction == 0xDB).count();
    let (fetches, limit) = (script.sent.len() - own, EXCHANGES_MAX - 10);
    assert!(own <= frames + usize::from(!secret), "{own} times sent, {frames} frames");
    assert!(fetches <= limit, "GET RESPONSE {fetches} times");
    assert!(script.sent.iter().all(|(class, _, length)| class & !0x10 == 0 && (extended || *length <= 261)));
    assert!(script.secrets <= if secret { frames } else { 0 });
    match result {
        Ok(response) => {
            assert!(response.data().len() <= ANSWER_MAX);
            assert!(script.data.ends_with(response.data()), "the answer is not what the card said");
            assert!(frames > 1 || script.data.len() == response.data().len(), "a piece was lost");
            assert!(frames > 1 || response.status().sw1() != 0x61, "more data waiting");
            let _ = (response.status().to_string(), response.status().leaves_card_unchanged());
        }
        Err(error) => short(&error),
    }
}

/// GIDS: the master file and every call of the card family.
pub(super) fn gids(input: &[u8]) {
    if let Some(place) = master_file::locate(input, master_file::CARD_ID) {
        assert!(place.file != 0 && place.object != 0 && input.len() > 28);
    }
    certificate_names(&master_file::certificates(input), input);
    files::gids(input);
    let Some((&[flags, calls], answers)) = input.split_first_chunk::<2>() else { return };
    let mut script = Script::new(flags, answers);
    built_in(Box::new(Gids::new(IdOrder::Windows, APPLET_LIMITS)), calls, &mut script);
}

/// PIV: every call of the card family.
pub(super) fn piv(input: &[u8]) {
    files::piv(input);
    let Some((&[flags, calls], answers)) = input.split_first_chunk::<2>() else { return };
    built_in(Box::new(Piv::new()), calls, &mut Script::new(flags, answers));
}

/// The OpenPGP card: the same.
pub(super) fn openpgp(input: &[u8]) {
    let Some((&[flags, calls], answers)) = input.split_first_chunk::<2>() else { return };
    built_in(Box::new(OpenPgp::new(IdOrder::Raw)), calls, &mut Script::new(flags, answers));
}

/// A card of the given family, or of the one that its answers are found to be of.
fn built_in(mut card: Box<dyn Card>, calls: u8, script: &mut Script<'_>) {
    if calls & Call::Detect as u8 != 0 {
        match find(script, &Families::default()) {
            Some(found) => card = found,
            None => return,
        }
    }
    walk(card.as_mut(), calls, script);
}

/// An ISO 7816-4 card by profile: a file, a data object, padding, no administrator.
pub(super) fn iso7816(input: &[u8]) {
    let Some((&[flags, calls], answers)) = input.split_first_chunk::<2>() else { return };
    assert_eq!(PROFILES.len(), 5, "the profiles are read");
    let profile = &PROFILES[usize::from(flags >> 4) % PROFILES.len()];
    let mut script = Script::new(flags, answers);
    let mut card: Box<dyn Card> = Box::new(Iso7816::new(profile.clone()));
    if calls & Call::Detect as u8 != 0 {
        let families = Families { profiles: vec![profile.clone()], ..Families::default() };
        match find(&mut script, &families) {
            Some(found) => card = found,
            None => return,
        }
    }
    walk(card.as_mut(), calls, &mut script);
}

static PROFILES: LazyLock<Vec<Profile>> = LazyLock::new(|| {
    let texts = [
        r#"name = "file"
        aid = "F00000000102"
        card_id = { file = "0201" }
        admin = { algorithm = 0, reference = 0 }
        pin = { reference = 1 }"#,
        r#"name = "data object"
        aid = "F00000000102"
        card_id = { data_object = "0101", order = "raw" }
        admin = { reference = 1 }
        pin = { reference = 0x80, padding = 0xFF, padded_length = 12, characters = "digits" }"#,
        r#"name = "no administrator"
        atr = "3B80800101"
        extended_length = true
        card_id = { data_object = "5F" }
        pin = { reference = 1, status_query = false }"#,
        r#"name = "tags in a file"
        aid = "F00000000102"
        card_id = { path = "50154401", tags = ["53", "34"], offset = 1, length = 16 }
        admin = { cipher = "aes", challenge_le = 0 }
        pin = { reference = 1 }
        status_words = { wrong_pin = ["6982"], blocked = ["6984"] }"#,
        r#"name = "tags in an object"
        aid = "F00000000102"
        card_id = { data_object = "5FC102", tags = ["53", "34"] }
        pin = { reference = 1, verify_reference = 2 }
        set_pin = { with = "unblocking-code" }"#,
    ];
    texts.into_iter().filter_map(|text| toml::from_str(text).ok()).collect()
});

fn find(script: &mut Script<'_>, families: &Families) -> Option<Box<dyn Card>> {
    let atr = script.atr.clone();
    let found = detect(&atr, &mut Channel::new(script), families);
    assert_eq!(script.secrets, 0);
    found.map_err(|error| short(&error)).ok()
}

/// Makes the calls that the input chooses, and looks at what each has sent and said.
fn walk(card: &mut dyn Card, calls: u8, script: &mut Script<'_>) {
    let wanted = |call: Call| calls & call as u8 != 0;
    for (call, again) in [(Call::Identify, false), (Call::Confirm, true)] {
        if wanted(call) {
            let read =
                ask(card, script, |card, channel| if again { card.confirm(channel) } else { card.identify(channel) });
            if let Some(id) = read {
                // An OpenPGP card may have said it when its application was made sure of, a PIV card when it was told from others.
                let data = match (card.family(), again) {
                    (Family::OpenPgp, _) | (Family::Piv, false) => &script.heard,
                    _ => &script.data,
                };
                card_id(id, card.family(), data);
            }
        }
    }
    if wanted(Call::Tries)
        && let Some(Tries::Left { left, max }) = ask(card, script, |card, channel| card.tries_left(channel))
    {
        // An OpenPGP card has told them when it said who it is.
        let data = if card.family() == Family::OpenPgp { &script.heard } else { &script.data };
        let told = data.contains(&left) || script.last.is_some_and(|word| matches!(word, [0x63 | 0x69, _]));
        assert!(told && max.is_none_or(|max| data.contains(&max)), "tries that the card did not tell");
    }
    if wanted(Call::Challenge)
        && let Some(challenge) = ask(card, script, |card, channel| card.challenge(channel))
    {
        let told = match &challenge {
            Challenge::Admin(challenge) => challenge.bytes(),
            Challenge::Mutual(nonces) => &nonces.card,
        };
        assert!(script.data.windows(told.len()).any(|window| window == told), "a challenge that the card did not give");
    }
    if wanted(Call::Certificates) && card.certificate_files().is_some() {
        let list = |card: &mut dyn Card, channel: &mut Channel<'_>| {
            card.certificate_files().map_or_else(|| Ok(Vec::new()), |files| files.names(channel))
        };
        if let Some(names) = ask(card, script, list) {
            certificate_names(&names, &script.data);
        }
    }
    if wanted(Call::Certificates) && card.keys().is_some() {
        keys(card, script);
    }
    let answer = Credential::Answer(AdminResponse::new(&[7; 8]));
    if wanted(Call::Authorize) {
        tell(card, script, |card, channel| card.authorize(channel, &answer));
    }
    if wanted(Call::Pin) {
        let (old, new) = (Pin::zeros(8), Pin::zeros(6));
        tell(card, script, |card, channel| card.set_pin(channel, &answer, &new));
        tell(card, script, |card, channel| card.set_pin(channel, &Credential::CurrentPin(&old), &new));
        tell(card, script, |card, channel| card.verify_pin(channel, &new));
        change(card, script);
    }
    plan(card, script.protocol);
}

/// Key pairs and certificates: no secret is sent, whatever the card says it holds, and what is read was told by the card.
fn keys(card: &mut dyn Card, script: &mut Script<'_>) {
    let first = if card.family() == Family::Piv { "9a" } else { "kxc00" };
    let Ok(slot) = first.parse::<KeySlot>() else { return };
    let absent = || CardError::Incomplete { object: "card", missing: "capability" };
    ask(card, script, |card, channel| card.keys().ok_or_else(absent)?.held(channel));
    let choice = SlotChoice::Named(slot);
    let room = ask(card, script, |card, channel| card.keys().ok_or_else(absent)?.room(channel, choice));
    let place = match room {
        Some(Room::Free(place)) => Some(place),
        Some(Room::Taken(taken)) => {
            assert_eq!(taken.held().slot.to_string()[first.len() - 2..], first[first.len() - 2..]);
            Some(taken.give_up())
        }
        Some(Room::Full(_)) | None => None,
    };
    if let Some(place) = place {
        let made = ask(card, script, |card, channel| {
            card.keys().ok_or_else(absent)?.generate(channel, &place, KeyType::Rsa2048, "a name")
        });
        assert!(made.is_none_or(|key| key.key_type() == KeyType::Rsa2048), "a key of another type");
    }
    ask(card, script, |card, channel| card.keys().ok_or_else(absent)?.public_key(channel, slot));
    let digest = Digest::of(Hash::Sha256, b"signed");
    let signature = ask(card, script, |card, channel| {
        card.keys().ok_or_else(absent)?.sign(channel, slot, KeyType::Rsa2048, &digest)
    });
    if let Some(signature) = signature {
        assert!(script.data.windows(256).any(|window| window == signature), "a signature that the card did not give");
    }
    ask(card, script, |card, channel| card.certificates().ok_or_else(absent)?.list(channel));
    let read = ask(card, script, |card, channel| card.certificates().ok_or_else(absent)?.read(channel, slot));
    assert!(read.flatten().is_none_or(|certificate| certificate.len() <= ANSWER_MAX));
    ask(card, script, |card, channel| card.certificates().ok_or_else(absent)?.write(channel, slot, &[0x30; 300]));
    ask(card, script, |card, channel| card.certificates().ok_or_else(absent)?.remove(channel, slot));
    ask(card, script, |card, channel| card.keys().ok_or_else(absent)?.erase(channel, slot));
}

/// Never all alike; and given by the card: whole, or the bytes that were repeated to sixteen.
fn card_id(id: CardId, family: Family, data: &[u8]) {
    let raw = hex::decode(id.raw_hex()).unwrap_or_default();
    assert!(raw != [0x00; 16] && raw != [0xFF; 16], "an ID that tells nothing");
    let periods: &[usize] = match family {
        Family::Piv => &[16, 4],
        Family::OpenPgp => &[6],
        Family::Gids | Family::Iso7816 => &[16],
    };
    let given = periods.iter().any(|period| {
        let repeated =
            raw.iter().zip(raw.iter().cycle().skip(*period)).take(16 - period).all(|(one, next)| one == next);
        repeated && data.windows(*period).any(|window| raw.starts_with(window))
    });
    assert!(given, "an ID that the card did not give");
    assert!(id.is_meant_by(&id.to_string()) && id.is_meant_by(&id.raw_hex()));
}

/// A new admin key and a new code, on a card that has them.
fn change(card: &mut dyn Card, script: &mut Script<'_>) {
    let (key, code) = (AdminKey::new(&[7; AdminKey::LENGTH]), Code::zeros(8));
    if let (Some(_), Some(key)) = (card.admin_key_change(), key) {
        tell(card, script, |card, channel| {
            card.admin_key_change()
                .map_or(Ok(()), |change| change.write_admin_key(channel, KeyAlgorithm::TripleDes, &key))
        });
    }
    // An OpenPGP card is shown the old one by itself first.
    let most = if card.family() == Family::OpenPgp { 2 } else { 1 };
    if card.code_change().is_some() {
        tell_at_most(most, card, script, |card, channel| {
            card.code_change().map_or(Ok(()), |change| change.change_code(channel, &code, &code))
        });
    }
}

/// Whatever the card has said of itself, each job on it can be planned.
fn plan(card: &dyn Card, protocol: Protocol) {
    for (proof, challenged) in Proof::ALL.into_iter().flat_map(|proof| [(proof, false), (proof, true)]) {
        let planned = card.plan(proof, challenged);
        assert_eq!(planned.is_ok(), card.takes(proof), "{proof:?}");
        let Ok(plan) = planned else { continue };
        assert!(challenged || plan.before_asking.is_empty());
        for planned in plan.before_asking.iter().chain(&plan.after_asking) {
            let frames = planned.command.frames(protocol, card.extended_length());
            assert!(!frames.is_empty() && frames.iter().all(|frame| frame.expose().len() >= 4), "{}", planned.purpose);
        }
    }
}

/// A call that must cost nothing: no secret is sent, and nothing that counts tries has data.
fn ask<T>(
    card: &mut dyn Card,
    script: &mut Script<'_>,
    call: impl FnOnce(&mut dyn Card, &mut Channel<'_>) -> Result<T, CardError>,
) -> Option<T> {
    script.mark();
    let extended = card.extended_length();
    let result = call(card, &mut Channel::new(script).extended(extended));
    assert_eq!(script.secrets, 0, "a question that carries a secret");
    assert!(script.sent.iter().all(|(_, instruction, length)| match instruction {
        0x20 => *length <= 5,
        0x24 | 0x2C | 0x82 => false,
        _ => true,
    }));
    result.map_err(|error| short(&error)).ok()
}

/// A call that may cost a try: sent once whatever the card says, and done only where the card says so.
fn tell(
    card: &mut dyn Card,
    script: &mut Script<'_>,
    call: impl FnOnce(&mut dyn Card, &mut Channel<'_>) -> Result<(), CardError>,
) {
    tell_at_most(1, card, script, call);
}

fn tell_at_most(
    most: usize,
    card: &mut dyn Card,
    script: &mut Script<'_>,
    call: impl FnOnce(&mut dyn Card, &mut Channel<'_>) -> Result<(), CardError>,
) {
    script.mark();
    let extended = card.extended_length();
    let result = call(card, &mut Channel::new(script).extended(extended));
    assert!(script.secrets <= most, "a secret sent {} times", script.secrets);
    match result {
        Ok(()) => assert!(matches!(script.last, Some([0x90, 0x00] | [0x61, _])), "done, and the card did not say so"),
        Err(error) => short(&error),
    }
}

fn certificate_names(names: &[String], table: &[u8]) {
    assert!(names.len() <= table.len() / 28);
    for name in names {
        let plain =
            name.strip_prefix("mscp/").is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert!(plain && name.len() <= 14, "{name:?}");
    }
}

/// An error is a few words with numbers, whatever a card says, and no control character reaches a terminal.
fn short(error: &dyn Error) {
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        assert!(text.len() < 300 && !text.chars().any(char::is_control), "{text:?}");
        next = error.source();
    }
}
