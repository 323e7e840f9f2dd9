//! Command-line cases as files: `fixtures/cli/*.toml` hold arguments, surroundings, exact output and exit code. A new case
//! is a new file. `PINWRIGHT_UPDATE_CLI=1` writes what was got into the files, for review as a diff.

#![cfg(feature = "sim")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

#[path = "cli/both.rs"]
mod both;
#[path = "cli/case.rs"]
mod case;
#[path = "cli/elsewhere.rs"]
mod elsewhere;
#[path = "cli/obliging.rs"]
mod obliging;
#[path = "cli/operations.rs"]
mod operations;
#[path = "cli/reader.rs"]
mod reader;
#[cfg(target_os = "linux")]
#[path = "cli/terminal.rs"]
mod terminal;
#[path = "cli/transcript.rs"]
mod transcript;

use std::path::{Path, PathBuf};

use case::Case;

fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/cli");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    files.sort();
    files
}

#[test]
fn every_case_prints_what_its_file_says() {
    let files = cases();
    let update = std::env::var_os("PINWRIGHT_UPDATE_CLI").is_some();
    let mut failures = Vec::new();
    for file in &files {
        let case = Case::read(file).here(file);
        let got = case.run();
        if case.is_json() {
            let object: serde_json::Value = serde_json::from_str(&got.out).expect("one object");
            assert!(object["schema"].is_string() && object["outcome"].is_string(), "{}: {object}", file.display());
        }
        if update {
            case.update(file, &got);
        } else if let Some(difference) = case.difference(&got) {
            failures.push(format!("{}\n{difference}", file.display()));
        }
    }
    assert!(failures.is_empty(), "{} of {} cases differ:\n{}", failures.len(), files.len(), failures.join("\n"));
    assert!(files.len() >= 30, "only {} cases were found", files.len());
}

/// Results of another system are those of a case that is there, and differ from its own.
#[test]
fn results_of_another_system_belong_to_a_case() {
    for file in support::repository::files("fixtures/cli/windows") {
        let case = file.parent().unwrap().with_file_name(file.file_name().unwrap());
        assert!(case.exists(), "{} is no case", case.display());
        let (common, other): (Case, elsewhere::Results) = (Case::read(&case), elsewhere::read(&file));
        assert!(common.differs_from(&other), "{} says what the case says", file.display());
    }
}

/// No option takes a secret: what help offers is read by everybody who can list processes.
#[test]
fn no_option_takes_a_secret() {
    for command in [
        "set-pin",
        "plan",
        "enroll",
        "unblock",
        "retire",
        "record",
        "inspect",
        "readers",
        "doctor",
        "request create",
        "request cancel",
    ] {
        let words: Vec<&str> = ["pinwright"].into_iter().chain(command.split(' ')).chain(["--help"]).collect();
        let help = case::run_arguments(&words).out;
        let options: Vec<&str> = help.split_whitespace().filter(|word| word.starts_with("--")).collect();
        assert!(options.len() > 3, "{help}");
        for option in options {
            let named = ["pin", "key", "token", "puk", "password", "secret"].iter().any(|word| option.contains(word));
            assert!(!named || option.ends_with("-fd") || option == "--admin-key", "{command} {option}");
        }
    }
}

/// What every command takes stands by itself, and each example is a command line that can be typed.
#[test]
fn help_separates_global_options_and_its_examples_can_be_typed() {
    for command in [
        "",
        "readers",
        "inspect",
        "plan",
        "set-pin",
        "enroll",
        "unblock",
        "retire",
        "doctor",
        "history",
        "agent",
        "record",
        "request list",
        "request create",
    ] {
        let typed = ["pinwright"].into_iter().chain(command.split(' ')).chain(["--help"]);
        let arguments: Vec<&str> = typed.filter(|word| !word.is_empty()).collect();
        let help = case::run_arguments(&arguments).out;
        let (own, rest) = help.split_once("Global options:").expect("global options have a heading of their own");
        let (global, examples) = rest.split_once("Examples:").expect("there are examples");
        for option in ["--config", "--json", "--verbose", "--quiet", "--color"] {
            assert!(global.contains(option) && !own.contains(option), "{command} {option}");
        }
        let lines: Vec<&str> = examples.lines().filter(|line| line.starts_with("  pinwright ")).collect();
        assert!(!lines.is_empty(), "{help}");
        for line in lines {
            let typed = words(line.split(" 3<").next().unwrap_or_default());
            let parsed = <pinwright::cli::Arguments as clap::Parser>::try_parse_from(typed);
            assert!(parsed.is_ok(), "{line}");
        }
    }
}

/// The words of a line, with what stands in quotation marks as one.
fn words(line: &str) -> Vec<String> {
    let parts = line.split('\'').enumerate();
    let words = parts.flat_map(|(at, part)| match at % 2 {
        0 => part.split_whitespace().map(str::to_owned).collect(),
        _ => vec![part.to_owned()],
    });
    words.collect()
}

/// A path need not be text, and a configuration that is named must not be passed over.
#[test]
#[cfg(target_os = "linux")]
fn the_configurations_path_need_not_be_text() {
    use std::os::unix::ffi::OsStringExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(std::ffi::OsString::from_vec(b"config-\xFF.toml".to_vec()));
    std::fs::write(&path, "[nonsense]\n").unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_pinwright"));
    let output = command.arg("history").env("PINWRIGHT_CONFIG", &path).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(2) && said.contains("unknown field `nonsense`"), "{said}");
}
