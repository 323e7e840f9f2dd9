//! Whom a job is done with: readers, server, journal, people.

use std::sync::atomic::{AtomicBool, Ordering};

use super::elsewhere::OtherJournal;
use super::issuer::Issuer;
use super::journal::Journal;
use super::step::Step;
use super::supplier::Supplier;
use crate::reader::Readers;

/// Whom a job is done with.
pub struct Desk<'a> {
    /// The readers.
    pub readers: &'a dyn Readers,
    /// The server.
    pub issuer: &'a mut dyn Issuer,
    /// Where it is noted what is about to be done to the card; `None` only for cards that can't be lost (a recording).
    pub journal: Option<&'a Journal>,
    /// The journal of this machine's agent, for a job of somebody else's.
    pub elsewhere: Option<&'a dyn OtherJournal>,
    /// Whoever supplies what the server does not.
    pub supplier: &'a mut dyn Supplier,
    /// Set by Ctrl-C.
    pub interrupted: &'a AtomicBool,
    /// Told of each step before it is taken.
    pub progress: &'a mut dyn FnMut(Step),
}

impl Desk<'_> {
    /// Whether somebody wants the job to stop where it does no harm.
    #[must_use]
    pub fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }
}
