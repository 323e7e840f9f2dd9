//! Recordings, found by walking `fixtures/apdu`: a new one needs no Rust.
//!
//! Every recording is checked on the wire: the commands in it, put together from their chained blocks, must be cut into the
//! same frames again, and the recorded answers must be collected to the same end. A recording with an `operation` header is
//! also played through the command that made it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use pinwright::apdu::{Channel, Command};
use pinwright::cli::{self, context::CommandContext};
use pinwright::reader::fixture::{Exchange, Fixture};
use pinwright::reader::replay::Replay;
use pinwright::reader::{EndAction, Readers};
use pinwright::secret::SecretBytes;
use support::repository::recordings;

/// A command as the host meant it, from its frames: chained blocks joined. `None` where a frame is no command that the
/// channel would send (a malformed one, sent on purpose).
fn command(frames: &[&Exchange]) -> Option<Command> {
    let (last, chain) = frames.split_last()?;
    let mut data = Vec::new();
    let mut secret = false;
    for frame in chain {
        let bytes = frame.command.bytes()?;
        data.extend_from_slice(bytes.get(5..)?);
    }
    // A masked byte is a secret's: any value stands for it.
    secret |= last.command.0.iter().any(Option::is_none);
    let bytes: Vec<u8> = last.command.0.iter().map(|byte| byte.unwrap_or(0)).collect();
    let (header, body) = bytes.split_first_chunk::<4>()?;
    let command = Command::new(header[0], header[1], header[2], header[3]);
    let with_data = |command: Command, data: &[u8]| {
        if secret { command.secret(SecretBytes::copy_of(data)) } else { command.data(data) }
    };
    match body {
        [] if data.is_empty() => Some(command),
        [le] if data.is_empty() => Some(command.expecting(if *le == 0 { 256 } else { usize::from(*le) })),
        [lc, rest @ ..] if rest.len() == usize::from(*lc) => {
            data.extend_from_slice(rest);
            Some(with_data(command, &data))
        }
        [lc, rest @ .., le] if rest.len() == usize::from(*lc) => {
            data.extend_from_slice(rest);
            Some(with_data(command, &data).expecting(if *le == 0 { 256 } else { usize::from(*le) }))
        }
        _ => None,
    }
}

/// Cuts a session into logical exchanges: a chain of blocks with CLA bit 5, then its GET RESPONSEs.
fn logical(fixture: &Fixture) -> Vec<Vec<Exchange>> {
    let mut groups: Vec<Vec<Exchange>> = Vec::new();
    let mut in_chain = false;
    for exchange in &fixture.exchanges {
        let is = |at: usize, byte: u8| exchange.command.0.get(at) == Some(&Some(byte));
        let continues = in_chain
            || (is(1, 0xC0)
                && groups.last().and_then(|group| group.last()).is_some_and(|before| {
                    let answer = &before.response.0;
                    answer.get(answer.len().saturating_sub(2)) == Some(&Some(0x61))
                }));
        match groups.last_mut() {
            Some(group) if continues => group.push(exchange.clone()),
            _ => groups.push(vec![exchange.clone()]),
        }
        let chained =
            exchange.command.0.first().copied().flatten().is_some_and(|cla| cla & 0x10 != 0 && cla & 0x80 == 0);
        let ok = exchange.response.0.ends_with(&[Some(0x90), Some(0x00)]);
        in_chain = chained && ok;
    }
    groups
}

/// What the tools behind the recordings do and our channel does not.
fn is_foreign(group: &[Exchange]) -> bool {
    let last = group.last().map(|exchange| exchange.response.0.clone()).unwrap_or_default();
    // An answer left lying (61xx at the end), or Le kept back with data that T=1 would carry.
    last.get(last.len().saturating_sub(2)) == Some(&Some(0x61))
}

#[test]
fn the_channel_cuts_every_recorded_command_alike() {
    let (mut checked, mut foreign, mut malformed) = (0, 0, 0);
    let recordings = recordings();
    for (path, fixture) in &recordings {
        for group in logical(fixture) {
            if is_foreign(&group) {
                foreign += 1;
                continue;
            }
            let commands: Vec<&Exchange> = {
                let sent = group.iter().position(|exchange| {
                    exchange.command.0.first().copied().flatten().is_some_and(|cla| cla & 0x10 == 0)
                });
                group.iter().take(sent.map_or(group.len(), |at| at + 1)).collect()
            };
            let Some(command) = command(&commands) else {
                malformed += 1;
                continue;
            };
            let line = group[0].line;
            let single = Fixture { headers: fixture.headers.clone(), exchanges: group.clone() };
            let replay = Replay::new(single).unwrap();
            let mut connection = replay.open(&replay.list().unwrap()[0].name).unwrap();
            let response = Channel::new(connection.as_mut()).send(&command).unwrap_or_else(|error| {
                panic!("{}, line {line}: {error}: {:?}", path.display(), std::error::Error::source(&error))
            });
            connection.end(EndAction::Leave).unwrap();
            replay.finish().unwrap_or_else(|error| panic!("{}, line {line}: {error}", path.display()));
            let collected: usize = group.iter().skip(commands.len() - 1).map(|e| e.response.0.len() - 2).sum();
            assert_eq!(response.data().len(), collected, "{}, line {line}", path.display());
            checked += 1;
        }
    }
    assert!(recordings.len() >= 70, "only {} recordings were found: is one lost?", recordings.len());
    assert!(checked >= 1020, "only {checked} exchanges were checked");
    // Answers that a tool left lying, and a command cut on purpose: counted, so that they can't grow unseen.
    assert_eq!((foreign, malformed), (2, 1), "exchanges that were passed over");
    println!("{checked} logical exchanges of {} recordings", recordings.len());
}

#[test]
fn every_recorded_operation_plays() {
    let mut played = 0;
    for (path, fixture) in recordings() {
        if fixture.header("operation").is_none() {
            continue;
        }
        let (exit, out, err) = replay(&path);
        assert_eq!(exit, 0, "{}\n{out}{err}", path.display());
        played += 1;
    }
    assert!(played >= 40, "only {played} recordings name an operation");
}

/// The three failures of a strict replay are three different failures.
#[test]
fn a_recording_that_does_not_fit_is_refused_in_three_ways() {
    let (_, fixture) = recordings()
        .into_iter()
        .find(|(_, fixture)| {
            fixture.header("operation") == Some("set-pin") && fixture.header("outcome") == Some("done")
        })
        .expect("a PIN step is recorded");
    let folder = tempfile::tempdir().unwrap();
    let check = |name: &str, change: &dyn Fn(&mut Fixture), expected: &str| {
        let mut changed = fixture.clone();
        change(&mut changed);
        let path = folder.path().join(name);
        std::fs::write(&path, changed.to_string()).unwrap();
        let (exit, out, err) = replay(&path);
        assert_eq!(exit, 4, "{name}: {out}{err}");
        assert!(err.contains(expected), "{name}: {err}");
    };
    check("wrong", &|fixture| fixture.exchanges[2].command.0[1] = Some(0xCA), "expected 00CA");
    check("short", &|fixture| drop(fixture.exchanges.pop()), "has ended");
    let extra = fixture.exchanges[1].clone();
    check("long", &|fixture| fixture.exchanges.push(extra.clone()), "left over");
    check(
        "outcome",
        &|fixture| {
            fixture
                .headers
                .iter_mut()
                .filter(|(key, _)| key == "outcome")
                .for_each(|(_, value)| *value = "failed verify".into())
        },
        "the recording ended with",
    );
}

fn replay(path: &Path) -> (i32, String, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut context = CommandContext {
        readers: None,
        environment: vec![("PINWRIGHT_CONFIG".to_owned(), config(path).into())],
        out: &mut out,
        err: &mut err,
        screen: Default::default(),
        colours: Default::default(),
        tells_progress: false,
        may_prompt: false,
        interrupted: Arc::new(AtomicBool::new(false)),
    };
    let args = ["pinwright", "replay", &path.display().to_string()].map(str::to_owned);
    let exit = match cli::parse(args, &mut context) {
        Ok(arguments) => cli::run(&arguments, &mut context),
        Err(exit) => exit,
    };
    (exit as i32, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
}

/// The configuration beside a recording, `profile.toml` in its folder, for families that are described and not built in.
fn config(path: &Path) -> String {
    let beside = path.parent().unwrap().join("profile.toml");
    if beside.exists() { beside.display().to_string() } else { String::new() }
}
