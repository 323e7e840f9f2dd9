//! What the stages on the card need of everybody else: the server's record, and who proves the management key of a PIV card.

use crate::enroll::known::Known;
use crate::enroll::management::need;
use crate::enroll::next::{AdminKeyOnCard, Noted};
use crate::enroll::run::Run;
use crate::job::fit::PolicyLengths;
use crate::job::issuer::{Assignment, PinMaker};
use crate::job::{Failure, Stop};
use crate::provision::RiskedProof;
use crate::secret::AdminKey;
use crate::server::AdminKeyVersion;
use crate::server::wire::RequestStatus;

impl Run<'_> {
    /// The server's record of the card under the request, as the stages on the card name it to the server.
    pub(super) fn record(&self, known: &Known) -> Result<Assignment, Failure> {
        let facts = &known.facts;
        let (Some(request), Some(bound)) = (&facts.request, &facts.bound) else {
            return Err(self.failure(Stop::NoRequest.into()));
        };
        Ok(Assignment {
            smartcard: bound.uuid,
            request: Some(request.uuid),
            target_user: request.target_user,
            is_of_others: false,
            is_executing: request.status == RequestStatus::Executing,
            template: facts.template(),
            template_name: None,
            admin_key: Ok(self.key_version(known)),
            evidence: String::new(),
            atr: bound.atr.clone(),
            pin_maker: PinMaker::Ask,
            pin_option: String::new(),
            policy: PolicyLengths::default(),
        })
    }

    /// Which admin or management key is on the card now.
    pub(super) fn key_version(&self, known: &Known) -> AdminKeyVersion {
        let said = &known.said;
        let is_written = said.journal.admin_key == Noted::Done && said.journal.admin_key_proved;
        match said.card.admin_key {
            _ if is_written => AdminKeyVersion::Diversified,
            AdminKeyOnCard::Diversified => AdminKeyVersion::Diversified,
            AdminKeyOnCard::Default | AdminKeyOnCard::Unknown => AdminKeyVersion::Default,
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
    pub(super) fn local_management_key(&mut self) -> Result<Option<AdminKey>, Failure> {
        if need(self.card.family, self.job.keys.management).is_none() {
            return Ok(None);
        }
        let key = self.supplier.admin_key();
        self.failed(key.map(Some).map_err(Into::into))
    }
}
