//! What a local admin key is used for: the answer to a challenge, and the check value of the key itself.

pub(super) mod mutual;

use aes::{Aes128, Aes192, Aes256};
use cipher::{Array, BlockCipherEncrypt, KeyInit};
use des::TdesEde3;
use zeroize::{Zeroize, Zeroizing};

use super::Card;
use super::challenge::{AdminChallenge, Challenge};
use super::credential::Credential;
use super::error::CardError;
use super::pin_job::PinJob;
use crate::apdu::Channel;
use crate::secret::{AdminKey, AdminResponse};

/// Bytes of a check value.
pub(super) const CHECK_VALUE: usize = 3;

/// Answers a challenge: 8 bytes with Triple DES, as Microsoft's smart card minidriver guide defines it (for one block ECB and
/// CBC with a zero vector are the same); 16 bytes with AES (ECB, one block); a mutual authentication with its token.
///
/// # Errors
/// A key that is not of the cipher's length; no randomness for the token.
pub fn answer(key: &AdminKey, challenge: &Challenge) -> Result<AdminResponse, CardError> {
    match challenge {
        Challenge::Admin(AdminChallenge::Eight(block)) => block_answer::<TdesEde3, 8>(key, *block),
        Challenge::Admin(AdminChallenge::Sixteen(block)) => match key.expose().len() {
            16 => block_answer::<Aes128, 16>(key, *block),
            24 => block_answer::<Aes192, 16>(key, *block),
            _ => block_answer::<Aes256, 16>(key, *block),
        },
        Challenge::Mutual(nonces) => {
            let mut secret = Zeroizing::new([0; mutual::SECRET]);
            getrandom::fill(secret.as_mut_slice()).map_err(CardError::NoRandomness)?;
            Ok(AdminResponse::mutual(mutual::token(key, nonces, &secret)?, key))
        }
    }
}

/// Has the card take this key's answer to a new challenge. **Costs a try of the admin key when the card has another one, where
/// the card counts them.**
///
/// # Errors
/// The card's refusal, no answer, or a key that does not fit the challenge.
pub(super) fn authenticate(card: &mut dyn Card, channel: &mut Channel<'_>, key: &AdminKey) -> Result<(), CardError> {
    let challenge = card.challenge(channel)?;
    card.authorize(channel, &Credential::Answer(answer(key, &challenge)?))
}

/// The check value of a Triple DES key: the first three bytes of eight enciphered zero bytes. It tells a key that was garbled on
/// its way from the key that was meant.
///
/// # Errors
/// A key of another length.
pub(super) fn check_value(key: &AdminKey) -> Result<[u8; CHECK_VALUE], CardError> {
    let block = block_answer::<TdesEde3, 8>(key, [0; 8])?;
    let mut value = [0; CHECK_VALUE];
    value.iter_mut().zip(block.expose()).for_each(|(to, from)| *to = *from);
    Ok(value)
}

/// One enciphered block. Weak keys are taken, since factory keys are weak and the card decides what it accepts.
fn block_answer<C, const N: usize>(key: &AdminKey, block: [u8; N]) -> Result<AdminResponse, CardError>
where
    C: KeyInit + BlockCipherEncrypt,
    Array<u8, C::BlockSize>: From<[u8; N]>,
{
    let length = key.expose().len();
    let cipher =
        C::new_from_slice(key.expose()).map_err(|_| CardError::KeyLength { length, expected: C::key_size() })?;
    let mut block = Array::<u8, C::BlockSize>::from(block);
    cipher.encrypt_block(&mut block);
    let answer = AdminResponse::new(&block);
    block.as_mut_slice().zeroize();
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::card::challenge::Nonces;

    fn key(digits: &str) -> AdminKey {
        AdminKey::from_hex(digits.as_bytes()).unwrap()
    }

    fn check(digits: &str, challenge: &str, expected: &str) {
        let challenge = Challenge::admin(&hex::decode(challenge).unwrap()).unwrap();
        assert_eq!(hex::encode_upper(answer(&key(digits), &challenge).unwrap().expose()), expected);
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

    /// As recorded on GidsApplet, and the one of the all-zero key.
    #[test]
    fn known_check_values() {
        for (digits, value) in [
            ("00".repeat(24), "8CA64D"),
            ("0102030405060708".repeat(3), "B073DC"),
            ("981540F87A2907F81CFBA16E2AC42AC7E397D3584AD56408".to_owned(), "68390B"),
        ] {
            assert_eq!(hex::encode_upper(check_value(&key(&digits)).unwrap()), value);
        }
        assert!(matches!(check_value(&key(&"01".repeat(32))), Err(CardError::KeyLength { length: 32, expected: 24 })));
    }

    #[test]
    fn a_key_of_another_cipher_answers_nothing() {
        let challenge = Challenge::admin(&[0; 8]).unwrap();
        for length in [16, 32] {
            let key = AdminKey::new(&vec![1; length]).unwrap();
            let refused = answer(&key, &challenge).unwrap_err();
            assert!(matches!(refused, CardError::KeyLength { length: own, expected: 24 } if own == length));
        }
    }

    #[test]
    fn a_token_is_another_one_each_time() {
        let key = AdminKey::new(&[1; 24]).unwrap();
        let challenge = Challenge::Mutual(Nonces { card: [7; 16], host: [7; 16] });
        let (one, other) = (answer(&key, &challenge).unwrap(), answer(&key, &challenge).unwrap());
        assert_eq!((one.length(), other.length()), (mutual::TOKEN, mutual::TOKEN));
        assert_eq!(one.expose()[..32], other.expose()[..32]);
        assert_ne!(one.expose()[32..], other.expose()[32..]);
    }
}
