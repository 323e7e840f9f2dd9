//! A pcscd that asks polkit, with a real bus and a real polkitd: the package's rule, refusal and recovery. Debian 12's does not ask.

use std::fs;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use support::pcscd::{Skip, asks_polkit};
use support::polkit::PolkitPcscd;
use support::waiting::{say_skipped, skip};

use super::personalised;

const PATIENCE: Duration = Duration::from_secs(30);

/// Said aloud where it can't be; in CI only a pcscd without polkit is a reason, which the same suite on Debian 13 makes up for.
fn started(pcscd: Result<PolkitPcscd, Skip>) -> Option<PolkitPcscd> {
    pcscd
        .inspect_err(|reason| if asks_polkit() { skip(&reason.to_string()) } else { say_skipped(&reason.to_string()) })
        .ok()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[track_caller]
fn assert_refused(output: &Output) {
    let said = said(output);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("the smart card service refused access") && !said.contains("not running"), "{said}");
}

/// Until the command ends with this code: polkitd reads its rules when it notices that they have changed.
#[track_caller]
fn until_exit(mut command: impl FnMut() -> Command, code: i32) -> Output {
    let start = Instant::now();
    loop {
        let output = command().output().unwrap();
        if output.status.code() == Some(code) {
            return output;
        }
        assert!(start.elapsed() < PATIENCE, "{}", said(&output));
        thread::sleep(Duration::from_millis(50));
    }
}

fn arguments(mut command: Command, arguments: &[&str]) -> Command {
    command.args(arguments);
    command
}

#[test]
fn the_rule_lets_the_agents_user_in_and_nobody_else() {
    let Some(pcscd) = started(PolkitPcscd::start(2)) else { return };
    let _inserted = pcscd.insert(0, personalised());
    let inspect = |as_meant| arguments(pcscd.pinwright(as_meant), &["inspect"]);
    let refused = inspect(true).output().unwrap();
    assert_refused(&refused);
    assert!(said(&refused).contains("allow this user in polkit"), "{}", said(&refused));
    let doctor = arguments(pcscd.pinwright(true), &["doctor"]).output().unwrap();
    assert_eq!(doctor.status.code(), Some(3), "{}", said(&doctor));
    let rule = "org.debian.pcsc-lite.access_card\") && subject.user == \"pinwright\"";
    assert!(said(&doctor).contains(rule) && said(&doctor).contains("ok   polkit"), "{}", said(&doctor));
    pcscd.allow(true);
    let inspected = until_exit(|| inspect(true), 0);
    assert!(said(&inspected).contains("33221100-5544-7766-8899-aabbccddeeff"), "{}", said(&inspected));
    assert_refused(&inspect(false).output().unwrap());
    pcscd.allow(false);
    assert_refused(&until_exit(|| inspect(true), 3));
}

/// pcscd closes the connection of whom it refuses, now and then before the library has said anything.
#[test]
fn a_refusal_is_never_told_as_a_service_that_does_not_run() {
    let Some(pcscd) = started(PolkitPcscd::start(0)) else { return };
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..25 {
                    assert_refused(&arguments(pcscd.pinwright(true), &["readers"]).output().unwrap());
                }
            });
        }
    });
}

#[test]
fn without_a_bus_nobody_can_be_allowed_in_polkit() {
    let Some(pcscd) = started(PolkitPcscd::start_without_bus()) else { return };
    let refused = arguments(pcscd.pinwright(true), &["readers"]).output().unwrap();
    assert_refused(&refused);
    let said = said(&refused);
    assert!(said.contains("--disable-polkit") && !said.contains("allow this user"), "{said}");
}

#[test]
fn an_agent_that_was_refused_goes_on_when_it_is_let_in() {
    let Some(pcscd) = started(PolkitPcscd::start(0)) else { return };
    let log = pcscd.state("events");
    let mut agent = pcscd.pinwright(true);
    agent.args(["--json", "agent"]).stdout(fs::File::create(&log).unwrap()).stderr(Stdio::null());
    let mut agent = agent.spawn().unwrap();
    let hears = |what: &str| {
        let start = Instant::now();
        while !fs::read_to_string(&log).unwrap().contains(what) {
            assert!(start.elapsed() < PATIENCE, "no {what}: {}", fs::read_to_string(&log).unwrap());
            thread::sleep(Duration::from_millis(20));
        }
    };
    hears("the smart card service refused access");
    pcscd.allow(true);
    until_exit(|| arguments(pcscd.pinwright(true), &["readers"]), 0);
    // By itself it asks before long, and at once where it is asked to.
    let recheck = arguments(pcscd.pinwright(true), &["agent", "recheck"]).output().unwrap();
    assert!(recheck.status.success(), "{}", said(&recheck));
    hears("service-found");
    agent.kill().unwrap();
    agent.wait().unwrap();
}
