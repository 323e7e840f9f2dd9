//! The line in the log that every job which wrote to a card leaves, for a SIEM: who, which card, for which request, with which
//! result.

use serde::Serialize;
use uuid::Uuid;

use super::{Asked, Job, Outcome};
use crate::foreign_text::escaped_json;
use crate::job::Failure;
use crate::job::issuer::Assignment;
use crate::os::account;
use crate::telemetry::WRITES;

/// `pinwright.write/1`. Fields are only added.
#[derive(Debug, Serialize)]
struct WriteLine<'a> {
    schema: &'static str,
    /// `agent`, or `command` for a person's.
    by: &'static str,
    /// The account that the program works as.
    uid: Option<u32>,
    account: Option<String>,
    operation: &'static str,
    reader: &'a str,
    card_id: Option<String>,
    request: Option<Uuid>,
    /// The server's user whose card it is.
    target_user: Option<Uuid>,
    /// `done` or `failed`.
    result: &'static str,
    /// What a failure has left the card as.
    card_state: Option<&'static str>,
    step: Option<&'static str>,
    status_word: Option<String>,
    /// The job's id in the journal.
    journal: Option<&'a str>,
}

/// Logs the job where it showed the card a proof or changed something on it, well or badly; otherwise nothing was written.
pub(super) fn tell(job: &Job, assignment: Option<&Assignment>, result: &Result<Outcome, Failure>) {
    // Who we are is asked of the system, which takes as long as a command to the card: only where the line is kept.
    if !tracing::enabled!(target: WRITES, tracing::Level::INFO) {
        return;
    }
    let line = WriteLine {
        schema: "pinwright.write/1",
        by: match job.asked {
            Asked::ByInsertion => "agent",
            Asked::ByPerson | Asked::Again => "command",
        },
        uid: account::own_number(),
        account: account::own_name(),
        operation: "set-pin",
        reader: &job.reader,
        card_id: None,
        request: assignment.and_then(|assignment| assignment.request),
        target_user: assignment.and_then(|assignment| assignment.target_user),
        result: "done",
        card_state: None,
        step: None,
        status_word: None,
        journal: None,
    };
    let line = match result {
        Ok(outcome) => WriteLine {
            card_id: Some(outcome.card.card_id.to_string()),
            journal: outcome.journal_id.as_deref(),
            ..line
        },
        Err(failure) if failure.effect.is_none() => return,
        Err(failure) => WriteLine {
            card_id: failure.card_id.map(|card_id| card_id.to_string()),
            result: "failed",
            card_state: Some(failure.card_state().name()),
            step: Some(failure.step.name()),
            status_word: failure.cause.status().map(|status| format!("{:04X}", status.word())),
            journal: failure.journal.as_deref(),
            ..line
        },
    };
    match serde_json::to_string(&line) {
        Ok(json) => tracing::info!(target: WRITES, "{}", escaped_json(&json)),
        Err(error) => tracing::error!("a write to a card can't be told as JSON: {error}"),
    }
}
