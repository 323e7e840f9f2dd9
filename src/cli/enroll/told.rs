//! The wording of how a request ended, which may change.

use crate::card::Family;
use crate::cli::context::CommandContext;
use crate::cli::output::{Costs, millis};
use crate::cli::screen::{Line, Tone};
use crate::cli::set_pin;
use crate::enroll::job::{Awaiting, EnrollOutcome};
use crate::enroll::next::Purpose;
use crate::foreign_text::escaped;
use crate::job::given::PinSource;
use crate::operation::Operation;

/// The result in one line, with its time but for what a person took of it; with `verbose` also what was done.
#[must_use]
pub fn lines(outcome: &EnrollOutcome, costs: &Costs, verbose: bool) -> Vec<Line> {
    let time = millis(costs.total.saturating_sub(costs.person));
    let costs = format!(" ({} APDUs, {} HTTP requests, {time:.1} ms)", costs.apdus, costs.http_requests);
    let tone = if outcome.was_done_before { Tone::Waiting } else { Tone::Good };
    let first = Line::new(tone, format!("{}.", done(outcome))).with(Tone::Plain, costs);
    std::iter::once(first).chain(verbose.then(|| details(outcome)).into_iter().flatten()).collect()
}

/// What is done, as a sentence without its full stop.
#[must_use]
pub fn done(outcome: &EnrollOutcome) -> String {
    let (card, reader) = (outcome.card.card_id, &outcome.card.reader);
    let request = format!("request {} is completed", outcome.request);
    if outcome.was_done_before {
        return format!("Nothing was done for card {card} in {reader:?}: {request} already");
    }
    let pin = outcome.pin.as_ref().map(|pin| match pin.pin_source {
        PinSource::Server => "has the PIN that the server proposed",
        PinSource::User => "has the PIN that was entered",
    });
    let certificates = match outcome.certificates.len() {
        0 => None,
        1 => Some("a certificate".to_owned()),
        several => Some(format!("{several} certificates")),
    };
    let is_now = match (outcome.purpose, pin, certificates) {
        (Purpose::Retire, ..) if outcome.wiped.is_empty() => {
            "is retired at the server, and holds what it held".to_owned()
        }
        (Purpose::Retire, ..) if outcome.card.family == Family::Piv => {
            "is retired at the server, and has no certificates any more; its private keys stay on it".to_owned()
        }
        (Purpose::Retire, ..) => "is retired at the server, and erased".to_owned(),
        (Purpose::Enroll | Purpose::Unblock, Some(pin), Some(certificates)) => format!("{pin}, and {certificates}"),
        (Purpose::Enroll | Purpose::Unblock, Some(pin), None) => pin.to_owned(),
        (Purpose::Enroll, None, Some(certificates)) => format!("has {certificates}"),
        (Purpose::Enroll, None, None) => "is enrolled".to_owned(),
        (Purpose::Unblock, None, _) => "is unblocked".to_owned(),
    };
    format!("Card {card} in {reader:?} {is_now}; {request}")
}

fn details(outcome: &EnrollOutcome) -> Vec<Line> {
    let row = |label, value: String| Line::labelled(label, Tone::Plain, value);
    let made = if outcome.created { " (made in this run)" } else { "" };
    let mut lines = vec![
        row("request", format!("{}{made}", outcome.request)),
        row("smart card", outcome.smartcard.to_string()),
        row("for user", outcome.target_user.map_or_else(|| "not told".to_owned(), |user| user.to_string())),
        row("template", outcome.template.map_or_else(|| "not told".to_owned(), |template| template.to_string())),
    ];
    if outcome.admin_key_replaced {
        lines.push(row("admin key", "new; the card has proved it".to_owned()));
    }
    lines.extend(outcome.certificates.iter().map(|written| {
        let told = format!("{}, {}, until {}", written.subject, written.thumbprint, written.not_after);
        row("certificate", format!("{}: {}", written.slot, escaped(&told)))
    }));
    lines.extend(outcome.wiped.iter().map(|lost| row("erased", lost.clone())));
    lines.extend(outcome.journal_id.iter().map(|id| row("journal", id.clone())));
    lines
}

/// That somebody has to approve the request.
#[must_use]
pub fn awaiting(awaiting: &Awaiting) -> Line {
    let Awaiting { card, request, created, .. } = awaiting;
    let made = if *created { "is made, and waits" } else { "waits" };
    let card = format!(" (card {} in {:?})", card.card_id, card.reader);
    Line::new(Tone::Waiting, format!("Request {request} {made} for approval.")).with(Tone::Plain, card)
}

/// How it goes on.
#[must_use]
pub fn goes_on(command: Operation) -> Line {
    let hint = format!("once it is approved, run `{command}` again: it goes on with this request");
    Line::new(Tone::Waiting, "hint: ").with(Tone::Plain, hint)
}

/// Warns of what a request that is carried out has left behind: a card that was not reset, a journal that does not show the end.
pub fn warn(outcome: &EnrollOutcome, context: &mut CommandContext<'_>) {
    if let Some(pin) = &outcome.pin {
        set_pin::warn(pin, context);
    }
    if let Some(error) = &outcome.journal_failed {
        context.warn(&format!("the request is completed, but the journal does not show it ({error})"));
    }
}
