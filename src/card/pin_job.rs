//! The PIN job on an identified card: its steps, in the order in which they are planned and taken.
//!
//! A family says in [`Card::read_commands`] and [`Card::risky_commands`] which commands a step is made of. The plan lists them
//! with stand-ins for the secrets, and the steps that show a card a secret send them: both are written here, once for all
//! families, so that a plan can't name a command that its step does not send.

use super::credential::Credential;
use super::error::CardError;
use super::proof::Proof;
use super::step::{ReadStep, RiskyStep, StepCommand};
use super::{Card, ChallengeUse};
use crate::apdu::Channel;
use crate::secret::{AdminResponse, Code, Pin};

/// Characters of a code in a plan: what most cards have.
const STAND_IN_CODE: usize = 8;

/// The commands of a job after identification, in order.
#[derive(Debug, Default)]
pub struct CardPlan {
    /// Before the server is asked.
    pub before_asking: Vec<StepCommand>,
    /// After its answer.
    pub after_asking: Vec<StepCommand>,
    /// How many of these only ask for tries, before anything is risked.
    pub tries: usize,
}

/// The steps of the PIN job that are the same for every family. No family implements it: every [`Card`] has it.
pub trait PinJob: Card {
    /// Proves what the card wants proved before the PIN is written; sends nothing where the proof goes with the new PIN.
    /// **Costs a try of the credential when it is wrong, where the card counts them.**
    ///
    /// # Errors
    /// The card's refusal; no answer; a credential that the card does not take or that has not the form of its own: nothing
    /// was sent.
    fn authorize(&mut self, channel: &mut Channel<'_>, credential: &Credential<'_>) -> Result<(), CardError> {
        send_all(self, channel, &RiskyStep::Authorize(credential))
    }

    /// Sets the PIN, after [`PinJob::authorize`] with the same credential; its counter is at its maximum then. A credential that
    /// does not go with the new PIN is not sent again. **Costs a try of one that does, when it is wrong.**
    ///
    /// # Errors
    /// The card's refusal; no answer: either PIN may be the card's; a credential or PIN that has not the form of the card's
    /// own: nothing was sent.
    fn set_pin(&mut self, channel: &mut Channel<'_>, credential: &Credential<'_>, new: &Pin) -> Result<(), CardError> {
        send_all(self, channel, &RiskyStep::SetPin(credential, new))
    }

    /// Has the card verify the PIN. **Costs a PIN try when it is wrong.**
    ///
    /// # Errors
    /// The card's refusal; no answer; a PIN that has not the form of the card's own: nothing was sent.
    fn verify_pin(&mut self, channel: &mut Channel<'_>, pin: &Pin) -> Result<(), CardError> {
        send_all(self, channel, &RiskyStep::Verify(pin))
    }

    /// Whether the card ID is read again before [`PinJob::authorize`]. Only where a challenge waits for its answer, and reading
    /// would spoil it, it is read afterwards.
    fn confirms_first(&self, proof: Proof) -> bool {
        proof != Proof::AdminAnswer || self.challenge_survives_reading()
    }

    /// The commands that a job with this proof sends after identification, as far as the card has told what they depend on;
    /// `challenged` says whether it takes a challenge.
    ///
    /// # Errors
    /// A proof that the card does not take.
    fn plan(&self, proof: Proof, challenged: bool) -> Result<CardPlan, CardError> {
        if !self.takes(proof) {
            return Err(CardError::NotTaken { family: self.family(), proof });
        }
        let (pin, code) = (self.limits().stand_in(), Code::zeros(STAND_IN_CODE));
        let credential = match proof {
            Proof::AdminAnswer => Credential::Answer(AdminResponse::new(&vec![0; answer_length(self.challenge_use())])),
            Proof::Puk => Credential::Puk(&code),
            Proof::AdminPin => Credential::AdminPin(&code),
            Proof::ResettingCode => Credential::ResettingCode(&code),
            Proof::CurrentPin => Credential::CurrentPin(&pin),
        };
        let before_asking = if challenged { self.read_commands(ReadStep::Challenge) } else { Vec::new() };
        let confirm = self.read_commands(ReadStep::CardId);
        let authorize = self.risky_commands(&RiskyStep::Authorize(&credential))?;
        let mut after_asking = self.read_commands(ReadStep::Tries { proof, challenged });
        let tries = after_asking.len();
        match self.confirms_first(proof) {
            true => after_asking.extend(confirm.into_iter().chain(authorize)),
            false => after_asking.extend(authorize.into_iter().chain(confirm)),
        }
        after_asking.extend(self.risky_commands(&RiskyStep::SetPin(&credential, &pin))?);
        after_asking.extend(self.risky_commands(&RiskyStep::Verify(&pin))?);
        Ok(CardPlan { before_asking, after_asking, tries })
    }
}

impl<C: Card + ?Sized> PinJob for C {}

/// Sends the step's commands, each once, up to the first that the card refuses.
fn send_all<C: Card + ?Sized>(card: &mut C, channel: &mut Channel<'_>, step: &RiskyStep<'_>) -> Result<(), CardError> {
    for command in card.risky_commands(step)? {
        card.send_risky(channel, step, &command)?;
    }
    Ok(())
}

/// Bytes of the administrator's answer; 0 where nobody answers.
fn answer_length(challenge: Option<ChallengeUse>) -> usize {
    match challenge {
        Some(ChallengeUse::Administrator { answer }) => answer,
        Some(ChallengeUse::Random) | None => 0,
    }
}
