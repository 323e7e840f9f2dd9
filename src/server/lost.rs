//! What became of a call that changes the server and whose answer was lost: found out by looking, and never by sending it again.
//!
//! Each look is a pure function of what was sent and of what the server shows now, and a method that asks the server for that.

use std::time::{Duration, SystemTime};

use uuid::Uuid;

use super::client::Client;
use super::detail::printable;
use super::error::ServerError;
use super::requests::{NewRequest, Purpose, RequestEnd};
use super::wire::{CardCertificate, CardStatus, Request, RequestStatus, RequestType, SmartCard};

/// By how much the server's clock may differ from ours, and how long a call may be on its way.
const CLOCKS: Duration = Duration::from_secs(15 * 60);

/// A POST of a request whose answer was lost.
#[derive(Debug, Clone)]
pub struct LostRequest<'a> {
    /// What was sent.
    pub sent: &'a NewRequest<'a>,
    /// When, by our clock.
    pub at: SystemTime,
    /// When it was given up, by our clock; `None` where that is not known, since the program was stopped.
    pub given_up: Option<SystemTime>,
    /// The requests that the server showed before it was sent. None of them is it. May be empty.
    pub known: &'a [Uuid],
}

/// What the server shows of a request whose POST was lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestLook {
    /// This one is like what was sent, and the only one. Its status may be any.
    Made(Box<Request>),
    /// None is: nothing was made, as far as the server shows.
    NotShown,
    /// Several are, and only a person can tell which.
    Several(SeveralRequests),
}

/// Ids of requests that are alike.
pub type SeveralRequests = Vec<Uuid>;

/// What the server shows of a card whose binding was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BindingLook {
    /// Our card is bound, by this card object.
    Bound(Uuid),
    /// No card is.
    NotBound,
    /// Another card is, by this card object.
    OtherCard(Uuid),
    /// A card is, by this card object, and the server does not say which card.
    Unclear(Uuid),
}

/// What the server shows of a request, or of a card object, whose change of status was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndLook<S> {
    /// It is as we wanted it.
    Done,
    /// It is as it was, in this status.
    AsBefore(S),
    /// It has ended in another way.
    Otherwise(S),
}

/// What the server shows of certificates whose answer was lost. Their bytes are not given out again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificateLook {
    /// No more than before: nothing was issued, as far as the server shows.
    NotShown,
    /// These were issued since. A person decides what becomes of them.
    Issued(Vec<CardCertificate>),
}

impl LostRequest<'_> {
    /// Which of the requests shown is the one that was sent. What a server does not say of one excludes nothing.
    #[must_use]
    pub fn among(&self, shown: &[Request]) -> RequestLook {
        let mut alike = shown.iter().filter(|request| self.may_be(request));
        match (alike.next(), alike.next()) {
            (None, _) => RequestLook::NotShown,
            (Some(only), None) => RequestLook::Made(Box::new(only.clone())),
            (Some(one), Some(other)) => {
                RequestLook::Several([one, other].into_iter().chain(alike).map(|request| request.uuid).collect())
            }
        }
    }

    /// Which of the requests that are shown before it is sent could be taken for it later: those that are to be known then.
    #[must_use]
    pub fn alike(&self, shown: &[Request]) -> Vec<Uuid> {
        shown.iter().filter(|request| self.may_be(request)).map(|request| request.uuid).collect()
    }

    fn may_be(&self, request: &Request) -> bool {
        let is_new = !self.known.contains(&request.uuid);
        is_new && self.is_of_the_time(request) && self.is_about_the_same(request) && self.says_the_same(request)
    }

    fn is_of_the_time(&self, request: &Request) -> bool {
        let Some(submitted) = request.submitted else { return true };
        let latest = self.given_up.and_then(|given_up| given_up.checked_add(CLOCKS));
        self.at.checked_sub(CLOCKS).is_none_or(|earliest| submitted >= earliest)
            && latest.is_none_or(|latest| submitted <= latest)
    }

    /// The type, and what it is a request about.
    fn is_about_the_same(&self, request: &Request) -> bool {
        let unstated = RequestType::Unknown(-1);
        match self.sent.purpose {
            Purpose::Enroll { profile_template } => {
                [RequestType::Enroll, unstated].contains(&request.kind)
                    && request.profile_template.is_none_or(|template| template == profile_template)
                    // We have bound none.
                    && request.new_smartcard.is_none()
            }
            Purpose::Unblock { smartcard } => {
                [RequestType::Unblock, unstated].contains(&request.kind) && is_of_card(request, smartcard)
            }
            // Its number is not documented: any but the two that are.
            Purpose::Retire { smartcard } => {
                ![RequestType::Enroll, RequestType::Unblock].contains(&request.kind) && is_of_card(request, smartcard)
            }
        }
    }

    /// For whom it is, its comment, and the values of its items.
    fn says_the_same(&self, request: &Request) -> bool {
        let (sent, same) = (self.sent, |ours: &str, theirs: &str| printable(ours).trim() == theirs.trim());
        let is_same_value = |name: &str, value: &str| {
            let ours = sent.data.iter().find(|(ours, _)| same(ours, name));
            ours.is_none_or(|(_, ours)| same(ours, value))
        };
        sent.target.is_none_or(|target| request.target_user.is_none_or(|theirs| theirs == target))
            && request.comment.as_ref().is_none_or(|comment| same(sent.comment, comment))
            && request.data.iter().all(|(name, value)| value.as_ref().is_none_or(|value| is_same_value(name, value)))
    }
}

fn is_of_card(request: &Request, smartcard: Uuid) -> bool {
    [request.new_smartcard, request.old_smartcard].contains(&Some(smartcard))
}

/// Whether a request shows that this card is bound to it. `record` is the card object that it names.
#[must_use]
pub(super) fn binding(request: &Request, record: Option<&SmartCard>, card_id: Uuid) -> BindingLook {
    let Some(smartcard) = request.new_smartcard else { return BindingLook::NotBound };
    match record.filter(|record| record.uuid == smartcard).and_then(|record| record.card_id) {
        Some(shown) if shown == card_id => BindingLook::Bound(smartcard),
        Some(_) => BindingLook::OtherCard(smartcard),
        None => BindingLook::Unclear(smartcard),
    }
}

impl RequestEnd {
    /// Whether a request in this status has ended so. "Abandoned" is no status: what is abandoned has failed.
    #[must_use]
    pub fn look(self, status: RequestStatus) -> EndLook<RequestStatus> {
        let wanted = match self {
            Self::Completed => RequestStatus::Completed,
            Self::Canceled => RequestStatus::Canceled,
            Self::Abandoned => RequestStatus::Failed,
        };
        match status {
            status if status == wanted => EndLook::Done,
            RequestStatus::Pending | RequestStatus::Approved | RequestStatus::Executing => EndLook::AsBefore(status),
            RequestStatus::Denied
            | RequestStatus::Completed
            | RequestStatus::Failed
            | RequestStatus::Canceled
            | RequestStatus::Unknown(_) => EndLook::Otherwise(status),
        }
    }
}

/// Whether a card object is retired as it was to be.
#[must_use]
pub(super) fn retired(status: CardStatus) -> EndLook<CardStatus> {
    match status {
        CardStatus::Retired => EndLook::Done,
        CardStatus::New | CardStatus::Assigned | CardStatus::Active => EndLook::AsBefore(status),
        CardStatus::Disabled | CardStatus::Unknown(_) => EndLook::Otherwise(status),
    }
}

/// Which of the certificates shown now were not before. Those of earlier keys are restored, and not issued.
#[must_use]
pub(super) fn issued(before: &[CardCertificate], now: &[CardCertificate]) -> CertificateLook {
    let is_known = |certificate: &CardCertificate| {
        before.iter().any(|known| {
            known.serial_number.eq_ignore_ascii_case(&certificate.serial_number)
                && known.thumbprint.eq_ignore_ascii_case(&certificate.thumbprint)
        })
    };
    let new: Vec<_> = now.iter().filter(|shown| !shown.is_key_history && !is_known(shown)).cloned().collect();
    if new.is_empty() { CertificateLook::NotShown } else { CertificateLook::Issued(new) }
}

impl Client {
    /// Looks for a request whose POST was lost: among the approved and the pending ones, and where neither shows it, among all.
    ///
    /// # Errors
    /// See [`ServerProblem`](crate::server::ServerProblem). It is as unknown as before what became of the call.
    pub async fn look_for_request(&self, lost: &LostRequest<'_>) -> Result<RequestLook, ServerError> {
        let is_of_others = lost.sent.target.is_some();
        let about = match lost.sent.purpose {
            Purpose::Enroll { .. } => None,
            Purpose::Unblock { smartcard } | Purpose::Retire { smartcard } => Some(smartcard),
        };
        let mut shown = Vec::new();
        for status in ["Approved", "Pending"] {
            shown.extend(match is_of_others {
                true => self.visible_requests_beside(status, about.as_slice()).await?,
                false => self.requests_beside(status, about.as_slice()).await?,
            });
        }
        match lost.among(&shown) {
            RequestLook::NotShown => {}
            found => return Ok(found),
        }
        let all = if is_of_others { self.visible_requests().await } else { self.own_requests().await };
        Ok(lost.among(&all?))
    }

    /// Looks whether a card is bound whose POST was lost.
    ///
    /// # Errors
    /// As [`Client::look_for_request`].
    pub async fn look_for_binding(&self, request: Uuid, card_id: Uuid) -> Result<BindingLook, ServerError> {
        let request = self.request(request).await?;
        let record = match request.new_smartcard {
            Some(smartcard) => Some(self.smartcard(smartcard).await?),
            None => None,
        };
        Ok(binding(&request, record.as_ref(), card_id))
    }

    /// Looks whether a request has ended whose PUT was lost.
    ///
    /// # Errors
    /// As [`Client::look_for_request`].
    pub async fn look_for_end(&self, request: Uuid, end: RequestEnd) -> Result<EndLook<RequestStatus>, ServerError> {
        Ok(end.look(self.request(request).await?.status))
    }

    /// Looks whether a card object is retired whose PUT was lost.
    ///
    /// # Errors
    /// As [`Client::look_for_request`].
    pub async fn look_for_retirement(&self, smartcard: Uuid) -> Result<EndLook<CardStatus>, ServerError> {
        Ok(retired(self.smartcard(smartcard).await?.status))
    }

    /// Looks whether certificates were issued whose answer was lost. `before` are those that were shown before; none for a
    /// card object that is new.
    ///
    /// # Errors
    /// As [`Client::look_for_request`].
    pub async fn look_for_certificates(
        &self,
        smartcard: Uuid,
        before: &[CardCertificate],
    ) -> Result<CertificateLook, ServerError> {
        Ok(issued(before, &self.smartcard_certificates(smartcard).await?))
    }
}

#[cfg(test)]
mod tests;
