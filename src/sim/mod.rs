//! Stand-ins for both ends: virtual cards and a certificate server.

pub mod card;
pub mod fault;
pub mod gids;
pub mod iso7816;
pub mod random;
pub mod vpcd;

mod command;
mod sw;
mod tdes;
mod tlv;
