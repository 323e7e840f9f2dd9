//! The keyring of a person's session, through the program that libsecret has for it (`secret-tool`): what is secret goes through pipes
//! alone, and never into arguments or the environment.

use std::io::{self, Read, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use thiserror::Error;
use zeroize::Zeroizing;

use crate::foreign_text::escaped;
use crate::secret::SecretBytes;

const PROGRAM: &str = "secret-tool";

/// The most that the program takes; of more it stores a part, and calls that done.
pub const MOST: usize = 8000;

/// How long the person may take to unlock the keyring.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long to wait before looking again whether the program has ended.
const PAUSE: Duration = Duration::from_millis(5);

/// The longest text of the program that is shown.
const LONGEST: usize = 300;

/// Where in the keyring something is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What the person reads in the keyring's own window.
    pub label: &'static str,
    /// By what it is found; none of it is secret.
    pub attributes: Vec<(&'static str, String)>,
}

/// Why the keyring can't be used.
#[derive(Debug, Error)]
pub enum KeyringError {
    /// The program is not there.
    #[error("{PROGRAM} can't be started")]
    NoProgram(#[source] io::Error),
    /// It says no.
    #[error("{PROGRAM} says: {0}")]
    Refused(String),
    /// Nobody has unlocked the keyring.
    #[error("the keyring did not answer within {} s", PATIENCE.as_secs())]
    Silent,
    /// It is too long for the program.
    #[error("the tokens are longer than the {MOST} bytes that {PROGRAM} takes")]
    TooLong,
    /// What was stored is not what is there.
    #[error("the keyring does not keep what it was given")]
    NotKept,
}

/// What is kept there; `None` where there is nothing, or the person does not unlock it.
///
/// # Errors
/// [`KeyringError`].
pub fn read(entry: &Entry) -> Result<Option<SecretBytes>, KeyringError> {
    let (is_done, found) = run("lookup", entry, &[])?;
    Ok(found.filter(|found| is_done && !found.is_empty()))
}

/// Keeps it in the place of what is there.
///
/// # Errors
/// [`KeyringError`].
pub fn write(entry: &Entry, secret: &[u8]) -> Result<(), KeyringError> {
    if secret.len() > MOST {
        return Err(KeyringError::TooLong);
    }
    run("store", entry, secret)?;
    match read(entry)? {
        Some(kept) if kept.expose() == secret => Ok(()),
        _ => Err(KeyringError::NotKept),
    }
}

/// Removes it; whether there was something.
///
/// # Errors
/// [`KeyringError`].
pub fn remove(entry: &Entry) -> Result<bool, KeyringError> {
    run("clear", entry, &[]).map(|(is_done, _)| is_done)
}

/// Whether the program ended well, and what it printed. One that has not, and says why, is an error.
fn run(word: &str, entry: &Entry, input: &[u8]) -> Result<(bool, Option<SecretBytes>), KeyringError> {
    let mut command = Command::new(PROGRAM);
    command.arg(word);
    if word == "store" {
        command.arg(format!("--label={}", entry.label));
    }
    for (name, value) in &entry.attributes {
        command.args([name, value.as_str()]);
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(KeyringError::NoProgram)?;
    let outcome = talk(&mut child, input);
    if outcome.is_err() {
        // It may have ended by itself.
        let _ = child.kill();
        let _ = child.wait();
    }
    outcome
}

fn talk(child: &mut Child, input: &[u8]) -> Result<(bool, Option<SecretBytes>), KeyringError> {
    if let Some(mut stdin) = child.stdin.take() {
        // One that does not read says why below.
        let _ = stdin.write_all(input);
    }
    let (sender, printed) = sync_channel(1);
    if let Some(stdout) = child.stdout.take() {
        std::thread::spawn(move || sender.send(all(stdout)));
    }
    let deadline = Instant::now() + PATIENCE;
    let found = printed.recv_timeout(PATIENCE).map_err(|_| KeyringError::Silent)?;
    let status = loop {
        match child.try_wait().map_err(KeyringError::NoProgram)? {
            Some(status) => break status,
            None if Instant::now() > deadline => return Err(KeyringError::Silent),
            None => std::thread::sleep(PAUSE),
        }
    };
    let mut words = Zeroizing::new(Vec::new());
    if let Some(stderr) = child.stderr.take() {
        let _ = stderr.take(LONGEST as u64).read_to_end(&mut words);
    }
    let words = String::from_utf8_lossy(&words);
    let words = words.trim().trim_start_matches(PROGRAM).trim_start_matches(':').trim();
    match status.success() || words.is_empty() {
        true => Ok((status.success(), found)),
        false => Err(KeyringError::Refused(escaped(words).into_owned())),
    }
}

/// What a pipe brings, in a buffer that does not grow; `None` where it is more than was stored.
fn all(mut pipe: impl Read) -> Option<SecretBytes> {
    let mut found = SecretBytes::with_capacity(MOST + 1);
    let mut piece = Zeroizing::new([0_u8; 1024]);
    loop {
        match pipe.read(piece.as_mut_slice()) {
            Ok(0) => return Some(found),
            Ok(read) if found.append(piece.get(..read).unwrap_or_default()) => {}
            Ok(_) | Err(_) => return None,
        }
    }
}
