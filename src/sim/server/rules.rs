//! The rules that callers are held to, and what happens to a caller that breaks one.

use super::fault::Endpoint;

/// A rule of the REST reference (or of what it builds on) that a client can break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rule {
    /// `+`, `/` or `=` stands unescaped in the challenge.
    UnescapedChallenge,
    /// The challenge is not standard base64 with padding.
    ChallengeEncoding,
    /// The challenge has a length that is not allowed.
    ChallengeLength,
    /// The challenge was sent again although its answer had been delivered.
    ChallengeReused,
    /// The challenge was sent more often than a lost answer excuses.
    ChallengeRepeated,
    /// `diversified` is not True, False, true or false.
    Diversified,
    /// `cardid` is not GUID text of 36 characters without braces.
    CardIdForm,
    /// `cardid` is not that of the card in the path.
    WrongCard,
    /// `atr` is not lower-case hex without separators.
    AtrForm,
    /// `atr` is not that of the card.
    WrongAtr,
    /// A required parameter is missing or empty.
    MissingParameter,
    /// A parameter is there twice.
    DuplicateParameter,
    /// A percent escape is broken or does not give UTF-8.
    PercentEncoding,
    /// An id in the path is not GUID text of 36 characters.
    IdForm,
    /// `status` or `targetuser` has a value that is not documented.
    FilterValue,
    /// No `Authorization` header although one is required.
    MissingAuthorization,
    /// The request is not in Approved or Executing.
    RequestStatus,
    /// The card is not bound to the request.
    CardNotBound,
    /// The request is of a type that gives nobody a PIN.
    RequestType,
    /// The request is for another user than the card's.
    TargetUser,
    /// A body's content type is not JSON.
    ContentType,
    /// A body comes without its length.
    ContentLength,
    /// A body is not JSON in UTF-8, or has a byte order mark.
    JsonBody,
    /// A body is no object, or a property is missing, unknown, there twice or of another type.
    BodyShape,
    /// A property has a value that is not documented.
    BodyValue,
    /// Collected data is not in the form that the server takes.
    DataCollection,
    /// A card is bound to the request already.
    AlreadyBound,
    /// The card is bound by another request.
    CardInUse,
    /// The certificate requests are not PKCS #10 in base64, signed with their own keys, one for each generation option.
    CertificateRequests,
    /// Certificate requests were handed in although certificates were issued for the card.
    AlreadyIssued,
    /// A POST was sent again whose answer was lost.
    SentAgain,
    /// An answer was asked for with the other flag than before.
    BothFlags,
}

/// One broken rule.
#[derive(Clone, Debug)]
pub struct Violation {
    /// Which rule.
    pub rule: Rule,
    /// The route called, when the path named one.
    pub endpoint: Option<Endpoint>,
    /// Index of the call in [`super::StandIn::requests`].
    pub call: usize,
    /// The message that the caller got.
    pub message: String,
}

/// An answer other than success; with a rule it is a violation.
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) rule: Option<Rule>,
    pub(super) message: String,
}

impl Refusal {
    /// 400 for a broken rule. `message` must not repeat what the caller sent: it could be anything.
    pub(super) fn bad(rule: Rule, message: impl Into<String>) -> Self {
        Self::broken(400, rule, message)
    }

    /// 403 for a broken rule.
    pub(super) fn forbidden(rule: Rule, message: impl Into<String>) -> Self {
        Self::broken(403, rule, message)
    }

    pub(super) fn broken(status: u16, rule: Rule, message: impl Into<String>) -> Self {
        Self { status, rule: Some(rule), message: message.into() }
    }

    /// A status that is nobody's fault.
    pub(super) fn plain(status: u16, message: impl Into<String>) -> Self {
        Self { status, rule: None, message: message.into() }
    }
}
