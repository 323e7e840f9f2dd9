//! A secret with a retry counter, as the PIV and the OpenPGP card keep theirs.

use super::sw;

/// Value and counter. Not wiped by a reset. An unset one has no value and no try.
pub(super) struct Counted {
    value: Option<Vec<u8>>,
    left: u8,
    limit: u8,
}

impl Counted {
    /// With `left` of `limit` tries left.
    pub(super) fn new(value: Option<Vec<u8>>, left: u8, limit: u8) -> Self {
        let left = if value.is_some() { left.min(limit) } else { 0 };
        Self { value, left, limit }
    }

    pub(super) fn is(&self, value: &[u8]) -> bool {
        self.value.as_deref() == Some(value)
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

    pub(super) fn length(&self) -> usize {
        self.value.as_ref().map_or(0, Vec::len)
    }

    /// Compares and counts. The try is taken off before the values are compared.
    pub(super) fn check(&mut self, value: &[u8]) -> Result<(), u16> {
        if self.left == 0 {
            return Err(sw::BLOCKED);
        }
        self.left -= 1;
        if !self.is(value) {
            return Err(sw::tries(self.left));
        }
        self.left = self.limit;
        Ok(())
    }

    pub(super) fn set(&mut self, value: Vec<u8>) {
        self.value = Some(value);
        self.left = self.limit;
    }
}
