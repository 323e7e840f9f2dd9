//! What a person says yes or no to before an enrollment changes anything at the server or on the card.

use uuid::Uuid;

use super::identity::CardIdentity;

/// All that an enrollment is about to do, as far as it is known.
#[derive(Debug, Clone)]
pub struct Undertaking<'a> {
    /// The card.
    pub card: &'a CardIdentity,
    /// The request; `None` where it is still to be made.
    pub request: Option<Uuid>,
    /// For whom it is, where the server says.
    pub target_user: Option<Uuid>,
    /// The profile template, for people.
    pub template: Option<String>,
    /// What is to be done, as clauses in their order.
    pub stages: Vec<String>,
    /// What would be lost on the card, as clauses.
    pub lost: Vec<String>,
    /// What a person should know beside it, as sentences without their full stops.
    pub notes: Vec<String>,
}
