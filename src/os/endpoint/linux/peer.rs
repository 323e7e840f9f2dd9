//! Who may use the control socket (root, the agent's own user, and members of one group), and whose answers there are believed.

use std::ffi::CString;
use std::os::unix::net::UnixStream;
use std::path::Path;

use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use nix::unistd::{Gid, Uid, User, geteuid, getgrouplist};

use crate::os::account::Group;
use crate::os::endpoint::{NotAllowed, NotBelieved};
use crate::os::files::sole_owner;

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

/// Believes a listener on the socket of this path that is root, this process's user, or the only one (but these two) who can
/// write to the socket's folder. The kernel noted the listener's user when it began to listen.
///
/// # Errors
/// The listener is none of them, or the system does not say who it is.
pub fn believe(stream: &UnixStream, path: &Path) -> Result<(), NotBelieved> {
    let listener = getsockopt(stream, PeerCredentials).map_err(|_| NotBelieved { uid: None })?;
    let uid = Uid::from_raw(listener.uid());
    let owns_folder = || path.parent().and_then(sole_owner) == Some(listener.uid());
    if uid.is_root() || uid == geteuid() || owns_folder() {
        Ok(())
    } else {
        Err(NotBelieved { uid: Some(listener.uid()) })
    }
}

/// By the account database: the kernel notes one group of the client only.
fn is_member(uid: Uid, group: Gid) -> bool {
    let Ok(Some(user)) = User::from_uid(uid) else { return false };
    let Ok(name) = CString::new(user.name) else { return false };
    getgrouplist(&name, user.gid).is_ok_and(|groups| groups.contains(&group))
}
