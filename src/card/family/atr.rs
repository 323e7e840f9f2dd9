//! What an answer-to-reset says of the applications on a card. A hint: only the answer to SELECT counts.

use crate::card::proof::Family;
use crate::card::{gids, openpgp, piv};
use crate::reader::{Atr, historical};

/// An ATR that is known, and the families whose applications cards with it have, the likelier first.
struct Row {
    atr: &'static [u8],
    /// Bits that count; all, where empty.
    mask: &'static [u8],
    families: &'static [Family],
}

const fn row(atr: &'static [u8], families: &'static [Family]) -> Row {
    Row { atr, mask: &[], families }
}

/// Windows virtual smart card; its vendor byte and the check byte do not count.
const VIRTUAL_SMART_CARD: Row = Row {
    atr: b"\x3B\x8D\x01\x80\xFB\xA0\x00\x00\x03\x97\x42\x54\x46\x59\x03\x01\xC8",
    mask: b"\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x00\x00",
    families: &[Family::Gids],
};

/// ATRs as OpenSC's drivers and the makers publish them.
const ROWS: &[Row] = &[
    VIRTUAL_SMART_CARD,
    // YubiKey 5, 4 and NEO.
    row(b"\x3B\xFD\x13\x00\x00\x81\x31\xFE\x15\x80\x73\xC0\x21\xC0\x57\x59\x75\x62\x69\x4B\x65\x79\x40", YUBIKEY),
    row(b"\x3B\xF8\x13\x00\x00\x81\x31\xFE\x15\x59\x75\x62\x69\x6B\x65\x79\x34\xD4", YUBIKEY),
    row(b"\x3B\xFC\x13\x00\x00\x81\x31\xFE\x15\x59\x75\x62\x69\x6B\x65\x79\x4E\x45\x4F\x72\x33\xE1", YUBIKEY),
    // OpenPGP 3.x and 2.x (ZeitControl), Gnuk and Nitrokey Start.
    row(b"\x3B\xDA\x18\xFF\x81\xB1\xFE\x75\x1F\x03\x00\x31\xF5\x73\xC0\x01\x60\x00\x90\x00\x1C", &[Family::OpenPgp]),
    row(b"\x3B\xDA\x18\xFF\x81\xB1\xFE\x75\x1F\x03\x00\x31\xC5\x73\xC0\x01\x40\x00\x90\x00\x0C", &[Family::OpenPgp]),
    row(b"\x3B\xDA\x11\xFF\x81\xB1\xFE\x55\x1F\x03\x00\x31\x84\x73\x80\x01\x80\x00\x90\x00\xE4", &[Family::OpenPgp]),
    // PIV: ID-One Cosmo 8.1, ID-One (its last two bytes vary), Oberthur, Gemalto, PIVKey C910.
    row(b"\x3B\xD6\x96\x00\x81\xB1\xFE\x45\x1F\x87\x80\x31\xC1\x52\x41\x1A\x2A", &[Family::Piv]),
    Row {
        atr: b"\x3B\xD6\x97\x00\x81\xB1\xFE\x45\x1F\x87\x80\x31\xC1\x52\x41\x12\x23",
        mask: b"\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x00\x00",
        families: &[Family::Piv],
    },
    row(b"\x3B\xDB\x96\x00\x80\x1F\x03\x00\x31\xC0\x64\xB0\xF3\x10\x00\x0F\x90\x00\x88", &[Family::Piv]),
    row(b"\x3B\xDB\x96\x00\x80\x1F\x03\x00\x31\xC0\x64\xB0\xF3\x10\x00\x07\x90\x00\x80", &[Family::Piv]),
    row(b"\x3B\x7D\x96\x00\x00\x80\x31\x80\x65\xB0\x83\x11\x17\xD6\x83\x00\x90\x00", &[Family::Piv]),
    row(b"\x3B\xFC\x18\x00\x00\x81\x31\x80\x45\x90\x67\x46\x4A\x00\x64\x16\x06\xF2\x72\x7E\x00\xE0", &[Family::Piv]),
];

const YUBIKEY: &[Family] = &[Family::Piv, Family::OpenPgp];

/// What the historical bytes of every YubiKey have in them, in letters of either case.
const YUBIKEY_NAME: &[u8] = b"YubiKey";

/// How the card issuer's data (COMPACT-TLV tag 5) begin, in text.
const ISSUERS: [(&[u8], &[Family]); 2] = [(b"YubiKey", YUBIKEY), (b"Nitrokey", &[Family::Piv, Family::OpenPgp])];

/// How the application identifiers (COMPACT-TLV tag F) begin.
const APPLICATIONS: [(&[u8], Family); 3] = [
    (&piv::commands::AID, Family::Piv),
    (&gids::commands::AID, Family::Gids),
    (&openpgp::commands::AID, Family::OpenPgp),
];

/// The families that an ATR names, the likelier first: a full match, else the historical bytes. A contactless reader makes
/// the ATR up around the card's historical bytes (PC/SC part 3), so there these alone count.
pub(super) fn families(atr: &Atr) -> Vec<Family> {
    let bytes = atr.bytes();
    let historical = historical(bytes);
    let row = if is_contactless(bytes) {
        ROWS.iter().find(|row| row.has_historical(historical))
    } else {
        ROWS.iter().find(|row| row.matches(bytes))
    };
    row.map_or_else(|| by_historical(historical), |row| row.families.to_vec())
}

/// Whether the card is a Windows virtual smart card.
pub(super) fn is_virtual_smart_card(atr: &Atr) -> bool {
    VIRTUAL_SMART_CARD.matches(atr.bytes())
}

/// Whether the card says of itself that it is a YubiKey: in its issuer's data, or in historical bytes of its own form (4, NEO).
pub(super) fn is_yubikey(atr: &Atr) -> bool {
    historical(atr.bytes()).windows(YUBIKEY_NAME.len()).any(|window| window.eq_ignore_ascii_case(YUBIKEY_NAME))
}

impl Row {
    fn matches(&self, atr: &[u8]) -> bool {
        agree(self.atr, self.mask, atr)
    }

    fn has_historical(&self, bytes: &[u8]) -> bool {
        let own = historical(self.atr);
        // They need not end the ATR: a check byte may follow.
        let at = self.atr.windows(own.len().max(1)).position(|window| window == own).unwrap_or_default();
        !own.is_empty() && agree(own, self.mask.get(at..at + own.len()).unwrap_or_default(), bytes)
    }
}

fn agree(wanted: &[u8], mask: &[u8], is: &[u8]) -> bool {
    let masks = mask.iter().copied().chain(std::iter::repeat(0xFF));
    wanted.len() == is.len() && wanted.iter().zip(is).zip(masks).all(|((want, is), mask)| want & mask == is & mask)
}

/// `3B 8x 80 01`: TD1 = 80, TD2 = 01, as PC/SC part 3 §3.1.3.2.3 prescribes for contactless cards.
fn is_contactless(atr: &[u8]) -> bool {
    matches!(atr, [0x3B, t0, 0x80, 0x01, ..] if t0 & 0xF0 == 0x80)
}

/// An application identifier (COMPACT-TLV tag F) or an issuer (tag 5) among the historical bytes (ISO 7816-4 §8.1.1).
fn by_historical(bytes: &[u8]) -> Vec<Family> {
    let mut objects = match bytes {
        [0x80, objects @ ..] => objects,
        // The last three are a status indicator.
        [0x00, objects @ .., _, _, _] => objects,
        _ => return Vec::new(),
    };
    while let [head, rest @ ..] = objects {
        let Some((value, next)) = rest.split_at_checked(usize::from(head & 0x0F)) else { break };
        objects = next;
        match head >> 4 {
            0xF => {
                if let Some((_, family)) = APPLICATIONS.iter().find(|(aid, _)| value.starts_with(aid)) {
                    return vec![*family];
                }
            }
            0x5 => {
                if let Some((_, families)) = ISSUERS.iter().find(|(issuer, _)| value.starts_with(issuer)) {
                    return families.to_vec();
                }
            }
            _ => {}
        }
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(atr: &str) -> Vec<&'static str> {
        families(&Atr::new(&hex::decode(atr).unwrap())).into_iter().map(Family::name).collect()
    }

    #[test]
    fn a_full_match_counts_first_and_masked_bytes_do_not() {
        assert_eq!(says("3B8D0180FBA000000397425446590301C8"), ["gids"]);
        assert_eq!(says("3B8D0180FBA00000039742544659037700"), ["gids"]);
        assert_eq!(says("3BFD1300008131FE158073C021C057597562694B657940"), ["piv", "openpgp"]);
        assert_eq!(says("3BDA18FF81B1FE751F030031F573C001600090001C"), ["openpgp"]);
        assert_eq!(says("3BD6970081B1FE451F878031C15241FFFF"), ["piv"]);
        assert!(says("3B951381018073FF01000B").is_empty());
    }

    #[test]
    fn a_yubikey_says_that_it_is_one() {
        for (atr, expected) in [
            ("3BFD1300008131FE158073C021C057597562694B657940", true),
            ("3BF81300008131FE15597562696B657934D4", true),
            ("3BFC1300008131FE15597562696B65794E454F7233E1", true),
            ("3B8D80018073C021C057597562694B6579F9", true),
            ("3B8F01805D4E6974726F6B657900000000006A", false),
            ("3B951381018073FF01000B", false),
            // The name behind the historical bytes is not the card's.
            ("3B8001597562694B6579", false),
        ] {
            assert_eq!(is_yubikey(&Atr::new(&hex::decode(atr).unwrap())), expected, "{atr}");
        }
    }

    #[test]
    fn every_row_is_a_whole_answer_to_reset() {
        for row in ROWS {
            let shown = hex::encode(row.atr);
            assert!(row.matches(row.atr) && (row.mask.is_empty() || row.mask.len() == row.atr.len()), "{shown}");
            assert!(!historical(row.atr).is_empty(), "{shown}");
            // Historical bytes end it, or the check byte does, which makes the exclusive or of T0 and all after it zero.
            let end = row.atr.ends_with(historical(row.atr));
            let checked = row.atr.iter().skip(1).fold(0, |sum, byte| sum ^ byte) == 0;
            assert!(end || checked || !row.mask.is_empty(), "{shown}");
        }
    }

    #[test]
    fn a_contactless_reader_has_made_up_all_but_the_historical_bytes() {
        // YubiKey 5 NFC, and the virtual smart card's and an OpenPGP card's historical bytes behind a contactless reader.
        assert_eq!(says("3B8D80018073C021C057597562694B6579F9"), ["piv", "openpgp"]);
        assert_eq!(says("3B8D800180FBA00000039742544659030148"), ["gids"]);
        assert_eq!(says("3B8A80010031F573C001600090008D"), ["openpgp"]);
        // The generic one says nothing, and neither does one whose reader-made part looks like a known card's.
        assert!(says("3B80800101").is_empty());
        assert!(says("3B81800180").is_empty());
    }

    #[test]
    fn an_application_or_an_issuer_is_named_in_compact_tlv() {
        assert_eq!(says("3B0C80FAA0000003974254465902"), ["gids"], "another revision, without a check byte");
        assert_eq!(says("3B8F01805D4E6974726F6B657900000000006A"), ["piv", "openpgp"]);
        // The same bytes under another tag, or cut off.
        assert!(says("3B0C806AA0000003974254465902").is_empty());
        assert!(says("3B0C80FFA0000003974254465902").is_empty());
    }

    #[test]
    fn no_bytes_panic() {
        let mut state = 0x2545_F491_4F6C_DD1D_u64;
        for _ in 0..20_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let mut bytes = [&[0x3B][..], &state.to_be_bytes(), &[0x80, 0x5D]].concat();
            bytes.truncate(usize::from(bytes[4] % 12));
            drop(families(&Atr::new(&bytes)));
        }
    }
}
