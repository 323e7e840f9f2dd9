//! A planned enrollment, unblocking or retirement: as JSON, and as text.

use serde::Serialize;
use uuid::Uuid;

use crate::cli::enroll::EnrollCommand;
use crate::cli::json::Head;
use crate::cli::screen::{Line, Tone};
use crate::enroll::plan::{EnrollPlan, PlannedStage};
use crate::exit::Exit;
use crate::foreign_text::escaped;
use crate::job::{Cause, Failure, Step};
use crate::operation::Operation;

/// The stage at which somebody else has to act.
const APPROVAL: &str = "approval";

/// A plan with what it leads to.
pub struct Planned {
    operation: Operation,
    plan: EnrollPlan,
    stop: Option<Failure>,
}

impl Planned {
    /// Of this command.
    #[must_use]
    pub fn new(command: EnrollCommand<'_>, mut plan: EnrollPlan) -> Self {
        let (reader, card_id) = (&plan.card.reader, plan.card.card_id);
        let failure = |cause| Failure::before_any_effect(Step::Resolve, reader, Some(card_id), cause);
        let stop = plan.stop.take().map(failure);
        Self { operation: command.operation(), plan, stop }
    }

    /// The exit code that the job would have.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match &self.stop {
            Some(failure) => failure.into(),
            None if self.plan.stages.iter().any(|stage| stage.name == APPROVAL) => Exit::Pending,
            None => Exit::Done,
        }
    }

    /// As text; with `verbose` every call and every command.
    #[must_use]
    pub fn lines(&self, verbose: bool) -> Vec<Line> {
        let EnrollPlan { card, request, template, target_user, stages, notes, .. } = &self.plan;
        let row = |label, value: String| Line::labelled(label, Tone::Plain, value);
        let mut lines = self.verdict();
        lines.push(Line::default());
        lines.extend([
            row("card", format!("{} ({}) in {:?}", card.card_id, card.family, card.reader)),
            row("request", request.map_or_else(|| "none".to_owned(), |id| id.to_string())),
            row("for user", target_user.map_or_else(|| "not told".to_owned(), |id| id.to_string())),
            row("template", template.clone().unwrap_or_else(|| "not told".to_owned())),
        ]);
        lines.extend(notes.iter().map(|note| row("note", escaped(note).to_string())));
        lines.push(Line::default());
        for (at, PlannedStage { what, calls, commands, .. }) in stages.iter().enumerate() {
            lines.push(format!("{:>2}. {what}", at + 1).into());
            let details = [("server", calls), ("card", commands)];
            let details = details.into_iter().flat_map(|(who, done)| done.iter().map(move |done| (who, done)));
            let below = |(who, done)| Line::new(Tone::Quiet, format!("        {who:<7} {done}"));
            lines.extend(details.filter(|_| verbose).map(below));
        }
        lines
    }

    fn verdict(&self) -> Vec<Line> {
        let exit = self.exit() as u8;
        let Some(failure) = &self.stop else {
            let (tone, told) = match self.exit() {
                Exit::Pending => (Tone::Waiting, "would wait for approval".to_owned()),
                _ => (Tone::Good, format!("`{}` would come to its end", self.operation)),
            };
            return vec![Line::new(tone, told).with(Tone::Plain, format!(" (exit {exit})"))];
        };
        let (tone, verb) = match failure.cause.as_ref() {
            Cause::AlreadyDone(_) => (Tone::Waiting, "would do nothing: "),
            _ => (Tone::Bad, "would stop: "),
        };
        vec![
            Line::new(tone, verb).with(Tone::Plain, format!("{} (exit {exit})", failure.cause)),
            Line::new(Tone::Waiting, "  hint: ").with(Tone::Plain, failure.cause.remedy()),
        ]
    }
}

/// `pinwright.plan/1` of such a job.
#[derive(Debug, Serialize)]
pub struct EnrollPlanObject<'a> {
    #[serde(flatten)]
    head: Head,
    r#for: &'static str,
    exit_code: u8,
    obstacle: Option<String>,
    reader: &'a str,
    family: crate::card::Family,
    atr: String,
    card_id: String,
    request: Option<Uuid>,
    target_user: Option<Uuid>,
    template: Option<&'a str>,
    notes: &'a [String],
    stages: Vec<StageObject<'a>>,
}

#[derive(Debug, Serialize)]
struct StageObject<'a> {
    name: &'static str,
    what: &'a str,
    calls: &'a [String],
    commands: &'a [String],
}

impl<'a> EnrollPlanObject<'a> {
    /// The plan as an object.
    #[must_use]
    pub fn new(planned: &'a Planned) -> Self {
        let EnrollPlan { card, request, template, target_user, stages, notes, .. } = &planned.plan;
        let outcome = match planned.stop.as_ref().map(|failure| failure.cause.as_ref()) {
            None if planned.exit() == Exit::Pending => "awaits-approval",
            None => "possible",
            Some(Cause::AlreadyDone(_)) => "already-done",
            Some(_) => "not-possible",
        };
        let stage = |stage: &'a PlannedStage| {
            let PlannedStage { name, what, calls, commands } = stage;
            StageObject { name, what, calls, commands }
        };
        Self {
            head: Head { schema: Operation::Plan.schema(), outcome },
            r#for: planned.operation.name(),
            exit_code: planned.exit() as u8,
            obstacle: planned.stop.as_ref().map(|failure| failure.cause.to_string()),
            reader: &card.reader,
            family: card.family,
            atr: card.atr.to_string(),
            card_id: card.card_id.to_string(),
            request: *request,
            target_user: *target_user,
            template: template.as_deref(),
            notes,
            stages: stages.iter().map(stage).collect(),
        }
    }
}
