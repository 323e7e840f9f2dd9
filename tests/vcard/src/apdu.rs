//! What both applications leave to their host: SELECT by name, command chaining and GET RESPONSE (ISO 7816-4 §5.3, §11.1).

use iso7816::Status;
use iso7816::command::CommandView;

use crate::cards::{Application, Reply};

const CHAINING: u8 = 0x10;
const SELECT: u8 = 0xA4;
const GET_RESPONSE: u8 = 0xC0;

/// The longest command data that a chain may add up to.
const CHAIN_LIMIT: usize = 4096;

/// A card with one application, which is not selected after a reset.
pub struct Processor<A> {
    application: A,
    selected: bool,
    chain: Option<Chain>,
    /// What is left of an answer, with the status word that ends it.
    pending: Option<(Vec<u8>, Status)>,
}

/// A command under way.
struct Chain {
    /// Class without the chaining bit, instruction and parameters: alike in all parts.
    header: [u8; 4],
    data: Vec<u8>,
}

impl<A: Application> Processor<A> {
    /// A card that was just powered.
    pub fn new(application: A) -> Self {
        Self { application, selected: false, chain: None, pending: None }
    }

    /// Power or reset: everything that was verified or selected is forgotten.
    pub fn reset(&mut self) {
        self.application.reset();
        self.selected = false;
        self.chain = None;
        self.pending = None;
    }

    /// Answers one command APDU: data and status word.
    pub fn process(&mut self, apdu: &[u8]) -> Vec<u8> {
        let Ok(command) = CommandView::try_from(apdu) else { return status(Status::WrongLength) };
        let size = response_size(command.expected());
        let header = [apdu[0] & !CHAINING, apdu[1], apdu[2], apdu[3]];
        if apdu[1] == GET_RESPONSE && self.chain.is_none() {
            return match self.pending.take() {
                Some((rest, end)) => self.answer(rest, end, size),
                None => status(Status::ConditionsOfUseNotSatisfied),
            };
        }
        self.pending = None;
        if apdu[0] & CHAINING != 0 {
            return status(self.chained(header, command.data()));
        }
        match self.chain.take() {
            Some(chain) if chain.header == header => {
                let whole = extended(chain, command.data());
                match CommandView::try_from(&whole[..]) {
                    Ok(command) => self.execute(command, size),
                    Err(_) => status(Status::WrongLength),
                }
            }
            // A new command ends a chain that was not finished.
            _ => self.execute(command, size),
        }
    }

    fn chained(&mut self, header: [u8; 4], data: &[u8]) -> Status {
        let mut chain = match self.chain.take() {
            Some(chain) if chain.header == header => chain,
            _ => Chain { header, data: Vec::new() },
        };
        if chain.data.len() + data.len() > CHAIN_LIMIT {
            return Status::WrongLength;
        }
        chain.data.extend_from_slice(data);
        self.chain = Some(chain);
        Status::Success
    }

    fn execute(&mut self, command: CommandView<'_>, size: usize) -> Vec<u8> {
        let by_name = u8::from(command.instruction()) == SELECT && command.p1 == 0x04;
        if by_name && !self.application.has_name(command.data()) || !by_name && !self.selected {
            return status(Status::NotFound);
        }
        let mut reply = Reply::new();
        let end = match self.application.handle(command, &mut reply) {
            Ok(()) => Status::Success,
            Err(status) => status,
        };
        if by_name {
            self.selected = end == Status::Success;
        }
        self.answer(reply.to_vec(), end, size)
    }

    /// As much as fits; the rest waits for GET RESPONSE.
    fn answer(&mut self, mut data: Vec<u8>, end: Status, size: usize) -> Vec<u8> {
        if data.len() <= size {
            data.extend(status(end));
            return data;
        }
        let rest = data.split_off(size);
        // 00 stands for 256 or more.
        data.extend(status(Status::MoreAvailable(u8::try_from(rest.len()).unwrap_or(0))));
        self.pending = Some((rest, end));
        data
    }
}

/// Many clients leave Le out and expect an answer all the same.
fn response_size(expected: usize) -> usize {
    if expected == 0 { 256 } else { expected }
}

/// The chain as one command of extended length.
fn extended(mut chain: Chain, last: &[u8]) -> Vec<u8> {
    chain.data.extend_from_slice(last);
    let mut apdu = chain.header.to_vec();
    if !chain.data.is_empty() {
        let length = u16::try_from(chain.data.len()).expect("the chain is limited");
        apdu.push(0);
        apdu.extend(length.to_be_bytes());
        apdu.extend(chain.data);
    }
    apdu
}

fn status(status: Status) -> Vec<u8> {
    <[u8; 2]>::from(status).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers with its command data, twice; knows one name.
    struct Echo;

    impl Application for Echo {
        fn has_name(&self, name: &[u8]) -> bool {
            name == [0xA0, 1]
        }

        fn handle(&mut self, command: CommandView<'_>, reply: &mut Reply) -> Result<(), Status> {
            reply.extend_from_slice(command.data()).map_err(|_| Status::NotEnoughMemory)?;
            reply.extend_from_slice(command.data()).map_err(|_| Status::NotEnoughMemory)
        }

        fn reset(&mut self) {}
    }

    fn card() -> Processor<Echo> {
        let mut card = Processor::new(Echo);
        assert_eq!(card.process(&[0, 0xA4, 4, 0, 2, 0xA0, 1]), [0xA0, 1, 0xA0, 1, 0x90, 0]);
        card
    }

    #[test]
    fn nothing_is_answered_before_select() {
        let mut card = Processor::new(Echo);
        assert_eq!(card.process(&[0, 0x20, 0, 0x80]), [0x6A, 0x82]);
        assert_eq!(card.process(&[0, 0xA4, 4, 0, 1, 0xA0]), [0x6A, 0x82]);
        let mut card = self::card();
        card.reset();
        assert_eq!(card.process(&[0, 0x20, 0, 0x80]), [0x6A, 0x82]);
    }

    #[test]
    fn chained_data_arrive_in_one_piece() {
        let mut card = card();
        assert_eq!(card.process(&[0x10, 0xDB, 0, 0, 2, 1, 2]), [0x90, 0]);
        assert_eq!(card.process(&[0x00, 0xDB, 0, 0, 1, 3]), [1, 2, 3, 1, 2, 3, 0x90, 0]);
    }

    #[test]
    fn another_command_ends_a_chain() {
        let mut card = card();
        card.process(&[0x10, 0xDB, 0, 0, 2, 1, 2]);
        assert_eq!(card.process(&[0x00, 0xCB, 0, 0, 1, 3]), [3, 3, 0x90, 0]);
    }

    #[test]
    fn long_answers_are_fetched() {
        let mut card = card();
        let mut command = vec![0, 0xCB, 0, 0, 200];
        command.extend([7; 200]);
        command.push(0);
        let first = card.process(&command);
        assert_eq!((first.len(), &first[256..]), (258, &[0x61, 144][..]));
        assert_eq!(card.process(&[0, 0xC0, 0, 0, 144]).len(), 146);
        assert_eq!(card.process(&[0, 0xC0, 0, 0, 0]), [0x69, 0x85]);
    }
}
