//! What can go wrong with a sign-in at AD FS: each says what is true and what to do.

use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;

use super::own_error::OwnError;
use super::refusal::{Refusal, RefusalKind};
use crate::operation::Operation;
use crate::os::keyring::KeyringError;
use crate::server::auth::secret_file::SecretFileError;

/// Why there is no token of AD FS.
#[derive(Debug, Error)]
pub enum AdfsError {
    /// No token is kept.
    #[error("nobody is signed in: {} is not there", .path.display())]
    NotSignedIn {
        /// Where it would be.
        path: PathBuf,
    },
    /// No token is kept in the keyring.
    #[error("nobody is signed in: the keyring has no sign-in for this AD FS, or is locked")]
    NotInKeyring,
    /// The keyring.
    #[error("the keyring can't be used")]
    Keyring(#[from] KeyringError),
    /// The token is another sign-in's.
    #[error("the sign-in in {} is for another AD FS, client or resource than the configured one", .path.display())]
    OtherSignIn {
        /// The file.
        path: PathBuf,
    },
    /// The access token has expired, and AD FS has given nothing to renew it with.
    #[error("the sign-in is over, and AD FS has given no refresh token")]
    NoRefreshToken,
    /// AD FS says no.
    #[error("{0}")]
    Refused(Refusal),
    /// The agent's own sign-in.
    #[error(transparent)]
    Own(Box<OwnError>),
    /// No answer.
    #[error("AD FS ({host}) could not be asked")]
    Unreachable {
        /// Its host.
        host: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
        /// What to do.
        remedy: String,
    },
    /// The call's time is over, and AD FS was what it waited for.
    #[error("AD FS did not answer within {}", humantime::format_duration(*.after))]
    Silent {
        /// The time of the call.
        after: Duration,
    },
    /// An answer that is none of AD FS's endpoints.
    #[error("{host} answers with HTTP status {status} and not as AD FS does")]
    NotAdfs {
        /// The host.
        host: String,
        /// The status.
        status: u16,
    },
    /// The token file can't be read or written.
    #[error("{} can't be used", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The token file, which others can get at.
    #[error(transparent)]
    TokenFile(#[from] SecretFileError),
    /// The file holds something else.
    #[error("{} holds no sign-in", .path.display())]
    NotASignIn {
        /// The file.
        path: PathBuf,
    },
    /// Another program listens where the browser is to come back to.
    #[error("port {port} of this machine, where the browser comes back to, is taken")]
    PortTaken {
        /// The port.
        port: u16,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// What was pasted is not the address that the browser ended at.
    #[error("that is not the address that the browser ended at: it has no code")]
    NoCode,
    /// The answer belongs to another sign-in.
    #[error("the answer is not to this sign-in: its state is another one")]
    WrongState,
    /// Nobody has signed in in time.
    #[error("nobody has signed in within {}", humantime::format_duration(*.after))]
    NobodyCame {
        /// How long it was waited.
        after: Duration,
    },
    /// Ctrl-C, or a no.
    #[error("the sign-in was given up")]
    GivenUp,
    /// There is no terminal to paste the answer into.
    #[error("there is no terminal to ask for the address on")]
    NoTerminal,
    /// The system refused something.
    #[error("the system gave no random numbers, network or terminal")]
    System(#[source] std::io::Error),
}

impl From<OwnError> for AdfsError {
    fn from(error: OwnError) -> Self {
        Self::Own(Box::new(error))
    }
}

impl AdfsError {
    /// What to do next, as an imperative sentence without a full stop.
    #[must_use]
    pub fn remedy(&self) -> String {
        let login = Operation::Login;
        match self {
            Self::Keyring(KeyringError::NoProgram(_)) => {
                "install `secret-tool` (Debian: libsecret-tools, Fedora: libsecret), or set `server.adfs_token_store` to \"file\"".to_owned()
            }
            Self::Keyring(KeyringError::TooLong) => "set `server.adfs_token_store` to \"file\"".to_owned(),
            Self::Keyring(KeyringError::Refused(_) | KeyringError::Silent | KeyringError::NotKept) => {
                "unlock the keyring of this session (GNOME Keyring, KWallet, KeePassXC); without a session of a desktop set \
                 `server.adfs_token_store` to \"file\""
                    .to_owned()
            }
            Self::NotInKeyring | Self::NotSignedIn { .. } | Self::NoRefreshToken | Self::OtherSignIn { .. } => {
                format!("sign in with `{login}`")
            }
            Self::NobodyCame { .. } | Self::WrongState => {
                format!("run `{login}` again, and sign in in the window that it opens")
            }
            Self::NotASignIn { path } => format!("remove {} and sign in with `{login}`", path.display()),
            Self::Refused(refusal) => of_refusal(refusal.kind),
            Self::Own(error) => error.remedy(),
            Self::Unreachable { remedy, .. } => remedy.clone(),
            Self::Silent { .. } => "run the command again, or raise `server.timeout`".to_owned(),
            Self::NotAdfs { .. } => "check `server.adfs_url`, and that no proxy answers in AD FS's place".to_owned(),
            Self::File { path, .. } => of_file(path),
            Self::TokenFile(SecretFileError::Exposed { source, .. }) => source.remedy(),
            Self::TokenFile(SecretFileError::Unreadable { path, .. }) => of_file(path),
            Self::TokenFile(SecretFileError::NoCredentials) => "set `server.adfs_token_file`".to_owned(),
            Self::PortTaken { .. } => format!(
                "end the other program or the other `{login}`; or have another port registered at AD FS and set \
                 `server.adfs_redirect_port` to it; or use `{login} --no-browser`"
            ),
            Self::NoCode => format!("run `{login} --no-browser` again and paste the whole address, with `code=` in it"),
            Self::GivenUp => format!("run `{login}` when you want to sign in"),
            Self::NoTerminal => format!("run `{login}` on a terminal"),
            Self::System(_) => "check the limits of open files and memory of this process".to_owned(),
        }
    }

    /// Whether it may pass by itself: the card is untouched, and AD FS was the one that failed.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Silent { .. } | Self::NotAdfs { .. } => true,
            Self::Refused(refusal) => refusal.kind == RefusalKind::ServerError,
            Self::Own(error) => error.may_pass(),
            _ => false,
        }
    }

    /// Whether configuration, files or this machine are to be put right.
    #[must_use]
    pub fn is_of_configuration(&self) -> bool {
        match self {
            Self::Own(error) => error.is_of_configuration(),
            Self::File { .. }
            | Self::Keyring(_)
            | Self::TokenFile(_)
            | Self::NotASignIn { .. }
            | Self::PortTaken { .. }
            | Self::System(_) => true,
            _ => false,
        }
    }

    /// Whether a person has backed out, or was not there.
    #[must_use]
    pub fn is_given_up(&self) -> bool {
        matches!(self, Self::GivenUp | Self::NobodyCame { .. } | Self::NoTerminal)
    }
}

fn of_file(path: &Path) -> String {
    format!("let this user read and write {} and its folder", path.display())
}

fn of_refusal(kind: RefusalKind) -> String {
    let login = Operation::Login;
    match kind {
        RefusalKind::InvalidGrant | RefusalKind::ExpiredToken => format!("sign in again with `{login}`"),
        RefusalKind::UnsupportedGrantType => format!(
            "leave `--device` out: `{login}` works with AD FS of Windows Server 2012 R2, too; a device code needs 2019, or \
             `Set-AdfsProperties -EnableOAuthDeviceFlow`"
        ),
        RefusalKind::AccessDenied => {
            "sign in as a user whom AD FS lets use MIM CM, or have the access policy of the relying party changed".to_owned()
        }
        RefusalKind::AuthorizationPending | RefusalKind::SlowDown => format!("run `{login} --device` again"),
        RefusalKind::InvalidClient => {
            "check `server.adfs_client_id`, and have the client registered (`Add-AdfsClient`, `Grant-AdfsApplicationPermission`)"
                .to_owned()
        }
        RefusalKind::InvalidResource => {
            "set `server.adfs_resource` to the identifier of MIM CM's relying party (`Get-AdfsRelyingPartyTrust`)".to_owned()
        }
        RefusalKind::ServerError => "wait a while and run the command again".to_owned(),
        RefusalKind::Other => "give these words to the administrator of AD FS: more is in its event log".to_owned(),
    }
}
