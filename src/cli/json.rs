//! What commands print with `--json`: one object each, whose fields are only added to within a version of its schema.

use serde::Serialize;
use uuid::Uuid;

use super::error::CliError;
use super::error::agent::{AgentError, Check};
use super::error::doctor::DoctorError;
use super::output::{Costs, millis};
use crate::doctor::Finding;
use crate::error_text;
use crate::exit::Exit;
use crate::job::consent::DoneBefore;
use crate::job::effect::Effect;
use crate::job::{Cause, Failure};
use crate::operation::Operation;
use crate::provision::Outcome;
use crate::provision::plan::{Plan, PlannedStep};

/// What every object begins with.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Head {
    /// The command and the version of its object.
    pub schema: &'static str,
    /// How the command ended.
    pub outcome: &'static str,
}

impl Head {
    /// The command did what it is for.
    #[must_use]
    pub fn done(schema: &'static str) -> Self {
        Self { schema, outcome: "done" }
    }
}

/// What a job is about: the card, the server's objects, the authority.
#[derive(Debug, Serialize)]
struct JobObject<'a> {
    reader: &'a str,
    family: crate::card::Family,
    atr: String,
    card_id: String,
    smartcard: Uuid,
    request: Option<Uuid>,
    target_user: Option<Uuid>,
    template: Option<Uuid>,
    template_name: Option<&'a str>,
    authority: &'static str,
}

/// A PIN that is set.
#[derive(Debug, Serialize)]
pub struct DoneObject<'a> {
    #[serde(flatten)]
    head: Head,
    #[serde(flatten)]
    about: JobObject<'a>,
    pin: PinObject,
    card_reset: bool,
    journal: Option<&'a str>,
    settled: Option<&'a str>,
    apdus: u32,
    http_requests: usize,
    elapsed_ms: Elapsed,
}

/// The PIN that was set.
#[derive(Debug, Serialize)]
pub struct PinObject {
    source: &'static str,
    verified: bool,
}

impl From<&Outcome> for PinObject {
    fn from(outcome: &Outcome) -> Self {
        Self { source: outcome.pin_source.name(), verified: true }
    }
}

/// Milliseconds with three decimals.
#[derive(Debug, Serialize)]
pub struct Elapsed {
    /// The whole job.
    total: f64,
    card: f64,
    server: f64,
    /// What a person took to answer at the terminal; the whole job's time has it in it.
    person: f64,
}

impl From<&Costs> for Elapsed {
    fn from(costs: &Costs) -> Self {
        Self {
            total: millis(costs.total),
            card: millis(costs.card),
            server: millis(costs.server),
            person: millis(costs.person),
        }
    }
}

impl<'a> DoneObject<'a> {
    /// A PIN step that is done, in the schema of the command.
    #[must_use]
    pub fn new(schema: &'static str, outcome: &'a Outcome, costs: &Costs) -> Self {
        let card = &outcome.card;
        Self {
            head: Head::done(schema),
            about: JobObject {
                reader: &card.reader,
                family: card.family,
                atr: card.atr.to_string(),
                card_id: card.card_id.to_string(),
                smartcard: outcome.smartcard,
                request: outcome.request,
                target_user: outcome.target_user,
                template: outcome.template,
                template_name: outcome.template_name.as_deref(),
                authority: outcome.authority.name(),
            },
            pin: outcome.into(),
            card_reset: outcome.reset_failed.is_none(),
            journal: outcome.journal_id.as_deref(),
            settled: outcome.settled.as_ref().map(|record| record.id.as_str()),
            apdus: costs.apdus,
            http_requests: costs.http_requests,
            elapsed_ms: costs.into(),
        }
    }
}

/// A job whose request an earlier one has done.
#[derive(Debug, Serialize)]
pub struct AlreadyDoneObject<'a> {
    #[serde(flatten)]
    head: Head,
    reader: &'a str,
    card_id: Option<String>,
    smartcard: Uuid,
    request: Uuid,
    journal: &'a str,
    journal_of: &'static str,
    done_at: &'a str,
}

impl<'a> AlreadyDoneObject<'a> {
    /// In the schema of the command.
    #[must_use]
    pub fn new(schema: &'static str, failure: &'a Failure, done: &'a DoneBefore) -> Self {
        Self {
            head: Head { schema, outcome: ALREADY_DONE },
            reader: &failure.reader,
            card_id: failure.card_id.map(|id| id.to_string()),
            smartcard: done.smartcard,
            request: done.request,
            journal: &done.journal,
            journal_of: done.whose.name(),
            done_at: &done.at,
        }
    }
}

const ALREADY_DONE: &str = "already-done";

/// A command that failed, in its own schema.
#[derive(Debug, Serialize)]
pub struct FailedObject<'a> {
    #[serde(flatten)]
    head: Head,
    #[serde(flatten)]
    card: Option<FailedCard<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    checks: Option<&'a [Check]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    probes: Option<&'a [Finding]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bundle: Option<String>,
    error: ErrorObject,
}

/// Where a job on a card failed.
#[derive(Debug, Serialize)]
struct FailedCard<'a> {
    reader: &'a str,
    card_id: Option<String>,
    card_state: &'static str,
    /// Of the commands that may change more than the PIN.
    #[serde(skip_serializing_if = "Option::is_none")]
    changes: Option<Changes>,
    journal: Option<&'a str>,
}

/// What has become of each thing on the card.
#[derive(Debug, Serialize)]
struct Changes {
    pin: &'static str,
    admin_key: &'static str,
    key_slot: &'static str,
    certificate: &'static str,
    contents: &'static str,
}

impl From<Effect> for Changes {
    fn from(Effect { pin, admin_key, key_slot, certificate, contents, .. }: Effect) -> Self {
        Self {
            pin: pin.name(),
            admin_key: admin_key.name(),
            key_slot: key_slot.name(),
            certificate: certificate.name(),
            contents: contents.name(),
        }
    }
}

/// Why a command failed.
#[derive(Debug, Serialize)]
struct ErrorObject {
    exit_code: u8,
    message: String,
    causes: Vec<String>,
    hint: Option<String>,
    #[serde(flatten)]
    step: Option<FailedStep>,
}

#[derive(Debug, Serialize)]
struct FailedStep {
    step: &'static str,
    status_word: Option<String>,
}

impl<'a> FailedObject<'a> {
    /// In the schema of the command.
    #[must_use]
    pub fn new(schema: &'static str, error: &'a CliError) -> Self {
        let (card, step) = match error {
            CliError::Failure(failure) => (Some(FailedCard::new(schema, failure)), Some(FailedStep::new(failure))),
            _ => (None, None),
        };
        let checks = match error {
            CliError::Agent(AgentError::Check(checks)) => Some(checks.as_slice()),
            _ => None,
        };
        let (probes, bundle) = match error {
            CliError::Doctor(DoctorError::Failed { findings, bundle }) => {
                (Some(findings.list()), bundle.as_ref().map(|path| path.display().to_string()))
            }
            _ => (None, None),
        };
        let error = ErrorObject {
            exit_code: error.exit() as u8,
            message: error.to_string(),
            causes: error_text::causes(error),
            hint: error.hint(),
            step,
        };
        Self { head: Head { schema, outcome: FAILED }, card, checks, probes, bundle, error }
    }

    /// A mistake on the command line, in the schema of the command that was meant.
    #[must_use]
    pub fn usage(schema: &'static str, message: String, hint: Option<String>) -> Self {
        let error = ErrorObject { exit_code: Exit::Usage as u8, message, causes: Vec::new(), hint, step: None };
        let head = Head { schema, outcome: FAILED };
        Self { head, card: None, checks: None, probes: None, bundle: None, error }
    }
}

const FAILED: &str = "failed";

impl<'a> FailedCard<'a> {
    fn new(schema: &'static str, failure: &'a Failure) -> Self {
        let mut of_more = [Operation::Enroll, Operation::Unblock, Operation::Retire].into_iter();
        let may_change_more = of_more.any(|operation| operation.schema() == schema);
        Self {
            reader: &failure.reader,
            card_id: failure.card_id.map(|id| id.to_string()),
            card_state: failure.card_state().name(),
            changes: may_change_more.then(|| failure.effect.into()),
            journal: failure.journal.as_deref(),
        }
    }
}

impl FailedStep {
    fn new(failure: &Failure) -> Self {
        let status_word = failure.cause.status().map(|status| format!("{:04X}", status.word()));
        Self { step: failure.step.name(), status_word }
    }
}

/// `pinwright.plan/1`.
#[derive(Debug, Serialize)]
pub struct PlanObject<'a> {
    #[serde(flatten)]
    head: Head,
    exit_code: u8,
    obstacle: Option<String>,
    #[serde(flatten)]
    about: JobObject<'a>,
    notes: &'a [String],
    steps: Vec<StepObject<'a>>,
}

#[derive(Debug, Serialize)]
struct StepObject<'a> {
    #[serde(flatten)]
    what: StepKind<'a>,
    /// Whether the job comes to it.
    reached: bool,
}

#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
enum StepKind<'a> {
    Apdu { purpose: &'static str, frame: &'a str, secret: bool },
    Http { purpose: &'static str, method: &'static str, url: &'a str },
    Prompt { purpose: &'static str },
}

impl<'a> PlanObject<'a> {
    /// The plan as an object.
    #[must_use]
    pub fn new(plan: &'a Plan) -> Self {
        let outcome = match plan.obstacle.as_ref().map(|failure| failure.cause.as_ref()) {
            None => "possible",
            Some(Cause::AlreadyDone(_)) => ALREADY_DONE,
            Some(_) => "not-possible",
        };
        let steps = plan.steps.iter().enumerate();
        Self {
            head: Head { schema: "pinwright.plan/1", outcome },
            exit_code: plan.obstacle.as_ref().map_or(Exit::Done, Exit::from) as u8,
            obstacle: plan.obstacle.as_ref().map(|failure| failure.cause.to_string()),
            about: JobObject {
                reader: &plan.card.reader,
                family: plan.card.family,
                atr: plan.card.atr.to_string(),
                card_id: plan.card.card_id.to_string(),
                smartcard: plan.assignment.smartcard,
                request: plan.assignment.request,
                target_user: plan.assignment.target_user,
                template: plan.assignment.template,
                template_name: plan.assignment.template_name.as_deref(),
                authority: plan.authority.name(),
            },
            notes: &plan.notes,
            steps: steps
                .map(|(number, step)| StepObject { what: step.into(), reached: number < plan.reached })
                .collect(),
        }
    }
}

impl<'a> From<&'a PlannedStep> for StepKind<'a> {
    fn from(step: &'a PlannedStep) -> Self {
        match step {
            PlannedStep::Apdu { purpose, frame, secret } => Self::Apdu { purpose, frame, secret: *secret },
            PlannedStep::Http { purpose, url } => Self::Http { purpose, method: "GET", url },
            PlannedStep::Prompt { purpose } => Self::Prompt { purpose },
        }
    }
}
