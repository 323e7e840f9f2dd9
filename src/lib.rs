//! A smart card enrollment agent for Microsoft Identity Manager Certificate Management.

#[cfg(feature = "sim")]
pub mod sim;
