//! Layer 3: card families. What a card is, what it can be asked, and what each question costs.
//!
//! A family implements [`Card`]; [`family::detect`] finds which one a card is. Nothing here knows PC/SC or HTTP: a card is
//! reached through a [`Channel`] that the caller holds.

mod admin_key;
mod error;
pub mod family;
pub mod gids;
mod id;
pub mod iso7816;
pub mod openpgp;
pub mod piv;
pub mod profile;
pub mod proof;
#[cfg(test)]
mod script;

use crate::apdu::{Channel, Command, Response, Status};
use crate::secret::{AdminResponse, Code, Pin};

pub use admin_key::answer as answer_with_admin_key;
pub use error::CardError;
pub use id::{CardId, IdOrder};
pub use proof::Proof;

/// A challenge taken from a card: not a secret, valid for one answer in this card session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge(pub Vec<u8>);

/// Which characters a card's PIN may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PinCharacters {
    /// Printable ASCII.
    Ascii,
    /// 0 to 9.
    Digits,
}

/// What a card takes as its user PIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PinLimits {
    /// Fewest characters.
    pub min: usize,
    /// Most characters.
    pub max: usize,
    /// Which characters.
    pub characters: PinCharacters,
}

/// What a card tells of a retry counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tries {
    /// So many are left, of so many where the card says that too.
    Left {
        /// Tries left; 0 is blocked.
        left: u8,
        /// The counter's highest value.
        max: Option<u8>,
    },
    /// The card can't tell without spending one.
    Untold,
}

/// One command of a job, named by what it is for: what `pinwright plan` prints and what a reader of the code checks against
/// the standard.
#[derive(Debug)]
pub struct PlannedCommand {
    /// What it is for.
    pub purpose: &'static str,
    /// The command with stand-ins for what is not known yet.
    pub command: Command,
}

/// The commands of a job after identification, in order.
#[derive(Debug, Default)]
pub struct CardPlan {
    /// Before the server is asked.
    pub before_asking: Vec<PlannedCommand>,
    /// After its answer.
    pub after_asking: Vec<PlannedCommand>,
}

impl CardPlan {
    fn before(&mut self, purpose: &'static str, command: Command) {
        self.before_asking.push(PlannedCommand { purpose, command });
    }

    fn after(&mut self, purpose: &'static str, command: Command) {
        self.after_asking.push(PlannedCommand { purpose, command });
    }
}

/// What `inspect` shows of a card's secret beside the user PIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecretReport {
    /// Which secret, as in JSON: `pin`, `puk`, `management-key`, `admin-pin`, `resetting-code`.
    pub name: &'static str,
    /// Its retry counter.
    pub tries: Tries,
    /// Whether it is still the factory's, where the card says so without a try.
    pub factory: Option<bool>,
}

/// A card of a known family whose application is selected.
///
/// Every method is one step of the PIN job and sends as few commands as its family allows. A method that may cost a try says
/// so; all others cost none.
pub trait Card: Send {
    /// The family's name, as shown and as in JSON: `gids`, `piv`, `openpgp`, `iso7816`.
    fn family(&self) -> &'static str;

    /// The application or profile in words.
    fn title(&self) -> String;

    /// What the card takes as a PIN.
    fn limits(&self) -> PinLimits;

    /// Whether card and reader are known to take extended length (ISO 7816-4 §5.1).
    fn extended_length(&self) -> bool {
        false
    }

    /// Whether this card can be set a PIN with this proof. Beside the family's table it says what this one card lacks.
    fn takes(&self, proof: Proof) -> bool {
        proof::family_takes(self.family(), proof)
    }

    /// Why an answer to an admin challenge sets no PIN on this card, where it doesn't.
    fn no_admin_answer(&self) -> Option<&'static str> {
        proof::of_family(self.family()).and_then(|row| row.no_admin_answer)
    }

    /// Finds and reads the card ID. 1 to 4 commands; none where finding the family has read it.
    ///
    /// # Errors
    /// Missing, of the wrong size, all `00` or all `FF`: a card that can't be told from others is not provisioned.
    fn identify(&mut self, channel: &mut Channel<'_>) -> Result<CardId, CardError>;

    /// Reads the card ID again at the place where [`Card::identify`] found it. 1 command.
    ///
    /// # Errors
    /// As [`Card::identify`]; `6986` when another card has taken this one's place.
    fn confirm(&mut self, channel: &mut Channel<'_>) -> Result<CardId, CardError>;

    /// Whether [`Card::confirm`] may stand between challenge and answer; else it follows the answer.
    fn challenge_survives_reading(&self) -> bool;

    /// Whether the card has an administrator who proves himself by answering a challenge.
    fn has_admin_challenge(&self) -> bool;

    /// Whether the card can be asked for a challenge at all: the server's call for a PIN wants one as a parameter.
    fn gives_challenge(&self) -> bool {
        self.has_admin_challenge()
    }

    /// Tries left for the user PIN.
    ///
    /// # Errors
    /// The card's refusal.
    fn tries_left(&mut self, channel: &mut Channel<'_>) -> Result<Tries, CardError>;

    /// Tries left for what proves the right to set the PIN. 0 or 1 command.
    ///
    /// # Errors
    /// The card's refusal.
    fn proof_tries_left(&mut self, channel: &mut Channel<'_>, proof: Proof) -> Result<Tries, CardError> {
        match proof {
            Proof::CurrentPin => self.tries_left(channel),
            Proof::AdminAnswer | Proof::Puk | Proof::AdminPin | Proof::ResettingCode => Ok(Tries::Untold),
        }
    }

    /// As [`Card::proof_tries_left`], right before one is risked: where another program has left the PIN verified, and the card
    /// therefore does not tell its counter, that is ended first. 0 to 3 commands; spends no try.
    ///
    /// # Errors
    /// The card's refusal.
    fn tries_to_risk(&mut self, channel: &mut Channel<'_>, proof: Proof) -> Result<Tries, CardError> {
        self.proof_tries_left(channel, proof)
    }

    /// Fewest and most bytes that a PUK, an admin PIN, a resetting code or the current PIN of this card can have: another length
    /// is not worth a try. `None` where the card takes no such proof.
    fn code_lengths(&self, _proof: Proof) -> Option<(usize, usize)> {
        None
    }

    /// The secrets of the card beside the challenge's key: counters, and whether they are the factory's. Spends no try.
    ///
    /// # Errors
    /// The card's refusal.
    fn secrets(&mut self, _channel: &mut Channel<'_>) -> Result<Vec<SecretReport>, CardError> {
        Ok(Vec::new())
    }

    /// Takes a challenge for the administrator's authentication. Drops an earlier challenge and, on GIDS, an earlier
    /// authentication.
    ///
    /// # Errors
    /// The card's refusal, or a challenge of a length that can't be answered.
    fn challenge(&mut self, channel: &mut Channel<'_>) -> Result<Challenge, CardError>;

    /// Answers the challenge. **Costs an admin try where the card counts them and the answer is wrong.**
    ///
    /// # Errors
    /// The card's refusal.
    fn authorize(&mut self, channel: &mut Channel<'_>, answer: &AdminResponse) -> Result<(), CardError>;

    /// Proves the administrator by a code of his own (an OpenPGP card's PW3). **Costs a try of it when it is wrong.**
    ///
    /// # Errors
    /// The card's refusal; a family that has no such code.
    fn authorize_with_code(&mut self, _channel: &mut Channel<'_>, _code: &Code) -> Result<(), CardError> {
        Err(CardError::NotTaken { family: self.family(), proof: Proof::AdminPin })
    }

    /// Sets the PIN with the PUK or the resetting code, in one command: authorisation and write at once, the PIN's counter to
    /// its maximum. **Costs a try of the code when it is wrong.**
    ///
    /// # Errors
    /// The card's refusal; a family that has no such code.
    fn reset_with_code(
        &mut self,
        _channel: &mut Channel<'_>,
        proof: Proof,
        _code: &Code,
        _new: &Pin,
    ) -> Result<(), CardError> {
        Err(CardError::NotTaken { family: self.family(), proof })
    }

    /// Sets the PIN after [`Card::authorize`] or [`Card::authorize_with_code`], and its counter to the maximum.
    ///
    /// # Errors
    /// The card's refusal.
    fn set_pin(&mut self, channel: &mut Channel<'_>, pin: &Pin) -> Result<(), CardError>;

    /// Whether the card tells old and new PIN apart in CHANGE REFERENCE DATA by the length of its own PIN. Then a wrong old
    /// PIN that is the beginning of the right one would set a PIN that nobody meant: verify the old one first.
    fn splits_by_length(&self) -> bool;

    /// Replaces the current PIN. **Costs a PIN try when `current` is wrong.**
    ///
    /// # Errors
    /// The card's refusal.
    fn change_pin(&mut self, channel: &mut Channel<'_>, current: &Pin, new: &Pin) -> Result<(), CardError>;

    /// Has the card verify the PIN. **Costs a PIN try when it is wrong.**
    ///
    /// # Errors
    /// The card's refusal.
    fn verify_pin(&mut self, channel: &mut Channel<'_>, pin: &Pin) -> Result<(), CardError>;

    /// Drops what was authenticated, where the family has a command for it. A card reset does the same for every family.
    ///
    /// # Errors
    /// The card's refusal.
    fn forget(&mut self, channel: &mut Channel<'_>) -> Result<(), CardError>;

    /// Names of the certificate files on the card, where the family keeps a table of them. 0 or 1 command.
    ///
    /// # Errors
    /// The card's refusal.
    fn certificate_files(&mut self, channel: &mut Channel<'_>) -> Result<Vec<String>, CardError>;

    /// The commands that a job with this proof sends after identification.
    fn plan(&self, proof: Proof) -> CardPlan;
}

/// Sends and insists on `9000`.
fn send(channel: &mut Channel<'_>, name: &'static str, command: &Command) -> Result<Response, CardError> {
    let response = channel.send(command).map_err(|source| CardError::NoAnswer { command: name, source })?;
    match response.status() {
        Status::OK => Ok(response),
        // A refusal has no data (ISO 7816-3 §12.1): these bytes are no answer to a command that may have written.
        status if command.is_secret() && !response.data().is_empty() => {
            Err(CardError::Garbled { command: name, status })
        }
        status => Err(CardError::Refused { command: name, status }),
    }
}

/// Something of a PIN's shape, for commands that are planned and never sent: eight zeros, or what the limits allow. The card's
/// own data may leave no length between them: then it is the most, and no PIN will fit.
fn stand_in_pin(limits: PinLimits) -> Pin {
    Pin::zeros(8.max(limits.min).min(limits.max).clamp(1, Pin::MAX))
}
