//! Everything that was found, with versions, configuration and the agent's last log lines, in one text file for a ticket: secrets and
//! names masked.
//!
//! The PC/SC service's own log is left out: it may hold APDUs, and PINs in them.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use thiserror::Error;

use super::finding::{Finding, Findings, Name, State};
use super::mask::Mask;
use crate::config::{Explained, Setting};
use crate::error_text::error_text;
use crate::foreign_text::escaped;
use crate::operation::Operation;
use crate::os::files::private_options;
use crate::os::{account, machine, unit_log};

/// So many lines of each unit's log.
const LOG_LINES: usize = 300;

/// Why there is no bundle.
#[derive(Debug, Error)]
#[error("the bundle can't be written to {}", .path.display())]
pub struct BundleError {
    /// The file.
    pub path: PathBuf,
    /// Why.
    #[source]
    pub source: io::Error,
}

/// A file that is made and not yet written. Dropped like that, it goes again.
#[derive(Debug)]
pub struct Bundle {
    path: PathBuf,
    /// `None` once it is written.
    file: Option<File>,
}

impl Bundle {
    /// Makes the file, for this user alone (mode 0600 on Unix), and never over one that is there, be it a link.
    ///
    /// # Errors
    /// It is there, or can't be made.
    pub fn create(path: &Path) -> Result<Self, BundleError> {
        let file = private_options().write(true).create_new(true).open(path);
        let file = file.map_err(|source| BundleError { path: path.to_owned(), source })?;
        Ok(Self { path: path.to_owned(), file: Some(file) })
    }

    /// Writes it.
    ///
    /// # Errors
    /// The system's; the file is gone again then.
    pub fn write(
        mut self,
        findings: &Findings,
        explained: Option<&Explained>,
        environment: &[(String, OsString)],
    ) -> Result<(), BundleError> {
        let text = text(findings, explained, environment);
        let written =
            self.file.as_mut().map_or(Ok(()), |file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()));
        written.map_err(|source| BundleError { path: self.path.clone(), source })?;
        self.file = None;
        Ok(())
    }
}

impl Drop for Bundle {
    fn drop(&mut self) {
        if self.file.take().is_some() {
            // It was made by us a moment ago; where it can't be removed it stays, empty.
            drop(fs::remove_file(&self.path));
        }
    }
}

fn text(findings: &Findings, explained: Option<&Explained>, environment: &[(String, OsString)]) -> String {
    let mut mask = Mask::new(names(findings, environment));
    if let Some(server) = explained.and_then(|explained| explained.config.server.as_ref()) {
        server.hand_over_secrets(&mut |secret| mask.hide(secret));
    }
    let mut lines = vec![
        format!("{} bundle, format 1", Operation::Doctor),
        "Names and secrets are masked: the same <...> stands for the same name. Read it before you send it.".to_owned(),
    ];
    let sections = [
        ("versions", versions()),
        ("doctor", findings.list().iter().flat_map(finding_lines).collect()),
        ("configuration", explained.map_or_else(|| vec!["can't be used: see above".to_owned()], configuration)),
        ("log of pinwright-agent, its last lines", log()),
    ];
    for line in sections.iter().flat_map(|(_, content)| content) {
        mask.learn(line);
    }
    for (title, content) in &sections {
        lines.push(format!("\n== {title}"));
        lines.extend(content.iter().map(|line| mask.text(&escaped(line))));
    }
    lines.push(String::new());
    lines.join("\n")
}

fn versions() -> Vec<String> {
    let moment =
        jiff::Timestamp::try_from(SystemTime::now()).map(|now| now.strftime("%Y-%m-%d %H:%M:%S UTC").to_string());
    let pcscd = machine::card_service().map_or_else(
        || "its program is not here".to_owned(),
        |release| format!("{} ({} polkit)", release.version, if release.has_polkit { "with" } else { "without" }),
    );
    vec![
        format!("made       {}", moment.unwrap_or_default()),
        format!("pinwright  {}", env!("CARGO_PKG_VERSION")),
        format!("system     {}", machine::system()),
        format!("kernel     {}", machine::kernel()),
        format!("pcscd      {pcscd}"),
    ]
}

fn finding_lines(finding: &Finding) -> Vec<String> {
    let Finding { probe, state, reason, remedy, .. } = finding;
    let state = match state {
        State::Ok => "ok",
        State::Warning => "warning",
        State::Failed => "FAILED",
        State::Unknown => "unknown",
        State::Skipped => "skipped",
    };
    let said = format!("{state:<8} {}: {reason}", probe.name());
    [Some(said), remedy.as_ref().map(|remedy| format!("         do: {remedy}"))].into_iter().flatten().collect()
}

/// As `config show` has it: secrets are named by their sources there.
fn configuration(explained: &Explained) -> Vec<String> {
    let files = explained.files.iter().map(|file| format!("read: {}", file.display()));
    let profiles = explained.profiles.iter().map(|(name, origin)| format!("card.profile {name:?}  # {origin}"));
    files.chain(explained.settings.iter().map(Setting::to_string)).chain(profiles).collect()
}

fn log() -> Vec<String> {
    match unit_log::last_lines(LOG_LINES) {
        Ok(lines) if lines.is_empty() => {
            vec![
                "none: it has logged nothing, or this user may not see it (root, and the group systemd-journal, may)"
                    .to_owned(),
            ]
        }
        Ok(lines) => lines,
        Err(error) => vec![format!("none: {}", error_text(&error))],
    }
}

/// The names that are known: those of the probes, and who and where this is.
fn names(findings: &Findings, environment: &[(String, OsString)]) -> Vec<Name> {
    let variable = |wanted: &str| {
        let found = environment.iter().find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.to_string_lossy().into_owned()).filter(|value| !value.is_empty())
    };
    let home =
        variable("HOME").and_then(|home| Path::new(&home).file_name().map(|name| name.to_string_lossy().into_owned()));
    let users = ["USER", "LOGNAME", "SUDO_USER", "USERNAME"]
        .into_iter()
        .filter_map(variable)
        .chain(home)
        .chain(account::own_name());
    findings.names().iter().cloned().chain(machine::name().map(Name::Host)).chain(users.map(Name::User)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::testing;

    #[test]
    fn a_bundle_is_this_users_alone_and_never_over_another_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bundle.txt");
        drop(Bundle::create(&path).unwrap());
        assert!(!path.exists(), "one that is not written goes again");
        Bundle::create(&path).unwrap().write(&Findings::default(), None, &[]).unwrap();
        assert!(fs::read_to_string(&path).unwrap().starts_with("pinwright doctor bundle, format 1\n"));
        assert!(testing::mode_of(&path).is_none_or(|mode| mode == 0o600));
        let again = Bundle::create(&path).unwrap_err();
        assert_eq!(again.source.kind(), io::ErrorKind::AlreadyExists);
    }
}
