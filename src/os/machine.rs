//! What machine this is: system, kernel, name, and the release of its PC/SC service.

use std::ffi::OsStr;
use std::process::{Command, Stdio};

/// Whether the certificate store is that of Windows, which gives its refusals numbers that `certutil` and administrators know.
pub const HAS_CERTIFICATE_STORE: bool = cfg!(windows);

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
    let said = |option: &str| {
        let output = Command::new(pcscd()).arg(option).stdin(Stdio::null()).output().ok()?;
        Some(format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)))
    };
    CardServiceRelease::of_texts(&said("--version")?, &said("--help")?)
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
    /// Not every release that asks polkit lists it among its features; then it has an option for not asking.
    fn of_texts(version: &str, help: &str) -> Option<Self> {
        let (_, rest) = version.split_once("pcsc-lite version ")?;
        let number = rest.split_whitespace().next()?.trim_end_matches('.').to_owned();
        let features = version.lines().find_map(|line| line.strip_prefix("Enabled features:")).unwrap_or_default();
        let is_listed = features.split_whitespace().any(|feature| feature.starts_with("polkit"));
        Some(Self { version: number, has_polkit: is_listed || help.contains("--disable-polkit") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_release_and_what_it_is_built_with_are_read() {
        let said =
            |features: &str| format!("pcsc-lite version 2.3.3.\nCopyright\nEnabled features: Linux {features}\n");
        let release = |features: &str| CardServiceRelease::of_texts(&said(features), "-a, --apdu").unwrap();
        assert_eq!(release("libudev polkit"), CardServiceRelease { version: "2.3.3".to_owned(), has_polkit: true });
        assert!(!release("libudev filter").has_polkit);
        assert!(
            CardServiceRelease::of_texts(&said(""), "  --disable-polkit   disable polkit support").unwrap().has_polkit
        );
        assert_eq!(CardServiceRelease::of_texts("something else", ""), None);
    }
}
