//! Another program that keeps the card to itself in a long transaction: this test binary, run again.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use pinwright::agent::report::{Phase, What};

use crate::cards::{assert_done, card, id, place_for};
use crate::daemon::Daemon;
use crate::pcscd::Pcscd;

const READER: &str = "TEST_HOLDER_READER";

/// Not a test: what [`Holder`] runs.
#[test]
#[ignore = "helper process of the test below"]
fn hold_the_card() {
    let Ok(reader) = std::env::var(READER) else { return };
    let context = pcsc::Context::establish(pcsc::Scope::User).unwrap();
    let reader = std::ffi::CString::new(reader).unwrap();
    let mut card = context.connect(&reader, pcsc::ShareMode::Shared, pcsc::Protocols::ANY).unwrap();
    let transaction = card.transaction().unwrap();
    println!("\nHOLDING");
    // Until the parent closes the pipe or dies.
    drop(std::io::stdin().read_to_end(&mut Vec::new()));
    transaction.end(pcsc::Disposition::LeaveCard).map_err(|(_, code)| code).unwrap();
}

struct Holder(Child);

impl Holder {
    fn take(pcscd: &Pcscd, reader: usize) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
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
}

impl Drop for Holder {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn a_card_that_another_program_kept_for_long_is_done_when_it_lets_go() {
    let Some(pcscd) = Pcscd::start_or_skip(2) else { return };
    let place = place_for(1);
    let plastic = card(0);
    let _handle = pcscd.insert(0, plastic.clone());
    let holder = Holder::take(&pcscd, 0);
    let mut agent = Daemon::start(&place, &pcscd.socket(), "agent");
    let waits = |event: &pinwright::agent::report::Event| {
        event.event == What::Phase && event.reader.as_ref().is_some_and(|report| report.phase == Phase::Waiting)
    };
    agent.until("the first look", waits);
    let threads = threads(agent.id());
    for _ in 0..3 {
        let again = agent.until("another look", waits).reader.unwrap();
        assert!(again.reason.as_ref().is_some_and(|reason| reason.contains("held by another program")), "{again:?}");
    }
    assert_eq!(self::threads(agent.id()), threads, "one that hangs is enough");
    drop(holder);
    agent.until("the end", |event| event.reader.as_ref().is_some_and(|report| report.phase == Phase::Done));
    assert_eq!(agent.status(&place, &pcscd.socket(), "agent").readers[0].card_id, Some(id(0)));
    assert_done(&plastic, &place.server);
}

/// Threads once those that come and go are gone.
fn threads(process: u32) -> usize {
    let count = || std::fs::read_dir(format!("/proc/{process}/task")).unwrap().count();
    let mut least = count();
    for _ in 0..20 {
        std::thread::sleep(Duration::from_millis(10));
        least = least.min(count());
    }
    least
}
