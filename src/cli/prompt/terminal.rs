//! The controlling terminal of a Unix process.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Read, Write};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};

use crate::secret::SecretBytes;

const CTRL_C: u8 = 0x03;
const CTRL_D: u8 = 0x04;
const BACKSPACE: u8 = 0x08;
const CTRL_U: u8 = 0x15;
const DELETE: u8 = 0x7F;

/// Longest entry: an admin key has 48 digits, a PIN at most 127 characters.
const ENTRY_MAX: usize = 128;

/// Whether a person is there to be asked: standard input and the controlling terminal.
#[must_use]
pub fn is_interactive() -> bool {
    io::stdin().is_terminal() && open().is_ok()
}

fn open() -> io::Result<File> {
    OpenOptions::new().read(true).write(true).open("/dev/tty")
}

/// The controlling terminal.
pub struct Terminal {
    tty: File,
}

impl Terminal {
    /// Opens it.
    ///
    /// # Errors
    /// The process has none.
    pub fn open() -> io::Result<Self> {
        open().map(|tty| Self { tty })
    }

    /// Asks for a secret. `None` when the person pressed Ctrl-C or Ctrl-D, or hung up, or when `go_on`, which is called
    /// several times a second, says no: the terminal is put back in order either way.
    ///
    /// # Errors
    /// The terminal failed.
    pub fn secret(&mut self, question: &str, go_on: &mut dyn FnMut() -> bool) -> io::Result<Option<SecretBytes>> {
        self.say(question)?;
        let raw = RawMode::enter(&self.tty)?;
        let mut entry = SecretBytes::with_capacity(ENTRY_MAX);
        let mut key = zeroize::Zeroizing::new([0_u8; 1]);
        let result = loop {
            if !go_on() {
                break None;
            }
            if !self.readable()? {
                continue;
            }
            if (&self.tty).read(key.as_mut_slice())? == 0 {
                break None;
            }
            match key[0] {
                b'\r' | b'\n' => break Some(entry),
                CTRL_C | CTRL_D => break None,
                BACKSPACE | DELETE => entry.pop(),
                CTRL_U => entry = SecretBytes::with_capacity(ENTRY_MAX),
                // An entry that is too long is refused later by its own rules; here it just stops growing.
                byte => drop(entry.append(&[byte])),
            }
        };
        drop(raw);
        self.say("\n")?;
        Ok(result)
    }

    /// Asks yes or no. `go_on` is called several times a second meanwhile; its `false` ends the wait with `None`.
    ///
    /// # Errors
    /// The terminal failed.
    pub fn confirm(&mut self, question: &str, go_on: &mut dyn FnMut() -> bool) -> io::Result<Option<bool>> {
        self.say(question)?;
        let mut line = Vec::new();
        loop {
            if !go_on() {
                self.say("\n")?;
                return Ok(None);
            }
            if !self.readable()? {
                continue;
            }
            let mut byte = [0_u8; 1];
            if (&self.tty).read(&mut byte)? == 0 || byte == *b"\n" {
                break;
            }
            line.extend(byte);
        }
        let answer = String::from_utf8_lossy(&line).trim().to_lowercase();
        Ok(Some(answer == "y" || answer == "yes"))
    }

    fn readable(&self) -> io::Result<bool> {
        let mut polled = [PollFd::new(&self.tty, PollFlags::IN)];
        let wait = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
        match poll(&mut polled, Some(&wait)) {
            Ok(ready) => Ok(ready > 0),
            Err(rustix::io::Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Says something on the terminal itself, where redirections don't reach.
    ///
    /// # Errors
    /// The terminal failed.
    pub fn say(&mut self, text: &str) -> io::Result<()> {
        self.tty.write_all(text.as_bytes())?;
        self.tty.flush()
    }
}

/// No echo, no line buffer, no signals from keys; what was before comes back when dropped.
struct RawMode<'a> {
    tty: &'a File,
    before: Termios,
}

impl<'a> RawMode<'a> {
    fn enter(tty: &'a File) -> io::Result<Self> {
        let before = tcgetattr(tty)?;
        let mut raw = before.clone();
        raw.local_modes.remove(LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ICANON | LocalModes::ISIG);
        raw.special_codes[SpecialCodeIndex::VMIN] = 1;
        raw.special_codes[SpecialCodeIndex::VTIME] = 0;
        // Now, not flushing: what a script has typed ahead is meant for us.
        tcsetattr(tty, OptionalActions::Drain, &raw)?;
        Ok(Self { tty, before })
    }
}

impl Drop for RawMode<'_> {
    fn drop(&mut self) {
        // Nothing can be done about a terminal that is gone.
        let _ = tcsetattr(self.tty, OptionalActions::Drain, &self.before);
    }
}
