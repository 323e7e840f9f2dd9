//! The card's admin key becomes the server's diversified one, and the card takes the server's own answer with it.

use std::sync::atomic::{AtomicBool, Ordering};

pub use super::moment::{Moment, Note};
use crate::card::{CardError, Challenge, Credential, Proof};
use crate::job::held::HeldCard;
use crate::job::issuer::{Assignment, Watch};
use crate::job::stage_error::{KeptKey, StageError};
use crate::job::{Cause, Step, challenge};
use crate::secret::{AdminKey, AdminResponse};
use crate::server::{AdminKeyVersion, CardParameters};

/// The server's part: it keeps the keys, and answers with them.
pub trait AdminKeySource {
    /// The answer to the challenge in `card`, made with this key. `watch` is called again and again meanwhile.
    ///
    /// # Errors
    /// The server's refusal or failure; the watch's error.
    fn answer(&mut self, card: &CardParameters, key: AdminKeyVersion, watch: Watch<'_>)
    -> Result<AdminResponse, Cause>;

    /// The card's own key, to be written to it.
    ///
    /// # Errors
    /// As [`AdminKeySource::answer`]; no key.
    fn diversified_key(&mut self, card: &CardParameters, watch: Watch<'_>) -> Result<AdminKey, Cause>;
}

/// Writes the card's diversified key in place of the template's default one, in the session in which the card has taken the
/// server's answer with the default one; then has it take the server's answer with the new one, to a fresh challenge.
///
/// 8 commands on GIDS; on PIV 6, and those that ask for a hindrance. **Costs a try of the admin key where the card has another one than the
/// default one.** From the write on an interruption is not heeded: it would leave a card between two keys.
///
/// # Errors
/// The card's key can't be a server's: nothing was shown or written. A refused answer, a refused write: the old key stays. A write
/// without answer, a refused answer after the write: the effect says that the admin key is unknown.
pub fn replace(
    card: &mut HeldCard,
    record: Option<&Assignment>,
    source: &mut dyn AdminKeySource,
    interrupted: &AtomicBool,
    note: Note<'_>,
) -> Result<(), Cause> {
    card.at(Step::ReplaceAdminKey);
    if let Some(hindrance) = card.admin_key_hindrance()? {
        return Err(StageError::AdminKeyKept(KeptKey::Hindrance(hindrance)).into());
    }
    let key = {
        let parameters = card.parameters(record, challenge::parameter(None));
        source.diversified_key(&parameters, &mut card.watch(interrupted))?
    };
    if key.expose().len() != KEY {
        return Err(StageError::AdminKeyKept(KeptKey::NoKey).into());
    }
    let default = Showing { record, version: AdminKeyVersion::Default, reads_id: true, interrupted };
    shown(card, default, source, note).map_err(kept_for_its_challenge)?;
    if interrupted.load(Ordering::Relaxed) {
        return Err(Cause::Interrupted);
    }
    note(Moment::AboutToWrite)?;
    card.write_admin_key(&key)?;
    drop(key);
    note(Moment::Written)?;
    // The card ID was read since the diversified key was asked for, in the same transaction.
    let diversified = AdminKeyVersion::Diversified;
    prove_with(
        card,
        Showing { record, version: diversified, reads_id: false, interrupted: &AtomicBool::new(false) },
        source,
        note,
    )
}

/// Has the card take the server's answer with its diversified key, to a fresh challenge. 4 commands on GIDS, 3 on PIV. **Costs a try of the admin key where the card has another one.**
///
/// # Errors
/// Refused: nobody knows which key the card has. No answer: nothing is known that was not known before.
pub fn prove(
    card: &mut HeldCard,
    record: Option<&Assignment>,
    source: &mut dyn AdminKeySource,
    interrupted: &AtomicBool,
    note: Note<'_>,
) -> Result<(), Cause> {
    let showing = Showing { record, version: AdminKeyVersion::Diversified, reads_id: true, interrupted };
    prove_with(card, showing, source, note)
}

fn prove_with(
    card: &mut HeldCard,
    showing: Showing<'_>,
    source: &mut dyn AdminKeySource,
    note: Note<'_>,
) -> Result<(), Cause> {
    card.at(Step::ProveAdminKey);
    let mut is_proved = false;
    let result = shown(card, showing, source, &mut |moment| {
        is_proved |= moment == Moment::Proved(AdminKeyVersion::Diversified);
        note(moment)
    });
    if is_proved {
        card.admin_key_is_proved();
    }
    match result {
        Err(Cause::Card(error)) if is_refused_answer(&error) => {
            card.admin_key_is_unknown();
            Err(StageError::AdminKeyUnproven(error).into())
        }
        result => result.map_err(kept_for_its_challenge),
    }
}

/// No server has a documented answer to it.
fn kept_for_its_challenge(cause: Cause) -> Cause {
    match cause {
        Cause::Unanswerable(_) => StageError::AdminKeyKept(KeptKey::Challenge).into(),
        cause => cause,
    }
}

/// Bytes of a server's key: Triple DES.
const KEY: usize = 24;

/// What is shown to the card, and how.
#[derive(Clone, Copy)]
pub(super) struct Showing<'a> {
    /// The server's record of the card.
    pub(super) record: Option<&'a Assignment>,
    /// Which key the server answers with.
    pub(super) version: AdminKeyVersion,
    /// Whether the card ID is read again before.
    pub(super) reads_id: bool,
    /// Set by Ctrl-C.
    pub(super) interrupted: &'a AtomicBool,
}

/// Takes a challenge, has the server answer it with this key, and shows the card the answer. The card waits for nothing else.
pub(super) fn shown(
    card: &mut HeldCard,
    showing: Showing<'_>,
    source: &mut dyn AdminKeySource,
    note: Note<'_>,
) -> Result<(), Cause> {
    let Showing { record, version, reads_id, interrupted } = showing;
    let challenge = card.challenge()?;
    challenge::answerable(&challenge)?;
    let answer = {
        let parameters = card.parameters(record, challenge::parameter(Some(&challenge)));
        source.answer(&parameters, version, &mut card.watch(interrupted))?
    };
    can_be_an_answer(&answer, &challenge)?;
    if reads_id {
        card.bind(Proof::AdminAnswer)?
    } else {
        card.bind_insertion()?
    }
    if interrupted.load(Ordering::Relaxed) {
        return Err(Cause::Interrupted);
    }
    note(Moment::AboutToProve(version))?;
    card.authorize(&Credential::Answer(answer))?;
    note(Moment::Proved(version))
}

/// An answer that can't be right costs no try.
fn can_be_an_answer(answer: &AdminResponse, challenge: &Challenge) -> Result<(), CardError> {
    let (length, expected) = (answer.length(), challenge::parameter(Some(challenge)).len());
    if length == expected { Ok(()) } else { Err(CardError::AnswerLength { length, expected }) }
}

/// The card's refusal of the answer itself, and not that of a challenge or of the card ID.
fn is_refused_answer(error: &CardError) -> bool {
    matches!(
        error,
        CardError::Refused { command: "EXTERNAL AUTHENTICATE" | "GENERAL AUTHENTICATE (answer)", .. }
            | CardError::Wrong { .. }
    )
}
