//! PIV, NIST SP 800-73-4: YubiKey, Nitrokey, PivApplet and the cards of the US government. Yubico's documented extensions are
//! used where the card answers them, whatever its name.
//!
//! The PIN is set with the PUK (RESET RETRY COUNTER) or with the current PIN (CHANGE REFERENCE DATA), both filled up to eight
//! bytes with `FF`. The management key administers keys and data objects and gives no right to the PIN.

mod algorithm;
pub mod commands;
mod counter;
pub mod identity;
pub mod metadata;
#[cfg(test)]
mod tests;

pub use self::algorithm::Algorithm;
use self::counter::Answer;
use self::identity::Source;
use self::metadata::Metadata;
use super::{
    Card, CardError, CardId, CardPlan, Challenge, PinCharacters, PinLimits, Proof, SecretReport, Tries, send,
    stand_in_pin,
};
use crate::apdu::{Channel, Response, Status, tlv};
use crate::secret::{AdminResponse, Code, Pin, SecretBytes};

/// Bytes of a PIN or PUK on the wire (SP 800-73-4 part 2 §2.4.3).
const BLOCK: usize = 8;

/// Fills a PIN or PUK up.
const PADDING: u8 = 0xFF;

/// The PIN's shape (SP 800-73-4 part 2 §2.4.3).
pub const LIMITS: PinLimits = PinLimits { min: 6, max: BLOCK, characters: PinCharacters::Digits };

/// Lengths of PINs and PUKs in the field. SP 800-73-4 wants eight bytes of a PUK; Yubico's cards take six.
const CODE_LENGTHS: (usize, usize) = (6, BLOCK);

/// A PIV card whose application is selected.
#[derive(Debug, Default)]
pub struct Piv {
    id_source: Option<Source>,
    /// Whether the card has answered GET METADATA; asked no more once it has not.
    has_metadata: Option<bool>,
    /// The PIN was verified before we came, and nothing tells its counter as long as it is.
    hidden: bool,
    /// The management key's, once it is known.
    algorithm: Option<Algorithm>,
}

impl Piv {
    /// A card that has answered the SELECT.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether an answer to SELECT comes from PIV: its application template (`61`, SP 800-73-4 part 2 §3.1.1) has the
    /// application identifier, whole or only from the provider's part on, as both are found in the field.
    #[must_use]
    pub fn is_selected(response: &Response) -> bool {
        let template = tlv::find(response.data(), 0x61).ok().flatten();
        let named = template.and_then(|template| tlv::find(template, 0x4F).ok().flatten());
        let (_, own) = commands::AID.split_at(5);
        response.status().is_ok() && named.is_some_and(|aid| aid.starts_with(&commands::AID) || aid.starts_with(own))
    }

    /// GET METADATA, where the card knows it: its instruction may mean something else on cards that don't. A card that has told
    /// of one secret must tell of the next.
    fn metadata(&mut self, channel: &mut Channel<'_>, reference: u8) -> Result<Option<Metadata>, CardError> {
        if self.has_metadata == Some(false) {
            return Ok(None);
        }
        let known = self.has_metadata == Some(true);
        match send(channel, "GET METADATA", &commands::get_metadata(reference)) {
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

    /// The challenge with this algorithm; `None` where the management key is of another one.
    fn challenge_with(
        &mut self,
        channel: &mut Channel<'_>,
        algorithm: Algorithm,
    ) -> Result<Option<Challenge>, CardError> {
        let command = commands::management_challenge(algorithm);
        let response = match send(channel, "GENERAL AUTHENTICATE (challenge)", &command) {
            Err(CardError::Refused { status: Status::WRONG_PARAMETERS, .. }) => return Ok(None),
            result => result?,
        };
        let malformed = |source| CardError::Malformed { object: "challenge", source };
        let template = tlv::find(response.data(), 0x7C)
            .map_err(malformed)?
            .ok_or(CardError::Incomplete { object: "challenge", missing: "template 7C" })?;
        let challenge = tlv::find(template, 0x81)
            .map_err(malformed)?
            .ok_or(CardError::Incomplete { object: "challenge", missing: "object 81" })?;
        if challenge.len() != algorithm.block() {
            return Err(CardError::ChallengeLength { length: challenge.len(), expected: algorithm.block() });
        }
        self.algorithm = Some(algorithm);
        Ok(Some(Challenge(challenge.to_vec())))
    }

    /// CHANGE REFERENCE DATA; where the card refuses the old value without its counter (`6300`) the PIN's is asked for.
    fn change(channel: &mut Channel<'_>, reference: u8, old_and_new: SecretBytes) -> Result<(), CardError> {
        let command = commands::change_reference_data(reference, old_and_new);
        let name = "CHANGE REFERENCE DATA";
        match counter::offer(channel, name, &command) {
            Err(CardError::Refused { status: Status::WRONG, .. }) if reference == commands::PIN => {
                // The refusal is what counts, also where the card is pulled now.
                Err(match counter::ask(channel) {
                    Ok(Answer::Left(left)) => CardError::Wrong { command: name, status: Status::WRONG, left },
                    Ok(Answer::Verified | Answer::Untold) | Err(_) => {
                        CardError::Refused { command: name, status: Status::WRONG }
                    }
                })
            }
            result => result,
        }
    }

    /// Replaces the PUK. **Costs a PUK try when `current` is wrong.**
    ///
    /// # Errors
    /// The card's refusal; a PUK that has not 6 to 8 bytes.
    pub fn change_puk(&mut self, channel: &mut Channel<'_>, current: &Code, new: &Code) -> Result<(), CardError> {
        let both = pair(current.expose(), new.expose())?;
        Self::change(channel, commands::PUK, both)
    }

    /// Replaces the management key after [`Card::authorize`]; the card then takes the new one at once. For cards with
    /// Yubico's extensions: SP 800-73-4 has no command for it.
    ///
    /// # Errors
    /// The card's refusal, a card without the extensions, or a key of another length than its algorithm's.
    pub fn change_management_key(
        &mut self,
        channel: &mut Channel<'_>,
        algorithm: Algorithm,
        key: &SecretBytes,
    ) -> Result<(), CardError> {
        if key.len() != algorithm.key_length() {
            return Err(CardError::KeyLength { length: key.len(), expected: algorithm.key_length() });
        }
        if identity::version(channel)?.is_none() {
            return Err(CardError::Incomplete { object: "application", missing: "command to set the management key" });
        }
        send(channel, "SET MANAGEMENT KEY", &commands::set_management_key(algorithm, key))?;
        self.algorithm = Some(algorithm);
        Ok(())
    }
}

impl Card for Piv {
    fn family(&self) -> &'static str {
        "piv"
    }

    fn title(&self) -> String {
        "PIV".to_owned()
    }

    fn limits(&self) -> PinLimits {
        LIMITS
    }

    fn identify(&mut self, channel: &mut Channel<'_>) -> Result<CardId, CardError> {
        let (source, id) = identity::find(channel)?;
        self.id_source = Some(source);
        Ok(id)
    }

    fn confirm(&mut self, channel: &mut Channel<'_>) -> Result<CardId, CardError> {
        let source = self.id_source.unwrap_or(Source::Chuid);
        source.ask(channel)?.ok_or(CardError::Incomplete { object: "card", missing: "card ID where it was" })
    }

    fn challenge_survives_reading(&self) -> bool {
        true
    }

    fn has_admin_challenge(&self) -> bool {
        true
    }

    fn tries_left(&mut self, channel: &mut Channel<'_>) -> Result<Tries, CardError> {
        self.hidden = false;
        match counter::ask(channel)? {
            Answer::Left(left) => Ok(Tries::Left { left, max: None }),
            // Told by the metadata or by nobody.
            Answer::Verified => {
                let metadata = self.metadata(channel, commands::PIN)?;
                let tries = metadata.map_or(Tries::Untold, |metadata| metadata.tries_left());
                self.hidden = tries == Tries::Untold;
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
        let tries = self.proof_tries_left(channel, proof)?;
        if proof != Proof::CurrentPin || !self.hidden {
            return Ok(tries);
        }
        match self.forget(channel) {
            Ok(()) => self.tries_left(channel),
            // A card that does not know it keeps its counter to itself.
            Err(error) if error.is_mere_refusal() => Ok(tries),
            Err(error) => Err(error),
        }
    }

    fn code_lengths(&self, proof: Proof) -> Option<(usize, usize)> {
        matches!(proof, Proof::Puk | Proof::CurrentPin).then_some(CODE_LENGTHS)
    }

    fn secrets(&mut self, channel: &mut Channel<'_>) -> Result<Vec<SecretReport>, CardError> {
        let mut reports = Vec::new();
        for (name, reference) in
            [("pin", commands::PIN), ("puk", commands::PUK), ("management-key", commands::MANAGEMENT_KEY)]
        {
            // Told of one and not of the next: the others are worth a line.
            let metadata = match self.metadata(channel, reference) {
                Err(error) if error.is_mere_refusal() => None,
                result => result?,
            };
            let tries = metadata.map_or(Tries::Untold, |metadata| metadata.tries_left());
            reports.push(SecretReport { name, tries, factory: metadata.and_then(|metadata| metadata.factory) });
        }
        Ok(reports)
    }

    fn challenge(&mut self, channel: &mut Channel<'_>) -> Result<Challenge, CardError> {
        let told = match self.algorithm {
            Some(algorithm) => Some(algorithm),
            None => self.metadata(channel, commands::MANAGEMENT_KEY)?.and_then(|metadata| metadata.algorithm),
        };
        // Asking costs no try: a card whose key is of another algorithm says so.
        let candidates = told.map_or(Algorithm::ALL.to_vec(), |algorithm| vec![algorithm]);
        for algorithm in candidates {
            if let Some(challenge) = self.challenge_with(channel, algorithm)? {
                return Ok(challenge);
            }
        }
        Err(CardError::Refused { command: "GENERAL AUTHENTICATE (challenge)", status: Status::WRONG_PARAMETERS })
    }

    fn authorize(&mut self, channel: &mut Channel<'_>, answer: &AdminResponse) -> Result<(), CardError> {
        let algorithm =
            self.algorithm.ok_or(CardError::Incomplete { object: "session", missing: "challenge to answer" })?;
        if answer.length() != algorithm.block() {
            return Err(CardError::AnswerLength { length: answer.length(), expected: algorithm.block() });
        }
        send(channel, "GENERAL AUTHENTICATE (answer)", &commands::management_answer(algorithm, answer)).map(drop)
    }

    fn reset_with_code(
        &mut self,
        channel: &mut Channel<'_>,
        proof: Proof,
        code: &Code,
        new: &Pin,
    ) -> Result<(), CardError> {
        if proof != Proof::Puk {
            return Err(CardError::NotTaken { family: self.family(), proof });
        }
        let both = pair(code.expose(), new.expose())?;
        counter::offer(channel, "RESET RETRY COUNTER (code)", &commands::reset_retry_counter(both))
    }

    fn set_pin(&mut self, _channel: &mut Channel<'_>, _pin: &Pin) -> Result<(), CardError> {
        Err(CardError::NotTaken { family: self.family(), proof: Proof::AdminAnswer })
    }

    fn splits_by_length(&self) -> bool {
        // Eight bytes each: nothing to split wrongly.
        false
    }

    fn change_pin(&mut self, channel: &mut Channel<'_>, current: &Pin, new: &Pin) -> Result<(), CardError> {
        let both = pair(current.expose(), new.expose())?;
        Self::change(channel, commands::PIN, both)
    }

    fn verify_pin(&mut self, channel: &mut Channel<'_>, pin: &Pin) -> Result<(), CardError> {
        counter::offer(channel, "VERIFY", &commands::verify(block(pin.expose())?))
    }

    fn forget(&mut self, channel: &mut Channel<'_>) -> Result<(), CardError> {
        // The PIN alone: the management key's authentication ends with the reset.
        send(channel, "VERIFY (log out)", &commands::log_out()).map(drop)
    }

    fn certificate_files(&mut self, _channel: &mut Channel<'_>) -> Result<Vec<String>, CardError> {
        // A PIV card has certificates in fixed objects and no table of them.
        Ok(Vec::new())
    }

    fn plan(&self, proof: Proof) -> CardPlan {
        let mut plan = CardPlan::default();
        // A job asks this first, and learns from it whether the card has metadata at all.
        if self.algorithm.is_none() {
            plan.before("ask for the management key's algorithm", commands::get_metadata(commands::MANAGEMENT_KEY));
        }
        let algorithm = self.algorithm.unwrap_or(Algorithm::TripleDes);
        plan.before(
            "take a challenge (Triple DES first; AES where the card says so)",
            commands::management_challenge(algorithm),
        );
        let stand_in = stand_in_pin(LIMITS);
        let both = || pair(stand_in.expose(), stand_in.expose()).unwrap_or_else(|_| SecretBytes::with_capacity(0));
        let confirm = || self.id_source.unwrap_or(Source::Chuid).command().1;
        match proof {
            Proof::Puk => {
                if self.has_metadata != Some(false) {
                    plan.after("read the tries left of the PUK", commands::get_metadata(commands::PUK));
                }
                plan.after("confirm the card ID", confirm());
                plan.after("set the PIN with the PUK", commands::reset_retry_counter(both()));
            }
            Proof::CurrentPin => {
                plan.after("read the tries left", commands::verify_status());
                if self.hidden {
                    plan.after("end what another program has left verified", commands::log_out());
                    plan.after("read the tries left", commands::verify_status());
                }
                plan.after("confirm the card ID", confirm());
                plan.after("change the PIN", commands::change_reference_data(commands::PIN, both()));
            }
            // What `takes` has refused.
            Proof::AdminAnswer | Proof::AdminPin | Proof::ResettingCode => {}
        }
        if let Ok(pin) = block(stand_in.expose()) {
            plan.after("verify the PIN", commands::verify(pin));
        }
        plan
    }
}

/// A PIN or PUK filled up to eight bytes.
fn block(value: &[u8]) -> Result<SecretBytes, CardError> {
    let mut block = SecretBytes::with_capacity(BLOCK);
    append(&mut block, value)?;
    Ok(block)
}

/// Two of them.
fn pair(first: &[u8], second: &[u8]) -> Result<SecretBytes, CardError> {
    let mut both = SecretBytes::with_capacity(2 * BLOCK);
    append(&mut both, first)?;
    append(&mut both, second)?;
    Ok(both)
}

fn append(block: &mut SecretBytes, value: &[u8]) -> Result<(), CardError> {
    let filling = [PADDING; BLOCK];
    let (min, max) = CODE_LENGTHS;
    let missing = BLOCK.saturating_sub(value.len());
    let fits = (min..=max).contains(&value.len())
        && block.append(value)
        && block.append(filling.get(..missing).unwrap_or_default());
    if fits { Ok(()) } else { Err(CardError::PinLength { length: value.len(), min, max }) }
}
