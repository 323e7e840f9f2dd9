//! What the stages on the card tell of before and after each command that counts, so that it can be noted.

use super::next::KeyHash;
use crate::card::KeySlot;
use crate::job::Cause;
use crate::server::AdminKeyVersion;

/// What is about to be done to the card, or was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// An answer of the server's, made with this key, is about to be shown to the card: a try may be spent.
    AboutToProve(AdminKeyVersion),
    /// The card has taken it.
    Proved(AdminKeyVersion),
    /// An answer made with a local key is about to be shown to the card: a try may be spent.
    AboutToProveLocalKey,
    /// The card has taken it.
    LocalKeyProved,
    /// The PIN that a person says is the card's is about to be shown to it: a try may be spent.
    AboutToShowPin,
    /// The card has taken it.
    PinTaken,
    /// What stands in this slot is about to be erased.
    AboutToErase(KeySlot),
    /// All that the card holds is erased, as far as its family has commands for that.
    Erased,
    /// The diversified admin key is about to be written: either key may be the card's from now on.
    AboutToWrite,
    /// It is written, and not proved yet.
    Written,
    /// The key pair is about to be made: what was in the slot may be lost from now on.
    AboutToGenerate,
    /// It is made; this is its public key's hash.
    Generated(KeyHash),
    /// The certificate is about to be written.
    AboutToWriteCertificate,
    /// It is written, and the card has given it back.
    CertificateWritten,
}

/// Told of each moment. Its error stops the stage there; after a command that has changed the card it takes nothing back.
pub type Note<'a> = &'a mut dyn FnMut(Moment) -> Result<(), Cause>;
