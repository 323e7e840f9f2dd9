//! An answer-to-reset, and how long it says that it is.

use std::fmt;
use std::ops::Range;

/// An answer-to-reset (ISO 7816-3 §8.2), at most 33 bytes.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Atr(Vec<u8>);

impl Atr {
    /// Takes the bytes as the reader gives them. Zeros behind the end that the ATR tells itself are left out: PC/SC services
    /// fill an ATR up to 33 bytes right after an insertion. One that does not say where it ends is kept as it is.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        let own = match length(bytes).and_then(|length| bytes.split_at_checked(length)) {
            Some((own, filling)) if filling.iter().all(|byte| *byte == 0x00) => own,
            Some(_) | None => bytes,
        };
        Self(own.to_vec())
    }

    /// Reads hexadecimal digits as people and servers write them: letters of either case, white space, colons and hyphens
    /// between them. `None` where it is something else.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        bytes_of(text).map(|bytes| Self::new(&bytes))
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Atr {
    /// Lower-case hex without separators.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

impl fmt::Debug for Atr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Atr({self})")
    }
}

/// The bytes that a text of hexadecimal digits has, read as [`Atr::from_text`] reads it, with what fills it up.
#[must_use]
pub fn bytes_of(text: &str) -> Option<Vec<u8>> {
    let digits: String = text.chars().filter(|c| !c.is_whitespace() && !matches!(c, ':' | '-')).collect();
    hex::decode(digits).ok().filter(|bytes| !bytes.is_empty())
}

/// The historical bytes (ISO 7816-3 §8.2): after the interface bytes, as many as T0 says. Empty where the ATR is cut off.
#[must_use]
pub fn historical(atr: &[u8]) -> &[u8] {
    layout(atr).and_then(|(historical, _)| atr.get(historical)).unwrap_or_default()
}

/// Bytes of the ATR, by its own word.
fn length(atr: &[u8]) -> Option<usize> {
    matches!(atr.first(), Some(0x3B | 0x3F))
        .then(|| layout(atr).map(|(historical, checked)| historical.end + usize::from(checked)))?
}

/// Where the historical bytes stand, and whether a check byte follows: it does unless T=0 is the only protocol offered.
fn layout(atr: &[u8]) -> Option<(Range<usize>, bool)> {
    let t0 = atr.get(1).copied()?;
    let mut at = 2;
    let mut present = t0 >> 4;
    let mut checked = false;
    loop {
        // TA, TB and TC are one byte each; TD tells which ones follow it.
        at += (present & 0b0111).count_ones() as usize;
        if present & 0b1000 == 0 {
            break;
        }
        let td = atr.get(at).copied()?;
        present = td >> 4;
        checked |= td & 0x0F != 0;
        at += 1;
    }
    Some((at..at + usize::from(t0 & 0x0F), checked))
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLD: &str = "3b8d0180fba000000397425446590301c8";

    fn atr(text: &str) -> Atr {
        Atr::new(&hex::decode(text).unwrap())
    }

    fn filled(text: &str) -> String {
        format!("{text:0<66}")
    }

    #[test]
    fn filling_behind_an_atr_is_left_out() {
        for whole in [
            COLD,
            // T=0 only: no check byte, and zeros of its own.
            "3b7d96000080318065b0831117d683009000",
            "3b1696417374726964",
            // A check byte that is zero, and one that is wrong.
            "3bff9600008131fe4380318065b0855956fb120ffe82900000",
            "3b951381018073ff01000c",
            "3b80800101",
            "3f7d96000080318065b0831117d683009000",
        ] {
            assert_eq!(atr(&filled(whole)).to_string(), whole);
            assert_eq!(atr(&format!("{whole}00")).to_string(), whole);
            assert_eq!(atr(whole).to_string(), whole);
        }
    }

    #[test]
    fn a_malformed_atr_is_kept_as_it_is() {
        for kept in [
            // Something else than zeros behind it; cut off; no ATR at all.
            format!("{COLD}0001"),
            COLD[..32].to_owned(),
            "3b9f".to_owned(),
            "3b".to_owned(),
            String::new(),
            filled("0000"),
            filled("4b80"),
        ] {
            assert_eq!(atr(&kept).to_string(), kept);
        }
    }

    #[test]
    fn text_is_read_however_it_is_written() {
        for text in [
            "3B8D0180FBA000000397425446590301C8",
            "3b 8d 01 80 fb a0 00 00 03 97 42 54 46 59 03 01 c8",
            "3B:8D:01:80:FB:A0:00:00:03:97:42:54:46:59:03:01:C8",
            &filled(COLD),
        ] {
            assert_eq!(Atr::from_text(text), Some(atr(COLD)), "{text}");
        }
        for text in ["", " ", "3b8", "the card's"] {
            assert_eq!(Atr::from_text(text), None, "{text}");
        }
    }

    #[test]
    fn no_bytes_panic() {
        let mut state = 0x2545_F491_4F6C_DD1D_u64;
        for _ in 0..20_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let mut bytes = [&[0x3B][..], &state.to_be_bytes(), &[0x00; 24]].concat();
            bytes.truncate(usize::from(bytes[4] % 34));
            let once = Atr::new(&bytes);
            assert_eq!(Atr::new(once.bytes()), once);
        }
    }
}
