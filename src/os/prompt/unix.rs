//! The controlling terminal of a Unix process.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Read, Write};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::termios::{
    InputModes, LocalModes, OptionalActions, QueueSelector, SpecialCodeIndex, Termios, tcflush, tcgetattr, tcsetattr,
};

use super::shown;
use crate::secret::SecretBytes;

const BACKSPACE: u8 = 0x08;
const CTRL_U: u8 = 0x15;
const DELETE: u8 = 0x7F;

/// No key (`_POSIX_VDISABLE`).
const NO_KEY: u8 = if cfg!(any(target_os = "linux", target_os = "android")) { 0 } else { 0xFF };

/// Longest entry: an admin key has 48 digits, a PIN at most 127 characters.
const ENTRY_MAX: usize = 128;

/// Longest pasted line: the kernel keeps no more of one (N_TTY_BUF_SIZE).
const LINE_MAX: usize = 4096;

/// Whether a person is there to be asked: standard input and the controlling terminal.
#[must_use]
pub fn is_interactive() -> bool {
    io::stdin().is_terminal() && open().is_ok()
}

/// Whether a person can be asked for a yes: beside what a secret needs, standard error, where they read what it is about.
#[must_use]
pub fn can_confirm() -> bool {
    io::stderr().is_terminal() && is_interactive()
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
    /// several times a second, says no: the terminal is put back in order either way, and what was typed by then is thrown
    /// away. Lines that follow the secret stay for whoever asks next.
    ///
    /// Ctrl-C reaches the process as SIGINT; whoever calls this has a handler for it, which `go_on` knows of.
    ///
    /// # Errors
    /// The terminal failed.
    pub fn secret(&mut self, question: &str, go_on: &mut dyn FnMut() -> bool) -> io::Result<Option<SecretBytes>> {
        self.ask(question, ENTRY_MAX, go_on)
    }

    /// The same for an address with a code, which is pasted: up to 4,000 characters, as long as a line of a terminal can be.
    ///
    /// # Errors
    /// As [`Terminal::secret`].
    pub fn long_secret(&mut self, question: &str, go_on: &mut dyn FnMut() -> bool) -> io::Result<Option<SecretBytes>> {
        self.ask(question, LINE_MAX, go_on)
    }

    fn ask(&mut self, question: &str, most: usize, go_on: &mut dyn FnMut() -> bool) -> io::Result<Option<SecretBytes>> {
        self.say(&shown(question))?;
        let mut silent = Silent::enter(&self.tty)?;
        let entry = self.entry(silent.give_up, most, go_on)?;
        if entry.is_some() {
            silent.leftovers = OptionalActions::Drain;
        }
        drop(silent);
        match (entry, self.say("\n")) {
            (Some(_), Err(error)) => Err(error),
            (entry, _) => Ok(entry),
        }
    }

    /// One line, byte by byte: the kernel hands it over when it is ended, and keeps what follows.
    fn entry(&self, give_up: u8, most: usize, go_on: &mut dyn FnMut() -> bool) -> io::Result<Option<SecretBytes>> {
        let mut entry = SecretBytes::with_capacity(most);
        let mut key = zeroize::Zeroizing::new([0_u8; 1]);
        loop {
            if !go_on() {
                return Ok(None);
            }
            if !self.readable()? {
                continue;
            }
            match (&self.tty).read(key.as_mut_slice()) {
                Ok(0) => return Ok(None),
                Ok(_) => {}
                Err(error) if error.raw_os_error() == Some(Errno::IO.raw_os_error()) => return Ok(None),
                Err(error) => return Err(error),
            }
            match key[0] {
                b'\r' | b'\n' => return Ok(Some(entry)),
                byte if byte == give_up => return Ok(None),
                // Where the terminal's own keys for these are others.
                BACKSPACE | DELETE => entry.pop(),
                CTRL_U => entry = SecretBytes::with_capacity(most),
                // An entry that is too long is refused later by its own rules; here it just stops growing.
                byte => drop(entry.append(&[byte])),
            }
        }
    }

    /// Asks yes or no, in one line or several. What was typed before the question was there is no answer to it, and is thrown away. `go_on` is called several times a second meanwhile; its `false` ends the wait with `None`.
    ///
    /// # Errors
    /// The terminal failed.
    pub fn confirm(&mut self, question: &str, go_on: &mut dyn FnMut() -> bool) -> io::Result<Option<bool>> {
        tcflush(&self.tty, QueueSelector::IFlush)?;
        self.say(&shown(question))?;
        let Some(Typed { line, .. }) = self.typed(go_on)? else { return Ok(None) };
        let answer = String::from_utf8_lossy(&line).trim().to_lowercase();
        Ok(Some(answer == "y" || answer == "yes"))
    }

    /// Asks for a text that is no secret: what is typed is shown. `None` when the person pressed Ctrl-C or Ctrl-D, or hung up, or when
    /// `go_on`, which is called several times a second, says no. What a script has typed ahead is meant for us.
    ///
    /// # Errors
    /// The terminal failed, or gave what is no UTF-8.
    pub fn line(&mut self, question: &str, go_on: &mut dyn FnMut() -> bool) -> io::Result<Option<String>> {
        self.say(&shown(question))?;
        match self.typed(go_on)? {
            Some(Typed { line, is_ended: true }) => {
                let text = String::from_utf8(line);
                text.map(Some).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.utf8_error()))
            }
            Some(Typed { is_ended: false, .. }) => {
                self.say("\n")?;
                Ok(None)
            }
            None => Ok(None),
        }
    }

    /// One line with echo; `None` where `go_on` has ended the wait.
    fn typed(&mut self, go_on: &mut dyn FnMut() -> bool) -> io::Result<Option<Typed>> {
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
            let is_ended = match (&self.tty).read(&mut byte)? {
                0 => false,
                _ if byte == *b"\n" => true,
                _ => {
                    line.extend(byte);
                    continue;
                }
            };
            return Ok(Some(Typed { line, is_ended }));
        }
    }

    fn readable(&self) -> io::Result<bool> {
        let mut polled = [PollFd::new(&self.tty, PollFlags::IN)];
        let wait = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
        match poll(&mut polled, Some(&wait)) {
            Ok(ready) => Ok(ready > 0),
            Err(Errno::INTR) => Ok(false),
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

/// What was typed.
struct Typed {
    line: Vec<u8>,
    /// By Enter; else the person gave up.
    is_ended: bool,
}

/// No echo, and whole lines; what was before comes back when dropped.
///
/// Lines without echo are what the kernel takes for a password: it keeps them out of the audit log (pam_tty_audit) and wipes
/// its buffer behind them. It does neither for keys that are read one by one.
struct Silent<'a> {
    tty: &'a File,
    before: Termios,
    /// The key that gives up (Ctrl-D): it ends the line, as if it were Enter, and is its last byte.
    give_up: u8,
    /// What becomes of input that was not read: half a secret is not for the next program.
    leftovers: OptionalActions,
}

impl<'a> Silent<'a> {
    fn enter(tty: &'a File) -> io::Result<Self> {
        let before = tcgetattr(tty)?;
        let give_up = before.special_codes[SpecialCodeIndex::VEOF];
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO | LocalModes::ECHONL);
        // Ctrl-C throws nothing away by itself: a read that was about to find a line would wait for the next one.
        silent.local_modes.insert(LocalModes::ICANON | LocalModes::ISIG | LocalModes::NOFLSH);
        silent.input_modes.remove(InputModes::IGNCR | InputModes::INLCR);
        silent.input_modes.insert(InputModes::ICRNL);
        silent.special_codes[SpecialCodeIndex::VEOF] = NO_KEY;
        silent.special_codes[SpecialCodeIndex::VEOL] = give_up;
        // These would leave the shell with a terminal that shows nothing.
        silent.special_codes[SpecialCodeIndex::VQUIT] = NO_KEY;
        silent.special_codes[SpecialCodeIndex::VSUSP] = NO_KEY;
        #[cfg(target_os = "macos")]
        {
            silent.special_codes[SpecialCodeIndex::VDSUSP] = NO_KEY;
        }
        // Not flushing: what a script has typed ahead is meant for us.
        tcsetattr(tty, OptionalActions::Drain, &silent)?;
        Ok(Self { tty, before, give_up, leftovers: OptionalActions::Flush })
    }
}

impl Drop for Silent<'_> {
    fn drop(&mut self) {
        // Nothing can be done about a terminal that is gone.
        let _ = tcsetattr(self.tty, self.leftovers, &self.before);
    }
}

#[cfg(test)]
mod tests;
