//! Sign-in with Kerberos. What can be said of it is here in every build; the sign-in itself is in those with the feature `kerberos`.

pub(super) mod error;
pub(super) mod keytab;
#[cfg(feature = "kerberos")]
pub(super) mod negotiate;
