//! Secrets that are long in coming, or don't come.

use std::fs;

use pinwright::sim::gids::GidsSettings;
use pinwright::sim::server::PinMaker;
use rustix::process::{Pid, Signal, kill_process};
use support::installation::{Installation, server_for};

use super::{OLD_PIN, pcscd_with, personalised};

/// A pipe that this process and the command keep open both ways: nothing comes, and it does not end.
fn silent_pipe(installation: &Installation, name: &str) -> std::path::PathBuf {
    let path = installation.path(name);
    rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
    path
}

#[test]
fn a_pipe_that_stays_silent_keeps_neither_the_card_nor_the_command() {
    let Some(pcscd) = pcscd_with(2) else { return };
    let card = personalised();
    let _inserted = pcscd.insert(0, card.clone());
    let installation = Installation::for_gids(PinMaker::UserProvided);
    let pipe = silent_pipe(&installation, "silent");
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let words = format!("exec 9<>'{}'", pipe.display());
        let mut running = installation.start_by(
            &pcscd.socket(),
            &words,
            &["-v", "--json", "set-pin", "--yes", "--again", "--pin-fd", "9"],
        );
        running.says("get a secret that the server does not give");
        // Others may use it meanwhile.
        installation.pinwright(&pcscd, &["inspect"]).exits(0);
        kill_process(Pid::from_raw(running.id().cast_signed()).unwrap(), signal).unwrap();
        let run = running.finish();
        run.exits(10).says("\"card_state\":\"untouched\"");
        assert!(card.with(|card| card.pin_is(OLD_PIN.as_bytes())));
    }
}

#[test]
fn a_pipe_in_place_of_a_file_is_refused_at_once() {
    let Some(pcscd) = pcscd_with(2) else { return };
    let _inserted = pcscd.insert(0, personalised());
    let installation = Installation::new(server_for(&GidsSettings::default()));
    let pipe = silent_pipe(&installation, "silent");
    let section = format!("[card]\nauthority = [\"admin-key\"]\nadmin_key_file = \"{}\"", pipe.display());
    installation.configure("", &section);
    let run = installation.pinwright(&pcscd, &["--json", "set-pin", "--yes", "--again"]);
    run.exits(7).says("it is no regular file").says("\"card_state\":\"untouched\"");
}

#[test]
fn a_secret_is_read_from_where_its_descriptor_stands() {
    let Some(pcscd) = pcscd_with(2) else { return };
    let card = personalised();
    let _inserted = pcscd.insert(0, card.clone());
    let installation = Installation::for_gids(PinMaker::UserProvided);
    fs::write(installation.path("secret"), "00000000\n24681357\n").unwrap();
    // The shell reads the first line itself, and nobody may open the file anew.
    let words = format!("exec 9<'{0}'; rm '{0}'; read first <&9", installation.path("secret").display());
    installation.start_by(&pcscd.socket(), &words, &["set-pin", "--yes", "--again", "--pin-fd", "9"]).finish().exits(0);
    assert!(card.with(|card| card.pin_is(b"24681357")));
}

#[test]
fn two_lines_are_no_secret() {
    let Some(pcscd) = pcscd_with(2) else { return };
    let card = personalised();
    let _inserted = pcscd.insert(0, card.clone());
    let installation = Installation::for_gids(PinMaker::UserProvided);
    fs::write(installation.path("secret"), "24681357\n11111111\n").unwrap();
    let words = format!("exec 9<'{}'", installation.path("secret").display());
    let run = installation.start_by(&pcscd.socket(), &words, &["--json", "set-pin", "--yes", "--pin-fd", "9"]).finish();
    run.exits(7).says("there is more than one line").says("\"card_state\":\"untouched\"");
    assert!(card.with(|card| card.pin_is(OLD_PIN.as_bytes())));
}
