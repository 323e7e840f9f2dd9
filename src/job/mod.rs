//! Layer 5: what every job on a card shares.
//!
//! A job is done at a [`Desk`](desk::Desk): the readers, the server, the people who give secrets, the journal. It opens a card,
//! finds out which one it is ([`held`]), keeps what it is given ([`given`]), notes in the [`journal`] what it is about to do
//! before it does it, and ends well or with a [`Failure`] that says what became of the card. Which step comes next is decided
//! by the job itself: see [`crate::provision`].

pub mod authority;
pub mod binding;
pub mod card_report;
pub mod cause;
pub mod challenge;
pub mod consent;
pub mod desk;
pub mod effect;
pub mod elsewhere;
pub mod failure;
pub mod fit;
pub mod given;
pub mod held;
pub mod identity;
pub mod issuer;
pub mod journal;
pub mod log;
pub mod look;
pub mod past;
pub mod record_atr;
pub mod records;
mod remedy;
pub mod secrets;
pub mod stage_error;
pub mod step;
pub mod stop;
pub mod supplier;
pub mod undertaking;

pub use self::cause::Cause;
pub use self::effect::CardState;
pub use self::failure::Failure;
pub use self::identity::CardIdentity;
pub use self::step::Step;
pub use self::stop::Stop;
