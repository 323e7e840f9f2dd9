//! Who may use the control socket: root, the agent's own user, and members of one group.

use std::ffi::CString;
use std::os::unix::net::UnixStream;

use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use nix::unistd::{Gid, Uid, User, geteuid, getgrouplist};

/// Somebody who may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stranger {
    /// Who, where the kernel says.
    pub uid: Option<u32>,
}

/// Lets root, this process's user and the group in. The kernel noted the client's user when it connected, so nothing that
/// the client says or becomes counts.
pub(super) fn admit(stream: &UnixStream, group: Option<Gid>) -> Result<(), Stranger> {
    let peer = getsockopt(stream, PeerCredentials).map_err(|_| Stranger { uid: None })?;
    let (uid, gid) = (Uid::from_raw(peer.uid()), Gid::from_raw(peer.gid()));
    let belongs = |group: Gid| gid == group || is_member(uid, group);
    if uid.is_root() || uid == geteuid() || group.is_some_and(belongs) {
        Ok(())
    } else {
        Err(Stranger { uid: Some(peer.uid()) })
    }
}

/// By the account database: the kernel notes one group of the client only.
fn is_member(uid: Uid, group: Gid) -> bool {
    let Ok(Some(user)) = User::from_uid(uid) else { return false };
    let Ok(name) = CString::new(user.name) else { return false };
    getgrouplist(&name, user.gid).is_ok_and(|groups| groups.contains(&group))
}
