//! A card that answers every SELECT with `9000`, as some do that have one application only.

use pinwright::sim::card::{LinkFault, VirtualCard};
use pinwright::sim::iso7816::Iso7816Card;

pub struct Obliging(pub Iso7816Card);

impl VirtualCard for Obliging {
    fn atr(&self) -> &[u8] {
        self.0.atr()
    }

    fn reset(&mut self) {
        self.0.reset();
    }

    fn power_off(&mut self) {
        self.reset();
    }

    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, LinkFault> {
        let answer = self.0.transmit(command)?;
        let is_select = command.starts_with(&[0x00, 0xA4, 0x04]);
        Ok(if is_select { vec![0x90, 0x00] } else { answer })
    }
}
