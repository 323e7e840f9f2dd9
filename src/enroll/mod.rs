//! A whole request, stage by stage: from an empty card to a certificate in use.
//!
//! [`next`] decides which stage comes next, and is the file to read first.

pub mod admin_key;
pub mod certificate;
pub mod csr;
pub mod job;
pub mod key_pair;
pub mod management;
pub mod moment;
pub mod next;
pub mod plan;
pub mod rules;
pub mod slots;

use std::sync::atomic::AtomicBool;

use self::job::{Ended, EnrollJob};
use self::plan::EnrollPlan;
use crate::job::elsewhere::OtherJournal;
use crate::job::journal::Journal;
use crate::job::supplier::Supplier;
use crate::job::{Failure, Step, Stop};
use crate::provision;
use crate::reader::Readers;

/// Whom an enrollment is done with.
pub struct EnrollDesk<'a> {
    /// The readers.
    pub readers: &'a dyn Readers,
    /// The server.
    pub server: &'a mut provision::mimcm::MimCm,
    /// Where it is noted what is about to be done.
    pub journal: Option<&'a Journal>,
    /// The journal of this machine's agent.
    pub elsewhere: Option<&'a dyn OtherJournal>,
    /// Whoever supplies what the server does not.
    pub supplier: &'a mut dyn Supplier,
    /// Set by Ctrl-C.
    pub interrupted: &'a AtomicBool,
    /// Told of each step before it is taken.
    pub progress: &'a mut dyn FnMut(Step),
}

/// Stands here until the runner is merged.
///
/// # Errors
/// Always.
pub fn run(job: &EnrollJob, _desk: &mut EnrollDesk<'_>) -> Result<Ended, Failure> {
    Err(Failure::before_any_effect(Step::Resolve, &job.reader, job.card_id, Stop::NoRequest.into()))
}

/// Stands here until the runner is merged.
///
/// # Errors
/// Always.
pub fn plan(job: &EnrollJob, _desk: &mut EnrollDesk<'_>) -> Result<EnrollPlan, Failure> {
    Err(Failure::before_any_effect(Step::Resolve, &job.reader, job.card_id, Stop::NoRequest.into()))
}
