//! What a job has found out and been given so far: kept while the card is let go of for a person to type.

use super::authority::Authority;
use super::binding::BindingError;
use super::cause::Cause;
use super::fit;
use super::issuer::{Assignment, PinMaker};
use super::secrets::{Need, SecretError};
use super::supplier::Supplier;
use crate::card::{CardId, PinLimits};
use crate::secret::{AdminKey, Code, Pin};
use crate::server::ProposedPin;

/// Where the PIN on the card came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PinSource {
    /// The server proposed it.
    Server,
    /// The user supplied it.
    User,
}

impl PinSource {
    /// The name used in JSON and in the journal.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::User => "user",
        }
    }
}

/// Facts and secrets that outlive one hold of the card.
#[derive(Default)]
pub struct Given {
    card: Option<(CardId, PinLimits)>,
    /// The server's records, once they were asked for.
    pub assignment: Option<Assignment>,
    /// A person has said yes, or need not.
    pub consented: bool,
    /// The earlier job for the same request that they were told of before they said it.
    pub told_of: Option<String>,
    new_pin: Option<(Pin, PinSource)>,
    current_pin: Option<Pin>,
    admin_key: Option<AdminKey>,
    /// One authority is chosen, so one code is ever needed.
    code: Option<Code>,
    /// Fewest and most bytes of that code, as the card says.
    code_lengths: Option<(usize, usize)>,
}

impl Given {
    /// Nothing yet, but the server's records where they were asked for already.
    #[must_use]
    pub fn with(assignment: Option<Assignment>) -> Self {
        Self { assignment, ..Self::default() }
    }

    /// Notes the card; it must be the one of an earlier hold, and the one that a person named.
    ///
    /// # Errors
    /// It is another one.
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
    ///
    /// # Errors
    /// Nobody gives it, or it can't be right.
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
                self.can_be(need, code.length())?;
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

    /// Whether the new PIN is here.
    #[must_use]
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

    /// Hands out the PIN that was set.
    pub fn take_pin(&mut self) -> Option<Pin> {
        self.new_pin.take().map(|(pin, _)| pin)
    }

    /// The card's current PIN, where it was needed.
    #[must_use]
    pub fn current_pin(&self) -> Option<&Pin> {
        self.current_pin.as_ref()
    }

    /// Notes which lengths the chosen authority's code can have on this card.
    pub fn code_can_have(&mut self, lengths: Option<(usize, usize)>) {
        self.code_lengths = lengths;
    }

    /// The code of the chosen authority, where it was needed.
    #[must_use]
    pub fn code(&self) -> Option<&Code> {
        self.code.as_ref()
    }

    /// The local admin key, where it was needed.
    #[must_use]
    pub fn admin_key(&self) -> Option<&AdminKey> {
        self.admin_key.as_ref()
    }

    /// The card of the job, once it was identified.
    pub fn card_id(&self) -> Option<CardId> {
        self.card.map(|(id, _)| id)
    }
}
