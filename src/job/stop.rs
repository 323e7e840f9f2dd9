//! Why an enrollment can't go on by itself: what is true, and what a person can do.

use std::fmt;

use thiserror::Error;
use uuid::Uuid;

use crate::operation::Operation;
use crate::server::{CertificateProblem, ServerError};

/// Why an enrollment can't go on by itself. The stage that was to come has changed nothing.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Stop {
    /// There is no request, and nobody asked for one to be created.
    #[error("the server shows no open request for this card, nor one of yours that waits for a card")]
    NoRequest,
    /// Several requests could be the one meant.
    #[error("{} requests could be the one for this card: {}", .candidates.len(), joined(.candidates))]
    SeveralRequests {
        /// Their ids.
        candidates: Vec<Uuid>,
    },
    /// The request was asked for, the server's answer was lost, and no request like it shows.
    #[error("a request was asked for, the server's answer was lost, and the server shows no request like it")]
    RequestLost,
    /// The request has ended without being completed, or is in a state of which nothing is known.
    #[error("request {request} is {status}")]
    Closed {
        /// Its id.
        request: Uuid,
        /// Its status.
        status: String,
    },
    /// The command is for another type of request.
    #[error("request {request} is of type {kind}, which `{command}` does not carry out")]
    OtherType {
        /// Its id.
        request: Uuid,
        /// Its type.
        kind: String,
        /// The command.
        command: Operation,
        /// The command that carries it out, if any.
        right: Option<Operation>,
    },
    /// The request is for another card.
    #[error("request {request} is bound to another card (the server's smart card {smartcard})")]
    AnotherCard {
        /// Its id.
        request: Uuid,
        /// The card object.
        smartcard: Uuid,
    },
    /// A request that is about a card names none.
    #[error("request {request} is of type {kind} and names no card")]
    NoCard {
        /// Its id.
        request: Uuid,
        /// Its type.
        kind: String,
    },
    /// The card has another assignment that is not retired: one that is disabled is none that is over.
    #[error(
        "the card is {} already, as the server's smart card {smartcard}{}",
        if *.disabled { "assigned, and disabled," } else { "in use" }, of_user(.user.as_ref())
    )]
    InUse {
        /// The card object.
        smartcard: Uuid,
        /// Whose it is, where the server says.
        user: Option<Uuid>,
        /// Whether the server has it disabled.
        disabled: bool,
        /// Whether the template's policy permits that a card is used again.
        permitted: bool,
    },
    /// The request would be about a card that the server has no record of.
    #[error("the server has no record in use of this card")]
    UnknownCard,
    /// The binding was asked for, the server's answer was lost, and the request shows no card.
    #[error(
        "the card was to be bound to request {request}, the server's answer was lost, and the request shows no card"
    )]
    BindLost {
        /// The request.
        request: Uuid,
    },
    /// It is not known which admin key is on the card.
    #[error("it is not known whether the card has the template's admin key or one of its own: {evidence}")]
    AdminKeyUnknown {
        /// What is known, as a clause.
        evidence: String,
    },
    /// The slot of a key pair holds a key or a certificate, or no slot is free.
    #[error("there is no free place for a key pair on the card; what would be lost: {}", .lost.join("; "))]
    SlotInUse {
        /// What would be lost, a clause each.
        lost: Vec<String>,
        /// Whether the template's policy permits that it is erased (`EraseOnOverflow`).
        permitted: bool,
    },
    /// The key pair of which a certificate was asked for is no longer in this slot.
    #[error("the key pair of which a certificate was asked for is no longer in slot {slot}")]
    KeyGone {
        /// The slot.
        slot: String,
    },
    /// Certificates were issued for this card, and not to this job.
    #[error("the server shows certificates of this card that nobody has noted here: {}", .shown.join(", "))]
    IssuedElsewhere {
        /// Their serial numbers.
        shown: Vec<String>,
    },
    /// The certificate requests were handed in, and the server's answer was lost.
    #[error(
        "the certificate requests were handed in, and the server's answer was lost; {}; the private keys are still in {}",
        shown_now(.shown), .slots.join(", ")
    )]
    CertificatesLost {
        /// Serial numbers that the server shows now.
        shown: Vec<String>,
        /// The slots of the key pairs.
        slots: Vec<String>,
    },
    /// The server has completed the request, and not all of it is on the card.
    #[error("the server says that request {request} is completed, and this job has not put all of it on the card")]
    CompletedElsewhere {
        /// The request.
        request: Uuid,
    },
    /// The server's answer, which is kept, has no certificate for a key pair of the card.
    #[error("the server's answer to the certificate requests can't be used for slot {slot}")]
    Certificate {
        /// The slot.
        slot: String,
        /// Why.
        #[source]
        source: CertificateProblem,
    },
    /// The kept answer is not what the server's documents say.
    #[error("the server's answer to the certificate requests, which is kept in the journal's folder, can't be read")]
    AnswerUnread {
        /// Why. Nothing of it is quoted.
        #[source]
        source: Box<ServerError>,
    },
    /// The server wants another number of certificate requests than were handed in.
    #[error("certificates were asked for {noted} key pairs, and the server wants {wanted} for the request now")]
    OtherOptions {
        /// How many were made.
        noted: usize,
        /// How many the server wants.
        wanted: usize,
    },
    /// The kept answer is gone.
    #[error("the server's answer to the certificate requests is no longer in the journal's folder")]
    AnswerGone,
    /// The template collects data that was not given, and nobody can be asked for it.
    #[error("the profile template collects data that is not given: {}", quoted(.names))]
    DataMissing {
        /// The names of the items.
        names: Vec<String>,
    },
    /// The template does not let such a request be made.
    #[error("a request of this type can't be made here: {0}")]
    Creation(String),
    /// The server has taken the call, and shows the request or the card in another status.
    #[error("the server has taken the call, and shows {what} as {status}")]
    NotDone {
        /// Of which thing.
        what: &'static str,
        /// Its status.
        status: String,
    },
}

impl Stop {
    /// What to do next, as an imperative sentence without a full stop.
    #[must_use]
    pub fn remedy(&self) -> String {
        let (enroll, list, create) = (Operation::Enroll, Operation::RequestList, Operation::RequestCreate);
        match self {
            Self::NoRequest => format!(
                "have a request made, or make one: `{enroll} --template NAME`; `{list}` shows the requests that there are"
            ),
            Self::SeveralRequests { .. } => "name one with `--request`".to_owned(),
            Self::RequestLost => format!(
                "look with `{list}` whether it was made after all, and name it with `--request`; where it was not, `{create}` \
                 makes another"
            ),
            Self::Closed { .. } => format!("have another request made, or make one: `{enroll} --template NAME --again`"),
            Self::OtherType { right: Some(right), .. } => format!("run `{right}` for it"),
            Self::OtherType { right: None, .. } => "have it carried out in the MIM CM portal".to_owned(),
            Self::AnotherCard { .. } => "insert that card, or name another request with `--request`".to_owned(),
            Self::NoCard { .. } => "have it looked at in the MIM CM portal, and another one made".to_owned(),
            Self::InUse { permitted: true, .. } => format!(
                "retire it first (`{}`), or take it from that assignment with `--reuse`, which its policy permits",
                Operation::Retire
            ),
            Self::InUse { permitted: false, .. } => {
                format!("retire it first: `{}`, or in the MIM CM portal", Operation::Retire)
            }
            Self::UnknownCard => "insert a card that the server has issued".to_owned(),
            Self::BindLost { .. } => {
                "look in the MIM CM portal whether the card is bound; where it is not, have the request abandoned and another \
                 one made"
                    .to_owned()
            }
            Self::AdminKeyUnknown { .. } => {
                "find out which key it is; say so with `--admin-key default` or `--admin-key diversified`: a wrong one may cost \
                 an admin try"
                    .to_owned()
            }
            Self::SlotInUse { .. } => {
                "take an empty card, or give up what would be lost with `--erase`".to_owned()
            }
            Self::KeyGone { .. }
            | Self::IssuedElsewhere { .. }
            | Self::CertificatesLost { .. }
            | Self::AnswerUnread { .. } => format!(
                "look in the MIM CM portal which certificates the card has, have what is of no use revoked, abandon the request \
                 (`{}`) and make another",
                Operation::RequestAbandon
            ),
            Self::CompletedElsewhere { .. } => format!(
                "see what is on the card (`{}`); where something is missing have it retired and issued anew",
                Operation::Inspect
            ),
            Self::Certificate { source, .. } => source.remedy().to_owned(),
            Self::AnswerGone => "have the certificates revoked and the request abandoned, and make another".to_owned(),
            Self::DataMissing { .. } => "give each with `--data NAME=VALUE`".to_owned(),
            Self::OtherOptions { .. } => format!(
                "nothing more was done; where the profile template was changed have that taken back and run the command again, or \
                 abandon the request (`{}`) and make another",
                Operation::RequestAbandon
            ),
            Self::Creation(_) => "have the request made in the MIM CM portal, then run the command again".to_owned(),
            Self::NotDone { .. } => "run the command again, which looks at the server's records anew".to_owned(),
        }
    }
}

fn joined(ids: &[Uuid]) -> String {
    ids.iter().map(Uuid::to_string).collect::<Vec<_>>().join(", ")
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ")
}

fn of_user(user: Option<&Uuid>) -> impl fmt::Display + use<> {
    user.map_or_else(String::new, |user| format!(" of user {user}"))
}

fn shown_now(shown: &[String]) -> String {
    match shown {
        [] => "it shows no certificate of this card now".to_owned(),
        shown => format!("it shows now: {}", shown.join(", ")),
    }
}
