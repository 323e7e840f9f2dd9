//! The console of a Windows process.
//!
//! Keys are taken one by one. A console that hands over whole lines can't be left before the line has ended, and keeps them in its history.

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use super::keys::{Line, Typed};
use super::shown;
use crate::os::windows::console::Console;
use crate::secret::SecretBytes;

/// Longest entry: an admin key has 64 digits, a PIN at most 127 characters.
const ENTRY_MAX: usize = 128;

/// Longest pasted line.
const LINE_MAX: usize = 4096;

/// Longest answer to a question.
const ANSWER_MAX: usize = 64;

/// How long a wait for a key may be before it is asked whether to go on.
const PAUSE: Duration = Duration::from_millis(100);

/// Whether a person is there to be asked: standard input and the console.
#[must_use]
pub fn is_interactive() -> bool {
    io::stdin().is_terminal() && Console::open().is_ok()
}

/// Whether a person can be asked for a yes: beside what a secret needs, standard error, where they read what it is about.
#[must_use]
pub fn can_confirm() -> bool {
    io::stderr().is_terminal() && is_interactive()
}

/// The console.
pub struct Terminal {
    console: Console,
}

impl Terminal {
    /// Opens it.
    ///
    /// # Errors
    /// The process has none.
    pub fn open() -> io::Result<Self> {
        Console::open().map(|console| Self { console })
    }

    /// Asks for a secret. `None` when the person pressed Ctrl-C, Ctrl-D, Ctrl-Z or Esc, or when `go_on`, which is called several times
    /// a second, says no: the console is put back in order either way, and what was typed by then is thrown away. What follows the
    /// secret stays for whoever asks next.
    ///
    /// # Errors
    /// The console failed.
    pub fn secret(&mut self, question: &str, go_on: &mut dyn FnMut() -> bool) -> io::Result<Option<SecretBytes>> {
        self.ask(question, ENTRY_MAX, go_on)
    }

    /// The same for an address with a code, which is pasted: up to 4,000 characters.
    ///
    /// # Errors
    /// As [`Terminal::secret`].
    pub fn long_secret(&mut self, question: &str, go_on: &mut dyn FnMut() -> bool) -> io::Result<Option<SecretBytes>> {
        self.ask(question, LINE_MAX, go_on)
    }

    fn ask(&mut self, question: &str, most: usize, go_on: &mut dyn FnMut() -> bool) -> io::Result<Option<SecretBytes>> {
        self.say(&shown(question))?;
        let entry = self.typed(most, false, go_on)?;
        if entry.is_none() {
            // Half a secret is not for the next program.
            self.console.flush()?;
        }
        self.say("\n")?;
        Ok(entry)
    }

    fn typed(&self, most: usize, shows: bool, go_on: &mut dyn FnMut() -> bool) -> io::Result<Option<SecretBytes>> {
        let keys = self.console.by_key()?;
        let mut line = Line::new(most);
        while go_on() {
            let Some(unit) = keys.next(PAUSE)? else { continue };
            match line.take(unit) {
                Typed::Ended => return Ok(Some(line.finish())),
                Typed::GivenUp => return Ok(None),
                Typed::Letter(letter) if shows => self.console.show(letter.encode_utf8(&mut [0; 4]))?,
                Typed::TakenBack if shows => self.console.show("\u{8} \u{8}")?,
                Typed::Letter(_) | Typed::TakenBack | Typed::Nothing => {}
            }
        }
        Ok(None)
    }

    /// Asks yes or no, in one line or several. What was typed before the question was there is no answer to it, and is thrown away.
    /// `go_on` is called several times a second meanwhile; its `false` ends the wait with `None`.
    ///
    /// # Errors
    /// The console failed.
    pub fn confirm(&mut self, question: &str, go_on: &mut dyn FnMut() -> bool) -> io::Result<Option<bool>> {
        self.console.flush()?;
        self.say(&shown(question))?;
        let mut goes_on = true;
        let answer = self.typed(ANSWER_MAX, true, &mut || {
            goes_on = go_on();
            goes_on
        })?;
        self.say("\n")?;
        if !goes_on {
            return Ok(None);
        }
        let answer = answer.map(|answer| String::from_utf8_lossy(answer.expose()).trim().to_lowercase());
        Ok(Some(answer.is_some_and(|answer| answer == "y" || answer == "yes")))
    }

    /// Asks for a text that is no secret: what is typed is shown. `None` when the person pressed Ctrl-C, Ctrl-D, Ctrl-Z or Esc, or when
    /// `go_on`, which is called several times a second, says no. What a script has typed ahead is meant for us.
    ///
    /// # Errors
    /// The console failed.
    pub fn line(&mut self, question: &str, go_on: &mut dyn FnMut() -> bool) -> io::Result<Option<String>> {
        self.say(&shown(question))?;
        let text = self.typed(LINE_MAX, true, go_on)?;
        self.say("\n")?;
        Ok(text.map(|text| String::from_utf8_lossy(text.expose()).into_owned()))
    }

    /// Says something on the console itself, where redirections don't reach.
    ///
    /// # Errors
    /// The console failed.
    pub fn say(&mut self, text: &str) -> io::Result<()> {
        self.console.show(&text.replace('\n', "\r\n"))
    }
}
