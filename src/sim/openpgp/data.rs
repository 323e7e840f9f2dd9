//! GET DATA: what the card says of itself (§4.4).

use super::{AID, MAX, OpenPgpCard};
use crate::sim::command::Command;
use crate::sim::sw::{self, Outcome};
use crate::sim::tlv;

impl OpenPgpCard {
    /// The full application identifier: version, manufacturer, serial number, two bytes for later use.
    pub(super) fn aid(&self) -> Vec<u8> {
        let settings = &self.settings;
        [&AID[..], &settings.version, &settings.manufacturer, &settings.serial, &[0, 0]].concat()
    }

    fn pw_status(&self) -> Vec<u8> {
        let max = u8::try_from(MAX).unwrap_or(u8::MAX);
        vec![0x00, max, max, max, self.pw1.left(), self.code.left(), self.pw3.left()]
    }

    /// Extended capabilities: GET CHALLENGE and the KDF-DO as the settings say; key import, and changes of password status and
    /// algorithms, always.
    fn capabilities(&self) -> Vec<u8> {
        let settings = &self.settings;
        let first = 0x3C | u8::from(settings.announces_challenge) << 6 | u8::from(settings.kdf_algorithm.is_some());
        vec![first, 0x00, 0x10, 0x00, 0x10, 0x00, 0x00, 0x10, 0x00, 0x00]
    }

    fn application_related_data(&self) -> Vec<u8> {
        let mut discretionary = Vec::new();
        tlv::write(&mut discretionary, 0xC0, &self.capabilities());
        for tag in [0xC1, 0xC2, 0xC3] {
            tlv::write(&mut discretionary, tag, &[0x01, 0x08, 0x00, 0x00, 0x20, 0x00]);
        }
        tlv::write(&mut discretionary, 0xC4, &self.pw_status());
        for tag in [0xC5, 0xC6] {
            tlv::write(&mut discretionary, tag, &[0; 60]);
        }
        let mut data = Vec::new();
        tlv::write(&mut data, 0x4F, &self.aid());
        tlv::write(&mut data, 0x5F52, &[0x00, 0x31, 0xF5, 0x73, 0xC0, 0x01, 0x60, 0x05, 0x90, 0x00]);
        tlv::write(&mut data, 0x73, &discretionary);
        data
    }

    pub(super) fn get_data(&self, command: &Command) -> Outcome {
        match command.p1p2() {
            0x006E if self.settings.wraps_templates => {
                let mut wrapped = Vec::new();
                tlv::write(&mut wrapped, 0x6E, &self.application_related_data());
                Ok(wrapped)
            }
            0x006E => Ok(self.application_related_data()),
            0x004F => Ok(self.aid()),
            0x00C4 => Ok(self.pw_status()),
            0x00C0 => Ok(self.capabilities()),
            0x00F9 => match self.settings.kdf_algorithm {
                Some(algorithm) => Ok(vec![0x81, 0x01, algorithm]),
                None => Err(sw::NOT_FOUND),
            },
            _ => Err(sw::NOT_FOUND),
        }
    }
}
