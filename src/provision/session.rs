//! The card half of the job: one card, one connection, and at every moment what state its PIN is in.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::binding::Binding;
use super::error::{CardState, Cause, Failure, Step};
use super::issuer::Assignment;
use super::{Authority, Outcome, PinSource};
use crate::apdu::{ApduError, Channel};
use crate::card::family::{self, Families};
use crate::card::{Card, CardError, CardId, CardPlan, Challenge, PinLimits, Proof, Tries};
use crate::reader::{Connection, EndAction, Protocol, ReaderError, Readers};
use crate::secret::{AdminResponse, Pin};
use crate::server::CardParameters;

/// Windows resets a card whose transaction is idle for 5 s.
const KEEP_ALIVE: Duration = Duration::from_secs(2);

/// A card under work.
pub(super) struct Session {
    connection: Box<dyn Connection>,
    card: Option<Box<dyn Card>>,
    binding: Option<Binding>,
    step: Step,
    state: CardState,
    /// Something was asked of the card that must not outlive us: it ends with a reset.
    reset_at_end: bool,
}

/// What tells a card to people.
pub(super) struct CardFacts {
    pub reader: String,
    pub family: &'static str,
    pub atr: String,
}

impl Session {
    /// Step 1.
    pub fn open(readers: &dyn Readers, reader: &str) -> Result<Self, Failure> {
        let connection = readers.open(reader).map_err(|error| Failure {
            step: Step::Open,
            reader: Some(reader.to_owned()),
            card_id: None,
            card: CardState::Untouched,
            journal: None,
            cause: Box::new(error.into()),
        })?;
        Ok(Self {
            connection,
            card: None,
            binding: None,
            step: Step::Open,
            state: CardState::Untouched,
            reset_at_end: false,
        })
    }

    /// Says which step comes now: a failure names it.
    pub fn at(&mut self, step: Step) {
        self.step = step;
    }

    /// Step 2: family, card ID and the insertion that they belong to.
    pub fn identify(&mut self, families: &Families) -> Result<CardId, Cause> {
        let presence = self.connection.presence()?;
        let atr = self.connection.atr().clone();
        let mut channel = Channel::new(self.connection.as_mut());
        let mut card = family::detect(&atr, &mut channel, families)?;
        let card_id = card.identify(&mut channel)?;
        self.card = Some(card);
        self.binding = Some(Binding::new(presence.generation, atr, card_id));
        Ok(card_id)
    }

    pub fn facts(&self) -> CardFacts {
        CardFacts {
            reader: self.connection.reader().to_owned(),
            family: self.card.as_ref().map_or("unknown", |card| card.family()),
            atr: self.connection.atr().to_string(),
        }
    }

    /// The job is done.
    pub fn outcome(
        &self,
        card_id: CardId,
        assignment: &Assignment,
        authority: Authority,
        pin_source: PinSource,
    ) -> Outcome {
        let CardFacts { reader, family, atr } = self.facts();
        Outcome {
            reader,
            family,
            atr,
            card_id: card_id.to_string(),
            smartcard: assignment.smartcard,
            request: assignment.request,
            authority,
            pin_source,
            journal_id: None,
            settled: None,
            journal_failed: None,
            reset_failed: None,
        }
    }

    pub fn protocol(&self) -> Protocol {
        self.connection.protocol()
    }

    /// The commands that a job with this proof would send.
    pub fn plan(&self, proof: Proof) -> Result<CardPlan, Cause> {
        self.card.as_ref().map(|card| card.plan(proof)).ok_or_else(unidentified)
    }

    pub fn limits(&self) -> Result<PinLimits, Cause> {
        self.card.as_ref().map(|card| card.limits()).ok_or_else(unidentified)
    }

    pub fn has_admin_challenge(&self) -> bool {
        self.card.as_ref().is_some_and(|card| card.has_admin_challenge())
    }

    /// The parameters that name this card to the server.
    pub fn parameters(&self, challenge: &Challenge) -> Result<CardParameters, Cause> {
        let binding = self.binding.as_ref().ok_or_else(unidentified)?;
        Ok(CardParameters {
            card_id: binding.card_id().to_string(),
            atr: binding.atr().to_string(),
            challenge: challenge.0.clone(),
        })
    }

    /// Step 4.
    pub fn challenge(&mut self) -> Result<Challenge, Cause> {
        self.reset_at_end = true;
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

    /// Tries left, for an operation that may cost one.
    pub fn tries_left(&mut self) -> Result<Tries, Cause> {
        self.with_card(|card, channel| card.tries_left(channel))
    }

    /// Step 7: the same insertion, and the same card ID where reading it does no harm now.
    pub fn bind(&mut self, answer_pending: bool) -> Result<(), Cause> {
        let presence = self.connection.presence()?;
        self.binding.as_ref().ok_or_else(unidentified)?.check_presence(&presence)?;
        // A reset by another program since the last exchange took the challenge along: its answer is of no use any more.
        self.connection.keep_alive()?;
        let harmless = self.card.as_ref().is_some_and(|card| card.challenge_survives_reading());
        if harmless || !answer_pending {
            self.confirm()?;
        }
        Ok(())
    }

    /// Step 9, first half. Where reading would have spoilt the challenge, the card ID is compared now.
    pub fn authorize(&mut self, answer: &AdminResponse) -> Result<(), Cause> {
        // From here a refusal may have been counted, and so may an answer that got lost on its way back.
        self.state = CardState::TrySpent;
        self.with_card(|card, channel| card.authorize(channel, answer))?;
        self.state = CardState::Untouched;
        if self.card.as_ref().is_some_and(|card| !card.challenge_survives_reading()) {
            self.confirm()?;
        }
        Ok(())
    }

    /// Step 9, first half, with the current PIN as the authority: verified by itself where the change would not tell it
    /// from a part of it.
    pub fn prove_current_pin(&mut self, current: &Pin) -> Result<(), Cause> {
        self.reset_at_end = true;
        if self.card.as_ref().is_some_and(|card| card.splits_by_length()) {
            self.state = CardState::TrySpent;
            self.with_card(|card, channel| card.verify_pin(channel, current))?;
            self.state = CardState::Untouched;
        }
        Ok(())
    }

    /// Step 9, second half.
    pub fn set_pin(&mut self, pin: &Pin) -> Result<(), Cause> {
        let result = self.with_card(|card, channel| card.set_pin(channel, pin));
        self.written(result, CardState::Untouched)
    }

    /// Step 9 with the current PIN as the authority.
    pub fn change_pin(&mut self, current: &Pin, new: &Pin) -> Result<(), Cause> {
        self.reset_at_end = true;
        let result = self.with_card(|card, channel| card.change_pin(channel, current, new));
        self.written(result, CardState::TrySpent)
    }

    /// Step 10.
    pub fn verify(&mut self, pin: &Pin) -> Result<(), Cause> {
        let result = self.with_card(|card, channel| card.verify_pin(channel, pin));
        if result.as_ref().is_err_and(|cause| cause.status().is_some()) {
            // The card said that it set the PIN, and now that this is not its PIN: one of the two is not true.
            self.state = CardState::Unknown;
        }
        result
    }

    /// Lets go of the card. The reset, where one is due, is what drops user and admin state: it works on every family and
    /// costs no command.
    pub fn end(self) -> Result<(), ReaderError> {
        let action = if self.reset_at_end { EndAction::Reset } else { EndAction::Leave };
        self.connection.end(action)
    }

    /// A failure with what is known of the card now.
    pub fn failure(&self, cause: Cause) -> Failure {
        Failure {
            step: self.step,
            reader: Some(self.connection.reader().to_owned()),
            card_id: self.binding.as_ref().map(|binding| binding.card_id().to_string()),
            card: self.state,
            journal: None,
            cause: Box::new(cause),
        }
    }

    /// The state after a write: a refusal leaves the card as it was, where its status word says so; no answer says nothing.
    fn written(&mut self, result: Result<(), Cause>, refused: CardState) -> Result<(), Cause> {
        self.state = match &result {
            Ok(()) => CardState::PinSet,
            Err(cause) => match cause.status() {
                Some(status) if status.leaves_card_unchanged() => refused,
                _ if never_sent(cause) => refused,
                _ => CardState::Unknown,
            },
        };
        result
    }

    fn confirm(&mut self) -> Result<(), Cause> {
        let now = self.with_card(|card, channel| card.confirm(channel))?;
        Ok(self.binding.as_ref().ok_or_else(unidentified)?.check_card_id(now)?)
    }

    fn with_card<T>(
        &mut self,
        job: impl FnOnce(&mut dyn Card, &mut Channel<'_>) -> Result<T, CardError>,
    ) -> Result<T, Cause> {
        let card = self.card.as_mut().ok_or_else(unidentified)?;
        let mut channel = Channel::new(self.connection.as_mut()).extended(card.extended_length());
        Ok(job(card.as_mut(), &mut channel)?)
    }
}

/// The recording that is played refused the command: it never reached a card.
fn never_sent(cause: &Cause) -> bool {
    matches!(cause, Cause::Card(CardError::NoAnswer { source: ApduError::Reader(ReaderError::Replay(_)), .. }))
}

/// Steps are called in order: before [`Session::identify`] there is no card to speak of.
fn unidentified() -> Cause {
    CardError::Incomplete { object: "session", missing: "identified card" }.into()
}
