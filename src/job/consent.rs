//! The yes without which no card is written to: where it comes from, and what a person is told before they say it.

use super::authority::Authority;
use super::identity::CardIdentity;
use super::issuer::Assignment;

/// Where the yes comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It was said beforehand: by `--yes`, or by whoever configured the agent.
    Given,
    /// A person has to be asked.
    Ask,
    /// Nobody has said it, and nobody can be asked.
    Nobody,
}

/// What a person says yes or no to.
#[derive(Debug, Clone, Copy)]
pub struct Proposal<'a> {
    /// The card.
    pub card: &'a CardIdentity,
    /// What the server's records say of it.
    pub assignment: &'a Assignment,
    /// How the right to write would be proved.
    pub authority: Authority,
}
