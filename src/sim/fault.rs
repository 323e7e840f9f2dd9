//! A card that goes wrong at a chosen exchange.
//!
//! The plan counts exchanges from 0, since the decorator was made. One exchange has at most one
//! fault; a fault that leaves the card usable is over when its exchange is.

use std::collections::BTreeMap;

use super::card::{LinkFault, VirtualCard};

/// What goes wrong.
pub enum Fault {
    /// The card is pulled before it sees the command, and stays away until [`Faulty::reinsert`].
    Removed,
    /// The card is reset before it sees the command.
    Reset,
    /// The command is lost on the way: the card has not executed it.
    LostCommand,
    /// The answer is lost on the way: the card *has* executed the command.
    LostAnswer,
    /// The card refuses with this word instead of executing.
    StatusWord(u16),
    /// The card does not execute, and this is the whole answer.
    Replace(Vec<u8>),
    /// The card executes; only this many bytes of its answer arrive.
    Truncate(usize),
    /// The card executes; these bytes follow its answer.
    Append(Vec<u8>),
    /// No answer, and the command is not executed.
    Hang,
    /// From this exchange on (included) another card answers, and nobody was told.
    Swap(Box<dyn VirtualCard>),
}

/// Decorator that applies a plan of [`Fault`]s to a card.
pub struct Faulty<C> {
    card: C,
    swapped: Option<Box<dyn VirtualCard>>,
    plan: BTreeMap<usize, Fault>,
    exchanges: usize,
    removed: bool,
}

impl<C: VirtualCard> Faulty<C> {
    /// A card without faults yet.
    pub fn new(card: C) -> Self {
        Self { card, swapped: None, plan: BTreeMap::new(), exchanges: 0, removed: false }
    }

    /// Plans a fault for exchange `index`; a second one for the same exchange replaces the first.
    #[must_use]
    pub fn at(mut self, index: usize, fault: Fault) -> Self {
        self.plan.insert(index, fault);
        self
    }

    /// Plans a fault for the next exchange.
    pub fn next(&mut self, fault: Fault) {
        self.after(0, fault);
    }

    /// Plans a fault for the exchange that comes after that many others from now.
    pub fn after(&mut self, exchanges: usize, fault: Fault) {
        self.plan.insert(self.exchanges + exchanges, fault);
    }

    /// Drops what is planned and has not happened.
    pub fn forget(&mut self) {
        self.plan.clear();
    }

    /// Exchanges so far, failed ones included.
    #[must_use]
    pub fn exchanges(&self) -> usize {
        self.exchanges
    }

    /// Whether every planned fault has happened. A test whose fault never struck proves nothing.
    #[must_use]
    pub fn exhausted(&self) -> bool {
        self.plan.is_empty()
    }

    /// Whether the card is out of the reader.
    #[must_use]
    pub fn removed(&self) -> bool {
        self.removed
    }

    /// Puts a removed card back; it has lost its power meanwhile.
    pub fn reinsert(&mut self) {
        self.removed = false;
        self.active_mut().power_off();
    }

    /// The decorated card, for inspection.
    pub fn card(&self) -> &C {
        &self.card
    }

    /// The decorated card, for changes behind the reader's back.
    pub fn card_mut(&mut self) -> &mut C {
        &mut self.card
    }

    fn active_mut(&mut self) -> &mut dyn VirtualCard {
        match &mut self.swapped {
            Some(other) => other.as_mut(),
            None => &mut self.card,
        }
    }

    fn strike(&mut self, fault: Fault, command: &[u8]) -> Result<Vec<u8>, LinkFault> {
        match fault {
            Fault::Removed => {
                self.removed = true;
                self.active_mut().power_off();
                Err(LinkFault::Removed)
            }
            Fault::Reset => {
                self.active_mut().reset();
                Err(LinkFault::Reset)
            }
            Fault::LostCommand => Err(LinkFault::Transmission),
            Fault::LostAnswer => {
                self.active_mut().transmit(command)?;
                Err(LinkFault::Transmission)
            }
            Fault::StatusWord(word) => Ok(word.to_be_bytes().to_vec()),
            Fault::Replace(answer) => Ok(answer),
            Fault::Truncate(length) => {
                let mut answer = self.active_mut().transmit(command)?;
                answer.truncate(length);
                Ok(answer)
            }
            Fault::Append(more) => {
                let mut answer = self.active_mut().transmit(command)?;
                answer.extend(more);
                Ok(answer)
            }
            Fault::Hang => Err(LinkFault::Hang),
            Fault::Swap(other) => {
                self.swapped = Some(other);
                self.active_mut().transmit(command)
            }
        }
    }
}

impl<C: VirtualCard> VirtualCard for Faulty<C> {
    fn atr(&self) -> &[u8] {
        match &self.swapped {
            Some(other) => other.atr(),
            None => self.card.atr(),
        }
    }

    fn reset(&mut self) {
        self.active_mut().reset();
    }

    fn power_off(&mut self) {
        self.active_mut().power_off();
    }

    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, LinkFault> {
        let index = self.exchanges;
        self.exchanges += 1;
        if self.removed {
            return Err(LinkFault::Removed);
        }
        match self.plan.remove(&index) {
            Some(fault) => self.strike(fault, command),
            None => self.active_mut().transmit(command),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::gids::{GidsCard, GidsSettings};

    const SELECT: &[u8] = b"\x00\xA4\x04\x0C\x09\xA0\x00\x00\x03\x97\x42\x54\x46\x59";
    const STATUS: &[u8] = b"\x00\x20\x00\x80";
    const WRONG: &[u8] = b"\x00\x20\x00\x80\x04\x30\x30\x30\x30";

    fn selected() -> Faulty<GidsCard> {
        let mut card = Faulty::new(GidsCard::personalised(GidsSettings::default()));
        assert_eq!(card.transmit(SELECT).unwrap(), [0x90, 0x00]);
        card
    }

    #[test]
    fn a_lost_command_costs_no_try_and_a_lost_answer_does() {
        let mut card = selected();
        card.next(Fault::LostCommand);
        assert_eq!(card.transmit(WRONG), Err(LinkFault::Transmission));
        assert_eq!(card.card().tries_left(), 3);
        card.next(Fault::LostAnswer);
        assert_eq!(card.transmit(WRONG), Err(LinkFault::Transmission));
        assert_eq!(card.card().tries_left(), 2);
    }

    #[test]
    fn a_removed_card_stays_away_until_it_is_put_back() {
        let mut card = selected();
        card.next(Fault::Removed);
        assert_eq!(card.transmit(STATUS), Err(LinkFault::Removed));
        assert_eq!(card.transmit(STATUS), Err(LinkFault::Removed));
        card.reinsert();
        assert_eq!(card.transmit(STATUS).unwrap(), [0x69, 0x86]);
    }

    #[test]
    fn a_reset_loses_the_selection() {
        let mut card = selected();
        card.next(Fault::Reset);
        assert_eq!(card.transmit(STATUS), Err(LinkFault::Reset));
        assert_eq!(card.transmit(STATUS).unwrap(), [0x69, 0x86]);
    }

    #[test]
    fn answers_are_damaged_as_planned() {
        let mut card = selected();
        for (fault, expected) in [
            (Fault::StatusWord(0x6581), &[0x65, 0x81][..]),
            (Fault::Replace(vec![1]), &[1]),
            (Fault::Truncate(1), &[0x63]),
            (Fault::Append(vec![7]), &[0x63, 0xC3, 7]),
        ] {
            card.next(fault);
            assert_eq!(card.transmit(STATUS).unwrap(), expected);
        }
        card.next(Fault::Hang);
        assert_eq!(card.transmit(STATUS), Err(LinkFault::Hang));
        assert!(card.exhausted());
        assert_eq!(card.transmit(STATUS).unwrap(), [0x63, 0xC3]);
    }

    #[test]
    fn a_swapped_card_is_another_one_from_then_on() {
        let other = GidsCard::personalised(GidsSettings { pin_left: Some(1), ..GidsSettings::default() });
        let mut card = selected().at(1, Fault::Swap(Box::new(other)));
        assert_eq!(card.transmit(STATUS).unwrap(), [0x69, 0x86]);
        assert_eq!(card.transmit(SELECT).unwrap(), [0x90, 0x00]);
        assert_eq!(card.transmit(STATUS).unwrap(), [0x63, 0xC1]);
    }
}
