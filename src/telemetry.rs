//! Logs: on stderr, or in the journal where systemd started us with stderr connected to it; this crate's own events only.
//!
//! Events of libraries are dropped at every level: what an HTTP or TLS library logs at trace level may hold a secret.

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::os;

/// How much is logged: warnings, then `-v` what happens, `-vv` each call, `-vvv` each APDU (secrets masked).
#[must_use]
pub fn level(verbose: u8, quiet: bool) -> LevelFilter {
    match (quiet, verbose) {
        (true, _) => LevelFilter::ERROR,
        (false, 0) => LevelFilter::WARN,
        (false, 1) => LevelFilter::INFO,
        (false, 2) => LevelFilter::DEBUG,
        (false, _) => LevelFilter::TRACE,
    }
}

/// Starts logging; a second call in the same process has no effect.
pub fn start(level: LevelFilter, color: bool) {
    let ours = Targets::new().with_target("pinwright", level);
    // An error of `try_init` means that a subscriber is there already: then logs go where that one sends them.
    if let Some(system_log) = os::log::layer() {
        return drop(tracing_subscriber::registry().with(system_log).with(ours).try_init());
    }
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(color)
        .with_target(level >= LevelFilter::DEBUG);
    drop(tracing_subscriber::registry().with(lines).with(ours).try_init());
}
