//! Sign-in with Kerberos. Where a build has no library for it (`os::kerberos`) the configuration refuses it.

mod advice;
pub(super) mod error;
pub(super) mod keytab;
pub(super) mod negotiate;
mod reason;
