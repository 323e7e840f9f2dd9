//! The privileges that a service is left with.

#![allow(unsafe_code)]

use std::io;

use windows_service::service::Service;
use windows_sys::Win32::System::Services::{
    ChangeServiceConfig2W, SERVICE_CONFIG_REQUIRED_PRIVILEGES_INFO, SERVICE_REQUIRED_PRIVILEGES_INFOW,
};

use super::done;

/// To pass through folders, which everybody has.
const PASS_THROUGH: &str = "SeChangeNotifyPrivilege";

/// Has the service start without whatever else its account may do to the machine: it needs none of that.
///
/// # Errors
/// The system's.
pub fn give_up(service: &Service) -> io::Result<()> {
    // A list of names, each with a zero at its end, and one more.
    let mut names: Vec<u16> = PASS_THROUGH.encode_utf16().chain([0, 0]).collect();
    let wanted = SERVICE_REQUIRED_PRIVILEGES_INFOW { pmszRequiredPrivileges: names.as_mut_ptr() };
    // SAFETY: the service is open, and the list ends as it has to and lives until the call returns.
    done(unsafe {
        ChangeServiceConfig2W(service.raw_handle(), SERVICE_CONFIG_REQUIRED_PRIVILEGES_INFO, (&raw const wanted).cast())
    })
}
