//! Stand-ins for both ends: virtual cards and a certificate server.
//!
//! The cards answer bytes with bytes and share no code with the layers that drive them: command parsing, TLV and Triple DES
//! are their own, so that a mistake on one side is not repeated on the other.

pub mod card;
mod changes;
pub mod fault;
pub mod gids;
pub mod iso7816;
pub mod keys;
pub mod openpgp;
pub mod piv;
pub mod random;
pub mod reader;
pub mod server;
pub mod vpcd;

mod command;
mod counted;
mod status;
mod sw;
mod tdes;
mod tlv;
