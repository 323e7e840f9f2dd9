//! Layer 5: setting a card's PIN, step by step. The file to read first.
//!
//! [`set_pin`] runs the job on one reader. The card is held in one transaction from its identification to its release; the
//! server is asked twice, once for its records and once, while the card waits for the answer to its challenge, for the
//! secrets.

pub mod binding;
pub mod error;
pub mod fit;
pub mod issuer;
pub mod mimcm;
pub mod plan;
pub mod records;
mod rules;
mod session;
pub mod supplier;

use std::sync::atomic::AtomicBool;

use uuid::Uuid;

pub use self::error::{CardState, Cause, Failure, Step};
use self::issuer::{Answers, Assignment, Issuer, Question, Wanted};
use self::records::ResolveError;
pub use self::rules::{AdminKeyRule, Authority, PinMaker, PinRouteRule, Rules};
use self::session::Session;
use self::supplier::{SecretError, Supplier};
use crate::card::family::Families;
use crate::card::{CardId, Challenge, PinLimits, Tries, answer_with_admin_key};
use crate::reader::Readers;
use crate::secret::{AdminKey, AdminResponse, Pin};
use crate::server::ProposedPin;

/// What to do.
#[derive(Debug, Clone)]
pub struct Job {
    /// The reader's name.
    pub reader: String,
    /// The card that must be in it, where a person named one.
    pub card_id: Option<CardId>,
    /// Ids that a person gave.
    pub wanted: Wanted,
    /// How to decide.
    pub rules: Rules,
    /// What is known of cards.
    pub families: Families,
}

/// Whom to do it with.
pub struct Desk<'a> {
    /// The readers.
    pub readers: &'a dyn Readers,
    /// The server.
    pub issuer: &'a mut dyn Issuer,
    /// Whoever supplies what the server does not.
    pub supplier: &'a mut dyn Supplier,
    /// Set by Ctrl-C.
    pub interrupted: &'a AtomicBool,
    /// Told of each step before it is taken.
    pub progress: &'a mut dyn FnMut(Step),
}

/// Where the PIN on the card came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PinSource {
    /// The server proposed it.
    Server,
    /// The user supplied it.
    User,
}

/// A PIN that is set, and that the card has verified.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The reader's name.
    pub reader: String,
    /// The card's family.
    pub family: &'static str,
    /// The ATR in lower-case hex.
    pub atr: String,
    /// The card ID as GUID text.
    pub card_id: String,
    /// The server's card object.
    pub smartcard: Uuid,
    /// The request worked on.
    pub request: Option<Uuid>,
    /// How the right to set the PIN was proved.
    pub authority: Authority,
    /// Who made the PIN.
    pub pin_source: PinSource,
    /// Why the card could not be reset at the end, where it could not.
    pub reset_failed: Option<String>,
}

/// Sets the card's PIN and has the card verify it.
///
/// Spends no PIN try unless the authority is the current PIN and that is wrong; spends an admin try only where the answer to
/// the challenge is wrong. Never repeats what a card refused.
///
/// # Errors
/// A [`Failure`] says at which step, why, and in which state the card is.
pub fn set_pin(job: &Job, desk: &mut Desk<'_>) -> Result<Outcome, Failure> {
    let mut known = Known::default();
    loop {
        match round(job, desk, &mut known)? {
            Round::Done(outcome) => return Ok(outcome),
            // The card is free while a person types: others may use it, and it is identified anew afterwards.
            Round::Needs(need) => known.supply(need, desk).map_err(|cause| known.failure(job, cause))?,
        }
    }
}

/// What earlier rounds found out.
#[derive(Default)]
struct Known {
    card_id: Option<CardId>,
    assignment: Option<Assignment>,
    limits: Option<PinLimits>,
    new_pin: Option<Pin>,
    current_pin: Option<Pin>,
    admin_key: Option<AdminKey>,
}

enum Round {
    Done(Outcome),
    Needs(Need),
}

#[derive(Clone, Copy)]
enum Need {
    NewPin,
    CurrentPin,
    AdminKey,
}

fn round(job: &Job, desk: &mut Desk<'_>, known: &mut Known) -> Result<Round, Failure> {
    (desk.progress)(Step::Open);
    let mut session = Session::open(desk.readers, &job.reader)?;
    let result = steps(&mut session, job, desk, known).map_err(|cause| session.failure(cause));
    let ended = session.end();
    match (result, ended) {
        (Ok(Round::Done(mut outcome)), Err(error)) => {
            outcome.reset_failed = Some(error.to_string());
            Ok(Round::Done(outcome))
        }
        (result, ended) => {
            if let Err(error) = ended {
                tracing::warn!("the card could not be let go of properly: {error}");
            }
            result
        }
    }
}

fn steps(session: &mut Session, job: &Job, desk: &mut Desk<'_>, known: &mut Known) -> Result<Round, Cause> {
    let mut enter = |session: &mut Session, step| {
        (desk.progress)(step);
        session.enter(step, desk.interrupted)
    };

    enter(session, Step::Identify)?;
    let card_id = session.identify(&job.families)?;
    known.check(card_id, job.card_id)?;
    known.limits = Some(session.limits()?);

    if known.assignment.is_none() {
        enter(session, Step::Resolve)?;
        let parameters = session.parameters(&Challenge(Vec::new()))?;
        let mut watch = session.watch(desk.interrupted);
        known.assignment = Some(desk.issuer.resolve(&parameters, job.wanted, &mut watch)?);
    }
    let Some(assignment) = known.assignment.clone() else { return Ok(Round::Needs(Need::NewPin)) };
    let authority = choose(&job.rules, session)?;
    if let Some(need) = known.missing(authority, &assignment) {
        return Ok(Round::Needs(need));
    }

    enter(session, Step::Challenge)?;
    let challenge = match session.has_admin_challenge() {
        true => session.challenge()?,
        false => Challenge(Vec::new()),
    };

    enter(session, Step::Ask)?;
    let question = Question { pin: known.new_pin.is_none(), answer: question_key(authority, &assignment)? };
    let answers = if question.pin || question.answer.is_some() {
        let parameters = session.parameters(&challenge)?;
        let mut watch = session.watch(desk.interrupted);
        desk.issuer.ask(&assignment, &parameters, question, &mut watch)?
    } else {
        Answers::default()
    };
    let (pin, pin_source) = match (known.new_pin.take(), answers.pin) {
        (Some(pin), _) => (pin, PinSource::User),
        (None, Some(ProposedPin::Pin(pin))) => (pin, PinSource::Server),
        (None, Some(ProposedPin::UserSupplies) | None) => return user_supplies(&assignment),
    };

    enter(session, Step::Fit)?;
    fit::check(&pin, session.limits()?, assignment.policy)?;
    let proof = proof(authority, known, &challenge, answers.answer)?;
    if let Proof::CurrentPin(_) = proof {
        enough_tries(session.tries_left()?, job.rules.min_tries_left)?;
    }

    if pin_source == PinSource::Server {
        // A PIN that the person has just typed needs no second yes.
        let mut watch = session.watch(desk.interrupted);
        desk.supplier.consent(&mut watch)?;
    }

    enter(session, Step::Bind)?;
    session.bind(matches!(proof, Proof::Answer(_)))?;

    enter(session, Step::Authorize)?;
    match &proof {
        Proof::Answer(answer) => {
            session.authorize(answer)?;
            // From here on the job is carried to its end: an interruption would leave a card in between.
            (desk.progress)(Step::SetPin);
            session.step_uninterrupted(Step::SetPin);
            session.set_pin(&pin)?;
        }
        Proof::CurrentPin(current) => {
            (desk.progress)(Step::SetPin);
            session.step_uninterrupted(Step::SetPin);
            session.change_pin(current, &pin)?;
        }
    }

    (desk.progress)(Step::Verify);
    session.step_uninterrupted(Step::Verify);
    session.verify(&pin)?;

    Ok(Round::Done(Outcome {
        reader: session.reader().to_owned(),
        family: session.family(),
        atr: session.atr().to_string(),
        card_id: card_id.to_string(),
        smartcard: assignment.smartcard,
        request: assignment.request,
        authority,
        pin_source,
        reset_failed: None,
    }))
}

enum Proof<'a> {
    Answer(AdminResponse),
    CurrentPin(&'a Pin),
}

/// The first configured authority that the card has. One is chosen, and no second one is tried when it fails.
fn choose(rules: &Rules, session: &Session) -> Result<Authority, Cause> {
    rules
        .authorities
        .iter()
        .copied()
        .find(|authority| match authority {
            Authority::Server | Authority::AdminKey => session.has_admin_challenge(),
            Authority::CurrentPin => true,
        })
        .ok_or_else(|| Cause::NoAuthority {
            configured: rules.authorities.iter().map(|authority| authority.name()).collect::<Vec<_>>().join(", "),
        })
}

/// Which key the server is to answer with, where it is the authority.
fn question_key(
    authority: Authority,
    assignment: &Assignment,
) -> Result<Option<crate::server::AdminKeyVersion>, ResolveError> {
    match (authority, assignment.request, &assignment.admin_key) {
        (Authority::AdminKey | Authority::CurrentPin, ..) => Ok(None),
        (Authority::Server, None, _) => Err(ResolveError::NoRequest { smartcard: assignment.smartcard }),
        (Authority::Server, Some(_), Ok(version)) => Ok(Some(*version)),
        (Authority::Server, Some(_), Err(evidence)) => {
            Err(ResolveError::AdminKeyUnknown { evidence: evidence.clone() })
        }
    }
}

fn proof<'a>(
    authority: Authority,
    known: &'a Known,
    challenge: &Challenge,
    answer: Option<AdminResponse>,
) -> Result<Proof<'a>, Cause> {
    let missing = |what| Cause::Secret(SecretError::NoTerminal { what });
    match authority {
        Authority::Server => answer.map(Proof::Answer).ok_or(missing("the server's answer")),
        Authority::AdminKey => {
            let key = known.admin_key.as_ref().ok_or(missing("the admin key"))?;
            Ok(Proof::Answer(answer_with_admin_key(key, challenge)?))
        }
        Authority::CurrentPin => known.current_pin.as_ref().map(Proof::CurrentPin).ok_or(missing("the current PIN")),
    }
}

/// 204 on the PIN: a person supplies it, unless the policy has named the server as its maker.
fn user_supplies(assignment: &Assignment) -> Result<Round, Cause> {
    match assignment.pin_maker {
        PinMaker::Server => Err(ResolveError::PinDisagreement { option: assignment.pin_option.clone() }.into()),
        PinMaker::User | PinMaker::Ask => Ok(Round::Needs(Need::NewPin)),
    }
}

fn enough_tries(tries: Tries, min: u8) -> Result<(), Cause> {
    match tries {
        Tries::Left { left, .. } if left < min => Err(Cause::FewTries { left, min }),
        Tries::Left { .. } | Tries::Untold => Ok(()),
    }
}

impl Known {
    /// The card of an earlier round, and the one that a person named.
    fn check(&mut self, now: CardId, named: Option<CardId>) -> Result<(), binding::BindingError> {
        if let Some(before) = self.card_id.or(named).filter(|before| *before != now) {
            return Err(binding::BindingError::OtherCardId { before, now });
        }
        self.card_id = Some(now);
        Ok(())
    }

    fn missing(&self, authority: Authority, assignment: &Assignment) -> Option<Need> {
        match authority {
            Authority::AdminKey if self.admin_key.is_none() => Some(Need::AdminKey),
            Authority::CurrentPin if self.current_pin.is_none() => Some(Need::CurrentPin),
            _ if assignment.pin_maker == PinMaker::User && self.new_pin.is_none() => Some(Need::NewPin),
            _ => None,
        }
    }

    fn supply(&mut self, need: Need, desk: &mut Desk<'_>) -> Result<(), Cause> {
        match need {
            Need::NewPin => {
                let limits = self.limits.unwrap_or(crate::card::gids::APPLET_LIMITS);
                let pin = desk.supplier.new_pin(limits)?;
                if let Some(assignment) = &self.assignment {
                    fit::check(&pin, limits, assignment.policy)?;
                }
                self.new_pin = Some(pin);
            }
            Need::CurrentPin => self.current_pin = Some(desk.supplier.current_pin()?),
            Need::AdminKey => self.admin_key = Some(desk.supplier.admin_key()?),
        }
        Ok(())
    }

    /// A failure between rounds, when no card is held.
    fn failure(&self, job: &Job, cause: Cause) -> Failure {
        Failure {
            step: Step::Ask,
            reader: Some(job.reader.clone()),
            card_id: self.card_id.map(|id| id.to_string()),
            card: CardState::Untouched,
            cause: Box::new(cause),
        }
    }
}
