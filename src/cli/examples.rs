//! Examples under the help of a command.

use crate::operation::Operation;

/// An example: the command, what follows it, and what that does.
type Example = (Operation, &'static str, &'static str);

/// The examples under the help of one command, or of the program.
#[must_use]
pub fn of(command: Option<Operation>) -> String {
    let examples: &[Example] = match command {
        None => &[
            (Operation::Readers, "", "what is in which reader"),
            (Operation::Plan, "", "what would be done, and whether it can be"),
            (Operation::SetPin, "", "do it, after a yes"),
            (Operation::Enroll, "", "the whole enrollment, with keys and certificates"),
            (Operation::History, " --open", "what is unsettled"),
            (Operation::Doctor, "", "why something does not work, and what to do"),
        ],
        Some(Operation::Readers) => &[
            (Operation::Readers, " -v", "with ATRs"),
            (Operation::Readers, " --reader 1 --json", "one reader, for a program"),
        ],
        Some(Operation::Inspect) => &[
            (Operation::Inspect, " --reader OMNIKEY", "by a part of the reader's name"),
            (Operation::Inspect, " -v --card-id 33221100-5544-7766-8899-aabbccddeeff", "this card, with all details"),
        ],
        Some(Operation::Plan) => &[
            (Operation::Plan, " -v", "every call and every APDU, secrets masked"),
            (Operation::Plan, " --for enroll", "the stages of a whole enrollment"),
        ],
        Some(Operation::SetPin) => &[
            (Operation::SetPin, " --reader 0", "the card in the first reader, after a yes"),
            (Operation::SetPin, " --yes --json", "for a program, which has said yes beforehand"),
            (Operation::SetPin, " --yes --pin-fd 3 3< /run/user/1000/pin", "the user's PIN from a descriptor"),
        ],
        Some(Operation::Enroll) => &[
            (Operation::Enroll, "", "the card's open request, after a yes"),
            (Operation::Enroll, " --template 'Smart Card Logon'", "one that it makes, where there is none"),
            (Operation::Enroll, " --yes --json", "for a program; exit code 11 waits for approval"),
        ],
        Some(Operation::Unblock) => &[(Operation::Unblock, "", "a new PIN on a card in use, after a yes")],
        Some(Operation::Retire) => &[
            (Operation::Retire, "", "its end at the server; the card stays as it is"),
            (Operation::Retire, " --wipe", "and its keys and certificates are erased"),
        ],
        Some(Operation::Doctor) => &[
            (Operation::Doctor, "", "what is well, what is not, and what to do about it"),
            (
                Operation::Doctor,
                " --bundle pinwright-report.txt",
                "all of it with versions and log, names masked, for a ticket",
            ),
        ],
        Some(Operation::History) => &[
            (Operation::History, " --open", "what is unsettled"),
            (Operation::History, " --since 8h", "what was done since this morning"),
        ],
        Some(Operation::Agent) => &[
            (Operation::Agent, " --check", "what it would stumble over"),
            (Operation::AgentStatus, " --follow", "what it does now, and from now on"),
        ],
        Some(Operation::RequestList) => &[
            (Operation::RequestList, "", "the caller's own"),
            (Operation::RequestList, " --status pending --visible", "what waits for approval, whoever it is for"),
        ],
        Some(Operation::RequestCreate) => &[
            (Operation::RequestCreate, " --template 'Smart Card Logon'", "by the template's name, after a yes"),
            (
                Operation::RequestCreate,
                " --template a039b4d0-5ce8-4eff-8651-181c6576fda3 --data Reason=new --yes",
                "by its id, with an item that it collects",
            ),
        ],
        Some(Operation::Login) => &[
            (Operation::Login, "", "in the browser of this machine"),
            (Operation::Login, " --device", "with a code, on any device"),
        ],
        Some(Operation::Record) => &[(Operation::Record, " card.apdu inspect", "what a card says, for a report")],
        Some(_) => &[],
    };
    let lines: Vec<String> =
        examples.iter().map(|(command, rest, does)| format!("  {command}{rest}\n      {does}")).collect();
    if lines.is_empty() { String::new() } else { format!("Examples:\n{}", lines.join("\n")) }
}
