//! What a card holds of keys and certificates is erased, as far as its family has commands for that.

use super::note::{CardNotes, facts};
use crate::card::{Family, Held, HeldKey, KeySlot, Proof, Tries};
use crate::enroll::facts::ServerFacts;
use crate::enroll::known::Known;
use crate::enroll::management::{Management, need, unlock};
use crate::enroll::moment::{Moment, Note};
use crate::enroll::next::{AdminKeyOnCard, Noted, Purpose};
use crate::enroll::run::Run;
use crate::enroll::server::AdminKeys;
use crate::job::effect::{Change, ProofState};
use crate::job::held::HeldCard;
use crate::job::journal::Stage;
use crate::job::{Cause, Failure, Step};
use crate::provision::AdminKeyRule;
use crate::secret::Pin;
use crate::server::AdminKeyVersion;
use crate::server::wire::CardStatus;

impl Run<'_> {
    /// Erases every key and certificate that the card tells of, and what an earlier run was about to erase. A GIDS card wants its
    /// current PIN for that, which a person gives: **a wrong one costs a try.** A PIV card wants its management key, and keeps its
    /// private keys: it has no command that deletes one.
    pub(super) fn wipe(&mut self, known: &Known) -> Result<(), Failure> {
        self.at(Step::Wipe);
        let record = self.record(known)?;
        let (request, smartcard) = (record.request.unwrap_or_default(), record.smartcard);
        let local = self.local_management_key(matches!(self.log.admin_key_replaced(), Change::New { .. }))?;
        let version = match self.card.family {
            Family::Piv if local.is_none() => self.key_version_in_use(known)?,
            // No answer of the server's is shown.
            Family::Piv | Family::Gids | Family::OpenPgp | Family::Iso7816 => AdminKeyVersion::Default,
        };
        if self.card.family == Family::Piv && local.is_none() {
            self.answer_may_be_shown(version)?;
        }
        let pin = match self.current_pin.take() {
            Some(pin) => Some(pin),
            None => self.pin_to_erase_with()?,
        };
        let base = facts(&self.card, &known.facts);
        let begun = self.log.slots_to_erase();
        let wiped = self.with_card(Step::Wipe, |run, card| {
            if pin.is_some() {
                run.pin_tries_are_enough(card)?;
                run.go_on()?;
            }
            let mut notes = CardNotes { log: &mut run.log, base: base.clone(), pair: base.clone() };
            if let Some(pin) = &pin {
                notes.note(Moment::AboutToShowPin)?;
                card.show_pin(pin)?;
                notes.note(Moment::PinTaken)?;
            }
            let mut source = AdminKeys { server: &mut run.server, request, smartcard };
            let mut management = match &local {
                Some(key) => Management::AdminKey(key),
                None => Management::Server { source: &mut source, version, record: Some(&record) },
            };
            unlock(card, &mut management, run.interrupted, &mut |moment| notes.note(moment))?;
            card.at(Step::Wipe);
            erase_all(card, &begun, &mut |moment| notes.note(moment))
        });
        match wiped {
            Ok(wiped) => {
                self.wiped = Some(wiped);
                self.card_facts = None;
                Ok(())
            }
            Err(failure) => {
                let is_as_before = self.changed(Stage::Wipe) == Change::AsBefore;
                if !is_as_before {
                    self.note_failure(Stage::Wipe, &failure, base);
                } else if self.last_hold.proof != ProofState::NotShown {
                    self.note_failure(Stage::Prove, &failure, base);
                }
                Err(failure)
            }
        }
    }

    /// Whether what the card holds is still to be erased.
    pub(in crate::enroll) fn is_to_be_wiped(&self, facts: &ServerFacts) -> bool {
        let can_be = facts.request.as_ref().is_none_or(|request| request.status.is_open());
        self.job.wipe && self.job.purpose == Purpose::Retire && can_be && self.log.says(0).wipe != Noted::Done
    }

    /// What the card holds. Where its PIN has too few tries to erase that, it is told before anything is changed.
    pub(in crate::enroll) fn look_at_contents(&mut self) -> Result<Vec<Held>, Failure> {
        self.with_card(Step::LookAtSlots, |run, card| {
            if run.card.family != Family::Piv {
                run.pin_tries_are_enough(card)?;
            }
            card.held_keys()
        })
    }

    /// Whether the server's answer gives the right to erase.
    pub(in crate::enroll) fn wants_admin_key_to_erase(&self) -> bool {
        self.card.family == Family::Piv && need(self.card.family, self.job.keys.management).is_none()
    }

    /// The current PIN, which a person gives; `None`: the card wants none.
    pub(super) fn pin_to_erase_with(&mut self) -> Result<Option<Pin>, Failure> {
        if self.card.family == Family::Piv {
            return Ok(None);
        }
        self.at(Step::Wipe);
        let pin = self.supplier.current_pin();
        self.failed(pin.map(Some).map_err(Cause::from))
    }

    fn pin_tries_are_enough(&self, card: &mut HeldCard) -> Result<(), Cause> {
        let min = self.job.rules.min_tries_left;
        match card.tries_to_risk(Proof::CurrentPin)? {
            Tries::Left { left, .. } if left < min => {
                Err(Cause::FewTries { what: Proof::CurrentPin.what(), left, min })
            }
            Tries::Left { .. } | Tries::Untold => Ok(()),
        }
    }

    /// Which admin key a card has that was issued before. Two pieces of evidence that disagree settle nothing.
    pub(in crate::enroll) fn admin_key_of_a_card_in_use(&self, facts: &ServerFacts) -> AdminKeyOnCard {
        match self.job.rules.admin_key {
            AdminKeyRule::Default => return AdminKeyOnCard::Default,
            AdminKeyRule::Diversified => return AdminKeyOnCard::Diversified,
            AdminKeyRule::Policy => {}
        }
        let diversifies = facts.policy.as_ref().and_then(|policy| policy.diversify_admin_key);
        let status = facts.bound.as_ref().map(|record| record.status);
        match (self.log.admin_key_replaced(), diversifies, status) {
            (Change::New { .. }, Some(true) | None, _) => AdminKeyOnCard::Diversified,
            (Change::New { .. }, Some(false), _) | (Change::Unknown, ..) => AdminKeyOnCard::Unknown,
            (Change::AsBefore, Some(false), _) => AdminKeyOnCard::Default,
            (Change::AsBefore, Some(true), Some(CardStatus::Active | CardStatus::Disabled | CardStatus::Retired)) => {
                AdminKeyOnCard::Diversified
            }
            (Change::AsBefore, ..) => AdminKeyOnCard::Unknown,
        }
    }
}

/// Erases slot by slot, also those of which an earlier run has noted that it was about to: the tables forget a key before the card does.
/// Gives what was erased and what stays, as clauses.
fn erase_all(card: &mut HeldCard, begun: &[KeySlot], note: Note<'_>) -> Result<Vec<String>, Cause> {
    let held = card.held_keys()?;
    let mut done = Vec::new();
    for thing in &held {
        if card.identity().family == Family::Piv && !thing.certificate {
            done.push(format!("{}: {STAYS}", thing.slot));
            continue;
        }
        note(Moment::AboutToErase(thing.slot))?;
        let is_key_gone = card.erase(thing.slot)?;
        done.push(format!("{}: {}", thing.slot, erased(thing, is_key_gone)));
    }
    for slot in begun.iter().filter(|slot| held.iter().all(|held| held.slot != **slot)) {
        note(Moment::AboutToErase(*slot))?;
        card.erase(*slot)?;
        done.push(format!("{slot}: what an earlier run has left"));
    }
    card.is_wiped();
    note(Moment::Erased)?;
    Ok(done)
}

const STAYS: &str = "the private key stays, which no command of such a card deletes";

fn erased(held: &Held, is_key_gone: bool) -> String {
    match (is_key_gone, held.key, held.certificate) {
        (true, HeldKey::None, _) | (false, HeldKey::None, _) => "certificate".to_owned(),
        (true, _, true) => "key and certificate".to_owned(),
        (true, _, false) => "key".to_owned(),
        (false, ..) => format!("certificate; {STAYS}"),
    }
}
