//! An enrollment's stages and stops in words, and the yes that is asked before anything is changed.

use std::sync::atomic::Ordering;

use super::facts::ServerFacts;
use super::known::Known;
use super::next::{Next, Purpose, Why};
use super::outlook::outlook;
use super::run::Run;
use crate::card::{Family, Held};
use crate::job::undertaking::Undertaking;
use crate::job::{CardIdentity, Cause, Failure, Step, Stop};
use crate::server::wire::{CardStatus, RequestStatus};

impl Run<'_> {
    /// Has somebody say yes to all that is foreseen, once; and once more where it turns out that more would be lost.
    pub(super) fn agree(&mut self, known: &Known) -> Result<(), Failure> {
        let stages = outlook(&known.said, self.job.purpose);
        let lost = self.would_be_lost(&stages);
        let is_told = lost.iter().all(|lost| self.agreed_to_lose.contains(lost));
        if self.agreed && is_told {
            return Ok(());
        }
        self.at(Step::Consent);
        let card = self.card.clone();
        let undertaking = self.undertaking(&card, known, &stages, lost.clone());
        let interrupted = self.interrupted;
        let mut watch = || if interrupted.load(Ordering::Relaxed) { Err(Cause::Interrupted) } else { Ok(()) };
        self.server.issuer().close_for_a_while();
        let said = self.supplier.agree(&undertaking, &mut watch);
        self.failed(said)?;
        self.agreed = true;
        self.agreed_to_lose = lost;
        Ok(())
    }

    fn undertaking<'c>(
        &self,
        card: &'c CardIdentity,
        known: &Known,
        stages: &[Next],
        lost: Vec<String>,
    ) -> Undertaking<'c> {
        let request = known.facts.request.as_ref();
        let template = known.facts.template();
        let new = self.job.new.as_ref();
        let name = new.and_then(|new| new.template_name.clone());
        Undertaking {
            card,
            request: request.map(|request| request.uuid),
            target_user: request.map_or(new.and_then(|new| new.target), |request| request.target_user),
            template: match (template, name) {
                (Some(id), _) => Some(id.to_string()),
                (None, Some(name)) => Some(format!("{name:?}")),
                (None, None) => new.and_then(|new| new.template).map(|id| id.to_string()),
            },
            stages: stages.iter().filter_map(|stage| self.clause(*stage)).collect(),
            lost,
            notes: self.notes(known),
        }
    }

    /// A stage as a clause; nothing of what no person has to know beforehand.
    pub(super) fn clause(&self, stage: Next) -> Option<String> {
        let pair = |index: usize| self.card_facts.as_ref().and_then(|facts| facts.pairs.get(index));
        let slot = |index| pair(index).map_or_else(String::new, |pair| format!(" in {}", pair.seen.slot));
        let key = |index| pair(index).map_or("", |pair| pair.plan.key_type.name());
        Some(match stage {
            Next::Create => "make the request".to_owned(),
            Next::AwaitApproval => "wait until somebody approves it".to_owned(),
            Next::Bind => "bind the card to it".to_owned(),
            Next::ReplaceAdminKey => "replace the card's admin key by the server's, and have it proved".to_owned(),
            Next::ProveAdminKey => "have the card prove the admin key that was written".to_owned(),
            Next::SetPin => "set a new PIN".to_owned(),
            Next::Generate(index) => format!("make a key pair {}{}", key(index), slot(index)),
            Next::Submit => "have the certificates issued".to_owned(),
            Next::Write(index) => format!("write the certificate{}", slot(index)),
            Next::Wipe if self.card.family == Family::Piv => {
                "remove the card's certificates; its private keys stay on it".to_owned()
            }
            Next::Wipe => "erase the card's keys and certificates".to_owned(),
            Next::Retire if self.job.wipe => "retire it at the server".to_owned(),
            Next::Retire => "retire the card at the server; what it holds stays on it".to_owned(),
            Next::Complete => "complete the request".to_owned(),
            Next::Adopt(_) | Next::Done | Next::Stop(_) => return None,
        })
    }

    /// What would be lost with the key pairs to come.
    pub(super) fn would_be_lost(&self, stages: &[Next]) -> Vec<String> {
        let pairs = self.card_facts.as_ref().map_or(&[][..], |facts| &facts.pairs);
        let of = |stage: &Next| match stage {
            Next::Generate(index) => pairs.get(*index)?.seen.place.would_be_lost().map(lost),
            _ => None,
        };
        let mut all: Vec<String> = stages.iter().filter_map(of).collect();
        if stages.contains(&Next::Wipe) {
            let held = self.card_facts.as_ref().map_or(&[][..], |facts| &facts.held);
            let kept = |held: &&Held| self.card.family == Family::Piv && !held.certificate;
            all.extend(held.iter().filter(|held| !kept(held)).map(|held| match self.card.family {
                Family::Piv => format!("the certificate in {}", held.slot),
                Family::Gids | Family::OpenPgp | Family::Iso7816 => lost(held),
            }));
        }
        all
    }

    /// What a person should know beside it.
    pub(super) fn notes(&self, known: &Known) -> Vec<String> {
        let mut notes = Vec::new();
        let request = known.facts.request.as_ref();
        let is_ours = |uuid| self.log.request() == Some(uuid) || self.log.knows(uuid);
        if let Some(request) = request
            && request.status == RequestStatus::Executing
            && !is_ours(request.uuid)
        {
            notes.push("somebody else has begun to work on this request (Executing)".to_owned());
        }
        if request.is_some_and(|request| request.target_user.is_none()) {
            notes.push("the server does not say for whom the request is".to_owned());
        }
        if known.facts.options.is_none() && self.job.purpose == Purpose::Enroll && request.is_some() {
            notes.push("which key pairs and certificates the request wants is told once the card is bound".to_owned());
        } else if request.is_none() && self.job.new.is_some() && self.job.purpose == Purpose::Enroll {
            notes.push("which key pairs and certificates the request wants is told once it is made".to_owned());
        }
        if let Ok(Some(doubt)) = self.other_atr(&known.facts) {
            notes.push(doubt);
        }
        if let (true, Some(record)) = (self.job.reuse, known.facts.in_use_elsewhere()) {
            notes.push(format!("the card is taken from its assignment {}", record.uuid));
        }
        notes
    }

    /// Why the run can't go on.
    pub(super) fn stopped(&self, why: Why, known: &Known) -> Failure {
        self.failure(self.stop(why, &known.facts).into())
    }

    /// The reason of a stop with what is known about it.
    pub(super) fn stop(&self, why: Why, facts: &ServerFacts) -> Stop {
        let request = facts.request.as_ref().map(|request| request.uuid).unwrap_or_default();
        let bound = facts.bound.as_ref();
        let rules = facts.policy.as_ref().map(|policy| &policy.card);
        let slot = |index: usize| {
            let pair = self.card_facts.as_ref().and_then(|facts| facts.pairs.get(index));
            pair.map_or_else(String::new, |pair| pair.seen.slot.to_string())
        };
        match why {
            Why::NoRequest => Stop::NoRequest,
            Why::RequestLost => Stop::RequestLost,
            Why::Closed(status) => Stop::Closed { request, status: status.to_string() },
            Why::AnotherCard => match (bound, &facts.request) {
                (Some(record), _) => Stop::AnotherCard { request, smartcard: record.uuid },
                (None, Some(found)) => Stop::NoCard { request, kind: found.kind.to_string() },
                (None, None) => Stop::NoRequest,
            },
            Why::InUse => {
                let record = facts.in_use_elsewhere();
                Stop::InUse {
                    smartcard: record.map(|record| record.uuid).unwrap_or_default(),
                    user: record.and_then(|record| record.assigned_user),
                    disabled: record.is_some_and(|record| record.status == CardStatus::Disabled),
                    permitted: rules.is_some_and(|rules| rules.allows_reuse),
                }
            }
            Why::BindLost => Stop::BindLost { request },
            Why::AdminKeyUnknown => Stop::AdminKeyUnknown { evidence: self.evidence(facts) },
            Why::SlotInUse(_) => Stop::SlotInUse {
                lost: self.lost_now(),
                permitted: rules.is_some_and(|rules| rules.erases_on_overflow),
            },
            Why::KeyGone(index) => Stop::KeyGone { slot: slot(index) },
            Why::IssuedElsewhere => Stop::IssuedElsewhere { shown: facts.issued() },
            Why::CertificatesLost => {
                let pairs = self.card_facts.as_ref().map_or(&[][..], |facts| &facts.pairs);
                let slots = pairs.iter().map(|pair| pair.seen.slot.to_string()).collect();
                Stop::CertificatesLost { shown: facts.issued(), slots }
            }
            Why::CompletedElsewhere => Stop::CompletedElsewhere { request },
        }
    }

    fn lost_now(&self) -> Vec<String> {
        let pairs = self.card_facts.as_ref().map_or(&[][..], |facts| &facts.pairs);
        pairs.iter().filter_map(|pair| pair.seen.place.would_be_lost()).map(lost).collect()
    }

    /// What is known of the admin key, as a clause.
    fn evidence(&self, facts: &ServerFacts) -> String {
        let journal = self.log.says(0);
        if journal.admin_key == super::next::Noted::Begun {
            return format!(
                "a run was cut off while it wrote the new one (journal {})",
                self.log.id().unwrap_or("not kept")
            );
        }
        let status = facts.bound.as_ref().map_or("not bound".to_owned(), |record| format!("{:?}", record.status));
        match facts.was_used_before() {
            true => "the card was assigned before, and what was done to it then is not known here".to_owned(),
            false => format!("the server's record of the card is {status}"),
        }
    }
}

/// What stands in a place, as a clause.
fn lost(held: &Held) -> String {
    let what = match (held.key == crate::card::HeldKey::None, held.certificate) {
        (false, true) => "the key pair and certificate",
        (false, false) => "the key pair",
        (true, _) => "the certificate",
    };
    let name = held.name.as_ref().map_or_else(String::new, |name| format!(" ({name:?})"));
    let decrypts = match held.slot.decrypts() && held.key != crate::card::HeldKey::None {
        true => ", with all that was encrypted for it",
        false => "",
    };
    format!("{what} in {}{name}{decrypts}", held.slot)
}
