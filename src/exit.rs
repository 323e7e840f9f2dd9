//! Exit codes: a documented contract for scripts.

use crate::card::CardError;
use crate::card::family::DetectError;
use crate::job::Step;
use crate::job::journal::JournalError;
use crate::job::records::ResolveError;
use crate::job::secrets::SecretError;
use crate::job::stage_error::{CsrError, KeyOptionsProblem, StageError};
use crate::job::{Cause, Failure, Stop};
use crate::reader::ReaderError;
use crate::server::auth::SignInError;
use crate::server::{ServerError, ServerProblem};

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// 0: done.
    Done = 0,
    /// 2: usage or configuration.
    Usage = 2,
    /// 3: no card, or not which; also a reader or service that gives no access to it.
    NoCard = 3,
    /// 4: the card refused.
    CardRefused = 4,
    /// 5: the server refused.
    ServerRefused = 5,
    /// 6: the server can't be reached or fails; the card is untouched.
    ServerFailed = 6,
    /// 7: a PIN (or another secret) must be supplied.
    SecretNeeded = 7,
    /// 8: the PIN does not fit the card.
    PinMisfit = 8,
    /// 9: the card's state needs attention.
    Attention = 9,
    /// 10: interrupted, declined or not agreed to; the card is untouched.
    Interrupted = 10,
    /// 11: the request waits for somebody's approval; the same command goes on with it.
    Pending = 11,
    /// 70: a defect in pinwright.
    Defect = 70,
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl From<&Failure> for Exit {
    fn from(failure: &Failure) -> Self {
        if failure.card_state().needs_attention() {
            return Self::Attention;
        }
        match failure.cause.as_ref() {
            Cause::Card(
                CardError::Refused { .. }
                | CardError::Incomplete { .. }
                | CardError::Malformed { .. }
                | CardError::UnusableId(_),
            ) if failure.step == Step::Identify => Self::NoCard,
            Cause::Reader(error) => error.into(),
            Cause::Detect(DetectError::Unknown { .. } | DetectError::Terminated { .. }) => Self::NoCard,
            Cause::Detect(DetectError::NoAnswer(error)) => no_answer(error),
            Cause::Card(error) => card(error),
            Cause::Unanswerable(_) => Self::Usage,
            Cause::Server(error) => error.into(),
            Cause::Resolve(error) => match error {
                ResolveError::AmbiguousCard { .. }
                | ResolveError::AmbiguousRequest { .. }
                | ResolveError::TooManyRequests { .. }
                | ResolveError::AdminKeyUnknown { .. } => Self::Usage,
                ResolveError::PinDisagreement { .. } => Self::ServerFailed,
                _ => Self::ServerRefused,
            },
            Cause::Fit(_) => Self::PinMisfit,
            Cause::Binding(_) => Self::NoCard,
            Cause::Secret(SecretError::Cancelled { .. } | SecretError::Declined | SecretError::NobodyToAsk)
            | Cause::Interrupted => Self::Interrupted,
            Cause::Secret(SecretError::Exposed { .. }) => Self::Usage,
            Cause::Secret(_) => Self::SecretNeeded,
            Cause::FewTries { .. } | Cause::RefusedBefore { .. } => Self::CardRefused,
            Cause::Journal(JournalError::Busy { .. }) => Self::NoCard,
            Cause::Journal(JournalError::Unreadable { .. }) => Self::Attention,
            Cause::Journal(_) => Self::Usage,
            Cause::UncertainPin { .. }
            | Cause::UncountedTry { .. }
            | Cause::CounterRefused { .. }
            | Cause::CutOffBefore { .. } => Self::Attention,
            Cause::AnswerBarred { .. } | Cause::DoneInDoubt { .. } => Self::Attention,
            Cause::NoAuthority { .. } => Self::Usage,
            Cause::Stage(error) => stage(error),
            Cause::AlreadyDone(_) => Self::Done,
            Cause::Stop(stop) => self::stop(stop),
        }
    }
}

fn stop(stop: &Stop) -> Exit {
    match stop {
        Stop::SeveralRequests { .. } | Stop::OtherType { .. } | Stop::DataMissing { .. } => Exit::Usage,
        Stop::NoRequest
        | Stop::Closed { .. }
        | Stop::AnotherCard { .. }
        | Stop::NoCard { .. }
        | Stop::InUse { .. }
        | Stop::UnknownCard
        | Stop::Creation(_)
        | Stop::NotDone { .. } => Exit::ServerRefused,
        Stop::SlotInUse { .. } => Exit::CardRefused,
        Stop::RequestLost
        | Stop::BindLost { .. }
        | Stop::AdminKeyUnknown { .. }
        | Stop::KeyGone { .. }
        | Stop::IssuedElsewhere { .. }
        | Stop::CertificatesLost { .. }
        | Stop::CompletedElsewhere { .. }
        | Stop::Certificate { .. }
        | Stop::AnswerUnread { .. }
        | Stop::AnswerGone
        | Stop::OtherOptions { .. } => Exit::Attention,
    }
}

fn stage(error: &StageError) -> Exit {
    match error {
        StageError::AdminKeyUnproven(_) | StageError::NotAsWritten { .. } => Exit::Attention,
        StageError::Request(CsrError::Card(error)) => card(error),
        StageError::Management(_) | StageError::KeyOptions(KeyOptionsProblem::Sha1) => Exit::Usage,
        StageError::Certificate(_)
        | StageError::KeyOptions(_)
        | StageError::Request(CsrError::Subject { .. } | CsrError::Algorithm { .. }) => Exit::ServerRefused,
        StageError::Request(CsrError::Encoding(_)) => Exit::Defect,
        StageError::AdminKeyKept(_) | StageError::NoKeys { .. } | StageError::Request(CsrError::Signature) => {
            Exit::CardRefused
        }
    }
}

fn card(error: &crate::card::CardError) -> Exit {
    use crate::apdu::Status;
    match error {
        CardError::NoAnswer { source, .. } => no_answer(source),
        // A card that refuses the new PIN's length or data refuses the PIN, and not our right to set it.
        CardError::Refused {
            command: "RESET RETRY COUNTER" | "RESET RETRY COUNTER (code)",
            status: Status::WRONG_LENGTH | Status::WRONG_DATA,
        } => Exit::PinMisfit,
        CardError::NotInProfile { .. } | CardError::NotTaken { .. } | CardError::OnlyByKey { .. } => Exit::Usage,
        CardError::KeyLength { .. } | CardError::KeyAlgorithm { .. } => Exit::SecretNeeded,
        CardError::UnusableId(_) => Exit::NoCard,
        _ => Exit::CardRefused,
    }
}

fn no_answer(error: &crate::apdu::ApduError) -> Exit {
    match error {
        crate::apdu::ApduError::Reader(error) => error.into(),
        crate::apdu::ApduError::NoStatusWord { .. } | crate::apdu::ApduError::Endless { .. } => Exit::CardRefused,
    }
}

impl From<&ReaderError> for Exit {
    fn from(error: &ReaderError) -> Self {
        match error {
            ReaderError::Replay(_) => Self::CardRefused,
            _ => Self::NoCard,
        }
    }
}

impl From<&SignInError> for Exit {
    fn from(error: &SignInError) -> Self {
        match error {
            SignInError::Kerberos(error) if error.may_pass() => Self::ServerFailed,
            SignInError::Kerberos(error) if !error.is_of_configuration() => Self::ServerRefused,
            SignInError::Adfs(error) if error.may_pass() => Self::ServerFailed,
            SignInError::Adfs(error) if error.is_given_up() => Self::Interrupted,
            SignInError::Adfs(error) if !error.is_of_configuration() => Self::ServerRefused,
            SignInError::Token(_) | SignInError::Kerberos(_) | SignInError::Adfs(_) => Self::Usage,
        }
    }
}

impl From<&ServerError> for Exit {
    fn from(error: &ServerError) -> Self {
        match &error.problem {
            ServerProblem::Unauthorized { .. }
            | ServerProblem::Forbidden { .. }
            | ServerProblem::ClientCertificate { .. }
            | ServerProblem::Rejected { .. }
            | ServerProblem::Nothing
            | ServerProblem::UnknownId => Self::ServerRefused,
            ServerProblem::Pin(_) => Self::PinMisfit,
            ServerProblem::SignIn(error) => error.into(),
            ServerProblem::Request(_) | ServerProblem::Client(_) => Self::Usage,
            ServerProblem::Unwritable(_) => Self::Defect,
            _ => Self::ServerFailed,
        }
    }
}
