//! The command itself, one process a job.

use super::forms::{Canary, Kind};
use super::held::Held;
use super::long_lived::assert_none;
use super::scan::Hit;
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
    hits.extend(scene.left_on_disk(&super::scan::Scanner::new(&canaries)));
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
        None => super::skipped("there is no gcore (Debian: gdb)"),
    }
    assert_eq!(held.release().status.code(), Some(0));
    assert!(scene.has_pin(&canaries[0]));
}
