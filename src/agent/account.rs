//! Users and groups of the system, and becoming one of them for good.

use std::ffi::CString;

use nix::errno::Errno;
use nix::unistd::{Gid, Group, Uid, User, geteuid, getresgid, getresuid, initgroups, setresgid, setresuid};
use thiserror::Error;

/// A user to work as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The name.
    pub name: String,
    /// The user.
    pub uid: Uid,
    /// Its primary group.
    pub gid: Gid,
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
        source: Errno,
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
        source: Errno,
    },
    /// It seemed to work, and what was given up can be had back.
    #[error("the agent became user {name:?}, but could still become root again")]
    Regained {
        /// The name.
        name: String,
    },
}

/// The group of `agent.control_group`.
///
/// # Errors
/// There is none of that name.
pub fn group(name: &str) -> Result<Gid, AccountError> {
    const KEY: &str = "agent.control_group";
    match looked_up(Group::from_name(name)) {
        Ok(Some(group)) => Ok(group.gid),
        Ok(None) => Err(AccountError::Unknown { key: KEY, kind: "group", name: name.to_owned() }),
        Err(source) => Err(AccountError::Lookup { key: KEY, name: name.to_owned(), source }),
    }
}

/// What a lookup has found. POSIX has no error for "no such name", and modules of nsswitch (`sss`) answer one of these four
/// where others answer nothing: getpwnam_r(3) and getgrnam_r(3), ERRORS.
fn looked_up<T>(answer: Result<Option<T>, Errno>) -> Result<Option<T>, Errno> {
    match answer {
        Err(Errno::ENOENT | Errno::ESRCH | Errno::EBADF | Errno::EPERM) => Ok(None),
        answer => answer,
    }
}

impl Account {
    /// The account of `agent.user`; `None` where we are that user already.
    ///
    /// # Errors
    /// There is none of that name, or we are neither it nor root.
    pub fn to_become(name: &str) -> Result<Option<Self>, AccountError> {
        const KEY: &str = "agent.user";
        let user = match looked_up(User::from_name(name)) {
            Ok(Some(user)) => user,
            Ok(None) => return Err(AccountError::Unknown { key: KEY, kind: "user", name: name.to_owned() }),
            Err(source) => return Err(AccountError::Lookup { key: KEY, name: name.to_owned(), source }),
        };
        let own = geteuid();
        if own == user.uid {
            return Ok(None);
        }
        if !own.is_root() {
            return Err(AccountError::NotRoot { name: name.to_owned() });
        }
        Ok(Some(Self { name: name.to_owned(), uid: user.uid, gid: user.gid }))
    }

    /// Becomes this user for good, with its groups and no others, and makes sure that there is no way back. On every thread,
    /// by the C library's word.
    ///
    /// # Errors
    /// The system refused, or there is a way back: then nothing more may be done in this process.
    pub fn become_it(&self) -> Result<(), AccountError> {
        let refused = |source| AccountError::Refused { name: self.name.clone(), source };
        // No program that we start (a pinentry) gets more than we have, whatever its file's mode says.
        rustix::thread::set_no_new_privs(true).map_err(|error| refused(Errno::from_raw(error.raw_os_error())))?;
        let name = CString::new(self.name.as_str()).map_err(|_| refused(Errno::EINVAL))?;
        // Groups first: only root may set them.
        initgroups(&name, self.gid).map_err(refused)?;
        setresgid(self.gid, self.gid, self.gid).map_err(refused)?;
        setresuid(self.uid, self.uid, self.uid).map_err(refused)?;
        let users = getresuid().map_err(refused)?;
        let groups = getresgid().map_err(refused)?;
        let is_all = [users.real, users.effective, users.saved].iter().all(|uid| *uid == self.uid)
            && [groups.real, groups.effective, groups.saved].iter().all(|gid| *gid == self.gid);
        let root = Uid::from_raw(0);
        // The saved id is kept in the trial, or it would itself be a way.
        let way_back = setresuid(root, root, root).is_ok() || setresgid(Gid::from_raw(0), self.gid, self.gid).is_ok();
        if is_all && (!way_back || self.uid == root) {
            Ok(())
        } else {
            Err(AccountError::Regained { name: self.name.clone() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_errors_mean_that_there_is_no_such_name() {
        for errno in [Errno::ENOENT, Errno::ESRCH, Errno::EBADF, Errno::EPERM] {
            assert_eq!(looked_up::<()>(Err(errno)), Ok(None), "{errno}");
        }
    }

    #[test]
    fn other_errors_are_failures_and_what_was_found_is_found() {
        for errno in
            [Errno::EIO, Errno::EINTR, Errno::EMFILE, Errno::ENFILE, Errno::ENOMEM, Errno::ERANGE, Errno::EACCES]
        {
            assert_eq!(looked_up::<()>(Err(errno)), Err(errno));
        }
        assert_eq!(looked_up(Ok(Some(7))), Ok(Some(7)));
        assert_eq!(looked_up::<()>(Ok(None)), Ok(None));
    }
}
