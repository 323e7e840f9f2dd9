//! A whole request, stage by stage: from an empty card to a certificate in use.
//!
//! [`next`] decides which stage comes next, and is the file to read first.

pub mod admin_key;
pub mod certificate;
pub mod csr;
pub mod job;
pub mod key_pair;
pub mod management;
pub mod moment;
pub mod next;
pub mod rules;
pub mod slots;
pub mod record;
