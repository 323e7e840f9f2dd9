//! The file rights of the user that the agent is to become, before it becomes that user.
//!
//! The sockets are opened before the agent becomes its user, so that a failure can be told to whoever starts it. With root's own
//! rights a link in a folder of that user's could have a file of root's handed over to the user.

use std::io;

use nix::unistd::{Gid, Uid, getegid, geteuid, setfsgid, setfsuid};

use crate::os::account::Account;

/// This thread looks up, makes and changes files as that user until this is dropped, without root's capabilities for files.
pub(super) struct FileRights(());

impl FileRights {
    /// Of `owner`; nothing changes where that is nobody else.
    ///
    /// # Errors
    /// The system refused: we are not root.
    pub fn of(owner: Option<&Account>) -> io::Result<Option<Self>> {
        let Some(owner) = owner else { return Ok(None) };
        // Dropped, and so undone, where the second call is refused.
        let rights = Self(());
        // The calls tell what was before, and not whether they worked.
        let current = (Uid::from_raw(u32::MAX), Gid::from_raw(u32::MAX));
        let wanted = (Uid::from_raw(owner.uid), Gid::from_raw(owner.gid.0));
        setfsgid(wanted.1);
        setfsuid(wanted.0);
        if (setfsuid(current.0), setfsgid(current.1)) == wanted {
            Ok(Some(rights))
        } else {
            Err(io::ErrorKind::PermissionDenied.into())
        }
    }
}

impl Drop for FileRights {
    fn drop(&mut self) {
        // Always granted: they are the thread's effective ones.
        setfsuid(geteuid());
        setfsgid(getegid());
    }
}
