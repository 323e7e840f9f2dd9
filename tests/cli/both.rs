//! Two applications on one card: a SELECT chooses.

use pinwright::sim::card::{LinkFault, VirtualCard};
use pinwright::sim::gids::GidsCard;
use pinwright::sim::iso7816::Iso7816Card;

pub struct Both {
    pub gids: GidsCard,
    pub iso: Iso7816Card,
    pub iso_selected: bool,
}

impl VirtualCard for Both {
    fn atr(&self) -> &[u8] {
        self.iso.atr()
    }

    fn reset(&mut self) {
        self.gids.reset();
        self.iso.reset();
    }

    fn power_off(&mut self) {
        self.reset();
    }

    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, LinkFault> {
        if command.starts_with(&[0x00, 0xA4, 0x04]) {
            // An application that is not there leaves the selected one as it is.
            for iso in [false, true] {
                let answer = if iso { self.iso.transmit(command)? } else { self.gids.transmit(command)? };
                if answer.ends_with(&[0x90, 0x00]) {
                    self.iso_selected = iso;
                    return Ok(answer);
                }
            }
            return Ok(vec![0x6A, 0x82]);
        }
        if self.iso_selected { self.iso.transmit(command) } else { self.gids.transmit(command) }
    }
}
