//! The process of the PC/SC service that listens on our socket: what it was started with, and whether a crash may write its memory.
//!
//! Only Linux tells. Anybody may read the command line and the limits of a process there, unless `/proc` hides those of others.

use std::io;
use std::path::Path;

#[cfg(target_os = "linux")]
#[path = "process/linux.rs"]
mod system;

/// What is known of the process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceProcess {
    /// Its id.
    pub pid: u32,
    /// Its command line, the program's name first.
    pub arguments: Vec<String>,
    /// The limit of its core files; `None` where it is not told.
    pub core_limit: Option<CoreLimit>,
    /// The level of the CCID driver's log that its environment sets (`LIBCCID_ifdLogLevel`).
    pub driver_log_level: DriverLogLevel,
    /// The service manager's unit started it.
    pub is_of_unit: bool,
}

/// What the environment of the process says of the level of the CCID driver's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DriverLogLevel {
    /// This one.
    Set(u32),
    /// Nothing: that of the driver's configuration counts.
    Unset,
    /// The environment is not shown to this user.
    NotShown,
}

/// How large the core file of a process may become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CoreLimit {
    /// So many bytes.
    Bytes(u64),
    /// As large as it is.
    Unlimited,
}

/// Why nothing is known of the process.
#[derive(Debug, thiserror::Error)]
pub enum Unseen {
    /// Another system, or its processes can't be listed.
    #[error("this system does not tell of the service's process")]
    Untold(#[source] io::Error),
    /// None of that name is shown to this user.
    #[error("no process of the service is shown to this user")]
    NotShown,
    /// Several, and nothing tells which is ours.
    #[error("{0} processes are called pcscd, and it can't be told which of them listens on our socket")]
    Several(usize),
}

/// Finds the process that listens on this socket.
///
/// # Errors
/// It can't be told which one that is.
#[cfg(target_os = "linux")]
pub fn find(socket: &Path) -> Result<ServiceProcess, Unseen> {
    system::find(socket)
}

/// Finds the process: not told here.
///
/// # Errors
/// Always.
#[cfg(not(target_os = "linux"))]
pub fn find(_socket: &Path) -> Result<ServiceProcess, Unseen> {
    Err(Unseen::Untold(io::ErrorKind::Unsupported.into()))
}

/// Options of pcscd that take a word of their own, by their letters.
const WITH_VALUE: [char; 4] = ['c', 't', 's', 'r'];

impl ServiceProcess {
    /// Whether it was told to log every APDU (`--apdu`, `-a`, also among other letters).
    #[must_use]
    pub fn logs_apdus(&self) -> bool {
        self.has('a', "--apdu", "--ap")
    }

    /// Whether it was told to log what is for those who look for faults in it (`--debug`, `-d`): its drivers' logs go along.
    #[must_use]
    pub fn logs_debug(&self) -> bool {
        self.has('d', "--debug", "--de")
    }

    /// Whether it was told not to ask polkit.
    #[must_use]
    pub fn asks_nobody(&self) -> bool {
        self.has('\0', "--disable-polkit", "--di")
    }

    /// getopt_long(3): letters may share a word, and a long name may be cut as far as it is still the only one.
    fn has(&self, letter: char, long: &str, shortest: &str) -> bool {
        let mut words = self.arguments.iter().skip(1);
        while let Some(word) = words.next() {
            if word == "--" {
                return false;
            }
            if word.starts_with("--") {
                if word.len() >= shortest.len() && long.starts_with(word.as_str()) {
                    return true;
                }
                continue;
            }
            let Some(letters) = word.strip_prefix('-') else { continue };
            for (at, found) in letters.char_indices() {
                if found == letter {
                    return true;
                }
                if WITH_VALUE.contains(&found) {
                    // The rest of the word is its value, or the next word.
                    if at + 1 == letters.len() {
                        words.next();
                    }
                    break;
                }
            }
        }
        false
    }
}

/// The level of the CCID driver's log in its configuration (`ifdLogLevel`, in hex or decimal digits); `None` where there is none.
#[must_use]
pub fn configured_driver_log_level() -> Option<u32> {
    const PLACES: [&str; 2] = ["/usr/lib/pcsc/drivers/ifd-ccid.bundle/Contents/Info.plist", "/etc/libccid_Info.plist"];
    PLACES.iter().find_map(|place| level_in(&std::fs::read_to_string(place).ok()?))
}

fn level_in(plist: &str) -> Option<u32> {
    let (_, rest) = plist.split_once("<key>ifdLogLevel</key>")?;
    let (_, rest) = rest.split_once("<string>")?;
    level(rest.split_once("</string>")?.0)
}

/// As strtoul(3) reads it: hex digits after `0x`, octal ones after `0`.
fn level(text: &str) -> Option<u32> {
    let text = text.trim();
    match (text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")), text.strip_prefix('0')) {
        (Some(hex), _) => u32::from_str_radix(hex, 16).ok(),
        (None, Some(octal)) if !octal.is_empty() => u32::from_str_radix(octal, 8).ok(),
        _ => text.parse().ok(),
    }
}

/// The driver's log has every byte that passes between it and the reader.
pub const DRIVER_LOGS_BYTES: u32 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    fn process(arguments: &[&str]) -> ServiceProcess {
        ServiceProcess {
            pid: 7,
            arguments: arguments.iter().map(|word| (*word).to_owned()).collect(),
            core_limit: None,
            driver_log_level: DriverLogLevel::NotShown,
            is_of_unit: false,
        }
    }

    #[test]
    fn an_option_is_found_as_the_service_finds_it() {
        for (arguments, logs) in [
            (&["pcscd", "--foreground", "--auto-exit"][..], false),
            (&["pcscd", "--apdu"], true),
            (&["pcscd", "-f", "-a"], true),
            (&["pcscd", "-fda"], true),
            (&["pcscd", "--ap"], true),
            (&["pcscd", "-c", "-a"], false),
            (&["pcscd", "-ca"], false),
            (&["pcscd", "-fc", "/etc/a", "-ta"], false),
            (&["pcscd", "-t", "3", "-a"], true),
            (&["pcscd", "--", "--apdu"], false),
            (&["-a"], false),
        ] {
            assert_eq!(process(arguments).logs_apdus(), logs, "{arguments:?}");
        }
        assert!(process(&["pcscd", "-fd"]).logs_debug() && !process(&["pcscd", "--disable-polkit"]).logs_debug());
        assert!(process(&["pcscd", "--disable-polkit"]).asks_nobody() && !process(&["pcscd", "-d"]).asks_nobody());
    }

    #[test]
    fn the_drivers_level_is_read_as_it_is_written() {
        let plist = |level: &str| format!("<dict>\n<key>ifdLogLevel</key>\n\t<string>{level}</string>\n</dict>");
        for (text, found) in [("0x0003", Some(3)), ("7", Some(7)), ("017", Some(15)), ("0", Some(0)), ("x", None)] {
            assert_eq!(level_in(&plist(text)), found, "{text}");
        }
        assert_eq!(level_in("<key>other</key>"), None);
    }
}
