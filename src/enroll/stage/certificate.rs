//! A certificate is written beside its key, and read back.

use crate::enroll::certificate::{self, thumbprint};
use crate::enroll::known::Known;
use crate::enroll::run::Run;
use crate::job::effect::Change;
use crate::job::journal::{Facts, Stage};
use crate::job::{Failure, Step, Stop};

impl Run<'_> {
    /// Writes the certificate that was issued for this key pair.
    pub(super) fn write_certificate(&mut self, index: usize, known: &Known) -> Result<(), Failure> {
        let pair = self.card_facts.take().and_then(|facts| facts.pairs.into_iter().nth(index));
        let Some((seen, issued)) = pair.and_then(|pair| Some((pair.seen, pair.certificate?))) else {
            return Err(self.failure(Stop::AnswerGone.into()));
        };
        if let Some(key) = &seen.key {
            let checked = certificate::check(&issued, key);
            self.failed(checked)?;
        }
        let keyring = self.keyring(known)?;
        let facts = Facts {
            pair: Some(index),
            slot: Some(seen.slot.to_string()),
            thumbprint: Some(thumbprint(&issued)),
            ..keyring.base.clone()
        };
        let result = self.with_rights(Step::WriteCertificate, &keyring, &facts, |card, rights, notes| {
            certificate::write(card, seen.slot, &issued, rights, &mut |moment| notes.note(moment))
        });
        self.pin = Some(keyring.pin);
        if let Err(failure) = &result
            && self.changed(Stage::Certificate) != (Change::New { verified: true })
        {
            self.note_failure(Stage::Certificate, failure, facts);
        }
        result
    }
}
