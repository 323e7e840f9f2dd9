//! What a stage notes in the journal, and how what the card's stages tell becomes entries.

use crate::enroll::facts::{ServerFacts, purpose};
use crate::enroll::moment;
use crate::enroll::next::Purpose;
use crate::enroll::record::EnrollLog;
use crate::enroll::run::Run;
use crate::job::authority::Authority;
use crate::job::effect::{Change, ProofState};
use crate::job::journal::{self, Facts, Moment, Phase, Stage};
use crate::job::{CardIdentity, Cause, Failure};
use crate::server::AdminKeyVersion;

/// What is known of card and request.
pub(super) fn facts(card: &CardIdentity, facts: &ServerFacts) -> Facts {
    let request = facts.request.as_ref();
    Facts {
        reader: Some(card.reader.clone()),
        atr: Some(card.atr.to_string()),
        request: request.map(|request| request.uuid),
        smartcard: facts.bound.as_ref().map(|record| record.uuid),
        target_user: request.and_then(|request| request.target_user),
        template: facts.template(),
        purpose: request.and_then(purpose).map(noted_purpose),
        ..Facts::default()
    }
}

pub(super) fn noted_purpose(purpose: Purpose) -> journal::Purpose {
    match purpose {
        Purpose::Enroll => journal::Purpose::Enroll,
        Purpose::Unblock => journal::Purpose::Unblock,
        Purpose::Retire => journal::Purpose::Retire,
    }
}

/// Notes what a stage on the card tells, each time with what is known of card and request.
pub(super) struct CardNotes<'l, 'a> {
    pub log: &'l mut EnrollLog<'a>,
    /// Of card and request.
    pub base: Facts,
    /// The same with what is known of one key pair.
    pub pair: Facts,
}

impl CardNotes<'_, '_> {
    /// Notes one moment.
    ///
    /// # Errors
    /// The journal's: what was about to be done must not be done.
    pub fn note(&mut self, told: moment::Moment) -> Result<(), Cause> {
        use moment::Moment as Told;
        let (base, pair) = (|| self.base.clone(), || self.pair.clone());
        let (stage, phase, proof, facts) = match told {
            Told::AboutToProve(key) => (Stage::Prove, Phase::AboutTo, ProofState::Shown, self.proved_with(Some(key))),
            Told::Proved(key) => (Stage::Prove, Phase::Done, ProofState::Accepted, self.proved_with(Some(key))),
            Told::AboutToProveLocalKey => (Stage::Prove, Phase::AboutTo, ProofState::Shown, self.proved_with(None)),
            Told::LocalKeyProved => (Stage::Prove, Phase::Done, ProofState::Accepted, self.proved_with(None)),
            Told::AboutToShowPin => (Stage::Prove, Phase::AboutTo, ProofState::Shown, self.shown_pin()),
            Told::PinTaken => (Stage::Prove, Phase::Done, ProofState::Accepted, self.shown_pin()),
            Told::AboutToErase(slot) => {
                let facts = Facts { slot: Some(slot.to_string()), ..base() };
                (Stage::Wipe, Phase::AboutTo, ProofState::Accepted, facts)
            }
            Told::Erased => (Stage::Wipe, Phase::Done, ProofState::Accepted, base()),
            Told::AboutToWrite => (Stage::AdminKey, Phase::AboutTo, ProofState::Accepted, base()),
            Told::Written => (Stage::AdminKey, Phase::Done, ProofState::Accepted, base()),
            Told::AboutToGenerate => (Stage::KeyPair, Phase::AboutTo, ProofState::Accepted, pair()),
            Told::Generated(hash) => {
                (Stage::KeyPair, Phase::Done, ProofState::Accepted, Facts { key_made: Some(hash), ..pair() })
            }
            Told::AboutToWriteCertificate => (Stage::Certificate, Phase::AboutTo, ProofState::Accepted, pair()),
            Told::CertificateWritten => (Stage::Certificate, Phase::Done, ProofState::Accepted, pair()),
        };
        Ok(self.log.note(Moment { facts, ..Moment::new(stage, phase, proof) })?)
    }

    fn shown_pin(&self) -> Facts {
        Facts { authority: Some(Authority::CurrentPin.name().to_owned()), ..self.base.clone() }
    }

    /// `None`: with the local key.
    fn proved_with(&self, key: Option<AdminKeyVersion>) -> Facts {
        let authority = if key.is_some() { "server" } else { "admin-key" };
        Facts {
            authority: Some(authority.to_owned()),
            admin_key: key.map(|key| key.name().to_owned()),
            ..self.base.clone()
        }
    }
}

impl Run<'_> {
    /// Notes what a stage at the server is about to do.
    pub(super) fn note(&mut self, stage: Stage, phase: Phase, facts: Facts) -> Result<(), Failure> {
        let noted = self.log.note(Moment { facts, ..Moment::new(stage, phase, ProofState::NotShown) });
        self.failed(noted.map_err(Cause::from))
    }

    /// Notes how a stage ended at the server. The end is what it is, whether it can be noted or not.
    pub(super) fn note_end(&mut self, stage: Stage, phase: Phase, facts: Facts) {
        if let Err(error) = self.log.note(Moment { facts, ..Moment::new(stage, phase, ProofState::NotShown) }) {
            tracing::error!("the journal could not note how far the job is: {error}");
        }
    }

    /// What the last hold of the card has done to what this stage changes; earlier ones of this run are no part of it.
    pub(super) fn changed(&self, stage: Stage) -> Change {
        match stage {
            Stage::AdminKey => self.last_hold.admin_key,
            Stage::KeyPair => self.last_hold.key_slot,
            Stage::Certificate => self.last_hold.certificate,
            Stage::Wipe => self.last_hold.contents,
            _ => Change::AsBefore,
        }
    }

    /// Notes how a stage on the card ended that failed, as far as the card's state is known.
    pub(super) fn note_failure(&mut self, stage: Stage, failure: &Failure, facts: Facts) {
        let phase = match self.changed(stage) {
            Change::AsBefore => Phase::Refused,
            Change::New { .. } => Phase::Done,
            Change::Unknown => Phase::Unknown,
        };
        let facts = Facts {
            stopped_at: Some(failure.step.name().to_owned()),
            status_word: failure.cause.status().map(|status| format!("{:04X}", status.word())),
            ..facts
        };
        if let Err(error) = self.log.note(Moment { facts, ..Moment::new(stage, phase, failure.effect.proof) }) {
            tracing::error!("the journal could not note how the stage ended: {error}");
        }
    }
}
