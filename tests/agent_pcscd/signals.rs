//! SIGTERM and SIGKILL while a card is worked on.

use std::time::Duration;

use rustix::process::Signal;
use support::agent_process::Daemon;
use support::numbered_cards::{assert_done, assert_untouched, card, id, insert, installation_for};
use support::pcscd::Pcscd;

/// So slow that a signal arrives while the step lasts.
const SLOW: Duration = Duration::from_millis(150);

#[test]
fn sigterm_backs_out_of_a_card_that_nothing_was_written_to() {
    let Some(pcscd) = Pcscd::start_or_skip(2) else { return };
    let installation = installation_for(1);
    let mut agent = Daemon::start(&installation, &pcscd.socket(), "agent");
    let virtual_card = card(0);
    let _handle = insert(&pcscd, 0, &virtual_card, SLOW);
    agent.reaches("challenge");
    agent.signal(Signal::TERM);
    assert_eq!(agent.exit(), Some(0));
    assert_untouched(&virtual_card);
}

#[test]
fn sigterm_lets_a_write_come_to_its_end() {
    let Some(pcscd) = Pcscd::start_or_skip(2) else { return };
    let installation = installation_for(1);
    let mut agent = Daemon::start(&installation, &pcscd.socket(), "agent");
    let virtual_card = card(0);
    let _handle = insert(&pcscd, 0, &virtual_card, SLOW);
    agent.reaches("set-pin");
    agent.signal(Signal::TERM);
    assert_eq!(agent.exit(), Some(0));
    assert_done(&virtual_card, &installation.server);
}

#[test]
fn after_sigkill_the_next_agent_settles_the_card() {
    for step in ["authorize", "set-pin", "verify"] {
        let Some(pcscd) = Pcscd::start_or_skip(2) else { return };
        let installation = installation_for(1);
        let mut agent = Daemon::start(&installation, &pcscd.socket(), "agent");
        let virtual_card = card(0);
        let handle = insert(&pcscd, 0, &virtual_card, SLOW);
        agent.reaches(step);
        agent.signal(Signal::KILL);
        assert_eq!(agent.exit(), None, "a signal is no exit code");
        drop(agent);
        let mut next = Daemon::start(&installation, &pcscd.socket(), "agent");
        next.finishes(&id(0));
        drop(handle);
        assert_done(&virtual_card, &installation.server);
        let history = installation.pinwright(&pcscd, &["--json", "history"]).exits(0).json();
        assert!(!history.to_string().contains("\"open\":true"), "{step}: {history}");
    }
}
