//! The command itself, one process a job.

use std::process::{Command, Stdio};
use std::sync::mpsc;

use rustix::process::{Pid, Signal, kill_process};
use support::waiting::say_skipped;

use super::canary_setup::{By, CanarySetup, Spelling};
use super::forms::{Canary, Kind};
use super::held::Held;
use super::long_lived::assert_none;
use super::scan::{Hit, Scanner};

/// Arguments of the loudest run.
pub const LOUD: &[&str] = &["-vvv", "--json", "set-pin", "--yes", "--again"];

/// What a job left: in memory, on disk and in what it said.
pub struct Left {
    pub hits: Vec<Hit>,
    pub canaries: Vec<Canary>,
    pub code: i32,
}

/// One job of the command, looked at when it is over.
pub fn job(setup: &CanarySetup, pin_length: usize, spelling: Spelling, arguments: &[&str]) -> Left {
    let mut canaries = setup.arm(pin_length, spelling);
    let held = Held::new(setup, arguments);
    canaries.extend(setup.answers());
    let mut hits = held.scan(&canaries);
    let ended = held.release();
    std::fs::write(setup.installation.path("stdout"), &ended.stdout).unwrap();
    hits.extend(setup.left_on_disk(&Scanner::new(&canaries)));
    Left { hits, canaries, code: ended.status.code().expect("an exit code") }
}

#[test]
fn the_command_leaves_nothing() {
    let Some(pcscd) = super::pcscd() else { return };
    let setup = CanarySetup::new(pcscd, By::Server, |_| {});
    for (round, length) in [8, 6, 16].into_iter().enumerate() {
        let left = job(&setup, length, Spelling::After(round), LOUD);
        assert_eq!(left.code, 0);
        assert!(setup.has_pin(&left.canaries[0]));
        assert!(left.canaries.iter().any(|canary| canary.kind == Kind::Answer));
        assert_none(&left.hits);
    }
}

#[test]
fn a_core_that_root_takes_of_the_command_holds_nothing() {
    let Some(pcscd) = super::pcscd() else { return };
    let setup = CanarySetup::new(pcscd, By::Server, |_| {});
    let mut canaries = setup.arm(8, Spelling::Escaped);
    let held = Held::new(&setup, LOUD);
    canaries.extend(setup.answers());
    match held.core(&setup, &canaries) {
        Some(hits) => assert_none(&hits),
        // No failure in CI either: the long run insists on it.
        None => say_skipped("there is no gcore (Debian: gdb)"),
    }
    assert_eq!(held.release().status.code(), Some(0));
    assert!(setup.has_pin(&canaries[0]));
}

#[test]
fn signals_amid_the_secrets_leave_nothing() {
    let Some(pcscd) = super::pcscd() else { return };
    let setup = CanarySetup::new(pcscd, By::Server, |_| {});
    // The handler's frame is put on the stack of the job. Before the answer is sent it backs out, later it goes on.
    for (number, code) in [(6, 10), (7, 0), (8, 0)] {
        let mut canaries = setup.arm(8, Spelling::Plain);
        let (tell, told) = mpsc::channel();
        let mut seen = 0;
        setup.card.with(|card| {
            card.witness = Some(Box::new(move |_| {
                seen += 1;
                if seen == number {
                    let pid = told.recv().unwrap();
                    (0..1000).for_each(|_| kill_process(pid, Signal::TERM).unwrap());
                }
            }));
        });
        let mut command = Command::new("setsid");
        command.arg(env!("CARGO_BIN_EXE_pinwright"));
        let held = Held::start(&setup, command, LOUD, Stdio::null());
        tell.send(Pid::from_raw(held.id().cast_signed()).unwrap()).unwrap();
        held.wait();
        // Also one that the card was never sent.
        let answer = setup.installation.server.state().answers().pop().unwrap();
        canaries.push(Canary::of(Kind::Answer, &answer));
        assert_none(&held.scan(&canaries));
        assert_none(&setup.left_on_disk(&Scanner::new(&canaries)));
        assert_eq!(held.release().status.code(), Some(code));
        assert_eq!(setup.has_pin(&canaries[0]), code == 0);
    }
}
