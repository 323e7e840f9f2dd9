//! What the job would do: every call and every command, secrets masked. Reads the card and the server's records, as the job
//! would; takes no challenge, fetches no secret, writes nothing.

use std::sync::atomic::AtomicBool;

use super::Job;
use super::authority::{answer_to_ask, choose, enough_tries, told};
use super::consent::{begun_elsewhere, done_before, user_is_untold};
use super::early::{Known, may_be_early};
use super::known_by::{other_atr, take_by_profile};
use super::mimcm::MimCm;
use super::rules::PinRouteRule;
use crate::apdu::Command;
use crate::card::{Proof, StepCommand, Tries};
use crate::job::authority::Authority;
use crate::job::consent::Standing;
use crate::job::elsewhere::OtherJournal;
use crate::job::held::{HeldCard, OpenCard};
use crate::job::issuer::{Assignment, Issuer, PinMaker};
use crate::job::journal::Journal;
use crate::job::log::Log;
use crate::job::records::ResolveError;
use crate::job::secrets::{Need, SecretError};
use crate::job::{CardIdentity, Cause, Failure, Step, challenge, record_atr};
use crate::reader::fixture::Exchange;
use crate::reader::record::Recording;
use crate::reader::{Protocol, Readers};
use crate::server::{
    AdminKeyVersion, Call, CardParameters, Client, PinRoute, authentication_response_call, server_proposed_pin_call,
};

/// Stands where a challenge would: what is shown in a URL that can't be known yet.
const CHALLENGE: &str = "CHALLENGE";

/// A planned job.
#[derive(Debug)]
pub struct Plan {
    /// The card.
    pub card: CardIdentity,
    /// How the right to set the PIN would be proved.
    pub authority: Authority,
    /// What the server's records say.
    pub assignment: Assignment,
    /// Where and why the job would stop, where that can be told already.
    pub obstacle: Option<Failure>,
    /// What a person should know before the job is run.
    pub notes: Vec<String>,
    /// What would be done, in order.
    pub steps: Vec<PlannedStep>,
    /// How many of these the job would come to; all, where nothing stops it.
    pub reached: usize,
}

/// What a plan is drawn from beside the job and the server.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    /// The readers.
    pub readers: &'a dyn Readers,
    /// What earlier jobs have noted.
    pub journal: Option<&'a Journal>,
    /// The journal of this machine's agent.
    pub elsewhere: Option<&'a dyn OtherJournal>,
    /// Whether a secret could be had: from a file or descriptor, or from a person at a terminal.
    pub can_supply: &'a dyn Fn(Need) -> bool,
    /// Whether the yes is said beforehand: then the challenge may be early, and the card sees it also where the records stop the job.
    pub is_agreed: bool,
    /// Set by Ctrl-C.
    pub interrupted: &'a AtomicBool,
}

/// One call or one command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlannedStep {
    /// A command to the card.
    Apdu {
        /// What for.
        purpose: &'static str,
        /// The frame, secrets as `**`. The length of a PIN that isn't known yet is a stand-in.
        frame: String,
        /// The frame carries a secret.
        secret: bool,
    },
    /// A call to the server.
    Http {
        /// What for.
        purpose: &'static str,
        /// The URL.
        url: String,
    },
    /// A question to a person.
    Prompt {
        /// What for.
        purpose: &'static str,
    },
}

/// Plans the job, as if a person had said yes to it.
///
/// # Errors
/// As [`super::set_pin`], up to the point where the first challenge would be taken.
pub fn plan(job: &Job, around: Surroundings<'_>, issuer: &mut MimCm) -> Result<Plan, Failure> {
    // What the job reads first is read now, and listed as it was sent.
    let recording = Recording::new(around.readers);
    let mut card = OpenCard::open(&recording, &job.reader)?.identify(&job.families)?;
    let result = draw(&mut card, job, around, issuer, &recording).map_err(|cause| card.failure(cause));
    if let Err(error) = card.end() {
        tracing::warn!("the card could not be let go of properly: {error}");
    }
    result
}

fn draw(
    held: &mut HeldCard,
    job: &Job,
    around: Surroundings<'_>,
    issuer: &mut MimCm,
    recording: &Recording<'_>,
) -> Result<Plan, Cause> {
    let mut steps: Vec<PlannedStep> = recording.fixture().exchanges.into_iter().map(identification).collect();
    // In the job's order.
    let log = Log::look(around.journal, around.elsewhere, held.identity().card_id)?;
    held.at(Step::Authorize);
    take_by_profile(held, job, log.known_atrs())?;
    let known = Known {
        authority: choose(&job.rules, held)?,
        standing: if around.is_agreed { Standing::Given } else { Standing::Ask },
        has_records: false,
        is_claimed: around.journal.is_some(),
        is_clear: log.is_clear(),
        card_allows: held.challenge_may_be_early(),
    };
    held.at(Step::Resolve);
    let parameters = held.parameters(None, challenge::parameter(None));
    let mut watch = held.watch(around.interrupted);
    let mut assignment = issuer.resolve(&parameters, job.wanted, &mut watch)?;
    drop(watch);
    let is_taken_anew = take_by_profile(held, job, std::iter::once(assignment.atr.as_str()))?;
    let other_atr = other_atr(held.identity(), job, Standing::Given, &assignment)?;
    let authority = choose(&job.rules, held)?;
    let parameters = held.parameters(Some(&assignment), challenge::parameter(None));
    steps.extend(issuer.client().sent().into_iter().map(|(_, url)| PlannedStep::Http {
        purpose: "find the card and its request at the server",
        url: url.to_string(),
    }));
    if let (Some(template), None) = (assignment.template, &assignment.template_name) {
        // For whoever reads the plan: no call of the job's.
        assignment.template_name = issuer.template_name(template, &mut held.watch(around.interrupted))?;
    }
    let mut notes: Vec<String> = record_atr::note(held.identity(), &assignment, &job.families).into_iter().collect();
    if let Some(doubt) = other_atr {
        notes.push(format!("{doubt}: a yes is asked for"));
    }
    if begun_elsewhere(job, &assignment, &log) {
        notes.push("somebody else has begun to work on the request (Executing): a yes is asked for".to_owned());
    }
    if user_is_untold(&assignment) {
        notes.push("the server does not say for whom the request or the card is: a yes is asked for".to_owned());
    }
    let obstacle = obstacle(held, job, around, &log, (authority, &assignment), &mut notes).err();
    let mut stages = stages(held, job, &assignment, authority, &parameters, issuer.client())?;
    if may_be_early(known) && !is_taken_anew {
        // Sent while the server is asked for its records, so also by a job that these stop.
        steps.append(&mut stages.challenge);
    }
    let reached = obstacle.as_ref().map(|failure| steps.len() + stages.reached(failure.step));
    steps.extend([stages.asked, stages.challenge, stages.calls, stages.tries, stages.rest].into_iter().flatten());
    let reached = reached.unwrap_or(steps.len());
    Ok(Plan { card: held.identity().clone(), authority, assignment, obstacle, notes, steps, reached })
}

fn identification(exchange: Exchange) -> PlannedStep {
    PlannedStep::Apdu { purpose: "identify the card", frame: exchange.command.to_string(), secret: false }
}

/// Whether the job would go on to the end, as far as can be told: in its own order, and with its own failures.
fn obstacle(
    held: &mut HeldCard,
    job: &Job,
    around: Surroundings<'_>,
    log: &Log<'_>,
    (authority, assignment): (Authority, &Assignment),
    notes: &mut Vec<String>,
) -> Result<(), Failure> {
    let before = done_before(held, job, Standing::Given, log, assignment)
        .and_then(|_| answer_to_ask(authority, job, assignment, log));
    before.map_err(|cause| held.failure(cause))?;
    held.at(Step::Supply);
    let needs = authority.need().into_iter().chain((assignment.pin_maker == PinMaker::User).then_some(Need::NewPin));
    for need in needs {
        if !(around.can_supply)(need) {
            return Err(held.failure(SecretError::NoTerminal { what: need.what() }.into()));
        }
    }
    held.at(Step::Ask);
    if job.rules.pin_route == PinRouteRule::Request
        && assignment.request.is_none()
        && assignment.pin_maker != PinMaker::User
    {
        return Err(held.failure(ResolveError::NoRequest { smartcard: assignment.smartcard }.into()));
    }
    held.at(Step::Fit);
    if authority.proof() == Proof::AdminAnswer {
        return Ok(());
    }
    // Asked now, since the job would stop at it; it is in the plan as the job's own command.
    let asked = held.proof_tries_left(authority.proof());
    let tries = told(authority.proof(), asked, job).map_err(|cause| held.failure(cause))?;
    if tries == Tries::Untold {
        let what = authority.proof().what();
        notes.push(format!(
            "the card does not tell how many tries the {what} has left: one try is risked, and no second one"
        ));
    }
    enough_tries(authority, tries, job, held, log).map_err(|cause| held.failure(cause))
}

/// What a job does after it knows the server's records.
struct Stages {
    /// People.
    asked: Vec<PlannedStep>,
    /// The card, before the server is asked for secrets.
    challenge: Vec<PlannedStep>,
    calls: Vec<PlannedStep>,
    /// The card's counters.
    tries: Vec<PlannedStep>,
    rest: Vec<PlannedStep>,
}

impl Stages {
    /// How many of these a job comes to that stops at this step.
    fn reached(&self, step: Step) -> usize {
        match step {
            Step::Ask => self.asked.len() + self.challenge.len(),
            Step::Fit => self.asked.len() + self.challenge.len() + self.calls.len() + self.tries.len(),
            _ => 0,
        }
    }
}

fn stages(
    held: &HeldCard,
    job: &Job,
    assignment: &Assignment,
    authority: Authority,
    card: &CardParameters,
    client: &Client,
) -> Result<Stages, Cause> {
    let mut asked = Vec::new();
    let prompt = match authority {
        Authority::Server => None,
        Authority::AdminKey => Some("the admin key, unless a file gives it"),
        Authority::Puk => Some("the card's PUK, unless a file gives it"),
        Authority::AdminPin => Some("the card's admin PIN (PW3), unless a file gives it"),
        Authority::ResettingCode => Some("the card's resetting code, unless a file gives it"),
        Authority::CurrentPin => Some("the card's current PIN"),
    };
    asked.extend(prompt.map(|purpose| PlannedStep::Prompt { purpose }));
    if assignment.pin_maker == PinMaker::User {
        asked.push(PlannedStep::Prompt { purpose: "the new PIN, twice" });
    }
    // A card that gives none has the parameter left out; and where nobody asks for one, none is taken.
    let challenge = if held.gives_challenge() { CHALLENGE } else { "" };
    let wanted = authority.proof() == Proof::AdminAnswer || assignment.pin_maker != PinMaker::User;
    let plan = held.plan(authority.proof(), wanted)?;
    let protocol = held.protocol();
    let apdus = |planned: Vec<StepCommand>| -> Vec<PlannedStep> {
        planned.into_iter().flat_map(|planned| frames(planned.purpose, &planned.command, protocol)).collect()
    };
    let taken = apdus(plan.before_asking);
    let mut tries = plan.after_asking;
    let rest = tries.split_off(plan.tries);
    Ok(Stages {
        asked,
        challenge: taken,
        calls: calls(job, assignment, authority, card, challenge, client),
        tries: apdus(tries),
        rest: apdus(rest),
    })
}

fn frames(purpose: &'static str, command: &Command, protocol: Protocol) -> Vec<PlannedStep> {
    let secret = command.is_secret();
    command
        .frames(protocol, false)
        .iter()
        .map(|frame| PlannedStep::Apdu { purpose, frame: frame.to_string(), secret })
        .collect()
}

fn calls(
    job: &Job,
    assignment: &Assignment,
    authority: Authority,
    card: &CardParameters,
    challenge: &str,
    client: &Client,
) -> Vec<PlannedStep> {
    let mut calls = Vec::new();
    let mut planned = |purpose, call: &Call| {
        calls.push(PlannedStep::Http { purpose, url: client.url(call).to_string() });
    };
    if assignment.pin_maker != PinMaker::User {
        let route = match (job.rules.pin_route, assignment.request) {
            (PinRouteRule::Request, Some(request)) => PinRoute::Request(request, assignment.smartcard),
            _ => PinRoute::Smartcard(assignment.smartcard),
        };
        planned("ask for the proposed PIN", &server_proposed_pin_call(route, card, challenge));
    }
    if let (Authority::Server, Some(request)) = (authority, assignment.request) {
        let key = assignment.admin_key.as_ref().copied().unwrap_or(AdminKeyVersion::Default);
        let call = authentication_response_call(request, assignment.smartcard, card, challenge, key);
        planned("ask for the answer to the challenge", &call);
    }
    calls
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_that_stops_has_come_to_what_is_before_that_step() {
        let steps = |count| (0..count).map(|_| PlannedStep::Prompt { purpose: "a PIN" }).collect();
        let stages = Stages { asked: steps(1), challenge: steps(16), calls: steps(2), tries: steps(4), rest: steps(8) };
        assert_eq!(stages.reached(Step::Supply), 0);
        assert_eq!(stages.reached(Step::Ask), 17);
        assert_eq!(stages.reached(Step::Fit), 23);
    }
}
