//! Who may be holding a card: the other processes that have the PC/SC client library loaded.
//!
//! The service does not tell its clients about each other, so this is a list of candidates: as root all of them, else those
//! of this user. Only Linux tells; elsewhere the list is empty.

use std::fmt;

/// A process that uses the PC/SC service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its id.
    pub pid: u32,
    /// Its name, as in `ps -e`.
    pub name: String,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (pid {})", self.name, self.pid)
    }
}

/// The client library's name in a process's memory map.
const LIBRARY: &str = "/libpcsclite.so";

/// Our own name: a process of ours shows its map to root only, and is as likely to hold a card as any.
const OURS: &str = env!("CARGO_PKG_NAME");

/// The candidates, ourselves left out.
#[must_use]
pub fn candidates() -> Vec<Holder> {
    let Ok(processes) = std::fs::read_dir("/proc") else { return Vec::new() };
    let mut holders: Vec<Holder> = processes
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|pid| *pid != std::process::id())
        .map(|pid| Holder { pid, name: name(pid) })
        .filter(|Holder { pid, name }| match std::fs::read_to_string(format!("/proc/{pid}/maps")) {
            Ok(maps) => maps.contains(LIBRARY),
            Err(_) => name == OURS,
        })
        .collect();
    holders.sort_by_key(|holder| holder.pid);
    holders
}

/// At most 15 bytes of a process's own choice: printable ones only.
fn name(pid: u32) -> String {
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    name.trim().chars().filter(|c| !c.is_control()).collect()
}

/// ` It may be held by …`, or nothing.
#[must_use]
pub fn sentence(holders: &[Holder]) -> String {
    if holders.is_empty() {
        return String::new();
    }
    let names: Vec<String> = holders.iter().map(ToString::to_string).collect();
    format!("; processes that use the service: {}", names.join(", "))
}
