//! What AD FS itself says when it says no.

use std::fmt;

/// An error that AD FS has answered with (RFC 6749 §4.1.2.1 and §5.2, RFC 8628 §3.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Which.
    pub kind: RefusalKind,
    /// AD FS's own words, escaped and bounded; they may be empty.
    pub words: String,
}

/// The errors that we know by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalKind {
    /// Code or refresh token is not taken (any more).
    InvalidGrant,
    /// MSIS9611: this AD FS does not know this way to sign in.
    UnsupportedGrantType,
    /// The person or a rule of AD FS says no.
    AccessDenied,
    /// Nobody has entered the code yet.
    AuthorizationPending,
    /// We ask too often.
    SlowDown,
    /// The device's code is past its time.
    ExpiredToken,
    /// AD FS does not know the client, or does not let it do this.
    InvalidClient,
    /// AD FS does not know the resource.
    InvalidResource,
    /// AD FS is overloaded or broken.
    ServerError,
    /// Any other: its name is among the words.
    Other,
}

impl RefusalKind {
    /// Reads the name of an error.
    #[must_use]
    pub fn of(name: &str) -> Self {
        match name {
            "invalid_grant" => Self::InvalidGrant,
            "unsupported_grant_type" | "unsupported_response_type" => Self::UnsupportedGrantType,
            "access_denied" => Self::AccessDenied,
            "authorization_pending" => Self::AuthorizationPending,
            "slow_down" => Self::SlowDown,
            "expired_token" => Self::ExpiredToken,
            "invalid_client" | "unauthorized_client" => Self::InvalidClient,
            "invalid_resource" => Self::InvalidResource,
            "server_error" | "temporarily_unavailable" => Self::ServerError,
            _ => Self::Other,
        }
    }

    fn told(self) -> &'static str {
        match self {
            Self::InvalidGrant => "AD FS does not take the code or refresh token (any more): invalid_grant",
            Self::UnsupportedGrantType => "this AD FS does not know this way to sign in: unsupported_grant_type",
            Self::AccessDenied => "AD FS has denied the sign-in: access_denied",
            Self::AuthorizationPending => "nobody has entered the code yet: authorization_pending",
            Self::SlowDown => "AD FS wants to be asked less often: slow_down",
            Self::ExpiredToken => "the code was not entered in time: expired_token",
            Self::InvalidClient => "AD FS does not know this client, or does not let it do this",
            Self::InvalidResource => "AD FS does not know the resource: invalid_resource",
            Self::ServerError => "AD FS can't do it now",
            Self::Other => "AD FS refuses",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.words.is_empty() {
            true => f.write_str(self.kind.told()),
            false => write!(f, "{} ({})", self.kind.told(), self.words),
        }
    }
}
