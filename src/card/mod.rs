//! Layer 3: card families. What a card is, what it can be asked, and what each question costs.
//!
//! A family implements [`Card`]: identity, retry counters and the commands of the PIN job, whose steps are [`PinJob`]. What only
//! some families can do is a capability trait that the card hands out. [`family::detect`] finds which family a card is of.
//! Nothing here knows PC/SC or HTTP: a card is reached through a [`Channel`] that the caller holds.

mod admin_key;
mod capability;
mod challenge;
mod credential;
mod digest;
mod error;
pub mod family;
pub mod gids;
mod id;
pub mod iso7816;
mod key_algorithm;
mod key_pair;
mod key_slot;
pub mod openpgp;
mod pin;
mod pin_job;
pub mod piv;
pub mod profile;
mod proof;
#[cfg(test)]
mod script;
mod send;
mod step;
#[cfg(test)]
mod tests;

use crate::apdu::Channel;

pub use admin_key::answer as answer_with_admin_key;
pub use capability::{AdminKeyChange, AdminKeyHindrance, CertificateFiles, Certificates, CodeChange, Keys};
pub use challenge::{AdminChallenge, Challenge, ChallengeUse, Nonces};
pub use credential::Credential;
pub use digest::{Digest, Hash};
pub use error::CardError;
pub use id::{CardId, IdOrder};
pub use key_algorithm::KeyAlgorithm;
pub use key_pair::{KeyType, PublicKey};
pub use key_slot::{Held, HeldKey, KeySlot, KeyUsage, NoKeySlot, PivSlot, Room, SlotChoice, Taken, Vacant};
pub use pin::{PinCharacters, PinLimits, SecretReport, Tries};
pub use pin_job::{CardPlan, PinJob};
pub use proof::{Family, Proof};
pub use step::{ReadStep, RiskyStep, StepCommand};

/// A card of a known family whose application is selected.
///
/// Every method sends as few commands as its family allows. One that may cost a try says so; all others cost none.
pub trait Card: Send {
    /// The family.
    fn family(&self) -> Family;

    /// The application or profile in words.
    fn title(&self) -> String;

    /// Whether card and reader are known to take extended length (ISO 7816-4 §5.1).
    fn extended_length(&self) -> bool {
        false
    }

    /// Finds and reads the card ID. 1 to 4 commands; none where finding the family has read it.
    ///
    /// # Errors
    /// Missing, of the wrong size, all `00` or all `FF`: a card that can't be told from others is not provisioned.
    fn identify(&mut self, channel: &mut Channel<'_>) -> Result<CardId, CardError>;

    /// Whether all 16 bytes of the ID are the card's own, once [`Card::identify`] has found it: an ID that is derived from
    /// something else, or a shorter number repeated, is none.
    fn has_own_id(&self) -> bool {
        false
    }

    /// Reads the card ID again at the place where [`Card::identify`] found it. 1 command.
    ///
    /// # Errors
    /// As [`Card::identify`]; `6986` when another card has taken this one's place.
    fn confirm(&mut self, channel: &mut Channel<'_>) -> Result<CardId, CardError>;

    /// Tries left for the user PIN. 0 to 2 commands.
    ///
    /// # Errors
    /// The card's refusal; an answer that can't be read.
    fn tries_left(&mut self, channel: &mut Channel<'_>) -> Result<Tries, CardError>;

    /// Tries left for what proves the right to set the PIN. 0 to 2 commands.
    ///
    /// # Errors
    /// As [`Card::tries_left`]; a card that takes its passwords in a form that pinwright does not make.
    fn proof_tries_left(&mut self, channel: &mut Channel<'_>, proof: Proof) -> Result<Tries, CardError> {
        match proof {
            Proof::CurrentPin => self.tries_left(channel),
            Proof::AdminAnswer | Proof::Puk | Proof::AdminPin | Proof::ResettingCode => Ok(Tries::Untold),
        }
    }

    /// As [`Card::proof_tries_left`], right before one is risked: where another program has left the PIN verified, and the card
    /// therefore does not tell its counter, that is ended first. 0 to 4 commands; spends no try.
    ///
    /// # Errors
    /// As [`Card::proof_tries_left`].
    fn tries_to_risk(&mut self, channel: &mut Channel<'_>, proof: Proof) -> Result<Tries, CardError> {
        self.proof_tries_left(channel, proof)
    }

    /// The secrets of the card beside the challenge's key: counters, and whether they are the factory's. Empty where the card
    /// tells no more than [`Card::tries_left`]. Spends no try.
    ///
    /// # Errors
    /// As [`Card::tries_left`].
    fn secrets(&mut self, _channel: &mut Channel<'_>) -> Result<Vec<SecretReport>, CardError> {
        Ok(Vec::new())
    }

    /// What the card takes as a PIN.
    fn limits(&self) -> PinLimits;

    /// Fewest and most bytes that a PUK, an admin PIN, a resetting code or the current PIN of this card can have: another length
    /// is not worth a try. `None` where the card takes no such proof.
    fn code_lengths(&self, _proof: Proof) -> Option<(usize, usize)> {
        None
    }

    /// Whether this card can be set a PIN with this proof. Beside the family's table it says what this one card lacks.
    fn takes(&self, proof: Proof) -> bool {
        self.family().takes(proof)
    }

    /// Why this card does not take a proof that one might expect it to take, as a clause; `None` where it takes it, and where
    /// there is nothing to say.
    fn why_not(&self, proof: Proof) -> Option<&'static str> {
        self.family().no_admin_answer().filter(|_| proof == Proof::AdminAnswer)
    }

    /// What a challenge of this card is for; `None` where it gives none.
    fn challenge_use(&self) -> Option<ChallengeUse>;

    /// Whether a challenge is still good after the card ID was read again.
    fn challenge_survives_reading(&self) -> bool;

    /// Whether a challenge may be taken before it is known that there is something to answer it for: the card keeps it meanwhile, and
    /// nothing is lost with it.
    fn challenge_may_be_early(&self) -> bool {
        false
    }

    /// Takes a challenge. Drops an earlier challenge and, on GIDS, an earlier authentication. Costs no try.
    ///
    /// # Errors
    /// The card's refusal; a challenge of a length that can't be answered; no randomness for our half of a mutual one.
    fn challenge(&mut self, channel: &mut Channel<'_>) -> Result<Challenge, CardError>;

    /// The commands of a step that asks, as a job sends them if the card answers each as it has answered so far. What it sends
    /// beyond them follows from an answer.
    fn read_commands(&self, step: ReadStep) -> Vec<StepCommand>;

    /// The commands of a step that shows the card a secret, in order: all of them that carry one. A refusal that does not tell the
    /// counter may be followed by the question for it.
    ///
    /// # Errors
    /// A credential that the card does not take, or a secret that has not the form of the card's own.
    fn risky_commands(&self, step: &RiskyStep<'_>) -> Result<Vec<StepCommand>, CardError>;

    /// Sends one of [`Card::risky_commands`], once, and reads what its answer says. **Costs a try of what it carries when that is
    /// wrong.** Called by [`PinJob`] only.
    ///
    /// # Errors
    /// The card's refusal, with the tries left where they can be had; no answer; a card that did not prove itself in return.
    fn send_risky(
        &mut self,
        channel: &mut Channel<'_>,
        step: &RiskyStep<'_>,
        command: &StepCommand,
    ) -> Result<(), CardError>;

    /// Drops what was authenticated, where the family has a command for it. A card reset does the same for every family.
    ///
    /// # Errors
    /// The card's refusal.
    fn forget(&mut self, channel: &mut Channel<'_>) -> Result<(), CardError>;

    /// The replacement of the administrator's key, where the family has a command for it.
    fn admin_key_change(&mut self) -> Option<&mut dyn AdminKeyChange> {
        None
    }

    /// The replacement of the code that sets a forgotten PIN, where the family has one.
    fn code_change(&mut self) -> Option<&mut dyn CodeChange> {
        None
    }

    /// The table of certificate files, where the family keeps one.
    fn certificate_files(&mut self) -> Option<&mut dyn CertificateFiles> {
        None
    }

    /// The card's key pairs, where pinwright makes them on cards of the family ([`Family::why_no_keys`]).
    fn keys(&mut self) -> Option<&mut dyn Keys> {
        None
    }

    /// The certificates of these key pairs.
    fn certificates(&mut self) -> Option<&mut dyn Certificates> {
        None
    }
}
