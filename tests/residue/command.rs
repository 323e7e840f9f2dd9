//! The command itself, one process a job.

use std::process::{Command, Stdio};
use std::sync::mpsc;

use rustix::process::{Pid, Signal, kill_process};
use support::waiting::say_skipped;

use super::forms::{Canary, Kind};
use super::held::Held;
use super::long_lived::assert_none;
use super::scan::{Hit, Scanner};
use super::scene::{By, Scene, Spelling};

/// Arguments of the loudest run.
pub const LOUD: &[&str] = &["-vvv", "--json", "enroll", "--yes"];

/// What a job left: in memory, on disk and in what it said.
pub struct Left {
    pub hits: Vec<Hit>,
    pub canaries: Vec<Canary>,
    pub code: i32,
}

/// One job of the command, looked at when it is over.
pub fn job(scene: &Scene, pin_length: usize, spelling: Spelling, arguments: &[&str]) -> Left {
    let mut canaries = scene.arm(pin_length, spelling);
    let held = Held::new(scene, arguments);
    canaries.extend(scene.answers());
    let mut hits = held.scan(&canaries);
    let ended = held.release();
    std::fs::write(scene.place.path("stdout"), &ended.stdout).unwrap();
    hits.extend(scene.left_on_disk(&Scanner::new(&canaries)));
    Left { hits, canaries, code: ended.status.code().expect("an exit code") }
}

#[test]
fn the_command_leaves_nothing() {
    let Some(pcscd) = super::pcscd() else { return };
    let scene = Scene::new(pcscd, By::Server, |_| {});
    for (round, length) in [8, 6, 16].into_iter().enumerate() {
        let left = job(&scene, length, Spelling::After(round), LOUD);
        assert_eq!(left.code, 0);
        assert!(scene.has_pin(&left.canaries[0]));
        assert!(left.canaries.iter().any(|canary| canary.kind == Kind::Answer));
        assert_none(&left.hits);
    }
}

#[test]
fn a_core_that_root_takes_of_the_command_holds_nothing() {
    let Some(pcscd) = super::pcscd() else { return };
    let scene = Scene::new(pcscd, By::Server, |_| {});
    let mut canaries = scene.arm(8, Spelling::Escaped);
    let held = Held::new(&scene, LOUD);
    canaries.extend(scene.answers());
    match held.core(&scene, &canaries) {
        Some(hits) => assert_none(&hits),
        // No failure in CI either: the long run insists on it.
        None => say_skipped("there is no gcore (Debian: gdb)"),
    }
    assert_eq!(held.release().status.code(), Some(0));
    assert!(scene.has_pin(&canaries[0]));
}

#[test]
fn signals_amid_the_secrets_leave_nothing() {
    let Some(pcscd) = super::pcscd() else { return };
    let scene = Scene::new(pcscd, By::Server, |_| {});
    // The handler's frame is put on the stack of the job. Before the answer is sent it backs out, later it goes on.
    for (number, code) in [(6, 10), (7, 0), (8, 0)] {
        let mut canaries = scene.arm(8, Spelling::Plain);
        let (tell, told) = mpsc::channel();
        let mut seen = 0;
        scene.card.with(|plastic| {
            plastic.witness = Some(Box::new(move |_| {
                seen += 1;
                if seen == number {
                    let pid = told.recv().unwrap();
                    (0..1000).for_each(|_| kill_process(pid, Signal::TERM).unwrap());
                }
            }));
        });
        let mut command = Command::new("setsid");
        command.arg(env!("CARGO_BIN_EXE_pinwright"));
        let held = Held::start(&scene, command, LOUD, Stdio::null());
        tell.send(Pid::from_raw(held.id().cast_signed()).unwrap()).unwrap();
        held.wait();
        // Also one that the card was never sent.
        let answer = scene.place.server.state().answers().pop().unwrap();
        canaries.push(Canary::of(Kind::Answer, &answer));
        assert_none(&held.scan(&canaries));
        assert_none(&scene.left_on_disk(&Scanner::new(&canaries)));
        assert_eq!(held.release().status.code(), Some(code));
        assert_eq!(scene.has_pin(&canaries[0]), code == 0);
    }
}
