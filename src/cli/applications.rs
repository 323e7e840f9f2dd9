//! The applications on a card as `inspect` shows them: which there are, which one `set-pin` uses and why, and what it cost to
//! find out.

use serde::Serialize;

use super::screen::{Line, Tone};

use crate::apdu::Channel;
use crate::card::family::{Application, Found, Tried};
use crate::operation::Operation;

/// The applications on a card.
#[derive(Debug, Clone)]
pub struct Applications {
    used: Application,
    others: Vec<Application>,
    /// Whether the configuration can choose one of them.
    prefer_chooses: bool,
    /// Why the others could not all be asked for.
    unasked: Option<String>,
    /// Exchanges until the application was found.
    detection: u32,
    /// Exchanges for the others.
    survey: u32,
    /// Candidates that were tried before and answered `9000`, and why they were not taken.
    doubted: Vec<String>,
}

/// One application in JSON.
#[derive(Debug, Serialize)]
pub struct ApplicationObject<'a> {
    name: &'a str,
    title: &'a str,
    used: bool,
    /// Why it is used.
    reason: Option<&'static str>,
}

/// What it cost to find the application, and then the others.
#[derive(Debug, Serialize)]
pub struct DetectionObject<'a> {
    apdus: u32,
    others_apdus: u32,
    others_error: Option<&'a str>,
}

impl Applications {
    /// Asks the card for the others, with one SELECT each. Afterwards another application may be the selected one. Spends no
    /// try.
    #[must_use]
    pub fn of(found: &Found<'_>, channel: &mut Channel<'_>) -> Self {
        let before = channel.exchanges();
        let (others, unasked) = match found.others(channel) {
            Ok(others) => (others, None),
            Err(error) => (Vec::new(), Some(error.to_string())),
        };
        Self {
            used: found.application.clone(),
            others,
            prefer_chooses: found.prefer_chooses,
            unasked,
            detection: found.exchanges,
            survey: channel.exchanges() - before,
            doubted: doubted(&found.tried),
        }
    }

    /// The applications for JSON: the one that is used first.
    #[must_use]
    pub fn objects(&self) -> Vec<ApplicationObject<'_>> {
        let used = ApplicationObject {
            name: &self.used.name,
            title: &self.used.title,
            used: true,
            reason: Some(self.used.reason.name()),
        };
        let others = self.others.iter();
        let others =
            others.map(|other| ApplicationObject { name: &other.name, title: &other.title, used: false, reason: None });
        std::iter::once(used).chain(others).collect()
    }

    /// The exchanges with the card for JSON.
    #[must_use]
    pub fn cost(&self) -> DetectionObject<'_> {
        let others_error = self.unasked.as_deref();
        DetectionObject { apdus: self.detection, others_apdus: self.survey, others_error }
    }

    /// The applications as text, where there are several; with `verbose` in any case, with what the search cost and what was
    /// nearly taken.
    #[must_use]
    pub fn lines(&self, verbose: bool) -> Vec<Line> {
        let row = |label, value: String| Line::labelled(label, Tone::Plain, value);
        let mut lines = Vec::new();
        let others = self.others();
        if verbose || others.is_some() {
            let used = format!("{}, by `{}`: {}", self.used.name, Operation::SetPin.name(), self.used.reason.phrase());
            lines.push(row("used", used));
        }
        lines.extend(others.map(|others| row("also on it", others)));
        if verbose {
            let (found, others) = (count(self.detection), count(self.survey));
            lines.push(row("detection", format!("{found}, and {others} to list the other applications")));
            lines.extend(self.doubted.iter().map(|doubted| row("not taken", doubted.clone())));
        }
        lines
    }

    /// The other applications' names, or why they are not known; `None` where there are no others.
    #[must_use]
    pub fn others(&self) -> Option<String> {
        let names: Vec<&str> = self.others.iter().map(|other| other.name.as_str()).collect();
        match &self.unasked {
            Some(error) => Some(format!("not known: {error}")),
            None if names.is_empty() => None,
            None if self.prefer_chooses => Some(format!("{} (`card.prefer` chooses)", names.join(", "))),
            None => Some(names.join(", ")),
        }
    }
}

/// The candidates that answered SELECT with `9000`, and why they were not taken, one line each.
#[must_use]
pub fn doubted(tried: &[Tried]) -> Vec<String> {
    let line = |one: &Tried| one.doubt.as_ref().map(|doubt| format!("{} answered 9000: {doubt}", one.name));
    tried.iter().filter_map(line).collect()
}

fn count(exchanges: u32) -> String {
    if exchanges == 1 { "1 APDU".to_owned() } else { format!("{exchanges} APDUs") }
}
