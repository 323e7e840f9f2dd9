//! The request is completed: after everything on the card was read back.

use super::note::facts;
use crate::enroll::known::Known;
use crate::enroll::run::Run;
use crate::job::journal::{Phase, Stage};
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
}
