//! A key pair is made on the card, and signs its certificate request.

use super::note::{CardNotes, facts};
use super::rights::is_replaced;
use crate::card::{Family, KeySlot, PublicKey};
use crate::enroll::csr::Csr;
use crate::enroll::key_pair::{self, PairPlan};
use crate::enroll::known::{CardPair, Known};
use crate::enroll::management::{Management, Rights};
use crate::enroll::run::Run;
use crate::enroll::server::AdminKeys;
use crate::job::effect::{Change, ProofState};
use crate::job::held::HeldCard;
use crate::job::issuer::Assignment;
use crate::job::journal::{Facts, Moment, Phase, Stage};
use crate::job::secrets::{Need, SecretError};
use crate::job::{Cause, Failure, Step, Stop};
use crate::secret::{AdminKey, Pin};
use crate::server::AdminKeyVersion;

/// What gives the right to write in a hold of the card, beside the server.
pub(super) struct Keyring {
    pub pin: Pin,
    pub local: Option<AdminKey>,
    pub version: AdminKeyVersion,
    pub record: Assignment,
    pub base: Facts,
}

impl Run<'_> {
    /// Makes this key pair where the decision has found room for it.
    pub(super) fn generate(&mut self, index: usize, known: &Known) -> Result<(), Failure> {
        let Some(CardPair { plan, seen, .. }) = self.take_pair(index) else {
            return Err(self.failure(Stop::NoRequest.into()));
        };
        let before = seen.says.key;
        let place = seen.place.give_up();
        let slot = place.slot();
        let keyring = self.keyring(known)?;
        let pair = Facts {
            pair: Some(index),
            slot: Some(slot.to_string()),
            key_before: before,
            container: matches!(slot, KeySlot::Container { .. }).then(|| plan.name.clone()),
            key_type: Some(plan.key_type.name().to_owned()),
            ..keyring.base.clone()
        };
        let result = self.with_rights(Step::GenerateKeyPair, &keyring, &pair, |card, rights, notes| {
            let key = key_pair::generate(card, &place, &plan, rights, &mut |moment| notes.note(moment))?;
            key_pair::sign(card, slot, &key, &plan, rights)
        });
        self.pin = Some(keyring.pin);
        match result {
            Ok(request) => {
                self.keep_request(index, request);
                Ok(())
            }
            Err(failure) => {
                // A key that was made is noted already, with its hash.
                if !matches!(self.changed(Stage::KeyPair), Change::New { .. }) {
                    self.note_failure(Stage::KeyPair, &failure, pair);
                }
                Err(failure)
            }
        }
    }

    /// Notes the key that a run which was cut off has made.
    pub(super) fn adopt(&mut self, index: usize, known: &Known) -> Result<(), Failure> {
        let Some(CardPair { plan, seen, .. }) = self.take_pair(index) else {
            return Err(self.failure(Stop::NoRequest.into()));
        };
        let facts = Facts {
            pair: Some(index),
            slot: Some(seen.slot.to_string()),
            key_made: seen.says.key,
            container: seen.says.container,
            key_type: Some(plan.key_type.name().to_owned()),
            ..facts(&self.card, &known.facts)
        };
        let noted = self.log.note(Moment { facts, ..Moment::new(Stage::KeyPair, Phase::Done, ProofState::NotShown) });
        self.failed(noted.map_err(Cause::from))
    }

    /// Has the card sign the requests that this run has not signed yet.
    pub(super) fn sign_requests(&mut self, known: &Known) -> Result<(), Failure> {
        let unsigned: Vec<(usize, KeySlot, PublicKey, PairPlan)> = self
            .card_facts
            .iter()
            .flat_map(|facts| facts.pairs.iter().enumerate())
            .filter(|(index, _)| self.requests.get(*index).is_none_or(Option::is_none))
            .filter_map(|(index, pair)| Some((index, pair.seen.slot, pair.seen.key.clone()?, pair.plan.clone())))
            .collect();
        let pairs = self.card_facts.iter().flat_map(|facts| facts.pairs.iter().enumerate());
        let is_signed = |index: usize| self.requests.get(index).is_some_and(Option::is_some);
        let untold = pairs.filter(|(index, pair)| !is_signed(*index) && pair.seen.key.is_none()).map(|(_, pair)| pair);
        if let Some(slot) = untold.map(|pair| pair.seen.slot.to_string()).next() {
            return Err(self.failure(Stop::KeyGone { slot }.into()));
        }
        if unsigned.is_empty() {
            return Ok(());
        }
        let keyring = self.keyring(known)?;
        let base = keyring.base.clone();
        let result = self.with_rights(Step::SignRequest, &keyring, &base, |card, rights, _| {
            let sign = |(index, slot, key, plan): &(usize, KeySlot, PublicKey, PairPlan)| {
                Ok((*index, key_pair::sign(card, *slot, key, plan, rights)?))
            };
            unsigned.iter().map(sign).collect::<Result<Vec<_>, Cause>>()
        });
        self.pin = Some(keyring.pin);
        result?.into_iter().for_each(|(index, request)| self.keep_request(index, request));
        Ok(())
    }

    fn keep_request(&mut self, index: usize, request: Csr) {
        if self.requests.len() <= index {
            self.requests.resize_with(index + 1, || None);
        }
        if let Some(place) = self.requests.get_mut(index) {
            *place = Some(request);
        }
    }

    /// What the card says of one pair; the card is asked anew for all of them afterwards.
    fn take_pair(&mut self, index: usize) -> Option<CardPair> {
        self.card_facts.take()?.pairs.into_iter().nth(index)
    }

    /// The PIN of this run, out of its place until the hold of the card is over, and whatever else a hold needs.
    pub(super) fn keyring(&mut self, known: &Known) -> Result<Keyring, Failure> {
        let (base, record) = (facts(&self.card, &known.facts), self.record(known)?);
        let (local, version) = (self.local_management_key(is_replaced(known))?, self.key_version(known));
        if self.card.family == Family::Piv && local.is_none() {
            self.answer_may_be_shown(version)?;
        }
        let Some(pin) = self.pin.take() else {
            // The decision sets the PIN in every run that needs it.
            return Err(self.failure(SecretError::NoTerminal { what: Need::CurrentPin.what() }.into()));
        };
        Ok(Keyring { pin, local, version, record, base })
    }

    /// Holds the card for one stage that writes keys or certificates.
    pub(super) fn with_rights<T>(
        &mut self,
        step: Step,
        keyring: &Keyring,
        pair: &Facts,
        mut work: impl FnMut(&mut HeldCard, &mut Rights<'_>, &mut CardNotes<'_, '_>) -> Result<T, Cause>,
    ) -> Result<T, Failure> {
        let (request, smartcard) = (keyring.record.request.unwrap_or_default(), keyring.record.smartcard);
        self.with_card(step, |run, card| {
            let mut notes = CardNotes { log: &mut run.log, base: keyring.base.clone(), pair: pair.clone() };
            let mut source = AdminKeys { server: &mut run.server, request, smartcard };
            let management = match &keyring.local {
                Some(key) => Management::AdminKey(key),
                None => {
                    Management::Server { source: &mut source, version: keyring.version, record: Some(&keyring.record) }
                }
            };
            let mut rights = Rights { pin: &keyring.pin, management, interrupted: run.interrupted };
            work(card, &mut rights, &mut notes)
        })
    }
}
