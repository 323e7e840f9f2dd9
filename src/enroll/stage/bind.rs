//! The card is bound to the request: once.

use super::note::facts;
use crate::enroll::known::Known;
use crate::enroll::run::Run;
use crate::job::journal::{Facts, Phase, Stage};
use crate::job::{Failure, Step, Stop};

impl Run<'_> {
    /// Binds the card. A lost answer is looked for by the next look at the request, and the call never sent again.
    pub(super) fn bind(&mut self, known: &Known) -> Result<(), Failure> {
        self.at(Step::BindCard);
        let Some(request) = known.facts.request.as_ref().map(|request| request.uuid) else {
            return Err(self.failure(Stop::NoRequest.into()));
        };
        let (about, card) = (facts(&self.card, &known.facts), self.card.parameters());
        self.note(Stage::Bind, Phase::AboutTo, about.clone())?;
        self.is_stale = true;
        self.card_facts = None;
        match self.server.change(async |client| client.bind_smartcard(request, &card).await) {
            Ok(Ok(smartcard)) => {
                self.note_end(Stage::Bind, Phase::Done, Facts { smartcard: Some(smartcard), ..about });
                Ok(())
            }
            Ok(Err(lost)) => {
                tracing::warn!("the server's answer to the binding was lost: {lost}");
                self.note_end(Stage::Bind, Phase::Unknown, about);
                Ok(())
            }
            Err(cause) => {
                self.note_end(Stage::Bind, Phase::Refused, about);
                Err(self.failure(cause))
            }
        }
    }
}
