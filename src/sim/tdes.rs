//! Three-key triple DES as the cards use it: ECB over one block, CBC with a zero IV over a token.
//!
//! No parity and no weak-key check: default admin keys in the field fail both.

use cipher::{BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use des::TdesEde3;

/// Length of one block.
pub(super) const BLOCK: usize = 8;

/// ECB encryption of one block.
pub(super) fn encrypt_block(key: &[u8; 24], block: [u8; BLOCK]) -> [u8; BLOCK] {
    let mut block = block.into();
    TdesEde3::new(&(*key).into()).encrypt_block(&mut block);
    block.into()
}

/// CBC encryption, zero IV, no padding. Bytes beyond the last whole block are dropped.
pub(super) fn encrypt_cbc(key: &[u8; 24], plain: &[u8]) -> Vec<u8> {
    let mut previous = [0; BLOCK];
    let mut out = Vec::with_capacity(plain.len());
    for block in plain.as_chunks::<BLOCK>().0 {
        previous = encrypt_block(key, xor(previous, *block));
        out.extend_from_slice(&previous);
    }
    out
}

/// CBC decryption, zero IV, no padding. Bytes beyond the last whole block are dropped.
pub(super) fn decrypt_cbc(key: &[u8; 24], secret: &[u8]) -> Vec<u8> {
    let cipher = TdesEde3::new(&(*key).into());
    let mut previous = [0; BLOCK];
    let mut out = Vec::with_capacity(secret.len());
    for block in secret.as_chunks::<BLOCK>().0 {
        let mut plain = (*block).into();
        cipher.decrypt_block(&mut plain);
        out.extend_from_slice(&xor(plain.into(), previous));
        previous = *block;
    }
    out
}

/// Key check value: first three bytes of the encryption of a zero block.
pub(super) fn check_value(key: &[u8; 24]) -> [u8; 3] {
    let [a, b, c, ..] = encrypt_block(key, [0; BLOCK]);
    [a, b, c]
}

fn xor(mut a: [u8; BLOCK], b: [u8; BLOCK]) -> [u8; BLOCK] {
    for (a, b) in a.iter_mut().zip(b) {
        *a ^= b;
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULT: [u8; 24] =
        *b"\x01\x02\x03\x04\x05\x06\x07\x08\x01\x02\x03\x04\x05\x06\x07\x08\x01\x02\x03\x04\x05\x06\x07\x08";

    #[test]
    fn agrees_with_published_answers() {
        // The pair printed in the MIM documentation (zero key), and one accepted by a card.
        let zero = encrypt_block(&[0; 24], 0xD611_43F9_CCFF_D2CA_u64.to_be_bytes());
        assert_eq!(zero, 0x1746_6E76_6E30_3CB6_u64.to_be_bytes());
        let card = encrypt_block(&DEFAULT, 0x0557_897F_8D84_407B_u64.to_be_bytes());
        assert_eq!(card, 0x7716_F4B2_D721_4EB2_u64.to_be_bytes());
    }

    #[test]
    fn check_values_agree_with_published_ones() {
        assert_eq!(check_value(&DEFAULT), [0xB0, 0x73, 0xDC]);
        assert_eq!(check_value(&[0; 24]), [0x8C, 0xA6, 0x4D]);
    }

    #[test]
    fn cbc_turns_back() {
        let plain: Vec<u8> = (0..40).collect();
        assert_eq!(decrypt_cbc(&DEFAULT, &encrypt_cbc(&DEFAULT, &plain)), plain);
    }
}
