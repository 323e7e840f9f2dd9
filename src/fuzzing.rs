//! Every parser of untrusted bytes as a function of `&[u8]`: for the fuzzer (`fuzz/`) and for `tests/fuzz.rs`, which run the
//! same code over the same seeds (feature `fuzzing`, in no release).
//!
//! A function drives the real code and panics where a property fails: what was read is written and read again alike, a card
//! makes us ask no more than so often, an error quotes no secret. That nothing panics by itself goes without saying.

mod cards;
mod script;
mod texts;

use crate::apdu::tlv;
use crate::server::fuzzing as server;

pub use cards::{Call, dialogue};

/// What is done with an input.
pub type Target = fn(&[u8]);

/// Name and function of every target. `fuzz/` has one program for each.
pub const TARGETS: [(&str, Target); 14] = [
    ("tlv", tlv),
    ("channel", cards::channel),
    ("gids", cards::gids),
    ("piv", cards::piv),
    ("openpgp", cards::openpgp),
    ("iso7816", cards::iso7816),
    ("server_objects", server::objects),
    ("server_policy", server::policy),
    ("server_secrets", server::secrets),
    ("server_errors", server::errors),
    ("server_certificates", server::certificates),
    ("config", texts::config),
    ("fixture", texts::fixture),
    ("journal", texts::journal),
];

/// Runs the target of this name; a name that is none is a mistake in the caller and panics.
pub fn run(name: &str, input: &[u8]) {
    let target = TARGETS.iter().find(|(known, _)| *known == name);
    assert!(target.is_some(), "no fuzz target {name:?}");
    if let Some((_, function)) = target {
        function(input);
    }
}

/// BER-TLV: values lie inside the input, in order, with nothing but filling behind the last; what was read is written and read again alike; an error names the first
/// object that is broken.
fn tlv(input: &[u8]) {
    match tlv::parse(input) {
        Ok(objects) => {
            let mut rest = input.as_ptr_range();
            let mut written = Vec::new();
            for object in &objects {
                let value = object.value.as_ptr_range();
                assert!(rest.start < value.start && value.end <= rest.end, "a value lies outside the input");
                rest.start = value.end;
                written.extend(tlv::encode(object.tag, object.value));
                // A constructed object is read one level deeper, as its users do.
                let _ = tlv::parse(object.value);
            }
            let length = rest.end.addr() - rest.start.addr();
            let after = input.get(input.len() - length..).unwrap_or_default();
            let ones = after.iter().skip_while(|byte| **byte == 0x00);
            assert!(ones.copied().all(|byte| byte == 0xFF), "bytes with a meaning after the last object");
            // As many as the templates of a card have: each look-up reads the whole input.
            for object in objects.iter().take(8) {
                let first = objects.iter().find(|other| other.tag == object.tag).map(|other| other.value);
                assert_eq!(tlv::find(input, object.tag), Ok(first));
            }
            assert!(written.len() <= input.len(), "the shortest form is longer than the input");
            assert_eq!(tlv::parse(&written), Ok(objects));
        }
        Err(tlv::TlvError::Truncated { at } | tlv::TlvError::LongTag { at } | tlv::TlvError::LengthForm { at }) => {
            assert!(at < input.len() && tlv::parse(&input[..at]).is_ok(), "an earlier object is broken");
            assert!(tlv::find(input, 0x53).is_err(), "half an answer is no answer");
        }
    }
}
