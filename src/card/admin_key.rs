//! The administrator's answer from a local admin key.

use aes::{Aes128, Aes192, Aes256};
use cipher::{Array, BlockCipherEncrypt, KeyInit};
use des::TdesEde3;

use super::gids::mutual;
use super::{CardError, Challenge};
use crate::secret::{AdminKey, AdminResponse};

/// One Triple DES block: what MIM CM's answer is documented for.
const TRIPLE_DES: usize = 8;

/// One AES block.
const AES: usize = 16;

impl Challenge {
    /// Whether MIM CM can answer it: its answer is documented for one Triple DES block and for nothing else.
    ///
    /// # Errors
    /// A challenge that only a local admin key can answer.
    pub fn for_server(&self) -> Result<(), CardError> {
        match self.0.len() {
            TRIPLE_DES => Ok(()),
            mutual::NONCES => Err(CardError::OnlyByKey { length: mutual::TOKEN }),
            length => Err(CardError::OnlyByKey { length }),
        }
    }

    /// The challenge as a parameter of a call to the server: empty where it is one half of a mutual authentication, which is
    /// no challenge to anybody else.
    #[must_use]
    pub fn parameter(&self) -> &[u8] {
        if self.0.len() == mutual::NONCES { &[] } else { &self.0 }
    }
}

/// Answers a challenge: 8 bytes with Triple DES, as Microsoft's smart card minidriver guide defines it (for one block ECB and
/// CBC with a zero vector are the same); 16 bytes with AES (ECB, one block); the 32 bytes of a GIDS card's mutual
/// authentication with its token.
///
/// # Errors
/// A challenge of another length; a key that is not of the cipher's length; no randomness for the token.
pub fn answer(key: &AdminKey, challenge: &Challenge) -> Result<AdminResponse, CardError> {
    let length = challenge.0.len();
    if let Ok(nonces) = <[u8; mutual::NONCES]>::try_from(challenge.0.as_slice()) {
        let mut secret = [0; 7];
        getrandom::fill(&mut secret).map_err(CardError::NoRandomness)?;
        return Ok(AdminResponse::mutual(mutual::token(key, &nonces, secret)?, key));
    }
    // No weak-key check: factory keys are weak, and the card decides what it accepts.
    match (length, key.expose().len()) {
        (TRIPLE_DES, 24) => block::<TdesEde3>(key, challenge),
        (TRIPLE_DES, length) => Err(CardError::KeyLength { length, expected: AdminKey::LENGTH }),
        (AES, 16) => block::<Aes128>(key, challenge),
        (AES, 24) => block::<Aes192>(key, challenge),
        (AES, _) => block::<Aes256>(key, challenge),
        _ => Err(CardError::ChallengeLength { length, expected: TRIPLE_DES }),
    }
}

fn block<C: KeyInit + BlockCipherEncrypt>(key: &AdminKey, challenge: &Challenge) -> Result<AdminResponse, CardError> {
    let length = challenge.0.len();
    let (Ok(cipher), Ok(mut block)) =
        (C::new_from_slice(key.expose()), Array::<u8, C::BlockSize>::try_from(challenge.0.as_slice()))
    else {
        return Err(CardError::ChallengeLength { length, expected: C::block_size() });
    };
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

    /// FIPS 197, appendix C.
    #[test]
    fn known_answers_of_aes() {
        let plain = "00112233445566778899AABBCCDDEEFF";
        let key = "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F";
        check(&key[..32], plain, "69C4E0D86A7B0430D8CDB78070B4C55A");
        check(&key[..48], plain, "DDA97CA4864CDFE06EAF70A0EC0D7191");
        check(key, plain, "8EA2B7CA516745BFEAFC49904B496089");
    }

    #[test]
    fn what_has_no_documented_answer_is_not_guessed_at() {
        let key = AdminKey::new(&[1; 24]).unwrap();
        for length in [0, 7, 24, 40] {
            assert!(matches!(answer(&key, &Challenge(vec![0; length])), Err(CardError::ChallengeLength { .. })));
        }
        let short = AdminKey::new(&[1; 16]).unwrap();
        assert!(matches!(answer(&short, &Challenge(vec![0; 8])), Err(CardError::KeyLength { .. })));
        assert!(Challenge(vec![0; 8]).for_server().is_ok());
        for (length, wanted) in [(16, 16), (32, 40)] {
            let refused = Challenge(vec![0; length]).for_server().unwrap_err();
            assert!(matches!(refused, CardError::OnlyByKey { length } if length == wanted));
        }
    }

    #[test]
    fn a_token_is_another_one_each_time() {
        let key = AdminKey::new(&[1; 24]).unwrap();
        let challenge = Challenge(vec![7; mutual::NONCES]);
        let (one, other) = (answer(&key, &challenge).unwrap(), answer(&key, &challenge).unwrap());
        assert_eq!((one.length(), other.length()), (mutual::TOKEN, mutual::TOKEN));
        assert_eq!(one.expose()[..32], other.expose()[..32]);
        assert_ne!(one.expose()[32..], other.expose()[32..]);
        assert!(challenge.parameter().is_empty());
    }
}
