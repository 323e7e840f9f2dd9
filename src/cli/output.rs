//! The wording of results: text that may change, and JSON that may only grow.

use serde_json::{Map, Value, json};

use super::error::CliError;
use crate::error_text;
use crate::exit::Exit;
use crate::job::Failure;
use crate::job::consent::DoneBefore;
use crate::job::given::PinSource;
use crate::operation::Operation;
use crate::provision::Outcome;
use crate::provision::plan::{Plan, PlannedStep};

/// What a job cost.
#[derive(Debug, Clone, Copy, Default)]
pub struct Costs {
    /// Command APDUs.
    pub apdus: u32,
    /// HTTP requests.
    pub http_requests: usize,
    /// Wall time of the job.
    pub total: std::time::Duration,
    /// Time inside reader calls.
    pub card: std::time::Duration,
    /// Time waiting for the server.
    pub server: std::time::Duration,
}

impl Costs {
    fn add_to(&self, object: &mut Map<String, Value>) {
        object.insert("apdus".to_owned(), json!(self.apdus));
        object.insert("http_requests".to_owned(), json!(self.http_requests));
        let times = json!({"total": millis(self.total), "card": millis(self.card), "server": millis(self.server)});
        object.insert("elapsed_ms".to_owned(), times);
    }
}

/// Milliseconds with three decimals.
fn millis(time: std::time::Duration) -> f64 {
    (time.as_secs_f64() * 1_000_000.0).round() / 1000.0
}

/// A PIN step that is done, in the schema of the command.
#[must_use]
pub fn outcome_json(schema: &str, outcome: &Outcome, costs: &Costs) -> Value {
    let mut object = Map::new();
    let mut put = |key: &str, value: Value| object.insert(key.to_owned(), value);
    put("schema", json!(schema));
    put("outcome", json!("done"));
    put("reader", json!(outcome.card.reader));
    put("family", json!(outcome.card.family));
    put("atr", json!(outcome.card.atr.to_string()));
    put("card_id", json!(outcome.card.card_id.to_string()));
    put("smartcard", json!(outcome.smartcard));
    put("request", json!(outcome.request));
    put("target_user", json!(outcome.target_user));
    put("template", json!(outcome.template));
    put("template_name", json!(outcome.template_name));
    put("authority", json!(outcome.authority.name()));
    put("pin", json!({"source": outcome.pin_source.name(), "verified": true}));
    put("card_reset", json!(outcome.reset_failed.is_none()));
    put("journal", json!(outcome.journal_id));
    put("settled", json!(outcome.settled.as_ref().map(|record| &record.id)));
    costs.add_to(&mut object);
    Value::Object(object)
}

/// The outcome of a job whose request an earlier one has done, in the schema of the command.
#[must_use]
pub fn already_done_json(schema: &str, failure: &Failure, done: &DoneBefore) -> Value {
    json!({
        "schema": schema,
        "outcome": "already-done",
        "reader": failure.reader,
        "card_id": failure.card_id.map(|id| id.to_string()),
        "smartcard": done.smartcard,
        "request": done.request,
        "journal": done.journal,
        "journal_of": done.whose.name(),
        "done_at": done.at,
    })
}

/// The same as text.
#[must_use]
pub fn already_done_text(failure: &Failure, done: &DoneBefore) -> String {
    let card = failure.card_id.as_ref().map_or("card".to_owned(), |id| format!("card {id}"));
    let remedy = failure.cause.remedy();
    format!("Nothing was done: {done}. ({card} in {:?}; {remedy})", failure.reader)
}

/// The result of a job as text.
#[must_use]
pub fn outcome_text(outcome: &Outcome, costs: &Costs) -> String {
    let whose = match outcome.pin_source {
        PinSource::Server => "the PIN that the server proposed",
        PinSource::User => "the PIN that was entered",
    };
    let settled = outcome.settled.as_ref().map_or_else(String::new, |record| {
        format!(" This settles job {}, which {}.", record.id, record.point().meaning())
    });
    format!(
        "Card {} in {:?} has {whose}, and has verified it. ({} APDUs, {} HTTP requests, {:.1} ms){settled}",
        outcome.card.card_id,
        outcome.card.reader,
        costs.apdus,
        costs.http_requests,
        millis(costs.total)
    )
}

/// A failure of any command as JSON, in the schema of that command.
#[must_use]
pub fn error_json(schema: &str, error: &CliError) -> Value {
    let exit = error.exit();
    let mut object = Map::new();
    object.insert("schema".to_owned(), json!(schema));
    object.insert("outcome".to_owned(), json!("failed"));
    let mut detail = json!({
        "exit_code": exit as u8,
        "message": error.to_string(),
        "causes": error_text::causes(error),
        "hint": error.hint(),
    });
    if let CliError::Failure(failure) = error {
        object.insert("reader".to_owned(), json!(failure.reader));
        object.insert("card_id".to_owned(), json!(failure.card_id.map(|id| id.to_string())));
        object.insert("card_state".to_owned(), json!(failure.card_state().name()));
        object.insert("journal".to_owned(), json!(failure.journal));
        if let Some(members) = detail.as_object_mut() {
            members.insert("step".to_owned(), json!(failure.step.name()));
            let word = failure.cause.status().map(|status| format!("{:04X}", status.word()));
            members.insert("status_word".to_owned(), json!(word));
        }
    }
    if let CliError::Agent(super::error::agent::AgentError::Check(checks)) = error {
        object.insert("checks".to_owned(), json!(checks));
    }
    object.insert("error".to_owned(), detail);
    Value::Object(object)
}

/// An error as text: what failed and why, what state the card is in now, and what to do.
#[must_use]
pub fn error_lines(error: &CliError) -> Vec<String> {
    let mut lines = vec![match error {
        CliError::Failure(failure) => format!("error: {}", located(failure)),
        other => format!("error: {other}"),
    }];
    lines.extend(error_text::causes(error).into_iter().map(|cause| format!("  because: {cause}")));
    if let CliError::Failure(failure) = error {
        let card = failure.card_id.as_ref().map_or("card".to_owned(), |id| format!("card {id}"));
        lines.push(format!("  {card}: {}", failure.card_state()));
        if let (Some(journal), true) = (&failure.journal, failure.card_state().needs_attention()) {
            let history = Operation::History;
            lines.push(format!("  journal: {journal} (`{history}`); running the command again settles it"));
        }
    }
    lines.extend(error.hint().map(|hint| format!("  hint: {hint}")));
    lines
}

fn located(failure: &Failure) -> String {
    format!("{failure} (reader {:?})", failure.reader)
}

/// `pinwright.plan/1`.
#[must_use]
pub fn plan_json(plan: &Plan) -> Value {
    let steps: Vec<Value> = plan
        .steps
        .iter()
        .enumerate()
        .map(|(number, step)| {
            let reached = number < plan.reached;
            match step {
                PlannedStep::Apdu { purpose, frame, secret } => {
                    json!({"kind": "apdu", "purpose": purpose, "frame": frame, "secret": secret, "reached": reached})
                }
                PlannedStep::Http { purpose, url } => {
                    json!({"kind": "http", "purpose": purpose, "method": "GET", "url": url, "reached": reached})
                }
                PlannedStep::Prompt { purpose } => json!({"kind": "prompt", "purpose": purpose, "reached": reached}),
            }
        })
        .collect();
    json!({
        "schema": "pinwright.plan/1",
        "outcome": if plan.obstacle.is_none() { "possible" } else { "not-possible" },
        "exit_code": plan.obstacle.as_ref().map_or(Exit::Done, Exit::from) as u8,
        "obstacle": plan.obstacle.as_ref().map(|failure| failure.cause.to_string()),
        "reader": plan.card.reader,
        "family": plan.card.family,
        "atr": plan.card.atr.to_string(),
        "card_id": plan.card.card_id.to_string(),
        "smartcard": plan.assignment.smartcard,
        "request": plan.assignment.request,
        "target_user": plan.assignment.target_user,
        "template": plan.assignment.template,
        "template_name": plan.assignment.template_name,
        "authority": plan.authority.name(),
        "notes": plan.notes,
        "steps": steps,
    })
}

/// The plan as text.
#[must_use]
pub fn plan_lines(plan: &Plan) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(failure) = &plan.obstacle {
        lines.push(format!("would stop: {} (exit {})", failure.cause, Exit::from(failure) as u8));
        lines.push(format!("            {}\n", failure.cause.remedy()));
    }
    lines.extend([
        format!(
            "card        {} ({}, ATR {}) in {:?}",
            plan.card.card_id, plan.card.family, plan.card.atr, plan.card.reader
        ),
        format!("smart card  {}", plan.assignment.smartcard),
        format!("request     {}", plan.assignment.request.map_or("none".to_owned(), |id| id.to_string())),
        format!("for user    {}", plan.assignment.target_user.map_or("not told".to_owned(), |id| id.to_string())),
        format!("template    {}", plan.assignment.template_told().unwrap_or_else(|| "not told".to_owned())),
        format!("authority   {}", plan.authority.name()),
        String::new(),
    ]);
    for (at, step) in plan.steps.iter().enumerate() {
        let number = at + 1;
        let mark = if at < plan.reached { "" } else { " (not reached)" };
        lines.push(match step {
            PlannedStep::Apdu { purpose, frame, .. } => {
                format!("{number:>2}. card    {purpose}{mark}\n        {frame}")
            }
            PlannedStep::Http { purpose, url, .. } => {
                format!("{number:>2}. server  {purpose}{mark}\n        GET {url}")
            }
            PlannedStep::Prompt { purpose } => format!("{number:>2}. person  {purpose}{mark}"),
        });
    }
    lines.extend(plan.notes.iter().map(|note| format!("\nNote: {note}.")));
    lines
}
