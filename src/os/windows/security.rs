//! Users and rights: who this process and others are, who may do what with a file, and descriptors made of text.
//!
//! What makes the calls sound: handles are borrowed or owned for as long as the call takes; what the system allocates is freed once, by
//! [`Local`]; what it points to is copied into types of our own before that.

#![allow(unsafe_code)]

use std::ffi::{OsStr, c_void};
use std::io;
use std::os::windows::io::{AsRawHandle as _, BorrowedHandle, FromRawHandle as _, OwnedHandle};
use std::path::Path;
use std::ptr::{null, null_mut};
use std::sync::OnceLock;

use windows_sys::Win32::Foundation::{HANDLE, LocalFree};
use windows_sys::Win32::Security::Authorization::{
    ConvertStringSecurityDescriptorToSecurityDescriptorW, GetSecurityInfo, SDDL_REVISION_1, SE_FILE_OBJECT,
    SE_KERNEL_OBJECT, SE_OBJECT_TYPE,
};
#[cfg(test)]
use windows_sys::Win32::Security::SetFileSecurityW;
use windows_sys::Win32::Security::{
    ACE_HEADER, ACL, CheckTokenMembership, DACL_SECURITY_INFORMATION, GetAce, GetLengthSid, GetTokenInformation,
    LookupAccountNameW, LookupAccountSidW, OWNER_SECURITY_INFORMATION, PSID, SECURITY_ATTRIBUTES,
    SetKernelObjectSecurity, TOKEN_QUERY, TOKEN_USER, TokenUser,
};
use windows_sys::Win32::Storage::FileSystem::CreateDirectoryW;
use windows_sys::Win32::System::Threading::{GetCurrentProcess, OpenProcessToken};

use super::{done, wide};
use crate::os::acl::{Access, Given, Sid};

/// Memory that the system has allocated for us (`LocalAlloc`).
struct Local(*mut c_void);

impl Drop for Local {
    fn drop(&mut self) {
        // SAFETY: it came from the system as memory to be freed so, and nothing else frees it.
        unsafe { LocalFree(self.0) };
    }
}

/// The user that this process works as.
///
/// # Errors
/// The system's.
pub fn own() -> io::Result<Sid> {
    static OWN: OnceLock<Sid> = OnceLock::new();
    if let Some(own) = OWN.get() {
        return Ok(*own);
    }
    let mut token: HANDLE = null_mut();
    // SAFETY: the pseudo handle of this process is always good, and the place for the answer is ours.
    done(unsafe { OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &raw mut token) })?;
    // SAFETY: the call has just opened it for us.
    let token = unsafe { OwnedHandle::from_raw_handle(token) };
    user_of(&token).map(|own| *OWN.get_or_init(|| own))
}

/// The user of a token.
///
/// # Errors
/// The system's.
pub fn user_of(token: &OwnedHandle) -> io::Result<Sid> {
    // TOKEN_USER and the longest SID have 84 bytes; in u64 it is aligned for both.
    let mut buffer = [0_u64; 16];
    let mut written = 0;
    let size = u32::try_from(size_of_val(&buffer)).unwrap_or_default();
    // SAFETY: the buffer has the size that is told, and the token is open.
    done(unsafe {
        GetTokenInformation(token.as_raw_handle(), TokenUser, buffer.as_mut_ptr().cast(), size, &raw mut written)
    })?;
    // SAFETY: the call has put a TOKEN_USER at the start of the buffer.
    let user = unsafe { &*buffer.as_ptr().cast::<TOKEN_USER>() };
    // SAFETY: its SID lies in the same buffer, which is still there.
    unsafe { copied(user.User.Sid) }
}

/// Whether a token, or where none is given that of this process, has this user or group.
pub fn has(token: Option<&OwnedHandle>, sid: &Sid) -> bool {
    let mut found = 0;
    let token = token.map_or(null_mut(), |token| token.as_raw_handle());
    // SAFETY: a `Sid` is as long as its own bytes say, the system only reads it, and the token is open or none.
    let asked = unsafe { CheckTokenMembership(token, sid.bytes().as_ptr().cast_mut().cast(), &raw mut found) };
    asked != 0 && found != 0
}

/// Owner and list of a file or folder that is open.
///
/// # Errors
/// The system's.
pub fn of_file(file: BorrowedHandle<'_>) -> io::Result<Access> {
    access(file, SE_FILE_OBJECT)
}

/// Owner and list of a pipe that is open.
///
/// # Errors
/// The system's.
pub fn of_pipe(pipe: BorrowedHandle<'_>) -> io::Result<Access> {
    access(pipe, SE_KERNEL_OBJECT)
}

fn access(object: BorrowedHandle<'_>, kind: SE_OBJECT_TYPE) -> io::Result<Access> {
    let wanted = OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION;
    let (mut owner, mut list, mut descriptor): (PSID, *mut ACL, _) = (null_mut(), null_mut(), null_mut());
    // SAFETY: the handle is open while it is borrowed, and the places for the answers are ours.
    let code = unsafe {
        GetSecurityInfo(
            object.as_raw_handle(),
            kind,
            wanted,
            &raw mut owner,
            null_mut(),
            &raw mut list,
            null_mut(),
            &raw mut descriptor,
        )
    };
    if code != 0 {
        return Err(io::Error::from_raw_os_error(code.cast_signed()));
    }
    // Owner and list lie in it.
    let _memory = Local(descriptor);
    if owner.is_null() {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it has no owner"));
    }
    // SAFETY: the system has put a SID there, and the memory is not freed yet.
    let owner = unsafe { copied(owner) }?;
    if list.is_null() {
        return Ok(Access { owner, given: None });
    }
    // SAFETY: not null, so the system has put a list there.
    let count = u32::from(unsafe { (*list).AceCount });
    let mut given = Vec::new();
    for number in 0..count {
        let mut entry = null_mut();
        // SAFETY: the list is the system's own, and the number is below its count.
        done(unsafe { GetAce(list, number, &raw mut entry) })?;
        // SAFETY: an entry begins with its header, which says how long it is, and lies within the list.
        let entry = unsafe {
            let size = (*entry.cast::<ACE_HEADER>()).AceSize;
            std::slice::from_raw_parts(entry.cast::<u8>(), usize::from(size))
        };
        given.extend(Given::of_bytes(entry));
    }
    Ok(Access { owner, given: Some(given) })
}

/// # Safety
/// There is a SID at `sid`.
unsafe fn copied(sid: PSID) -> io::Result<Sid> {
    // SAFETY: by the caller's word.
    let bytes = unsafe { std::slice::from_raw_parts(sid.cast::<u8>(), GetLengthSid(sid) as usize) };
    Sid::of_bytes(bytes).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "a SID that is none"))
}

/// A security descriptor.
pub struct Descriptor(Local);

impl Descriptor {
    /// The descriptor that a text says (SDDL).
    ///
    /// # Errors
    /// The text says none.
    pub fn of_text(text: &str) -> io::Result<Self> {
        let text = wide(OsStr::new(text))?;
        let mut descriptor = null_mut();
        // SAFETY: the text ends with a zero, the place for the answer is ours, and its length is not asked for.
        done(unsafe {
            ConvertStringSecurityDescriptorToSecurityDescriptorW(
                text.as_ptr(),
                SDDL_REVISION_1,
                &raw mut descriptor,
                null_mut(),
            )
        })?;
        Ok(Self(Local(descriptor)))
    }

    /// Calls `make` with attributes that hold this descriptor, and for nothing that is inherited by other processes. They are good until
    /// it returns.
    pub fn with_attributes<T>(&self, make: impl FnOnce(*mut c_void) -> T) -> T {
        let mut attributes = SECURITY_ATTRIBUTES {
            nLength: u32::try_from(size_of::<SECURITY_ATTRIBUTES>()).unwrap_or_default(),
            lpSecurityDescriptor: self.0.0,
            bInheritHandle: 0,
        };
        make((&raw mut attributes).cast())
    }

    /// Makes a folder with it.
    ///
    /// # Errors
    /// The system's.
    pub fn make_folder(&self, path: &Path) -> io::Result<()> {
        let path = wide(path.as_os_str())?;
        // SAFETY: the path ends with a zero, and the attributes are good until the call returns.
        self.with_attributes(|attributes| done(unsafe { CreateDirectoryW(path.as_ptr(), attributes.cast()) }))
    }

    /// Gives a file the list of it.
    ///
    /// # Errors
    /// The system's.
    #[cfg(test)]
    pub fn give_file(&self, path: &Path) -> io::Result<()> {
        let path = wide(path.as_os_str())?;
        // SAFETY: the path ends with a zero, and the descriptor lives as long as we do.
        done(unsafe { SetFileSecurityW(path.as_ptr(), DACL_SECURITY_INFORMATION, self.0.0) })
    }

    /// Gives this process the list of it.
    ///
    /// # Errors
    /// The system's.
    pub fn close_process(&self) -> io::Result<()> {
        // SAFETY: the pseudo handle of this process is always good, and the descriptor lives as long as we do.
        done(unsafe { SetKernelObjectSecurity(GetCurrentProcess(), DACL_SECURITY_INFORMATION, self.0.0) })
    }
}

/// The name of a user or group with the domain before it; `None` where the system knows none.
pub fn name_of(sid: &Sid) -> Option<String> {
    let (mut name, mut domain) = ([0_u16; 257], [0_u16; 257]);
    let (mut name_length, mut domain_length, mut kind) = (257, 257, 0);
    // SAFETY: a `Sid` is as long as its own bytes say, and the buffers have the lengths that are told.
    done(unsafe {
        LookupAccountSidW(
            null(),
            sid.bytes().as_ptr().cast_mut().cast(),
            name.as_mut_ptr(),
            &raw mut name_length,
            domain.as_mut_ptr(),
            &raw mut domain_length,
            &raw mut kind,
        )
    })
    .ok()?;
    let text = |buffer: &[u16], length: u32| buffer.get(..length as usize).map(String::from_utf16_lossy);
    let (name, domain) = (text(&name, name_length)?, text(&domain, domain_length)?);
    Some(if domain.is_empty() { name } else { format!("{domain}\\{name}") })
}

/// The user or group of this name.
///
/// # Errors
/// The system's; it knows none of that name.
pub fn named(name: &str) -> io::Result<Sid> {
    let name = wide(OsStr::new(name))?;
    let (mut sid, mut domain) = ([0_u8; 68], [0_u16; 257]);
    let (mut length, mut domain_length, mut kind) = (68, 257, 0);
    // SAFETY: the name ends with a zero, and the buffers have the lengths that are told.
    done(unsafe {
        LookupAccountNameW(
            null(),
            name.as_ptr(),
            sid.as_mut_ptr().cast(),
            &raw mut length,
            domain.as_mut_ptr(),
            &raw mut domain_length,
            &raw mut kind,
        )
    })?;
    Sid::of_bytes(&sid).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "a SID that is none"))
}
