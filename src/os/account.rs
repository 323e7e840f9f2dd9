//! Users and groups of the system, and becoming one of them for good.

use std::io;

use thiserror::Error;

use super::NotHere;
use crate::operation::Operation;

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
use linux as platform;

#[cfg(windows)]
mod windows;
#[cfg(windows)]
use windows as platform;

#[cfg(not(any(target_os = "linux", windows)))]
mod other;
#[cfg(not(any(target_os = "linux", windows)))]
use other as platform;

/// What the system calls a user by: a number, on Windows a SID.
#[cfg(not(windows))]
pub type UserId = u32;
/// What the system calls a user by: a number, on Windows a SID.
#[cfg(windows)]
pub type UserId = super::acl::Sid;

/// Has the agent work as another user where [`Account::become_it`] can't: an imperative sentence without a full stop.
#[must_use]
pub fn instead() -> String {
    if cfg!(windows) {
        let install = Operation::AgentInstall;
        return format!("leave `agent.user` out: the service works as the account that `{install} --account` names");
    }
    format!("use `{}`, or run the agent on Linux", Operation::SetPin)
}

/// Makes a user or a group that is not there, or has another one named: an imperative sentence without a full stop.
#[cfg(not(windows))]
pub const CREATE: &str = "create it (packaging/sysusers.d has one), or correct the configuration";
/// Makes a user or a group that is not there, or has another one named: an imperative sentence without a full stop.
#[cfg(windows)]
pub const CREATE: &str = "create it (`net localgroup`, as an administrator), or correct the configuration";

/// A group, by its number; on Windows by its SID.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Group(pub UserId);

/// A user to work as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The name.
    pub name: String,
    /// The user's number.
    pub uid: u32,
    /// Its primary group.
    pub gid: Group,
}

/// Why the agent can't work as the configured user, or for the configured group.
#[derive(Debug, Error)]
pub enum AccountError {
    /// No such name.
    #[error("{key}: there is no {kind} {name:?} on this machine")]
    Unknown {
        /// The key of the configuration.
        key: &'static str,
        /// `user` or `group`.
        kind: &'static str,
        /// The name.
        name: String,
    },
    /// The account database failed.
    #[error("{key}: {name:?} can't be looked up")]
    Lookup {
        /// The key of the configuration.
        key: &'static str,
        /// The name.
        name: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Only root becomes another user.
    #[error("agent.user is {name:?}, but the agent was started as another user, which can't become that one")]
    NotRoot {
        /// The name.
        name: String,
    },
    /// The system refused.
    #[error("the agent can't become user {name:?}")]
    Refused {
        /// The name.
        name: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It seemed to work, and what was given up can be had back.
    #[error("the agent became user {name:?}, but could still become root again")]
    Regained {
        /// The name.
        name: String,
    },
    /// The system has no accounts that pinwright knows how to use.
    #[error(transparent)]
    NotHere(#[from] NotHere),
}

impl Group {
    /// The group of `agent.control_group`.
    ///
    /// # Errors
    /// [`AccountError::Unknown`], [`AccountError::Lookup`] or [`AccountError::NotHere`].
    pub fn named(name: &str) -> Result<Self, AccountError> {
        platform::group(name)
    }
}

impl Account {
    /// The account of `agent.user`; `None` where this process works as that user already.
    ///
    /// # Errors
    /// There is none of that name, or we are neither it nor root; [`AccountError::NotHere`].
    pub fn to_become(name: &str) -> Result<Option<Self>, AccountError> {
        platform::to_become(name)
    }

    /// Becomes this user for good, with its groups and no others, on every thread, and makes sure that there is no way back.
    ///
    /// # Errors
    /// [`AccountError::Refused`]; or [`AccountError::Regained`] where there is a way back: then nothing more may be done in this
    /// process.
    pub fn become_it(&self) -> Result<(), AccountError> {
        platform::become_it(self)
    }
}

/// Whether this user, or where none is named this process, belongs to the group. An account that can't be looked up does not.
#[must_use]
pub fn is_member(user: Option<&str>, group: Group) -> bool {
    platform::is_member(user, group)
}

/// Whether this process has root's rights; never on systems without a root.
#[must_use]
pub fn is_root() -> bool {
    #[cfg(unix)]
    {
        rustix::process::geteuid().is_root()
    }
    #[cfg(not(unix))]
    {
        false
    }
}

/// Whether the group has members other than these users, or may have.
#[cfg(unix)]
pub(super) fn has_others(group: u32, users: &[u32]) -> bool {
    platform::has_others(group, users)
}

/// The name of the user that this process works as; `None` where the account database has none.
#[must_use]
pub fn own_name() -> Option<String> {
    platform::own_name()
}

/// The number of the user that this process works as; `None` on systems whose users have none.
#[must_use]
pub fn own_number() -> Option<u32> {
    #[cfg(unix)]
    {
        Some(rustix::process::geteuid().as_raw())
    }
    #[cfg(not(unix))]
    {
        None
    }
}
