//! A smart card enrollment agent for Microsoft Identity Manager Certificate Management.

pub mod reader;
#[cfg(feature = "sim")]
pub mod sim;
