//! What the three say together, and what the card says of the places for the request's key pairs.

use super::certificate::thumbprint;
use super::facts::ServerFacts;
use super::job::WrittenCertificate;
use super::key_pair::{self, PairPlan};
use super::next::{AdminKeyOnCard, Allowed, CardSays, JournalSays, Noted, Purpose, Said, SlotSays};
use super::run::Run;
use super::slots::{self, Seen, Wanted};
use super::stage::assignment;
use crate::card::Held;
use crate::job::consent::Standing;
use crate::job::record_atr::{self, AtrDoubt};
use crate::job::records::ResolveError;
use crate::job::stage_error::StageError;
use crate::job::{Cause, Failure, Step, Stop};
use crate::provision::{AdminKeyRule, Asked};
use crate::server::wire::{CardStatus, RequestStatus};
use crate::server::{certificate_for, issued};

/// What is known before a stage.
pub(super) struct Known {
    /// What decides the next stage.
    pub said: Said,
    /// The server's records.
    pub facts: ServerFacts,
}

/// What the card says of each key pair that the request wants, in the request's order.
#[derive(Default)]
pub(super) struct CardFacts {
    pub pairs: Vec<CardPair>,
    /// What it holds, where that is to be erased.
    pub held: Vec<Held>,
}

/// One key pair.
pub(super) struct CardPair {
    pub plan: PairPlan,
    /// Its place; gone once a key pair is made in it.
    pub seen: Seen,
    /// The certificate that was issued for it.
    pub certificate: Option<Vec<u8>>,
}

impl CardFacts {
    /// The certificates that were issued and are on the card.
    pub fn written(&self) -> Vec<WrittenCertificate> {
        let ours = self.pairs.iter().filter(|pair| pair.seen.says.has_our_certificate);
        ours.filter_map(|pair| Some(written(pair.seen.slot, pair.certificate.as_ref()?))).collect()
    }
}

fn written(slot: crate::card::KeySlot, certificate: &[u8]) -> WrittenCertificate {
    let (subject, not_after) = super::csr::told(certificate);
    WrittenCertificate { slot, thumbprint: thumbprint(certificate), subject, not_after }
}

impl Run<'_> {
    /// Asks the card for the places of the key pairs, where the request wants any and can be worked on, or for what it holds, where
    /// that is to be erased. Costs no try.
    pub fn look_at_card(&mut self, facts: &ServerFacts) -> Result<CardFacts, Failure> {
        if self.is_to_be_wiped(facts) {
            let held = self.look_at_contents()?;
            return Ok(CardFacts { held, ..CardFacts::default() });
        }
        let is_open = facts.request.as_ref().is_some_and(|request| request.status.is_open());
        let options = facts.options.clone().unwrap_or_default();
        if is_open {
            let checked = self.are_those_handed_in(options.len());
            self.failed(checked.map_err(Cause::from))?;
        }
        if !is_open || options.is_empty() || self.job.purpose != Purpose::Enroll {
            return Ok(CardFacts::default());
        }
        let rules = &self.job.keys;
        let plans = self.failed(key_pair::plan(&options, self.card.family, rules).map_err(Cause::from))?;
        let noted = self.says(plans.len());
        let slots = self.log.slots(plans.len());
        let result = self.issued(&noted, plans.len());
        let certificates = self.failed(result)?;
        let (seen, plans) = self.with_card(Step::LookAtSlots, |_, card| {
            let wanted: Vec<Wanted<'_>> = plans
                .iter()
                .enumerate()
                .map(|(index, plan)| Wanted {
                    plan,
                    slot: slots.get(index).copied().flatten(),
                    made: noted.pairs.get(index).and_then(|pair| pair.made),
                    certificate: certificates.get(index).and_then(|certificate| certificate.as_deref()),
                })
                .collect();
            Ok((slots::look(card, &wanted)?, plans.clone()))
        })?;
        let mut pairs: Vec<CardPair> = plans
            .into_iter()
            .zip(seen)
            .zip(certificates.into_iter().chain(std::iter::repeat(None)))
            .map(|((plan, seen), certificate)| CardPair { plan, seen, certificate })
            .collect();
        if noted.submission == Noted::Nothing {
            self.forget_keys_that_cannot_be_told(&mut pairs);
        }
        Ok(CardFacts { pairs, held: Vec::new() })
    }

    /// What the journal says, and what this run knows beside it: an answer that could not be kept is at hand as long as the run lives.
    fn says(&self, pairs: usize) -> JournalSays {
        let says = self.log.says(pairs);
        match self.answer {
            Some(_) => JournalSays { submission: Noted::Done, ..says },
            None => says,
        }
    }

    /// Certificates were asked for once, and nothing else is made or completed while the server wants another number of them.
    fn are_those_handed_in(&self, wanted: usize) -> Result<(), Stop> {
        let noted = self.log.pairs();
        match self.log.says(noted).submission {
            Noted::Begun | Noted::Done if noted != wanted => Err(Stop::OtherOptions { noted, wanted }),
            Noted::Nothing | Noted::Begun | Noted::Done => Ok(()),
        }
    }

    /// A card may not tell the public key of a pair, and a run that did not make it itself can then ask for no certificate: the pair is
    /// made anew.
    fn forget_keys_that_cannot_be_told(&self, pairs: &mut [CardPair]) {
        for (index, pair) in pairs.iter_mut().enumerate() {
            let is_signed = self.requests.get(index).is_some_and(Option::is_some);
            // One that is there and can't be read is somebody's: a person decides about it.
            let is_unreadable = pair.seen.says.key == Some(slots::UNREADABLE_KEY);
            if pair.seen.key.is_none() && !is_signed && !is_unreadable {
                pair.seen.says.key = None;
            }
        }
    }

    /// The certificates in the server's answer, where it is kept, one for each key pair.
    fn issued(&self, noted: &JournalSays, pairs: usize) -> Result<Vec<Option<Vec<u8>>>, Cause> {
        if noted.submission != Noted::Done {
            return Ok(vec![None; pairs]);
        }
        let kept = self.kept_answer()?;
        let answers = issued(&kept.answer).map_err(|error| Stop::AnswerUnread { source: Box::new(error) })?;
        let slots = self.log.slots(pairs);
        let of = |(index, request): (usize, &Vec<u8>)| {
            let slot = slots.get(index).copied().flatten().map_or_else(|| "?".to_owned(), |slot| slot.to_string());
            match certificate_for(request, &answers) {
                Ok(ours) => Ok(Some(ours.certificate)),
                Err(source) => Err(Stop::Certificate { slot, source }.into()),
            }
        };
        kept.requests.iter().enumerate().map(of).collect()
    }

    /// What decides the next stage.
    pub fn known(&self, facts: ServerFacts) -> Result<Known, Cause> {
        let pairs = self.card_facts.as_ref().map_or(&[][..], |facts| &facts.pairs);
        let mut server = facts.says(&self.card)?;
        if server.request.is_none() && self.job.new.is_some() {
            self.may_be_enrolled()?;
        }
        // A request of another type is about the card as it is in use.
        server.in_use_elsewhere &= self.job.purpose == Purpose::Enroll;
        let status = server.request.map(|request| request.status);
        let is_ended = status == Some(RequestStatus::Completed);
        let count = if is_ended { self.log.pairs() } else { pairs.len() };
        let mut journal = self.says(count);
        if let Some(request) = server.request.and(facts.request.as_ref())
            && is_ended
            && self.log.has_completed(request.uuid)
        {
            (journal.pin_verified, journal.completion) = (true, Noted::Done);
        }
        let slots = match is_ended {
            // What was read back before the request was completed.
            true => journal
                .pairs
                .iter()
                .map(|pair| SlotSays { has_our_certificate: pair.certificate == Noted::Done, ..SlotSays::default() })
                .collect(),
            false => pairs.iter().map(|pair| pair.seen.says.clone()).collect(),
        };
        let admin_key = match self.job.purpose {
            Purpose::Retire => self.admin_key_of_a_card_in_use(&facts),
            Purpose::Enroll | Purpose::Unblock => self.admin_key_on_card(&facts, journal.admin_key)?,
        };
        let said = Said {
            journal,
            server,
            card: CardSays { admin_key, slots, wants_admin_key_to_erase: self.wants_admin_key_to_erase() },
            allowed: self.allowed(&facts),
            pin_at_hand: self.pin.is_some(),
        };
        Ok(Known { said, facts })
    }

    /// A card that can't get what an enrollment is for is told before a request is made for it.
    fn may_be_enrolled(&self) -> Result<(), StageError> {
        let family = self.card.family;
        match self.job.purpose == Purpose::Enroll && family.key_types().is_empty() {
            true => Err(StageError::no_keys(family)),
            false => Ok(()),
        }
    }

    /// A policy permits, and a person decides: it takes both.
    fn allowed(&self, facts: &ServerFacts) -> Allowed {
        let rules = facts.policy.as_ref().map(|policy| &policy.card);
        Allowed {
            create: self.job.new.is_some(),
            erase: self.job.erase && rules.is_some_and(|rules| rules.erases_on_overflow),
            reuse: self.job.reuse && rules.is_some_and(|rules| rules.allows_reuse),
            wipe: self.job.wipe,
        }
    }

    /// What a person decides, nobody does unasked; and nobody works on a request for one user with the card of another.
    pub fn may_be_worked_on(&self, facts: &ServerFacts) -> Result<(), Cause> {
        let Some(request) = facts.request.as_ref().filter(|request| request.status.is_open()) else { return Ok(()) };
        let uuid = request.uuid;
        if let (Some(target), Some(record)) = (request.target_user, &facts.bound)
            && let Some(assigned) = record.assigned_user.filter(|assigned| *assigned != target)
        {
            return Err(ResolveError::OtherUser { request: uuid, target, smartcard: record.uuid, assigned }.into());
        }
        self.other_atr(facts)?;
        if self.job.asked != Asked::ByInsertion {
            return Ok(());
        }
        if request.target_user.is_none() {
            return Err(ResolveError::UserUntold { request: uuid }.into());
        }
        let is_ours = self.log.request() == Some(uuid) || self.log.knows(uuid);
        if request.status == RequestStatus::Executing && !is_ours {
            return Err(ResolveError::BegunElsewhere { request: uuid }.into());
        }
        Ok(())
    }

    /// Why the card may not be the one of the server's record, where a person is to decide that.
    ///
    /// # Errors
    /// [`ResolveError::OtherAtr`] where nobody decides it: nobody has asked for the job in person, the configuration is strict, or a yes
    /// was said beforehand that can't be meant for this.
    pub fn other_atr(&self, facts: &ServerFacts) -> Result<Option<String>, ResolveError> {
        let Some(record) = &facts.bound else { return Ok(None) };
        let request = facts.request.as_ref();
        let assignment = assignment(record, request, facts.template());
        let Err(error) = record_atr::check(&self.card, &assignment, &self.job.families) else { return Ok(None) };
        let ResolveError::OtherAtr { why, .. } = &error else { return Err(error) };
        let is_asked = self.supplier.standing() != Standing::Given;
        let is_meant = is_asked || self.job.smartcard == Some(record.uuid) || why.is_covered_by_an_earlier_yes();
        match self.job.asked != Asked::ByInsertion && *why != AtrDoubt::Strict && is_meant {
            true => Ok(Some(error.to_string())),
            false => Err(error),
        }
    }

    /// Which admin key is on the card, by a person's word, the policy, and whether the card was in use before.
    fn admin_key_on_card(&self, facts: &ServerFacts, written: Noted) -> Result<AdminKeyOnCard, Cause> {
        let is_enrollment = facts.request.as_ref().and_then(super::facts::purpose) == Some(Purpose::Enroll);
        let is_open = facts.request.as_ref().is_some_and(|request| request.status.is_open());
        let is_shown = facts.policy.as_ref().is_some_and(|policy| policy.diversify_admin_key.is_some());
        Ok(match self.job.rules.admin_key {
            AdminKeyRule::Default => AdminKeyOnCard::Default,
            AdminKeyRule::Diversified => AdminKeyOnCard::Diversified,
            // The write was begun, and nobody knows its end.
            AdminKeyRule::Policy if written == Noted::Begun => AdminKeyOnCard::Unknown,
            AdminKeyRule::Policy if written == Noted::Done => AdminKeyOnCard::Diversified,
            // A server that does not say whether the key is to be replaced may want it replaced.
            AdminKeyRule::Policy if is_enrollment && is_open && facts.bound.is_some() && !is_shown => {
                let evidence = "the server does not show whether the template's policy replaces it".to_owned();
                return Err(Stop::AdminKeyUnknown { evidence }.into());
            }
            AdminKeyRule::Policy if facts.was_used_before() => AdminKeyOnCard::Unknown,
            AdminKeyRule::Policy => match facts.bound.as_ref().map(|record| record.status) {
                None | Some(CardStatus::New | CardStatus::Assigned) => AdminKeyOnCard::Default,
                Some(_) => AdminKeyOnCard::Unknown,
            },
        })
    }
}
