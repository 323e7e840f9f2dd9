//! Who may do what with a file, said by the mode bits of Unix; on Windows by what these say of the owner and of everybody.

use std::path::Path;

/// What is told of a file that everybody can read, and the command that mends it.
pub const EVERYBODY_CAN_READ: (&str, &str) =
    if cfg!(windows) { ("(S-1-1-0) can read", "icacls") } else { ("everybody can read", "chmod o-r") };

/// The same of a file that others can write to.
pub const OTHERS_CAN_WRITE: (&str, &str) =
    if cfg!(windows) { ("(S-1-1-0) can write to", "icacls") } else { ("others can write to", "chmod go-w") };

/// Gives a file these rights.
#[cfg(unix)]
pub fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("the file is ours");
}

/// Gives a file these rights: all to its owner and to administrators, and to everybody what the last three bits say.
#[cfg(windows)]
pub fn set_mode(path: &Path, mode: u32) {
    let everybody = match mode & 0o6 {
        0 => "",
        0o4 => "(A;;FR;;;WD)",
        0o2 => "(A;;FW;;;WD)",
        _ => "(A;;FRFW;;;WD)",
    };
    list::give(path, &format!("D:P(A;;FA;;;BA)(A;;FA;;;OW){everybody}")).expect("the file is ours");
}

/// What makes the calls sound: texts end with a zero, the place for the answer is ours, and what the system has allocated is freed once,
/// after its last use.
#[cfg(windows)]
mod list {
    #![allow(unsafe_code)]

    use std::ffi::OsStr;
    use std::io;
    use std::os::windows::ffi::OsStrExt as _;
    use std::path::Path;
    use std::ptr::null_mut;

    use windows_sys::Win32::Foundation::LocalFree;
    use windows_sys::Win32::Security::Authorization::{
        ConvertStringSecurityDescriptorToSecurityDescriptorW, SDDL_REVISION_1,
    };
    use windows_sys::Win32::Security::{DACL_SECURITY_INFORMATION, SetFileSecurityW};

    fn wide(text: &OsStr) -> Vec<u16> {
        text.encode_wide().chain([0]).collect()
    }

    pub(super) fn give(path: &Path, text: &str) -> io::Result<()> {
        let (path, text) = (wide(path.as_os_str()), wide(OsStr::new(text)));
        let mut descriptor = null_mut();
        // SAFETY: the text ends with a zero, the place for the answer is ours, and its length is not asked for.
        let made = unsafe {
            ConvertStringSecurityDescriptorToSecurityDescriptorW(
                text.as_ptr(),
                SDDL_REVISION_1,
                &raw mut descriptor,
                null_mut(),
            )
        };
        if made == 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the path ends with a zero, and the descriptor is the system's own.
        let given = unsafe { SetFileSecurityW(path.as_ptr(), DACL_SECURITY_INFORMATION, descriptor) };
        let result = if given == 0 { Err(io::Error::last_os_error()) } else { Ok(()) };
        // SAFETY: it was allocated for us by the call above, and is not used any more.
        unsafe { LocalFree(descriptor) };
        result
    }
}
