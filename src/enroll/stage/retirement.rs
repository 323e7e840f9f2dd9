//! The card's end at the server.

use super::note::facts;
use crate::enroll::known::Known;
use crate::enroll::run::Run;
use crate::job::journal::{Phase, Stage};
use crate::job::{Failure, Step, Stop};
use crate::server::EndLook;
use crate::server::wire::CardStatus;

impl Run<'_> {
    /// Retires the card at the server.
    pub(super) fn retire(&mut self, known: &Known) -> Result<(), Failure> {
        let Some((request, smartcard)) = known.facts.request.as_ref().zip(known.facts.bound.as_ref()) else {
            return Err(self.failure(Stop::NoRequest.into()));
        };
        let (request, smartcard) = (request.uuid, smartcard.uuid);
        let about = facts(&self.card, &known.facts);
        self.at(Step::Retire);
        self.note(Stage::Retirement, Phase::AboutTo, about.clone())?;
        self.is_stale = true;
        let status = match self.server.change(async |client| client.retire_smartcard(request, smartcard).await) {
            Ok(Ok(card)) => card.status,
            Err(cause) => {
                self.note_end(Stage::Retirement, Phase::Refused, about);
                return Err(self.failure(cause));
            }
            Ok(Err(lost)) => {
                let look = self.server.carry(async |client| Ok(client.look_for_retirement(smartcard).await?));
                match look {
                    Ok(EndLook::Done) => CardStatus::Retired,
                    Ok(EndLook::AsBefore(_) | EndLook::Otherwise(_)) | Err(_) => {
                        self.note_end(Stage::Retirement, Phase::Unknown, about);
                        return Err(self.failure(lost.into()));
                    }
                }
            }
        };
        if status != CardStatus::Retired {
            self.note_end(Stage::Retirement, Phase::Unknown, about);
            return Err(self.failure(Stop::NotDone { what: "the card", status: format!("{status:?}") }.into()));
        }
        self.note_end(Stage::Retirement, Phase::Done, about);
        Ok(())
    }
}
