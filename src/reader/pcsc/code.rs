//! The numbers that PC/SC answers with, each with what it means.
//!
//! Windows has two kinds: those of PC/SC, and its own, which the service's connection or a reader's driver passes on as they are.

use std::fmt;

/// A number that is not success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Code(pub u32);

macro_rules! codes {
    ($($name:ident = $number:literal, $meaning:literal;)*) => {
        impl Code {
            $(pub const $name: Self = Self($number);)*

            /// Every number with a meaning of its own.
            #[cfg(test)]
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// What it means, as a clause; `None` where nobody has said.
            fn meaning(self) -> Option<&'static str> {
                match self {
                    $(Self::$name => Some($meaning),)*
                    _ => None,
                }
            }
        }
    };
}

codes! {
    INTERNAL_ERROR = 0x8010_0001, "the service has found itself in error";
    CANCELLED = 0x8010_0002, "the call was called off";
    INVALID_HANDLE = 0x8010_0003, "the service does not know the handle";
    INVALID_PARAMETER = 0x8010_0004, "the service does not understand a parameter";
    INVALID_TARGET = 0x8010_0005, "the registry lacks what the service needs to start";
    NO_MEMORY = 0x8010_0006, "the service has no memory left";
    WAITED_TOO_LONG = 0x8010_0007, "the service has waited too long";
    INSUFFICIENT_BUFFER = 0x8010_0008, "the answer is longer than its buffer";
    UNKNOWN_READER = 0x8010_0009, "the service knows no reader of that name";
    TIMEOUT = 0x8010_000A, "the time given is over";
    SHARING_VIOLATION = 0x8010_000B, "another program has the card";
    NO_SMARTCARD = 0x8010_000C, "there is no card in the reader";
    UNKNOWN_CARD = 0x8010_000D, "the service knows no card of that name";
    CANT_DISPOSE = 0x8010_000E, "the service could not let go of the card as it was asked to";
    PROTO_MISMATCH = 0x8010_000F, "reader and card speak another protocol";
    NOT_READY = 0x8010_0010, "the reader or the card is not ready";
    INVALID_VALUE = 0x8010_0011, "the service does not understand a value";
    SYSTEM_CANCELLED = 0x8010_0012, "the system has called it off, to log off or to shut down";
    COMM_ERROR = 0x8010_0013, "the connection to the service is broken";
    UNKNOWN_ERROR = 0x8010_0014, "the service does not say what";
    INVALID_ATR = 0x8010_0015, "what the registry has for an answer to reset is none";
    NOT_TRANSACTED = 0x8010_0016, "the card has not carried the exchange out";
    READER_UNAVAILABLE = 0x8010_0017, "the reader can't be used now";
    SHUTDOWN = 0x8010_0018, "the service is ending";
    PCI_TOO_SMALL = 0x8010_0019, "the header of the answer is too short";
    READER_UNSUPPORTED = 0x8010_001A, "the reader's driver lacks what the service needs";
    DUPLICATE_READER = 0x8010_001B, "two readers have the same name";
    CARD_UNSUPPORTED = 0x8010_001C, "the card lacks what the service needs";
    NO_SERVICE = 0x8010_001D, "the service is not running";
    SERVICE_STOPPED = 0x8010_001E, "the service has stopped";
    UNEXPECTED = 0x8010_001F, "the card has answered with what nobody expected, or the service has no such function";
    UNSUPPORTED_FEATURE = 0x8010_0022, "the service or the card has no such function";
    NO_ACCESS = 0x8010_0027, "access is denied";
    UNKNOWN_RES_MNG = 0x8010_002B, "a driver has answered with what the service does not know";
    NO_READERS_AVAILABLE = 0x8010_002E, "there is no reader";
    COMM_DATA_LOST = 0x8010_002F, "the exchange with the card has lost data";
    SERVER_TOO_BUSY = 0x8010_0031, "the service has too much to do";
    UNSUPPORTED_CARD = 0x8010_0065, "the reader can't speak with a card of this answer to reset";
    UNRESPONSIVE_CARD = 0x8010_0066, "the card gives no answer to a reset";
    UNPOWERED_CARD = 0x8010_0067, "the card has no power";
    RESET_CARD = 0x8010_0068, "the card was reset";
    REMOVED_CARD = 0x8010_0069, "the card was removed";
    SECURITY_VIOLATION = 0x8010_006A, "access is denied by a security rule";
    WRONG_CHV = 0x8010_006B, "a PIN was wrong";
    CHV_BLOCKED = 0x8010_006C, "a PIN is blocked";
    EOF = 0x8010_006D, "a file of the card has ended";
    CANCELLED_BY_USER = 0x8010_006E, "a person has pressed Cancel in a window of the system";
    CARD_NOT_AUTHENTICATED = 0x8010_006F, "no PIN was shown to the card";
    WINDOWS_FILE_NOT_FOUND = 2, "Windows finds no such file or device";
    WINDOWS_ACCESS_DENIED = 5, "Windows denies access";
    WINDOWS_INVALID_HANDLE = 6, "Windows does not know the handle: the service has stopped, or a remote session has lost its readers";
    WINDOWS_NOT_READY = 21, "Windows says that the device is not ready";
    WINDOWS_BAD_COMMAND = 22, "Windows says that the device does not know the command";
    WINDOWS_CRC = 23, "Windows has found a wrong checksum";
    WINDOWS_GEN_FAILURE = 31, "Windows says that the reader does not work";
    WINDOWS_SHARING_VIOLATION = 32, "another program has the reader";
    WINDOWS_BROKEN_PIPE = 109, "the connection to the service is broken";
    WINDOWS_SEM_TIMEOUT = 121, "Windows has waited for the reader in vain";
    WINDOWS_BUSY = 170, "the reader is in use";
    WINDOWS_NO_DATA = 232, "the connection to the service is closing";
    WINDOWS_PIPE_NOT_CONNECTED = 233, "nobody is at the other end of the connection to the service";
    WINDOWS_NO_SUCH_DEVICE = 433, "Windows has no such device any more";
    WINDOWS_OPERATION_ABORTED = 995, "Windows has called the exchange off";
    WINDOWS_NO_MEDIA = 1112, "there is no card in the reader";
    WINDOWS_IO_DEVICE = 1117, "Windows could not speak with the reader";
    WINDOWS_SHUTDOWN_IN_PROGRESS = 1115, "Windows is shutting down";
    WINDOWS_DEVICE_NOT_CONNECTED = 1167, "the reader is not connected";
    WINDOWS_CANCELLED = 1223, "a person has pressed Cancel in a window of the system";
    WINDOWS_REQUEST_ABORTED = 1235, "Windows has given the exchange up";
    WINDOWS_TIMEOUT = 1460, "Windows has waited in vain";
    WINDOWS_DEVICE_REMOVED = 1617, "the reader was removed";
    WINDOWS_RPC_UNAVAILABLE = 1722, "the service can't be reached";
    WINDOWS_RPC_FAILED = 1726, "the call to the service has failed";
}

#[cfg(not(windows))]
impl From<pcsc::Error> for Code {
    fn from(error: pcsc::Error) -> Self {
        Self(error as u32)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.meaning().unwrap_or("a number without a meaning that is known here"))
    }
}

impl std::error::Error for Code {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_stands_for_one_thing_and_every_other_is_shown_as_it_is() {
        for (position, code) in Code::ALL.iter().enumerate() {
            assert!(!Code::ALL[..position].contains(code), "{code:?}");
            assert!(code.to_string().chars().next().unwrap().is_alphabetic());
        }
        assert_eq!(Code(0xDEAD_BEEF).to_string(), "a number without a meaning that is known here");
    }
}
