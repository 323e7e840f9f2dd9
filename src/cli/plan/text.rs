//! A plan as text: whether the job would come to its end, for which card and request, and its steps.

use crate::cli::screen::{Line, Tone};
use crate::exit::Exit;
use crate::job::Cause;
use crate::provision::plan::{Plan, PlannedStep};

/// The plan; with `verbose` every call and every APDU, else a line for what several of them are for.
#[must_use]
pub(super) fn lines(plan: &Plan, verbose: bool) -> Vec<Line> {
    let mut lines = verdict(plan);
    let card = &plan.card;
    let text = |value: Option<String>, without: &str| value.unwrap_or_else(|| without.to_owned());
    let assignment = &plan.assignment;
    let row = |label, value: String| Line::labelled(label, Tone::Plain, value);
    lines.push(row("card", format!("{} ({}) in {:?}", card.card_id, card.family, card.reader)));
    if verbose {
        lines.push(row("ATR", card.atr.to_string()));
        lines.push(row("smart card", assignment.smartcard.to_string()));
    }
    lines.extend([
        row("request", text(assignment.request.map(|id| id.to_string()), "none")),
        row("for user", text(assignment.target_user.map(|id| id.to_string()), "not told")),
        row("template", text(assignment.template_told(), "not told")),
        row("authority", plan.authority.name().to_owned()),
        Line::default(),
    ]);
    lines.extend(if verbose { steps(plan) } else { stages(plan) });
    lines.extend(
        plan.notes.iter().flat_map(|note| {
            [Line::default(), Line::new(Tone::Waiting, "Note: ").with(Tone::Plain, format!("{note}."))]
        }),
    );
    lines
}

/// Whether the job would come to its end, and with which exit code.
fn verdict(plan: &Plan) -> Vec<Line> {
    let Some(failure) = &plan.obstacle else {
        return vec![Line::new(Tone::Good, "would set the PIN").with(Tone::Plain, " (exit 0)"), Line::default()];
    };
    let (tone, verb) = match failure.cause.as_ref() {
        Cause::AlreadyDone(_) => (Tone::Waiting, "would do nothing: "),
        _ => (Tone::Bad, "would stop: "),
    };
    let exit = Exit::from(failure) as u8;
    vec![
        Line::new(tone, verb).with(Tone::Plain, format!("{} (exit {exit})", failure.cause)),
        Line::new(Tone::Waiting, "  hint: ").with(Tone::Plain, failure.cause.remedy()),
        Line::default(),
    ]
}

/// Every step by itself.
fn steps(plan: &Plan) -> Vec<Line> {
    let one = |(at, step): (usize, &PlannedStep)| {
        let Shown { who, purpose, .. } = Shown::of(step);
        let detail = match step {
            PlannedStep::Apdu { frame, .. } => Some(frame.clone()),
            PlannedStep::Http { url, .. } => Some(format!("GET {url}")),
            PlannedStep::Prompt { .. } => None,
        };
        let detail = detail.map(|detail| Line::new(Tone::Quiet, format!("        {detail}")));
        std::iter::once(numbered(at + 1, who, purpose, at < plan.reached)).chain(detail)
    };
    plan.steps.iter().enumerate().flat_map(one).collect()
}

/// A line for each purpose, with how many commands or calls it takes.
fn stages(plan: &Plan) -> Vec<Line> {
    let shown: Vec<(Shown, bool)> =
        plan.steps.iter().enumerate().map(|(at, step)| (Shown::of(step), at < plan.reached)).collect();
    let groups = shown.chunk_by(|before, after| before == after).enumerate();
    groups
        .filter_map(|(at, group)| {
            let (Shown { who, purpose, unit }, reached) = group.first()?;
            let purpose = match group.len() {
                1 => (*purpose).to_owned(),
                several => format!("{purpose} ({several} {unit})"),
            };
            Some(numbered(at + 1, who, &purpose, *reached))
        })
        .collect()
}

fn numbered(number: usize, who: &str, purpose: &str, reached: bool) -> Line {
    let line = format!("{number:>2}. {who:<7} {purpose}");
    if reached { line.into() } else { Line::new(Tone::Quiet, line + " (not reached)") }
}

/// Who is asked for what.
#[derive(PartialEq, Eq)]
struct Shown {
    who: &'static str,
    purpose: &'static str,
    unit: &'static str,
}

impl Shown {
    fn of(step: &PlannedStep) -> Self {
        match step {
            PlannedStep::Apdu { purpose, .. } => Self { who: "card", purpose, unit: "APDUs" },
            PlannedStep::Http { purpose, .. } => Self { who: "server", purpose, unit: "calls" },
            PlannedStep::Prompt { purpose } => Self { who: "person", purpose, unit: "questions" },
        }
    }
}
