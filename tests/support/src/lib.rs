//! What the test binaries and the benches share: set-up, programs that run beside pinwright, and places in the repository.
//!
//! The features are pinwright's own (`sim`, `fuzzing`). What needs the stand-ins is there with `sim`, what needs a Linux with
//! namespaces, pcscd or journald on Linux only.

pub mod adfs;
pub mod captured;
pub mod forms;
pub mod helper;
pub mod kept;
pub mod native;
pub mod openssl;
#[cfg(feature = "sim")]
pub mod provisioning;
pub mod relay;
pub mod repository;
pub mod rights;
pub mod sample;
#[cfg(feature = "fuzzing")]
pub mod seeds;
pub mod traits;
pub mod waiting;
pub mod worker;

#[cfg(target_os = "linux")]
pub mod journald;
#[cfg(target_os = "linux")]
pub mod kerberos;

#[cfg(all(feature = "sim", target_os = "linux"))]
pub mod agent_process;
#[cfg(all(feature = "sim", target_os = "linux"))]
pub mod holding;
#[cfg(all(feature = "sim", target_os = "linux"))]
pub mod installation;
#[cfg(all(feature = "sim", target_os = "linux"))]
pub mod numbered_cards;
#[cfg(all(feature = "sim", target_os = "linux"))]
pub mod opensc;
#[cfg(all(feature = "sim", target_os = "linux"))]
pub mod pcscd;
#[cfg(all(feature = "sim", target_os = "linux"))]
pub mod polkit;
#[cfg(all(feature = "sim", target_os = "linux"))]
pub mod vcard;
