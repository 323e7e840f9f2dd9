//! The yes without which no card is written to: where it comes from, and what a person is told before they say it.

use std::fmt;

use uuid::Uuid;

use super::authority::Authority;
use super::elsewhere::Whose;
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
    /// The earlier job that has done the same request on this card: its PIN would be replaced.
    pub done_before: Option<&'a DoneBefore>,
    /// The server says that work on the request has begun, and it was none of this journal's jobs.
    pub begun_elsewhere: bool,
}

/// What the journal says of a job that has done the same request on the same card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DoneBefore {
    /// The request.
    pub request: Uuid,
    /// The server's card object, as it is now.
    pub smartcard: Uuid,
    /// The earlier job's id.
    pub journal: String,
    /// Whose journal it is in.
    pub whose: Whose,
    /// When it was done, RFC 3339.
    pub at: String,
}

impl fmt::Display for DoneBefore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { request, journal, at, .. } = self;
        write!(f, "request {request} was done on this card already, at {at} ")?;
        match self.whose {
            Whose::Own => write!(f, "(journal {journal})"),
            Whose::Agent => write!(f, "({journal} in the agent's journal)"),
        }
    }
}

/// Why a request that was done may have to be done anew all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// It was done for another record of the server.
    OtherRecord,
    /// The card lets nobody try its PIN any more.
    Blocked,
    /// The agent may have set another PIN since.
    AgentSince,
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OtherRecord => "that was for another smart card record of the server",
            Self::Blocked => "the card's PIN is blocked",
            Self::AgentSince => "by the agent's journal a later job may have set another PIN",
        })
    }
}
