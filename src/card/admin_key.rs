//! The administrator's answer from a local admin key.

use cipher::{Array, BlockCipherEncrypt, KeyInit};
use des::TdesEde3;

use super::{CardError, Challenge};
use crate::secret::{AdminKey, AdminResponse};

/// One Triple DES block.
const BLOCK: usize = 8;

/// Encrypts an 8-byte challenge with Triple DES, as Microsoft's smart card minidriver guide defines the answer (for one block
/// ECB and CBC with a zero vector are the same).
///
/// # Errors
/// A challenge of another length: its mode is not documented.
pub fn answer(key: &AdminKey, challenge: &Challenge) -> Result<AdminResponse, CardError> {
    let wrong = CardError::ChallengeLength { length: challenge.0.len(), expected: BLOCK };
    let Ok(mut block) = Array::<u8, _>::try_from(challenge.0.as_slice()) else { return Err(wrong) };
    // No weak-key check: factory keys are weak, and the card decides what it accepts.
    let Ok(cipher) = TdesEde3::new_from_slice(key.expose()) else { return Err(wrong) };
    cipher.encrypt_block(&mut block);
    let answer = AdminResponse::new(&block);
    zeroize::Zeroize::zeroize(block.as_mut_slice());
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(key: &str, challenge: &str, expected: &str) {
        let key = AdminKey::from_hex(key.as_bytes()).unwrap();
        let challenge = Challenge(hex::decode(challenge).unwrap());
        assert_eq!(hex::encode_upper(answer(&key, &challenge).unwrap().expose()), expected);
    }

    #[test]
    fn known_answers() {
        // Microsoft's published sample: `1hFD+cz/0so=` under the all-zero key is `F0Zudm4wPLY=`.
        check(&"00".repeat(24), "D61143F9CCFFD2CA", "17466E766E303CB6");
        // Microsoft's developer guidelines.
        check(&"00".repeat(24), "A892D75601617C5D", "1951EC3EF81BBABB");
        // Accepted by GidsApplet; the second key has three different parts and is not weak.
        check(&"0102030405060708".repeat(3), "0557897F8D84407B", "7716F4B2D7214EB2");
        check("981540F87A2907F81CFBA16E2AC42AC7E397D3584AD56408", "0557897F8D84407B", "3964A93D124F7EA2");
    }

    #[test]
    fn a_challenge_of_another_length_is_not_guessed_at() {
        let key = AdminKey::new(&[1; 24]).unwrap();
        assert!(answer(&key, &Challenge(vec![0; 16])).is_err());
        assert!(answer(&key, &Challenge(Vec::new())).is_err());
    }
}
