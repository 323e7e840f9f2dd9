//! What to do about each cause of a failure.

use super::cause::Cause;
use super::journal::JournalError;
use super::secrets::SecretError;
use super::stage_error::{CsrError, StageError};
use crate::apdu::{ApduError, Status};
use crate::card::CardError;
use crate::card::family::{self, DetectError};
use crate::card::piv::discovery;
use crate::operation::Operation;

impl Cause {
    /// What to do next, as an imperative sentence without a full stop.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::Reader(error) => error.remedy(),
            Self::Detect(DetectError::NoAnswer(error)) => no_answer(error),
            Self::Detect(DetectError::Terminated { .. }) => {
                "have the application activated again with the card's own tool: that sets its PINs to the factory's and \
                 deletes its keys"
                    .to_owned()
            }
            Self::Detect(DetectError::Unknown { .. }) => {
                let known = family::titles().collect::<Vec<_>>().join(", ");
                format!("insert a card that pinwright knows ({known}), or describe this one as a [[card.profile]] in the configuration")
            }
            Self::Card(CardError::NoAnswer { source, .. }) => no_answer(source),
            Self::Card(error) => card_remedy(error),
            Self::Unanswerable(_) => ONLY_BY_KEY.to_owned(),
            Self::Server(error) => error.problem.remedy(),
            Self::Resolve(error) => error.remedy(),
            Self::Fit(_) => {
                "choose another PIN, or have the PIN policy of the profile template fitted to this kind of card".to_owned()
            }
            Self::Binding(_) => "insert the right card and run the command again".to_owned(),
            Self::Secret(SecretError::NoTerminal { .. }) => {
                let set_pin = Operation::SetPin;
                format!("run the command on a terminal, or give the secret on a file descriptor (see `{set_pin} --help`)")
            }
            Self::Secret(SecretError::NobodyToAsk) => {
                "say yes beforehand with `--yes`, or run the command on a terminal".to_owned()
            }
            Self::Secret(SecretError::Unusable { .. } | SecretError::Unreadable { .. }) => {
                "check the file, credential, descriptor or entry that it comes from".to_owned()
            }
            Self::Secret(SecretError::Exposed { source, .. }) => source.remedy(),
            Self::Secret(_) => "run the command again".to_owned(),
            Self::FewTries { what: "PIN", .. } => {
                "have the card unblocked by its administrator; `card.min_tries_left` sets the limit".to_owned()
            }
            Self::FewTries { .. } => {
                "use another authority; `card.min_tries_left` sets the limit, and a blocked code can't be had back".to_owned()
            }
            Self::NoAuthority { takes, .. } if takes.is_empty() => {
                "use the card maker's own tool: nothing that pinwright knows of this card sets its PIN".to_owned()
            }
            Self::NoAuthority { takes, family, .. } => {
                format!("set `card.authority` to one that this {family} card takes: {takes}")
            }
            Self::Journal(JournalError::Busy { .. }) => {
                format!("wait for the other process; `{}` shows how far it is", Operation::History)
            }
            Self::Journal(JournalError::Unreadable { .. }) => format!(
                "see what the file says (`journal.dir`) and what `{}` says of the card; where you know its state move \
                 the file elsewhere, and run the command again",
                Operation::Inspect
            ),
            Self::Journal(error) => error.remedy(),
            Self::UncertainPin { others, .. } if others.is_empty() => {
                "find out with the card's own tool which PIN it has, or have it set there: this card can be set a PIN with nothing else"
                    .to_owned()
            }
            Self::UncertainPin { others, .. } => {
                format!("set the PIN with another authority ({others}), which does not depend on the current one")
            }
            Self::AlreadyDone(_) | Self::DoneInDoubt { .. } => {
                format!("run `{} --again` to set another PIN", Operation::SetPin)
            }
            Self::UncountedTry { what, .. } => format!(
                "make sure of the {what}, then allow one more try with `--risk-uncounted=puk`, or use another authority"
            ),
            Self::CounterRefused { what, .. } => format!(
                "use another authority; or make sure of the {what} and that it is not nearly blocked, then allow one try \
                 with `{} --risk-uncounted=pin`",
                Operation::SetPin
            ),
            Self::RefusedBefore { what, .. } => format!(
                "make sure of the {what} before another try is spent: then run `{}`, or have a new request made",
                Operation::SetPin
            ),
            Self::AnswerBarred { key, .. } => {
                let other = match key {
                    Some(_) => "find out which admin key is on the card and say so (`--admin-key`)",
                    None => "find out which admin key is on the card",
                };
                let set_pin = Operation::SetPin;
                format!("{other}; `{set_pin} --risk-uncounted=admin` shows it once more, which may cost an admin try")
            }
            Self::CutOffBefore { .. } => format!(
                "see why they were cut off (reader, contact, power), and what `{}` says is left; then run `{}`",
                Operation::Inspect,
                Operation::SetPin
            ),
            Self::Stop(stop) => stop.remedy(),
            Self::Stage(StageError::Request(CsrError::Card(error))) => card_remedy(error),
            Self::Stage(error) => error.remedy(),
            Self::Interrupted => "run the command again".to_owned(),
        }
    }
}

fn no_answer(error: &ApduError) -> String {
    match error {
        ApduError::Reader(error) => error.remedy(),
        ApduError::NoStatusWord { .. } | ApduError::Endless { .. } => {
            "pull the card out and insert it again; if it stays, the card or the reader is faulty".to_owned()
        }
    }
}

const ONLY_BY_KEY: &str =
    "answer with the card's own admin key: `card.authority = [\"admin-key\"]` (nothing was sent that the card counts)";

/// Of a card whose tables, keys or certificates can't be read.
const OTHER_TOOL: &str = "look at the card with the tool that last wrote to it, or have it set up anew: what it says of its keys and \
                          certificates can't be relied on";

/// What a card's keys and certificates are kept in, as errors have it.
const KEY_OBJECTS: [&str; 8] =
    ["public key", "signature", "certificate", "certificate object", "cmapfile", "key map", "cardcf", "file system"];

fn card_remedy(error: &CardError) -> String {
    let inspect = Operation::Inspect;
    let fixed = match error {
        CardError::Refused { command: "GET DATA CHUID" | "GET DATA CCC", status: Status::SECURITY_STATUS } => {
            "put the card into a reader with contacts: it does not show its ID to everybody here"
        }
        CardError::Malformed { object: discovery::OBJECT, .. }
        | CardError::Incomplete { object: discovery::OBJECT, .. }
        | CardError::Refused { command: "GET DATA Discovery", .. } => {
            "find out which PIN the card's other programs ask for, since it does not say; where it is that of its PIV \
             application set `card.piv_pin = \"application\"`"
        }
        CardError::UncountedGlobalPin => {
            "set it with the card's own tool, or have the PIN of the PIV application set instead: `card.piv_pin = \"application\"`"
        }
        CardError::Incomplete { object, .. } | CardError::Malformed { object, .. } if KEY_OBJECTS.contains(object) => {
            OTHER_TOOL
        }
        CardError::UnusableId(_)
        | CardError::Incomplete { .. }
        | CardError::Malformed { .. }
        | CardError::Refused {
            command:
                "GET DATA cardid"
                | "GET DATA CHUID"
                | "GET DATA CCC"
                | "GET DATA application related data"
                | "SELECT card ID file"
                | "READ BINARY card ID"
                | "GET DATA card ID",
            ..
        } => "have the card initialised: without a card ID of its own it can't be told from others",
        CardError::Refused { command: "GENERAL AUTHENTICATE (answer)" | "EXTERNAL AUTHENTICATE", .. } => {
            "don't repeat this blindly: cards may count wrong admin answers. Find out which admin key is on the card, then \
             say so (`--admin-key default` or `--admin-key diversified` for the server, another key file for a local one)"
        }
        CardError::Refused { status: Status::NOTHING_SELECTED, .. } => {
            "run the command again: the card was reset or replaced"
        }
        CardError::Refused { status: Status::WRONG_LENGTH, .. } => {
            "have the PIN policy of the profile template fitted to this kind of card"
        }
        CardError::Refused { command: "VERIFY" | "CHANGE REFERENCE DATA", .. } => {
            return format!(
                "make sure of the current PIN before it is tried again: each wrong one costs a try (`{inspect}`)"
            );
        }
        CardError::Refused { command: "VERIFY (PW3)" | "RESET RETRY COUNTER (code)", .. } => {
            return format!(
                "don't repeat this blindly: a wrong code costs a try, and a blocked one can't be had back. Make sure of it, \
                 and see what `{inspect}` says is left"
            );
        }
        CardError::Wrong { .. } => {
            return format!("make sure of it before it is tried again: each wrong one costs a try (`{inspect}`)");
        }
        CardError::OtherPinFormat { .. } => "switch that off with the card's own tool, or set its PIN there",
        CardError::PinLength { .. } => "check the PIN or code that was given: nothing was sent to the card",
        CardError::KeyLength { .. } | CardError::KeyAlgorithm { .. } => {
            "check the key that was given: nothing was sent to the card"
        }
        CardError::KeyType { .. } => "ask for a key type that this card makes: nothing was sent to the card",
        CardError::OtherSlot { .. } => {
            "name a slot that this card has: 9a, 9c, 9d or 9e on a PIV card; kxc or ksc and two hexadecimal digits on a GIDS card"
        }
        CardError::NoLongerFree { .. } => "run the command again: another program has used the card in between",
        CardError::Full { command: "CREATE FILE", .. } => {
            "use a card with room, or have a key that nobody needs any more deleted with the tool that made it: `--erase` deletes \
             one only where no place is free, and what lacks here is memory"
        }
        CardError::Full { .. } => {
            "use an empty card, or have what nobody needs any more removed from this one; what was there is there still"
        }
        CardError::TooLong { .. } | CardError::ContainerName { .. } => "choose another one: nothing was written",
        CardError::UnknownForm { .. } => OTHER_TOOL,
        CardError::NotTaken { .. } => "set `card.authority` to one that this card has",
        CardError::Refused { .. } => return format!("run `{inspect}` to see what the card says of itself"),
        CardError::ChallengeLength { .. } | CardError::AnswerLength { .. } => {
            "report this card and server: such challenges are not documented"
        }
        CardError::OnlyByKey { .. } => ONLY_BY_KEY,
        CardError::Unproven => {
            "take this card out of use: it accepted the admin key's answer without having the key, so it is not what it seems"
        }
        CardError::NoRandomness(_) => {
            "find out why the system has no randomness: without it nothing is proved to a card"
        }
        CardError::NotInProfile { .. } => "complete the [[card.profile]] in the configuration",
        CardError::NoAnswer { .. } | CardError::Garbled { .. } => "pull the card out and insert it again",
    };
    fixed.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(command: &'static str, status: Status) -> String {
        Cause::Card(CardError::Refused { command, status }).remedy()
    }

    #[test]
    fn a_card_that_does_not_say_who_it_is_is_to_be_initialised() {
        for command in [
            "GET DATA cardid",
            "GET DATA CHUID",
            "GET DATA CCC",
            "GET DATA application related data",
            "GET DATA card ID",
        ] {
            assert!(refused(command, Status::FILE_NOT_FOUND).contains("have the card initialised"), "{command}");
        }
        // There, and not for everybody.
        for command in ["GET DATA CHUID", "GET DATA CCC"] {
            assert!(refused(command, Status::SECURITY_STATUS).contains("reader with contacts"), "{command}");
        }
    }

    #[test]
    fn a_card_without_memory_is_not_said_to_be_helped_by_erasing() {
        let full = |command| Cause::Card(CardError::Full { command, status: Status::NO_SPACE }).remedy();
        let remedy = full("CREATE FILE");
        assert!(remedy.contains("`--erase` deletes one only where no place is free"), "{remedy}");
        assert!(!remedy.contains("there still"), "a key that was given up for it is gone: {remedy}");
        assert!(full("PUT DATA").contains("there still"));
    }

    #[test]
    fn a_card_of_no_family_is_told_which_there_are() {
        let unknown = DetectError::Unknown { atr: crate::reader::Atr::new(&[0x3B]), tried: Vec::new() };
        let remedy = Cause::Detect(unknown).remedy();
        assert!(remedy.contains("(PIV, GIDS, OpenPGP card)"), "{remedy}");
    }

    #[test]
    fn where_the_current_pin_is_the_only_way_no_other_is_named() {
        let cause = Cause::UncertainPin { journal: String::new(), meaning: "", others: String::new() };
        assert!(cause.remedy().contains("with nothing else"), "{}", cause.remedy());
    }

    #[test]
    fn an_answer_that_is_none_is_the_cards_or_the_readers_fault() {
        let told = |source| Cause::Card(CardError::NoAnswer { command: "SELECT", source }).remedy();
        for fault in [ApduError::NoStatusWord { length: 1 }, ApduError::Endless { length: 70_000, rounds: 300 }] {
            assert!(told(fault).starts_with("pull the card out and insert it again"));
        }
    }
}
