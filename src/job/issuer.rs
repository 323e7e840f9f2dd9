//! The server as the PIN step sees it: one question about the card, one for the secrets.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::cause::Cause;
use super::fit::PolicyLengths;
use crate::secret::AdminResponse;
use crate::server::{AdminKeyVersion, CardParameters, ProposedPin};

/// Ids that a person gave; what isn't given is found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wanted {
    /// `--smartcard`.
    pub smartcard: Option<Uuid>,
    /// `--request`.
    pub request: Option<Uuid>,
    /// Where no request of the caller's own names the card, others that the caller may see are looked at too.
    pub visible: bool,
}

/// Who makes the PIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PinMaker {
    /// The server: a 204 then is a contradiction and no reason to ask a person.
    Server,
    /// The user: the server isn't asked.
    User,
    /// Not known beforehand: the server's 200 or 204 decides.
    Ask,
}

/// What the server's records say about the card's job.
#[derive(Debug, Clone)]
pub struct Assignment {
    /// The card object (scid).
    pub smartcard: Uuid,
    /// The open request bound to it.
    pub request: Option<Uuid>,
    /// For whom that request is, by the request and the card's record alike; `None` where one of them does not say.
    pub target_user: Option<Uuid>,
    /// The request was found among those of others.
    pub is_of_others: bool,
    /// The server says that work on the request has begun.
    pub is_executing: bool,
    /// The profile template of the card's record.
    pub template: Option<Uuid>,
    /// That template's name, where it was asked for.
    pub template_name: Option<String>,
    /// Which admin key is on the card, or the evidence that does not settle it.
    pub admin_key: Result<AdminKeyVersion, String>,
    /// What says which admin key it is, as a clause.
    pub evidence: String,
    /// The card's ATR by the server's record, as it stands there; empty where the record has none.
    pub atr: String,
    /// Who makes the PIN.
    pub pin_maker: PinMaker,
    /// The policy's own word for that.
    pub pin_option: String,
    /// Lengths that the policy sets.
    pub policy: PolicyLengths,
}

impl Assignment {
    /// The profile template for people: its id, and its name where that was asked for.
    #[must_use]
    pub fn template_told(&self) -> Option<String> {
        self.template.map(|id| template_told(id, self.template_name.as_deref()))
    }
}

/// A profile template for people.
#[must_use]
pub fn template_told(id: Uuid, name: Option<&str>) -> String {
    name.map_or_else(|| id.to_string(), |name| format!("{name:?} ({id})"))
}

/// What to ask for in the one moment when the card waits.
#[derive(Debug, Clone, Copy)]
pub struct Question {
    /// The proposed PIN.
    pub pin: bool,
    /// The answer to the challenge, with this key.
    pub answer: Option<AdminKeyVersion>,
}

/// What was asked for.
#[derive(Debug, Default)]
pub struct Answers {
    /// The proposed PIN, or that the user supplies it.
    pub pin: Option<ProposedPin>,
    /// The answer to the challenge.
    pub answer: Option<AdminResponse>,
}

/// Called again and again while the server is awaited; an error ends the wait.
pub type Watch<'a> = &'a mut dyn FnMut() -> Result<(), Cause>;

/// The server's part of the job.
pub trait Issuer {
    /// Has the connection to the server made, sign-in included, and returns at once. No call is sent. What goes wrong is told by the call
    /// that comes to it.
    fn connect(&mut self) {}

    /// Begins what [`Issuer::resolve`] with the same values then waits for, and returns at once.
    fn look_up(&mut self, card: &CardParameters, wanted: Wanted) {
        let _ = (card, wanted);
    }

    /// Finds the card's record, its open request and its template's policy. Nothing secret is fetched.
    ///
    /// # Errors
    /// The server's refusal or failure, or records that lead to no job.
    fn resolve(&mut self, card: &CardParameters, wanted: Wanted, watch: Watch<'_>) -> Result<Assignment, Cause>;

    /// Asks for the secrets, all at the same time.
    ///
    /// # Errors
    /// The server's refusal or failure; an answer that is none.
    fn ask(
        &mut self,
        assignment: &Assignment,
        card: &CardParameters,
        question: Question,
        watch: Watch<'_>,
    ) -> Result<Answers, Cause>;

    /// Asks for the name of a profile template; `None` where the server does not tell it.
    ///
    /// # Errors
    /// An interruption. A server that refuses or fails is no error here: a job needs no name.
    fn template_name(&mut self, template: Uuid, watch: Watch<'_>) -> Result<Option<String>, Cause>;

    /// Lets go of connections and what they have read: called before a wait of unknown length. A later call opens new ones.
    fn close(&mut self) {}
}
