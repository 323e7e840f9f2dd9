//! Cards for unit tests: they answer as a script or a recording says, and to nothing else.

use crate::apdu::Channel;
use crate::reader::fixture::Fixture;
use crate::reader::replay::Replay;
use crate::reader::{EndAction, Readers};

/// Plays a script of commands and answers in hex; all of it must be used.
#[track_caller]
pub(super) fn play<T>(script: &[(&str, &str)], job: impl FnOnce(&mut Channel<'_>) -> T) -> T {
    let lines: String = script.iter().map(|(command, answer)| format!("> {command}\n< {answer}\n")).collect();
    let text = format!("# fixture: 1\n# atr: 3B80800101\n\n{lines}");
    let replay = Replay::new(text.parse::<Fixture>().unwrap()).unwrap();
    let mut connection = replay.open("Recording").unwrap();
    let result = job(&mut Channel::new(connection.as_mut()));
    connection.end(EndAction::Leave).unwrap();
    replay.finish().unwrap();
    result
}

/// The answers that a recorded card gave to these commands, found in this order in the recording.
#[track_caller]
pub(super) fn recorded<'c>(recording: &str, commands: &[&'c str]) -> Vec<(&'c str, String)> {
    let fixture: Fixture = recording.parse().unwrap();
    let mut rest = fixture.exchanges.iter();
    commands
        .iter()
        .map(|command| {
            let exchange = rest.find(|exchange| exchange.command.to_string() == *command);
            (
                *command,
                exchange
                    .unwrap_or_else(|| panic!("{command} is not recorded after the one before"))
                    .response
                    .to_string(),
            )
        })
        .collect()
}

/// As [`play`], with a recorded card's answers.
#[track_caller]
pub(super) fn replay<T>(recording: &str, commands: &[&str], job: impl FnOnce(&mut Channel<'_>) -> T) -> T {
    let script = recorded(recording, commands);
    let script: Vec<(&str, &str)> = script.iter().map(|(command, answer)| (*command, answer.as_str())).collect();
    play(&script, job)
}
