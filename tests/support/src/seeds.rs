//! Seeds of the fuzz targets: made of `fixtures/` when they are asked for, and of what `fuzz/seeds/TARGET/` adds.

use std::fs;
use std::path::{Path, PathBuf};

use pinwright::apdu::tlv;
use pinwright::fuzzing::{Call, dialogue};
use pinwright::reader::fixture::Fixture;

use crate::repository::{self, root};

/// All seeds of one target, each with a name of its own.
pub fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    let mut seeds: Vec<_> = match target {
        "tlv" => recordings().flat_map(|(name, fixture)| numbered(&name, objects(&fixture))).collect(),
        "channel" => recordings().flat_map(|(name, fixture)| numbered(&name, exchanges(&fixture))).collect(),
        "gids" => [sessions("apdu/gids", Call::Pin as u8), contents("apdu/gids")].concat(),
        "piv" => [sessions("apdu/piv", Call::Pin as u8), contents("apdu/piv")].concat(),
        "openpgp" => sessions("apdu/openpgp", Call::Pin as u8),
        "iso7816" => sessions("apdu/iso7816", Call::Pin as u8),
        "fixture" => files("apdu", "apdu"),
        "config" => configurations(),
        "server_certificates" => files("certificates", "p7b").into_iter().chain(files("certificates", "csr")).collect(),
        _ => Vec::new(),
    };
    for path in repository::files(&format!("fuzz/seeds/{target}")) {
        seeds.push((name_of(&path), fs::read(&path).unwrap()));
    }
    seeds.sort();
    seeds.dedup_by(|a, b| a.1 == b.1);
    seeds
}

/// What cards answered, without the status word: data objects, and tables of files.
fn objects(fixture: &Fixture) -> Vec<Vec<u8>> {
    answers(fixture)
        .into_iter()
        .filter(|answer| answer.len() > 4)
        .map(|answer| answer[..answer.len() - 2].to_vec())
        .collect()
}

/// Each run of answers that belongs to one command, with GET RESPONSE after it, over both protocols.
fn exchanges(fixture: &Fixture) -> Vec<Vec<u8>> {
    let answers = answers(fixture);
    let tails = (0..answers.len()).filter(|at| *at == 0 || answers[at - 1].ends_with(&[0x90, 0x00]));
    tails
        .flat_map(|at| {
            let run = &answers[at..answers.len().min(at + 4)];
            [dialogue(&[0x00, 1, 2], run), dialogue(&[0x01, 0, 1], run), dialogue(&[0x0A, 120, 0], run)]
        })
        .collect()
}

/// A recorded session's answers from each of its commands on, under each call that a family has.
fn sessions(folder: &str, last: u8) -> Vec<(String, Vec<u8>)> {
    let calls = [
        Call::Detect as u8 | Call::Identify as u8 | Call::Tries as u8,
        Call::Identify as u8 | Call::Certificates as u8,
        Call::Tries as u8,
        Call::Challenge as u8 | Call::Confirm as u8,
        Call::Authorize as u8 | last,
    ];
    let mut seeds = Vec::new();
    for (name, fixture) in recordings().filter(|(name, _)| name.starts_with(folder)) {
        let answers = answers(&fixture);
        for at in 0..answers.len().min(12) {
            for call in calls {
                let profile = u8::try_from(at % 3).unwrap() << 4;
                seeds.push((
                    format!("{name}-{at}-{call:02x}"),
                    dialogue(&[profile, call], &answers[at..answers.len().min(at + 5)]),
                ));
            }
        }
    }
    seeds
}

/// Whole answers, put together of their pieces, and what the data objects in them hold: tables, certificates, public keys.
fn contents(folder: &str) -> Vec<(String, Vec<u8>)> {
    let mut seeds = Vec::new();
    for (name, fixture) in recordings().filter(|(name, _)| name.starts_with(folder)) {
        let mut whole = Vec::new();
        let mut inputs = Vec::new();
        for answer in answers(&fixture).into_iter().filter(|answer| answer.len() >= 2) {
            let (data, status) = answer.split_at(answer.len() - 2);
            whole.extend_from_slice(data);
            if status[0] == 0x61 {
                continue;
            }
            let values = tlv::parse(&whole).unwrap_or_default();
            inputs.extend(values.iter().map(|object| object.value.to_vec()));
            inputs.push(std::mem::take(&mut whole));
        }
        inputs.sort();
        inputs.dedup();
        seeds.extend(numbered(&format!("{name}-content"), inputs));
    }
    seeds
}

fn configurations() -> Vec<(String, Vec<u8>)> {
    let mut seeds = files("cli", "toml");
    seeds.extend(files("apdu", "toml"));
    let sample = fs::read_to_string(root().join("packaging/config.toml")).unwrap();
    // Once more with every key switched on; some exclude each other, and the fuzzer will find out which.
    let on: String = sample
        .lines()
        .filter(|line| !line.starts_with("# "))
        .map(|line| line.strip_prefix('#').unwrap_or(line).to_owned() + "\n")
        .collect();
    seeds.push(("sample".to_owned(), sample.into_bytes()));
    seeds.push(("sample-on".to_owned(), on.into_bytes()));
    seeds
}

fn answers(fixture: &Fixture) -> Vec<Vec<u8>> {
    fixture.exchanges.iter().filter_map(|exchange| exchange.response.bytes()).collect()
}

fn recordings() -> impl Iterator<Item = (String, Fixture)> {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    files("apdu", "apdu").into_iter().map(move |(name, bytes)| (name, text(bytes).parse().unwrap()))
}

fn files(folder: &str, ending: &str) -> Vec<(String, Vec<u8>)> {
    let ended = |path: &PathBuf| path.extension().is_some_and(|extension| extension == ending);
    let paths = repository::files(&format!("fixtures/{folder}")).into_iter().filter(ended);
    paths.map(|path| (name_of(&path), fs::read(&path).unwrap())).collect()
}

fn numbered(name: &str, inputs: Vec<Vec<u8>>) -> Vec<(String, Vec<u8>)> {
    inputs.into_iter().enumerate().map(|(number, input)| (format!("{name}-{number}"), input)).collect()
}

/// The path below `fixtures/` or `fuzz/seeds/`.
fn name_of(path: &Path) -> String {
    let below = path.strip_prefix(root().join("fixtures")).or_else(|_| path.strip_prefix(root().join("fuzz/seeds")));
    below.unwrap().display().to_string()
}
