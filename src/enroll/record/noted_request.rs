//! A request that is about to be made, as the journal keeps it: to be looked for where the server's answer is lost.

use std::time::SystemTime;

use uuid::Uuid;

use crate::job::effect::ProofState;
use crate::job::journal::{Facts, Moment, Phase, Purpose, Record, Stage};
use crate::server::{DataForm, LostRequest, NewRequest, Purpose as SentPurpose};

/// So many requests that are like one to be made are noted: where there are more, a look for it tells of several.
pub(super) const KNOWN_MAX: usize = 200;

/// A request that was to be made, as the journal knows it: enough to look for it, and not to make it again. The values of its
/// data items are not noted; what is not known of a request excludes none that is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotedRequest {
    /// What it was for.
    pub purpose: SentPurpose,
    /// Its comment.
    pub comment: String,
    /// For whom it was; `None`: for the caller.
    pub target: Option<Uuid>,
    /// When it was to be sent, by this machine's clock.
    pub at: SystemTime,
    /// The requests that were there before, as far as they are like it.
    pub known: Vec<Uuid>,
}

impl NotedRequest {
    /// What was sent.
    #[must_use]
    pub fn sent(&self) -> NewRequest<'_> {
        let Self { purpose, comment, target, .. } = self;
        let data_form = DataForm::default();
        NewRequest { purpose: *purpose, data: &[], data_form, comment, target: *target }
    }

    /// What is looked for; `sent` is [`NotedRequest::sent`].
    #[must_use]
    pub fn lost<'s>(&'s self, sent: &'s NewRequest<'s>) -> LostRequest<'s> {
        LostRequest { sent, at: self.at, given_up: None, known: &self.known }
    }
}

/// The note of a request that is about to be made, with what a look for it needs.
pub(super) fn about_to_create(request: &NewRequest<'_>, known: &[Uuid], facts: Facts) -> Moment {
    let (purpose, template, smartcard) = match request.purpose {
        SentPurpose::Enroll { profile_template } => (Purpose::Enroll, Some(profile_template), facts.smartcard),
        SentPurpose::Unblock { smartcard } => (Purpose::Unblock, facts.template, Some(smartcard)),
        SentPurpose::Retire { smartcard } => (Purpose::Retire, facts.template, Some(smartcard)),
    };
    let facts = Facts {
        purpose: Some(purpose),
        template,
        smartcard,
        target_user: request.target,
        comment: Some(request.comment.to_owned()),
        known_requests: known.iter().take(KNOWN_MAX).copied().collect(),
        ..facts
    };
    Moment { facts, ..Moment::new(Stage::Request, Phase::AboutTo, ProofState::NotShown) }
}

/// The request that was to be made last, by this record.
pub(super) fn noted_request(record: &Record) -> Option<NotedRequest> {
    let is_it = |stage, phase| (stage, phase) == (Stage::Request, Phase::AboutTo);
    let entry = record.entries.iter().rfind(|entry| is_it(entry.stage, entry.phase))?;
    let facts = &entry.facts;
    let purpose = match facts.purpose? {
        Purpose::Enroll => SentPurpose::Enroll { profile_template: facts.template? },
        Purpose::Unblock => SentPurpose::Unblock { smartcard: facts.smartcard? },
        Purpose::Retire => SentPurpose::Retire { smartcard: facts.smartcard? },
    };
    Some(NotedRequest {
        purpose,
        comment: facts.comment.clone().unwrap_or_default(),
        target: facts.target_user,
        at: humantime::parse_rfc3339(&entry.at).ok()?,
        known: facts.known_requests.clone(),
    })
}
