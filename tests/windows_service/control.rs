//! What the service manager's crate does not send.

#![allow(unsafe_code)]

use std::io;

use windows_service::service::Service;
use windows_sys::Win32::System::Services::{ControlService, SERVICE_STATUS};

/// Sends a control by its number.
pub fn send(service: &Service, control: u32) -> io::Result<()> {
    let mut status = SERVICE_STATUS::default();
    // SAFETY: the service is open, and the place for the answer is ours.
    let sent = unsafe { ControlService(service.raw_handle(), control, &raw mut status) };
    if sent == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
