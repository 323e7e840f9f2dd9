//! The last lines that the agent has logged, as the service manager keeps them.
//!
//! systemd's journal is asked by its own program (journalctl(1)). It shows a person what that person may see.

use std::process::{Command, Stdio};

use super::unit;

/// Why there are none.
#[derive(Debug, thiserror::Error)]
pub enum NoLog {
    /// The program can't be run.
    #[error("journalctl can't be run")]
    NotHere(#[source] std::io::Error),
    /// It ended with an error.
    #[error("journalctl failed: {0}")]
    Failed(String),
}

/// The last lines of the agent's units, of the system's and of this person's; none where nothing was logged, or this user may not
/// see it.
///
/// # Errors
/// There is no journal of systemd's.
pub fn last_lines(count: usize) -> Result<Vec<String>, NoLog> {
    let lines = |of: &str| {
        let mut show = Command::new("journalctl");
        show.args(["--no-pager", "--quiet", "--output=short-iso", of, unit::NAME, "--lines", &count.to_string()]);
        let output = show.stdin(Stdio::null()).output().map_err(NoLog::NotHere)?;
        if !output.status.success() {
            return Err(NoLog::Failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
        }
        Ok(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect::<Vec<_>>())
    };
    let mut found = lines("--unit")?;
    found.extend(lines("--user-unit")?);
    Ok(found)
}
