//! The protocol that a pinentry speaks (Assuan): a request a line, answered by `OK` or `ERR`, with the entry on a line `D` before it.
//!
//! Nothing that the program says is kept or quoted, since it may be the PIN. It is read byte by byte: no buffer but the secret's own
//! holds it. The program gets nothing of what the service manager told this process.

use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::os::service;
use crate::os::start_anew::GUARD;
use crate::secret::SecretBytes;
use crate::server::auth::KERBEROS_VARIABLES;

/// The longest line of the protocol, its end included.
const LINE_MAX: usize = 1002;

/// How long the program may take to end once the dialog is over, and how often it is looked.
const CLOSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_millis(10));

/// libgpg-error's numbers.
const TIMEOUT: u16 = 62;
const CANCELLED: u16 = 99;

/// Why there is no entry.
#[derive(Debug)]
pub(super) enum AssuanError {
    /// The person does not want to.
    Cancelled,
    /// Nobody has answered in time.
    TimedOut,
    /// The program has failed with another number of libgpg-error.
    Failed(u16),
    /// The entry is not UTF-8.
    NoText,
    /// The program can't be run, does not speak the protocol, or has ended.
    Io(io::Error),
}

impl From<io::Error> for AssuanError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// A program that runs.
pub(super) struct Connection {
    process: Child,
    requests: Option<ChildStdin>,
    answers: ChildStdout,
}

impl Connection {
    /// Starts the program, and tells it the terminal that it may use.
    pub fn open(program: &Path) -> Result<Self, AssuanError> {
        let mut command = Command::new(program);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        for name in service::VARIABLES {
            command.env_remove(name);
        }
        // Nor is it told of our keytab and ticket cache, where we were started for one.
        if std::env::var_os(GUARD).is_some() {
            [GUARD].iter().chain(&KERBEROS_VARIABLES).for_each(|name| {
                command.env_remove(name);
            });
        }
        let mut process = command.spawn()?;
        let (Some(requests), Some(answers)) = (process.stdin.take(), process.stdout.take()) else {
            return Err(io::Error::from(io::ErrorKind::BrokenPipe).into());
        };
        let mut connection = Self { process, requests: Some(requests), answers };
        // It greets first.
        drop(connection.answer()?);
        let terminal = std::env::var("TERM").unwrap_or_else(|_| "xterm-256color".to_owned());
        connection.request("OPTION", "ttyname=/dev/tty")?;
        connection.request("OPTION", &format!("ttytype={terminal}"))?;
        Ok(connection)
    }

    /// Sends a request that has no entry in its answer.
    pub fn request(&mut self, command: &str, parameter: &str) -> Result<(), AssuanError> {
        self.send(&format!("{command} {}\n", encoded(parameter)))?;
        self.answer().map(drop)
    }

    /// Shows the dialog, and takes what was entered; nothing entered is an empty entry.
    pub fn entry(&mut self) -> Result<SecretBytes, AssuanError> {
        self.send("GETPIN\n")?;
        let entry = self.answer()?;
        if std::str::from_utf8(entry.expose()).is_err() {
            return Err(AssuanError::NoText);
        }
        Ok(entry)
    }

    fn send(&mut self, line: &str) -> io::Result<()> {
        if line.len() > LINE_MAX {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let requests = self.requests.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        requests.write_all(line.as_bytes())?;
        requests.flush()
    }

    /// Reads until `OK` or `ERR`, and gives what was on the lines `D` before.
    fn answer(&mut self) -> Result<SecretBytes, AssuanError> {
        let mut entry = SecretBytes::with_capacity(LINE_MAX);
        loop {
            let line = self.line()?;
            match line.expose() {
                b"OK" => return Ok(entry),
                line if line.starts_with(b"OK ") => return Ok(entry),
                line if line.starts_with(b"D ") => append_decoded(&mut entry, line.get(2..).unwrap_or_default())?,
                line if line.starts_with(b"ERR ") => return Err(error(line.get(4..).unwrap_or_default())),
                // A comment, or the state of the program.
                line if line.starts_with(b"#") || line.starts_with(b"S ") => {}
                _ => return Err(not_understood().into()),
            }
        }
    }

    fn line(&mut self) -> io::Result<SecretBytes> {
        let mut line = SecretBytes::with_capacity(LINE_MAX);
        let mut byte = [0];
        loop {
            self.answers.read_exact(&mut byte)?;
            match byte[0] {
                b'\n' => return Ok(line),
                b'\r' => {}
                _ if !line.append(&byte) => return Err(not_understood()),
                _ => byte[0] = 0,
            }
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.send("BYE\n"));
        self.requests = None;
        let deadline = Instant::now() + CLOSE.0;
        while matches!(self.process.try_wait(), Ok(None)) && Instant::now() < deadline {
            thread::sleep(CLOSE.1);
        }
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn not_understood() -> io::Error {
    io::ErrorKind::InvalidData.into()
}

/// The number is libgpg-error's in its lower 16 bits; what is behind it is for people.
fn error(line: &[u8]) -> AssuanError {
    let digits = line.split(|byte| *byte == b' ').next().unwrap_or_default();
    let number = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse::<u32>().ok());
    match number.and_then(|number| u16::try_from(number & 0xFFFF).ok()) {
        Some(CANCELLED) => AssuanError::Cancelled,
        Some(TIMEOUT) => AssuanError::TimedOut,
        Some(code) => AssuanError::Failed(code),
        None => not_understood().into(),
    }
}

/// A parameter on one line.
fn encoded(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' => line.push_str("%0A"),
            '\r' => line.push_str("%0D"),
            '%' => line.push_str("%25"),
            // One at the end would be taken for a continuation.
            '\\' => line.push_str("%5C"),
            character => line.push(character),
        }
    }
    line
}

fn append_decoded(entry: &mut SecretBytes, line: &[u8]) -> Result<(), AssuanError> {
    let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16)).ok_or_else(not_understood);
    let mut bytes = line.iter();
    while let Some(byte) = bytes.next() {
        let plain = match byte {
            b'%' => digit(bytes.next())? * 16 + digit(bytes.next())?,
            byte => u32::from(*byte),
        };
        let plain = u8::try_from(plain).map_err(|_| not_understood())?;
        if !entry.append(&[plain]) {
            return Err(not_understood().into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_stays_on_its_line_and_what_comes_is_decoded() {
        assert_eq!(encoded("a\nb\r100%\\"), "a%0Ab%0D100%25%5C");
        let decoded = |line: &[u8]| {
            let mut entry = SecretBytes::with_capacity(16);
            append_decoded(&mut entry, line).map(|()| entry.expose().to_vec())
        };
        assert_eq!(decoded(b"12%2534%0a").unwrap(), b"12%34\n");
        for broken in [b"%".as_slice(), b"%4", b"%zz", b"12345678901234567"] {
            assert!(matches!(decoded(broken), Err(AssuanError::Io(_))));
        }
        assert!(matches!(error(b"83886179 Operation cancelled <Pinentry>"), AssuanError::Cancelled));
        assert!(matches!(error(b"83886142 Timeout"), AssuanError::TimedOut));
        assert!(matches!(error(b"536871187 Unknown IPC command"), AssuanError::Failed(275)));
        assert!(matches!(error(b"what"), AssuanError::Io(_)));
    }
}
