//! Whether the journal can be kept: without it no card is written to.

use std::path::Path;

use super::finding::{Fault, Findings, Probe};
use super::running_as::RunningAs;
use crate::error_text::error_text;
use crate::job::journal::Journal;
use crate::os::files::can_create_in;

/// A folder that is not there is not made, since it would belong to whoever looks.
pub(super) fn tell(journal: Option<&Journal>, running_as: &RunningAs, findings: &mut Findings) {
    findings.result(Probe::Journal, look(journal, running_as));
}

fn look(journal: Option<&Journal>, running_as: &RunningAs) -> Result<String, Fault> {
    let journal = journal.ok_or_else(|| Fault::new("no folder for it", "set `journal.dir`"))?;
    let folder = journal.folder();
    running_as.writes(folder)?;
    if folder.exists() {
        journal.probe().map_err(|error| Fault::new(error_text(&error), error.remedy()))?;
        return Ok(folder.display().to_string());
    }
    let there = folder.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("/"));
    if !there.is_dir() {
        let (folder, file) = (folder.display(), there.display());
        let remedy = format!("move {file} away, or set `journal.dir` to another folder");
        return Err(Fault::new(format!("{folder} can't be made: {file} is no folder"), remedy));
    }
    match can_create_in(there) {
        Ok(()) => Ok(format!("{} (will be made)", folder.display())),
        Err(error) => Err(Fault::new(
            format!("{} can't be made in {}: {error}", folder.display(), there.display()),
            format!(
                "let this user write to {}, or set `journal.dir` to a folder that it may write to",
                there.display()
            ),
        )),
    }
}
