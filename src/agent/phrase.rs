//! The agent's words: one sentence for each event, in the log and for those who ask.

use std::borrow::Cow;
use std::fmt;

use super::report::{Event, EventKind, Phase, ReaderReport};
use crate::foreign_text::escaped;
use crate::operation::Operation;

impl Phase {
    /// What it means beside its name, as a phrase.
    #[must_use]
    pub fn phrase(self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Empty => "no card",
            Self::Working => "its job runs",
            Self::NotOurs => "a card that can't be provisioned here; left alone",
            Self::Waiting => "tried again later",
            Self::NoAccess => "the server can't be used like this; tried again later",
            Self::ServerDown => "the server fails; tried again later",
            Self::Reported => "has an open request; nothing written (`agent.on_insert` is \"report\")",
            Self::NeedsPin => {
                return Cow::Owned(format!("the user must supply a PIN; `{}` asks for it", Operation::SetPin));
            }
            Self::Done => "the PIN is set and verified",
            Self::AlreadyDone => "nothing written",
            Self::Failed => "nothing more is tried until the card is pulled",
            Self::Stuck => "the reader does not answer; pull the card, or the reader",
        })
    }
}

impl EventKind {
    /// What has happened, as a phrase.
    #[must_use]
    pub fn phrase(self) -> &'static str {
        match self {
            Self::Started => "the agent serves",
            Self::Stopping => "the agent is ending",
            Self::ServiceFound => "PC/SC answers",
            Self::ServiceLost => "PC/SC can't be used",
            Self::ReaderAdded => "reader plugged in",
            Self::ReaderRemoved => "reader gone",
            Self::Inserted => "card inserted",
            Self::Removed => "card pulled",
            Self::Step => "step",
            Self::Phase => "reader",
            Self::ServerDown => "the server fails",
            Self::ServerBack => "the server answers again",
            Self::ClockJumped => "the clock jumped",
        }
    }
}

/// An event in one sentence, without its time.
pub(super) struct Sentence<'a> {
    pub what: EventKind,
    pub reader: Option<&'a ReaderReport>,
    pub detail: Option<&'a str>,
}

impl fmt::Display for Sentence<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what.phrase())?;
        if let Some(reader) = self.reader {
            write!(f, " {:?}", reader.reader)?;
            match self.what {
                EventKind::Step => write!(f, ": {}", escaped(reader.step.as_deref().unwrap_or("?")))?,
                EventKind::Phase => write!(f, ": {} ({})", reader.phase.name(), reader.phase.phrase())?,
                _ => {}
            }
            if let Some(id) = &reader.card_id {
                write!(f, ", card {}", escaped(id))?;
            }
            if let (EventKind::Phase, Some(reason)) = (self.what, &reader.reason) {
                write!(f, ": {}", escaped(reason))?;
            }
        }
        self.detail.map_or(Ok(()), |detail| write!(f, ": {}", escaped(detail)))
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sentence = Sentence { what: self.event, reader: self.reader.as_ref(), detail: self.detail.as_deref() };
        write!(f, "{}  {sentence}", escaped(&self.time))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_has_one_name() {
        for phase in Phase::ALL {
            assert_eq!(serde_json::to_value(phase).unwrap(), phase.name());
        }
    }

    #[test]
    fn the_end_of_a_job_names_reader_card_and_reason() {
        let mut report = ReaderReport::empty("Desk 1");
        report.card_id = Some("33221100-5544-7766-8899-aabbccddeeff".to_owned());
        report.reason = Some("no open request".to_owned());
        report.phase = Phase::Waiting;
        let said = |what, detail| Sentence { what, reader: Some(&report), detail }.to_string();
        assert_eq!(
            said(EventKind::Phase, None),
            "reader \"Desk 1\": waiting (tried again later), card 33221100-5544-7766-8899-aabbccddeeff: no open request"
        );
        assert_eq!(
            said(EventKind::Inserted, Some("x")),
            "card inserted \"Desk 1\", card 33221100-5544-7766-8899-aabbccddeeff: x"
        );
    }
}
