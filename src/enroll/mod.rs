//! A whole request, stage by stage: from an empty card to a certificate in use. The file to read first.
//!
//! [`run`] asks the journal, the server and the card what is so, has [`next::next`] decide which stage comes next, carries that one out,
//! and asks again. A stage notes in the journal what it is about to do before it does it: a run that is cut off anywhere is gone on
//! with by the same command.

pub mod admin_key;
pub mod certificate;
pub mod csr;
mod facts;
mod find_request;
pub mod job;
pub mod key_pair;
mod known;
mod look;
pub mod management;
pub mod moment;
pub mod next;
mod outlook;
pub mod plan;
pub mod record;
pub mod rules;
mod run;
mod server;
pub mod slots;
mod stage;
mod told;

use std::sync::atomic::AtomicBool;

use self::job::{Ended, EnrollJob};
use self::plan::EnrollPlan;
use self::run::Run;
use crate::job::elsewhere::OtherJournal;
use crate::job::journal::Journal;
use crate::job::supplier::Supplier;
use crate::job::{Failure, Step};
use crate::provision::mimcm::MimCm;
use crate::reader::Readers;

/// Whom an enrollment is done with.
pub struct EnrollDesk<'a> {
    /// The readers.
    pub readers: &'a dyn Readers,
    /// The server.
    pub server: &'a mut MimCm,
    /// Where it is noted what is about to be done; `None` only for cards that can't be lost (a recording).
    pub journal: Option<&'a Journal>,
    /// The journal of this machine's agent, for a job of somebody else's.
    pub elsewhere: Option<&'a dyn OtherJournal>,
    /// Whoever says yes, and supplies what the server does not.
    pub supplier: &'a mut dyn Supplier,
    /// Set by Ctrl-C.
    pub interrupted: &'a AtomicBool,
    /// Told of each step before it is taken.
    pub progress: &'a mut dyn FnMut(Step),
}

/// Carries out the card's request to its end, or to where somebody else has to do something.
///
/// Spends a try of nothing but what the PIN step's authority and a replaced admin key cost; never repeats what a card has
/// refused, nor a call that changes the server and whose answer was lost.
///
/// # Errors
/// A [`Failure`] says at which step, why, and what was changed on the card. The same job goes on from there.
pub fn run(job: &EnrollJob, desk: &mut EnrollDesk<'_>) -> Result<Ended, Failure> {
    let mut run = Run::begin(job, desk)?;
    let result = run.carry_on();
    run.end(result)
}

/// Says what [`run`] would do. Nothing is claimed, changed or noted.
///
/// # Errors
/// The card, the server or the journal can't be asked.
pub fn plan(job: &EnrollJob, desk: &mut EnrollDesk<'_>) -> Result<EnrollPlan, Failure> {
    Run::begin_to_plan(job, desk)?.plan()
}
