//! One descriptor that the caller opened, by its number.
//!
//! It is duplicated, not opened anew: so it is read from where it stands, whoever opened it, and a socket is as good as a pipe.

#[cfg(unix)]
mod handed;

#[cfg(unix)]
pub use handed::Descriptor;

#[cfg(not(unix))]
mod unsupported;

#[cfg(not(unix))]
pub use unsupported::Descriptor;
