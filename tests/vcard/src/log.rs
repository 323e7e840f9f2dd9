//! The card's own record of what it was sent: what a test counts.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

/// One line for each event, written before the answer leaves the card; nothing where no file was asked for.
#[derive(Default)]
pub struct Log(Option<File>);

impl Log {
    /// Begins a new file.
    pub fn create(path: &Path) -> io::Result<Self> {
        Ok(Self(Some(File::create(path)?)))
    }

    /// `> HEX` and `< HEX`.
    pub fn exchange(&mut self, command: &[u8], response: &[u8]) -> io::Result<()> {
        self.line(&format!("> {}\n< {}\n", hex::encode_upper(command), hex::encode_upper(response)))
    }

    /// `# NAME`: power and resets.
    pub fn event(&mut self, name: &str) -> io::Result<()> {
        self.line(&format!("# {name}\n"))
    }

    fn line(&mut self, text: &str) -> io::Result<()> {
        // One write: a reader of the file sees whole lines.
        self.0.as_mut().map_or(Ok(()), |file| file.write_all(text.as_bytes()))
    }
}
