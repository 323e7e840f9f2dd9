//! The system's own log: journald, where it keeps what this process writes to standard error; on Windows the event log, where this process
//! is a service.
//!
//! It keeps fields apart: `PINWRIGHT_ID` is the job's id, as in `journalctl PINWRIGHT_ID=1a2b3c4d`.

use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::registry::LookupSpan;

#[cfg(windows)]
mod event_log;
#[cfg(target_os = "linux")]
mod journald;
#[cfg(target_os = "linux")]
mod levels;

/// Standard error: where it goes to the system's log errors and warnings stand there as such.
#[must_use]
pub fn standard_error() -> Box<dyn std::io::Write> {
    #[cfg(target_os = "linux")]
    if journald::has_stderr() {
        return Box::new(levels::LevelLines::new(std::io::stderr()));
    }
    #[cfg(windows)]
    {
        Box::new(event_log::StandardError::new())
    }
    #[cfg(not(windows))]
    {
        Box::new(std::io::stderr())
    }
}

/// Where events go instead of standard error; `None` where no log of the system listens there.
#[must_use]
pub fn layer<S>() -> Option<impl Layer<S>>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    #[cfg(target_os = "linux")]
    {
        journald::has_stderr().then(journald::layer).flatten()
    }
    #[cfg(windows)]
    {
        event_log::layer()
    }
    #[cfg(not(any(target_os = "linux", windows)))]
    {
        None::<tracing_subscriber::layer::Identity>
    }
}

/// The system's log, wherever standard error goes; `None` where no log of the system listens.
#[must_use]
pub fn system<S>() -> Option<impl Layer<S>>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    #[cfg(target_os = "linux")]
    {
        journald::layer()
    }
    #[cfg(windows)]
    {
        event_log::layer()
    }
    #[cfg(not(any(target_os = "linux", windows)))]
    {
        None::<tracing_subscriber::layer::Identity>
    }
}
