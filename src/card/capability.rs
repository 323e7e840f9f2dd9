//! What some cards can do beside the PIN job: one trait each, handed out by [`super::Card`] where the family can do it.

use super::digest::Digest;
use super::error::CardError;
use super::key_algorithm::KeyAlgorithm;
use super::key_pair::{KeyType, PublicKey};
use super::key_slot::{Held, KeySlot, Room, SlotChoice, Vacant};
use super::proof::Proof;
use crate::apdu::Channel;
use crate::secret::{AdminKey, Code};

/// The key of the card's administrator can be replaced: the admin key of a GIDS card, the management key of a PIV card.
///
/// The card takes the new key at once and gives no key back to be compared, so a written key is proved before anybody is told
/// of it.
pub trait AdminKeyChange {
    /// The algorithms that the card's key can be of.
    fn key_algorithms(&self) -> &'static [KeyAlgorithm];

    /// Whether the card's key can be replaced by one that a server knows, 24 bytes of Triple DES. Nothing on GIDS; up to 8 commands on
    /// PIV, where a card whose key's algorithm is not known yet is asked for a challenge. Costs no try.
    ///
    /// # Errors
    /// No answer.
    fn hindrance(&mut self, channel: &mut Channel<'_>) -> Result<Option<AdminKeyHindrance>, CardError>;

    /// Writes the key, after the administrator has proved himself with the old one ([`super::PinJob::authorize`]); he stays
    /// authenticated. 1 command, and 1 before it where the card has to say that it knows it. Costs no try.
    ///
    /// # Errors
    /// The card's refusal: the old key stays. No answer: either key may be the card's. An algorithm that the card has no key
    /// of, or a key of another length: nothing was sent.
    fn write_admin_key(
        &mut self,
        channel: &mut Channel<'_>,
        algorithm: KeyAlgorithm,
        key: &AdminKey,
    ) -> Result<(), CardError>;

    /// Has the card take an answer made with this key to a new challenge. Drops an earlier challenge and an earlier
    /// authentication. **Costs a try of the admin key when it is another one, where the card counts them.**
    ///
    /// # Errors
    /// The card's refusal: it has another key. A card that does not prove itself in a mutual authentication, a key that does
    /// not fit the challenge, no answer.
    fn prove_admin_key(&mut self, channel: &mut Channel<'_>, key: &AdminKey) -> Result<(), CardError>;
}

/// Why the administrator's key of a card is left as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdminKeyHindrance {
    /// It is of another algorithm than a server's, which is never changed.
    Algorithm(KeyAlgorithm),
    /// The card keeps a copy of it behind the PIN, or it is derived from the PIN: who replaces the key alone locks out the tool that
    /// has set the card up so.
    PinProtected,
    /// The card has no command that replaces it.
    NoCommand,
}

impl AdminKeyHindrance {
    /// As a clause.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::Algorithm(KeyAlgorithm::TripleDes) => "its management key is of Triple DES",
            Self::Algorithm(KeyAlgorithm::Aes128) => {
                "its management key is of AES-128, and the server has Triple DES keys"
            }
            Self::Algorithm(KeyAlgorithm::Aes192) => {
                "its management key is of AES-192, and the server has Triple DES keys"
            }
            Self::Algorithm(KeyAlgorithm::Aes256) => {
                "its management key is of AES-256, and the server has Triple DES keys"
            }
            Self::PinProtected => {
                "its management key is protected by the PIN, so that whoever knows the PIN has the key"
            }
            Self::NoCommand => "it has no command that sets the management key",
        }
    }
}

/// The code that sets a forgotten PIN can be replaced: the PUK of a PIV card, the admin PIN (PW3) of an OpenPGP card.
pub trait CodeChange {
    /// Which code it is: [`Proof::Puk`] or [`Proof::AdminPin`].
    fn code(&self) -> Proof;

    /// Replaces the code. **Costs a try of it when `current` is wrong.**
    ///
    /// # Errors
    /// The card's refusal: the old code stays. No answer: either code may be the card's. A code of a length that this card's
    /// can't have: nothing was sent.
    fn change_code(&mut self, channel: &mut Channel<'_>, current: &Code, new: &Code) -> Result<(), CardError>;
}

/// The card keeps a table of its certificate files.
pub trait CertificateFiles {
    /// The names of the certificate files. 1 command. Costs no try.
    ///
    /// # Errors
    /// No answer, a table that can't be read, or a card that has nothing selected any more. A card that has no table yet, or
    /// shows it to nobody, has no names.
    fn names(&mut self, channel: &mut Channel<'_>) -> Result<Vec<String>, CardError>;
}

/// The card makes key pairs and signs with them; a private key never leaves it. Nothing here costs a try.
///
/// On a GIDS card each call but the readings needs the verified PIN. On a PIV card a key is made by the holder of the management
/// key, who is authenticated, and signs after the PIN was verified (9C: right before each signature; 9E: without a PIN).
pub trait Keys {
    /// What key pairs the family makes here.
    fn key_types(&self) -> &'static [KeyType];

    /// Every slot that is not empty, as far as the card tells. 3 commands on GIDS; up to 9 on PIV.
    ///
    /// # Errors
    /// No answer; a table that can't be read.
    fn held(&mut self, channel: &mut Channel<'_>) -> Result<Vec<Held>, CardError>;

    /// Whether there is room for a key pair, asked before anything is made. 3 commands on GIDS, 1 to 3 on PIV.
    ///
    /// # Errors
    /// As [`Keys::held`]; a slot that this family has none of.
    fn room(&mut self, channel: &mut Channel<'_>, choice: SlotChoice) -> Result<Room, CardError>;

    /// Makes a key pair, up to half a minute long, and registers it where other programs look for keys. `name` is a container's,
    /// which a PIV card has none of. What stands in a place that was given up is erased first, the certificate before the key.
    ///
    /// On GIDS the key is made before the tables tell of it: after a power cut between any two commands the card has either no
    /// key that a program would find, or a whole one, and the same call made again ends well. 10 commands, and 8 more from
    /// the fourth container on, whose table one command does not hold; 2 on PIV, and one more where a certificate is erased.
    ///
    /// # Errors
    /// The card's refusal; no room left: nothing was made. No answer: the slot may have a key, or half of its registration.
    fn generate(
        &mut self,
        channel: &mut Channel<'_>,
        place: &Vacant,
        key_type: KeyType,
        name: &str,
    ) -> Result<PublicKey, CardError>;

    /// The public key in a slot, whether it is registered or not; `None` where there is none, or the card tells none. 1 command and
    /// one for a long answer; up to 2 on PIV, whose cards tell it with Yubico's metadata only.
    ///
    /// # Errors
    /// No answer; an answer that holds no key.
    fn public_key(&mut self, channel: &mut Channel<'_>, slot: KeySlot) -> Result<Option<PublicKey>, CardError>;

    /// Signs a digest: PKCS#1 v1.5 with an RSA key, the DER of `ECDSA-Sig-Value` with another. 2 commands on GIDS; on PIV 1, and 3 with
    /// an RSA key, whose block and answer are long.
    ///
    /// # Errors
    /// The card's refusal: `6982` without the PIN. An answer that holds no signature.
    fn sign(
        &mut self,
        channel: &mut Channel<'_>,
        slot: KeySlot,
        key_type: KeyType,
        digest: &Digest,
    ) -> Result<Vec<u8>, CardError>;

    /// Erases a container: certificate, registration and key. The tables forget the key before it is deleted. `false` where the
    /// family has no command that deletes a key, and nothing was sent.
    ///
    /// # Errors
    /// The card's refusal, or no answer: some of it may be erased, and the same call made again erases the rest.
    fn erase(&mut self, channel: &mut Channel<'_>, slot: KeySlot) -> Result<bool, CardError>;
}

/// The card keeps a certificate (DER) beside each key. Nothing here costs a try.
///
/// Writing needs the verified PIN on GIDS, and on PIV the holder of the management key. Reading needs nothing.
pub trait Certificates {
    /// The slots that have a certificate. 1 command on GIDS, 4 on PIV and those for long answers.
    ///
    /// # Errors
    /// No answer; a table that can't be read.
    fn list(&mut self, channel: &mut Channel<'_>) -> Result<Vec<KeySlot>, CardError>;

    /// The certificate of a slot, uncompressed; `None` where there is none. 2 commands on GIDS, 1 on PIV, and those for a long answer.
    ///
    /// # Errors
    /// No answer; content of a form that is not known.
    fn read(&mut self, channel: &mut Channel<'_>, slot: KeySlot) -> Result<Option<Vec<u8>>, CardError>;

    /// Writes the certificate of a slot, in place of one that it has. It is not read back here.
    ///
    /// On GIDS the table tells of the new one when all of it is there, and of the old one until then: a power cut between any
    /// two commands leaves one of the two, and the same call made again ends well. (From the fourth certificate on one command does
    /// not hold the table of files: between its two blocks it lacks the files at its end, as with every program that adds one.) 4 commands, one more for each 255 bytes, and 2
    /// where it replaces another.
    ///
    /// # Errors
    /// The card's refusal; no room left; a certificate that is too long. No answer: the slot has the old one or the new one.
    fn write(&mut self, channel: &mut Channel<'_>, slot: KeySlot, certificate: &[u8]) -> Result<(), CardError>;

    /// Removes the certificate of a slot, where it has one.
    ///
    /// # Errors
    /// The card's refusal; no answer: the slot may have it still.
    fn remove(&mut self, channel: &mut Channel<'_>, slot: KeySlot) -> Result<(), CardError>;
}
