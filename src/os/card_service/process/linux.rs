//! The service's process by what the kernel says of its socket, and else by its name.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};

use super::{CoreLimit, DriverLogLevel, ServiceProcess, Unseen, level};

/// The name of its program.
const NAME: &str = "pcscd";

/// How the folder of its unit among the control groups ends.
const UNIT: &str = "/pcscd.service";

pub(super) fn find(socket: &Path) -> Result<ServiceProcess, Unseen> {
    let named = named().map_err(Unseen::Untold)?;
    // Who began to listen: the service itself, or the service manager that handed the socket over.
    let listens = UnixStream::connect(socket).ok().and_then(|socket| getsockopt(&socket, PeerCredentials).ok());
    let listens = listens.and_then(|peer| u32::try_from(peer.pid()).ok());
    let of_unit: Vec<u32> = named.iter().copied().filter(|pid| is_of_unit(*pid)).collect();
    let pid = match (listens.filter(|pid| named.contains(pid)), &of_unit[..], &named[..]) {
        (Some(pid), _, _) => pid,
        (None, [pid], _) if listens.is_some_and(|pid| pid == 1) => *pid,
        (None, _, [pid]) => *pid,
        (None, _, []) => return Err(Unseen::NotShown),
        (None, _, several) => return Err(Unseen::Several(several.len())),
    };
    let arguments = fs::read(file(pid, "cmdline")).map_err(Unseen::Untold)?;
    let words = arguments.split(|byte| *byte == 0).filter(|word| !word.is_empty());
    Ok(ServiceProcess {
        pid,
        arguments: words.map(|word| String::from_utf8_lossy(word).into_owned()).collect(),
        core_limit: fs::read_to_string(file(pid, "limits")).ok().and_then(|limits| core_limit(&limits)),
        driver_log_level: driver_log_level(pid),
        is_of_unit: of_unit.contains(&pid),
    })
}

fn file(pid: u32, name: &str) -> PathBuf {
    Path::new("/proc").join(pid.to_string()).join(name)
}

/// The processes of that name that this user is shown.
fn named() -> std::io::Result<Vec<u32>> {
    let processes = fs::read_dir("/proc")?.flatten();
    let ids = processes.filter_map(|entry| entry.file_name().to_str().and_then(|name| name.parse().ok()));
    Ok(ids.filter(|pid| fs::read_to_string(file(*pid, "comm")).is_ok_and(|name| name.trim() == NAME)).collect())
}

fn is_of_unit(pid: u32) -> bool {
    let groups = fs::read_to_string(file(pid, "cgroup")).unwrap_or_default();
    groups.lines().any(|group| group.ends_with(UNIT))
}

/// The soft limit, which is the one that counts.
fn core_limit(limits: &str) -> Option<CoreLimit> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max core file size"))?;
    match line.split_whitespace().next()? {
        "unlimited" => Some(CoreLimit::Unlimited),
        bytes => bytes.parse().ok().map(CoreLimit::Bytes),
    }
}

/// Shown to root and to the service's own user.
fn driver_log_level(pid: u32) -> DriverLogLevel {
    let Ok(environment) = fs::read(file(pid, "environ")) else { return DriverLogLevel::NotShown };
    let value = environment.split(|byte| *byte == 0).find_map(|pair| pair.strip_prefix(b"LIBCCID_ifdLogLevel="));
    let value = value.and_then(|value| level(std::str::from_utf8(value).ok()?));
    value.map_or(DriverLogLevel::Unset, DriverLogLevel::Set)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_of_core_files_is_read() {
        let limits =
            |soft: &str| format!("Limit  Soft\nMax core file size        {soft}           unlimited   bytes\n");
        assert_eq!(core_limit(&limits("0")), Some(CoreLimit::Bytes(0)));
        assert_eq!(core_limit(&limits("unlimited")), Some(CoreLimit::Unlimited));
        assert_eq!(core_limit("Max open files 1024"), None);
        assert!(core_limit(&fs::read_to_string("/proc/self/limits").unwrap()).is_some());
    }
}
