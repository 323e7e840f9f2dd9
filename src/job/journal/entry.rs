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
    /// A certificate is written.
    Certificate,
    /// The request is completed at the server.
    Completion,
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
