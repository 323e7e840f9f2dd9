//! The card half of the job: one card, one connection, and at every moment what state its PIN is in.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::binding::Binding;
use super::error::{CardState, Cause, Failure, Step};
use super::issuer::Assignment;
use super::{Authority, Outcome, PinSource};
use crate::apdu::{ApduError, Channel};
use crate::card::family::{self, Families};
use crate::card::{Card, CardError, CardId, CardPlan, Challenge, Credential, PinJob, PinLimits, Proof, Tries};
use crate::reader::{Connection, EndAction, Protocol, ReaderError, Readers};
use crate::secret::Pin;
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
            family: self.card.as_ref().map_or("unknown", |card| card.family().name()),
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

    /// The commands that a job with this proof would send; `challenged` says whether it takes a challenge.
    pub fn plan(&self, proof: Proof, challenged: bool) -> Result<CardPlan, Cause> {
        Ok(self.card.as_ref().ok_or_else(unidentified)?.plan(proof, challenged)?)
    }

    pub fn limits(&self) -> Result<PinLimits, Cause> {
        self.card.as_ref().map(|card| card.limits()).ok_or_else(unidentified)
    }

    /// Whether the card can be set a PIN with this proof.
    pub fn takes(&self, proof: Proof) -> bool {
        self.card.as_ref().is_some_and(|card| card.takes(proof))
    }

    /// Why the card does not take a proof that one might expect it to take.
    pub fn why_not(&self, proof: Proof) -> Option<&'static str> {
        self.card.as_ref().and_then(|card| card.why_not(proof))
    }

    /// Fewest and most bytes of the code that is this proof.
    pub fn code_lengths(&self, proof: Proof) -> Option<(usize, usize)> {
        self.card.as_ref().and_then(|card| card.code_lengths(proof))
    }

    /// Whether the card can be asked for a challenge.
    pub fn gives_challenge(&self) -> bool {
        self.card.as_ref().is_some_and(|card| card.challenge_use().is_some())
    }

    /// The parameters that name this card to the server, with the challenge that it is handed, if any.
    pub fn parameters(&self, challenge: &[u8]) -> Result<CardParameters, Cause> {
        let binding = self.binding.as_ref().ok_or_else(unidentified)?;
        Ok(CardParameters {
            card_id: binding.card_id().to_string(),
            atr: binding.atr().to_string(),
            challenge: challenge.to_vec(),
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

    /// Tries left of what is about to be risked, made sure of.
    pub fn tries_to_risk(&mut self, proof: Proof) -> Result<Tries, Cause> {
        self.with_card(|card, channel| card.tries_to_risk(channel, proof))
    }

    /// Tries left of what a job would risk.
    pub fn proof_tries_left(&mut self, proof: Proof) -> Result<Tries, Cause> {
        self.with_card(|card, channel| card.proof_tries_left(channel, proof))
    }

    /// Step 7: the same insertion, and the same card ID where reading it does no harm now.
    pub fn bind(&mut self, proof: Proof) -> Result<(), Cause> {
        let presence = self.connection.presence()?;
        self.binding.as_ref().ok_or_else(unidentified)?.check_presence(&presence)?;
        // A reset by another program since the last exchange took the challenge along: its answer is of no use any more.
        self.connection.keep_alive()?;
        if self.confirms_first(proof) { self.confirm() } else { Ok(()) }
    }

    /// Step 9, first half: what can be proved before the PIN is written.
    pub fn authorize(&mut self, credential: &Credential<'_>) -> Result<(), Cause> {
        self.reset_at_end = true;
        self.risk(|card, channel| card.authorize(channel, credential))?;
        // Where reading would have spoilt the challenge, the card ID is compared now.
        if self.confirms_first(credential.proof()) { Ok(()) } else { self.confirm() }
    }

    /// Step 9, second half. A refusal may have been counted where the proof goes with the PIN.
    pub fn set_pin(&mut self, credential: &Credential<'_>, pin: &Pin) -> Result<(), Cause> {
        self.reset_at_end = true;
        let refused = if credential.proof().goes_with_the_pin() { CardState::TrySpent } else { CardState::Untouched };
        let result = self.with_card(|card, channel| card.set_pin(channel, credential, pin));
        self.written(result, refused)
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

    /// An authentication that writes nothing. From its sending a refusal may have been counted, and so may an answer that got
    /// lost on its way back.
    fn risk(
        &mut self,
        job: impl FnOnce(&mut dyn Card, &mut Channel<'_>) -> Result<(), CardError>,
    ) -> Result<(), Cause> {
        self.state = CardState::TrySpent;
        self.with_card(job)?;
        self.state = CardState::Untouched;
        Ok(())
    }

    /// The state after a write: a refusal leaves the card as it was, where its status word says so; no answer says nothing.
    fn written(&mut self, result: Result<(), Cause>, refused: CardState) -> Result<(), Cause> {
        self.state = match &result {
            Ok(()) => CardState::PinSet,
            Err(cause) => match cause.status() {
                Some(status) if status.leaves_card_unchanged() => refused,
                // Whatever word it was told in.
                Some(_) if matches!(cause, Cause::Card(CardError::Wrong { .. })) => refused,
                _ if never_sent(cause) => refused,
                _ => CardState::Unknown,
            },
        };
        result
    }

    fn confirms_first(&self, proof: Proof) -> bool {
        self.card.as_ref().is_some_and(|card| card.confirms_first(proof))
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

/// The command never reached a card: its content could not be right, or the recording that is played refused it.
fn never_sent(cause: &Cause) -> bool {
    matches!(
        cause,
        Cause::Card(
            CardError::NoAnswer { source: ApduError::Reader(ReaderError::Replay(_)), .. }
                | CardError::PinLength { .. }
                | CardError::NotTaken { .. }
        )
    )
}

/// Steps are called in order: before [`Session::identify`] there is no card to speak of.
fn unidentified() -> Cause {
    CardError::Incomplete { object: "session", missing: "identified card" }.into()
}
