//! How far a job has taken its card's PIN, in one word.

use serde::{Deserialize, Serialize};

/// How far a job has taken its card's PIN: the names of `pinwright.history/1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Point {
    /// About to authenticate: nothing was written. Found after a crash: an admin or PIN try may have been spent.
    Authorizing,
    /// About to set the PIN. Found after a crash: the card has the old PIN or the new one.
    Setting,
    /// The card said that it set the PIN. Found after a crash: it has the new one, not verified.
    Set,
    /// Set and verified.
    Done,
    /// Ended without having changed the PIN.
    Untouched,
    /// Ended, and it is not known which PIN the card has; or it is, and the card did not verify it.
    Unclear,
    /// A later job on the same card has ended well.
    Resolved,
}

impl Point {
    /// Whether a job of the PIN step that has come so far needs another job or a person.
    #[must_use]
    pub fn is_open(self) -> bool {
        matches!(self, Self::Authorizing | Self::Setting | Self::Set | Self::Unclear)
    }

    /// What the record says of the card.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Authorizing => {
                "stopped while proving itself to the card: the PIN is as it was, a try may have been spent"
            }
            Self::Setting => "stopped while setting the PIN: the card has the old PIN or the new one",
            Self::Set => "stopped after setting the PIN: the card has the new PIN, not verified",
            Self::Done => "the PIN was set and verified",
            Self::Untouched => "ended with the PIN as it was",
            Self::Unclear => "ended without knowing which PIN the card has",
            Self::Resolved => "settled by a later job on the same card",
        }
    }

    /// The name in records and JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Authorizing => "authorizing",
            Self::Setting => "setting",
            Self::Set => "set",
            Self::Done => "done",
            Self::Untouched => "untouched",
            Self::Unclear => "unclear",
            Self::Resolved => "resolved",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_has_its_name_and_is_open_or_not() {
        let points = [
            (Point::Authorizing, "authorizing", true),
            (Point::Setting, "setting", true),
            (Point::Set, "set", true),
            (Point::Unclear, "unclear", true),
            (Point::Done, "done", false),
            (Point::Untouched, "untouched", false),
            (Point::Resolved, "resolved", false),
        ];
        for (point, name, open) in points {
            assert_eq!((point.name(), point.is_open()), (name, open));
        }
    }
}
