//! No accounts that pinwright knows how to use.

use super::{Account, AccountError, Group, NotHere};

const ACCOUNTS: NotHere = NotHere { what: "working as another user" };

pub(super) fn group(_name: &str) -> Result<Group, AccountError> {
    Err(NotHere { what: "a group for the control socket" }.into())
}

pub(super) fn to_become(_name: &str) -> Result<Option<Account>, AccountError> {
    Err(ACCOUNTS.into())
}

pub(super) fn become_it(_account: &Account) -> Result<(), AccountError> {
    Err(ACCOUNTS.into())
}

pub(super) fn own_name() -> Option<String> {
    None
}

pub(super) fn is_member(_user: Option<&str>, _group: Group) -> bool {
    false
}

/// Nobody can say.
#[cfg(unix)]
pub(super) fn has_others(_group: u32, _users: &[u32]) -> bool {
    true
}
