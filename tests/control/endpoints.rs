//! One agent a socket, and the socket's modes.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;

use nix::unistd::{getegid, getgroups};
use pinwright::agent::control::client::ask;
use pinwright::agent::control::protocol::Command;
use pinwright::agent::report::Snapshot;
use pinwright::os::account::{Account, Group};
use pinwright::os::endpoint::{Endpoint, EndpointError};

use crate::agent::Agent;
use crate::peers::nobody;

#[test]
fn a_second_agent_leaves_the_first_alone() {
    let agent = Agent::start(None);
    let error = Endpoint::open(&agent.socket(), None, None).unwrap_err();
    assert!(matches!(error, EndpointError::Running { .. }), "{error}");
    assert!(ask(&agent.settings(), Command::Status).unwrap().expect::<Snapshot>().is_ok());
}

#[test]
fn the_socket_of_a_dead_agent_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agent.sock");
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists(), "a socket without a listener");
    Endpoint::open(&path, None, None).unwrap();
}

#[test]
fn what_is_no_agents_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agent.sock");
    fs::write(&path, "a file").unwrap();
    assert!(matches!(Endpoint::open(&path, None, None).unwrap_err(), EndpointError::Occupied { .. }));
    assert_eq!(fs::read_to_string(&path).unwrap(), "a file");
    fs::remove_file(&path).unwrap();
    // A program that listens there and has no lock lives all the same.
    let other = UnixListener::bind(&path).unwrap();
    assert!(matches!(Endpoint::open(&path, None, None).unwrap_err(), EndpointError::Running { .. }));
    assert!(path.exists());
    drop(other);
}

#[test]
fn only_user_and_group_may_open_the_socket() {
    // A group of ours that is not the one that files get by themselves, where there is one.
    let group = getgroups().unwrap().into_iter().find(|group| *group != getegid()).unwrap_or(getegid());
    let agent = Agent::start(Some(Group(group.as_raw())));
    let socket = fs::metadata(agent.socket()).unwrap();
    assert_eq!(socket.permissions().mode() & 0o7777, 0o660);
    assert_eq!(socket.gid(), group.as_raw());
    let folder = fs::metadata(agent.socket().parent().unwrap()).unwrap();
    assert_eq!(folder.permissions().mode() & 0o7777, 0o755);
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("missing/run/agent.sock");
    let error = Endpoint::open(&path, None, None).unwrap_err().to_string();
    assert!(error.contains("making the folder") && error.contains("missing/run"), "{error}");
}

/// A folder that others may pass through, and the user that an agent started as root is to become.
fn place_of_root() -> Option<(tempfile::TempDir, Account)> {
    let user = nobody()?;
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    Some((folder, Account { name: user.name, uid: user.uid.as_raw(), gid: Group(user.gid.as_raw()) }))
}

fn hand_over(path: &Path, to: &Account) {
    chown(path, Some(to.uid), Some(to.gid.0)).unwrap();
}

#[track_caller]
fn assert_belongs(path: &Path, to: &Account, gid: Group, mode: u32) {
    let there = fs::symlink_metadata(path).unwrap();
    let found = (there.uid(), there.gid(), there.mode() & 0o7777);
    assert_eq!(found, (to.uid, gid.0, mode), "{}", path.display());
}

#[test]
fn root_makes_folder_socket_and_lock_for_the_agents_user() {
    let Some((folder, user)) = place_of_root() else { return };
    // Of a group that the user does not belong to.
    let group = Group(12_345);
    let path = folder.path().join("run/agent.sock");
    let _endpoint = Endpoint::open(&path, Some(group), Some(&user)).unwrap();
    assert_belongs(path.parent().unwrap(), &user, user.gid, 0o755);
    assert_belongs(&path, &user, group, 0o660);
    assert_belongs(&folder.path().join("run/agent.sock.lock"), &user, user.gid, 0o600);
    // Root is itself again.
    fs::write(folder.path().join("file"), "").unwrap();
    assert_eq!(fs::metadata(folder.path().join("file")).unwrap().uid(), 0);
}

#[test]
fn root_hands_nothing_over_that_the_agents_user_has_put_a_link_to() {
    let Some((folder, user)) = place_of_root() else { return };
    let secret = folder.path().join("secret");
    fs::write(&secret, "root's").unwrap();
    fs::set_permissions(&secret, Permissions::from_mode(0o600)).unwrap();
    let theirs = folder.path().join("theirs");
    fs::create_dir(&theirs).unwrap();
    hand_over(&theirs, &user);
    let lock = theirs.join("agent.sock.lock");
    let links: [fn(&Path, &Path); 2] = [|to, at| symlink(to, at).unwrap(), |to, at| fs::hard_link(to, at).unwrap()];
    for link in links {
        link(&secret, &lock);
        let error = Endpoint::open(&theirs.join("agent.sock"), None, Some(&user)).unwrap_err();
        assert!(matches!(error, EndpointError::Io { what: "locking", .. }), "{error}");
        let there = fs::metadata(&secret).unwrap();
        assert_eq!((there.uid(), there.mode() & 0o7777), (0, 0o600));
        fs::remove_file(&lock).unwrap();
    }
}

#[test]
fn root_makes_no_folder_where_others_could_put_another_in_its_place() {
    let Some((folder, user)) = place_of_root() else { return };
    let theirs = folder.path().join("theirs");
    let closed = theirs.join("closed");
    fs::create_dir_all(&closed).unwrap();
    hand_over(&theirs, &user);
    let error = Endpoint::open(&closed.join("run/agent.sock"), None, Some(&user)).unwrap_err();
    assert!(matches!(error, EndpointError::Io { what: "making the folder", .. }), "{error}");
    assert!(!closed.join("run").exists());
    // In a folder of the user's own it is made with the user's rights.
    let path = theirs.join("run/agent.sock");
    let _endpoint = Endpoint::open(&path, None, Some(&user)).unwrap();
    assert_belongs(&theirs.join("run"), &user, user.gid, 0o755);
    assert_belongs(&path, &user, user.gid, 0o660);
}
