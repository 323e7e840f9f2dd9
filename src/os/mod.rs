//! Where operating systems differ: one file a thing, with the same interface on every system.
//!
//! Nowhere else does the code ask which system it is built for (but in `reader/pcsc`, where PC/SC itself differs). What a
//! system lacks is an error there ([`NotHere`], or [`std::io::ErrorKind::Unsupported`]), or nothing where its absence costs
//! nothing.

pub mod account;
#[cfg(any(windows, test))]
mod acl;
pub mod browser;
pub mod card_service;
pub mod clock;
pub mod credential;
pub mod descriptor;
pub mod endpoint;
pub mod files;
pub mod folders;
pub mod kerberos;
pub mod keyring;
pub mod loaded;
pub mod log;
pub mod machine;
pub mod other_agent;
pub mod process;
pub mod prompt;
pub mod service;
pub mod signals;
pub mod socket_clients;
pub mod start_anew;
pub mod tcp;
#[cfg(test)]
pub(crate) mod testing;
pub mod unit;
pub mod unit_log;
#[cfg(windows)]
mod windows;

/// Something that this operating system lacks, or that pinwright can't use here yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{what} is not available on this operating system")]
pub struct NotHere {
    /// What, as the subject of a sentence.
    pub what: &'static str,
}
