//! The account database of the C library, and Linux's three user ids of a process.

use std::ffi::CString;
use std::io;

use nix::errno::Errno;
use nix::unistd::{self, Gid, Uid, User, geteuid, getresgid, getresuid, initgroups, setresgid, setresuid};

use super::{Account, AccountError, Group};

/// With the name of the error's constant in its text.
fn io_error(errno: Errno) -> io::Error {
    io::Error::new(io::Error::from(errno).kind(), errno)
}

pub(super) fn group(name: &str) -> Result<Group, AccountError> {
    const KEY: &str = "agent.control_group";
    match looked_up(unistd::Group::from_name(name)) {
        Ok(Some(group)) => Ok(Group(group.gid.as_raw())),
        Ok(None) => Err(AccountError::Unknown { key: KEY, kind: "group", name: name.to_owned() }),
        Err(error) => Err(AccountError::Lookup { key: KEY, name: name.to_owned(), source: io_error(error) }),
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

pub(super) fn to_become(name: &str) -> Result<Option<Account>, AccountError> {
    const KEY: &str = "agent.user";
    let user = match looked_up(User::from_name(name)) {
        Ok(Some(user)) => user,
        Ok(None) => return Err(AccountError::Unknown { key: KEY, kind: "user", name: name.to_owned() }),
        Err(error) => {
            return Err(AccountError::Lookup { key: KEY, name: name.to_owned(), source: io_error(error) });
        }
    };
    let own = geteuid();
    if own == user.uid {
        return Ok(None);
    }
    if !own.is_root() {
        return Err(AccountError::NotRoot { name: name.to_owned() });
    }
    Ok(Some(Account { name: name.to_owned(), uid: user.uid.as_raw(), gid: Group(user.gid.as_raw()) }))
}

/// On every thread, by the C library's word.
pub(super) fn become_it(account: &Account) -> Result<(), AccountError> {
    let refused = |error| AccountError::Refused { name: account.name.clone(), source: io_error(error) };
    let (uid, gid) = (Uid::from_raw(account.uid), Gid::from_raw(account.gid.0));
    // No program that we start (a pinentry) gets more than we have, whatever its file's mode says.
    rustix::thread::set_no_new_privs(true).map_err(|error| refused(Errno::from_raw(error.raw_os_error())))?;
    let name = CString::new(account.name.as_str()).map_err(|_| refused(Errno::EINVAL))?;
    // Groups first: only root may set them.
    initgroups(&name, gid).map_err(refused)?;
    setresgid(gid, gid, gid).map_err(refused)?;
    setresuid(uid, uid, uid).map_err(refused)?;
    let users = getresuid().map_err(refused)?;
    let groups = getresgid().map_err(refused)?;
    let is_all = [users.real, users.effective, users.saved].iter().all(|other| *other == uid)
        && [groups.real, groups.effective, groups.saved].iter().all(|other| *other == gid);
    let root = Uid::from_raw(0);
    // The saved id is kept in the trial, or it would itself be a way.
    let way_back = setresuid(root, root, root).is_ok() || setresgid(Gid::from_raw(0), gid, gid).is_ok();
    if is_all && (!way_back || uid == root) {
        Ok(())
    } else {
        Err(AccountError::Regained { name: account.name.clone() })
    }
}

pub(super) fn own_name() -> Option<String> {
    User::from_uid(geteuid()).ok().flatten().map(|user| user.name)
}

/// Of a named user by the account database, as it would be at its next start; of ourselves as it is.
pub(super) fn is_member(user: Option<&str>, Group(group): Group) -> bool {
    let group = Gid::from_raw(group);
    let Some(name) = user else {
        return unistd::getegid() == group || unistd::getgroups().is_ok_and(|groups| groups.contains(&group));
    };
    let Ok(Some(user)) = looked_up(User::from_name(name)) else { return false };
    let Ok(name) = CString::new(name) else { return false };
    unistd::getgrouplist(&name, user.gid).is_ok_and(|groups| groups.contains(&group))
}

/// By the group's list, and by the groups that users have from the start: the C library lists those of this machine's own
/// users only.
pub(super) fn has_others(group: u32, users: &[u32]) -> bool {
    let Ok(Some(found)) = looked_up(unistd::Group::from_gid(Gid::from_raw(group))) else { return true };
    let is_one = |name: &String| {
        looked_up(User::from_name(name)).is_ok_and(|user| user.is_none_or(|user| users.contains(&user.uid.as_raw())))
    };
    if !found.mem.iter().all(is_one) {
        return true;
    }
    let accounts = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let first_groups = accounts.lines().filter_map(|line| {
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse::<u32>().ok()?, fields.next()?.parse::<u32>().ok()?))
    });
    first_groups.filter(|(_, first)| *first == group).any(|(user, _)| !users.contains(&user))
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
