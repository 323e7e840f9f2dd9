//! Groups by their SIDs. A service works as the account that the service manager starts it as, and becomes no other.

use windows_sys::Win32::Foundation::ERROR_NONE_MAPPED;

use super::{Account, AccountError, Group, NotHere};
use crate::os::windows::security::{has, name_of, named, own};

const ACCOUNTS: NotHere = NotHere { what: "becoming another user (`agent.user`)" };

pub(super) fn group(name: &str) -> Result<Group, AccountError> {
    const KEY: &str = "agent.control_group";
    named(name).map(Group).map_err(|source| match source.raw_os_error().map(i32::cast_unsigned) {
        Some(ERROR_NONE_MAPPED) => AccountError::Unknown { key: KEY, kind: "group", name: name.to_owned() },
        _ => AccountError::Lookup { key: KEY, name: name.to_owned(), source },
    })
}

pub(super) fn to_become(_name: &str) -> Result<Option<Account>, AccountError> {
    Err(ACCOUNTS.into())
}

pub(super) fn become_it(_account: &Account) -> Result<(), AccountError> {
    Err(ACCOUNTS.into())
}

pub(super) fn own_name() -> Option<String> {
    own().ok().and_then(|own| name_of(&own))
}

/// Of another user the system is not asked.
pub(super) fn is_member(user: Option<&str>, group: Group) -> bool {
    user.is_none() && has(None, &group.0)
}
