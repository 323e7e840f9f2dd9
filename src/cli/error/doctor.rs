//! What `doctor` can end with.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::doctor::bundle::BundleError;
use crate::doctor::{Finding, Findings, State};
use crate::exit::Exit;

/// Something is not well, or the bundle can't be written.
#[derive(Debug, Error)]
pub enum DoctorError {
    /// What was found, with at least one thing that fails.
    #[error("not well: {}", failed(.findings.list()))]
    Failed {
        /// What was found.
        findings: Findings,
        /// Where the bundle is, where one was asked for.
        bundle: Option<PathBuf>,
    },
    /// The bundle's file.
    #[error(transparent)]
    Bundle(BundleError),
}

/// The names of what fails, each once.
fn failed(findings: &[Finding]) -> String {
    let mut names: Vec<&str> = Vec::new();
    for finding in findings.iter().filter(|finding| finding.state == State::Failed) {
        if !names.contains(&finding.probe.name()) {
            names.push(finding.probe.name());
        }
    }
    names.join(", ")
}

impl DoctorError {
    /// The exit code.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Failed { findings, .. } => findings.exit(),
            Self::Bundle(_) => Exit::Usage,
        }
    }

    /// What to do next, as an imperative sentence without a full stop.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Failed { .. } => {
                "begin with the first line that is marked FAIL: later ones may follow from it".to_owned()
            }
            Self::Bundle(error) if error.source.kind() == io::ErrorKind::AlreadyExists => {
                "name a file that is not there: an existing one is never overwritten".to_owned()
            }
            Self::Bundle(_) => "name a file in a folder that you may write to".to_owned(),
        }
    }
}
