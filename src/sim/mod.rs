//! Stand-ins for both ends: virtual cards and a certificate server.

pub mod server;
