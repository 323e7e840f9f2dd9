//! What a job has found out and been given so far: kept while the card is let go of for a person to type.

use super::PinSource;
use super::binding::BindingError;
use super::error::{CardState, Cause, Failure, Step};
use super::fit;
use super::issuer::Assignment;
use super::rules::{Authority, PinMaker};
use super::supplier::{Need, SecretError, Supplier};
use crate::card::{CardId, PinLimits};
use crate::secret::{AdminKey, Code, Pin};
use crate::server::ProposedPin;

/// Facts and secrets that outlive one hold of the card.
#[derive(Default)]
pub(super) struct Known {
    card: Option<(CardId, PinLimits)>,
    /// The server's records, once they were asked for.
    pub assignment: Option<Assignment>,
    new_pin: Option<(Pin, PinSource)>,
    current_pin: Option<Pin>,
    admin_key: Option<AdminKey>,
    /// One authority is chosen, so one code is ever needed.
    code: Option<Code>,
    /// Fewest and most bytes of that code, as the card says.
    code_lengths: Option<(usize, usize)>,
}

impl Known {
    /// Notes the card; it must be the one of an earlier hold, and the one that a person named.
    pub fn identified(&mut self, now: CardId, named: Option<CardId>, limits: PinLimits) -> Result<(), BindingError> {
        let expected = self.card.map(|(id, _)| id).or(named);
        if let Some(before) = expected.filter(|before| *before != now) {
            return Err(BindingError::OtherCardId { before, now });
        }
        self.card = Some((now, limits));
        Ok(())
    }

    /// The next secret that must be supplied before the card is challenged.
    pub fn missing(&self, authority: Authority, assignment: &Assignment) -> Option<Need> {
        let has = |need: &Need| match need {
            Need::AdminKey => self.admin_key.is_some(),
            Need::CurrentPin => self.current_pin.is_some(),
            Need::Puk | Need::AdminPin | Need::ResettingCode => self.code.is_some(),
            Need::NewPin => self.new_pin.is_some(),
        };
        match authority.need() {
            Some(need) if !has(&need) => Some(need),
            _ if assignment.pin_maker == PinMaker::User && self.new_pin.is_none() => Some(Need::NewPin),
            _ => None,
        }
    }

    /// Gets a secret. A new PIN is checked at once: nothing is fetched for one that does not fit.
    pub fn supply(&mut self, need: Need, supplier: &mut dyn Supplier) -> Result<(), Cause> {
        match need {
            Need::NewPin => {
                let limits = self.card.map_or(crate::card::gids::APPLET_LIMITS, |(_, limits)| limits);
                let policy = self.assignment.as_ref().map(|assignment| assignment.policy).unwrap_or_default();
                let pin = supplier.new_pin(policy.narrow(limits))?;
                fit::check(&pin, limits, policy)?;
                self.new_pin = Some((pin, PinSource::User));
            }
            Need::CurrentPin => {
                let pin = supplier.current_pin()?;
                self.can_be(need, pin.length())?;
                self.current_pin = Some(pin);
            }
            Need::AdminKey => self.admin_key = Some(supplier.admin_key()?),
            Need::Puk | Need::AdminPin | Need::ResettingCode => {
                let code = supplier.code(need)?;
                // A code that can't be the card's own is not worth a try.
                if let Some((min, max)) = self.code_lengths.filter(|(min, max)| !(*min..=*max).contains(&code.length()))
                {
                    let reason = format!("this card's has {min} to {max} bytes, and that has {}", code.length());
                    return Err(SecretError::Unusable { what: need.what(), reason }.into());
                }
                self.code = Some(code);
            }
        }
        Ok(())
    }

    /// What can't be the card's own is not worth a try.
    fn can_be(&self, need: Need, length: usize) -> Result<(), SecretError> {
        match self.code_lengths {
            Some((min, max)) if !(min..=max).contains(&length) => {
                let reason = format!("this card's has {min} to {max} bytes, and that has {length}");
                Err(SecretError::Unusable { what: need.what(), reason })
            }
            _ => Ok(()),
        }
    }

    pub fn has_pin(&self) -> bool {
        self.new_pin.is_some()
    }

    /// Keeps the PIN that the server proposed: a fresh start does not ask for another one.
    pub fn proposed(&mut self, proposed: Option<ProposedPin>) {
        if let Some(ProposedPin::Pin(pin)) = proposed {
            self.new_pin = Some((pin, PinSource::Server));
        }
    }

    /// The PIN to set: the one supplied, or the server's.
    pub fn pin(&self) -> Option<(&Pin, PinSource)> {
        self.new_pin.as_ref().map(|(pin, source)| (pin, *source))
    }

    pub fn current_pin(&self) -> Option<&Pin> {
        self.current_pin.as_ref()
    }

    /// Notes which lengths the chosen authority's code can have on this card.
    pub fn code_can_have(&mut self, lengths: Option<(usize, usize)>) {
        self.code_lengths = lengths;
    }

    pub fn code(&self) -> Option<&Code> {
        self.code.as_ref()
    }

    pub fn admin_key(&self) -> Option<&AdminKey> {
        self.admin_key.as_ref()
    }

    /// A failure between two holds, when the card is as it was.
    pub fn failure(&self, reader: &str, cause: Cause) -> Failure {
        Failure {
            step: Step::Supply,
            reader: Some(reader.to_owned()),
            card_id: self.card.map(|(id, _)| id.to_string()),
            card: CardState::Untouched,
            journal: None,
            cause: Box::new(cause),
        }
    }
}
