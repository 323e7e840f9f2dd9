//! Logs: on stderr, or in the journal where systemd started us with stderr connected to it; this crate's own events only.
//!
//! Libraries below us are not listened to, at any level: what an HTTP or TLS library logs at trace level is not ours to
//! promise.

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// How much is said: warnings, then `-v` what happens, `-vv` each call, `-vvv` each APDU (secrets masked).
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
    #[cfg(target_os = "linux")]
    if let Some(journal) = journal::layer() {
        // An error means that a subscriber is there already: then logs go where that one sends them.
        return drop(tracing_subscriber::registry().with(journal).with(ours).try_init());
    }
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(color)
        .with_target(level >= LevelFilter::DEBUG);
    drop(tracing_subscriber::registry().with(lines).with(ours).try_init());
}

/// journald, which keeps fields apart: `PINWRIGHT_ID` is the job's id, as in `journalctl PINWRIGHT_ID=1a2b3c4d`.
#[cfg(target_os = "linux")]
mod journal {
    use std::os::fd::AsFd;

    use tracing_journald::{Layer, Priority, PriorityMappings};

    /// Where stderr is journald's: then a line there would only be a poorer copy.
    pub(super) fn layer() -> Option<Layer> {
        let named = std::env::var("JOURNAL_STREAM").ok()?;
        let stat = rustix::fs::fstat(std::io::stderr().as_fd()).ok()?;
        if !is_stream(&named, stat.st_dev, stat.st_ino) {
            return None;
        }
        // What systemd counts as informational is our level of that name, not one above it.
        let priorities = PriorityMappings {
            info: Priority::Informational,
            debug: Priority::Debug,
            trace: Priority::Debug,
            ..PriorityMappings::new()
        };
        // Without the socket stderr is still there.
        let layer = Layer::new().ok()?;
        Some(
            layer
                .with_field_prefix(Some("PINWRIGHT".to_owned()))
                .with_syslog_identifier("pinwright".to_owned())
                .with_priority_mappings(priorities),
        )
    }

    /// `device:inode`, as systemd.exec(5) says; a stderr that was sent elsewhere since does not match.
    fn is_stream(named: &str, device: u64, inode: u64) -> bool {
        named == format!("{device}:{inode}")
    }

    #[cfg(test)]
    mod tests {
        use super::is_stream;

        #[test]
        fn only_the_same_device_and_inode_are_the_journals_stream() {
            assert!(is_stream("9:12345", 9, 12345));
            assert!(!is_stream("9:12345", 9, 12346));
            assert!(!is_stream("8:12345", 9, 12345));
            assert!(!is_stream("", 9, 12345));
        }
    }
}
