//! The system's browser.

use std::io;

/// Opens an address in the browser that the person has chosen. Returns at once: what becomes of the browser is not known.
///
/// # Errors
/// There is no program for it, or ([`io::ErrorKind::Unsupported`]) pinwright knows none on this system.
#[cfg(target_os = "linux")]
pub fn open(address: &str) -> io::Result<()> {
    use std::process::{Command, Stdio};
    let mut command = Command::new("xdg-open");
    let mut child = command.arg(address).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    // It may live as long as the browser; somebody has to take its end.
    std::thread::Builder::new().name("browser".to_owned()).spawn(move || drop(child.wait()))?;
    Ok(())
}

/// Opens an address in the browser: not on this system.
///
/// # Errors
/// Always [`io::ErrorKind::Unsupported`].
#[cfg(not(target_os = "linux"))]
pub fn open(_address: &str) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
