//! The PIN is set by the PIN step, as `set-pin` sets it.

use uuid::Uuid;

use super::note::facts;
use crate::card::{CardId, PinLimits};
use crate::enroll::known::Known;
use crate::enroll::next::{Noted, Purpose};
use crate::enroll::run::Run;
use crate::job::consent::{Proposal, Standing};
use crate::job::desk::Desk;
use crate::job::effect::{Change, ProofState};
use crate::job::issuer::{Wanted, Watch};
use crate::job::journal::{Moment, Phase, Stage};
use crate::job::secrets::{Need, SecretError};
use crate::job::supplier::Supplier;
use crate::job::{Cause, Failure, Step, Stop};
use crate::provision::{self, AdminKeyRule, Asked, Job};
use crate::secret::{AdminKey, Code, Pin};

impl Run<'_> {
    /// Sets the PIN, has the card verify it, and keeps it for the stages that need it.
    pub(super) fn set_pin(&mut self, known: &Known) -> Result<(), Failure> {
        self.at(Step::SetPin);
        let Some((request, bound)) = known.facts.request.as_ref().zip(known.facts.bound.as_ref()) else {
            return Err(self.failure(Stop::NoRequest.into()));
        };
        let job = self.pin_job(known, request.uuid, bound.uuid);
        self.server.issuer().answer_with(job.rules.admin_key);
        self.note_beginning(known)?;
        // The PIN step claims card and request itself.
        self.log.release();
        let mut agreed = Agreed(self.supplier);
        let mut desk = Desk {
            readers: self.readers,
            issuer: self.server.issuer(),
            journal: self.journal,
            elsewhere: self.elsewhere,
            supplier: &mut agreed,
            interrupted: self.interrupted,
            progress: self.progress,
        };
        let result = provision::set_pin_for(&job, &mut desk);
        let claimed = self.log.claim().and_then(|()| self.log.claim_request(request.uuid));
        let (outcome, pin) = result.map_err(|failure| self.with_what_was_done(failure))?;
        self.effect.pin = Change::New { verified: true };
        self.pin = Some(pin);
        self.pin_outcome = Some(outcome);
        self.log.pin_is_verified();
        // The questions for the secrets may have made the server say "Executing".
        self.is_stale = true;
        self.failed(claimed.map_err(Cause::from))
    }

    /// Notes which request this is about, where no stage has noted that yet: the job of the PIN step notes its own part alone.
    fn note_beginning(&mut self, known: &Known) -> Result<(), Failure> {
        if self.log.request() == known.facts.request.as_ref().map(|request| request.uuid) {
            return Ok(());
        }
        let about = facts(&self.card, &known.facts);
        let moment = Moment { facts: about, ..Moment::new(Stage::Request, Phase::Done, ProofState::NotShown) };
        let noted = self.log.note(moment);
        self.failed(noted.map_err(Cause::from))
    }

    fn pin_job(&self, known: &Known, request: Uuid, smartcard: Uuid) -> Job {
        let journal = &known.said.journal;
        let mut rules = self.job.rules.clone();
        let is_enrollment = known.said.server.request.is_some_and(|request| request.purpose == Purpose::Enroll);
        if is_enrollment && journal.admin_key == Noted::Done && journal.admin_key_proved {
            rules.admin_key = AdminKeyRule::Diversified;
        }
        Job {
            reader: self.job.reader.clone(),
            card_id: Some(self.card.card_id),
            wanted: Wanted { smartcard: Some(smartcard), request: Some(request), visible: false },
            rules,
            families: self.job.families.clone(),
            assignment: None,
            // What an earlier run has set is set once more, since keys and certificates are written under the PIN.
            asked: if journal.pin_verified { Asked::Again } else { self.job.asked },
            risk: self.job.risk,
        }
    }
}

/// A supplier that was asked already: the yes to the enrollment is one to its PIN.
struct Agreed<'a>(&'a mut dyn Supplier);

impl Supplier for Agreed<'_> {
    fn at_hand(&self, need: Need) -> bool {
        self.0.at_hand(need)
    }

    fn meet(&mut self, card: CardId, reader: &str) {
        self.0.meet(card, reader);
    }

    fn new_pin(&mut self, limits: PinLimits) -> Result<Pin, SecretError> {
        self.0.new_pin(limits)
    }

    fn standing(&self) -> Standing {
        Standing::Given
    }

    fn consent(&mut self, _proposal: &Proposal<'_>, _watch: Watch<'_>) -> Result<(), Cause> {
        Ok(())
    }

    fn current_pin(&mut self) -> Result<Pin, SecretError> {
        self.0.current_pin()
    }

    fn admin_key(&mut self) -> Result<AdminKey, SecretError> {
        self.0.admin_key()
    }

    fn code(&mut self, need: Need) -> Result<Code, SecretError> {
        self.0.code(need)
    }
}
