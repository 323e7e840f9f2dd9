//! What a command touches besides its arguments. Tests hand in virtual readers and buffers; `main` hands in the real ones.

use std::ffi::OsString;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::error::CliError;
use super::output;
use crate::reader::Readers;

/// The command's surroundings.
pub struct World<'a> {
    /// The readers; `None` for those of the PC/SC service.
    pub readers: Option<&'a dyn Readers>,
    /// The environment.
    pub environment: Vec<(String, OsString)>,
    /// Data: results and nothing else.
    pub out: &'a mut dyn Write,
    /// Talk: progress, warnings, errors.
    pub err: &'a mut dyn Write,
    /// Talk goes to a terminal: progress lines are welcome.
    pub err_is_terminal: bool,
    /// A person may be asked for secrets.
    pub may_prompt: bool,
    /// Set by Ctrl-C and SIGTERM.
    pub interrupted: Arc<AtomicBool>,
}

impl World<'_> {
    /// One line of talk.
    pub fn say(&mut self, line: &str) {
        // Nobody is left to tell that stderr is closed.
        drop(writeln!(self.err, "{line}"));
    }

    /// One line of data.
    ///
    /// # Errors
    /// The output is gone for another reason than a closed pipe.
    pub fn print(&mut self, line: &str) -> Result<(), CliError> {
        match writeln!(self.out, "{line}").and_then(|()| self.out.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(CliError::Output { unwritten: line.to_owned(), source: error })
            }
            _ => Ok(()),
        }
    }

    /// One JSON object, on one line.
    ///
    /// # Errors
    /// As [`World::print`].
    pub fn print_json(&mut self, value: &serde_json::Value) -> Result<(), CliError> {
        self.print(&value.to_string())
    }

    /// The error, its causes, the card's state and what to do.
    pub fn complain(&mut self, error: &CliError) {
        for line in output::error_lines(error) {
            self.say(&line);
        }
    }
}
