//! Sign-in with Kerberos against MIT's KDC and Apache's mod_auth_gssapi, all of it on loopback and in folders of the test's own.
//!
//! The library takes realm, tickets and keytab from the environment of its process, so each caller is a process of its own: this
//! program again, for the one test that plays it.
#![cfg(all(feature = "sim", feature = "kerberos", target_os = "linux"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

mod adfs;
mod bed;
mod bindings;
mod caller;
mod doctor;
mod itself;
mod jobs;
mod kdc;
mod keytabs;
mod servers;
mod tickets;
mod wire;
