//! Cards that the service sees to, and what is asked of it meanwhile.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use pinwright::sim::server::RequestStatus;

use crate::control;
use crate::machine::{CARD_ID, Machine, assert_done, assert_ended, assert_untouched, card};

const PARAMCHANGE: u32 = 6;

#[test]
fn a_card_that_is_inserted_gets_its_pin_and_the_service_answers_for_it() {
    let Some(machine) = Machine::new() else { return };
    let port = Machine::free_port();
    machine.install(&format!("metrics = \"127.0.0.1:{port}\""));
    let service = machine.start();
    let empty = machine.reaches("empty");
    assert!(empty["reader"].as_str().unwrap().ends_with(" 00 00"), "{empty}");
    let card = card();
    let before = card.with(|card| card.commands_seen());
    let inserted = machine.insert(&card, Duration::ZERO);
    let done = machine.reaches("done");
    assert_eq!(done["card_id"], CARD_ID, "{done}");
    assert_done(&card, &machine.server);
    assert!(card.with(|card| card.commands_seen()) > before);

    let history = machine.run(&["--json", "agent", "history"]).exits(0).json();
    let records = history["records"].as_array().unwrap();
    assert_eq!((records.len(), records[0]["card_id"].as_str()), (1, Some(CARD_ID)), "{history}");
    let files = std::fs::read_dir(machine.data.join("journal")).unwrap().count();
    assert!(files > 0, "the machine's journal is empty");
    let asked = machine.run(&["--json", "agent", "recheck"]).exits(0).json();
    assert_eq!(asked["asked"], 0, "{asked}");
    let metrics = get(port);
    assert!(metrics.starts_with("HTTP/1.1 200") && metrics.contains("pinwright_"), "{metrics}");

    drop(inserted);
    machine.reaches("empty");
    service.stop().unwrap();
    assert_ended(&service, 0);
}

fn get(port: u16) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(stream, "GET /metrics HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// As `sc.exe control pinwright paramchange` does it.
#[test]
fn a_card_that_waits_is_looked_at_when_somebody_asks_for_it() {
    let Some(machine) = Machine::new() else { return };
    let set = |status| machine.server.state().change(|settings| settings.requests[0].status = status);
    set(RequestStatus::Pending);
    machine.install("");
    let service = machine.start();
    let card = card();
    let _inserted = machine.insert(&card, Duration::ZERO);
    machine.reaches("waiting");
    let asked = machine.run(&["--json", "agent", "recheck"]).exits(0).json();
    assert_eq!(asked["asked"], 1, "{asked}");
    machine.reaches("waiting");
    assert_untouched(&card);
    set(RequestStatus::Approved);
    control::send(&service, PARAMCHANGE).unwrap();
    machine.reaches("done");
    assert_done(&card, &machine.server);
}

/// Wine has no first instance of a pipe, so a second agent that a person starts is not tried here.
#[test]
fn a_service_that_runs_is_not_started_again() {
    let Some(machine) = Machine::new() else { return };
    machine.install("");
    let service = machine.start();
    let running = machine.run(&["--json", "agent", "status"]).exits(0).json()["pid"].clone();
    let again = service.start::<&str>(&[]).unwrap_err();
    assert!(format!("{again:?}").contains("1056"), "{again:?}");
    assert_eq!(machine.run(&["--json", "agent", "status"]).exits(0).json()["pid"], running);
}
