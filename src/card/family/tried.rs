//! What was tried on a card and not taken, and why.

use std::fmt;

use crate::apdu::Status;

/// A candidate that a card is not of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// The family's or the profile's name.
    pub name: String,
    /// The answer to SELECT.
    pub status: Status,
    /// Why `9000` was not enough; `None` where the card refused.
    pub doubt: Option<Doubt>,
}

/// Why an application that has answered SELECT with `9000` is not taken for the one that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Doubt {
    /// Its answer names another one.
    OtherName(Vec<u8>),
    /// Its answer does not say which one it is.
    NoName,
    /// Its answer does not say that it is the one, and a profile claims the card by its ATR: it was not asked more.
    Claimed,
    /// Its answer does not say that it is the one, and what would make sure was answered so.
    Unconfirmed {
        /// The command's name.
        read: &'static str,
        /// The status word.
        status: Status,
    },
}

impl Doubt {
    /// The doubt about an answer that names this application, or none.
    pub(super) fn of_answer(named: Option<&[u8]>) -> Self {
        named.map_or(Self::NoName, |name| Self::OtherName(name.to_vec()))
    }
}

impl fmt::Display for Doubt {
    /// A clause.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherName(name) => write!(f, "its answer names the application {}", hex::encode_upper(name)),
            Self::NoName => f.write_str("its answer does not name this application"),
            Self::Claimed => f.write_str(
                "its answer does not name this application, and a card that a profile claims by its ATR is asked no more",
            ),
            Self::Unconfirmed { read, status } if status.is_ok() => {
                write!(f, "its answer does not name this application, and {read} gave nothing that only this one has")
            }
            Self::Unconfirmed { read, status } => {
                write!(f, "its answer does not name this application, and {read} was answered {status}")
            }
        }
    }
}
