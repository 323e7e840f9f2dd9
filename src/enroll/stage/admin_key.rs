//! The card's admin key is replaced by the server's, and proved.

use super::note::{CardNotes, facts};
use crate::enroll::admin_key::{prove, replace};
use crate::enroll::known::Known;
use crate::enroll::run::Run;
use crate::enroll::server::AdminKeys;
use crate::job::effect::Change;
use crate::job::journal::Stage;
use crate::job::{Failure, Step};
use crate::server::AdminKeyVersion;

impl Run<'_> {
    /// Writes the card's own key in place of the template's, and has the card prove it.
    pub(super) fn replace_admin_key(&mut self, known: &Known) -> Result<(), Failure> {
        self.admin_key(Step::ReplaceAdminKey, known)
    }

    /// Has the card prove the key that an earlier run has written.
    pub(super) fn prove_admin_key(&mut self, known: &Known) -> Result<(), Failure> {
        self.admin_key(Step::ProveAdminKey, known)
    }

    fn admin_key(&mut self, step: Step, known: &Known) -> Result<(), Failure> {
        let (base, record) = (facts(&self.card, &known.facts), self.record(known)?);
        self.answer_may_be_shown(match step {
            Step::ReplaceAdminKey => AdminKeyVersion::Default,
            _ => AdminKeyVersion::Diversified,
        })?;
        let (request, smartcard) = (record.request.unwrap_or_default(), record.smartcard);
        let result = self.with_card(step, |run, card| {
            let mut notes = CardNotes { log: &mut run.log, base: base.clone(), pair: base.clone() };
            let mut note = |moment| notes.note(moment);
            let mut source = AdminKeys { server: &mut run.server, request, smartcard };
            match step {
                Step::ReplaceAdminKey => replace(card, Some(&record), &mut source, run.interrupted, &mut note),
                _ => prove(card, Some(&record), &mut source, run.interrupted, &mut note),
            }
        });
        if let Err(failure) = &result {
            // Before the write nothing but the proof was at risk.
            let is_as_before = self.changed(Stage::AdminKey) == Change::AsBefore;
            let stage = if is_as_before { Stage::Prove } else { Stage::AdminKey };
            self.note_failure(stage, failure, base);
        }
        result
    }
}
