//! journald, spoken to by its own protocol.

use std::os::fd::AsFd as _;

use tracing_journald::{Layer, Priority, PriorityMappings};

/// Whether what is written to stderr goes to journald.
pub(super) fn has_stderr() -> bool {
    let Ok(named) = std::env::var("JOURNAL_STREAM") else { return false };
    rustix::fs::fstat(std::io::stderr().as_fd()).is_ok_and(|stat| is_stream(&named, stat.st_dev, stat.st_ino))
}

/// Where events go instead of stderr where that is journald's, since a line there would only be a poorer copy.
pub(super) fn layer() -> Option<Layer> {
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
