//! Mutual authentication, for cards that refuse the short challenge (the only way that Windows 7 knows).
//!
//! Host and card exchange 16 random bytes each, R1 and R2. The host proves itself with E(R2 ‖ R1 ‖ Z1 ‖ 80), the card with
//! E(R1 ‖ R2 ‖ Z2 ‖ 80); E is Triple DES in CBC with a zero vector, and the 7 bytes Z1 and Z2 are for session keys that
//! nobody uses here. (Microsoft's document says ECB and another order in one place; cards want it so.)

use cipher::{Array, BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use des::TdesEde3;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::card::challenge::{NONCE, Nonces};
use crate::card::error::CardError;
use crate::secret::{AdminKey, SecretBytes};

/// Bytes of Z1 and of Z2.
pub(in crate::card) const SECRET: usize = 7;

/// Bytes of either token.
pub(in crate::card) const TOKEN: usize = 2 * NONCE + SECRET + 1;

const BLOCK: usize = 8;
/// ISO 9797 padding, method 2.
const END: u8 = 0x80;

/// The host's token for R2 ‖ R1, with this Z1.
///
/// # Errors
/// A key of another length.
pub(in crate::card) fn token(key: &AdminKey, nonces: &Nonces, secret: &[u8; SECRET]) -> Result<SecretBytes, CardError> {
    let cipher = cipher(key)?;
    let mut plain = Zeroizing::new([END; TOKEN]);
    for (to, from) in plain.iter_mut().zip(nonces.card.iter().chain(&nonces.host).chain(secret)) {
        *to = *from;
    }
    let mut token = SecretBytes::with_capacity(TOKEN);
    let mut before = [0; BLOCK];
    for block in plain.as_chunks::<BLOCK>().0 {
        let mut mixed = Array::from(xor(before, *block));
        cipher.encrypt_block(&mut mixed);
        before = mixed.into();
        let fits = token.append(&before);
        debug_assert!(fits, "the buffer is made for the token");
    }
    Ok(token)
}

/// Whether the card's token proves that it has the key, too. Its time does not depend on which byte is wrong.
///
/// # Errors
/// A key of another length.
pub(in crate::card) fn proves(key: &AdminKey, nonces: &Nonces, token: &[u8]) -> Result<bool, CardError> {
    let cipher = cipher(key)?;
    let Ok(token) = <[u8; TOKEN]>::try_from(token) else { return Ok(false) };
    let mut plain = Zeroizing::new([0; TOKEN]);
    let mut before = [0; BLOCK];
    for (block, out) in token.as_chunks::<BLOCK>().0.iter().zip(plain.as_chunks_mut::<BLOCK>().0) {
        let mut open = Array::from(*block);
        cipher.decrypt_block(&mut open);
        *out = xor(before, open.into());
        before = *block;
    }
    let expected = [nonces.host, nonces.card].concat();
    let (is, rest) = plain.split_at(expected.len());
    let end = rest.last().copied().unwrap_or_default();
    Ok((is.ct_eq(&expected) & end.ct_eq(&END)).into())
}

fn cipher(key: &AdminKey) -> Result<TdesEde3, CardError> {
    TdesEde3::new_from_slice(key.expose())
        .map_err(|_| CardError::KeyLength { length: key.expose().len(), expected: AdminKey::LENGTH })
}

fn xor(mut one: [u8; BLOCK], other: [u8; BLOCK]) -> [u8; BLOCK] {
    one.iter_mut().zip(other).for_each(|(one, other)| *one ^= other);
    one
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> AdminKey {
        AdminKey::from_hex("0102030405060708".repeat(3).as_bytes()).unwrap()
    }

    /// R2 ‖ R1, the host's token and the card's, as measured on GidsApplet: by hand, and by OpenSC's gids-tool.
    const MEASURED: [[&str; 3]; 3] = [
        [
            "1288FD69FDC2AC41C28F89565E23641800112233445566778899AABBCCDDEEFF",
            "4BD110BEBCF7CED87FCBBF10B1919F549AFF566AE57879EE0F4C5E57B90552FC7782F45CA4F020E8",
            "26604D88E55BD3E7A174FE8D5019B35AC711AB21F8538A629CADA4115CA24C7380BE8FEA05765359",
        ],
        [
            "00E141323E44239AA0C6254E3F23355E680DA413710B9BC7A021318DEDA6D18A",
            "E6703D9E64BAC2B4AA2C2D34400E075B557D0A6A577B601CBBF20D31D90D57BC4AC3CCD082197F50",
            "84D89712C9B8FADBB64BA49CDB5270D056376E5066250EA813B630C155EE3752D571A095BDD0FD6C",
        ],
        [
            "BB729C111FC181752E63BD07EF0D189CAA1A97E7771EE9B12A966C10E7E707E8",
            "87EF334AEF266BD430D22DF33062A7F4A04B760315D36781B5543BE1DFB180BFEA9432D93584C98D",
            "8040407D3D438B90EAEF88C9E883942FE8CB7D4B66C378FC5DDA2A1FBE55665C4389AD0157098115",
        ],
    ];

    fn bytes<const N: usize>(text: &str) -> [u8; N] {
        hex::decode(text).unwrap().try_into().unwrap()
    }

    /// R2 and R1 of a row of [`MEASURED`].
    fn nonces_of(text: &str) -> Nonces {
        let (card, host) = text.split_at(32);
        Nonces { card: bytes(card), host: bytes(host) }
    }

    /// Z1 of a recorded token.
    fn secret(token: &[u8; TOKEN]) -> [u8; SECRET] {
        let cipher = cipher(&key()).unwrap();
        let mut last = Array::from(bytes::<BLOCK>(&hex::encode(&token[32..])));
        cipher.decrypt_block(&mut last);
        let plain = xor(last.into(), bytes(&hex::encode(&token[24..32])));
        assert_eq!(plain[7], END);
        plain[..7].try_into().unwrap()
    }

    #[test]
    fn measured_tokens_are_made_and_taken() {
        for [nonces, host, card] in MEASURED {
            let (nonces, host, card) = (nonces_of(nonces), bytes::<TOKEN>(host), bytes::<TOKEN>(card));
            assert_eq!(token(&key(), &nonces, &secret(&host)).unwrap().expose(), host);
            assert!(proves(&key(), &nonces, &card).unwrap());
            // The host's own token, sent back to it, is no proof.
            assert!(!proves(&key(), &nonces, &host).unwrap());
        }
    }

    #[test]
    fn a_changed_bit_of_the_proof_is_noticed() {
        let [nonces, _, card] = MEASURED[0];
        let (nonces, card) = (nonces_of(nonces), bytes::<TOKEN>(card));
        for bit in 0..8 * TOKEN {
            let mut changed = card;
            changed[bit / 8] ^= 1 << (bit % 8);
            // The last block holds seven bytes that only the card knows, and the 80 behind them: another 80 is possible, but
            // not for any of these.
            assert!(!proves(&key(), &nonces, &changed).unwrap(), "bit {bit}");
        }
        for length in [0, 8, 32, 39] {
            assert!(!proves(&key(), &nonces, &card[..length]).unwrap());
        }
        let other = AdminKey::new(&[0; 24]).unwrap();
        assert!(!proves(&other, &nonces, &card).unwrap());
    }

    #[test]
    fn a_key_of_another_length_is_told() {
        let aes = AdminKey::new(&[0; 16]).unwrap();
        let nonces = Nonces { card: [0; NONCE], host: [0; NONCE] };
        assert!(matches!(token(&aes, &nonces, &[0; SECRET]), Err(CardError::KeyLength { length: 16, expected: 24 })));
    }
}
