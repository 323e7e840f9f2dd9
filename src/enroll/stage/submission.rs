//! The certificate requests are handed in: once. The answer is kept before it is read.

use super::note::facts;
use crate::enroll::known::Known;
use crate::enroll::run::Run;
use crate::job::journal::{Facts, Kept, Phase, Stage};
use crate::job::{Cause, Failure, Step, Stop};
use crate::server::{PfxPassword, ServerError, ServerProblem};

impl Run<'_> {
    /// Hands in a certificate request of each key pair. Where the answer is lost the next look stops: another try would get another
    /// certificate.
    pub(super) fn submit(&mut self, known: &Known) -> Result<(), Failure> {
        self.sign_requests(known)?;
        self.at(Step::Submit);
        let interrupted = self.go_on();
        self.failed(interrupted)?;
        let Some(request) = known.facts.request.as_ref().map(|request| request.uuid) else {
            return Err(self.failure(Stop::NoRequest.into()));
        };
        let requests: Vec<Vec<u8>> = self.requests.iter().flatten().map(|request| request.der().to_vec()).collect();
        let password = PfxPassword::random().map_err(|error| {
            let problem = ServerProblem::Runtime(std::io::Error::other(error));
            self.failure(ServerError { call: "POST requests/{id}/certificatedata", problem }.into())
        })?;
        let about = facts(&self.card, &known.facts);
        self.note(Stage::Submission, Phase::AboutTo, about.clone())?;
        self.is_stale = true;
        self.card_facts = None;
        let call =
            async |client: &crate::server::Client| client.certificate_data(request, &requests, &password, "").await;
        match self.server.change(call) {
            Ok(Ok(answer)) => {
                self.keep_answer(Kept { requests: requests.clone(), answer: answer.bytes().to_vec() }, about);
                Ok(())
            }
            Ok(Err(lost)) => {
                tracing::warn!("the server's answer to the certificate requests was lost: {lost}");
                self.note_end(Stage::Submission, Phase::Unknown, about);
                Ok(())
            }
            Err(cause) => {
                self.note_end(Stage::Submission, Phase::Refused, about);
                Err(self.failure(cause))
            }
        }
    }

    /// Keeps the answer on disk, and in memory for this run where that fails.
    fn keep_answer(&mut self, kept: Kept, about: Facts) {
        let name = match self.log.keep(&kept.answer, &kept.requests) {
            Ok(name) => name,
            Err(error) => {
                tracing::error!(
                    "the server's answer can't be kept: if this run does not end well it is lost ({error})"
                );
                None
            }
        };
        self.note_end(Stage::Submission, Phase::Done, Facts { kept: name, ..about });
        self.answer = Some(kept);
    }

    /// The server's answer, with the requests that it is to.
    pub(in crate::enroll) fn kept_answer(&self) -> Result<Kept, Cause> {
        match &self.answer {
            Some(kept) => Ok(kept.clone()),
            None => Ok(self.log.kept()?.ok_or(Stop::AnswerGone)?),
        }
    }
}
