//! Kerberos of the system (SSPI): the credentials of this process, and the exchange with one server.
//!
//! What makes the calls sound: credentials and context are made by the system, have one owner each, and are given back once, when that is
//! dropped; whatever a call reads or writes is ours, as long as it is told to be, and outlives the call.

#![allow(unsafe_code)]

use std::ffi::{OsStr, c_void};
use std::io;
use std::ptr::{null, null_mut};

use windows_sys::Win32::Foundation::{
    FILETIME, SEC_E_MUTUAL_AUTH_FAILED, SEC_E_OK, SEC_I_COMPLETE_AND_CONTINUE, SEC_I_COMPLETE_NEEDED,
};
use windows_sys::Win32::Security::Authentication::Identity::{
    AcquireCredentialsHandleW, CompleteAuthToken, DeleteSecurityContext, FreeContextBuffer, FreeCredentialsHandle,
    ISC_REQ_MUTUAL_AUTH, ISC_RET_MUTUAL_AUTH, InitializeSecurityContextW, QueryCredentialsAttributesW,
    SECBUFFER_CHANNEL_BINDINGS, SECBUFFER_TOKEN, SECBUFFER_VERSION, SECPKG_CRED_ATTR_NAMES, SECPKG_CRED_OUTBOUND,
    SECURITY_NATIVE_DREP, SecBuffer, SecBufferDesc, SecPkgCredentials_NamesW,
};
use windows_sys::Win32::Security::Credentials::SecHandle;
use windows_sys::Win32::Storage::FileSystem::FileTimeToLocalFileTime;
use windows_sys::Win32::System::SystemInformation::GetSystemTimeAsFileTime;
use windows_sys::core::{HRESULT, w};
use zeroize::Zeroizing;

use super::wide;
use crate::secret::SecretBytes;

/// The longest token that the system makes (`MaxTokenSize` can't be more).
const LONGEST_TOKEN: usize = 65_535;

/// Eight numbers of four bytes stand before what a sign-in is bound to (`SEC_CHANNEL_BINDINGS`).
const BINDINGS_HEADER: usize = 32;

/// The longest name of an account that is read.
const LONGEST_NAME: usize = 1024;

/// Why the system does not do it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status(pub u32);

impl Status {
    /// The server has proved nothing.
    pub const MUTUAL_AUTH_FAILED: Self = Self(SEC_E_MUTUAL_AUTH_FAILED.cast_unsigned());
}

fn checked(status: HRESULT) -> Result<HRESULT, Status> {
    if status < 0 { Err(Status(status.cast_unsigned())) } else { Ok(status) }
}

/// What this process signs in with.
pub struct Credentials(SecHandle);

impl Credentials {
    /// Those of the account that this process works as, for Kerberos alone.
    pub fn own() -> Result<Self, Status> {
        let mut handle = SecHandle::default();
        // SAFETY: the package's name ends with a zero, the place for the handle is ours, and all else is left out as the call allows.
        checked(unsafe {
            AcquireCredentialsHandleW(
                null(),
                w!("Kerberos"),
                SECPKG_CRED_OUTBOUND,
                null(),
                null(),
                None,
                null(),
                &raw mut handle,
                null_mut(),
            )
        })?;
        Ok(Self(handle))
    }

    /// Whose they are: `alice@CONTOSO.COM`.
    pub fn name(&self) -> Result<String, Status> {
        let mut names = SecPkgCredentials_NamesW::default();
        // SAFETY: the handle is good, and the place for this attribute's answer is of its type.
        checked(unsafe {
            QueryCredentialsAttributesW(&raw const self.0, SECPKG_CRED_ATTR_NAMES, (&raw mut names).cast())
        })?;
        let name = Given(names.sUserName.cast());
        let mut units = Vec::new();
        while !name.0.is_null() && units.len() < LONGEST_NAME {
            // SAFETY: the system has put a text there that ends with a zero, which the loop ends with; it is not freed yet.
            match unsafe { *names.sUserName.add(units.len()) } {
                0 => break,
                unit => units.push(unit),
            }
        }
        Ok(String::from_utf16_lossy(&units))
    }
}

impl Drop for Credentials {
    fn drop(&mut self) {
        // SAFETY: the system has given the handle, and nothing else gives it back.
        unsafe { FreeCredentialsHandle(&raw const self.0) };
    }
}

/// Memory of the system's (`FreeContextBuffer`).
struct Given(*mut c_void);

impl Drop for Given {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: it came from the system as memory to be freed so, and nothing else frees it.
            unsafe { FreeContextBuffer(self.0) };
        }
    }
}

/// What became of a step.
pub struct Answer {
    /// What has to be sent next.
    pub token: Option<SecretBytes>,
    /// Nothing is missing any more.
    pub is_done: bool,
    /// The server has proved who it is.
    pub is_mutual: bool,
    /// When the ticket ends, and what the clock shows: 100 ns since 1601, both in local time, as the system tells it.
    pub expires: u64,
    /// See there.
    pub now: u64,
}

/// The exchange with one server.
pub struct Exchange {
    credentials: Credentials,
    context: Option<Made>,
    target: Vec<u16>,
    bindings: Option<Vec<u8>>,
}

/// A context that the system has made.
struct Made(SecHandle);

impl Drop for Made {
    fn drop(&mut self) {
        // SAFETY: the system has given the handle, and nothing else gives it back.
        unsafe { DeleteSecurityContext(&raw const self.0) };
    }
}

impl Exchange {
    /// `service` is the server's principal. Nothing is asked yet.
    ///
    /// # Errors
    /// There is a zero in its name.
    pub fn new(credentials: Credentials, service: &str, bindings: Option<&[u8]>) -> io::Result<Self> {
        let target = wide(OsStr::new(service))?;
        Ok(Self { credentials, context: None, target, bindings: bindings.map(channel_bindings) })
    }

    /// Takes what the server has sent, or nothing at the beginning.
    pub fn step(&mut self, received: Option<&[u8]>) -> Result<Answer, Status> {
        let token = received.map(|token| buffer(SECBUFFER_TOKEN, token));
        let bound = self.bindings.as_deref().map(|bindings| buffer(SECBUFFER_CHANNEL_BINDINGS, bindings));
        let mut inputs: Vec<SecBuffer> = token.into_iter().chain(bound).collect();
        let input = list(&mut inputs);
        let mut made = Zeroizing::new(vec![0_u8; LONGEST_TOKEN]);
        let mut outputs = [SecBuffer { pvBuffer: made.as_mut_ptr().cast(), ..buffer(SECBUFFER_TOKEN, &made) }];
        let mut output = list(&mut outputs);
        let mut context = SecHandle::default();
        let (mut attributes, mut expires) = (0, 0);
        let known = self.context.as_ref().map(|Made(handle)| &raw const *handle);
        // SAFETY: handles are good, the target ends with a zero, all buffers are as long as they say, and the system only reads those of the
        // input.
        let status = unsafe {
            InitializeSecurityContextW(
                &raw const self.credentials.0,
                known.unwrap_or_default(),
                self.target.as_ptr(),
                ISC_REQ_MUTUAL_AUTH,
                0,
                SECURITY_NATIVE_DREP,
                if input.cBuffers == 0 { null() } else { &raw const input },
                0,
                &raw mut context,
                &raw mut output,
                &raw mut attributes,
                &raw mut expires,
            )
        };
        let status = checked(status)?;
        if self.context.is_none() {
            self.context = Some(Made(context));
        }
        if let (SEC_I_COMPLETE_NEEDED | SEC_I_COMPLETE_AND_CONTINUE, Some(Made(context))) = (status, &self.context) {
            // SAFETY: context and output are those of the call before.
            checked(unsafe { CompleteAuthToken(&raw const *context, &raw const output) })?;
        }
        let written = made.get(..outputs[0].cbBuffer as usize).unwrap_or_default();
        Ok(Answer {
            token: (!written.is_empty()).then(|| SecretBytes::copy_of(written)),
            is_done: matches!(status, SEC_E_OK | SEC_I_COMPLETE_NEEDED),
            is_mutual: attributes & ISC_RET_MUTUAL_AUTH != 0,
            expires: u64::try_from(expires).unwrap_or_default(),
            now: local_now(),
        })
    }
}

// A handle is two numbers that are good in the whole process, on whatever thread.
const fn is_send<T: Send>() {}
const _: () = is_send::<Exchange>();

/// Bytes of ours, for a call that only reads them.
fn buffer(kind: u32, bytes: &[u8]) -> SecBuffer {
    // None is longer: tokens are cut by the length of a header, bindings are a digest.
    let length = u32::try_from(bytes.len()).unwrap_or_default();
    SecBuffer { cbBuffer: length, BufferType: kind, pvBuffer: bytes.as_ptr().cast_mut().cast() }
}

fn list(buffers: &mut [SecBuffer]) -> SecBufferDesc {
    let count = u32::try_from(buffers.len()).unwrap_or_default();
    SecBufferDesc { ulVersion: SECBUFFER_VERSION, cBuffers: count, pBuffers: buffers.as_mut_ptr() }
}

/// What a sign-in is bound to, as the system wants it: a header that says no more than where the bytes lie behind it, and how many.
fn channel_bindings(bindings: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bindings.len()).unwrap_or_default();
    let offset = u32::try_from(BINDINGS_HEADER).unwrap_or_default();
    let mut bytes: Vec<u8> = [0, 0, 0, 0, 0, 0, length, offset].into_iter().flat_map(u32::to_le_bytes).collect();
    bytes.extend(bindings);
    bytes
}

fn local_now() -> u64 {
    let (mut now, mut local) = (FILETIME::default(), FILETIME::default());
    // SAFETY: both places are ours.
    unsafe {
        GetSystemTimeAsFileTime(&raw mut now);
        FileTimeToLocalFileTime(&raw const now, &raw mut local);
    }
    u64::from(local.dwHighDateTime) << 32 | u64::from(local.dwLowDateTime)
}

#[cfg(test)]
mod tests {
    use windows_sys::Win32::Security::Authentication::Identity::SEC_CHANNEL_BINDINGS;

    use super::*;

    #[test]
    fn bindings_lie_behind_their_header() {
        assert_eq!(BINDINGS_HEADER, size_of::<SEC_CHANNEL_BINDINGS>());
        let bytes = channel_bindings(b"tls-server-end-point:x");
        assert_eq!(bytes.len(), BINDINGS_HEADER + 22);
        assert_eq!(&bytes[24..32], &[22, 0, 0, 0, 32, 0, 0, 0]);
        assert!(bytes[..24].iter().all(|byte| *byte == 0) && bytes.ends_with(b"point:x"));
    }

    #[test]
    fn a_name_with_a_zero_in_it_is_none() {
        if let Ok(credentials) = Credentials::own() {
            assert!(Exchange::new(credentials, "HTTP/a\0b", None).is_err());
        }
    }
}
