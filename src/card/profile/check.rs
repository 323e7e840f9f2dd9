//! Whether a profile can work at all: checked when the configuration is loaded, so that no card is sent commands of one that
//! can't.

use thiserror::Error;

use super::{CardIdPlace, HexBytes, Profile, ResetWith};
use crate::apdu::Status;
use crate::card::proof::Family;
use crate::secret::Pin;

/// Bytes of a card ID.
pub(in crate::card) const ID_LENGTH: usize = 16;

/// What one READ BINARY or a short answer carries.
const READ_MAX: usize = 256;

/// The highest offset that READ BINARY has room for (ISO 7816-4 §7.2.3).
const OFFSET_MAX: usize = 0x7FFF;

/// Why a profile can't work: the key, and what is wrong with it.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[error("card profile {profile:?}: `{}`: {problem}", .key.join("."))]
pub struct ProfileError {
    /// The profile's name.
    pub profile: String,
    /// The key within the profile, from the outside in.
    pub key: Vec<&'static str>,
    /// What is wrong.
    pub problem: String,
}

/// Why two profiles can't be used together.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
pub enum Clash {
    /// They have the same name, by which `card.prefer` and the output tell them apart.
    #[error("has the same name")]
    Name,
    /// They match the same cards, and nothing decides between them.
    #[error("matches the same cards: tell them apart by `atr` and `atr_mask`, or by `aid`")]
    Cards,
}

type Check = Result<(), (&'static [&'static str], String)>;

fn refuse(key: &'static [&'static str], problem: &str) -> Check {
    Err((key, problem.to_owned()))
}

impl Profile {
    /// Checks that the profile can work at all.
    ///
    /// # Errors
    /// What is missing or contradicts itself.
    pub fn check(&self) -> Result<(), ProfileError> {
        self.check_name()
            .and_then(|()| self.check_match())
            .and_then(|()| self.check_id())
            .and_then(|()| self.check_admin())
            .and_then(|()| self.check_pin())
            .and_then(|()| self.check_words())
            .map_err(|(key, problem)| ProfileError { profile: self.name.clone(), key: key.to_vec(), problem })
    }

    fn check_name(&self) -> Check {
        if self.name.trim().is_empty() || self.name.len() > 80 || self.name.chars().any(char::is_control) {
            return refuse(&["name"], "1 to 80 characters, none of them a control character");
        }
        if Family::built_in_named(&self.name).is_some() {
            return refuse(&["name"], "a built-in family has this name");
        }
        Ok(())
    }

    fn check_match(&self) -> Check {
        let wrong_length = |atr: &HexBytes| !(2..=33).contains(&atr.0.len());
        match &self.atr_mask {
            _ if self.atr.iter().any(wrong_length) => refuse(&["atr"], "an ATR has 2 to 33 bytes"),
            Some(mask) if self.atr.is_empty() || self.atr.iter().any(|atr| atr.0.len() != mask.0.len()) => {
                refuse(&["atr_mask"], "must be as long as `atr`")
            }
            Some(mask) if mask.0.iter().all(|byte| *byte == 0) && self.aid.is_none() => {
                refuse(&["atr_mask"], "leaves no bit of the ATR to tell the card by")
            }
            _ => match &self.aid {
                None if self.atr.is_empty() => refuse(&["name"], "give `atr`, `aid` or both"),
                Some(aid) if !(5..=16).contains(&aid.0.len()) => refuse(&["aid"], "must have 5 to 16 bytes"),
                _ => Ok(()),
            },
        }
    }

    fn check_id(&self) -> Check {
        let place = &self.card_id;
        match (&place.file, &place.path, &place.data_object) {
            (Some(file), None, None) if file.0.len() != 2 => refuse(&["card_id", "file"], "must have two bytes"),
            (None, Some(path), None) if !(4..=16).contains(&path.0.len()) || path.0.len() % 2 != 0 => {
                refuse(&["card_id", "path"], "must be 2 to 8 file identifiers of two bytes each")
            }
            // To go on, the application would have to be selected again, which drops the administrator's authentication.
            (None, Some(path), None) if path.0.starts_with(&[0x3F, 0x00]) && self.aid.is_some() => refuse(
                &["card_id", "path"],
                "a path from the master file leads out of the application of `aid`: leave `3F00` out or use a file inside",
            ),
            (None, None, Some(tag)) if !is_tag(tag) => {
                refuse(&["card_id", "data_object"], "must be a tag of 1 to 3 bytes")
            }
            (Some(_), None, None) | (None, Some(_), None) | (None, None, Some(_)) => check_inside(place),
            _ => refuse(&["card_id"], "needs exactly one of `file`, `path` and `data_object`"),
        }
    }

    fn check_admin(&self) -> Check {
        let Some(admin) = &self.admin else { return Ok(()) };
        let block = admin.cipher.block();
        if admin.challenge_length() != block {
            let problem = format!("must be {block}, one block of the cipher");
            return refuse(&["admin", "challenge_length"], &problem);
        }
        if admin.challenge_le() < block {
            return refuse(&["admin", "challenge_le"], "asks for less than the challenge");
        }
        Ok(())
    }

    fn check_pin(&self) -> Check {
        let pin = self.pin;
        if pin.padding.is_some_and(|byte| (0x20..=0x7E).contains(&byte)) {
            return refuse(&["pin", "padding"], "must not be a printable ASCII character");
        }
        // Old and new PIN stand in one command, and a buffer is made of this length.
        if pin.padding.is_some() && pin.padded_length > Pin::MAX {
            return refuse(&["pin", "padded_length"], &format!("must be at most {}", Pin::MAX));
        }
        let most = if pin.padding.is_some() { pin.padded_length } else { Pin::MAX };
        if pin.min == 0 || pin.min > pin.max || pin.max > most {
            let key: &[&str] = if pin.min == 0 { &["pin", "min"] } else { &["pin", "max"] };
            return refuse(key, &format!("PIN lengths must be 1 <= min <= max <= {most}"));
        }
        if self.set_pin.with == ResetWith::UnblockingCode && self.admin.is_some() {
            return refuse(
                &["set_pin", "with"],
                "an unblocking code needs no administrator, and RESET RETRY COUNTER takes one of the two: leave `admin` out",
            );
        }
        Ok(())
    }

    fn check_words(&self) -> Check {
        for (key, words) in [
            (&["status_words", "wrong_pin"] as &[&str], &self.status_words.wrong_pin),
            (&["status_words", "blocked"], &self.status_words.blocked),
        ] {
            if !words.iter().all(is_refusal) {
                return refuse(
                    key,
                    "each must be a status word of two bytes that refuses a command: 63xx, 64xx or 67xx to 6Exx",
                );
            }
        }
        let both = self.status_words.wrong_pin.iter().any(|word| self.status_words.blocked.contains(word));
        if both { refuse(&["status_words", "blocked"], "has a word that `wrong_pin` has, too") } else { Ok(()) }
    }
}

fn check_inside(place: &CardIdPlace) -> Check {
    if !place.tags.iter().all(is_tag) {
        return refuse(&["card_id", "tags"], "each must be a tag of 1 to 3 bytes");
    }
    if place.data_object.is_some() && place.select_with_answer {
        return refuse(&["card_id", "select_with_answer"], "is for `file` and `path`: GET DATA selects nothing");
    }
    let length = place.length.unwrap_or(ID_LENGTH);
    let range = if place.repeat { 4..=ID_LENGTH } else { ID_LENGTH..=ID_LENGTH };
    if !range.contains(&length) {
        return refuse(&["card_id", "length"], "must be 16, or 4 to 16 with `repeat = true`");
    }
    if place.repeat && place.length.is_none() {
        return refuse(&["card_id", "repeat"], "needs `length`");
    }
    let Some(offset) = place.offset else { return Ok(()) };
    if place.length.is_none() {
        return refuse(&["card_id", "offset"], "needs `length`");
    }
    // In a plain file READ BINARY starts at the offset; elsewhere it is an offset in one answer.
    let plain_file = place.data_object.is_none() && place.tags.is_empty();
    if offset > if plain_file { OFFSET_MAX } else { READ_MAX - length } {
        return refuse(&["card_id", "offset"], "is beyond what one command reads");
    }
    Ok(())
}

/// A tag as ISO 7816-4 §5.2.2.1 writes it, in up to three bytes.
fn is_tag(tag: &HexBytes) -> bool {
    match tag.0.as_slice() {
        [first] => first & 0x1F != 0x1F,
        [first, rest @ .., last] if rest.len() < 2 => {
            // A tag list and P1-P2 also take two bytes that are no BER-TLV tag, such as 0101.
            (rest.is_empty() && first & 0x1F != 0x1F)
                || (first & 0x1F == 0x1F && last & 0x80 == 0 && rest.iter().all(|byte| byte & 0x80 != 0))
        }
        _ => false,
    }
}

fn is_refusal(word: &HexBytes) -> bool {
    let Ok(word) = <[u8; 2]>::try_from(word.0.as_slice()) else { return false };
    let status = Status::new(u16::from_be_bytes(word));
    status.sw1() == 0x63 || (status.leaves_card_unchanged() && !matches!(status.sw1(), 0x6C))
}

/// Why these two can't be used together, if they can't. A profile with an ATR is tried before one without, so those two can.
#[must_use]
pub fn clash(one: &Profile, other: &Profile) -> Option<Clash> {
    if one.name == other.name {
        return Some(Clash::Name);
    }
    let same_atr = match (one.atr.is_empty(), other.atr.is_empty()) {
        (false, false) => one.atr.iter().any(|a| other.atr.iter().any(|b| is_same_atr(one, a, other, b))),
        (true, true) => true,
        _ => return None,
    };
    let same_aid = match (&one.aid, &other.aid) {
        (Some(a), Some(b)) => a.0.starts_with(&b.0) || b.0.starts_with(&a.0),
        _ => true,
    };
    (same_atr && same_aid).then_some(Clash::Cards)
}

fn is_same_atr(one: &Profile, a: &HexBytes, other: &Profile, b: &HexBytes) -> bool {
    let masks = masks(one).zip(masks(other));
    a.0.len() == b.0.len() && a.0.iter().zip(&b.0).zip(masks).all(|((a, b), (m, n))| a & m & n == b & m & n)
}

fn masks(profile: &Profile) -> impl Iterator<Item = u8> {
    profile.atr_mask.iter().flat_map(|mask| mask.0.iter().copied()).chain(std::iter::repeat(0xFF))
}
