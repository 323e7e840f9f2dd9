//! A whole request, stage by stage: from an empty card to a certificate in use.
//!
//! [`next`] decides which stage comes next, and is the file to read first.

pub mod csr;
pub mod next;
pub mod record;
