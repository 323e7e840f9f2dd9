//! A pcscd that hangs: it is there, takes connections, and answers nobody.

use std::time::Duration;

use pinwright::agent::report::{EventKind, ServiceState};
use rustix::process::Signal;
use support::agent_process::Daemon;
use support::numbered_cards::{assert_done, card, id, insert, installation_for};
use support::pcscd::Pcscd;

#[test]
fn sigterm_ends_an_idle_agent_while_the_service_hangs() {
    let Some(pcscd) = Pcscd::start_or_skip(2) else { return };
    let installation = installation_for(1);
    let mut agent = Daemon::start(&installation, &pcscd.socket(), "agent");
    agent.hears(EventKind::ServiceFound);
    pcscd.hang();
    agent.signal(Signal::TERM);
    assert_eq!(agent.exit(), Some(0));
    pcscd.go_on();
}

#[test]
fn an_agent_that_finds_a_hanging_service_is_ready_says_so_and_goes_on_when_it_answers() {
    let Some(pcscd) = Pcscd::start_or_skip(2) else { return };
    let installation = installation_for(1);
    pcscd.hang();
    let mut agent = Daemon::start_with(&installation, &pcscd.socket(), "agent", &[("PINWRIGHT_READER_TIMEOUT", "1s")]);
    agent.hears(EventKind::ServiceLost);
    match agent.status(&installation, &pcscd.socket(), "agent").service {
        ServiceState::Absent { reason, refused: false } => {
            assert!(reason.contains("gave no answer for 1 s"), "{reason}")
        }
        other => panic!("{other:?}"),
    }
    pcscd.go_on();
    agent.hears(EventKind::ServiceFound);
    let virtual_card = card(0);
    let _handle = insert(&pcscd, 0, &virtual_card, Duration::ZERO);
    agent.finishes(&id(0));
    assert_done(&virtual_card, &installation.server);
}
