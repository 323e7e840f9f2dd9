//! The PIN step inside one process: a virtual card in a virtual reader, the stand-in server, a person, and a run of the job.

mod cards;
mod inserted;
mod job;
mod journal_check;
mod person;

pub use cards::{
    CARD_A, CARD_B, CHALLENGE_SAMPLE, CODE, COMBINATIONS, ISO_ATR, InspectableCard, KEY, Kind, OLD, PIV_AND_OPENPGP,
    TRIES, TappedCard, all_combinations, guid,
};
pub use inserted::{InsertedCard, READER};
pub use job::{JobSetup, Lines, Run, issuer, told};
pub use journal_check::JournalCheck;
pub use person::Person;
