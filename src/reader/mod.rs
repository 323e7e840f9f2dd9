//! Readers, and recordings of what passed through them.

pub mod fixture;
