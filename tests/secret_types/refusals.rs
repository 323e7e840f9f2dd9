//! The compiler itself is asked, with the library that this test is linked to: code that does with a secret what nobody can do
//! is refused, line by line, by the error that says so. Lines and error codes count, a compiler's wording does not.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Before either kind of `Secret`: where nothing may be wrong lints are of no interest.
const HEAD: &str = "#![allow(warnings)]\n";

/// Lines, counted from the end, their text, and the error's code.
type Errors = BTreeSet<(usize, String, String)>;

fn part(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/secret_types").join(name)).unwrap()
}

/// Builds of a library beside this test, newest first.
fn builds(library: &str) -> Vec<PathBuf> {
    let own = std::env::current_exe().unwrap();
    let entries = fs::read_dir(own.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path());
    let is_it = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        name.starts_with(&format!("lib{library}-")) && name.ends_with(".rlib")
    };
    let mut builds: Vec<PathBuf> = entries.filter(is_it).collect();
    builds.sort_by_key(|path| std::cmp::Reverse(fs::metadata(path).unwrap().modified().unwrap()));
    builds
}

/// The compiler, and the library that it is given.
struct Compiler {
    folder: tempfile::TempDir,
    library: PathBuf,
    serde: PathBuf,
}

impl Compiler {
    /// With the builds that fit: others may lie there, of other features or an older compiler.
    fn new() -> Self {
        let candidates = builds("pinwright").into_iter().flat_map(|library| {
            builds("serde").into_iter().map(move |serde| Self {
                folder: tempfile::tempdir().unwrap(),
                library: library.clone(),
                serde,
            })
        });
        let program = "fn same<T: serde::Serialize>() {}\n\
                       pub fn control() { same::<pinwright::agent::report::Phase>(); }\n\
                       pub fn code(code: &pinwright::secret::Code) -> usize { code.length() }\n";
        let mut why = Errors::new();
        for compiler in candidates {
            why = compiler.errors(program);
            if why.is_empty() {
                return compiler;
            }
        }
        panic!("no build of the library and of serde can be used: {why:?}");
    }

    /// What it has against a program.
    fn errors(&self, program: &str) -> Errors {
        let path = self.folder.path().join("program.rs");
        fs::write(&path, program).unwrap();
        let mut command = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
        command.args(["--edition", "2024", "--crate-type", "lib", "--emit", "metadata", "--error-format", "json"]);
        command.arg("--extern").arg(format!("pinwright={}", self.library.display()));
        command.arg("--extern").arg(format!("serde={}", self.serde.display()));
        command.arg("-L").arg(format!("dependency={}", self.library.parent().unwrap().display()));
        let output = command.arg("--out-dir").arg(self.folder.path()).arg(&path).output().expect("rustc runs");
        let told = String::from_utf8(output.stderr).unwrap();
        let lines: Vec<&str> = program.lines().collect();
        let mut errors = Errors::new();
        for message in told.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
            let summary = message["message"].as_str().unwrap_or_default();
            if message["level"] != "error" || summary.starts_with("aborting due to") {
                continue;
            }
            let spans = message["spans"].as_array().into_iter().flatten();
            let place = spans.filter(|span| span["is_primary"] == true).find_map(|span| span["line_start"].as_u64());
            let line = place.map_or(0, |line| usize::try_from(line).unwrap() - 1);
            let text = if place.is_some() { lines[line].trim() } else { summary };
            let code = message["code"]["code"].as_str().unwrap_or_default();
            errors.insert((lines.len() - line, text.to_owned(), code.to_owned()));
        }
        assert_eq!(errors.is_empty(), output.status.success(), "{told}");
        errors
    }
}

#[test]
fn the_compiler_refuses_each_act_on_each_secret() {
    let (compiler, acts) = (Compiler::new(), part("acts.rs"));
    let count = acts.lines().count();
    let marked: Errors = acts
        .lines()
        .enumerate()
        .filter_map(|(at, line)| Some((count - at, line.trim().to_owned(), line.split_once("//~ ")?.1.to_owned())))
        .collect();
    assert!(marked.len() >= 12, "{marked:?}");
    // The control: all of it compiles, so the errors below are about the secrets.
    assert_eq!(compiler.errors(&format!("{HEAD}{}{acts}", part("open.rs"))), Errors::new());
    for secret in ["SecretBytes", "Pin", "AdminKey", "AdminResponse", "Code"] {
        let program = format!("{HEAD}type Secret = pinwright::secret::{secret};\n{acts}");
        assert_eq!(compiler.errors(&program), marked, "{secret}");
    }
}
