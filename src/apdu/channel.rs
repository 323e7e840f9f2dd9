//! Sending a command and collecting its answer: chaining, `61xx`, `6Cxx` and limits are handled here and nowhere else.

use thiserror::Error;

use super::{Command, Response, Status};
use crate::reader::{Connection, Frame, ReaderError};
use crate::secret::SecretBytes;

/// The longest answer that is put together from pieces: what extended length could carry.
const ANSWER_MAX: usize = 65_536;

/// Most answers in pieces are no longer together.
const PIECES_USUAL: usize = 4096;

/// GET RESPONSE and Le corrections for one command. A 64 KiB answer needs 256.
const ROUNDS_MAX: u32 = 300;

/// An exchange that gave no usable answer.
#[derive(Debug, Error)]
pub enum ApduError {
    /// The reader layer failed. It is unknown whether the card carried the command out.
    #[error(transparent)]
    Reader(#[from] ReaderError),
    /// Less than a status word.
    #[error("the card answered {length} bytes, less than a status word")]
    NoStatusWord {
        /// Bytes received.
        length: usize,
    },
    /// More than any answer may have, or `61xx` without end.
    #[error("the card's answer does not end (stopped after {length} bytes in {rounds} rounds)")]
    Endless {
        /// Bytes collected.
        length: usize,
        /// Exchanges made for this one command.
        rounds: u32,
    },
}

/// Sends commands over a connection.
pub struct Channel<'a> {
    connection: &'a mut dyn Connection,
    extended: bool,
    exchanges: u32,
}

impl<'a> Channel<'a> {
    /// A channel with short commands and chaining: what every card takes.
    #[must_use]
    pub fn new(connection: &'a mut dyn Connection) -> Self {
        Self { connection, extended: false, exchanges: 0 }
    }

    /// Allows extended length. Only where card and reader are known to take it: a card that does not answers `6700`, and
    /// some readers fail without an answer. T=0 has none.
    #[must_use]
    pub fn extended(mut self, allowed: bool) -> Self {
        self.extended = allowed;
        self
    }

    /// Exchanges so far: frames sent, GET RESPONSE and corrections of Le included.
    #[must_use]
    pub fn exchanges(&self) -> u32 {
        self.exchanges
    }

    /// Sends one command and collects its whole answer.
    ///
    /// A command that carries a secret is sent once, whatever the card says: `6Cxx` to a VERIFY is taken for its answer, since
    /// sending it again could cost another try. The GET RESPONSE that fetches an answer carries no secret.
    ///
    /// # Errors
    /// See [`ApduError`]: after each of them it is unknown whether the card carried the command out. A status word other than
    /// `9000` is not an error here.
    pub fn send(&mut self, command: &Command) -> Result<Response, ApduError> {
        let mut frames = command.frames(self.connection.protocol(), self.extended);
        let last = frames.pop();
        for frame in &frames {
            let (data, status) = self.exchange(frame)?;
            if !status.is_ok() {
                return Ok(Response::new(data, status));
            }
        }
        match last {
            Some(frame) => self.collect(command, &frame),
            None => Err(ApduError::NoStatusWord { length: 0 }),
        }
    }

    /// Sends the last frame, follows `6Cxx` once and `61xx` to the end.
    fn collect(&mut self, command: &Command, frame: &Frame) -> Result<Response, ApduError> {
        // Most answers come in one piece, which is not copied.
        let (mut answer, mut status) = self.exchange(frame)?;
        let mut rounds = 1;
        if answer.len() > ANSWER_MAX {
            return Err(ApduError::Endless { length: answer.len(), rounds });
        }
        let mut corrected = false;
        loop {
            let next = match status.sw1() {
                // The command is done (ISO 7816-4 §5.6), and has data that nobody asked for. They are not fetched: a refusal of
                // the GET RESPONSE would look like a refusal of the command.
                0x61 if command.expected().is_none() => return Ok(Response::new(answer, Status::OK)),
                0x61 => get_response(command.class(), status.sw2()),
                // The Le was wrong. It is corrected once, for a command that had one and may be sent twice, or for the GET
                // RESPONSE that fetches the answer.
                0x6C if !corrected && (rounds > 1 || !command.is_secret()) && command.expected().is_some() => {
                    corrected = true;
                    if answer.is_empty() && rounds == 1 && !self.answers_by_get_response(command) {
                        self.with_le(command, status.sw2())
                    } else {
                        get_response(command.class(), status.sw2())
                    }
                }
                _ => return Ok(Response::new(answer, status)),
            };
            let before = answer.len();
            let (data, word) = self.exchange(&next)?;
            rounds += 1;
            append_piece(&mut answer, &data, rounds)?;
            let idle = answer.len() == before && word.sw1() == 0x61;
            if rounds >= ROUNDS_MAX || idle {
                return Err(ApduError::Endless { length: answer.len(), rounds });
            }
            status = word;
        }
    }

    /// Whether the command's answer comes by GET RESPONSE only (T=0, data in the command).
    fn answers_by_get_response(&self, command: &Command) -> bool {
        self.connection.protocol() == crate::reader::Protocol::T0 && command.has_data()
    }

    fn with_le(&self, command: &Command, sw2: u8) -> Frame {
        let length = if sw2 == 0 { 256 } else { usize::from(sw2) };
        command
            .with_expected(length)
            .frames(self.connection.protocol(), self.extended)
            .pop()
            .unwrap_or_else(|| get_response(command.class(), sw2))
    }

    fn exchange(&mut self, frame: &Frame) -> Result<(SecretBytes, Status), ApduError> {
        self.exchanges += 1;
        let mut bytes = self.connection.transmit(frame)?.into_bytes();
        let Some(word) = bytes.expose().last_chunk::<2>().copied() else {
            return Err(ApduError::NoStatusWord { length: bytes.len() });
        };
        word.iter().for_each(|_| bytes.pop());
        Ok((bytes, Status::new(u16::from_be_bytes(word))))
    }
}

/// GET RESPONSE on the command's own channel (ISO 7816-4 §7.6.1).
fn get_response(class: u8, length: u8) -> Frame {
    Frame::public(&[class & !0x10, 0xC0, 0x00, 0x00, length])
}

/// Adds a piece to the answer. A buffer that is full is replaced by a larger one and zeroed when it is dropped.
///
/// # Errors
/// The answer would be longer than any answer may be.
fn append_piece(answer: &mut SecretBytes, piece: &SecretBytes, rounds: u32) -> Result<(), ApduError> {
    if answer.append(piece.expose()) {
        return Ok(());
    }
    let needed = answer.len() + piece.len();
    if needed > ANSWER_MAX {
        return Err(ApduError::Endless { length: needed, rounds });
    }
    let mut larger = SecretBytes::with_capacity(ANSWER_MAX.min(PIECES_USUAL.max(needed * 2)));
    let copied = larger.append(answer.expose()) && larger.append(piece.expose());
    debug_assert!(copied, "the larger buffer holds both");
    *answer = larger;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reader::fixture::Fixture;
    use crate::reader::replay::Replay;
    use crate::reader::{EndAction, Readers};

    /// Sends a command to a card that answers so over T=0, and to nothing else.
    #[track_caller]
    fn over_t0(command: &Command, script: &[(&str, &str)]) -> Response {
        let lines: String = script.iter().map(|(command, answer)| format!("> {command}\n< {answer}\n")).collect();
        let text = format!("# fixture: 1\n# atr: 3B00\n# protocol: T=0\n\n{lines}");
        let replay = Replay::new(text.parse::<Fixture>().unwrap()).unwrap();
        let mut connection = replay.open("Recording").unwrap();
        assert_eq!(connection.protocol(), crate::reader::Protocol::T0);
        let response = Channel::new(connection.as_mut()).send(command).unwrap();
        connection.end(EndAction::Leave).unwrap();
        replay.finish().unwrap();
        response
    }

    /// The GET RESPONSE is what is sent again, never the command with the secret.
    #[test]
    fn the_answer_to_a_secret_is_fetched_with_another_length() {
        let secret = || Command::new(0x00, 0x87, 0x00, 0x00).secret(SecretBytes::copy_of(&[0x31; 4]));
        let sent = "008700000431313131";
        let fetched = [(sent, "6100"), ("00C0000000", "6C02"), ("00C0000002", "AABB9000")];
        assert_eq!(over_t0(&secret().expecting(256), &fetched).data(), [0xAA, 0xBB]);
        // Once.
        let again = [(sent, "6100"), ("00C0000000", "6C02"), ("00C0000002", "6C03")];
        assert_eq!(over_t0(&secret().expecting(256), &again).status().word(), 0x6C03);
        // The command itself is not sent twice, and fetches nothing for a refusal.
        assert_eq!(over_t0(&secret().expecting(256), &[(sent, "6C02")]).status().word(), 0x6C02);
        assert_eq!(over_t0(&secret(), &[(sent, "6C02")]).status().word(), 0x6C02);
    }
}
