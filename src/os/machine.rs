//! What machine this is: system, kernel, name, and the release of its PC/SC service.

use std::ffi::OsStr;
use std::process::{Command, Stdio};

/// The system in words; its family where it gives itself no name.
#[must_use]
pub fn system() -> String {
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let named = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    let named = named.map(|name| name.trim_matches(['"', '\'']).to_owned()).filter(|name| !name.is_empty());
    named.unwrap_or_else(|| std::env::consts::OS.to_owned())
}

/// The kernel's release and the processor's architecture.
#[must_use]
pub fn kernel() -> String {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{} {}", release.trim(), std::env::consts::ARCH).trim().to_owned()
}

/// The machine's name; `None` where the system does not tell.
#[must_use]
pub fn name() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    Some(name.trim().to_owned()).filter(|name| !name.is_empty() && name != "(none)")
}

/// What pcscd says of its release, and of what it is built with; `None` where there is no such program.
#[must_use]
pub fn card_service() -> Option<CardServiceRelease> {
    let output = Command::new(pcscd()).arg("--version").stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    CardServiceRelease::of_text(&String::from_utf8_lossy(&output.stdout))
}

/// A person's PATH need not have the folders of daemons.
fn pcscd() -> &'static OsStr {
    let places = ["/usr/sbin/pcscd", "/usr/local/sbin/pcscd", "/usr/bin/pcscd"];
    OsStr::new(places.into_iter().find(|place| std::path::Path::new(place).exists()).unwrap_or("pcscd"))
}

/// A release of pcscd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardServiceRelease {
    /// Its number.
    pub version: String,
    /// Whether it is built to ask polkit.
    pub has_polkit: bool,
}

impl CardServiceRelease {
    fn of_text(text: &str) -> Option<Self> {
        let (_, rest) = text.split_once("pcsc-lite version ")?;
        let version = rest.split_whitespace().next()?.trim_end_matches('.').to_owned();
        let features = text.lines().find_map(|line| line.strip_prefix("Enabled features:")).unwrap_or_default();
        Some(Self { version, has_polkit: features.split_whitespace().any(|feature| feature == "polkit") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_release_and_what_it_is_built_with_are_read() {
        let said =
            |features: &str| format!("pcsc-lite version 2.3.3.\nCopyright\nEnabled features: Linux {features}\n");
        let release = |features: &str| CardServiceRelease::of_text(&said(features)).unwrap();
        assert_eq!(release("libudev polkit"), CardServiceRelease { version: "2.3.3".to_owned(), has_polkit: true });
        assert!(!release("libudev filter").has_polkit);
        assert_eq!(CardServiceRelease::of_text("something else"), None);
    }
}
