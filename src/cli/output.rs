//! The wording of results and errors as text, which may change.

use super::error::CliError;
use super::screen::{Line, Tone};
use crate::error_text;
use crate::job::consent::DoneBefore;
use crate::job::effect::CardState;
use crate::job::given::PinSource;
use crate::job::{CardIdentity, Failure};
use crate::operation::Operation;
use crate::provision::Outcome;

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
    /// Time that a person took to answer.
    pub person: std::time::Duration,
}

/// Milliseconds with three decimals.
#[must_use]
pub fn millis(time: std::time::Duration) -> f64 {
    (time.as_secs_f64() * 1_000_000.0).round() / 1000.0
}

/// That an earlier job has done the request, as text.
#[must_use]
pub fn already_done_line(failure: &Failure, done: &DoneBefore) -> Line {
    let card = failure.card_id.as_ref().map_or("card".to_owned(), |id| format!("card {id}"));
    let remedy = failure.cause.remedy();
    Line::new(Tone::Waiting, format!("Nothing was done: {done}."))
        .with(Tone::Plain, format!(" ({card} in {:?}; {remedy})", failure.reader))
}

/// The result of a job as text, with its time but for what a person took of it.
#[must_use]
pub fn outcome_line(outcome: &Outcome, costs: &Costs) -> Line {
    let whose = match outcome.pin_source {
        PinSource::Server => "the PIN that the server proposed",
        PinSource::User => "the PIN that was entered",
    };
    let settled = outcome
        .settled
        .as_ref()
        .map_or_else(String::new, |record| format!(" This settles job {}, which {}.", record.id, record.meaning()));
    let CardIdentity { card_id, reader, .. } = &outcome.card;
    let done = format!("Card {card_id} in {reader:?} has {whose}, and has verified it.");
    let time = millis(costs.total.saturating_sub(costs.person));
    let costs = format!(" ({} APDUs, {} HTTP requests, {time:.1} ms)", costs.apdus, costs.http_requests);
    Line::new(Tone::Good, done).with(Tone::Plain, costs).with(Tone::Plain, settled)
}

/// An error as text: what failed and why, what state the card is in now, and what to do.
#[must_use]
pub fn error_lines(error: &CliError) -> Vec<Line> {
    if let CliError::Failure(failure) = error
        && failure.is_declined()
    {
        let card = failure.card_id.as_ref().map_or("the card".to_owned(), |id| format!("card {id}"));
        let why = format!(": {}. ({card} in {:?} is as it was)", failure.cause, failure.reader);
        return vec![Line::new(Tone::Waiting, "Nothing was changed").with(Tone::Plain, why)];
    }
    let told = match error {
        CliError::Failure(failure) => located(failure),
        other => other.to_string(),
    };
    let mut lines = vec![Line::new(Tone::Bad, "error: ").with(Tone::Plain, told)];
    lines.extend(error_text::causes(error).into_iter().map(|cause| Line::from(format!("  because: {cause}"))));
    if let CliError::Failure(failure) = error {
        let card = failure.card_id.as_ref().map_or("card".to_owned(), |id| format!("card {id}"));
        let state = failure.card_state();
        let tone = match state {
            CardState::Untouched | CardState::Changed => Tone::Good,
            CardState::TrySpent => Tone::Waiting,
            CardState::PinSet | CardState::Unknown => Tone::Bad,
        };
        lines.push(Line::new(Tone::Plain, format!("  {card}: ")).with(tone, failure.effect.told()));
        if let (Some(journal), true) = (&failure.journal, state.needs_attention()) {
            let history = Operation::History;
            lines.push(format!("  journal: {journal} (`{history}`); running the command again settles it").into());
        }
    }
    lines.extend(error.hint().map(|hint| Line::new(Tone::Waiting, "  hint: ").with(Tone::Plain, hint)));
    lines
}

fn located(failure: &Failure) -> String {
    format!("{failure} (reader {:?})", failure.reader)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;
    use crate::job::Step;
    use crate::job::secrets::SecretError;

    #[test]
    fn a_no_is_no_error_that_is_to_be_run_again() {
        let failure = Failure::before_any_effect(Step::Consent, "Desk 1", None, SecretError::Declined.into());
        let error = CliError::from(failure);
        let lines: Vec<String> = error_lines(&error).iter().map(|line| line.shown(false)).collect();
        let told =
            "Nothing was changed: the person at the terminal did not say yes. (the card in \"Desk 1\" is as it was)";
        assert_eq!((lines, error.hint(), error.exit()), (vec![told.to_owned()], None, Exit::Interrupted));
    }
}
