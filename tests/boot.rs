//! The units under a real systemd: `.ci/boot` boots one from this machine's own root, and each of its cases is told as a test here.
//!
//! It needs root and a cgroup2 that can be mounted. Where it can't be had, in CI too, the tier is counted as not run, and said so:
//! that is why it has no harness, which counts only what was left out at build time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

/// What `.ci/boot` ends with where nothing can be booted.
const NOT_RUN: i32 = 75;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let has = |word: &str| words.iter().any(|given| given == word);
    // The cases are one test to a filter: each goes on where the one before has ended.
    let is_left_out =
        words.iter().any(|word| !word.starts_with('-') && !"boot".contains(word.as_str())) || has("--ignored");
    if has("--list") {
        println!("boot: test\n\n1 test, 0 benchmarks");
        return ExitCode::SUCCESS;
    }
    if is_left_out {
        println!(
            "\nrunning 0 tests\n\ntest result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 1 filtered out; finished in 0.00s\n"
        );
        return ExitCode::SUCCESS;
    }
    println!("\nbooting");
    let begun = Instant::now();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/boot");
    let mut boot = Command::new(script);
    boot.args(["/", "boot-cases", env!("CARGO_BIN_EXE_pinwright")]).stdin(Stdio::null());
    let output = boot.output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let (mut passed, mut failed, mut ignored) = (0, 0, 0);
    for line in out.lines() {
        match line.split(' ').collect::<Vec<_>>().as_slice() {
            ["case", name, "ok", seconds] => {
                println!("test {name} ... ok ({seconds} s)");
                passed += 1;
            }
            ["case", name, _, seconds] => {
                println!("test {name} ... FAILED ({seconds} s)");
                failed += 1;
            }
            _ => println!("{line}"),
        }
    }
    if output.status.code() == Some(NOT_RUN) {
        let reason = err.lines().find_map(|line| line.split_once("NOT RUN: ")).map_or("see .ci/boot", |(_, why)| why);
        println!("test boot ... ignored, NOT RUN: {reason}");
        ignored += 1;
    } else if !output.status.success() || has("--nocapture") || has("--show-output") {
        println!("\n{err}");
    }
    let all = output.status.success() && passed > 0 || ignored > 0;
    failed += i32::from(!all && failed == 0);
    let (word, seconds) = (if failed == 0 { "ok" } else { "FAILED" }, begun.elapsed().as_secs_f64());
    println!(
        "\ntest result: {word}. {passed} passed; {failed} failed; {ignored} ignored; 0 measured; 0 filtered out; finished in {seconds:.2}s\n"
    );
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(101) }
}
