//! Layer 2: commands and responses of ISO 7816-4, without any card's particulars.
//!
//! [`Command`] is built by a card family, [`Channel`] sends it (chaining, `61xx`, `6Cxx`, extended length) and gives a
//! [`Response`]; [`Status`] has a meaning for every status word in use; [`tlv`] reads BER-TLV without panicking.

mod channel;
mod command;
mod response;
mod status;
pub mod tlv;

pub use channel::{ApduError, Channel};
pub use command::Command;
pub use response::Response;
pub use status::Status;
