//! One file a stage: what it notes, what it asks of the server or of the card, and what it notes then.

mod admin_key;
mod bind;
mod certificate;
mod completion;
mod key_pair;
mod note;
mod pin;
mod request;
mod retirement;
mod rights;
mod submission;
mod wipe;

pub(super) use self::rights::assignment;
use super::known::Known;
use super::next::Next;
use super::run::Run;
use crate::job::Failure;

impl Run<'_> {
    /// Carries out one stage.
    pub(super) fn carry_out(&mut self, stage: Next, known: &Known) -> Result<(), Failure> {
        let interrupted = self.go_on();
        self.failed(interrupted)?;
        match stage {
            Next::Create => self.create_request(known),
            Next::Bind => self.bind(known),
            Next::ReplaceAdminKey => self.replace_admin_key(known),
            Next::ProveAdminKey => self.prove_admin_key(known),
            Next::SetPin => self.set_pin(known),
            Next::Generate(index) => self.generate(index, known),
            Next::Adopt(index) => self.adopt(index, known),
            Next::Submit => self.submit(known),
            Next::Write(index) => self.write_certificate(index, known),
            Next::Wipe => self.wipe(known),
            Next::Retire => self.retire(known),
            Next::Complete => self.complete(known),
            // The loop ends with these.
            Next::AwaitApproval | Next::Done | Next::Stop(_) => Ok(()),
        }
    }
}
