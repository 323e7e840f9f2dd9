//! What an enrollment would do, told without doing it.

use uuid::Uuid;

use super::next::Next;
use super::outlook::outlook;
use super::run::Run;
use crate::card::Family;
use crate::job::{CardIdentity, Cause, Failure};

/// What an enrollment would do.
#[derive(Debug)]
pub struct EnrollPlan {
    /// The card.
    pub card: CardIdentity,
    /// The request; `None`: it is still to be made, or there is none.
    pub request: Option<Uuid>,
    /// The profile template, for people.
    pub template: Option<String>,
    /// For whom the request is, where the server says.
    pub target_user: Option<Uuid>,
    /// The stages to come.
    pub stages: Vec<PlannedStage>,
    /// What a person should know beside it, as sentences without their full stops.
    pub notes: Vec<String>,
    /// Why the job would end before its request is completed.
    pub stop: Option<Cause>,
}

/// A stage to come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedStage {
    /// Its name.
    pub name: &'static str,
    /// What it does, as a clause.
    pub what: String,
    /// The calls to the server that it makes, beside looks at its records.
    pub calls: Vec<String>,
    /// The commands that it sends to the card, after finding the card's application and ID again.
    pub commands: Vec<String>,
}

impl Run<'_> {
    /// Looks, and tells what would be done.
    pub(super) fn plan(mut self) -> Result<EnrollPlan, Failure> {
        let known = self.look_to_plan()?;
        let stages = outlook(&known.said, self.job.purpose);
        let lost = self.would_be_lost(&stages).into_iter().map(|lost| format!("lost on the card: {lost}"));
        let stop = match stages.last() {
            Some(Next::Stop(why)) => Some(Cause::from(self.stop(*why, &known.facts))),
            _ => None,
        };
        let request = known.facts.request.as_ref();
        let planned = |stage: &Next| {
            Some(PlannedStage {
                name: name(*stage)?,
                what: self.clause(*stage)?,
                calls: owned(calls(*stage, known.said.card.wants_admin_key_to_erase)),
                commands: owned(commands(*stage, self.card.family)),
            })
        };
        let stages = stages.iter().filter_map(planned).collect();
        self.server.issuer().close_for_a_while();
        Ok(EnrollPlan {
            request: request.map(|request| request.uuid),
            template: known.facts.template().or_else(|| self.job.new.as_ref()?.template).map(|id| id.to_string()),
            target_user: match request {
                Some(request) => request.target_user,
                None => self.job.new.as_ref().and_then(|new| new.target),
            },
            notes: self.notes(&known).into_iter().chain(lost).collect(),
            card: self.card,
            stages,
            stop,
        })
    }
}

fn owned(words: Vec<&'static str>) -> Vec<String> {
    words.into_iter().map(str::to_owned).collect()
}

/// The name of a stage, as the journal and the manual have it.
fn name(stage: Next) -> Option<&'static str> {
    Some(match stage {
        Next::Create => "request",
        Next::AwaitApproval => "approval",
        Next::Bind => "bind",
        Next::ReplaceAdminKey | Next::ProveAdminKey => "admin-key",
        Next::SetPin => "pin",
        Next::Generate(_) => "key-pair",
        Next::Submit => "submission",
        Next::Write(_) => "certificate",
        Next::Wipe => "wipe",
        Next::Retire => "retirement",
        Next::Complete => "completion",
        Next::Adopt(_) | Next::Done | Next::Stop(_) => return None,
    })
}

fn calls(stage: Next, wants_admin_key_to_erase: bool) -> Vec<&'static str> {
    const ANSWER: &str = "GET requests/{reqid}/smartcards/{scid}/authenticationresponse";
    match stage {
        Next::Create => vec!["POST requests"],
        Next::Bind => vec!["POST smartcards"],
        Next::ReplaceAdminKey => vec!["GET requests/{reqid}/smartcards/{scid}/diversifiedkey", ANSWER, ANSWER],
        Next::ProveAdminKey => vec![ANSWER],
        Next::SetPin => vec!["GET smartcards/{scid}/serverproposedpin", ANSWER],
        Next::Submit => vec!["POST requests/{reqid}/certificatedata"],
        Next::Wipe if wants_admin_key_to_erase => vec![ANSWER],
        Next::Retire => vec!["PUT requests/{reqid}/smartcards/{scid}"],
        Next::Complete => vec!["PUT requests/{reqid}"],
        Next::AwaitApproval
        | Next::Adopt(_)
        | Next::Generate(_)
        | Next::Write(_)
        | Next::Wipe
        | Next::Done
        | Next::Stop(_) => Vec::new(),
    }
}

fn commands(stage: Next, family: Family) -> Vec<&'static str> {
    let is_piv = family == Family::Piv;
    match stage {
        Next::ReplaceAdminKey if is_piv => vec![
            "GENERAL AUTHENTICATE (challenge)",
            "GENERAL AUTHENTICATE (answer)",
            "SET MANAGEMENT KEY",
            "GENERAL AUTHENTICATE (challenge)",
            "GENERAL AUTHENTICATE (answer)",
        ],
        Next::ReplaceAdminKey => vec![
            "GENERAL AUTHENTICATE (challenge)",
            "GENERAL AUTHENTICATE (answer)",
            "PUT DATA (admin key)",
            "GENERAL AUTHENTICATE (challenge)",
            "GENERAL AUTHENTICATE (answer)",
        ],
        Next::ProveAdminKey => vec!["GENERAL AUTHENTICATE (challenge)", "GENERAL AUTHENTICATE (answer)"],
        Next::SetPin => vec!["RESET RETRY COUNTER", "VERIFY"],
        Next::Generate(_) if is_piv => vec![
            "GENERAL AUTHENTICATE (challenge)",
            "GENERAL AUTHENTICATE (answer)",
            "GENERATE ASYMMETRIC KEY PAIR",
            "VERIFY",
            "GENERAL AUTHENTICATE (signature)",
        ],
        Next::Generate(_) => vec![
            "VERIFY",
            "CREATE FILE",
            "GENERATE ASYMMETRIC KEY PAIR",
            "PUT DATA (tables)",
            "MANAGE SECURITY ENVIRONMENT",
            "PERFORM SECURITY OPERATION",
        ],
        Next::Write(_) if is_piv => {
            vec!["GENERAL AUTHENTICATE (challenge)", "GENERAL AUTHENTICATE (answer)", "PUT DATA", "GET DATA"]
        }
        Next::Write(_) => vec!["VERIFY", "PUT DATA (certificate)", "PUT DATA (tables)", "GET DATA"],
        Next::Wipe if is_piv => {
            vec!["GENERAL AUTHENTICATE (challenge)", "GENERAL AUTHENTICATE (answer)", "PUT DATA (no certificate)"]
        }
        Next::Wipe => vec!["VERIFY", "PUT DATA (tables)", "SELECT key file", "DELETE FILE"],
        Next::Create
        | Next::AwaitApproval
        | Next::Bind
        | Next::Adopt(_)
        | Next::Submit
        | Next::Retire
        | Next::Complete
        | Next::Done
        | Next::Stop(_) => Vec::new(),
    }
}
