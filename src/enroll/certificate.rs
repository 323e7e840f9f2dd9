//! The certificate that was issued: for the card's key, written beside it, and given back by the card.

use super::csr::check_certificate;
use super::management::Rights;
use super::moment::{Moment, Note};
use crate::card::{Digest, Hash, KeySlot, PublicKey};
use crate::job::held::HeldCard;
use crate::job::stage_error::StageError;
use crate::job::{Cause, Step};

/// Whether a certificate (DER) is for the card's key.
///
/// # Errors
/// It is for another key, or is none.
pub fn check(certificate: &[u8], key: &PublicKey) -> Result<(), Cause> {
    check_certificate(certificate, key).map_err(|error| StageError::from(error).into())
}

/// Writes the certificate (DER) into the slot of its key, so that a power cut leaves the old one or the new one, and compares what
/// the card gives back. 4 commands on GIDS and one for each 255 bytes, and 4 for the reading; 2 on PIV, long ones in pieces; beside
/// what proves the right to write. **Costs a try of the PIN or the management key where the card has another one.**
///
/// # Errors
/// The card's refusal; no room left; no answer. [`Effect::certificate`] says what is known then.
///
/// [`Effect::certificate`]: crate::job::effect::Effect::certificate
pub fn write(
    card: &mut HeldCard,
    slot: KeySlot,
    certificate: &[u8],
    rights: &mut Rights<'_>,
    note: Note<'_>,
) -> Result<(), Cause> {
    card.at(Step::WriteCertificate);
    rights.to_write(card, note)?;
    card.at(Step::WriteCertificate);
    note(Moment::AboutToWriteCertificate)?;
    card.write_certificate(slot, certificate)?;
    note(Moment::CertificateWritten)
}

/// The thumbprint of a certificate (DER) as Windows and MIM CM list it: SHA-1, upper-case hex.
#[must_use]
pub fn thumbprint(certificate: &[u8]) -> String {
    hex::encode_upper(Digest::of(Hash::Sha1, certificate).value())
}
