//! What can go wrong between us and a card's contacts, each with what a person can do about it.

use std::time::Duration;

use thiserror::Error;

use super::holders::{self, Holders};
use super::replay::ReplayError;
use crate::operation::Operation;
use crate::os::card_service;

/// A failure of the reader layer.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReaderError {
    /// pcscd (or SCardSvr) is not there.
    #[error("the smart card service is not running")]
    ServiceNotRunning,
    /// The service went away while we used it.
    #[error("the smart card service stopped while {operation}")]
    ServiceLost {
        /// What we were doing.
        operation: &'static str,
    },
    /// The system ends the session or itself.
    #[error("the system was logging off or shutting down while {operation}")]
    SystemEnds {
        /// What we were doing.
        operation: &'static str,
    },
    /// The client library and the service are of versions that do not speak with each other.
    #[error("the smart card service and the PC/SC library of this program speak different versions of their protocol")]
    OtherProtocol,
    /// The service is there, and a call to it does not return.
    #[error("the smart card service gave no answer for {} s while {operation}", .after.as_secs())]
    ServiceSilent {
        /// What we were doing.
        operation: &'static str,
        /// How long we waited.
        after: Duration,
    },
    /// The service refused us: polkit on Linux.
    #[error("the smart card service refused access")]
    AccessDenied,
    /// No reader of that name (any more).
    #[error("there is no reader {reader:?}")]
    NoSuchReader {
        /// The name asked for.
        reader: String,
    },
    /// An empty reader.
    #[error("there is no card in reader {reader:?}")]
    NoCard {
        /// The reader.
        reader: String,
    },
    /// The card was pulled.
    #[error("the card was removed from reader {reader:?} while {operation}")]
    CardRemoved {
        /// The reader.
        reader: String,
        /// What we were doing.
        operation: &'static str,
    },
    /// Another program reset the card: selection, challenge and authentication are gone.
    #[error("the card in reader {reader:?} was reset by another program while {operation}")]
    CardReset {
        /// The reader.
        reader: String,
        /// What we were doing.
        operation: &'static str,
    },
    /// Another program holds the card, for itself or in a transaction.
    #[error(
        "the card in reader {reader:?} is held by another program (waited {} ms){}",
        .waited.as_millis(), holders::sentence(.holders)
    )]
    InUse {
        /// The reader.
        reader: String,
        /// How long we waited for it.
        waited: Duration,
        /// Who may be holding it.
        holders: Holders,
    },
    /// The card gives no answer to a reset.
    #[error("the card in reader {reader:?} does not respond to a reset")]
    Unresponsive {
        /// The reader.
        reader: String,
    },
    /// The card has no power.
    #[error("the card in reader {reader:?} is not powered")]
    Unpowered {
        /// The reader.
        reader: String,
    },
    /// Reader and card agree on no protocol that we speak.
    #[error("the card in reader {reader:?} speaks neither T=0 nor T=1 with us")]
    ProtocolMismatch {
        /// The reader.
        reader: String,
    },
    /// The exchange itself failed.
    #[error("the exchange with the card in reader {reader:?} failed while {operation}")]
    Transmission {
        /// The reader.
        reader: String,
        /// What we were doing.
        operation: &'static str,
        /// The service's own error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A call did not return; its thread is left behind.
    #[error("reader {reader:?} gave no answer for {} s while {operation}", .after.as_secs())]
    Stuck {
        /// The reader, or the service's name where no reader was concerned.
        reader: String,
        /// What we were doing.
        operation: &'static str,
        /// The deadline that passed.
        after: Duration,
    },
    /// A PC/SC code that this step is not documented to give.
    #[error("PC/SC code {code:08X} while {operation} (reader {reader:?})")]
    UnexpectedCode {
        /// The reader, or the service's name where no reader was concerned.
        reader: String,
        /// What we were doing.
        operation: &'static str,
        /// The PC/SC code.
        code: u32,
        /// The service's own error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A worker thread could not be started.
    #[error("no thread could be started for reader {reader:?}")]
    NoThread {
        /// The reader, or the service's name where no reader was concerned.
        reader: String,
        /// The system's error.
        #[source]
        source: std::io::Error,
    },
    /// A recording and what was sent do not agree.
    #[error(transparent)]
    Replay(#[from] ReplayError),
}

impl ReaderError {
    /// Whether the service answers and will give the same answer until a person changes something on the machine.
    #[must_use]
    pub fn needs_a_person(&self) -> bool {
        matches!(self, Self::OtherProtocol | Self::AccessDenied)
    }

    /// What to do next, as an imperative sentence without a full stop.
    #[must_use]
    pub fn remedy(&self) -> String {
        let fixed = match self {
            Self::ServiceNotRunning => card_service::start(),
            Self::ServiceLost { .. } => {
                let again = card_service::START_AGAIN;
                return format!("{again}, then run `{}` to see the card's state", Operation::Inspect);
            }
            Self::SystemEnds { .. } => {
                return format!("log on again, then run `{}` to see the card's state", Operation::Inspect);
            }
            Self::OtherProtocol => {
                "use libpcsclite and pcscd of one release: in a container or a Flatpak take the library of the machine that pcscd runs \
                 on; after an upgrade restart pcscd (its log names both versions)"
            }
            Self::ServiceSilent { .. } => card_service::RESTART,
            Self::AccessDenied => card_service::allow(),
            Self::NoSuchReader { .. } => {
                return format!("plug the reader in; `{}` lists what is there", Operation::Readers);
            }
            Self::NoCard { .. } => "insert the card",
            Self::CardRemoved { .. } => "insert the same card again and leave it in until the job ends",
            Self::CardReset { .. } => {
                "run the command again; close other programs that use the card if it happens again"
            }
            Self::InUse { .. } => {
                "leave the card in; wait until the program that holds it is done, or close it (GnuPG: `gpgconf --kill scdaemon`, \
                 or `pcsc-shared` in scdaemon.conf; browsers and mail clients: close them), then run the command again"
            }
            Self::Unresponsive { .. } => "check that the card is the right way up, clean its contacts, insert it again",
            Self::Unpowered { .. } => "pull the card out and insert it again",
            Self::ProtocolMismatch { .. } => {
                "pull the card out and insert it again: another program may have left the reader in raw mode"
            }
            Self::Transmission { .. } => {
                return format!("pull the card out, insert it again and run `{}`", Operation::Inspect);
            }
            Self::Stuck { .. } => {
                "pull the card out; if that does not help unplug the reader or restart the smart card service. Another \
                 program may be holding a transaction"
            }
            Self::UnexpectedCode { .. } => "run the command again with -vv and report the code if it stays",
            Self::NoThread { .. } => "free memory or raise the limit on processes (ulimit -u)",
            Self::Replay(_) => "compare the recording with the line named, or record it anew",
        };
        fixed.to_owned()
    }
}
