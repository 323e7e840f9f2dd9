//! Folders that the system knows (`SHGetKnownFolderPath`): the environment's word for them is anybody's.

#![allow(unsafe_code)]

use std::ffi::OsString;
use std::os::windows::ffi::OsStringExt as _;
use std::path::PathBuf;
use std::ptr::null_mut;

use windows_sys::Win32::System::Com::CoTaskMemFree;
use windows_sys::Win32::UI::Shell::{
    FOLDERID_LocalAppData, FOLDERID_Profile, FOLDERID_ProgramData, FOLDERID_RoamingAppData, KF_FLAG_DONT_VERIFY,
    SHGetKnownFolderPath,
};
use windows_sys::core::GUID;

/// What all users of the machine share (`C:\ProgramData`).
pub fn of_machine() -> Option<PathBuf> {
    known(&FOLDERID_ProgramData)
}

/// This user's settings, which go along to other machines (`AppData\Roaming`).
pub fn of_settings() -> Option<PathBuf> {
    known(&FOLDERID_RoamingAppData)
}

/// What this user has on this machine alone (`AppData\Local`).
pub fn of_machine_and_user() -> Option<PathBuf> {
    known(&FOLDERID_LocalAppData)
}

/// This user's own folder (`C:\Users\…`).
pub fn of_user() -> Option<PathBuf> {
    known(&FOLDERID_Profile)
}

fn known(folder: &GUID) -> Option<PathBuf> {
    let mut path = null_mut();
    // SAFETY: the identifier is one of the system's, no token is that of this process's user, and the place for the answer is ours.
    let answer = unsafe { SHGetKnownFolderPath(folder, KF_FLAG_DONT_VERIFY as u32, null_mut(), &raw mut path) };
    let found = (answer == 0 && !path.is_null()).then(|| {
        let mut length = 0;
        // SAFETY: the system has put a text there that ends with a zero; no step goes beyond it.
        while unsafe { *path.add(length) } != 0 {
            length += 1;
        }
        // SAFETY: so many units are there, as was just seen.
        PathBuf::from(OsString::from_wide(unsafe { std::slice::from_raw_parts(path, length) }))
    });
    // SAFETY: the text is freed once, and it is ours to free whatever the answer was (none is as good).
    unsafe { CoTaskMemFree(path.cast()) };
    found.filter(|path| path.is_absolute())
}
