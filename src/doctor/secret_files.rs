//! Whether the file of each configured secret can be opened, and by nobody else. None is read, since nothing is done with it here.

use super::configuration::only_in_the_unit;
use super::finding::{Fault, Findings, Probe};
use super::running_as::RunningAs;
use crate::config::{SecretFile, Sources};
use crate::job::secrets::Need;
use crate::os::files::{open_regular, refuse_readable, refuse_writable};
use crate::os::service::credentials;

/// The secrets that a file may hold.
const NEEDS: [Need; 5] = [Need::AdminKey, Need::Puk, Need::AdminPin, Need::ResettingCode, Need::CurrentPin];

/// One line for each configured source.
pub(super) fn tell(sources: &Sources, running_as: &RunningAs, findings: &mut Findings) {
    for need in NEEDS {
        let probe = Probe::Secret(need);
        match sources.of(need) {
            None => {}
            Some(SecretFile::Credential(name)) if credentials().is_none() => {
                findings.unknown(probe, only_in_the_unit(name));
            }
            Some(file) => findings.result(probe, look(file, running_as)),
        }
    }
}

fn look(file: &SecretFile, running_as: &RunningAs) -> Result<String, Fault> {
    let path = match file {
        SecretFile::Path(path) => path.clone(),
        SecretFile::Credential(name) => credentials().unwrap_or_default().join(name),
    };
    running_as.sees(&path)?;
    let opened = open_regular(&path).map_err(|error| {
        Fault::new(
            format!("{}: {error}", path.display()),
            "put the secret there, let this user read it, or correct the key",
        )
    })?;
    let is_private = refuse_writable(&opened, &path).and_then(|()| refuse_readable(&opened, &path));
    is_private.map_err(|exposure| Fault::new(exposure.to_string(), exposure.remedy()))?;
    Ok(path.display().to_string())
}
