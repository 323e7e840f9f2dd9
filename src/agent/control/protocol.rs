//! What is sent over the control socket: `pinwright.agent-control/1`, one JSON object a line.
//!
//! The client sends one [`Request`]. Answers: to `status` a `pinwright.agent-status/1`, to `follow` the same
//! and then a `pinwright.agent-event/1` for each event until one side goes, to `history` a `pinwright.history/1`, to `recheck` a
//! [`RecheckDone`], to `card` (with `card_id`) a `pinwright.agent-card/1`; in place of each a [`Refusal`]. Within a version fields are only added to answers; a request with a field that
//! the agent does not know is refused, since the agent could not do what it asks for.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The protocol's version.
pub const SCHEMA: &str = "pinwright.agent-control/1";

/// The longest request line, its line end included.
pub const REQUEST_MAX: usize = 4096;

/// What a client sends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// [`SCHEMA`].
    pub schema: String,
    /// What it asks for.
    pub command: Command,
    /// With [`Command::Card`], and only there: the card ID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card_id: Option<Uuid>,
}

impl Request {
    /// Asks what the agent's journal holds about this card.
    #[must_use]
    pub fn about_card(card_id: Uuid) -> Self {
        Self { card_id: Some(card_id), ..Command::Card.request() }
    }
}

/// What can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Command {
    /// The agent's state.
    Status,
    /// The agent's state, and every event from then on.
    Follow,
    /// The journal's records.
    History,
    /// To ask the server now about every card that waits.
    Recheck,
    /// The journal's records of one card, as they are.
    Card,
}

impl Command {
    /// The request for it.
    #[must_use]
    pub fn request(self) -> Request {
        Request { schema: SCHEMA.to_owned(), command: self, card_id: None }
    }
}

/// The answer to `recheck`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecheckDone {
    /// [`SCHEMA`].
    pub schema: String,
    /// `done`.
    pub outcome: String,
    /// About how many cards the server is asked now.
    pub asked: usize,
}

impl RecheckDone {
    /// About that many cards.
    #[must_use]
    pub fn new(asked: usize) -> Self {
        Self { schema: SCHEMA.to_owned(), outcome: "done".to_owned(), asked }
    }
}

/// The answer in place of every other: the request is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// [`SCHEMA`].
    pub schema: String,
    /// `failed`.
    pub outcome: String,
    /// Why.
    pub error: RefusalDetail,
}

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusalDetail {
    /// For programs.
    pub reason: Reason,
    /// For people, with what to do.
    pub message: String,
}

/// Why a request is refused, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The client's user may not ask.
    NotAllowed,
    /// As many clients as there can be are being served.
    TooMany,
    /// The request line is too long.
    TooLong,
    /// The request line did not arrive in time.
    TooSlow,
    /// Not a request of this version.
    NotARequest,
    /// The journal can't be read.
    Journal,
    /// The agent is ending.
    Ending,
}

impl Refusal {
    /// A refusal for this reason.
    #[must_use]
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        let error = RefusalDetail { reason, message: message.into() };
        Self { schema: SCHEMA.to_owned(), outcome: "failed".to_owned(), error }
    }
}
