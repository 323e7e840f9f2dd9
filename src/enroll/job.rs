//! What an enrollment is asked to do, and what came of it.

use uuid::Uuid;

use super::next::Purpose;
use crate::card::family::Families;
use crate::card::{CardId, KeySlot};
use crate::job::CardIdentity;
use crate::job::journal::JournalError;
use crate::provision::{self, Asked, RiskedProof, Rules};
use crate::server::DataForm;

/// What to do, and what is allowed for it.
#[derive(Debug, Clone)]
pub struct EnrollJob {
    /// The reader's name.
    pub reader: String,
    /// The card that must be in it, where a person named one.
    pub card_id: Option<CardId>,
    /// Which type of request is carried out.
    pub purpose: Purpose,
    /// `--request`.
    pub request: Option<Uuid>,
    /// `--smartcard`.
    pub smartcard: Option<Uuid>,
    /// Whether open requests of others are looked at where none of the caller's own is for the card.
    pub visible: bool,
    /// The request that is made where there is none; `None`: none is made.
    pub new: Option<NewEnrollment>,
    /// How the PIN step decides.
    pub rules: Rules,
    /// How keys and certificates are put on the card.
    pub keys: super::rules::Rules,
    /// What is known of cards.
    pub families: Families,
    /// What stands in the places of the new key pairs may be lost.
    pub erase: bool,
    /// The card may be taken from another assignment.
    pub reuse: bool,
    /// With [`Purpose::Retire`]: what the card holds is erased.
    pub wipe: bool,
    /// Who wants it done.
    pub asked: Asked,
    /// Of which proof a person risks one more try.
    pub risk: Option<RiskedProof>,
}

/// A request to be made.
#[derive(Debug, Clone)]
pub struct NewEnrollment {
    /// The profile template, for [`Purpose::Enroll`]; the other types are about the card itself.
    pub template: Option<Uuid>,
    /// The template's name.
    pub template_name: Option<String>,
    /// The items that the template collects, with their values.
    pub data: Vec<(String, String)>,
    /// How they are written.
    pub data_form: DataForm,
    /// A comment; empty where none is wanted.
    pub comment: String,
    /// For whom; `None` for the caller.
    pub target: Option<Uuid>,
}

/// How a run ended that no error ended.
#[derive(Debug)]
pub enum Ended {
    /// The request is completed.
    Done(Box<EnrollOutcome>),
    /// Somebody has to approve the request first.
    AwaitsApproval(Box<Awaiting>),
}

/// A request that waits for somebody's approval.
#[derive(Debug)]
pub struct Awaiting {
    /// The card.
    pub card: CardIdentity,
    /// The request.
    pub request: Uuid,
    /// It was made in this run.
    pub created: bool,
    /// The record in the journal, where there is one.
    pub journal_id: Option<String>,
}

/// A request that is carried out and completed.
#[derive(Debug)]
pub struct EnrollOutcome {
    /// The card.
    pub card: CardIdentity,
    /// What was asked for.
    pub purpose: Purpose,
    /// The request.
    pub request: Uuid,
    /// The server's card object.
    pub smartcard: Uuid,
    /// For whom the request is, where the server says.
    pub target_user: Option<Uuid>,
    /// The profile template.
    pub template: Option<Uuid>,
    /// The request was made in this run.
    pub created: bool,
    /// The PIN that was set in this run; `None`: an earlier run has set it, or none was to be set.
    pub pin: Option<provision::Outcome>,
    /// The admin key was replaced, and the card has proved the new one; in this run or an earlier one.
    pub admin_key_replaced: bool,
    /// The certificates on the card, in the order of the request's options.
    pub certificates: Vec<WrittenCertificate>,
    /// What was erased: with [`EnrollJob::wipe`].
    pub wiped: Vec<String>,
    /// Nothing was left to do: an earlier run, or somebody else, has completed the request.
    pub was_done_before: bool,
    /// The job's id in the journal.
    pub journal_id: Option<String>,
    /// Why the journal does not show this end, where it does not.
    pub journal_failed: Option<JournalError>,
}

/// A certificate that is on the card, and was read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenCertificate {
    /// Where.
    pub slot: KeySlot,
    /// SHA-1 over the certificate in hex, as the server lists it.
    pub thumbprint: String,
    /// Whose it is, fit to show.
    pub subject: String,
    /// The last second of its time, RFC 3339.
    pub not_after: String,
}
