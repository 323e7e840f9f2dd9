//! What a command can fail with: exit code and hint of each failure.

pub mod agent;
pub mod doctor;
pub mod request;

use std::path::PathBuf;

use thiserror::Error;

use super::select::ChoiceError;
use crate::config::{self, ConfigError};
use crate::exit::Exit;
use crate::job::Failure;
use crate::job::journal::JournalError;
use crate::operation::Operation;
use crate::os::kerberos::{LIBRARY, Library};
use crate::reader::ReaderError;
use crate::reader::fixture::FixtureError;
use crate::reader::replay::ReplayError;
use crate::server::auth::SignInError;
use crate::server::{SetupError, TrustError};

/// A command that did not do what it is for.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CliError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A command that needs a server, and none is configured.
    #[error("no server is configured")]
    NoServer,
    /// A sign-in at AD FS, and another kind is configured.
    #[error("there is nothing to sign in to: `server.auth` is not \"adfs\"")]
    NotAdfs,
    /// Who we are can't be proved.
    #[error(transparent)]
    SignIn(#[from] SignInError),
    /// Two secrets from one descriptor.
    #[error("two secrets are to come from one file descriptor")]
    SharedDescriptor,
    /// A secret from a descriptor that is a terminal.
    #[error("a secret is to come from a file descriptor that is a terminal, which would show it")]
    TerminalDescriptor,
    /// Standard output can't be written; the message holds what was to be written.
    #[error("the result can't be written to standard output. It is: {unwritten}")]
    Output {
        /// The result.
        unwritten: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The operation is done, and standard output can't be written.
    #[error("{done}, but the result can't be written to standard output. It is: {unwritten}")]
    Untold {
        /// What is done, as a sentence without its full stop.
        done: String,
        /// The result.
        unwritten: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The configuration's server can't be used.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// There is no card, or it is not clear which one is meant.
    #[error(transparent)]
    Choice(#[from] ChoiceError),
    /// The readers.
    #[error(transparent)]
    Reader(#[from] ReaderError),
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The job.
    #[error(transparent)]
    Failure(#[from] Failure),
    /// An `.apdu` file that can't be read or written.
    #[error("{} can't be used", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A whole enrollment is to be recorded.
    #[error(
        "a whole enrollment is not recorded: its key pairs and challenges differ from run to run, and no recording of it could be played"
    )]
    NotRecorded,
    /// An option of a plan that the planned command does not have.
    #[error("only a plan of `{command}` takes `{option}`")]
    OtherPlan {
        /// The option.
        option: &'static str,
        /// The command that has it.
        command: Operation,
    },
    /// The operation is done, and its recording can't be written.
    #[error("{done}, but the recording can't be written to {}", .path.display())]
    Unrecorded {
        /// What is done, as a sentence without its full stop.
        done: String,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file that is no recording.
    #[error("{} is no recording", .path.display())]
    Fixture {
        /// The file.
        path: PathBuf,
        /// Where and why.
        #[source]
        source: FixtureError,
    },
    /// A recording that names no operation, or none that is known.
    #[error("{} does not say which operation it is of", .path.display())]
    NoOperation {
        /// The file.
        path: PathBuf,
    },
    /// A recording and what was played do not agree.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// The played operation ended otherwise than the recorded one.
    #[error("the recording ended with {recorded:?}, playing it ended with {played:?}")]
    OtherOutcome {
        /// The recording's header.
        recorded: String,
        /// What came of it now.
        played: String,
    },
    /// The system refused something.
    #[error("{what}")]
    System {
        /// What we were doing.
        what: &'static str,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// `doctor` has found something that is not well.
    #[error(transparent)]
    Doctor(#[from] doctor::DoctorError),
    /// What `request` can end with.
    #[error(transparent)]
    Request(#[from] request::RequestError),
    /// A result that can't be told as JSON.
    #[error("the result can't be told as JSON")]
    Json(#[source] serde_json::Error),
    /// The agent could not be started or asked.
    #[error(transparent)]
    Agent(#[from] agent::AgentError),
    /// A stand-in could not be started or has failed.
    #[cfg(feature = "sim")]
    #[error("the stand-in failed")]
    StandIn(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The demonstration did not show what it is for.
    #[cfg(feature = "sim")]
    #[error("the demonstration failed: {0}")]
    Demo(&'static str),
}

impl CliError {
    /// This error where it happened after an operation that is done: its message begins with saying so, since a person must
    /// not take the operation for failed.
    #[must_use]
    pub fn after(self, done: String) -> Self {
        match self {
            Self::Output { unwritten, source } => Self::Untold { done, unwritten, source },
            other => other,
        }
    }

    /// The exit code.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Config(_) | Self::NoServer | Self::NotAdfs | Self::Setup(_) | Self::Journal(_) => Exit::Usage,
            Self::File { .. } | Self::Fixture { .. } | Self::NoOperation { .. } => Exit::Usage,
            Self::SharedDescriptor | Self::TerminalDescriptor | Self::NotRecorded | Self::OtherPlan { .. } => {
                Exit::Usage
            }
            Self::Output { .. } | Self::Untold { .. } | Self::Unrecorded { .. } => Exit::Usage,
            Self::SignIn(error) => error.into(),
            Self::Choice(error) => error.exit(),
            Self::Reader(error) => error.into(),
            Self::Failure(failure) => failure.into(),
            Self::Replay(_) | Self::OtherOutcome { .. } => Exit::CardRefused,
            Self::System { .. } | Self::Json(_) => Exit::Defect,
            Self::Agent(error) => error.exit(),
            Self::Doctor(error) => error.exit(),
            Self::Request(error) => error.exit(),
            #[cfg(feature = "sim")]
            Self::StandIn(_) | Self::Demo(_) => Exit::Defect,
        }
    }

    /// What to do next, as an imperative sentence without a full stop.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Config(error) => error.remedy(),
            Self::Setup(SetupError::Trust(TrustError::Exposed { source, .. })) => source.remedy(),
            Self::Setup(SetupError::Identity(error)) => error.remedy(),
            Self::Setup(SetupError::Http(error)) => error.remedy(),
            Self::Setup(_) => config::correct(),
            Self::NoServer => {
                "set `server.url` in the configuration, or PINWRIGHT_SERVER_URL in the environment".to_owned()
            }
            Self::NotAdfs => {
                let negotiate = match LIBRARY {
                    Library::Windows => "run it as a user of the domain",
                    Library::Mit | Library::Missing => "`kinit`",
                };
                format!(
                    "set `server.auth` to \"adfs\", or sign in as the configured kind wants it: {negotiate} for \"negotiate\", a token file for \
                     \"bearer\""
                )
            }
            Self::SignIn(error) => error.remedy(),
            Self::SharedDescriptor => "give each secret a descriptor of its own".to_owned(),
            Self::TerminalDescriptor => {
                "leave `--pin-fd` (or its like) out: the secret is asked for on the terminal, without echo".to_owned()
            }
            Self::Output { .. } => "check where standard output goes; the job itself is over".to_owned(),
            Self::Untold { .. } => "check where standard output goes; the job need not be repeated".to_owned(),
            Self::Journal(error) => error.remedy(),
            Self::Choice(error) => error.hint(),
            Self::Reader(error) => error.remedy(),
            Self::Failure(failure) if failure.is_declined() => return None,
            Self::Failure(failure) => failure.cause.remedy(),
            Self::File { .. } => "check the path; an existing recording is never overwritten".to_owned(),
            Self::NotRecorded => {
                format!("record the PIN step with `{} FILE {}`", Operation::Record, Operation::SetPin.name())
            }
            Self::OtherPlan { option, command } => {
                format!("plan that with `--for {}`, or leave `{option}` out", command.name())
            }
            Self::Unrecorded { .. } => "make room there; the operation itself need not be repeated".to_owned(),
            Self::NoOperation { .. } => "add a header `# operation: inspect` or `# operation: set-pin`".to_owned(),
            Self::Fixture { .. } | Self::Replay(_) | Self::OtherOutcome { .. } => {
                "compare the recording with the line named, or record it anew".to_owned()
            }
            Self::Json(_) => "report this; the command without `--json` tells it as text".to_owned(),
            Self::System { .. } => return None,
            Self::Agent(error) => return error.hint(),
            Self::Doctor(error) => error.hint(),
            Self::Request(error) => return error.hint(),
            #[cfg(feature = "sim")]
            Self::StandIn(_) | Self::Demo(_) => return None,
        })
    }
}
