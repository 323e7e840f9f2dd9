//! What the job would do: every call and every command, secrets masked. Reads the card and the server's records, as the job
//! would; takes no challenge, fetches no secret, writes nothing.

use std::sync::atomic::AtomicBool;

use super::Job;
use super::authority::{choose, enough_code_tries, enough_tries, question_key, told};
use super::mimcm::MimCm;
use super::rules::PinRouteRule;
use crate::apdu::Command;
use crate::card::{Proof, StepCommand, Tries};
use crate::job::authority::Authority;
use crate::job::held::{HeldCard, OpenCard};
use crate::job::issuer::{Assignment, Issuer, PinMaker};
use crate::job::records::ResolveError;
use crate::job::{CardIdentity, Cause, Failure, Step, challenge, record_atr};
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
    /// Why the job would stop, where that can be told already.
    pub obstacle: Option<Cause>,
    /// What a person should know before the job is run.
    pub notes: Vec<String>,
    /// What would be done, in order.
    pub steps: Vec<PlannedStep>,
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

/// Plans the job.
///
/// # Errors
/// As [`super::set_pin`], up to the point where the first challenge would be taken.
pub fn plan(job: &Job, readers: &dyn Readers, issuer: &mut MimCm, interrupted: &AtomicBool) -> Result<Plan, Failure> {
    // What the job reads first is read now, and listed as it was sent.
    let recording = Recording::new(readers);
    let mut card = OpenCard::open(&recording, &job.reader)?.identify(&job.families)?;
    let result = draw(&mut card, job, issuer, &recording, interrupted).map_err(|cause| card.failure(cause));
    if let Err(error) = card.end() {
        tracing::warn!("the card could not be let go of properly: {error}");
    }
    result
}

fn draw(
    held: &mut HeldCard,
    job: &Job,
    issuer: &mut MimCm,
    recording: &Recording<'_>,
    interrupted: &AtomicBool,
) -> Result<Plan, Cause> {
    let identification = recording.fixture().exchanges.into_iter().map(|exchange| PlannedStep::Apdu {
        purpose: "identify the card",
        frame: exchange.command.to_string(),
        secret: false,
    });
    // In the job's order.
    held.at(Step::Authorize);
    let authority = choose(&job.rules, held)?;
    held.at(Step::Resolve);
    let parameters = held.parameters(None, challenge::parameter(None));
    let mut watch = held.watch(interrupted);
    let assignment = issuer.resolve(&parameters, job.wanted, &mut watch)?;
    drop(watch);
    record_atr::check(held.identity(), &assignment, &job.families)?;
    let parameters = held.parameters(Some(&assignment), challenge::parameter(None));
    let records = issuer.client().sent().into_iter().map(|(_, url)| PlannedStep::Http {
        purpose: "find the card and its request at the server",
        url: url.to_string(),
    });
    let no_route = job.rules.pin_route == PinRouteRule::Request
        && assignment.request.is_none()
        && assignment.pin_maker != PinMaker::User;
    let obstacle = question_key(authority, &assignment)
        .err()
        .or(no_route.then_some(ResolveError::NoRequest { smartcard: assignment.smartcard }))
        .map(Cause::from);
    // Asked now, since the job would stop at it; it is in the plan as the job's own command.
    let asked = match (&obstacle, authority) {
        (Some(_), _) | (None, Authority::Server | Authority::AdminKey) => None,
        (None, _) => Some(told(authority.proof(), held.proof_tries_left(authority.proof()), &job.rules)),
    };
    let (tries, obstacle) = match asked {
        Some(Err(refused @ Cause::CounterRefused { .. })) => (None, Some(refused)),
        asked => (asked.transpose()?, obstacle),
    };
    let obstacle = match (tries, authority) {
        (None, _) => obstacle,
        (Some(tries), Authority::CurrentPin) => enough_tries(tries, job.rules.min_tries_left, None).err(),
        (Some(tries), _) => enough_code_tries(authority, tries, &job.rules, None).err(),
    };
    let uncounted = (tries == Some(Tries::Untold)).then(|| {
        let what = authority.proof().what();
        format!("the card does not tell how many tries the {what} has left: one try is risked, and no second one")
    });
    let steps = steps(held, job, &assignment, authority, &parameters, issuer.client())?;
    let other_atr = record_atr::note(held.identity(), &assignment, &job.families);
    Ok(Plan {
        card: held.identity().clone(),
        authority,
        assignment,
        obstacle,
        notes: uncounted.into_iter().chain(other_atr).collect(),
        steps: identification.chain(records).chain(steps).collect(),
    })
}

fn steps(
    held: &HeldCard,
    job: &Job,
    assignment: &Assignment,
    authority: Authority,
    card: &CardParameters,
    client: &Client,
) -> Result<Vec<PlannedStep>, Cause> {
    let mut steps = Vec::new();
    let prompt = match authority {
        Authority::Server => None,
        Authority::AdminKey => Some("the admin key, unless a file gives it"),
        Authority::Puk => Some("the card's PUK, unless a file gives it"),
        Authority::AdminPin => Some("the card's admin PIN (PW3), unless a file gives it"),
        Authority::ResettingCode => Some("the card's resetting code, unless a file gives it"),
        Authority::CurrentPin => Some("the card's current PIN"),
    };
    steps.extend(prompt.map(|purpose| PlannedStep::Prompt { purpose }));
    if assignment.pin_maker == PinMaker::User {
        steps.push(PlannedStep::Prompt { purpose: "the new PIN, twice" });
    }
    // A card that gives none has the parameter left out; and where nobody asks for one, none is taken.
    let challenge = if held.gives_challenge() { CHALLENGE } else { "" };
    let wanted = authority.proof() == Proof::AdminAnswer || assignment.pin_maker != PinMaker::User;
    let plan = held.plan(authority.proof(), wanted)?;
    let protocol = held.protocol();
    let apdu = |planned: StepCommand| frames(planned.purpose, &planned.command, protocol);
    steps.extend(plan.before_asking.into_iter().flat_map(apdu));
    steps.extend(calls(job, assignment, authority, card, challenge, client));
    steps.extend(plan.after_asking.into_iter().flat_map(apdu));
    Ok(steps)
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
