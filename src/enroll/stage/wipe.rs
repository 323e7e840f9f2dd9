//! What a card holds of keys and certificates is erased, as far as its family has commands for that.

use super::note::facts;
use crate::card::{Family, Held, HeldKey, Proof, Tries};
use crate::enroll::known::Known;
use crate::enroll::management::{Management, unlock};
use crate::enroll::run::Run;
use crate::enroll::server::AdminKeys;
use crate::job::effect::Change;
use crate::job::held::HeldCard;
use crate::job::{Cause, Failure, Step};
use crate::server::AdminKeyVersion;

impl Run<'_> {
    /// Erases every key and certificate that the card tells of. A GIDS card wants its current PIN for that, which a person gives: **a
    /// wrong one costs a try.** A PIV card wants its management key, and keeps its private keys: it has no command that deletes one.
    pub(super) fn wipe(&mut self, known: &Known) -> Result<(), Failure> {
        self.at(Step::Wipe);
        let record = self.record(known)?;
        let (request, smartcard) = (record.request.unwrap_or_default(), record.smartcard);
        let local = self.local_management_key(matches!(self.log.admin_key_replaced(), Change::New { .. }))?;
        let version = match self.card.family {
            Family::Piv if local.is_none() => self.key_version_in_use(known)?,
            // No answer of the server's is shown.
            Family::Piv | Family::Gids | Family::OpenPgp | Family::Iso7816 => AdminKeyVersion::Default,
        };
        if self.card.family == Family::Piv && local.is_none() {
            self.answer_may_be_shown(version)?;
        }
        let pin = match self.card.family {
            Family::Piv => None,
            Family::Gids | Family::OpenPgp | Family::Iso7816 => {
                let pin = self.supplier.current_pin();
                Some(self.failed(pin.map_err(Cause::from))?)
            }
        };
        let min = self.job.rules.min_tries_left;
        let base = facts(&self.card, &known.facts);
        let wiped = self.with_card(Step::Wipe, |run, card| {
            if let Some(pin) = &pin {
                let tries = card.tries_to_risk(Proof::CurrentPin)?;
                if let Tries::Left { left, .. } = tries
                    && left < min
                {
                    return Err(Cause::FewTries { what: "PIN", left, min });
                }
                card.show_pin(pin)?;
            }
            let mut notes = super::note::CardNotes { log: &mut run.log, base: base.clone(), pair: base.clone() };
            let mut source = AdminKeys { server: &mut run.server, request, smartcard };
            let mut management = match &local {
                Some(key) => Management::AdminKey(key),
                None => Management::Server { source: &mut source, version, record: Some(&record) },
            };
            unlock(card, &mut management, run.interrupted, &mut |moment| notes.note(moment))?;
            card.at(Step::Wipe);
            erase_all(card)
        })?;
        self.wiped = wiped;
        Ok(())
    }
}

/// Erases slot by slot; gives what was erased and what stays, as clauses.
fn erase_all(card: &mut HeldCard) -> Result<Vec<String>, Cause> {
    let held = card.held_keys()?;
    let erase = |held: Held| {
        let what = match card.erase(held.slot)? {
            true => "key and certificate erased",
            false if held.key == HeldKey::None => "certificate removed",
            false => "certificate removed; the private key stays, which no command of such a card deletes",
        };
        Ok(format!("{}: {what}", held.slot))
    };
    held.into_iter().map(erase).collect()
}
