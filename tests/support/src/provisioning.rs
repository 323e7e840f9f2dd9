//! The PIN step inside one process: a virtual card in a virtual reader, the stand-in server, a person, and a run of the job.

mod cards;
mod inserted;
mod job;
mod person;

pub use cards::{CARD_A, CARD_B, CHALLENGE_SAMPLE, CODE, ISO_ATR, KEY, Kind, OLD, Plastic, TRIES, Tap, guid};
pub use inserted::{Bench, READER};
pub use job::{Lines, Run, World, issuer, told};
pub use person::Person;
