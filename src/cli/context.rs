//! What a command has besides its arguments: readers, environment, the two outputs and the interruption. Tests hand in
//! virtual readers and buffers; `main` hands in the real ones.

use std::ffi::OsString;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use serde::Serialize;

use super::error::CliError;
use super::screen::{Colours, Line, Screen, Tone};
use crate::foreign_text::{escaped, escaped_json};
use crate::reader::Readers;

/// What a command has besides its arguments.
pub struct CommandContext<'a> {
    /// The readers; `None` for those of the PC/SC service.
    pub readers: Option<&'a dyn Readers>,
    /// The environment: names and values.
    pub environment: Vec<(String, OsString)>,
    /// Standard output: it takes results and nothing else.
    pub out: &'a mut dyn Write,
    /// Standard error: it takes progress, warnings and errors.
    pub err: &'a mut dyn Write,
    /// Where the two outputs go.
    pub screen: Screen,
    /// Which of them are coloured.
    pub colours: Colours,
    /// Progress lines are welcome: standard error is a terminal, and no log tells the same.
    pub tells_progress: bool,
    /// A person may be asked for secrets.
    pub may_prompt: bool,
    /// Set by Ctrl-C and SIGTERM.
    pub interrupted: Arc<AtomicBool>,
}

impl CommandContext<'_> {
    /// Writes one line to standard error, whatever text stands in it: see [`foreign_text`](crate::foreign_text).
    pub fn say(&mut self, line: &str) {
        // A standard error that is closed can't be told of anywhere.
        drop(writeln!(self.err, "{}", escaped(line)));
    }

    /// Tells a warning on standard error.
    pub fn warn(&mut self, warning: &str) {
        self.say_line(&Line::new(Tone::Waiting, "warning: ").with(Tone::Plain, warning));
    }

    /// Writes one line with its tones to standard error.
    pub fn say_line(&mut self, line: &Line) {
        drop(writeln!(self.err, "{}", line.shown(self.colours.err)));
    }

    /// Writes one line with its tones to standard output.
    ///
    /// # Errors
    /// As [`CommandContext::print`].
    pub fn print_line(&mut self, line: &Line) -> Result<(), CliError> {
        self.put(&line.shown(self.colours.out))
    }

    /// Writes one line of the result to standard output, whatever text stands in it. A closed pipe is no error: whoever read it has read enough.
    ///
    /// # Errors
    /// [`CliError::Output`] with the line, where standard output can't be written to for another reason.
    pub fn print(&mut self, line: &str) -> Result<(), CliError> {
        self.put(&escaped(line))
    }

    /// Writes several lines of our own to standard output.
    ///
    /// # Errors
    /// As [`CommandContext::print`].
    pub fn print_lines(&mut self, lines: &str) -> Result<(), CliError> {
        lines.split('\n').try_for_each(|line| self.print(line))
    }

    /// Writes a text that the program has made from nothing foreign, such as a script for a shell, as it is.
    ///
    /// # Errors
    /// As [`CommandContext::print`].
    pub fn print_verbatim(&mut self, text: &str) -> Result<(), CliError> {
        self.put(text.trim_end_matches('\n'))
    }

    fn put(&mut self, line: &str) -> Result<(), CliError> {
        match writeln!(self.out, "{line}").and_then(|()| self.out.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(CliError::Output { unwritten: line.to_owned(), source: error })
            }
            _ => Ok(()),
        }
    }

    /// Writes one JSON object to standard output, on one line.
    ///
    /// # Errors
    /// As [`CommandContext::print`], and [`CliError::Json`].
    pub fn print_json(&mut self, value: &impl Serialize) -> Result<(), CliError> {
        self.put(&escaped_json(&serde_json::to_string(value).map_err(CliError::Json)?))
    }
}
