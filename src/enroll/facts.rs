//! What the server's records say of a request and of the card that it is for.

use uuid::Uuid;

use super::next::{BoundTo, Purpose, RequestSays, ServerSays};
use super::server::Server;
use crate::job::{CardIdentity, Cause, Stop};
use crate::server::policy::SmartcardPolicy;
use crate::server::wire::{CardCertificate, CardStatus, KeyOptions, Request, RequestType, SmartCard};
use crate::server::{Client, ServerError, ServerProblem};

/// The server's records, as they were a moment ago.
#[derive(Debug, Clone, Default)]
pub struct ServerFacts {
    /// The request.
    pub request: Option<Request>,
    /// The card object that the request is bound to.
    pub bound: Option<SmartCard>,
    /// Every card object of this card, retired ones too.
    pub records: Vec<SmartCard>,
    /// The template's policy, where the server shows it.
    pub policy: Option<SmartcardPolicy>,
    /// The key pairs that the request wants; `None` where the server does not tell yet.
    pub options: Option<Vec<KeyOptions>>,
    /// The certificates that were issued for the card object.
    pub certificates: Vec<CardCertificate>,
}

impl ServerFacts {
    /// Asks for all of it; without a request for what its template would want.
    ///
    /// # Errors
    /// The server's refusal or failure.
    pub fn ask(
        server: &mut Server<'_>,
        card: &CardIdentity,
        request: Option<Uuid>,
        template: Option<Uuid>,
    ) -> Result<Self, Cause> {
        let card_id = card.card_id.to_string();
        server.look(async |client| {
            let records = client.smartcards_by_card_id(&card_id).await?;
            let Some(request) = request else {
                let policy = policy(client, template).await?;
                return Ok(Self { records, policy, ..Self::default() });
            };
            let request = client.request(request).await?;
            let bound = bound_record(client, &request, &records).await?;
            let template = request.profile_template.or_else(|| bound.as_ref()?.profile_template);
            let policy = policy(client, template).await?;
            let mut facts = Self { request: Some(request), bound, records, policy, ..Self::default() };
            facts.ask_about_keys(client).await?;
            Ok(facts)
        })
    }

    /// Asks for what may have changed since: the request, its card object, and its certificates. What a template's policy and the
    /// request's options were when the card was bound holds for the run.
    ///
    /// # Errors
    /// As [`ServerFacts::ask`].
    pub fn ask_again(self, server: &mut Server<'_>, request: Uuid) -> Result<Self, Cause> {
        server.look(async |client| {
            let request = client.request(request).await?;
            let bound = match named_card(&request) {
                Some(card) => Some(client.smartcard(card).await?),
                None => None,
            };
            let mut facts = Self { request: Some(request), bound, ..self };
            facts.ask_about_keys(client).await?;
            Ok(facts)
        })
    }

    /// What the request wants for its keys, and the certificates that were issued for them.
    async fn ask_about_keys(&mut self, client: &Client) -> Result<(), ServerError> {
        let Some(request) = &self.request else { return Ok(()) };
        if purpose(request) != Some(Purpose::Enroll) {
            self.options = Some(Vec::new());
            return Ok(());
        }
        if self.options.is_none() && request.status.is_open() {
            self.options = options(client, request).await?;
        }
        if let Some(record) = self.bound.as_ref().filter(|_| self.options.as_ref().is_none_or(|keys| !keys.is_empty()))
        {
            self.certificates = client.smartcard_certificates(record.uuid).await?;
        }
        Ok(())
    }

    /// The profile template of the request, or of its card object.
    #[must_use]
    pub fn template(&self) -> Option<Uuid> {
        let bound = || self.bound.as_ref().and_then(|record| record.profile_template);
        self.request.as_ref().and_then(|request| request.profile_template).or_else(bound)
    }

    /// The card object of this card that is in use, and not the request's.
    #[must_use]
    pub fn in_use_elsewhere(&self) -> Option<&SmartCard> {
        let is_bound = |record: &SmartCard| self.bound.as_ref().is_some_and(|bound| bound.uuid == record.uuid);
        self.records.iter().find(|record| record.status != CardStatus::Retired && !is_bound(record))
    }

    /// The card object that a request about the card is to name: the one that a person has named, else the active one, else one that
    /// is not retired.
    #[must_use]
    pub fn in_use(&self, named: Option<Uuid>) -> Option<&SmartCard> {
        let is_it = |record: &&SmartCard| named.is_none_or(|named| record.uuid == named);
        let all = || self.records.iter().filter(|record| record.status != CardStatus::Retired).filter(is_it);
        all().find(|record| record.status == CardStatus::Active).or_else(|| all().next())
    }

    /// Whether the card was assigned before.
    #[must_use]
    pub fn was_used_before(&self) -> bool {
        let bound = self.bound.as_ref().map(|record| record.uuid);
        self.records.iter().any(|record| Some(record.uuid) != bound)
    }

    /// Serial numbers of the certificates that were issued for this assignment.
    #[must_use]
    pub fn issued(&self) -> Vec<String> {
        let new = self.certificates.iter().filter(|certificate| !certificate.is_key_history);
        new.map(|certificate| certificate.serial_number.clone()).collect()
    }

    /// What of it decides the next stage. `None` of a request: there is none that could be the one meant.
    ///
    /// # Errors
    /// A request of a type that is not carried out here.
    pub fn says(&self, card: &CardIdentity) -> Result<ServerSays, Stop> {
        let request = self.request.as_ref().map(|request| self.request_says(request, card)).transpose()?;
        Ok(ServerSays {
            request,
            in_use_elsewhere: self.in_use_elsewhere().is_some(),
            diversifies: self.policy.as_ref().and_then(|policy| policy.diversify_admin_key) == Some(true),
            has_issued: !self.issued().is_empty(),
            card_is_retired: self.bound.as_ref().is_some_and(|record| record.status == CardStatus::Retired),
        })
    }

    fn request_says(&self, request: &Request, card: &CardIdentity) -> Result<RequestSays, Stop> {
        let purpose = purpose(request).ok_or_else(|| Stop::OtherType {
            request: request.uuid,
            kind: request.kind.to_string(),
            command: crate::operation::Operation::Enroll,
            right: None,
        })?;
        let bound = match &self.bound {
            None => BoundTo::Nothing,
            Some(record) if record.card_id == Some(card.card_id.guid()) => BoundTo::ThisCard,
            Some(_) => BoundTo::AnotherCard,
        };
        Ok(RequestSays { purpose, status: request.status, bound })
    }
}

/// What a request asks for; `None`: something that is not done here.
#[must_use]
pub fn purpose(request: &Request) -> Option<Purpose> {
    match request.kind {
        RequestType::Enroll => Some(Purpose::Enroll),
        RequestType::Unblock => Some(Purpose::Unblock),
        RequestType::Retire => Some(Purpose::Retire),
        RequestType::Unknown(_) => None,
    }
}

/// The card object that a request names: a new one, or the one that it is about.
#[must_use]
pub fn named_card(request: &Request) -> Option<Uuid> {
    match purpose(request) {
        Some(Purpose::Enroll) | None => request.new_smartcard,
        Some(Purpose::Unblock | Purpose::Retire) => request.new_smartcard.or(request.old_smartcard),
    }
}

async fn bound_record(
    client: &Client,
    request: &Request,
    records: &[SmartCard],
) -> Result<Option<SmartCard>, ServerError> {
    let Some(id) = named_card(request) else { return Ok(None) };
    match records.iter().find(|record| record.uuid == id) {
        Some(record) => Ok(Some(record.clone())),
        None => client.smartcard(id).await.map(Some),
    }
}

/// The template's policy. A server that does not show it (403, 404, 204) leaves its questions open.
async fn policy(client: &Client, template: Option<Uuid>) -> Result<Option<SmartcardPolicy>, ServerError> {
    let Some(template) = template else { return Ok(None) };
    hidden(client.smartcard_policy(template).await.map(Some)).map(Option::flatten)
}

/// What the request wants for its keys. Before a card is bound a server may not tell.
async fn options(client: &Client, request: &Request) -> Result<Option<Vec<KeyOptions>>, ServerError> {
    let told = client.certificate_request_generation_options(request.uuid).await.map(Some);
    if request.new_smartcard.is_none() { hidden(told) } else { told }
}

fn hidden<T>(told: Result<Option<T>, ServerError>) -> Result<Option<T>, ServerError> {
    match told {
        Err(ServerError {
            problem: ServerProblem::Forbidden { .. } | ServerProblem::NotFound { .. } | ServerProblem::UnknownId,
            ..
        }) => Ok(None),
        told => told,
    }
}
