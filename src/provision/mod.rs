//! Layer 5: setting a card's PIN, step by step. The file to read first.
//!
//! [`set_pin`] runs the job on one reader. The card is held in one transaction from its identification to its release; the
//! server is asked twice, once for its records and once, while the card waits for the answer to its challenge, for the
//! secrets.

mod authority;
pub mod binding;
pub mod challenge;
pub mod error;
pub mod fit;
pub mod issuer;
pub mod journal;
mod known;
mod log;
pub mod look;
pub mod mimcm;
mod network;
mod past;
pub mod plan;
pub mod records;
mod rules;
mod session;
pub mod supplier;

use std::sync::atomic::{AtomicBool, Ordering};

use uuid::Uuid;

use self::authority::{choose, credential, may_be_risked, question_key};
pub use self::error::{CardState, Cause, Failure, Step};
use self::issuer::{Answers, Assignment, Issuer, Question, Wanted};
use self::journal::{Journal, Point, Record};
use self::known::Known;
use self::log::Log;
use self::records::ResolveError;
pub use self::rules::{AdminKeyRule, Authority, PinMaker, PinRouteRule, Rules};
use self::session::Session;
use self::supplier::{Need, Supplier};
use crate::apdu::Status;
use crate::card::family::Families;
use crate::card::{CardError, CardId, Challenge, Proof};
use crate::reader::Readers;
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
    /// What the server's records say of this card, where they were asked for already; only with `card_id`.
    pub assignment: Option<Assignment>,
    /// Whether a request that the journal shows as done may be done again, and a key or code that the card has refused to an
    /// earlier job for the same request be shown to it once more: a person may want that, an agent never.
    pub repeat: bool,
}

/// Whom to do it with.
pub struct Desk<'a> {
    /// The readers.
    pub readers: &'a dyn Readers,
    /// The server.
    pub issuer: &'a mut dyn Issuer,
    /// Where it is noted what is about to be done to the card; `None` only for cards that can't be lost (a recording).
    pub journal: Option<&'a Journal>,
    /// Whoever supplies what the server does not.
    pub supplier: &'a mut dyn Supplier,
    /// Set by Ctrl-C.
    pub interrupted: &'a AtomicBool,
    /// Told of each step before it is taken.
    pub progress: &'a mut dyn FnMut(Step),
}

impl Desk<'_> {
    /// The next step; an interruption stops the job here, before the card is written to.
    fn enter(&mut self, session: &mut Session, step: Step) -> Result<(), Cause> {
        self.proceed(session, step);
        if self.interrupted.load(Ordering::Relaxed) { Err(Cause::Interrupted) } else { Ok(()) }
    }

    /// The next step, where the job must be carried to its end: an interruption would leave a card in between.
    fn proceed(&mut self, session: &mut Session, step: Step) {
        (self.progress)(step);
        session.at(step);
    }
}

/// Where the PIN on the card came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PinSource {
    /// The server proposed it.
    Server,
    /// The user supplied it.
    User,
}

impl PinSource {
    /// The name used in JSON and in the journal.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::User => "user",
        }
    }
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
    /// The job's id in the journal.
    pub journal_id: Option<String>,
    /// What an earlier job had left unsettled on this card, and this one has settled.
    pub settled: Option<Record>,
    /// Why the journal does not show this end, where it does not.
    pub journal_failed: Option<String>,
    /// Why the card could not be reset at the end, where it could not.
    pub reset_failed: Option<String>,
}

/// How often a job that another program's reset has interrupted is started anew.
const FRESH_STARTS: u32 = 1;

/// Sets the card's PIN and has the card verify it.
///
/// Spends a try of nothing but the chosen authority, and that one only where it is wrong: a current PIN, a PUK, an admin PIN
/// or resetting code, an answer to the admin challenge. Never repeats what a card refused.
///
/// # Errors
/// A [`Failure`] says at which step, why, and in which state the card is.
pub fn set_pin(job: &Job, desk: &mut Desk<'_>) -> Result<Outcome, Failure> {
    let mut known = Known::with(job.assignment.clone());
    // Claimed once the card is known, and until the end: also while a person types and the card itself is free.
    let mut log = Log::new(desk.journal);
    let mut fresh_starts = 0;
    loop {
        match round(job, desk, &mut known, &mut log) {
            Ok(Round::Done(outcome)) => return Ok(*outcome),
            // Challenge and answer went with the reset and nothing was risked: once more, with a fresh challenge.
            Err(failure) if failure.is_reset_before_write() && fresh_starts < FRESH_STARTS => {
                fresh_starts += 1;
                tracing::warn!("the card was reset by another program: starting anew");
            }
            Err(failure) => return Err(failure),
            // The card is free while a person types: others may use it, and it is identified anew afterwards.
            Ok(Round::Needs(need)) => {
                (desk.progress)(Step::Supply);
                desk.issuer.close();
                known.supply(need, desk.supplier).map_err(|cause| known.failure(&job.reader, cause))?;
            }
        }
    }
}

/// One hold of the card.
enum Round {
    Done(Box<Outcome>),
    Needs(Need),
}

fn round(job: &Job, desk: &mut Desk<'_>, known: &mut Known, log: &mut Log<'_>) -> Result<Round, Failure> {
    (desk.progress)(Step::Open);
    let mut session = Session::open(desk.readers, &job.reader)?;
    let result = steps(&mut session, job, desk, known, log).map_err(|cause| session.failure(cause));
    let result = result.map_err(|failure| log.stopped(failure));
    if !matches!(result, Ok(Round::Needs(_))) {
        // Before the card: whoever waits for the card is not to find it claimed.
        log.release();
    }
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

fn steps(
    session: &mut Session,
    job: &Job,
    desk: &mut Desk<'_>,
    known: &mut Known,
    log: &mut Log<'_>,
) -> Result<Round, Cause> {
    desk.enter(session, Step::Identify)?;
    let card_id = session.identify(&job.families)?;
    known.identified(card_id, job.card_id, session.limits()?)?;
    log.claim(card_id)?;
    // Before the server is asked: what it would answer is of no use to a card that takes no proof of ours.
    session.at(Step::Authorize);
    let authority = choose(&job.rules, session)?;

    desk.enter(session, Step::Resolve)?;
    let assignment = resolve(session, job, desk, known)?;
    if !job.repeat {
        log.not_done_yet(&assignment)?;
        if authority.need().is_none_or(|need| desk.supplier.at_hand(need)) {
            // The same key or code as before: a person who types it may have another.
            log.may_be_shown_unasked(authority, &assignment)?;
        }
    }
    let answer = question_key(authority, &assignment)?;
    known.code_can_have(session.code_lengths(authority.proof()));
    while let Some(need) = known.missing(authority, &assignment) {
        if !supplied(need, session, desk, known)? {
            return Ok(Round::Needs(need));
        }
    }

    desk.enter(session, Step::Challenge)?;
    let question = Question { pin: !known.has_pin(), answer };
    let challenge = take_challenge(session, authority, question)?;

    desk.enter(session, Step::Ask)?;
    let answers = ask(session, desk, &assignment, challenge.as_ref(), question)?;
    if let Some(ProposedPin::UserSupplies) = answers.pin {
        user_may_supply(&assignment)?;
        if !supplied(Need::NewPin, session, desk, known)? {
            return Ok(Round::Needs(Need::NewPin));
        }
    }
    known.proposed(answers.pin);
    let Some((pin, pin_source)) = known.pin() else { return Ok(Round::Needs(Need::NewPin)) };
    let credential = credential(authority, known, challenge.as_ref(), answers.answer)?;

    desk.enter(session, Step::Fit)?;
    fit::check(pin, session.limits()?, assignment.policy)?;
    may_be_risked(authority, &job.rules, session, log)?;
    if pin_source == PinSource::Server {
        // A PIN that the person has just typed needs no second yes.
        session.at(Step::Consent);
        let card = format!("card {card_id} in reader {:?}", job.reader);
        desk.supplier.consent(&card, &mut session.watch(desk.interrupted))?;
    }

    desk.enter(session, Step::Bind)?;
    session.bind(authority.proof())?;

    desk.enter(session, Step::Authorize)?;
    log.begin(&session.facts(), card_id, &assignment, authority, pin_source)?;
    session.authorize(&credential)?;

    desk.proceed(session, Step::SetPin);
    log.reach(Point::Setting)?;
    session.set_pin(&credential, pin)?;

    desk.proceed(session, Step::Verify);
    if let Err(error) = log.reach(Point::Set) {
        // The record on disk says less than is known now, and the end is still to be noted.
        tracing::error!("the journal could not note that the PIN was set: {error}");
    }
    session.verify(pin)?;
    let mut outcome = session.outcome(card_id, &assignment, authority, pin_source);
    // The card is done: a journal that fails now is told, and takes nothing back.
    log.done(&mut outcome);
    Ok(Round::Done(Box::new(outcome)))
}

/// Asks the server for its records; once, however often the card has to be opened.
fn resolve(session: &mut Session, job: &Job, desk: &mut Desk<'_>, known: &mut Known) -> Result<Assignment, Cause> {
    if let Some(assignment) = &known.assignment {
        return Ok(assignment.clone());
    }
    let parameters = session.parameters(challenge::parameter(None))?;
    let mut watch = session.watch(desk.interrupted);
    let assignment = desk.issuer.resolve(&parameters, job.wanted, &mut watch)?;
    known.assignment = Some(assignment.clone());
    Ok(assignment)
}

/// Gets a secret that is at hand; `false` where a person has to be asked, with the card let go of.
fn supplied(need: Need, session: &mut Session, desk: &mut Desk<'_>, known: &mut Known) -> Result<bool, Cause> {
    if !desk.supplier.at_hand(need) {
        return Ok(false);
    }
    desk.enter(session, Step::Supply)?;
    known.supply(need, desk.supplier)?;
    Ok(true)
}

/// A challenge, where the card gives one and somebody wants it. Where no answer to it is the authority it is only a parameter of
/// the call for the PIN, and a card that refuses it (a locked admin key) or gives none that can be used is asked no more.
fn take_challenge(session: &mut Session, authority: Authority, question: Question) -> Result<Option<Challenge>, Cause> {
    let is_authority = authority.proof() == Proof::AdminAnswer;
    if !session.gives_challenge() || !(is_authority || question.pin) {
        return Ok(None);
    }
    let challenge = match session.challenge() {
        Err(Cause::Card(error)) if !is_authority && is_only_about_the_challenge(&error) => {
            tracing::debug!("the server is asked without a challenge: {error}");
            return Ok(None);
        }
        result => result?,
    };
    if authority == Authority::Server {
        // Before the server is asked for an answer that nobody has documented.
        challenge::answerable(&challenge)?;
    }
    Ok(Some(challenge))
}

/// Whether the card is there and as it was, whatever it has to say to a challenge.
fn is_only_about_the_challenge(error: &CardError) -> bool {
    match error {
        CardError::NoAnswer { .. } | CardError::Garbled { .. } => false,
        error => error.status() != Some(Status::NOTHING_SELECTED),
    }
}

fn ask(
    session: &mut Session,
    desk: &mut Desk<'_>,
    assignment: &Assignment,
    challenge: Option<&Challenge>,
    question: Question,
) -> Result<Answers, Cause> {
    if !question.pin && question.answer.is_none() {
        return Ok(Answers::default());
    }
    let parameters = session.parameters(challenge::parameter(challenge))?;
    let mut watch = session.watch(desk.interrupted);
    desk.issuer.ask(assignment, &parameters, question, &mut watch)
}

/// 204 on the PIN: a person supplies it, unless the policy has named the server as its maker.
fn user_may_supply(assignment: &Assignment) -> Result<(), ResolveError> {
    match assignment.pin_maker {
        PinMaker::Server => Err(ResolveError::PinDisagreement { option: assignment.pin_option.clone() }),
        PinMaker::User | PinMaker::Ask => Ok(()),
    }
}
