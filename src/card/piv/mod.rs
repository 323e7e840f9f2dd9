//! PIV, NIST SP 800-73-4: YubiKey, Nitrokey, PivApplet and the cards of the US government. Yubico's documented extensions are
//! used where the card answers them, whatever its name.
//!
//! The PIN is set with the PUK (RESET RETRY COUNTER) or with the current PIN (CHANGE REFERENCE DATA), both filled up to eight
//! bytes with `FF`. A card may have a Global PIN beside the application's and prefer it (Discovery object): that one is changed with
//! CHANGE REFERENCE DATA alone, since the PUK is the application's. The management key administers keys and data objects and gives no right to the PIN.

mod blocks;
pub mod certificate_object;
mod certificates;
mod change;
pub mod commands;
mod counter;
pub mod discovery;
pub mod identity;
#[cfg(test)]
mod key_tests;
mod keys;
mod management;
pub mod metadata;
mod selection;
#[cfg(test)]
mod tests;
mod tries;

use self::blocks::{BLOCK, CODE_LENGTHS, block, pair};
use self::counter::Answer;
use self::discovery::{Pins, PivPin};
use self::identity::Source;
use self::metadata::Metadata;
pub use self::selection::identification;
use self::tries::{PinCounter, told_tries};
use super::challenge::{Challenge, ChallengeUse};
use super::credential::Credential;
use super::error::CardError;
use super::id::CardId;
use super::key_algorithm::KeyAlgorithm;
use super::pin::{PinCharacters, PinLimits, SecretReport, Tries};
use super::proof::{Family, Proof};
use super::send::send_step;
use super::step::{ReadStep, RiskyStep, StepCommand};
use super::{AdminKeyChange, Card, Certificates, CodeChange, Keys};
use crate::apdu::{Channel, Response, Status};

/// The PIN's shape (SP 800-73-4 part 2 §2.4.3).
pub const LIMITS: PinLimits = PinLimits { min: 6, max: BLOCK, characters: PinCharacters::Digits };

/// How the application's PIN is reported where the Global PIN is the primary one.
const OTHER_THAN_GLOBAL: &str = "application-pin";

const CHANGE: &str = "CHANGE REFERENCE DATA";

/// A PIV card whose application is selected.
#[derive(Debug, Default)]
pub struct Piv {
    /// The answer to [`identification`], until the ID was read from it.
    chuid: Option<Vec<u8>>,
    id_source: Option<Source>,
    /// Which PIN the configuration wants.
    wanted: PivPin,
    pins: Pins,
    /// Whether the PIN may have letters: SP 800-73-4 wants digits, a YubiKey takes them.
    takes_letters: bool,
    /// Whether the card has answered GET METADATA; asked no more once it has not.
    has_metadata: Option<bool>,
    /// Whether the card has answered GET VERSION: it has Yubico's extensions.
    has_version: Option<bool>,
    counter: PinCounter,
    /// The management key's, once it is known.
    algorithm: Option<KeyAlgorithm>,
}

impl Piv {
    /// A card that has answered the SELECT, and whose application's PIN is meant.
    #[must_use]
    pub fn new() -> Self {
        Self { wanted: PivPin::Application, ..Self::default() }
    }

    /// The same, whose PIN may have letters.
    #[must_use]
    pub fn taking_letters(self, takes_letters: bool) -> Self {
        Self { takes_letters, ..self }
    }

    /// The same, with this PIN.
    #[must_use]
    pub fn wanting(self, wanted: PivPin) -> Self {
        Self { wanted, ..self }
    }

    /// A card that has answered the SELECT and [`identification`].
    #[must_use]
    pub fn identified_by(answer: &Response) -> Self {
        Self { chuid: Some(answer.data().to_vec()), ..Self::new() }
    }

    fn metadata_command(reference: u8) -> StepCommand {
        let purpose = match reference {
            commands::MANAGEMENT_KEY => "ask for the management key's algorithm",
            commands::PUK => "read the tries left of the PUK",
            _ => "read the tries left",
        };
        StepCommand { name: "GET METADATA", purpose, command: commands::get_metadata(reference) }
    }

    /// What the card tells of a PIN, a PUK or a key. A card that has refused the command once is not sent it again, since the
    /// instruction may mean something else to it. One that has told of a secret must tell of the next.
    fn metadata(&mut self, channel: &mut Channel<'_>, reference: u8) -> Result<Option<Metadata>, CardError> {
        if self.has_metadata == Some(false) {
            return Ok(None);
        }
        let known = self.has_metadata == Some(true);
        match send_step(channel, &Self::metadata_command(reference)) {
            Ok(response) => match Metadata::parse(response.data()) {
                Err(source) if known => Err(CardError::Malformed { object: "metadata", source }),
                Ok(None) if known => Err(CardError::Incomplete { object: "metadata", missing: "data object" }),
                parsed => {
                    let metadata = parsed.ok().flatten();
                    self.has_metadata = Some(metadata.is_some());
                    Ok(metadata)
                }
            },
            Err(CardError::Refused { status, .. }) if !known && status != Status::NOTHING_SELECTED => {
                self.has_metadata = Some(false);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// How the application's PIN is reported: `pin` is the one that is set.
    fn name_of_application_pin(&self) -> &'static str {
        match self.pins {
            Pins::Application | Pins::ApplicationFirst => "pin",
            Pins::GlobalFirst => OTHER_THAN_GLOBAL,
        }
    }

    /// Whether a job asks for metadata of PIN or PUK. One that takes a challenge has asked for the management key's by then, and
    /// a card that does not know the question is not asked again.
    fn asks_metadata(&self, challenged: bool) -> bool {
        !(challenged && self.has_metadata == Some(false))
    }
}

impl Card for Piv {
    fn family(&self) -> Family {
        Family::Piv
    }

    fn title(&self) -> String {
        "PIV".to_owned()
    }

    fn limits(&self) -> PinLimits {
        let characters = if self.takes_letters { PinCharacters::Ascii } else { LIMITS.characters };
        PinLimits { characters, ..LIMITS }
    }

    fn identify(&mut self, channel: &mut Channel<'_>) -> Result<CardId, CardError> {
        let (source, id) = match self.chuid.take() {
            Some(chuid) => identity::find_after(identity::from_chuid(&chuid)?, channel)?,
            None => identity::find(channel)?,
        };
        self.id_source = Some(source);
        self.pins = match self.wanted {
            PivPin::Discovery => Pins::ask(channel)?,
            PivPin::Application => Pins::Application,
        };
        Ok(id)
    }

    fn has_own_id(&self) -> bool {
        self.id_source == Some(Source::Chuid)
    }

    fn confirm(&mut self, channel: &mut Channel<'_>) -> Result<CardId, CardError> {
        let source = self.id_source.unwrap_or(Source::Chuid);
        source.ask(channel)?.ok_or(CardError::Incomplete { object: "card", missing: "card ID where it was" })
    }

    fn tries_left(&mut self, channel: &mut Channel<'_>) -> Result<Tries, CardError> {
        self.counter = PinCounter::Plain;
        match counter::ask(channel, self.pins.primary())? {
            Answer::Left(left) => Ok(Tries::Left { left, max: None }),
            Answer::Verified => {
                // The metadata are the application's: they tell nothing of the Global PIN.
                let metadata = match self.pins {
                    Pins::GlobalFirst => None,
                    Pins::Application | Pins::ApplicationFirst => self.metadata(channel, commands::PIN)?,
                };
                let tries = metadata.map_or(Tries::Untold, |metadata| metadata.tries_left());
                self.counter = if tries == Tries::Untold { PinCounter::Hidden } else { PinCounter::InMetadata };
                Ok(tries)
            }
            Answer::Untold => Ok(Tries::Untold),
        }
    }

    fn proof_tries_left(&mut self, channel: &mut Channel<'_>, proof: Proof) -> Result<Tries, CardError> {
        match proof {
            Proof::CurrentPin => self.tries_left(channel),
            // VERIFY without data is for the PIN only: `6A88` for the PUK.
            Proof::Puk => Ok(self.metadata(channel, commands::PUK)?.map_or(Tries::Untold, |puk| puk.tries_left())),
            Proof::AdminAnswer | Proof::AdminPin | Proof::ResettingCode => Ok(Tries::Untold),
        }
    }

    fn tries_to_risk(&mut self, channel: &mut Channel<'_>, proof: Proof) -> Result<Tries, CardError> {
        if proof != Proof::CurrentPin {
            return self.proof_tries_left(channel, proof);
        }
        let tries = self.tries_when_logged_out(channel);
        if self.pins != Pins::GlobalFirst {
            return tries;
        }
        // Other applications of the card depend on the Global PIN: no try of it is risked that can't be counted.
        match tries {
            Ok(Tries::Untold) => Err(CardError::UncountedGlobalPin),
            Err(error) if error.is_mere_refusal() => Err(CardError::UncountedGlobalPin),
            tries => tries,
        }
    }

    fn takes(&self, proof: Proof) -> bool {
        self.family().takes(proof) && !(proof == Proof::Puk && self.pins == Pins::GlobalFirst)
    }

    fn why_not(&self, proof: Proof) -> Option<&'static str> {
        match (proof, self.pins) {
            (Proof::Puk, Pins::GlobalFirst) => Some(
                "the card's Discovery object prefers the Global PIN (reference 00), and the PUK sets the application's alone \
                 (`card.piv_pin = \"application\"` has that one set)",
            ),
            _ => self.family().no_admin_answer().filter(|_| proof == Proof::AdminAnswer),
        }
    }

    fn code_lengths(&self, proof: Proof) -> Option<(usize, usize)> {
        matches!(proof, Proof::Puk | Proof::CurrentPin).then_some(CODE_LENGTHS)
    }

    fn secrets(&mut self, channel: &mut Channel<'_>) -> Result<Vec<SecretReport>, CardError> {
        let mut reports = Vec::new();
        for (name, reference) in [
            (self.name_of_application_pin(), commands::PIN),
            ("puk", commands::PUK),
            ("management-key", commands::MANAGEMENT_KEY),
        ] {
            // A card that tells of one secret and refuses the next is still worth a report of the first.
            let metadata = match self.metadata(channel, reference) {
                Err(error) if error.is_mere_refusal() => None,
                result => result?,
            };
            let tries = match metadata.map_or(Tries::Untold, |metadata| metadata.tries_left()) {
                Tries::Untold if name == OTHER_THAN_GLOBAL => told_tries(channel, reference)?,
                tries => tries,
            };
            reports.push(SecretReport { name, tries, factory: metadata.and_then(|metadata| metadata.factory) });
        }
        if self.pins == Pins::ApplicationFirst {
            let tries = told_tries(channel, commands::GLOBAL_PIN)?;
            reports.push(SecretReport { name: "global-pin", tries, factory: None });
        }
        Ok(reports)
    }

    fn challenge_use(&self) -> Option<ChallengeUse> {
        let algorithm = self.algorithm.unwrap_or(KeyAlgorithm::TripleDes);
        Some(ChallengeUse::Administrator { answer: algorithm.block() })
    }

    fn challenge_survives_reading(&self) -> bool {
        true
    }

    fn challenge(&mut self, channel: &mut Channel<'_>) -> Result<Challenge, CardError> {
        let told = match self.algorithm {
            Some(algorithm) => Some(algorithm),
            None => self.metadata(channel, commands::MANAGEMENT_KEY)?.and_then(|metadata| metadata.algorithm),
        };
        // Asking costs no try: a card whose key is of another algorithm says so.
        let candidates = told.map_or(KeyAlgorithm::ALL.to_vec(), |algorithm| vec![algorithm]);
        for algorithm in candidates {
            if let Some(challenge) = self.challenge_with(channel, algorithm)? {
                return Ok(challenge);
            }
        }
        Err(CardError::Refused { command: "GENERAL AUTHENTICATE (challenge)", status: Status::WRONG_PARAMETERS })
    }

    fn read_commands(&self, step: ReadStep) -> Vec<StepCommand> {
        match step {
            ReadStep::Challenge => {
                // Asked first, and by this answer the card has said whether it has metadata at all.
                let ask = self.algorithm.is_none().then(|| Self::metadata_command(commands::MANAGEMENT_KEY));
                let challenge = Self::challenge_command(self.algorithm.unwrap_or(KeyAlgorithm::TripleDes));
                ask.into_iter().chain([challenge]).collect()
            }
            ReadStep::Tries { proof: Proof::CurrentPin, challenged } => self.pin_tries_commands(challenged),
            ReadStep::Tries { proof: Proof::Puk, challenged } if self.asks_metadata(challenged) => {
                vec![Self::metadata_command(commands::PUK)]
            }
            ReadStep::Tries { .. } => Vec::new(),
            ReadStep::CardId => vec![self.id_source.unwrap_or(Source::Chuid).command()],
        }
    }

    fn risky_commands(&self, step: &RiskyStep<'_>) -> Result<Vec<StepCommand>, CardError> {
        let command = match step {
            RiskyStep::Authorize(Credential::Answer(answer)) => self.answer_command(answer)?,
            // PUK and current PIN go with the new PIN. Each has eight bytes of its own there, so that none passes for another.
            RiskyStep::Authorize(Credential::Puk(_) | Credential::CurrentPin(_)) => return Ok(Vec::new()),
            RiskyStep::SetPin(Credential::Puk(puk), new) if self.takes(Proof::Puk) => StepCommand {
                name: "RESET RETRY COUNTER (code)",
                purpose: "set the PIN with the PUK",
                command: commands::reset_retry_counter(pair(puk.expose(), new.expose())?),
            },
            RiskyStep::SetPin(Credential::CurrentPin(current), new) => StepCommand {
                name: CHANGE,
                purpose: "change the PIN",
                command: commands::change_reference_data(self.pins.primary(), pair(current.expose(), new.expose())?),
            },
            RiskyStep::Verify(pin) => StepCommand {
                name: "VERIFY",
                purpose: "verify the PIN",
                command: commands::verify(self.pins.primary(), block(pin.expose())?),
            },
            RiskyStep::Authorize(other) | RiskyStep::SetPin(other, _) => {
                return Err(CardError::NotTaken { family: self.family(), proof: other.proof() });
            }
        };
        Ok(vec![command])
    }

    fn send_risky(
        &mut self,
        channel: &mut Channel<'_>,
        step: &RiskyStep<'_>,
        command: &StepCommand,
    ) -> Result<(), CardError> {
        match step {
            RiskyStep::Authorize(_) => send_step(channel, command).map(drop),
            RiskyStep::SetPin(Credential::CurrentPin(_), _) => counter::change(channel, self.pins.primary(), command),
            RiskyStep::SetPin(..) | RiskyStep::Verify(_) => counter::send_code(channel, command),
        }
    }

    fn forget(&mut self, channel: &mut Channel<'_>) -> Result<(), CardError> {
        send_step(channel, &self.log_out_command()).map(drop)
    }

    fn admin_key_change(&mut self) -> Option<&mut dyn AdminKeyChange> {
        Some(self)
    }

    fn code_change(&mut self) -> Option<&mut dyn CodeChange> {
        Some(self)
    }

    fn keys(&mut self) -> Option<&mut dyn Keys> {
        Some(self)
    }

    fn certificates(&mut self) -> Option<&mut dyn Certificates> {
        Some(self)
    }
}
