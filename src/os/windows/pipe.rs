//! Named pipes: the two ends, and who is at the client's.

#![allow(unsafe_code)]

use std::fs::OpenOptions;
use std::io;
use std::os::windows::fs::OpenOptionsExt as _;
use std::os::windows::io::{AsHandle, AsRawHandle as _, FromRawHandle as _, IntoRawHandle as _, OwnedHandle};
use std::path::Path;
use std::ptr::null_mut;

use tokio::net::windows::named_pipe::{NamedPipeClient, NamedPipeServer, ServerOptions};
use windows_sys::Win32::Foundation::HANDLE;
use windows_sys::Win32::Security::TOKEN_QUERY;
use windows_sys::Win32::Storage::FileSystem::{FILE_FLAG_OVERLAPPED, SECURITY_IDENTIFICATION};
use windows_sys::Win32::System::Pipes::ImpersonateNamedPipeClient;
use windows_sys::Win32::System::Threading::{GetCurrentThread, OpenThreadToken};

use super::done;
use super::security::Descriptor;
use crate::os::acl::rights;

/// An instance of a pipe, for clients of this machine alone. To be called inside of a runtime.
///
/// # Errors
/// The system's: `PermissionDenied` where the first instance is to be made, and there is one already.
pub fn server(path: &Path, is_first: bool, descriptor: &Descriptor) -> io::Result<NamedPipeServer> {
    let mut options = ServerOptions::new();
    options.first_pipe_instance(is_first).reject_remote_clients(true);
    descriptor.with_attributes(|attributes| {
        // SAFETY: the attributes are good until this returns, which is after the call.
        unsafe { options.create_with_security_attributes_raw(path, attributes) }
    })
}

/// Connects to a pipe, with the rights to talk and no others. Who listens may learn who we are, and not work as us. To be called inside
/// of a runtime.
///
/// # Errors
/// The system's.
pub fn client(path: &Path) -> io::Result<NamedPipeClient> {
    let mut options = OpenOptions::new();
    options.access_mode(rights::TALK).custom_flags(FILE_FLAG_OVERLAPPED).security_qos_flags(SECURITY_IDENTIFICATION);
    let pipe = options.open(path)?;
    // SAFETY: the handle is a pipe's, opened for overlapped use, and handed over whole.
    unsafe { NamedPipeClient::from_raw_handle(pipe.into_raw_handle()) }
}

/// The token of the client at the other end.
///
/// # Errors
/// The system's: the client has gone, or does not say who it is.
pub fn client_token(pipe: &(impl AsHandle + Sync)) -> io::Result<OwnedHandle> {
    // The thread that works as the client ends at once, and with it that it does.
    std::thread::scope(|scope| {
        let asked = std::thread::Builder::new().name("client-token".to_owned()).spawn_scoped(scope, || {
            let mut token: HANDLE = null_mut();
            // SAFETY: the pipe is open while it is borrowed.
            done(unsafe { ImpersonateNamedPipeClient(pipe.as_handle().as_raw_handle()) })?;
            // SAFETY: the pseudo handle of this thread is always good, and the place for the answer is ours. Opened as ourselves.
            done(unsafe { OpenThreadToken(GetCurrentThread(), TOKEN_QUERY, 1, &raw mut token) })?;
            // SAFETY: the call has just opened it for us.
            Ok(unsafe { OwnedHandle::from_raw_handle(token) })
        })?;
        asked.join().map_err(|_| io::Error::other("the thread that asks for the client's token has failed"))?
    })
}
