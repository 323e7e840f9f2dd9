//! The system's own log: journald, where it keeps what this process writes to standard error.
//!
//! It keeps fields apart: `PINWRIGHT_ID` is the job's id, as in `journalctl PINWRIGHT_ID=1a2b3c4d`.

use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::registry::LookupSpan;

#[cfg(target_os = "linux")]
mod journald;

/// Where events go instead of standard error; `None` where no log of the system listens there.
#[must_use]
pub fn layer<S>() -> Option<impl Layer<S>>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    #[cfg(target_os = "linux")]
    {
        journald::layer()
    }
    #[cfg(not(target_os = "linux"))]
    {
        None::<tracing_subscriber::layer::Identity>
    }
}
