//! Layer 5: setting a card's PIN, step by step. The file to read first.
//!
//! [`set_pin`] runs the job on one reader. The card is held in one transaction from its identification to its release; the
//! server is asked twice, once for its records and once, while the card waits for the answer to its challenge, for the
//! secrets. What one of the two does while the other is busy: the connection is made while the card is identified, and the
//! challenge is taken while the server looks up its records, where nothing is decided by that.

mod authority;
mod consent;
mod early;
mod known_by;
pub mod mimcm;
mod network;
mod open_request;
pub mod plan;
mod policy;
mod rules;
mod write_line;

use uuid::Uuid;

use self::authority::{answer_to_ask, choose, credential, may_be_risked};
use self::consent::{Ask, begun_elsewhere, consent, done_before, is_agreed_to, may_be_done_unasked};
use self::early::{look_up, take_challenge};
use self::known_by::{other_atr, take_by_profile};
pub use self::rules::{AdminKeyRule, PinRouteRule, RiskedProof, Rules};
use crate::card::family::Families;
use crate::card::{CardId, Challenge};
use crate::job::authority::Authority;
use crate::job::desk::Desk;
use crate::job::given::{Given, PinSource};
use crate::job::held::{HeldCard, OpenCard};
use crate::job::issuer::{Answers, Assignment, PinMaker, Question, Wanted};
use crate::job::journal::{JournalError, Record};
use crate::job::log::{Intent, Log};
use crate::job::records::ResolveError;
use crate::job::secrets::{Need, SecretError};
use crate::job::{CardIdentity, Cause, Failure, Step, challenge, fit};
use crate::reader::ReaderError;
use crate::secret::Pin;
use crate::server::ProposedPin;

/// Who wants a job done, and whether it is to be done once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// Nobody in person: a card was inserted. What was done is not done again, and a key or code that the card has refused to an
    /// earlier job for the same request is not shown to it once more.
    ByInsertion,
    /// A person, who is told where the request was done before.
    ByPerson,
    /// A person who knows that.
    Again,
}

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
    /// Who wants it done.
    pub asked: Asked,
    /// Of which proof a person risks one more try.
    pub risk: Option<RiskedProof>,
}

/// A PIN that is set, and that the card has verified.
#[derive(Debug)]
pub struct Outcome {
    /// The card.
    pub card: CardIdentity,
    /// The server's card object.
    pub smartcard: Uuid,
    /// The request worked on.
    pub request: Option<Uuid>,
    /// For whom that request is, where the server says.
    pub target_user: Option<Uuid>,
    /// The profile template of the card's record.
    pub template: Option<Uuid>,
    /// That template's name, where it was asked for.
    pub template_name: Option<String>,
    /// How the right to set the PIN was proved.
    pub authority: Authority,
    /// Who made the PIN.
    pub pin_source: PinSource,
    /// The job's id in the journal.
    pub journal_id: Option<String>,
    /// What an earlier job had left unsettled on this card, and this one has settled.
    pub settled: Option<Record>,
    /// Why the journal does not show this end, where it does not.
    pub journal_failed: Option<JournalError>,
    /// Why the card could not be reset at the end, where it could not.
    pub reset_failed: Option<ReaderError>,
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
    set_and_tell(job, desk, &mut Given::with(job.assignment.clone()))
}

/// As [`set_pin`], and hands out the PIN: who goes on to write keys and certificates has to show it to the card again.
///
/// # Errors
/// As [`set_pin`].
pub fn set_pin_for(job: &Job, desk: &mut Desk<'_>) -> Result<(Outcome, Pin), Failure> {
    let mut given = Given::with(job.assignment.clone());
    let outcome = set_and_tell(job, desk, &mut given)?;
    match given.take_pin() {
        Some(pin) => Ok((outcome, pin)),
        None => {
            let cause = SecretError::NoTerminal { what: Need::NewPin.what() }.into();
            Err(Failure::before_any_effect(Step::Verify, &job.reader, Some(outcome.card.card_id), cause))
        }
    }
}

fn set_and_tell(job: &Job, desk: &mut Desk<'_>, given: &mut Given) -> Result<Outcome, Failure> {
    let result = rounds(job, desk, given);
    // One that was made and not used.
    desk.issuer.close();
    write_line::tell(job, given.assignment.as_ref(), &result);
    result
}

fn rounds(job: &Job, desk: &mut Desk<'_>, given: &mut Given) -> Result<Outcome, Failure> {
    // Claimed once the card is known, and until the end: also while a person types and the card itself is free.
    let mut log = Log::new(desk.journal, desk.elsewhere);
    let mut fresh_starts = 0;
    loop {
        match round(job, desk, given, &mut log) {
            Ok(Round::Done(outcome)) => return Ok(*outcome),
            // Challenge and answer went with the reset and nothing was risked: once more, with a fresh challenge.
            Err(failure) if failure.is_reset_before_write() && fresh_starts < FRESH_STARTS => {
                fresh_starts += 1;
                tracing::warn!("the card was reset by another program: starting anew");
            }
            Err(failure) => return Err(failure),
            // The card is free while a person types or thinks: others may use it, and it is identified anew afterwards.
            Ok(Round::Needs(need)) => {
                (desk.progress)(Step::Supply);
                desk.issuer.close();
                if let Some(card) = given.card_id() {
                    desk.supplier.meet(card, &job.reader);
                }
                if let Err(cause) = given.supply(need, desk.supplier) {
                    return Err(Failure::before_any_effect(Step::Supply, &job.reader, given.card_id(), cause));
                }
            }
            Ok(Round::NeedsConsent(ask)) => {
                (desk.progress)(Step::Consent);
                if let Err(cause) = consent(&ask, desk, given) {
                    return Err(Failure::before_any_effect(Step::Consent, &job.reader, given.card_id(), cause));
                }
            }
        }
    }
}

/// One hold of the card.
enum Round {
    Done(Box<Outcome>),
    Needs(Need),
    NeedsConsent(Box<Ask>),
}

fn round(job: &Job, desk: &mut Desk<'_>, given: &mut Given, log: &mut Log<'_>) -> Result<Round, Failure> {
    if will_ask(job, given) {
        desk.issuer.connect();
    }
    (desk.progress)(Step::Open);
    let open = OpenCard::open(desk.readers, &job.reader)?;
    (desk.progress)(Step::Identify);
    if desk.is_interrupted() {
        return Err(open.give_up(Step::Identify, Cause::Interrupted));
    }
    let mut card = open.identify(&job.families)?;
    let result = steps(&mut card, job, desk, given, log).map_err(|cause| card.failure(cause));
    let result = result.map_err(|failure| log.stopped(failure));
    if !matches!(result, Ok(Round::Needs(_) | Round::NeedsConsent(..))) {
        // Before the card: whoever waits for the card is not to find it claimed.
        log.release();
    }
    let ended = card.end();
    match (result, ended) {
        (Ok(Round::Done(mut outcome)), Err(error)) => {
            outcome.reset_failed = Some(error);
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
    card: &mut HeldCard,
    job: &Job,
    desk: &mut Desk<'_>,
    given: &mut Given,
    log: &mut Log<'_>,
) -> Result<Round, Cause> {
    given.identified(card.identity().card_id, job.card_id, card.limits())?;
    log.claim(card.identity().card_id)?;
    take_by_profile(card, job, log.known_atrs())?;
    // Before the server is asked: what it would answer is of no use to a card that takes no proof of ours.
    card.at(Step::Authorize);
    let authority = choose(&job.rules, card)?;

    enter(desk, card, Step::Resolve)?;
    let early = look_up(card, job, desk, given, log, authority)?;
    let assignment = resolve(card, job, desk, given)?;
    let is_taken_anew = take_by_profile(card, job, std::iter::once(assignment.atr.as_str()))?;
    let early = early.filter(|_| !is_taken_anew);
    given.identified(card.identity().card_id, job.card_id, card.limits())?;
    let other_atr = other_atr(card.identity(), job, desk.supplier.standing(), &assignment)?;
    let authority = choose(&job.rules, card)?;
    log.claim_request(assignment.request)?;
    let done_before = done_before(card, job, desk.supplier.standing(), log, &assignment)?;
    let done_before = done_before.filter(|done| given.told_of.as_ref() != Some(&done.journal));
    // A yes that was said before the agent has done the request is none to doing it again.
    given.consented &= done_before.is_none();
    let answer = answer_to_ask(authority, job, &assignment, log)?;
    // The same key or code as before: a person who types it may have another.
    if job.asked == Asked::ByInsertion && authority.need().is_none_or(|need| desk.supplier.at_hand(need)) {
        log.may_be_shown_unasked(authority, assignment.request)?;
    }
    let begun_elsewhere = begun_elsewhere(job, &assignment, log);
    may_be_done_unasked(job, &assignment, begun_elsewhere)?;
    // Before anything secret is fetched or typed, and with the card let go of: a person may think for long.
    given.consented |=
        done_before.is_none() && is_agreed_to(&assignment, begun_elsewhere || other_atr.is_some(), desk.supplier);
    if !given.consented {
        let card = card.identity().clone();
        return Ok(Round::NeedsConsent(Box::new(Ask { card, authority, done_before, begun_elsewhere, other_atr })));
    }
    given.code_can_have(card.code_lengths(authority.proof()));
    while let Some(need) = given.missing(authority, &assignment) {
        if !supplied(need, card, desk, given)? {
            return Ok(Round::Needs(need));
        }
    }

    let question = Question { pin: !given.has_pin(), answer };
    let challenge = match early {
        Some(early) => early.take(card)?,
        None => {
            enter(desk, card, Step::Challenge)?;
            take_challenge(card, authority, question.pin)?
        }
    };

    enter(desk, card, Step::Ask)?;
    let answers = ask(card, desk, &assignment, challenge.as_ref(), question)?;
    if let Some(ProposedPin::UserSupplies) = answers.pin {
        user_may_supply(&assignment)?;
        if !supplied(Need::NewPin, card, desk, given)? {
            return Ok(Round::Needs(Need::NewPin));
        }
    }
    given.proposed(answers.pin);
    let Some((pin, pin_source)) = given.pin() else { return Ok(Round::Needs(Need::NewPin)) };
    let credential = credential(authority, given, challenge.as_ref(), answers.answer)?;

    enter(desk, card, Step::Fit)?;
    fit::check(pin, card.limits(), assignment.policy)?;
    may_be_risked(authority, job, card, log)?;

    enter(desk, card, Step::Bind)?;
    card.bind(authority.proof())?;

    enter(desk, card, Step::Authorize)?;
    log.begin(&Intent {
        card: card.identity(),
        assignment: &assignment,
        authority,
        admin_key: answer,
        pin_source,
        shows_first: card.shows_first(&credential),
    })?;
    card.authorize(&credential)?;

    // From here on an interruption would leave a card in between: the job is carried to its end.
    proceed(desk, card, Step::SetPin);
    log.about_to_set_pin(authority)?;
    card.set_pin(&credential, pin)?;

    proceed(desk, card, Step::Verify);
    if let Err(error) = log.pin_is_set() {
        // The record on disk says less than is known now, and the end is still to be noted.
        tracing::error!("the journal could not note that the PIN was set: {error}");
    }
    card.verify(pin)?;
    // The card is done: a journal that fails now is told, and takes nothing back.
    let (journal_id, settled, journal_failed) = log.done();
    Ok(Round::Done(Box::new(Outcome {
        card: card.identity().clone(),
        smartcard: assignment.smartcard,
        request: assignment.request,
        target_user: assignment.target_user,
        template: assignment.template,
        template_name: assignment.template_name,
        authority,
        pin_source,
        journal_id,
        settled,
        journal_failed,
        reset_failed: None,
    })))
}

/// The next step; an interruption stops the job here, before the card is written to.
fn enter(desk: &mut Desk<'_>, card: &mut HeldCard, step: Step) -> Result<(), Cause> {
    proceed(desk, card, step);
    if desk.is_interrupted() { Err(Cause::Interrupted) } else { Ok(()) }
}

fn proceed(desk: &mut Desk<'_>, card: &mut HeldCard, step: Step) {
    (desk.progress)(step);
    card.at(step);
}

/// Whether the server will be asked, as far as can be told before the card is known.
fn will_ask(job: &Job, given: &Given) -> bool {
    given.assignment.is_none() || !given.has_pin() || job.rules.authorities.contains(&Authority::Server)
}

/// Asks the server for its records; once, however often the card has to be opened.
fn resolve(card: &mut HeldCard, job: &Job, desk: &mut Desk<'_>, given: &mut Given) -> Result<Assignment, Cause> {
    if let Some(assignment) = &given.assignment {
        return Ok(assignment.clone());
    }
    let parameters = card.parameters(None, challenge::parameter(None));
    let mut watch = card.watch(desk.interrupted);
    let assignment = desk.issuer.resolve(&parameters, job.wanted, &mut watch)?;
    drop(watch);
    given.assignment = Some(assignment.clone());
    Ok(assignment)
}

/// Gets a secret that is at hand; `false` where a person has to be asked, with the card let go of.
fn supplied(need: Need, card: &mut HeldCard, desk: &mut Desk<'_>, given: &mut Given) -> Result<bool, Cause> {
    if !desk.supplier.at_hand(need) {
        return Ok(false);
    }
    enter(desk, card, Step::Supply)?;
    given.supply(need, desk.supplier)?;
    Ok(true)
}

fn ask(
    card: &mut HeldCard,
    desk: &mut Desk<'_>,
    assignment: &Assignment,
    challenge: Option<&Challenge>,
    question: Question,
) -> Result<Answers, Cause> {
    if !question.pin && question.answer.is_none() {
        return Ok(Answers::default());
    }
    let parameters = card.parameters(Some(assignment), challenge::parameter(challenge));
    let mut watch = card.watch(desk.interrupted);
    desk.issuer.ask(assignment, &parameters, question, &mut watch)
}

/// 204 on the PIN: a person supplies it, unless the policy has named the server as its maker.
fn user_may_supply(assignment: &Assignment) -> Result<(), ResolveError> {
    match assignment.pin_maker {
        PinMaker::Server => Err(ResolveError::PinDisagreement { option: assignment.pin_option.clone() }),
        PinMaker::User | PinMaker::Ask => Ok(()),
    }
}
