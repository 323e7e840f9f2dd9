//! Why the server's records of card and request don't lead to a job.

use thiserror::Error;
use uuid::Uuid;

use super::record_atr::AtrDoubt;
use crate::operation::Operation;

/// Why the server's records don't lead to a job.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// The server does not know the card.
    #[error("the server knows no card with ID {card_id}")]
    UnknownCard {
        /// The ID asked for.
        card_id: String,
        /// The same bytes in the other order.
        other_order: String,
    },
    /// More than one record fits.
    #[error("the server has {} records of this card and no open request tells which: {}", .candidates.len(), list(.candidates))]
    AmbiguousCard {
        /// Their ids.
        candidates: Vec<Uuid>,
    },
    /// The record is another card's.
    #[error("the server's smart card {smartcard} is another card: its {what} is {theirs}, this card's is {ours}")]
    OtherCard {
        /// The record's id.
        smartcard: Uuid,
        /// `SerialNumber`.
        what: &'static str,
        /// The record's value.
        theirs: String,
        /// The card's.
        ours: String,
    },
    /// The record is of this ID, and its ATR is not the one that the card shows.
    #[error(
        "the server's smart card {smartcard} is another card, or this one in another reader: its Atr is {theirs}, this card's is \
         {ours}, and {why}"
    )]
    OtherAtr {
        /// The record's id.
        smartcard: Uuid,
        /// The record's value.
        theirs: String,
        /// The card's.
        ours: String,
        /// Why the ID that they have in common is not enough, as a clause.
        why: AtrDoubt,
    },
    /// The record is at its end.
    #[error("the server's smart card {smartcard} is retired")]
    Retired {
        /// The record's id.
        smartcard: Uuid,
    },
    /// No request to work on.
    #[error("no approved request is bound to smart card {smartcard}")]
    NoRequest {
        /// The record's id.
        smartcard: Uuid,
    },
    /// More than one.
    #[error("{} requests are open for this card: {}", .candidates.len(), list(.candidates))]
    AmbiguousRequest {
        /// Their ids.
        candidates: Vec<Uuid>,
    },
    /// The request named is not open.
    #[error("request {request} is {status}, not Approved")]
    RequestNotOpen {
        /// Its id.
        request: Uuid,
        /// Its status.
        status: String,
    },
    /// The request named is for another card, or for none yet.
    #[error("request {request} is not bound to smart card {smartcard}")]
    RequestForOther {
        /// Its id.
        request: Uuid,
        /// The record's id.
        smartcard: Uuid,
    },
    /// The request is of a type that sets no PIN.
    #[error("request {request} is of type {kind}, and only Enroll and Unblock set a PIN")]
    OtherType {
        /// Its id.
        request: Uuid,
        /// Its type, as the server names or numbers it.
        kind: String,
    },
    /// The request is for one user, and the card is another's.
    #[error("request {request} is for user {target}, and smart card {smartcard} is user {assigned}'s")]
    OtherUser {
        /// Its id.
        request: Uuid,
        /// Its user.
        target: Uuid,
        /// The record's id.
        smartcard: Uuid,
        /// The record's user.
        assigned: Uuid,
    },
    /// Request or record do not say for whom they are, and there is nobody to ask.
    #[error("the server does not say for whom request {request} or its card is")]
    UserUntold {
        /// Its id.
        request: Uuid,
    },
    /// Work on the request has begun, and not by a job of this journal.
    #[error("somebody else has begun to work on request {request} (Executing): this journal knows no job for it")]
    BegunElsewhere {
        /// Its id.
        request: Uuid,
    },
    /// More than can be read.
    #[error("the server lists more requests than can be read ({limit} bytes)")]
    TooManyRequests {
        /// How many bytes are read.
        limit: usize,
    },
    /// Which admin key is on the card can't be told.
    #[error("it can't be told whether the card has the default or a diversified admin key: {evidence}")]
    AdminKeyUnknown {
        /// What policy, request and card status say.
        evidence: String,
    },
    /// 204 on the PIN, where the policy names the server as its maker.
    #[error(
        "the template's policy says that the server makes the PIN ({option}), and the server has none to give (204)"
    )]
    PinDisagreement {
        /// The policy's option.
        option: String,
    },
}

impl ResolveError {
    /// What to do next, as an imperative sentence without a full stop.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::UnknownCard { other_order, .. } => format!(
                "have the card registered with the server; if it holds the card as {other_order}, set `card.id_order`"
            ),
            Self::AmbiguousCard { .. } => "name one with `--smartcard`".to_owned(),
            Self::OtherType { .. } => "have an Enroll or Unblock request made for this card".to_owned(),
            Self::OtherUser { .. } => "have the request or the card's record put right at the server".to_owned(),
            Self::UserUntold { .. } => {
                format!("run `{}`: a person who is told of the request can say yes to it", Operation::SetPin)
            }
            Self::BegunElsewhere { .. } => {
                let set_pin = Operation::SetPin;
                format!("see that nobody else works on this card; then run `{set_pin}`, where a person can say yes")
            }
            Self::AmbiguousRequest { .. } => "name one with `--request`".to_owned(),
            Self::TooManyRequests { .. } => {
                format!("name the request, so that no list is needed: `{} --request UUID`", Operation::SetPin)
            }
            Self::OtherCard { .. } => "check `--smartcard`, and that the right card is inserted".to_owned(),
            Self::OtherAtr { why, .. } => why.remedy(),
            Self::Retired { .. } => "use a card that is not retired".to_owned(),
            Self::NoRequest { .. } => {
                "have a request for this card approved, or name it with `--request` if it is not your own".to_owned()
            }
            Self::RequestNotOpen { .. } => "have the request approved, then run the command again".to_owned(),
            Self::RequestForOther { .. } => "check `--request`, and that the right card is inserted".to_owned(),
            Self::AdminKeyUnknown { .. } => {
                "find out which key is on the card and say `--admin-key default` or `--admin-key diversified`; a wrong \
                 one may cost an admin try"
                    .to_owned()
            }
            Self::PinDisagreement { .. } => "have the server's administrator look at the profile template".to_owned(),
        }
    }
}

fn list(ids: &[Uuid]) -> String {
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_listed_with_commas() {
        let [one, other] = [Uuid::from_u128(1), Uuid::from_u128(2)];
        assert_eq!(list(&[one, other]), format!("{one}, {other}"));
    }
}
