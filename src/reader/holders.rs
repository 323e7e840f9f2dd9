//! Who may be holding a card: the other processes that are connected to the PC/SC service that we use.
//!
//! The service does not tell its clients about each other, so these are candidates: the kernel tells of every connection to the
//! service's socket, and to root whose it is, to others for processes of their own. Only Linux tells.

use std::fmt;

use crate::os::{account, card_service, socket_clients};

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

/// Who uses the service beside us.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holders {
    /// The processes that we can see.
    pub seen: Vec<Holder>,
    /// How many connections are of processes that we can't see; `None` where nobody tells.
    pub unseen: Option<usize>,
}

/// The candidates, ourselves left out.
#[must_use]
pub fn candidates() -> Holders {
    match socket_clients::clients(&card_service::socket()) {
        Ok(clients) => Holders {
            seen: clients.processes.into_iter().map(|pid| Holder { pid, name: name(pid) }).collect(),
            unseen: Some(clients.unseen),
        },
        Err(error) => {
            tracing::debug!("who uses the PC/SC service is not told: {error}");
            Holders::default()
        }
    }
}

/// At most 15 bytes of a process's own choice: printable ones only.
fn name(pid: u32) -> String {
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    name.trim().chars().filter(|c| !c.is_control()).collect()
}

/// What an error adds about them: the continuation of a sentence, or nothing.
#[must_use]
pub fn sentence(holders: &Holders) -> String {
    continued(holders, account::is_root())
}

/// Root sees all processes but those of another container: it is not told to become root.
fn continued(holders: &Holders, is_root: bool) -> String {
    let mut told: Vec<String> = holders.seen.iter().map(ToString::to_string).collect();
    match holders.unseen {
        None => return "; which processes use the service can't be seen from here".to_owned(),
        Some(0) => {}
        Some(1) if is_root => told.push("one that can't be seen from here (in another container)".to_owned()),
        Some(unseen) if is_root => {
            told.push(format!("some that can't be seen from here ({unseen} connections; in another container)"));
        }
        Some(1) => told.push("one that can't be seen from here (root sees it)".to_owned()),
        Some(unseen) => told.push(format!("some that can't be seen from here ({unseen} connections; root sees them)")),
    }
    if told.is_empty() {
        return String::new();
    }
    format!("; processes that use the service: {}", told.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_not_told_to_ask_root() {
        for (unseen, told) in [
            (None, "; which processes use the service can't be seen from here"),
            (Some(0), ""),
            (Some(1), "; processes that use the service: one that can't be seen from here (in another container)"),
            (
                Some(2),
                "; processes that use the service: some that can't be seen from here (2 connections; in another container)",
            ),
        ] {
            assert_eq!(continued(&Holders { seen: vec![], unseen }, true), told);
        }
    }

    #[test]
    fn who_cannot_be_seen_is_told() {
        let gpg = || vec![Holder { pid: 7, name: "scdaemon".to_owned() }];
        for (seen, unseen, told) in [
            (vec![], None, "; which processes use the service can't be seen from here"),
            (vec![], Some(0), ""),
            (vec![], Some(1), "; processes that use the service: one that can't be seen from here (root sees it)"),
            (gpg(), Some(0), "; processes that use the service: scdaemon (pid 7)"),
            (
                gpg(),
                Some(2),
                "; processes that use the service: scdaemon (pid 7), some that can't be seen from here (2 connections; root sees them)",
            ),
        ] {
            assert_eq!(continued(&Holders { seen, unseen }, false), told);
        }
    }
}
