//! PINs and PUKs as they stand in commands: filled up to eight bytes.

use crate::card::error::CardError;
use crate::secret::SecretBytes;

/// Bytes of a PIN or PUK on the wire (SP 800-73-4 part 2 §2.4.3).
pub(super) const BLOCK: usize = 8;

/// Fills a PIN or PUK up.
const PADDING: u8 = 0xFF;

/// Lengths of PINs and PUKs in the field. SP 800-73-4 wants eight bytes of a PUK; Yubico's cards take six.
pub(super) const CODE_LENGTHS: (usize, usize) = (6, BLOCK);

/// A PIN or PUK filled up to eight bytes.
pub(super) fn block(value: &[u8]) -> Result<SecretBytes, CardError> {
    let mut block = SecretBytes::with_capacity(BLOCK);
    append(&mut block, value)?;
    Ok(block)
}

/// Two PINs or PUKs, each filled up to eight bytes.
pub(super) fn pair(first: &[u8], second: &[u8]) -> Result<SecretBytes, CardError> {
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
