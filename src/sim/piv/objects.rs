//! The card's data objects, and PINs and PUKs as they stand in commands.

use super::{AID, BLOCK};
use crate::sim::{sw, tlv};

/// FASC-N, GUID, expiry, no signature, error detection code (part 1 §3.1.2).
pub(super) fn chuid(guid: [u8; 16]) -> Vec<u8> {
    let mut chuid = tagged(0x30, &[0xD4; 25]);
    tlv::write(&mut chuid, 0x34, &guid);
    tlv::write(&mut chuid, 0x35, b"99991231");
    tlv::write(&mut chuid, 0x3E, &[]);
    tlv::write(&mut chuid, 0xFE, &[]);
    chuid
}

/// The application's identifier and its PIN usage policy (part 1 §3.3.2).
pub(super) fn discovery(policy: [u8; 2]) -> Vec<u8> {
    let mut object = tagged(0x4F, &AID);
    tlv::write(&mut object, 0x5F2F, &policy);
    tagged(0x7E, &object)
}

pub(super) fn tagged(tag: u16, value: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    tlv::write(&mut out, tag, value);
    out
}

pub(super) fn padded(value: &[u8]) -> Vec<u8> {
    let mut block = value.to_vec();
    block.resize(BLOCK.max(value.len()), 0xFF);
    block
}

/// Six to eight digits, or letters as well, filled up to eight bytes.
pub(super) fn is_pin(block: &[u8], letters: bool) -> bool {
    let takes = |byte: &u8| byte.is_ascii_digit() || letters && byte.is_ascii_graphic();
    let characters = block.iter().take_while(|byte| takes(byte)).count();
    block.len() == BLOCK && characters >= 6 && block.iter().skip(characters).all(|byte| *byte == 0xFF)
}

pub(super) fn halves(data: &[u8]) -> Result<(&[u8], &[u8]), u16> {
    if data.len() != 2 * BLOCK {
        return Err(sw::WRONG_DATA);
    }
    data.split_at_checked(BLOCK).ok_or(sw::WRONG_DATA)
}
