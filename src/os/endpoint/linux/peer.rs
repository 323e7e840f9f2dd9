//! Who may use the control socket: root, the agent's own user, and members of one group.

use std::ffi::CString;
use std::os::unix::net::UnixStream;

use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use nix::unistd::{Gid, Uid, User, geteuid, getgrouplist};

use crate::os::account::Group;
use crate::os::endpoint::NotAllowed;

/// Lets root, this process's user and the members of `group` in. The kernel noted the client's user when it connected, so
/// nothing that the client says or becomes counts.
///
/// # Errors
/// The client is none of them, or the system does not say who it is.
pub fn admit(stream: &UnixStream, group: Option<Group>) -> Result<(), NotAllowed> {
    let peer = getsockopt(stream, PeerCredentials).map_err(|_| NotAllowed { uid: None })?;
    let (uid, gid) = (Uid::from_raw(peer.uid()), Gid::from_raw(peer.gid()));
    let belongs = |Group(group)| gid.as_raw() == group || is_member(uid, Gid::from_raw(group));
    if uid.is_root() || uid == geteuid() || group.is_some_and(belongs) {
        Ok(())
    } else {
        Err(NotAllowed { uid: Some(peer.uid()) })
    }
}

/// By the account database: the kernel notes one group of the client only.
fn is_member(uid: Uid, group: Gid) -> bool {
    let Ok(Some(user)) = User::from_uid(uid) else { return false };
    let Ok(name) = CString::new(user.name) else { return false };
    getgrouplist(&name, user.gid).is_ok_and(|groups| groups.contains(&group))
}
