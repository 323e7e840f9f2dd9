//! What a failure means to an agent: try again, when, or leave the card alone.

use std::time::Duration;

use super::report::Phase;
use crate::apdu::ApduError;
use crate::card::CardError;
use crate::card::family::DetectError;
use crate::error_text::error_text;
use crate::exit::Exit;
use crate::job::journal::JournalError;
use crate::job::records::ResolveError;
use crate::job::secrets::{Need, SecretError};
use crate::job::{CardState, Cause, Failure, Step, Stop};
use crate::operation::Operation;
use crate::reader::ReaderError;
use crate::server::auth::SignInError;
use crate::server::{ServerError, ServerProblem};

/// What comes next for a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Nothing until it is pulled.
    Never,
    /// Server, reader or journal are asked again at a growing interval.
    Recheck,
    /// The server has failed and is asked again when it may be back; it may have said when.
    Retry(Option<Duration>),
    /// The server was not called, because it has asked for a pause: when that is over.
    AfterPause,
    /// Another program has the card, or has reset it: once more, soon.
    Soon,
    /// The contact was bad before anything was risked: once more, a few times.
    Again,
}

/// A phase and what follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// What becomes of the reader.
    pub phase: Phase,
    /// What comes next.
    pub next: Next,
}

impl Verdict {
    const fn new(phase: Phase, next: Next) -> Self {
        Self { phase, next }
    }
}

const FAILED: Verdict = Verdict::new(Phase::Failed, Next::Never);
const NOT_OURS: Verdict = Verdict::new(Phase::NotOurs, Next::Never);
const SOON: Verdict = Verdict::new(Phase::Waiting, Next::Soon);
const LATER: Verdict = Verdict::new(Phase::Waiting, Next::Recheck);
const NO_ACCESS: Verdict = Verdict::new(Phase::NoAccess, Next::Recheck);

/// Judges a failure. A job that may have written to the card, and does not know, is not repeated. One that did not is tried again
/// where the cause may pass: a full disk, a reader that hung; so is an enrollment, which goes on behind what it has written.
#[must_use]
pub fn judge(failure: &Failure) -> Verdict {
    match failure.card_state() {
        CardState::Untouched => {}
        CardState::Changed if !failure.effect.try_may_be_spent() => {}
        CardState::Changed | CardState::TrySpent | CardState::PinSet | CardState::Unknown => return FAILED,
    }
    match failure.cause.as_ref() {
        Cause::Server(error) => server(error),
        Cause::Resolve(error) => records(error),
        Cause::Detect(DetectError::Unknown { .. }) => NOT_OURS,
        // Without a usable ID the card can't be told from others.
        Cause::Card(CardError::UnusableId(_) | CardError::Incomplete { .. } | CardError::Malformed { .. })
        | Cause::Card(CardError::Refused { .. })
            if failure.step == Step::Identify =>
        {
            NOT_OURS
        }
        Cause::Secret(
            SecretError::NoTerminal { .. } | SecretError::Cancelled { .. } | SecretError::TimedOut { .. },
        ) => Verdict::new(Phase::NeedsPin, Next::Never),
        Cause::AlreadyDone(_) => Verdict::new(Phase::AlreadyDone, Next::Never),
        Cause::Stop(stop) => stopped(stop),
        Cause::Journal(JournalError::Busy { .. }) => SOON,
        // A full disk, a folder that is not mounted yet; or a job that had to back out for its time.
        Cause::Journal(_) | Cause::Interrupted => LATER,
        _ if failure.is_reset_before_write() => SOON,
        cause => reader_error(cause).map_or(FAILED, |error| reader(error, failure.card_id.is_some())),
    }
}

/// The reader's error, wherever in a step it came up.
fn reader_error(cause: &Cause) -> Option<&ReaderError> {
    match cause {
        Cause::Reader(error)
        | Cause::Card(CardError::NoAnswer { source: ApduError::Reader(error), .. })
        | Cause::Detect(DetectError::NoAnswer(ApduError::Reader(error))) => Some(error),
        _ => None,
    }
}

/// A server that fails is waited for. One that refuses is asked again at long intervals: the cause (a token, a right, a setting)
/// is mended at the server, and asking costs the card nothing.
fn server(error: &ServerError) -> Verdict {
    match &error.problem {
        ServerProblem::Busy { retry_after, .. } => Verdict::new(Phase::ServerDown, Next::Retry(*retry_after)),
        ServerProblem::Unreachable(_)
        | ServerProblem::Broken(_)
        | ServerProblem::Http11Wanted(_)
        | ServerProblem::Timeout { .. }
        | ServerProblem::Failed { .. } => Verdict::new(Phase::ServerDown, Next::Retry(None)),
        ServerProblem::SignIn(SignInError::Kerberos(error)) if error.may_pass() => {
            Verdict::new(Phase::ServerDown, Next::Retry(None))
        }
        ServerProblem::SignIn(SignInError::Adfs(error)) if error.may_pass() => {
            Verdict::new(Phase::ServerDown, Next::Retry(None))
        }
        ServerProblem::Pin(_) => FAILED,
        // The server knows nothing of the card, or of what was asked for.
        ServerProblem::Nothing | ServerProblem::UnknownId => LATER,
        _ => NO_ACCESS,
    }
}

fn records(error: &ResolveError) -> Verdict {
    match error {
        // Two statements of the server that contradict each other, or a key that has to be named: a person decides.
        ResolveError::AdminKeyUnknown { .. } | ResolveError::PinDisagreement { .. } => FAILED,
        _ => LATER,
    }
}

/// What the server may show otherwise later is looked at again. What somebody has to find out is not.
fn stopped(stop: &Stop) -> Verdict {
    match stop {
        Stop::NoRequest
        | Stop::SeveralRequests { .. }
        | Stop::Closed { .. }
        | Stop::OtherType { .. }
        | Stop::AnotherCard { .. }
        | Stop::NoCard { .. }
        | Stop::InUse { .. }
        | Stop::UnknownCard
        | Stop::DataMissing { .. }
        | Stop::Creation(_)
        | Stop::NotDone { .. } => LATER,
        Stop::RequestLost
        | Stop::BindLost { .. }
        | Stop::AdminKeyUnknown { .. }
        | Stop::SlotInUse { .. }
        | Stop::KeyGone { .. }
        | Stop::IssuedElsewhere { .. }
        | Stop::CertificatesLost { .. }
        | Stop::CompletedElsewhere { .. }
        | Stop::Certificate { .. }
        | Stop::AnswerUnread { .. }
        | Stop::AnswerGone
        | Stop::OtherOptions { .. } => FAILED,
    }
}

fn reader(error: &ReaderError, identified: bool) -> Verdict {
    match error {
        ReaderError::InUse { .. } => SOON,
        // A reader that hangs, or another program that keeps the card to itself for long: the call may have returned by then.
        ReaderError::Stuck { .. } => Verdict::new(Phase::Stuck, Next::Recheck),
        ReaderError::AccessDenied | ReaderError::NoThread { .. } => LATER,
        // A card that is still being pushed in.
        ReaderError::Transmission { .. }
        | ReaderError::Unpowered { .. }
        | ReaderError::Unresponsive { .. }
        | ReaderError::ProtocolMismatch { .. }
            if !identified =>
        {
            Verdict::new(Phase::Waiting, Next::Again)
        }
        _ => FAILED,
    }
}

/// Why, where the card is and what to do: for a person, in one line.
#[must_use]
pub fn reason(failure: &Failure) -> String {
    format!("{}. {}", error_text(failure), sentence(&remedy(failure)))
}

/// What to do, where an agent has met the cause: it has no terminal, and nobody runs it again.
fn remedy(failure: &Failure) -> String {
    match failure.cause.as_ref() {
        Cause::Secret(SecretError::NoTerminal { what }) if ASKED_FOR.iter().any(|need| need.what() == *what) => {
            format!(
                "set `agent.pinentry` to a program that asks for it, in the agent of that person's session; or run `{}`",
                Operation::SetPin
            )
        }
        Cause::Secret(SecretError::NoTerminal { .. }) => {
            "name the file or credential that holds it in the configuration (`card.…_file`, `card.…_credential`)"
                .to_owned()
        }
        Cause::Interrupted if failure.card_state() == CardState::Untouched => {
            "nothing was written; the card is tried again later, by the next agent where this one ends".to_owned()
        }
        cause => cause.remedy(),
    }
}

/// What a person is asked for by a pinentry.
const ASKED_FOR: [Need; 2] = [Need::NewPin, Need::CurrentPin];

fn sentence(remedy: &str) -> String {
    let mut characters = remedy.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

/// The exit code that the command would have ended with.
#[must_use]
pub fn exit(failure: &Failure) -> u8 {
    Exit::from(failure) as u8
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::card::{CardId, IdOrder};
    use crate::job::effect::{Change, Effect, ProofState};

    fn failure(step: Step, effect: Effect, cause: Cause) -> Failure {
        let card_id =
            (step != Step::Open && step != Step::Identify).then(|| CardId::new(&[1; 16], IdOrder::Windows).unwrap());
        Failure { effect, ..Failure::before_any_effect(step, "r", card_id, cause) }
    }

    fn stuck() -> ReaderError {
        ReaderError::Stuck { reader: "r".to_owned(), operation: "sending a command", after: Duration::from_secs(1) }
    }

    fn removed() -> ReaderError {
        ReaderError::CardRemoved { reader: "r".to_owned(), operation: "sending a command" }
    }

    #[test]
    fn a_hanging_reader_is_stuck_wherever_it_hangs() {
        let inside = |error| ApduError::Reader(error);
        let causes = [
            Cause::Reader(stuck()),
            Cause::Detect(DetectError::NoAnswer(inside(stuck()))),
            Cause::Card(CardError::NoAnswer { command: "SELECT", source: inside(stuck()) }),
        ];
        for cause in causes {
            let verdict = judge(&failure(Step::Identify, Effect::default(), cause));
            assert_eq!(verdict, Verdict::new(Phase::Stuck, Next::Recheck));
        }
    }

    #[test]
    fn what_may_have_reached_the_card_is_never_tried_again() {
        let shown = Effect { proof: ProofState::Shown, ..Effect::default() };
        let set = Effect { pin: Change::New { verified: false }, ..Effect::default() };
        let unknown = Effect { pin: Change::Unknown, ..Effect::default() };
        for effect in [shown, set, unknown] {
            for cause in [Cause::Reader(stuck()), Cause::Reader(removed()), Cause::Interrupted] {
                assert_eq!(judge(&failure(Step::SetPin, effect, cause)), FAILED);
            }
        }
    }

    #[test]
    fn an_enrollment_goes_on_behind_what_it_has_written() {
        let new = Change::New { verified: true };
        let written = Effect { proof: ProofState::Accepted, pin: new, key_slot: new, ..Effect::default() };
        assert_eq!(judge(&failure(Step::GenerateKeyPair, written, Cause::Interrupted)).next, Next::Recheck);
        let in_doubt = Effect { key_slot: Change::Unknown, ..written };
        assert_eq!(judge(&failure(Step::GenerateKeyPair, in_doubt, Cause::Interrupted)), FAILED);
        let spent = Effect { proof: ProofState::Refused, ..written };
        assert_eq!(judge(&failure(Step::ReplaceAdminKey, spent, Cause::Interrupted)), FAILED);
        assert_eq!(judge(&failure(Step::Resolve, Effect::default(), Stop::NoRequest.into())), LATER);
        assert_eq!(judge(&failure(Step::Submit, written, Stop::AnswerGone.into())), FAILED);
    }

    #[test]
    fn an_agent_says_what_can_be_done_about_an_agent() {
        let said = |cause| reason(&failure(Step::Supply, Effect::default(), cause));
        let no_pinentry = said(SecretError::NoTerminal { what: Need::NewPin.what() }.into());
        assert!(
            no_pinentry.contains("Set `agent.pinentry`") && !no_pinentry.contains("file descriptor"),
            "{no_pinentry}"
        );
        let no_key = said(SecretError::NoTerminal { what: Need::AdminKey.what() }.into());
        assert!(no_key.contains("_credential") && !no_key.contains("pinentry"), "{no_key}");
        let stopped = said(Cause::Interrupted);
        assert!(stopped.contains("Nothing was written") && !stopped.contains("run the command"), "{stopped}");
    }

    #[test]
    fn a_bad_contact_is_tried_again_only_while_nothing_was_risked() {
        let bad = || Cause::Reader(ReaderError::Unpowered { reader: "r".to_owned() });
        assert_eq!(judge(&failure(Step::Open, Effect::default(), bad())).next, Next::Again);
        assert_eq!(judge(&failure(Step::Challenge, Effect::default(), bad())).next, Next::Never);
    }
}
