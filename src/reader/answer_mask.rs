//! Which part of an answer may be shown: a card or a driver may send back what a secret command carried.

use super::Frame;
use super::fixture::Pattern;

/// GET RESPONSE (ISO 7816-4 §7.6.1).
const GET_RESPONSE: u8 = 0xC0;

/// SW1 and SW2.
const STATUS_WORD: usize = 2;

/// Follows the exchanges of one connection and masks the answers that may repeat a secret.
#[derive(Debug, Default)]
pub(super) struct AnswerMask {
    /// The last command carried a secret, or fetched the answer to one that did.
    secret: bool,
}

impl AnswerMask {
    /// The answer as it may be logged or kept: to a secret command, and to a GET RESPONSE after it, the status word and the
    /// number of bytes.
    pub(super) fn masked(&mut self, command: &Frame, answer: &Frame) -> Pattern {
        let fetches = command.expose().get(1) == Some(&GET_RESPONSE);
        self.secret = command.is_secret() || (self.secret && fetches);
        let bytes = answer.expose();
        let hidden = match bytes.len().checked_sub(STATUS_WORD) {
            _ if !self.secret => 0,
            Some(length) => length,
            // Too short for a status word: all of it is hidden.
            None => bytes.len(),
        };
        Pattern(bytes.iter().enumerate().map(|(at, byte)| (at >= hidden).then_some(*byte)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::SecretBytes;

    #[test]
    fn answers_are_hidden_up_to_the_next_open_command() {
        let mut answer_mask = AnswerMask::default();
        let mut shown =
            |command: Frame, answer: &[u8]| answer_mask.masked(&command, &Frame::public(answer)).to_string();
        let verify = || Frame::with_mark(SecretBytes::copy_of(&[0x00, 0x20, 0x00, 0x80, 0x02, 0x31, 0x32]), true);
        let get_response = || Frame::public(&[0x00, 0xC0, 0x00, 0x00, 0x02]);
        assert_eq!(shown(get_response(), &[0x31, 0x32, 0x90, 0x00]), "31329000");
        assert_eq!(shown(verify(), &[0x31, 0x32, 0x61, 0x02]), "****6102");
        assert_eq!(shown(get_response(), &[0x31, 0x61, 0x01]), "**6101");
        assert_eq!(shown(get_response(), &[0x32, 0x90, 0x00]), "**9000");
        assert_eq!(shown(Frame::public(&[0x00, 0x20, 0x00, 0x80]), &[0x63, 0xC3]), "63C3");
        assert_eq!(shown(get_response(), &[0x31, 0x90, 0x00]), "319000");
        // Less than a status word.
        assert_eq!(shown(verify(), &[0x31]), "**");
    }
}
