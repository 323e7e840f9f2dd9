//! PIN and unblocking code: VERIFY, CHANGE REFERENCE DATA, RESET RETRY COUNTER (ISO 7816-4:2005 §7.5).

use super::{Command, Iso7816Card, Iso7816Settings, Outcome, Padding, sw};

/// A counted secret.
pub(super) struct Secret {
    value: Vec<u8>,
    left: u8,
    limit: u8,
    min: usize,
    max: usize,
    padding: Option<Padding>,
}

impl Secret {
    pub(super) fn new(value: &[u8], tries: u8, settings: &Iso7816Settings) -> Self {
        Self {
            value: value.to_vec(),
            left: tries,
            limit: tries,
            min: settings.pin_min,
            max: settings.pin_max,
            padding: settings.padding,
        }
    }

    pub(super) fn is(&self, value: &[u8]) -> bool {
        self.value == value
    }

    pub(super) fn left(&self) -> u8 {
        self.left
    }

    /// Bytes on the wire where a secret of this card stands now.
    fn wire_length(&self) -> usize {
        self.padding.map_or(self.value.len(), |p| p.length)
    }

    /// Whether data can be a secret at all, by its length. Nothing is spent on what cannot.
    fn plausible(&self, wire: &[u8]) -> bool {
        match self.padding {
            Some(padding) => wire.len() == padding.length,
            None => (self.min..=self.max).contains(&wire.len()),
        }
    }

    fn strip<'a>(&self, wire: &'a [u8]) -> &'a [u8] {
        let Some(padding) = self.padding else {
            return wire;
        };
        let end = wire.iter().rposition(|byte| *byte != padding.byte);
        wire.get(..end.map_or(0, |last| last + 1)).unwrap_or_default()
    }

    fn check(&mut self, wire: &[u8]) -> Result<(), u16> {
        if self.left == 0 {
            return Err(sw::BLOCKED);
        }
        self.left -= 1;
        if !self.is(self.strip(wire)) {
            return Err(sw::tries(self.left));
        }
        self.left = self.limit;
        Ok(())
    }

    /// A new value: 6700 for a length on the wire that cannot be, 6A80 for a bad filling or a PIN
    /// too short inside it.
    fn accept(&self, wire: &[u8]) -> Result<Vec<u8>, u16> {
        if !self.plausible(wire) {
            return Err(sw::WRONG_LENGTH);
        }
        let value = self.strip(wire);
        let inner_fill = self.padding.is_some_and(|p| value.contains(&p.byte));
        if inner_fill || !(self.min..=self.max).contains(&value.len()) {
            return Err(sw::WRONG_DATA);
        }
        Ok(value.to_vec())
    }

    fn set(&mut self, value: Vec<u8>) {
        self.value = value;
        self.left = self.limit;
    }
}

impl Iso7816Card {
    fn check_reference(&self, command: &Command, p1: &[u8]) -> Result<(), u16> {
        if !p1.contains(&command.p1) {
            return Err(sw::WRONG_P1P2);
        }
        if command.p2 != self.settings.pin_reference {
            return Err(sw::NOT_FOUND);
        }
        Ok(())
    }

    /// VERIFY. Without data: 9000 when verified, else the counter. P1=FF ends the user's state.
    pub(super) fn verify(&mut self, command: &Command) -> Outcome {
        self.check_reference(command, &[0x00, 0xFF])?;
        if command.p1 == 0xFF {
            if !command.data.is_empty() {
                return Err(sw::WRONG_LENGTH);
            }
            self.session.user = false;
            return Ok(Vec::new());
        }
        if command.data.is_empty() {
            return match (self.pin.left, self.session.user) {
                (0, _) => Err(sw::BLOCKED),
                (_, true) => Ok(Vec::new()),
                (left, false) => Err(sw::tries(left)),
            };
        }
        if self.pin.left == 0 {
            return Err(sw::BLOCKED);
        }
        if !self.pin.plausible(command.data) {
            return Err(sw::WRONG_LENGTH);
        }
        self.authenticate_user(command.data)?;
        Ok(Vec::new())
    }

    fn authenticate_user(&mut self, wire: &[u8]) -> Result<(), u16> {
        let checked = self.pin.check(wire);
        self.session.user = checked.is_ok();
        checked
    }

    /// CHANGE REFERENCE DATA, P1=00: old and new PIN without a separator.
    pub(super) fn change_reference_data(&mut self, command: &Command) -> Outcome {
        self.check_reference(command, &[0x00])?;
        if self.pin.left == 0 {
            return Err(sw::BLOCKED);
        }
        let parts = command.data.split_at_checked(self.pin.wire_length());
        let (old, new) = parts.ok_or(sw::WRONG_LENGTH)?;
        if !self.pin.plausible(new) {
            return Err(sw::WRONG_LENGTH);
        }
        self.authenticate_user(old)?;
        let value = self.pin.accept(new)?;
        self.pin.set(value);
        Ok(Vec::new())
    }

    /// RESET RETRY COUNTER: P1=02 new PIN by the administrator, P1=00 unblocking code and new PIN.
    /// Afterwards nobody is authenticated; a refusal leaves the administrator so.
    pub(super) fn reset_retry_counter(&mut self, command: &Command) -> Outcome {
        self.check_reference(command, &[0x00, 0x02])?;
        let value = if command.p1 == 0x02 {
            if !self.session.admin {
                return Err(sw::SECURITY);
            }
            self.pin.accept(command.data)?
        } else {
            let puk = self.puk.as_mut().ok_or(sw::NOT_FOUND)?;
            if puk.left == 0 {
                return Err(sw::BLOCKED);
            }
            let parts = command.data.split_at_checked(puk.wire_length());
            let (code, new) = parts.ok_or(sw::WRONG_LENGTH)?;
            let value = self.pin.accept(new)?;
            puk.check(code)?;
            value
        };
        self.pin.set(value);
        self.session.user = false;
        self.session.admin = false;
        Ok(Vec::new())
    }
}
