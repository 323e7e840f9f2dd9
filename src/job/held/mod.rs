//! A card that a job holds: opened, then identified, and at every moment what the job has done to it.

mod admin_key;
mod certificates;
mod keys;
mod pin;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::binding::Binding;
use super::cause::Cause;
use super::effect::{Effect, ProofState};
use super::failure::Failure;
use super::identity::CardIdentity;
use super::issuer::Assignment;
use super::record_atr;
use super::step::Step;
use crate::apdu::{ApduError, Channel};
use crate::card::family::{self, Families, Found};
use crate::card::{Card, CardError, CardPlan, Challenge, Credential, PinJob as _, PinLimits, Proof, RiskyStep, Tries};
use crate::reader::{Atr, Connection, EndAction, Protocol, ReaderError, Readers};
use crate::server::CardParameters;

/// Windows resets a card whose transaction is idle for 5 s.
const KEEP_ALIVE: Duration = Duration::from_secs(2);

/// A card that is open, and of which nothing is known yet but its answer to reset.
pub struct OpenCard {
    connection: Box<dyn Connection>,
}

impl OpenCard {
    /// Opens the card and begins a transaction.
    ///
    /// # Errors
    /// The reader's; the card is as it was.
    pub fn open(readers: &dyn Readers, reader: &str) -> Result<Self, Failure> {
        match readers.open(reader) {
            Ok(connection) => Ok(Self { connection }),
            Err(error) => Err(Failure::before_any_effect(Step::Open, reader, None, error.into())),
        }
    }

    /// Finds the card's family and reads its ID. 1 to 8 commands, no try. Where that fails the card is let go of.
    ///
    /// # Errors
    /// The card is of no known family, has no usable ID or does not answer; it is as it was.
    pub fn identify(mut self, families: &Families) -> Result<HeldCard, Failure> {
        match find(self.connection.as_mut(), families) {
            Ok((card, application, binding)) => Ok(HeldCard {
                identity: CardIdentity {
                    reader: self.connection.reader().to_owned(),
                    family: card.family(),
                    application,
                    atr: binding.atr().clone(),
                    card_id: binding.card_id(),
                    has_own_id: card.has_own_id(),
                },
                connection: self.connection,
                card,
                binding,
                step: Step::Identify,
                effect: Effect::default(),
                reset_at_end: false,
                pin_is_verified: false,
                is_authorized: false,
            }),
            Err(cause) => Err(self.give_up(Step::Identify, cause)),
        }
    }

    /// Lets go of the card, to which nothing was sent but selections and reads, and says why.
    #[must_use]
    pub fn give_up(self, step: Step, cause: Cause) -> Failure {
        let failure = Failure::before_any_effect(step, self.connection.reader(), None, cause);
        if let Err(error) = self.connection.end(EndAction::Leave) {
            tracing::warn!("the card could not be let go of properly: {error}");
        }
        failure
    }
}

fn find(connection: &mut dyn Connection, families: &Families) -> Result<(Box<dyn Card>, String, Binding), Cause> {
    let presence = connection.presence()?;
    let atr = connection.atr().clone();
    let mut channel = Channel::new(connection);
    let Found { mut card, application, .. } = family::find(&atr, &mut channel, families)?;
    let card_id = card.identify(&mut channel)?;
    Ok((card, application.name, Binding::new(presence.generation, atr, card_id)))
}

/// An identified card in one transaction.
pub struct HeldCard {
    identity: CardIdentity,
    connection: Box<dyn Connection>,
    card: Box<dyn Card>,
    binding: Binding,
    step: Step,
    effect: Effect,
    /// Something was asked of the card that must not outlive us: it ends with a reset.
    reset_at_end: bool,
    /// The card has verified the PIN in this transaction, and nothing has ended that since.
    pin_is_verified: bool,
    /// The card has taken an answer of its administrator in this transaction, and nothing has ended that since.
    is_authorized: bool,
}

impl HeldCard {
    /// Says which step comes now: a failure names it.
    pub fn at(&mut self, step: Step) {
        self.step = step;
    }

    /// Which card it is.
    #[must_use]
    pub fn identity(&self) -> &CardIdentity {
        &self.identity
    }

    /// Finds the application anew, as if the card had shown this ATR, which it has shown after another reset or in another reader.
    /// Commands as for [`OpenCard::identify`]; no try.
    ///
    /// # Errors
    /// The card is of no known family then, or has another ID by that application.
    pub fn take_as(&mut self, atr: &Atr, families: &Families) -> Result<(), Cause> {
        let mut channel = Channel::new(self.connection.as_mut());
        let Found { mut card, application, .. } = family::find(atr, &mut channel, families)?;
        self.binding.check_card_id(card.identify(&mut channel)?)?;
        self.identity.family = card.family();
        self.identity.application = application.name;
        self.identity.has_own_id = card.has_own_id();
        self.card = card;
        self.pin_is_verified = false;
        self.is_authorized = false;
        Ok(())
    }

    /// The protocol that card and reader speak.
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        self.connection.protocol()
    }

    /// The commands that a job with this proof would send; `challenged` says whether it takes a challenge.
    ///
    /// # Errors
    /// A proof that the card does not take.
    pub fn plan(&self, proof: Proof, challenged: bool) -> Result<CardPlan, Cause> {
        Ok(self.card.plan(proof, challenged)?)
    }

    /// What the card takes as a PIN.
    #[must_use]
    pub fn limits(&self) -> PinLimits {
        self.card.limits()
    }

    /// Whether the card can be set a PIN with this proof.
    #[must_use]
    pub fn takes(&self, proof: Proof) -> bool {
        self.card.takes(proof)
    }

    /// Why the card does not take a proof that one might expect it to take.
    #[must_use]
    pub fn why_not(&self, proof: Proof) -> Option<&'static str> {
        self.card.why_not(proof)
    }

    /// Fewest and most bytes of the code that is this proof.
    #[must_use]
    pub fn code_lengths(&self, proof: Proof) -> Option<(usize, usize)> {
        self.card.code_lengths(proof)
    }

    /// Whether the card can be asked for a challenge.
    #[must_use]
    pub fn gives_challenge(&self) -> bool {
        self.card.challenge_use().is_some()
    }

    /// Whether a challenge may be taken before it is known that there is something to answer it for.
    #[must_use]
    pub fn challenge_may_be_early(&self) -> bool {
        self.gives_challenge() && self.card.challenge_may_be_early()
    }

    /// The parameters that name this card to the server, by its record where that is known, with the challenge that it is
    /// handed, if any.
    #[must_use]
    pub fn parameters(&self, record: Option<&Assignment>, challenge: &[u8]) -> CardParameters {
        let own = self.identity.parameters();
        let atr = record.map_or(own.atr, |record| record_atr::asked_with(&self.identity, record));
        CardParameters { atr, challenge: challenge.to_vec(), ..own }
    }

    /// Takes a challenge. Drops an earlier one and, on GIDS, an earlier authentication; no try.
    ///
    /// # Errors
    /// The card's refusal.
    pub fn challenge(&mut self) -> Result<Challenge, Cause> {
        self.reset_at_end = true;
        self.pin_is_verified = false;
        self.is_authorized = false;
        self.with_card(|card, channel| card.challenge(channel))
    }

    /// What to do while the server is awaited: notice an interruption, and keep the card.
    pub fn watch(&mut self, interrupted: &AtomicBool) -> impl FnMut() -> Result<(), Cause> {
        let mut last = Instant::now();
        move || {
            if interrupted.load(Ordering::Relaxed) {
                return Err(Cause::Interrupted);
            }
            if last.elapsed() >= KEEP_ALIVE {
                last = Instant::now();
                self.connection.keep_alive()?;
            }
            Ok(())
        }
    }

    /// Tries left of what is about to be risked, made sure of. 0 to 3 commands, no try.
    ///
    /// # Errors
    /// The card's refusal.
    pub fn tries_to_risk(&mut self, proof: Proof) -> Result<Tries, Cause> {
        self.with_card(|card, channel| card.tries_to_risk(channel, proof))
    }

    /// Tries left of what a job would risk. 0 or 1 command, no try.
    ///
    /// # Errors
    /// The card's refusal.
    pub fn proof_tries_left(&mut self, proof: Proof) -> Result<Tries, Cause> {
        self.with_card(|card, channel| card.proof_tries_left(channel, proof))
    }

    /// Makes sure of the insertion, and of the card ID where reading it does no harm to a challenge that waits for its answer.
    ///
    /// # Errors
    /// Another card or another insertion; the reader's or the card's failure.
    pub fn bind(&mut self, proof: Proof) -> Result<(), Cause> {
        self.bind_insertion()?;
        if self.card.confirms_first(proof) { self.confirm() } else { Ok(()) }
    }

    /// Makes sure of the insertion alone: enough where the card ID was read in this transaction since anything was asked of others.
    ///
    /// # Errors
    /// Another insertion; the reader's failure.
    pub fn bind_insertion(&mut self) -> Result<(), Cause> {
        let presence = self.connection.presence()?;
        self.binding.check_presence(&presence)?;
        // A reset by another program since the last exchange took the challenge along: its answer is of no use any more.
        Ok(self.connection.keep_alive()?)
    }

    /// Whether [`HeldCard::authorize`] shows the card something, or the proof goes to it together with the new PIN.
    #[must_use]
    pub fn shows_first(&self, credential: &Credential<'_>) -> bool {
        // With an error nothing is ever sent.
        self.card.risky_commands(&RiskyStep::Authorize(credential)).is_ok_and(|commands| !commands.is_empty())
    }

    /// Shows the card what can be proved before the PIN is written. **A wrong answer, admin PIN or current PIN costs a try.**
    ///
    /// # Errors
    /// The card's refusal, or no answer.
    pub fn authorize(&mut self, credential: &Credential<'_>) -> Result<(), Cause> {
        self.reset_at_end = true;
        self.pin_is_verified = false;
        if self.shows_first(credential) {
            self.effect.proof = ProofState::Shown;
        }
        let result = self.with_card(|card, channel| card.authorize(channel, credential));
        if self.effect.proof == ProofState::Shown {
            self.effect.proof = match &result {
                Ok(()) => ProofState::Accepted,
                Err(cause) if cause.status().is_some() => ProofState::Refused,
                Err(_) => ProofState::Shown,
            };
        }
        self.is_authorized = result.is_ok() && credential.proof() == Proof::AdminAnswer;
        result?;
        // Where reading would have spoilt the challenge, the card ID is compared now.
        if self.card.confirms_first(credential.proof()) { Ok(()) } else { self.confirm() }
    }

    /// Whether the card has taken an answer of its administrator in this transaction, and still goes by it.
    #[must_use]
    pub fn is_authorized(&self) -> bool {
        self.is_authorized
    }

    /// What was done to the card so far.
    #[must_use]
    pub fn effect(&self) -> Effect {
        self.effect
    }

    /// Lets go of the card. The reset, where one is due, is what drops user and admin state: it works on every family and
    /// costs no command.
    ///
    /// # Errors
    /// The reader's.
    pub fn end(self) -> Result<(), ReaderError> {
        let action = if self.reset_at_end { EndAction::Reset } else { EndAction::Leave };
        self.connection.end(action)
    }

    /// A failure with what is known of the card now.
    #[must_use]
    pub fn failure(&self, cause: Cause) -> Failure {
        Failure {
            step: self.step,
            reader: self.identity.reader.clone(),
            card_id: Some(self.identity.card_id),
            effect: self.effect,
            journal: None,
            cause: Box::new(cause),
        }
    }

    fn confirm(&mut self) -> Result<(), Cause> {
        let now = self.with_card(|card, channel| card.confirm(channel))?;
        Ok(self.binding.check_card_id(now)?)
    }

    fn with_card<T>(
        &mut self,
        command: impl FnOnce(&mut dyn Card, &mut Channel<'_>) -> Result<T, CardError>,
    ) -> Result<T, Cause> {
        let mut channel = channel(self.connection.as_mut(), self.card.as_ref());
        Ok(command(self.card.as_mut(), &mut channel)?)
    }
}

fn channel<'a>(connection: &'a mut dyn Connection, card: &dyn Card) -> Channel<'a> {
    Channel::new(connection).extended(card.extended_length())
}

/// The recording that is played has refused the command: there is no card that it could have reached.
fn is_of_a_recording(cause: &Cause) -> bool {
    matches!(cause, Cause::Card(CardError::NoAnswer { source: ApduError::Reader(ReaderError::Replay(_)), .. }))
}
