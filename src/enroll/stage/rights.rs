//! What the stages on the card need of everybody else: the server's record, and who proves the management key of a PIV card.

use uuid::Uuid;

use crate::enroll::known::Known;
use crate::enroll::management::need;
use crate::enroll::next::{AdminKeyOnCard, Noted, Why};
use crate::enroll::run::Run;
use crate::job::effect::Change;
use crate::job::fit::PolicyLengths;
use crate::job::issuer::{Assignment, PinMaker};
use crate::job::{Failure, Stop};
use crate::provision::{AdminKeyRule, RiskedProof};
use crate::secret::AdminKey;
use crate::server::AdminKeyVersion;
use crate::server::wire::{CardStatus, Request, RequestStatus, SmartCard};

impl Run<'_> {
    /// The server's record of the card under the request, as the stages on the card name it to the server.
    pub(super) fn record(&self, known: &Known) -> Result<Assignment, Failure> {
        let facts = &known.facts;
        let (Some(request), Some(bound)) = (&facts.request, &facts.bound) else {
            return Err(self.failure(Stop::NoRequest.into()));
        };
        let assignment = assignment(bound, Some(request), facts.template());
        Ok(Assignment { admin_key: Ok(self.key_version(known)), ..assignment })
    }

    /// Which admin or management key is on the card now.
    pub(super) fn key_version(&self, known: &Known) -> AdminKeyVersion {
        let said = &known.said;
        match said.card.admin_key {
            _ if is_replaced(known) => AdminKeyVersion::Diversified,
            AdminKeyOnCard::Diversified => AdminKeyVersion::Diversified,
            AdminKeyOnCard::Default | AdminKeyOnCard::Unknown => AdminKeyVersion::Default,
        }
    }

    /// Which one is on a card that is in use, and that no request is about to give another one: told by a person, by the journal, by the
    /// policy under which it was issued.
    pub(super) fn key_version_in_use(&self, known: &Known) -> Result<AdminKeyVersion, Failure> {
        let policy = known.facts.policy.as_ref().and_then(|policy| policy.diversify_admin_key);
        let status = known.facts.bound.as_ref().map(|record| record.status);
        let is_issued = matches!(status, Some(CardStatus::Active | CardStatus::Disabled));
        match (self.job.rules.admin_key, self.log.admin_key_replaced(), policy) {
            (AdminKeyRule::Default, ..) => Ok(AdminKeyVersion::Default),
            (AdminKeyRule::Diversified, ..) | (AdminKeyRule::Policy, Change::New { .. }, _) => {
                Ok(AdminKeyVersion::Diversified)
            }
            (AdminKeyRule::Policy, Change::AsBefore, Some(false)) => Ok(AdminKeyVersion::Default),
            (AdminKeyRule::Policy, Change::AsBefore, Some(true)) if is_issued => Ok(AdminKeyVersion::Diversified),
            (AdminKeyRule::Policy, Change::AsBefore | Change::Unknown, _) => {
                Err(self.stopped(Why::AdminKeyUnknown, known))
            }
        }
    }

    /// Whether the server's answer with this key may be shown to the card: not where the card has refused one before, unless a person
    /// risks that.
    pub(super) fn answer_may_be_shown(&self, key: AdminKeyVersion) -> Result<(), Failure> {
        if self.job.risk == Some(RiskedProof::Admin) {
            return Ok(());
        }
        let evidence = match key {
            AdminKeyVersion::Default => "by the server's records the card has it",
            AdminKeyVersion::Diversified => "by the journal or the server's records the card has it",
        };
        self.failed(self.log.answer_may_be_shown(key, evidence))
    }

    /// The local key that proves the management key of a PIV card, where the configuration says so; asked for while no card is held.
    /// A card whose key the server has replaced has no local one.
    pub(super) fn local_management_key(&mut self, is_replaced: bool) -> Result<Option<AdminKey>, Failure> {
        if is_replaced || need(self.card.family, self.job.keys.management).is_none() {
            return Ok(None);
        }
        let key = self.supplier.admin_key();
        self.failed(key.map(Some).map_err(Into::into))
    }
}

/// Whether this enrollment has given the card the server's key, and the card has proved it.
pub(super) fn is_replaced(known: &Known) -> bool {
    known.said.journal.admin_key == Noted::Done && known.said.journal.admin_key_proved
}

/// A record of the server's with its request, in the words of the PIN step.
pub(in crate::enroll) fn assignment(
    record: &SmartCard,
    request: Option<&Request>,
    template: Option<Uuid>,
) -> Assignment {
    Assignment {
        smartcard: record.uuid,
        request: request.map(|request| request.uuid),
        target_user: request.and_then(|request| request.target_user),
        is_of_others: false,
        is_executing: request.is_some_and(|request| request.status == RequestStatus::Executing),
        template,
        template_name: None,
        admin_key: Err(String::new()),
        evidence: String::new(),
        atr: record.atr.clone(),
        pin_maker: PinMaker::Ask,
        pin_option: String::new(),
        policy: PolicyLengths::default(),
    }
}
