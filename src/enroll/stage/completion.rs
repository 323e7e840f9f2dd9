//! The request is completed: after everything on the card was read back.

use super::note::facts;
use crate::enroll::known::Known;
use crate::enroll::next::Noted;
use crate::enroll::run::Run;
use crate::job::journal::{Facts, Phase, Stage};
use crate::job::{Failure, Step, Stop};
use crate::server::wire::RequestStatus;
use crate::server::{EndLook, RequestEnd};

impl Run<'_> {
    /// Completes the request. What became of a lost call is looked at, and the call not sent again in this run.
    pub(super) fn complete(&mut self, known: &Known) -> Result<(), Failure> {
        self.at(Step::Complete);
        let Some(request) = known.facts.request.as_ref().map(|request| request.uuid) else {
            return Err(self.failure(Stop::NoRequest.into()));
        };
        let about = facts(&self.card, &known.facts);
        self.note_certificates_read_back(known, &about)?;
        self.note(Stage::Completion, Phase::AboutTo, about.clone())?;
        let end = RequestEnd::Completed;
        let status = match self.server.change(async |client| client.end_request(request, end).await) {
            Ok(Ok(request)) => request.status,
            Err(cause) => {
                self.note_end(Stage::Completion, Phase::Refused, about);
                return Err(self.failure(cause));
            }
            Ok(Err(lost)) => {
                let look = self.server.carry(async |client| Ok(client.look_for_end(request, end).await?));
                match look {
                    Ok(EndLook::Done) => RequestStatus::Completed,
                    Ok(EndLook::AsBefore(_) | EndLook::Otherwise(_)) | Err(_) => {
                        self.note_end(Stage::Completion, Phase::Unknown, about);
                        return Err(self.failure(lost.into()));
                    }
                }
            }
        };
        if status != RequestStatus::Completed {
            self.note_end(Stage::Completion, Phase::Unknown, about);
            return Err(self.failure(Stop::NotDone { what: "the request", status: status.to_string() }.into()));
        }
        self.journal_failed = self.log.completed().err();
        if let Some(facts) = &mut self.facts
            && let Some(request) = &mut facts.request
        {
            request.status = RequestStatus::Completed;
        }
        Ok(())
    }

    /// Notes the certificates that a run which was cut off has written, and that the card has given back since.
    fn note_certificates_read_back(&mut self, known: &Known, about: &Facts) -> Result<(), Failure> {
        for (pair, slot) in known.said.card.slots.iter().enumerate() {
            let is_noted = known.said.journal.pairs.get(pair).is_some_and(|pair| pair.certificate == Noted::Done);
            if slot.has_our_certificate && !is_noted {
                self.note(Stage::Certificate, Phase::Done, Facts { pair: Some(pair), ..about.clone() })?;
            }
        }
        Ok(())
    }
}
