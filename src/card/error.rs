//! What a card can say no to.

use thiserror::Error;

use super::id::IdError;
use super::key_algorithm::KeyAlgorithm;
use super::key_pair::KeyType;
use super::key_slot::KeySlot;
use super::proof::{Family, Proof};
use crate::apdu::tlv::TlvError;
use crate::apdu::{ApduError, Status};

/// A card operation that did not succeed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CardError {
    /// The card answered a command with a status word other than `9000`.
    #[error("the card answered {status} to {command}")]
    Refused {
        /// The command's name.
        command: &'static str,
        /// The status word.
        status: Status,
    },
    /// A wrong PIN or code: the card is as it was but for its counter. The counter was asked for afterwards where the status word
    /// does not tell it (`6300`), or the word tells it in a way that only this family reads so (`630x`).
    #[error("the card answered {status} to {command}; it has {left} tries left now")]
    Wrong {
        /// The command's name.
        command: &'static str,
        /// The status word.
        status: Status,
        /// Tries left.
        left: u8,
    },
    /// A status word that refuses, together with data: whether the card carried the command out is unknown.
    #[error("the card answered {command} with data before {status}: something garbled the answer")]
    Garbled {
        /// The command's name.
        command: &'static str,
        /// The status word.
        status: Status,
    },
    /// The command got no usable answer: whether the card carried it out is unknown.
    #[error("{command} got no answer from the card")]
    NoAnswer {
        /// The command's name.
        command: &'static str,
        /// Why.
        #[source]
        source: ApduError,
    },
    /// The answer is not BER-TLV.
    #[error("the card's {object} is not well-formed")]
    Malformed {
        /// What was read.
        object: &'static str,
        /// Where it breaks.
        #[source]
        source: TlvError,
    },
    /// The answer lacks what it should hold.
    #[error("the card's {object} has no {missing}")]
    Incomplete {
        /// What was read.
        object: &'static str,
        /// What isn't in it.
        missing: &'static str,
    },
    /// A card ID that can't tell this card from others.
    #[error("the card can't be identified")]
    UnusableId(#[from] IdError),
    /// A challenge that is not one block of the card's cipher.
    #[error("the card's challenge has {length} bytes, not {expected}")]
    ChallengeLength {
        /// Bytes given.
        length: usize,
        /// Bytes expected.
        expected: usize,
    },
    /// The answer's length isn't the challenge's.
    #[error("the admin answer has {length} bytes and the challenge {expected}")]
    AnswerLength {
        /// Bytes of the answer.
        length: usize,
        /// Bytes of the challenge.
        expected: usize,
    },
    /// An answer without its key, where the card proves itself in return: nothing was sent.
    #[error("the card proves itself in return, and its proof of {length} bytes can't be checked without the admin key")]
    OnlyByKey {
        /// Bytes of the answer, and of the card's proof.
        length: usize,
    },
    /// The card's own proof in a mutual authentication is wrong: the card has taken the answer and has not the key.
    #[error("the card has not proved that it has the admin key")]
    Unproven,
    /// No randomness for our half of a mutual authentication: nothing was sent.
    #[error("the operating system gives no random bytes")]
    NoRandomness(#[source] getrandom::Error),
    /// A PIN or code of a length that the card can't have: it was not sent.
    #[error("a PIN or code of {length} bytes is none of this card's, which have {min} to {max}")]
    PinLength {
        /// Bytes given.
        length: usize,
        /// Fewest.
        min: usize,
        /// Most.
        max: usize,
    },
    /// The card wants its passwords in a form that pinwright does not make: a plain one would cost a try. Nothing was sent.
    #[error("the card takes its passwords {format}, which pinwright does not make")]
    OtherPinFormat {
        /// In which form, as an adverbial phrase.
        format: &'static str,
    },
    /// The card's Global PIN is its primary one and its counter can't be read: nothing was sent that could cost a try of it.
    #[error("the card does not tell how many tries its Global PIN has left")]
    UncountedGlobalPin,
    /// A key whose length isn't its algorithm's: it was not sent.
    #[error("the key has {length} bytes and its algorithm's have {expected}")]
    KeyLength {
        /// Bytes given.
        length: usize,
        /// Bytes expected.
        expected: usize,
    },
    /// The card has no key of this algorithm: nothing was sent.
    #[error("cards of the family {family} have no {} key", .algorithm.name())]
    KeyAlgorithm {
        /// The family.
        family: Family,
        /// The algorithm.
        algorithm: KeyAlgorithm,
    },
    /// The card makes no key pairs of this type: nothing was sent.
    #[error("cards of the family {family} make no {} key pairs here", .key_type.name())]
    KeyType {
        /// The family.
        family: Family,
        /// What was asked for.
        key_type: KeyType,
    },
    /// A key slot of another family: nothing was sent.
    #[error("{slot} is no key slot of a card of the family {family}")]
    OtherSlot {
        /// The family.
        family: Family,
        /// The slot.
        slot: KeySlot,
    },
    /// The slot was free when the card was asked, and is in use now: nothing was written.
    #[error("the key slot {slot} has come into use since the card was asked")]
    NoLongerFree {
        /// The slot.
        slot: KeySlot,
    },
    /// The card has no memory for what a command would have written.
    #[error("the card has no room left (it answered {status} to {command})")]
    Full {
        /// The command's name.
        command: &'static str,
        /// The status word.
        status: Status,
    },
    /// An object that is too long, or a name that is: nothing was sent.
    #[error("the {object} does not fit on the card: it has {length} bytes, and at most {max} do")]
    TooLong {
        /// What was to be written.
        object: &'static str,
        /// Bytes or characters of it.
        length: usize,
        /// Most.
        max: usize,
    },
    /// A container needs a name that no other one of the card has: nothing was written.
    #[error("the container name {name:?} is empty or another container's already")]
    ContainerName {
        /// The name.
        name: String,
    },
    /// An object whose bytes are not in the form that its kind has.
    #[error("the card's {object} is in no form that is known")]
    UnknownForm {
        /// What was read.
        object: &'static str,
    },
    /// The family has no command that carries this proof: nothing was sent.
    #[error("cards of the family {family} can't be set a PIN with the {}", .proof.what())]
    NotTaken {
        /// The family.
        family: Family,
        /// The proof.
        proof: Proof,
    },
    /// The profile in the configuration doesn't say how.
    #[error("the card profile {profile:?} has no {missing}")]
    NotInProfile {
        /// The profile's name.
        profile: String,
        /// The table or key that would tell.
        missing: &'static str,
    },
}

impl CardError {
    /// Whether the card only says that it does not answer this: any refusal but `6986`, which a card gives that has nothing
    /// selected any more and would refuse everything.
    #[must_use]
    pub fn is_mere_refusal(&self) -> bool {
        matches!(self, Self::Refused { status, .. } if *status != Status::NOTHING_SELECTED)
    }

    /// The status word, where the card gave one.
    #[must_use]
    pub fn status(&self) -> Option<Status> {
        match self {
            Self::Refused { status, .. } | Self::Wrong { status, .. } | Self::Full { status, .. } => Some(*status),
            _ => None,
        }
    }
}
