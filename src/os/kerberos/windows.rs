//! Windows' own Kerberos (SSPI): it signs in as the account that this process works as, be it a person's, a service's or the machine's.

use std::io;
use std::time::Duration;

use super::{Context, Library, LibraryError, Progress, Request, Tickets, shown};
use crate::os::windows::sspi::{Answer, Credentials, Exchange, Status};
use crate::secret::SecretBytes;

pub const LIBRARY: Library = Library::Windows;

/// 100 ns, as the system counts.
const A_SECOND: u64 = 10_000_000;

/// The package is Kerberos and not Negotiate, which would try NTLM where there is no ticket. The tokens are those that MIT's library makes.
pub fn begin(request: &Request) -> Result<(Box<dyn Context>, SecretBytes), LibraryError> {
    // The configuration refuses a principal: the system takes no other than that of the account.
    let Request { service, principal: _, bindings } = request;
    let credentials = Credentials::own().map_err(failed)?;
    let mut exchange = Exchange::new(credentials, service, bindings.as_deref()).map_err(|_| of_name())?;
    let answer = exchange.step(None).map_err(failed)?;
    match answer.token {
        Some(token) => Ok((Box::new(exchange), token)),
        None => Err(LibraryError::new("the system has made no token", None)),
    }
}

impl Context for Exchange {
    fn step(mut self: Box<Self>, token: &[u8]) -> Result<Progress, LibraryError> {
        let answer = Self::step(&mut self, Some(token)).map_err(failed)?;
        match answer {
            Answer { is_done: false, .. } => Ok(Progress::Unfinished),
            Answer { is_mutual: false, .. } => Err(failed(Status::MUTUAL_AUTH_FAILED)),
            Answer { expires, now, .. } => Ok(Progress::Done(left(expires, now))),
        }
    }
}

pub fn tickets(_: Option<&str>) -> Result<Tickets, LibraryError> {
    let name = Credentials::own().and_then(|credentials| credentials.name()).map_err(failed)?;
    Ok(Tickets { principal: shown(&name), left: None })
}

/// Both are told in local time.
fn left(expires: u64, now: u64) -> Option<Duration> {
    // What never ends has the highest number that there is, or the last year that the system knows.
    let left = expires.checked_sub(now)? / A_SECOND;
    (left < 100 * 365 * 24 * 3600).then(|| Duration::from_secs(left))
}

fn of_name() -> LibraryError {
    LibraryError::new("the server's name has a zero in it", None)
}

/// In the system's own words, with the number by which they are found.
fn failed(Status(number): Status) -> LibraryError {
    let said = io::Error::from_raw_os_error(number.cast_signed()).to_string();
    let said = said.rsplit_once(" (os error").map_or(said.as_str(), |(words, _)| words).trim_end_matches('.');
    // So the standard library tells that the system has no words for it.
    let text = match said.starts_with("OS Error ") {
        true => format!("Windows answers 0x{number:08X}"),
        false => format!("Windows says: {said} (0x{number:08X})"),
    };
    LibraryError::new(&text, Some(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_told_with_its_number() {
        let error = failed(Status(0x8009_030E));
        assert!(error.text.starts_with("Windows ") && error.text.contains("0x8009030E"), "{error}");
        assert!(!error.text.to_lowercase().contains("os error"), "{error}");
        assert_eq!(error.number, Some(0x8009_030E));
        // One of those that every Windows has words for.
        let error = failed(Status(5));
        assert!(error.text.starts_with("Windows says: ") && error.text.ends_with(" (0x00000005)"), "{error}");
    }

    #[test]
    fn what_never_ends_has_no_end() {
        assert_eq!(left(30 * A_SECOND, 20 * A_SECOND), Some(Duration::from_secs(10)));
        assert_eq!(left(10, 20), None);
        assert_eq!(left(i64::MAX.cast_unsigned(), 20), None);
    }
}
