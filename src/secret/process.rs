//! The process around the secrets: no core of it is written, and other processes of the same user can't read its memory.
//!
//! Linux: `PR_SET_DUMPABLE` off (no core whatever takes it, no tracer, `/proc/PID/mem` for root only) and `RLIMIT_CORE` 0.
//! Other Unix systems: `RLIMIT_CORE` 0; macOS lets no process trace one with the hardened runtime, which is a matter of how the
//! binary is signed. Windows: nothing here; error reports with memory are a matter of policy there (`WER\LocalDumps`).
//!
//! Root reads everything everywhere. `MADV_DONTDUMP` and `MADV_DONTFORK` are not used: nothing dumps this process, and it has
//! no children.

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
    let undumpable =
        undumpable().map_err(|source| NotHardened { what: "hide its memory from other processes", source });
    let coreless = coreless().map_err(|source| NotHardened { what: "give up its core files", source });
    undumpable.and(coreless)
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn undumpable() -> std::io::Result<()> {
    Ok(rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)?)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn undumpable() -> std::io::Result<()> {
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
