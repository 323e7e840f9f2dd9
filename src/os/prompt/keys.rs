//! One line, from keys that come one by one.

use crate::secret::SecretBytes;

const CTRL_D: u16 = 0x04;
const BACKSPACE: u16 = 0x08;
const CTRL_U: u16 = 0x15;
const CTRL_Z: u16 = 0x1A;
const ESCAPE: u16 = 0x1B;
const DELETE: u16 = 0x7F;
const SPACE: u16 = 0x20;
const ENTER: [u16; 2] = [0x0A, 0x0D];

/// What a key has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Typed {
    /// A letter was added.
    Letter(char),
    /// The last letter was taken back.
    TakenBack,
    /// Nothing that a person need see.
    Nothing,
    /// The line has ended.
    Ended,
    /// The person gives up: Ctrl-D, Ctrl-Z or Esc.
    GivenUp,
}

/// The line so far.
pub(super) struct Line {
    entry: SecretBytes,
    most: usize,
    /// The first half of a letter that has two.
    half: Option<u16>,
}

impl Line {
    /// One of `most` bytes at most. An entry that is too long is refused later by its own rules; here it just stops growing.
    pub fn new(most: usize) -> Self {
        Self { entry: SecretBytes::with_capacity(most), most, half: None }
    }

    /// Takes a unit of UTF-16.
    pub fn take(&mut self, unit: u16) -> Typed {
        match unit {
            unit if ENTER.contains(&unit) => Typed::Ended,
            CTRL_D | CTRL_Z | ESCAPE => Typed::GivenUp,
            BACKSPACE | DELETE => self.take_back(),
            CTRL_U => {
                self.entry = SecretBytes::with_capacity(self.most);
                Typed::Nothing
            }
            unit if unit < SPACE => Typed::Nothing,
            unit => self.letter(unit),
        }
    }

    fn letter(&mut self, unit: u16) -> Typed {
        let units = [self.half.take().unwrap_or(unit), unit];
        let units = if units[0] == unit { &units[1..] } else { &units[..] };
        match char::decode_utf16(units.iter().copied()).next() {
            Some(Ok(letter)) => {
                let mut bytes = zeroize::Zeroizing::new([0_u8; 4]);
                let is_added = self.entry.append(letter.encode_utf8(bytes.as_mut_slice()).as_bytes());
                if is_added { Typed::Letter(letter) } else { Typed::Nothing }
            }
            _ => {
                self.half = Some(unit);
                Typed::Nothing
            }
        }
    }

    /// The whole letter, however many bytes it has.
    fn take_back(&mut self) -> Typed {
        let is_empty = self.entry.expose().is_empty();
        while self.entry.expose().last().is_some_and(|byte| byte & 0xC0 == 0x80) {
            self.entry.pop();
        }
        self.entry.pop();
        if is_empty { Typed::Nothing } else { Typed::TakenBack }
    }

    /// What was typed.
    pub fn finish(self) -> SecretBytes {
        self.entry
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(text: &str) -> (Vec<u8>, Typed) {
        let mut line = Line::new(16);
        let mut last = Typed::Nothing;
        for unit in text.encode_utf16() {
            last = line.take(unit);
            if matches!(last, Typed::Ended | Typed::GivenUp) {
                break;
            }
        }
        (line.finish().expose().to_vec(), last)
    }

    #[test]
    fn a_line_ends_with_enter_and_is_mended_before() {
        for (keys, line) in [
            ("2468\r", "2468"),
            ("2468\nrest", "2468"),
            ("24x\u{8}68\r", "2468"),
            ("24é\u{8}68\r", "2468"),
            ("24🔑\u{7F}68\r", "2468"),
            ("\u{8}\u{8}2468\r", "2468"),
            ("wrong\u{15}2468\r", "2468"),
            ("2\t4\u{1}68\r", "2468"),
            ("é🔑\r", "é🔑"),
            ("\r", ""),
        ] {
            assert_eq!(typed(keys), (line.as_bytes().to_vec(), Typed::Ended), "{keys:?}");
        }
        for keys in ["24\u{4}", "24\u{1A}", "24\u{1B}"] {
            assert_eq!(typed(keys).1, Typed::GivenUp, "{keys:?}");
        }
        assert_eq!(typed(&"1".repeat(40)).0.len(), 16);
        assert_eq!(typed("ab\u{8}").1, Typed::TakenBack);
    }

    #[test]
    fn half_a_letter_alone_is_none() {
        let mut line = Line::new(16);
        for unit in [0xD83D, 0x31, 0xDD11, 0x32] {
            line.take(unit);
        }
        let entry = line.finish();
        assert!(std::str::from_utf8(entry.expose()).is_ok(), "{:?}", entry.expose());
    }
}
