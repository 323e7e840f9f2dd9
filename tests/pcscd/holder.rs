//! Another program that holds the card for itself: this test binary, run again.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use pinwright::sim::gids::GidsSettings;

use super::pcscd::Pcscd;
use super::workplace::{Workplace, server_for};
use super::{OLD_PIN, pcscd_with, personalised};

const READER: &str = "TEST_HOLDER_READER";
const SHARED: &str = "TEST_HOLDER_SHARED";

/// Not a test: what [`Holder`] runs.
#[test]
#[ignore = "helper process of the tests below"]
fn hold_the_card() {
    let Ok(reader) = std::env::var(READER) else { return };
    let context = pcsc::Context::establish(pcsc::Scope::User).unwrap();
    let reader = std::ffi::CString::new(reader).unwrap();
    let mode = if std::env::var_os(SHARED).is_some() { pcsc::ShareMode::Shared } else { pcsc::ShareMode::Exclusive };
    let mut card = context.connect(&reader, mode, pcsc::Protocols::ANY).unwrap();
    let transaction = card.transaction().unwrap();
    println!("\nHOLDING");
    // Until the parent closes the pipe or dies.
    drop(std::io::stdin().read_to_end(&mut Vec::new()));
    transaction.end(pcsc::Disposition::LeaveCard).map_err(|(_, code)| code).unwrap();
    card.disconnect(pcsc::Disposition::LeaveCard).map_err(|(_, code)| code).unwrap();
}

struct Holder(Child);

impl Holder {
    /// The card for itself.
    fn take(pcscd: &Pcscd, reader: usize) -> Self {
        Self::start(pcscd, reader, &mut Command::new(std::env::current_exe().unwrap()))
    }

    /// A transaction on a card that is shared.
    fn transact(pcscd: &Pcscd, reader: usize) -> Self {
        Self::start(pcscd, reader, Command::new(std::env::current_exe().unwrap()).env(SHARED, "1"))
    }

    fn start(pcscd: &Pcscd, reader: usize, command: &mut Command) -> Self {
        let mut child = command
            .args(["--exact", "holder::hold_the_card", "--ignored", "--nocapture"])
            .env("PCSCLITE_CSOCK_NAME", pcscd.socket())
            .env(READER, &pcscd.readers()[reader].name)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
        assert!(lines.map_while(Result::ok).any(|line| line == "HOLDING"), "the helper holds the card");
        Self(child)
    }

    fn release(mut self) {
        drop(self.0.stdin.take());
        assert!(self.0.wait().unwrap().success());
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn a_card_held_by_another_program_is_waited_for_and_then_left_to_it() {
    for take in [Holder::take, Holder::transact] {
        let Some(pcscd) = pcscd_with(2) else { return };
        is_left_to(&pcscd, take);
    }
}

fn is_left_to(pcscd: &Pcscd, take: fn(&Pcscd, usize) -> Holder) {
    let card = personalised();
    let _inserted = pcscd.insert(0, card.clone());
    let place = Workplace::new(server_for(&GidsSettings::default()));
    let holder = take(pcscd, 0);
    let before = card.with(|card| card.commands_seen());

    let run = place.pinwright(pcscd, &["--json", "enroll", "--yes"]);
    run.exits(3).says("held by another program").says("wait until the program").within(Duration::from_secs(8));
    assert!(run.elapsed > Duration::from_secs(1), "it was waited for: {run}");
    // By name and id, where the holder is one that the system tells us of.
    let pid = holder.0.id();
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap();
    run.says(&format!("{} (pid {pid})", name.trim())).says("processes that use the service");
    assert_eq!(run.json()["card_state"], "untouched");
    assert_eq!(card.with(|card| card.commands_seen()), before);
    assert!(card.with(|card| card.pin_is(OLD_PIN.as_bytes())));
    assert!(place.server.requests().is_empty());
    holder.release();
}

#[test]
fn a_card_released_in_time_is_enrolled() {
    let Some(pcscd) = pcscd_with(2) else { return };
    let card = personalised();
    let _inserted = pcscd.insert(0, card.clone());
    let place = Workplace::new(server_for(&GidsSettings::default()));
    let holder = Holder::take(&pcscd, 0);

    let running = place.start(&pcscd.socket(), &["--json", "enroll", "--yes"]);
    std::thread::sleep(Duration::from_millis(700));
    holder.release();
    running.finish().exits(0).within(Duration::from_secs(6));
    let pin = place.server.state().last_pin().unwrap();
    assert!(card.with(|card| card.pin_is(&pin)));
}

#[test]
fn two_jobs_at_once_on_one_card_take_turns() {
    let Some(pcscd) = pcscd_with(2) else { return };
    let card = personalised();
    let _inserted = pcscd.insert(0, card.clone());
    let place = Workplace::new(server_for(&GidsSettings::default()));
    // Long enough for the second to meet the first one's transaction.
    place.server.state().change(|settings| settings.latency = Duration::from_millis(150));
    let jobs = [(); 2].map(|()| place.start(&pcscd.socket(), &["--json", "enroll", "--yes"]));
    for job in jobs {
        job.finish().exits(0).within(Duration::from_secs(10));
    }
    let pins = place.server.state().pins();
    assert_eq!(pins.len(), 2);
    assert!(card.with(|card| card.pin_is(&pins[1])), "the later job's PIN is on the card");
    assert_eq!(card.with(|card| card.admin_failures()), 0);
    assert!(place.server.violations().is_empty(), "{:?}", place.server.violations());
}
