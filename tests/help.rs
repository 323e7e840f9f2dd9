//! Completions and manual pages, judged by shells and man(1) where they are installed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::{Command, Stdio};

use clap::CommandFactory as _;
use pinwright::cli::Arguments;
use support::waiting::skip;

fn pinwright(arguments: &[&str]) -> Vec<u8> {
    let output = Command::new(env!("CARGO_BIN_EXE_pinwright")).args(arguments).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{arguments:?}: {output:?}");
    output.stdout
}

/// What the program says to this, as text; `None` where it is not installed.
fn judged(program: &str, arguments: &[&str], input: &[u8]) -> Option<String> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let Ok(mut child) = command.spawn() else {
        skip(&format!("{program} is not installed"));
        return None;
    };
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{program}: {output:?}");
    Some(String::from_utf8(output.stdout).unwrap())
}

/// The names of all pages: each command's words with `-` between them.
fn commands(command: &clap::Command, name: &str, names: &mut BTreeSet<String>) {
    names.insert(name.to_owned());
    // What another system alone has is hidden on this one.
    for below in command.get_subcommands().filter(|below| below.get_name() != "help" && !below.is_hide_set()) {
        commands(below, &format!("{name}-{}", below.get_name()), names);
    }
}

#[test]
fn a_shell_completes_commands_options_and_their_values() {
    let script = pinwright(&["completions", "bash"]);
    // As bash calls it: the command, the word that is being typed, and the one before.
    let complete = |words: &[&str]| {
        let [before @ .., previous, current] = words else { panic!("{words:?}") };
        let (all, last) = (words.join(" "), before.len() + 1);
        let ask = format!(
            "\nCOMP_WORDS=({all}) COMP_CWORD={last}\n_pinwright pinwright {current} {previous}\nprintf '%s\\n' \"${{COMPREPLY[@]}}\""
        );
        let told = judged("bash", &["--norc", "-s"], &[&script[..], ask.as_bytes()].concat()).expect("bash is there");
        told.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(complete(&["pinwright", "set-"]), ["set-pin"]);
    assert!(complete(&["pinwright", "agent", "st"]).contains(&"status".to_owned()));
    assert_eq!(complete(&["pinwright", "--color", "al"]), ["always"]);
    assert!(complete(&["pinwright", "set-pin", "--risk"]).contains(&"--risk-uncounted".to_owned()));
    for shell in ["zsh", "fish", "powershell", "elvish"] {
        let script = String::from_utf8(pinwright(&["completions", shell])).unwrap();
        assert!(script.contains("set-pin") && script.contains("risk-uncounted"), "{shell}");
    }
}

/// The pages that are no command's, and words that stand in them.
const OTHER_PAGES: [(&str, &[&str]); 2] = [
    ("pinwright-agent.8", &["pinwright-agent(8)", "SYNOPSIS", "agent.on_insert", "systemctl enable"]),
    ("pinwright.toml.5", &["pinwright.toml(5)", "SYNOPSIS", "profile.pin.reference", "CARD PROFILES"]),
];

#[test]
fn each_command_has_a_page_that_man_shows() {
    let folder = tempfile::tempdir().unwrap();
    let told = pinwright(&["man", "--dir", folder.path().to_str().unwrap()]);
    let written: BTreeSet<String> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let mut names = BTreeSet::new();
    commands(&Arguments::command(), "pinwright", &mut names);
    let others = OTHER_PAGES.map(|(file, _)| file.to_owned());
    let expected: BTreeSet<String> = names.iter().map(|name| format!("{name}.1")).chain(others).collect();
    assert_eq!(written, expected);
    assert_eq!(String::from_utf8(told).unwrap().lines().count(), expected.len());
    for name in &names {
        let page = std::fs::read(folder.path().join(format!("{name}.1"))).unwrap();
        let Some(shown) = judged("man", &["--warnings", "-E", "UTF-8", "-l", "-"], &page) else { continue };
        assert!(shown.contains(&format!("{name}(1)")) && shown.contains("SYNOPSIS"), "{name}: {shown}");
    }
    assert_eq!(pinwright(&["man"]), std::fs::read(folder.path().join("pinwright.1")).unwrap());
}

#[test]
fn the_agent_and_the_configuration_have_pages_that_man_and_mandoc_take() {
    let folder = tempfile::tempdir().unwrap();
    pinwright(&["man", "--dir", folder.path().to_str().unwrap()]);
    for (file, words) in OTHER_PAGES {
        let path = folder.path().join(file);
        let page = std::fs::read(&path).unwrap();
        // Every word of these pages is the book's: what of Markdown is no text would show.
        let text = String::from_utf8(page.clone()).unwrap();
        assert!(!["`", "](", "\n|", "<!--"].iter().any(|mark| text.contains(mark)), "{file}: {text}");
        if let Some(shown) = judged("man", &["--warnings", "-E", "UTF-8", "-l", path.to_str().unwrap()], &[]) {
            words.iter().for_each(|word| assert!(shown.contains(word), "{file}: no {word} in {shown}"));
        }
        match Command::new("mandoc").args(["-Tlint", "-Wwarning"]).arg(&path).output() {
            // Two builds of one version are the same: a page has no date.
            Ok(output) => {
                let said = String::from_utf8(output.stdout).unwrap();
                let faults: Vec<&str> = said.lines().filter(|line| !line.contains("missing date")).collect();
                assert!(faults.is_empty(), "{faults:#?}");
            }
            Err(error) => skip(&format!("mandoc: {error}")),
        }
    }
    let keys = std::fs::read_to_string(folder.path().join("pinwright.toml.5")).unwrap().matches("\n.TP\n").count();
    assert!(keys > 80, "{keys} keys");
}
