//! The process around the secrets: no core of it is written, and other processes of the same user can't read its memory.
//!
//! Linux: `PR_SET_DUMPABLE` off (no core whatever takes it, no tracer, `/proc/PID/mem` for root only) and `RLIMIT_CORE` 0.
//! Other Unix systems: `RLIMIT_CORE` 0. Windows: no error report has the heap (`WerSetFlags`), a crash ends the process without a dialog
//! (`SetErrorMode`), and the process has a list of rights by which other processes of the same user can't open its memory.
//!
//! Root reads everything everywhere. Not used, and why:
//!
//! - `MADV_DONTDUMP` (Linux): nothing but root dumps this process, and root reads its memory as well. The advice is for whole
//!   pages, which secrets share with the rest of the heap, and would stay on them when they are freed.
//! - `MADV_DONTFORK`, `MADV_WIPEONFORK` (Linux): the only child is the agent's pinentry, which the standard library starts by
//!   `posix_spawn`: it shares this memory until it becomes another program and never has a copy. A heap page that is missing or
//!   empty in a child that was forked would end it instead.
//! - `PT_DENY_ATTACH` (macOS): turns tracers away, as does the hardened runtime, which is a matter of how the binary is signed.
//! - `WerRegisterExcludedMemoryBlock` (Windows): the heap is in no report anyway; local dumps are a matter of policy (`WER\LocalDumps`).
//!
//! The first three are calls that no safe function of a crate in use makes, and the one of macOS was never tried.

/// Something that the system did not grant. The process is as it was; there is no reason to stop.
#[derive(Debug, thiserror::Error)]
#[error("the system did not let this process {what}")]
pub struct NotHardened {
    /// What was refused.
    pub what: &'static str,
    /// Why.
    #[source]
    pub source: std::io::Error,
}

/// Closes the process to cores and tracers, for good. To be called before there is any secret, and before threads start.
///
/// # Errors
/// The first thing that was refused; the others have been done.
pub fn harden() -> Result<(), NotHardened> {
    let unreported =
        unreported().map_err(|source| NotHardened { what: "keep its memory out of error reports", source });
    let undumpable =
        undumpable().map_err(|source| NotHardened { what: "hide its memory from other processes", source });
    let coreless = coreless().map_err(|source| NotHardened { what: "give up its core files", source });
    unreported.and(undumpable).and(coreless)
}

/// Whether a crash of this process would write its memory to a core file; `None` where the system is not asked.
#[must_use]
pub fn may_write_core() -> Option<bool> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        use rustix::process::{DumpableBehavior, Resource, dumpable_behavior, getrlimit};
        let is_dumpable = dumpable_behavior().is_ok_and(|found| found != DumpableBehavior::NotDumpable);
        Some(is_dumpable && getrlimit(Resource::Core).current != Some(0))
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    {
        None
    }
}

/// Keeps secrets out of swap where memory can't be locked: an imperative sentence without a full stop.
#[cfg(not(windows))]
pub const LOCK_MORE: &str =
    "raise the limit of locked memory (`ulimit -l`, or `LimitMEMLOCK=` of the unit), or encrypt the swap space";
/// Keeps secrets out of swap where memory can't be locked: an imperative sentence without a full stop.
#[cfg(windows)]
pub const LOCK_MORE: &str = "encrypt the page file (`fsutil behavior set EncryptPagingFile 1`, then restart Windows) or the whole drive (BitLocker)";

/// How much memory this process may lock, in bytes; `None` where nothing limits it, or the system is not asked.
#[must_use]
pub fn lockable_memory() -> Option<u64> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        rustix::process::getrlimit(rustix::process::Resource::Memlock).current
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    {
        None
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn undumpable() -> std::io::Result<()> {
    Ok(rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)?)
}

#[cfg(windows)]
fn undumpable() -> std::io::Result<()> {
    use super::windows::security::{Descriptor, own};
    Descriptor::of_text(&super::acl::closed_process(&own()?))?.close_process()
}

#[cfg(not(any(target_os = "linux", target_os = "android", windows)))]
fn undumpable() -> std::io::Result<()> {
    Ok(())
}

#[cfg(windows)]
fn unreported() -> std::io::Result<()> {
    super::windows::protection::no_reports()
}

#[cfg(not(windows))]
#[expect(clippy::unnecessary_wraps, reason = "can fail on other systems")]
fn unreported() -> std::io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn coreless() -> std::io::Result<()> {
    use rustix::process::{Resource, Rlimit, setrlimit};
    Ok(setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?)
}

#[cfg(not(unix))]
fn coreless() -> std::io::Result<()> {
    Ok(())
}
