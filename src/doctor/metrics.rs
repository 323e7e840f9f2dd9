//! Whether the metrics can be served at their address: found out by trying, and left as it was.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::time::Duration;

use crate::os::endpoint::{connect, is_no_endpoint};
use crate::os::files::can_create_in;

/// How long an agent may take to let somebody in.
const PATIENCE: Duration = Duration::from_secs(2);

/// Whether the address can be listened on. It is tried as whoever starts the agent, which opens it before it becomes another
/// user. `controls` are where an agent would answer that has it already.
pub(super) fn address(address: SocketAddr, controls: &[Option<&Path>]) -> Result<String, String> {
    // One that does not let this user in listens all the same.
    let listens = |path: &&Path| {
        connect(path, PATIENCE).map_or_else(|error| error.kind() == ErrorKind::PermissionDenied, |_| true)
    };
    let is_running = || controls.iter().flatten().any(listens);
    match TcpListener::bind(address) {
        Ok(_) => Ok(address.to_string()),
        Err(error) if error.kind() == ErrorKind::AddrInUse && is_running() => {
            Ok(format!("{address} (in use: an agent is running)"))
        }
        Err(error) => Err(format!("{address}: {error}")),
    }
}

/// Whether a socket can be made at the path. It is tried as the agent's user; its folder is made by root where root starts
/// the agent.
pub(super) fn socket(path: &Path, control: Option<&Path>, root_starts: bool) -> Result<String, String> {
    let shown = path.display();
    if is_no_endpoint(path) {
        return Err(format!("{shown} is there, and is no socket of an agent"));
    }
    let folder = path.parent().unwrap_or(Path::new("/"));
    if folder.exists() {
        let denied = |error| format!("{} can't be written to: {error}", folder.display());
        return can_create_in(folder).map(|()| shown.to_string()).map_err(denied);
    }
    let above = folder.parent().unwrap_or(Path::new("/"));
    // The folder of the control socket is made by systemd; of another, the agent makes the last level.
    let with_control = control.is_some_and(|control| control.parent() == Some(folder));
    if with_control || above.is_dir() && (root_starts || can_create_in(above).is_ok()) {
        Ok(format!("{shown} (its folder will be made)"))
    } else {
        Err(format!("{} is not there, and can't be made in {}", folder.display(), above.display()))
    }
}
