//! What a record says of one moment of a job: what it is about to do, or has done, and what it has shown to the card.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::job::effect::ProofState;

/// What a job is at. An enrollment passes most of these, the PIN step `prove`, `pin` and `verify`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// The request at the server: created, or waiting to be approved.
    Request,
    /// The request is bound to a card.
    Bind,
    /// A proof is shown to the card by itself.
    Prove,
    /// The admin key is replaced.
    AdminKey,
    /// The PIN is set.
    Pin,
    /// The card verifies the PIN.
    Verify,
    /// A key pair is generated.
    KeyPair,
    /// The certificate requests are handed in.
    Submission,
    /// A certificate is written.
    Certificate,
    /// The request is completed at the server.
    Completion,
    /// The keys and certificates that the card holds are erased: noted before each slot, and once when all of them are done.
    Wipe,
    /// The card is retired.
    Retirement,
    /// A later job on the same card has ended well, and this one needs nobody any more.
    Settled,
}

/// How far the stage has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// It is to be done now. Found after a crash: it may have been done.
    AboutTo,
    /// It was done.
    Done,
    /// It was not done: the card, the server or the job itself refused it.
    Refused,
    /// It was done or not: the answer did not arrive, or contradicts itself.
    Unknown,
}

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// A card with PIN, admin key and certificates, as far as the template wants them.
    Enroll,
    /// A new PIN on a card that the request is bound to from the beginning.
    Unblock,
    /// The card's end at the server.
    Retire,
}

/// The SHA-256 of a public key.
pub type KeyHash = [u8; 32];

/// What is known at an entry. A fact holds until a later entry of the record names another.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The reader's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reader: Option<String>,
    /// The card's ATR in lower-case hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub atr: Option<String>,
    /// The card ID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card_id: Option<Uuid>,
    /// The request worked on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Uuid>,
    /// For whom the request is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_user: Option<Uuid>,
    /// The profile template of the server's card object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<Uuid>,
    /// That template's name, where the server was asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template_name: Option<String>,
    /// The server's card object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smartcard: Option<Uuid>,
    /// How the right to write is proved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<String>,
    /// Which admin key the answer was made with, as the server was told: `default` or `diversified`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admin_key: Option<String>,
    /// Who made the PIN: `server` or `user`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin_source: Option<String>,
    /// What the request asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<Purpose>,
    /// The comment with which the request is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// The requests that the server showed before this one is made, and that are like it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub known_requests: Vec<Uuid>,
    /// The place of the key pair among those that the server wants, from 0. Holds for its entry alone,
    /// as do the other facts of a key pair.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pair: Option<usize>,
    /// The public key that the slot had before the generation; `None`: it had none.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "key_hash")]
    pub key_before: Option<KeyHash>,
    /// The public key that was generated.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "key_hash")]
    pub key_made: Option<KeyHash>,
    /// The name of the container that the key pair is made in, on a card whose keys have such names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// The type of the key pair.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_type: Option<String>,
    /// The file beside the record that keeps the server's answer to the certificate requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<String>,
    /// The slot of the key pair.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<String>,
    /// The certificate's thumbprint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thumbprint: Option<String>,
    /// The step at which the job stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped_at: Option<String>,
    /// The status word with which the card refused that step, in hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_word: Option<String>,
}

impl Facts {
    /// These facts, and those of an earlier entry that hold for a whole record and that these say nothing of.
    pub(super) fn beside(self, earlier: &Self) -> Self {
        Self {
            reader: self.reader.or_else(|| earlier.reader.clone()),
            atr: self.atr.or_else(|| earlier.atr.clone()),
            card_id: self.card_id.or(earlier.card_id),
            request: self.request.or(earlier.request),
            target_user: self.target_user.or(earlier.target_user),
            template: self.template.or(earlier.template),
            template_name: self.template_name.or_else(|| earlier.template_name.clone()),
            smartcard: self.smartcard.or(earlier.smartcard),
            authority: self.authority.or_else(|| earlier.authority.clone()),
            admin_key: self.admin_key.or_else(|| earlier.admin_key.clone()),
            pin_source: self.pin_source.or_else(|| earlier.pin_source.clone()),
            purpose: self.purpose.or(earlier.purpose),
            ..self
        }
    }
}

/// One moment of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// RFC 3339, seconds, UTC.
    pub at: String,
    /// What the job is at.
    pub stage: Stage,
    /// How far that has come.
    pub phase: Phase,
    /// What has become of the proof that this stage or an earlier one has shown.
    pub proof: ProofState,
    /// What is known.
    #[serde(default)]
    pub facts: Facts,
}

/// A hash as hex text.
mod key_hash {
    use serde::{Deserialize, Deserializer, Serializer};

    use super::KeyHash;

    #[allow(clippy::ref_option, reason = "serde calls it so")]
    pub fn serialize<S: Serializer>(hash: &Option<KeyHash>, serializer: S) -> Result<S::Ok, S::Error> {
        match hash {
            Some(hash) => serializer.serialize_str(&hex::encode(hash)),
            None => serializer.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<KeyHash>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        let mut hash = KeyHash::default();
        let read = |text: String| hex::decode_to_slice(text, &mut hash).map(|()| hash);
        text.map(read).transpose().map_err(|_| serde::de::Error::custom("no SHA-256"))
    }
}
