//! The steps of the PIN job on an identified card, and the commands that they are made of.

use super::credential::Credential;
use super::proof::Proof;
use crate::apdu::Command;
use crate::secret::Pin;

/// One command of a step: what a job sends and what `pinwright plan` prints is made by the same constructor.
#[derive(Debug)]
pub struct StepCommand {
    /// The command's name, as errors have it.
    pub name: &'static str,
    /// What it is for, as a plan has it.
    pub purpose: &'static str,
    /// The command. In a plan it has stand-ins for what is not known yet.
    pub command: Command,
}

/// A step that asks the card something: it shows the card no secret, writes nothing and costs no try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadStep {
    /// Take a challenge.
    Challenge,
    /// Read the tries left of what the proof puts at risk.
    Tries {
        /// The proof.
        proof: Proof,
        /// Whether the job has taken a challenge before: a card may have said by then what it does not answer.
        challenged: bool,
    },
    /// Read the card ID again.
    CardId,
}

/// A step that shows the card a secret: it may cost a try, and [`RiskyStep::SetPin`] writes.
pub enum RiskyStep<'a> {
    /// Prove what the card wants proved before the PIN is written.
    Authorize(&'a Credential<'a>),
    /// Write the new PIN, together with its proof where [`Proof::goes_with_the_pin`] says so.
    SetPin(&'a Credential<'a>, &'a Pin),
    /// Have the card verify the new PIN.
    Verify(&'a Pin),
}
