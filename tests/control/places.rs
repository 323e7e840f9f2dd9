//! One agent a socket, and the socket's modes.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixListener;

use nix::unistd::{Gid, getegid, getgroups};
use pinwright::agent::control::client::ask;
use pinwright::agent::control::place::{Place, PlaceError};
use pinwright::agent::control::protocol::Command;
use pinwright::agent::report::Snapshot;

use crate::agent::Agent;

#[test]
fn a_second_agent_leaves_the_first_alone() {
    let agent = Agent::start(None);
    let error = Place::take(&agent.socket(), None, None).unwrap_err();
    assert!(matches!(error, PlaceError::Running { .. }), "{error}");
    assert!(ask(&agent.settings(), Command::Status).unwrap().expect::<Snapshot>().is_ok());
}

#[test]
fn the_socket_of_a_dead_agent_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agent.sock");
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists(), "a socket without a listener");
    Place::take(&path, None, None).unwrap();
}

#[test]
fn what_is_no_agents_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agent.sock");
    fs::write(&path, "a file").unwrap();
    assert!(matches!(Place::take(&path, None, None).unwrap_err(), PlaceError::Occupied { .. }));
    assert_eq!(fs::read_to_string(&path).unwrap(), "a file");
    fs::remove_file(&path).unwrap();
    // A program that listens there and has no lock lives all the same.
    let other = UnixListener::bind(&path).unwrap();
    assert!(matches!(Place::take(&path, None, None).unwrap_err(), PlaceError::Running { .. }));
    assert!(path.exists());
    drop(other);
}

#[test]
fn only_user_and_group_may_open_the_socket() {
    // A group of ours that is not the one that files get by themselves, where there is one.
    let group = getgroups().unwrap().into_iter().find(|group| *group != getegid()).unwrap_or(getegid());
    let agent = Agent::start(Some(group));
    let socket = fs::metadata(agent.socket()).unwrap();
    assert_eq!(socket.permissions().mode() & 0o7777, 0o660);
    assert_eq!(Gid::from_raw(socket.gid()), group);
    let folder = fs::metadata(agent.socket().parent().unwrap()).unwrap();
    assert_eq!(folder.permissions().mode() & 0o7777, 0o755);
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("missing/run/agent.sock");
    let error = Place::take(&path, None, None).unwrap_err().to_string();
    assert!(error.contains("making the folder") && error.contains("missing/run"), "{error}");
}
