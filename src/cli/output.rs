//! The wording of results and errors as text, which may change.

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

/// Milliseconds with three decimals.
#[must_use]
pub fn millis(time: std::time::Duration) -> f64 {
    (time.as_secs_f64() * 1_000_000.0).round() / 1000.0
}

/// That an earlier job has done the request, as text.
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
