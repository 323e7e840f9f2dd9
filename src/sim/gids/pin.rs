//! The user PIN: VERIFY, CHANGE REFERENCE DATA, RESET RETRY COUNTER (ISO 7816-4:2005 §7.5; GIDS profile).

use super::{Command, GidsCard, GidsSettings, Outcome, sw};

/// PIN value and counter. Not wiped by a reset.
pub(super) struct Pin {
    value: Option<Vec<u8>>,
    left: u8,
    limit: u8,
    min: usize,
    max: usize,
}

impl Pin {
    pub(super) fn unset(settings: &GidsSettings) -> Self {
        Self {
            value: None,
            left: settings.pin_tries,
            limit: settings.pin_tries,
            min: usize::from(settings.pin_min),
            max: usize::from(settings.pin_max),
        }
    }

    pub(super) fn preset(&mut self, settings: &GidsSettings) {
        self.value = Some(settings.pin.clone());
        let left = settings.pin_left.unwrap_or(self.limit);
        self.left = left.min(self.limit);
    }

    pub(super) fn is(&self, pin: &[u8]) -> bool {
        self.value.as_deref() == Some(pin)
    }

    pub(super) fn is_set(&self) -> bool {
        self.value.is_some()
    }

    pub(super) fn left(&self) -> u8 {
        self.left
    }

    pub(super) fn limit(&self) -> u8 {
        self.limit
    }

    fn fits(&self, pin: &[u8]) -> bool {
        (self.min..=self.max).contains(&pin.len())
    }

    fn length(&self) -> usize {
        self.value.as_ref().map_or(0, Vec::len)
    }

    fn set(&mut self, pin: &[u8]) {
        self.value = Some(pin.to_vec());
        self.left = self.limit;
    }

    /// Compares and counts. The try is taken off before the values are compared.
    fn check(&mut self, pin: &[u8]) -> Result<(), u16> {
        if self.left == 0 {
            return Err(sw::BLOCKED);
        }
        self.left -= 1;
        if !self.is(pin) {
            return Err(sw::tries(self.left));
        }
        self.left = self.limit;
        Ok(())
    }

    /// Never 9000 in use, not even when verified (measured).
    fn status(&self) -> u16 {
        match self.left {
            0 => sw::BLOCKED,
            left => sw::tries(left),
        }
    }
}

impl GidsCard {
    /// VERIFY. Without data it asks for the status; P2=82 ends all authentication.
    pub(super) fn verify(&mut self, command: &Command) -> Outcome {
        if command.p1 != 0 {
            return Err(sw::WRONG_P1P2);
        }
        match (command.p2, command.data) {
            (0x82, []) => {
                self.deauthenticate();
                Ok(Vec::new())
            }
            (0x82, _) => Err(sw::WRONG_LENGTH),
            (0x00 | 0x80, []) if !self.active => Ok(Vec::new()),
            (0x00 | 0x80, []) => Err(self.pin.status()),
            (0x00 | 0x80, pin) => self.verify_pin(pin),
            _ => Err(sw::NOT_FOUND),
        }
    }

    fn verify_pin(&mut self, pin: &[u8]) -> Outcome {
        if !self.active {
            return Err(sw::NOT_ALLOWED);
        }
        if !self.pin.fits(pin) {
            // Looks like a wrong PIN, but costs no try and leaves the state alone.
            return Err(self.pin.status());
        }
        self.authenticate_user(pin)?;
        Ok(Vec::new())
    }

    /// A wrong PIN also ends the verified state.
    fn authenticate_user(&mut self, pin: &[u8]) -> Result<(), u16> {
        let checked = self.pin.check(pin);
        self.session.roles.user = checked.is_ok();
        checked
    }

    /// CHANGE REFERENCE DATA: old and new PIN without a separator, or (P1=01) the new one alone.
    pub(super) fn change_reference_data(&mut self, command: &Command) -> Outcome {
        if !matches!(command.p1, 0x00 | 0x01) {
            return Err(sw::WRONG_P1P2);
        }
        if command.p2 != 0x80 {
            return Err(sw::NOT_FOUND);
        }
        if command.p1 == 0x01 {
            return self.replace_pin(command.data);
        }
        if !self.active {
            return Err(sw::NOT_ALLOWED);
        }
        if self.pin.left() == 0 {
            return Err(sw::BLOCKED);
        }
        // The card cuts at the length of the PIN it knows. Data too short to hold an old PIN is a
        // malformed command, and no try is lost by it.
        let (old, new) = command.data.split_at_checked(self.pin.length()).ok_or(sw::WRONG_LENGTH)?;
        self.authenticate_user(old)?;
        self.store_pin(new)
    }

    /// P1=01: by the verified user, or by whoever sets up a blank card. Not by the administrator.
    fn replace_pin(&mut self, new: &[u8]) -> Outcome {
        if !self.active {
            if !self.pin.fits(new) {
                return Err(sw::WRONG_LENGTH);
            }
            self.pin.set(new);
            return Ok(Vec::new());
        }
        if !self.session.roles.user {
            return Err(sw::SECURITY);
        }
        self.store_pin(new)
    }

    fn store_pin(&mut self, new: &[u8]) -> Outcome {
        if !self.pin.fits(new) {
            return Err(sw::WRONG_LENGTH);
        }
        self.pin.set(new);
        self.session.roles.user = true;
        Ok(Vec::new())
    }

    /// RESET RETRY COUNTER by the administrator: new PIN, full counter, and then nobody is
    /// authenticated any more. A refusal leaves the admin state, so that it can be put right.
    pub(super) fn reset_retry_counter(&mut self, command: &Command) -> Outcome {
        if command.p1 != 0x02 {
            return Err(sw::WRONG_P1P2);
        }
        if command.p2 != 0x80 {
            return Err(sw::NOT_FOUND);
        }
        if !self.active {
            return Err(sw::NOT_ALLOWED);
        }
        if !self.session.roles.admin {
            return Err(sw::SECURITY);
        }
        if !self.pin.fits(command.data) {
            return Err(sw::WRONG_LENGTH);
        }
        self.pin.set(command.data);
        self.deauthenticate();
        Ok(Vec::new())
    }
}
