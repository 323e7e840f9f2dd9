//! A smart card enrollment agent for Microsoft Identity Manager Certificate Management (MIM CM).
//!
//! ```text
//!  technician ── cli ────┬─ provision ── job ──┬── server ── HTTPS ── MIM CM
//!  workstation ─ agent ──┘                     └── card ── apdu ── reader ── PC/SC ── card
//!        os is where systems differ         sim stands in for both ends (feature `sim`)
//! ```
//!
//! Start reading at [`provision`]: the job of setting a card's PIN, step by step. Imports go one way, from the readers up:
//! [`reader`] moves bytes, [`apdu`] knows ISO 7816-4, [`card`] knows card families, [`server`] knows MIM CM's REST API, [`job`]
//! has what every job on a card shares, and only [`provision`] knows what comes next; [`enroll`] makes requests for certificates. [`cli`] is the technician's command, [`agent`]
//! the workstation's daemon, [`doctor`] looks at
//! everything and changes nothing. [`secret`] holds the types whose content nothing can print. What differs between operating systems is in [`os`] and nowhere else (but in `reader/pcsc`, where
//! PC/SC itself differs).

pub mod agent;
pub mod apdu;
pub mod card;
pub mod cli;
pub mod config;
pub mod doctor;
pub mod enroll;
pub mod error_text;
pub mod exit;
pub mod foreign_text;
pub mod job;
pub mod operation;
pub mod os;
pub mod provision;
pub mod reader;
pub mod secret;
pub mod server;
pub mod telemetry;

#[cfg(feature = "fuzzing")]
pub mod fuzzing;
#[cfg(feature = "sim")]
pub mod sim;
