//! Other users: the command itself as somebody else, against the socket of this process. Needs root.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use nix::unistd::{Gid, Uid, User, geteuid};
use pinwright::agent::Settings;
use pinwright::agent::control::client::{self, AskError};
use pinwright::agent::control::protocol;
use pinwright::os::account::Group;
use pinwright::os::endpoint::connect;
use uuid::Uuid;

use support::waiting::{PATIENCE, skip, until};

use crate::agent::Agent;

/// Somebody who is not root: the account database's `nobody`.
pub fn nobody() -> Option<User> {
    let nobody = User::from_name("nobody").ok().flatten();
    let able = geteuid().is_root() && nobody.is_some();
    if !able {
        skip("other users need root and an account `nobody`");
    }
    nobody.filter(|_| able)
}

/// `pinwright agent status` as that user, with the primary group and no others.
fn status_as(agent: &Agent, uid: Uid, gid: Gid) -> Output {
    let folder = agent.folder.path();
    fs::set_permissions(folder, Permissions::from_mode(0o755)).unwrap();
    // Where the build is may be closed to others.
    let program = folder.join("pinwright");
    fs::copy(env!("CARGO_BIN_EXE_pinwright"), &program).unwrap();
    let config = folder.join("config.toml");
    fs::write(&config, format!("[agent]\ncontrol = \"{}\"\n", agent.socket().display())).unwrap();
    fs::set_permissions(&config, Permissions::from_mode(0o644)).unwrap();
    let mut command = Command::new("setpriv");
    command.args([format!("--reuid={uid}"), format!("--regid={gid}"), "--clear-groups".to_owned()]);
    command.arg(program).arg("--config").arg(config).args(["agent", "status"]);
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).stdin(Stdio::null()).output().unwrap()
}

fn open_to_all(socket: &Path) {
    fs::set_permissions(socket, Permissions::from_mode(0o666)).unwrap();
}

#[track_caller]
fn assert_refused(output: &Output, reason: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains(reason), "{said}");
    assert!(output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn a_foreign_user_gets_no_answer() {
    let Some(nobody) = nobody() else { return };
    let agent = Agent::start(None);
    assert_refused(&status_as(&agent, nobody.uid, nobody.gid), "this user may not talk to the agent");
    // Whatever the file's mode has become, the kernel says who connects.
    open_to_all(&agent.socket());
    assert_refused(&status_as(&agent, nobody.uid, nobody.gid), "the agent refused: this user may not ask the agent");
}

#[test]
fn members_of_the_group_get_their_answer() {
    let Some(nobody) = nobody() else { return };
    let agent = Agent::start(Some(Group(nobody.gid.as_raw())));
    let got = status_as(&agent, nobody.uid, nobody.gid);
    assert!(got.status.success(), "{}", String::from_utf8_lossy(&got.stderr));
    assert!(String::from_utf8_lossy(&got.stdout).starts_with("agent    pinwright "));
    // By the account database, although the process has left the group; the file's mode is another matter.
    open_to_all(&agent.socket());
    assert!(status_as(&agent, nobody.uid, Gid::from_raw(1)).status.success());
    // A user without an account, in another group.
    assert_refused(&status_as(&agent, Uid::from_raw(54_321), Gid::from_raw(54_321)), "the agent refused");
}

/// An agent's process; killed when dropped.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// A listener of nobody's in a folder where everybody can make one is nobody's word; in nobody's own folder it is an agent's. What
/// the one says of a card is not read, and what the other says is.
#[test]
fn another_users_listener_is_believed_in_a_folder_of_its_own_only() {
    let Some(nobody) = nobody() else { return };
    let base = tempfile::tempdir().unwrap();
    fs::set_permissions(base.path(), Permissions::from_mode(0o755)).unwrap();
    let program = base.path().join("pinwright");
    fs::copy(env!("CARGO_BIN_EXE_pinwright"), &program).unwrap();
    for (mode, is_believed) in [(0o1777, false), (0o755, true)] {
        let folder = base.path().join(format!("{mode:o}"));
        fs::create_dir(&folder).unwrap();
        chown(&folder, Some(nobody.uid.as_raw()), None).unwrap();
        fs::set_permissions(&folder, Permissions::from_mode(mode)).unwrap();
        let socket = folder.join("agent.sock");
        let config = base.path().join(format!("{mode:o}.toml"));
        let journal = folder.join("journal");
        let text = format!(
            "[server]\nurl = \"https://127.0.0.1:9/x\"\n[agent]\ncontrol = {socket:?}\n[journal]\ndir = {journal:?}\n"
        );
        fs::write(&config, text).unwrap();
        let mut agent = Command::new("setpriv");
        agent.args([format!("--reuid={}", nobody.uid), format!("--regid={}", nobody.gid), "--clear-groups".to_owned()]);
        agent.arg(&program).arg("--config").arg(&config).arg("agent").stderr(Stdio::null());
        let _agent = Process(agent.spawn().unwrap());
        until("the agent listens", || connect(&socket, PATIENCE).is_ok());
        let settings = Settings { control: Some(socket), ..Settings::default() };
        let status = client::ask(&settings, protocol::Command::Status).map(drop);
        let of_card = client::ask_about_card(&settings, Uuid::from_u128(1), PATIENCE).remove(0).map(drop);
        for answer in [status, of_card] {
            match answer {
                Ok(()) => assert!(is_believed),
                Err(AskError::NotBelieved { source, .. }) => {
                    assert!(!is_believed && source.uid == Some(nobody.uid.as_raw()), "{source}");
                }
                Err(other) => panic!("{other}"),
            }
        }
    }
}
