//! What an enrollment would do, stage by stage.

use uuid::Uuid;

use crate::job::{CardIdentity, Cause};

/// A planned enrollment. Nothing was written to draw it, at the server or on the card.
#[derive(Debug)]
pub struct EnrollPlan {
    /// The card.
    pub card: CardIdentity,
    /// The request; `None` where there is none yet.
    pub request: Option<Uuid>,
    /// The profile template, for people.
    pub template: Option<String>,
    /// For whom the request is, where the server says.
    pub target_user: Option<Uuid>,
    /// What would be done, in order.
    pub stages: Vec<PlannedStage>,
    /// Why it would stop behind these, where that can be told already.
    pub stop: Option<Cause>,
}

/// One stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedStage {
    /// Its name in JSON, as in the journal.
    pub name: &'static str,
    /// What it does, as a phrase.
    pub what: String,
    /// The calls to the server: method and path.
    pub calls: Vec<String>,
    /// The commands to the card, by their names.
    pub commands: Vec<String>,
}
