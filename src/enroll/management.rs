//! The right to write keys and certificates: the PIN on a GIDS card, the management key on a PIV card.

use std::sync::atomic::AtomicBool;

use super::admin_key::{AdminKeySource, Showing, shown};
use super::moment::{Moment, Note};
use super::rules::ManagementRule;
use crate::card::{Credential, Family, Proof, answer_with_admin_key};
use crate::job::held::HeldCard;
use crate::job::issuer::Assignment;
use crate::job::secrets::Need;
use crate::job::stage_error::StageError;
use crate::job::{Cause, Step};
use crate::secret::{AdminKey, Pin};
use crate::server::AdminKeyVersion;

/// Who answers a PIV card's challenge. A GIDS card needs none.
pub enum Management<'a> {
    /// The server, with the key that is on the card.
    Server {
        /// The server.
        source: &'a mut dyn AdminKeySource,
        /// Which key is on the card now.
        version: AdminKeyVersion,
        /// The server's record of the card.
        record: Option<&'a Assignment>,
    },
    /// A local key.
    AdminKey(&'a AdminKey),
}

/// The secret that must be supplied before such a card is held, where one must.
#[must_use]
pub fn need(family: Family, rule: ManagementRule) -> Option<Need> {
    (family == Family::Piv && rule == ManagementRule::AdminKey).then_some(Need::AdminKey)
}

/// What gives the right to write keys and certificates, and to sign.
pub struct Rights<'a> {
    /// The PIN that this process has set.
    pub pin: &'a Pin,
    /// For a PIV card.
    pub management: Management<'a>,
    /// Set by Ctrl-C.
    pub interrupted: &'a AtomicBool,
}

impl Rights<'_> {
    /// Proves the right to write, unless the card has taken it in this transaction: 1 command on GIDS, 3 or 4 on PIV. **Costs a try of
    /// the PIN or the management key where the card has another one.**
    ///
    /// # Errors
    /// The card's refusal, or no answer; the server's refusal or failure.
    pub fn to_write(&mut self, card: &mut HeldCard, note: Note<'_>) -> Result<(), Cause> {
        match card.identity().family {
            Family::Piv => unlock(card, &mut self.management, self.interrupted, note),
            Family::Gids | Family::OpenPgp | Family::Iso7816 => card.keep_verified(self.pin),
        }
    }
}

/// Has a PIV card take an answer with its management key, unless it has in this transaction. Nothing on other cards. **Costs a try
/// of the management key where the card has another one, and counts that.**
///
/// # Errors
/// The card's refusal, or no answer; the server's refusal or failure; a challenge that it has no answer to.
pub fn unlock(
    card: &mut HeldCard,
    management: &mut Management<'_>,
    interrupted: &AtomicBool,
    note: Note<'_>,
) -> Result<(), Cause> {
    if card.identity().family != Family::Piv || card.is_authorized() {
        return Ok(());
    }
    card.at(Step::UnlockManagement);
    match management {
        Management::Server { source, version, record } => {
            let showing = Showing { record: *record, version: *version, reads_id: true, interrupted };
            shown(card, showing, *source, note).map_err(|cause| match cause {
                Cause::Unanswerable(reason) => StageError::Management(reason).into(),
                cause => cause,
            })
        }
        Management::AdminKey(key) => {
            let challenge = card.challenge()?;
            let answer = answer_with_admin_key(key, &challenge)?;
            card.bind(Proof::AdminAnswer)?;
            note(Moment::AboutToProveLocalKey)?;
            card.authorize(&Credential::Answer(answer))?;
            note(Moment::LocalKeyProved)
        }
    }
}
