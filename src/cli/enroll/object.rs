//! `pinwright.enroll/1`, `pinwright.unblock/1` and `pinwright.retire/1`: how a request ended that no error ended.

use serde::Serialize;
use uuid::Uuid;

use crate::cli::json::{Elapsed, Head, PinObject};
use crate::cli::output::Costs;
use crate::enroll::job::{Awaiting, EnrollOutcome, WrittenCertificate};
use crate::job::CardIdentity;
use crate::job::effect::Change;

/// A request that is carried out.
#[derive(Debug, Serialize)]
pub struct EnrolledObject<'a> {
    #[serde(flatten)]
    head: Head,
    #[serde(flatten)]
    card: CardObject<'a>,
    smartcard: Uuid,
    request: Uuid,
    target_user: Option<Uuid>,
    template: Option<Uuid>,
    template_name: Option<&'a str>,
    authority: Option<&'static str>,
    pin: Option<PinObject>,
    card_reset: bool,
    created: bool,
    admin_key: &'static str,
    certificates: Vec<CertificateObject<'a>>,
    wiped: &'a [String],
    journal: Option<&'a str>,
    settled: Option<&'a str>,
    apdus: u32,
    http_requests: usize,
    elapsed_ms: Elapsed,
}

/// The card.
#[derive(Debug, Serialize)]
struct CardObject<'a> {
    reader: &'a str,
    family: crate::card::Family,
    atr: String,
    card_id: String,
}

/// A certificate that is on the card.
#[derive(Debug, Serialize)]
struct CertificateObject<'a> {
    slot: String,
    thumbprint: &'a str,
    subject: &'a str,
    not_after: &'a str,
}

impl<'a> EnrolledObject<'a> {
    /// In the schema of the command.
    #[must_use]
    pub fn new(schema: &'static str, outcome: &'a EnrollOutcome, costs: &Costs) -> Self {
        let pin = outcome.pin.as_ref();
        let admin_key = match outcome.admin_key_replaced {
            true => Change::New { verified: true },
            false => Change::AsBefore,
        };
        Self {
            head: Head { schema, outcome: if outcome.was_done_before { "already-done" } else { "done" } },
            card: (&outcome.card).into(),
            smartcard: outcome.smartcard,
            request: outcome.request,
            target_user: outcome.target_user,
            template: outcome.template,
            template_name: pin.and_then(|pin| pin.template_name.as_deref()),
            authority: pin.map(|pin| pin.authority.name()),
            pin: pin.map(PinObject::from),
            card_reset: pin.is_none_or(|pin| pin.reset_failed.is_none()),
            created: outcome.created,
            admin_key: admin_key.name(),
            certificates: outcome.certificates.iter().map(CertificateObject::from).collect(),
            wiped: &outcome.wiped,
            journal: outcome.journal_id.as_deref(),
            settled: pin.and_then(|pin| pin.settled.as_ref()).map(|record| record.id.as_str()),
            apdus: costs.apdus,
            http_requests: costs.http_requests,
            elapsed_ms: costs.into(),
        }
    }
}

impl<'a> From<&'a CardIdentity> for CardObject<'a> {
    fn from(card: &'a CardIdentity) -> Self {
        Self { reader: &card.reader, family: card.family, atr: card.atr.to_string(), card_id: card.card_id.to_string() }
    }
}

impl<'a> From<&'a WrittenCertificate> for CertificateObject<'a> {
    fn from(written: &'a WrittenCertificate) -> Self {
        let WrittenCertificate { slot, thumbprint, subject, not_after } = written;
        Self { slot: slot.to_string(), thumbprint, subject, not_after }
    }
}

/// A request that waits for somebody's approval.
#[derive(Debug, Serialize)]
pub struct AwaitingObject<'a> {
    #[serde(flatten)]
    head: Head,
    #[serde(flatten)]
    card: CardObject<'a>,
    request: Uuid,
    created: bool,
    journal: Option<&'a str>,
}

impl<'a> AwaitingObject<'a> {
    /// In the schema of the command.
    #[must_use]
    pub fn new(schema: &'static str, awaiting: &'a Awaiting) -> Self {
        Self {
            head: Head { schema, outcome: "awaits-approval" },
            card: (&awaiting.card).into(),
            request: awaiting.request,
            created: awaiting.created,
            journal: awaiting.journal_id.as_deref(),
        }
    }
}
