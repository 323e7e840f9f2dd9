//! The PC/SC service of this system: where it listens, and how people start it.

pub mod process;

use std::path::{Path, PathBuf};

/// The socket of pcscd, by the variable that its library obeys or where it is by default; empty on Windows, which has none.
#[must_use]
pub fn socket() -> PathBuf {
    if cfg!(windows) {
        return PathBuf::new();
    }
    let named = std::env::var_os("PCSCLITE_CSOCK_NAME").filter(|name| !name.is_empty());
    named.map_or_else(|| PathBuf::from("/run/pcscd/pcscd.comm"), PathBuf::from)
}

/// Whether anybody takes connections on the service's socket.
#[cfg(unix)]
#[must_use]
pub fn listens() -> bool {
    std::os::unix::net::UnixStream::connect(socket()).is_ok()
}

/// Whether anybody takes connections on the service's socket: there is none here.
#[cfg(not(unix))]
#[must_use]
pub fn listens() -> bool {
    false
}

/// Starts one that does not run: an imperative sentence without a full stop.
#[cfg(windows)]
const START: &str = "plug a reader in: Windows runs the Smart Card service only while there is one; if there is one, start the service as an \
     administrator (`sc.exe start SCardSvr`)";
/// Starts one that does not run: an imperative sentence without a full stop.
#[cfg(not(windows))]
const START: &str = "start it: `systemctl start pcscd.socket` (Debian: `apt install pcscd` first), or `pcscd` by hand";

/// Starts one that nobody answers for any more, though its socket's file is there. systemd refuses to start what has failed too
/// often until it is told to forget that.
#[cfg(not(windows))]
const START_ANEW: &str = "start it anew: `systemctl reset-failed pcscd.socket pcscd.service`, then `systemctl start pcscd.socket`, or `pcscd` \
     by hand; `systemctl status pcscd` says why it ended";

/// Starts one that does not run, by what is left of it: an imperative sentence without a full stop.
#[must_use]
pub fn start() -> &'static str {
    start_where(&socket())
}

#[cfg(windows)]
fn start_where(_socket: &Path) -> &'static str {
    START
}

#[cfg(not(windows))]
fn start_where(socket: &Path) -> &'static str {
    if socket.exists() { START_ANEW } else { START }
}

/// Has a reader seen where there is none: an imperative sentence without a full stop.
#[cfg(windows)]
pub const NO_READER: &str = "plug a reader in; if one is plugged in, see whether Windows has a driver for it (`pnputil /enum-devices /class SmartCardReader`); \
     over Remote Desktop the readers are those of the machine that you sit at";
/// Has a reader seen where there is none: an imperative sentence without a full stop.
#[cfg(not(windows))]
pub const NO_READER: &str = "plug a reader in; if one is plugged in, see whether the system sees it (`lsusb`), and that pcscd has its driver \
     (Debian: `apt install libccid`)";

/// Has one back that went away: an imperative sentence without a full stop.
#[cfg(windows)]
pub const START_AGAIN: &str = "plug the reader in again (Windows stops the Smart Card service with its last reader); over Remote Desktop \
     connect again with smart cards switched on";
/// Has one back that went away: an imperative sentence without a full stop.
#[cfg(not(windows))]
pub const START_AGAIN: &str = "start the service again";

/// Ends the silence of one that hangs: an imperative sentence without a full stop.
#[cfg(windows)]
pub const RESTART: &str = "restart the Smart Card service as an administrator (PowerShell: `Restart-Service -Force SCardSvr`); if that does not \
     help unplug the reader that it hangs in";
/// Ends the silence of one that hangs: an imperative sentence without a full stop.
#[cfg(not(windows))]
pub const RESTART: &str =
    "restart it: `systemctl restart pcscd`; if that does not help unplug the reader that it hangs in";

/// Has one that refuses us take us in: an imperative sentence without a full stop.
#[must_use]
pub fn allow() -> &'static str {
    allow_with(&SYSTEM_BUSES)
}

fn allow_with(buses: &[&str]) -> &'static str {
    if cfg!(windows) || buses.iter().any(|bus| Path::new(bus).exists()) { ALLOW } else { ALLOW_WITHOUT_BUS }
}

/// Whether there is a service here that may ask polkit.
pub const MAY_ASK_POLKIT: bool = cfg!(not(windows));

/// Whether the service can ask polkit whom it may take in: it does so over the system bus.
#[must_use]
pub fn can_ask_polkit() -> bool {
    SYSTEM_BUSES.iter().any(|bus| Path::new(bus).exists())
}

/// Where the system bus listens.
const SYSTEM_BUSES: [&str; 2] = ["/run/dbus/system_bus_socket", "/var/run/dbus/system_bus_socket"];

#[cfg(windows)]
const ALLOW: &str = "allow this user the use of the Smart Card service: who comes over Remote Desktop has the readers of their own machine, \
     and those of this one at its own screen";
#[cfg(not(windows))]
const ALLOW: &str =
    "allow this user in polkit: actions org.debian.pcsc-lite.access_pcsc and org.debian.pcsc-lite.access_card";

/// A pcscd that can't ask polkit refuses everybody.
const ALLOW_WITHOUT_BUS: &str = "start dbus and polkit where pcscd runs: it asks polkit over the system bus, there is none here, and \
     without it pcscd refuses everybody, root too. Or, where only trusted users are, start pcscd with --disable-polkit";

#[cfg(all(test, not(windows)))]
mod tests {
    use super::*;

    #[test]
    fn one_whose_socket_is_left_behind_is_started_anew() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("pcscd.comm");
        assert!(start_where(&socket).contains("apt install pcscd") && !start_where(&socket).contains("reset-failed"));
        std::fs::write(&socket, "").unwrap();
        assert!(start_where(&socket).contains("systemctl reset-failed pcscd.socket"));
    }

    #[test]
    fn polkit_is_named_where_it_can_be_asked() {
        let folder = tempfile::tempdir().unwrap();
        let bus = folder.path().join("system_bus_socket");
        let bus = bus.to_str().unwrap();
        assert!(allow_with(&["/nowhere/else", bus]).contains("--disable-polkit"));
        assert!(!allow_with(&[bus]).contains("allow this user"));
        std::fs::write(bus, "").unwrap();
        assert!(allow_with(&["/nowhere/else", bus]).contains("allow this user in polkit"));
    }
}
