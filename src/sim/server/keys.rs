//! Admin keys and the answers that they give to challenges.

use cipher::{Array, BlockCipherEncrypt, KeyInit};
use des::TdesEde3;
use uuid::Uuid;

/// A two- or three-key 3DES key as stored on cards.
pub type AdminKey = [u8; 24];

/// Default of [`super::Settings::diversification_secret`]; a constant, so that runs can be repeated.
pub(super) const SAMPLE_SECRET: AdminKey = *b"stand-in, not a secret!!";

const BLOCK: usize = 8;

/// The answer to `challenge`, or `None` when it is not whole blocks.
///
/// One block is plain 3DES. Microsoft's documents disagree on ECB and CBC for more; minidrivers with longer challenges
/// use CBC with a zero IV, which is the same for one block. Weak keys are served: the default keys in use are weak.
#[must_use]
pub fn respond(key: &AdminKey, challenge: &[u8]) -> Option<Vec<u8>> {
    if challenge.is_empty() || !challenge.len().is_multiple_of(BLOCK) {
        return None;
    }
    let cipher = TdesEde3::new(&Array::from(*key));
    let mut chained = [0u8; BLOCK];
    let mut answer = Vec::with_capacity(challenge.len());
    for plain in challenge.chunks_exact(BLOCK) {
        for (byte, plain) in chained.iter_mut().zip(plain) {
            *byte ^= plain;
        }
        let mut block = Array::from(chained);
        cipher.encrypt_block(&mut block);
        chained = block.into();
        answer.extend_from_slice(&chained);
    }
    Some(answer)
}

/// The key of one card: the same for each call, odd parity, three different parts, like the sample of
/// "Get smartcard diversified key".
#[must_use]
pub fn diversify(secret: &AdminKey, card_id: Uuid) -> AdminKey {
    let mut key = [0u8; 24];
    let mut made = 0;
    // Parts that become equal once parity is set are skipped, hence the counter beyond three.
    for counter in 0..=u8::MAX {
        if made == 3 {
            break;
        }
        let part = part(secret, card_id, counter);
        if !key.chunks_exact(BLOCK).take(made).any(|seen| seen == part) {
            key[made * BLOCK..][..BLOCK].copy_from_slice(&part);
            made += 1;
        }
    }
    key
}

fn part(secret: &AdminKey, card_id: Uuid, counter: u8) -> [u8; BLOCK] {
    let mut input = card_id.as_bytes().to_vec();
    input.extend_from_slice(&[counter; BLOCK]);
    let mut part = [0u8; BLOCK];
    if let Some(mac) = respond(secret, &input) {
        part.copy_from_slice(&mac[mac.len() - BLOCK..]);
    }
    part.map(|byte| (byte & 0xFE) | u8::from((byte >> 1).count_ones().is_multiple_of(2)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers() {
        let sample = hex::decode("d61143f9ccffd2ca").unwrap();
        assert_eq!(hex::encode(respond(&[0; 24], &sample).unwrap()), "17466e766e303cb6");
        let mut key = [0; 24];
        for (i, byte) in key.iter_mut().enumerate() {
            *byte = (i % 8 + 1) as u8;
        }
        let challenge = hex::decode("0557897f8d84407b").unwrap();
        assert_eq!(hex::encode(respond(&key, &challenge).unwrap()), "7716f4b2d7214eb2");
    }

    #[test]
    fn longer_challenges_are_chained() {
        let key = *b"abcdefghijklmnopqrstuvwx";
        let first = respond(&key, &[7; 8]).unwrap();
        let both = respond(&key, &[[7; 8], [9; 8]].concat()).unwrap();
        assert_eq!(both[..8], first[..]);
        let second: Vec<u8> = first.iter().map(|b| b ^ 9).collect();
        assert_eq!(both[8..], respond(&key, &second).unwrap()[..]);
        assert!(respond(&key, &[1; 7]).is_none());
        assert!(respond(&key, &[]).is_none());
    }

    #[test]
    fn diversified_keys_have_odd_parity_and_three_parts() {
        let (a, b) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let key = diversify(&SAMPLE_SECRET, a);
        assert!(key.iter().all(|byte| byte.count_ones() % 2 == 1));
        assert!(key[..8] != key[8..16] && key[8..16] != key[16..] && key[..8] != key[16..]);
        assert!(key == diversify(&SAMPLE_SECRET, a));
        assert!(key != diversify(&SAMPLE_SECRET, b));
    }
}
