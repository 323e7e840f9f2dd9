//! pcscd stopped, killed, restarted, absent.

use std::time::Duration;

use pinwright::agent::report::{EventKind, ServiceState};
use support::agent_process::Daemon;
use support::numbered_cards::{assert_done, card, id, insert, installation_for};
use support::pcscd::Pcscd;

/// Restarts in a row; every second one by SIGKILL.
const RESTARTS: u32 = 20;

#[test]
fn no_insertion_is_missed_between_twenty_restarts() {
    let Some(mut pcscd) = Pcscd::start_or_skip(2) else { return };
    let installation = installation_for(RESTARTS);
    let mut agent = Daemon::start(&installation, &pcscd.socket(), "agent");
    agent.hears(EventKind::ServiceFound);
    for round in 0..RESTARTS {
        if round % 2 == 0 {
            pcscd.kill()
        } else {
            pcscd.terminate()
        }
        agent.hears(EventKind::ServiceLost);
        pcscd.start_again();
        // Before the agent has found the service again, or after: as it comes.
        let virtual_card = card(round);
        let handle = insert(&pcscd, (round % 2) as usize, &virtual_card, Duration::ZERO);
        agent.finishes(&id(round));
        assert_done(&virtual_card, &installation.server);
        drop(handle);
    }
    let status = agent.status(&installation, &pcscd.socket(), "agent");
    assert_eq!((status.totals.service_losses, status.totals.provisioned), (u64::from(RESTARTS), u64::from(RESTARTS)));
    assert_eq!((status.totals.failed, status.totals.attention), (0, 0));
}

#[test]
fn an_agent_waits_for_a_service_that_is_not_there() {
    let Some(mut pcscd) = Pcscd::start_or_skip(2) else { return };
    pcscd.kill();
    let installation = installation_for(1);
    let mut agent = Daemon::start(&installation, &pcscd.socket(), "agent");
    agent.hears(EventKind::ServiceLost);
    let status = agent.status(&installation, &pcscd.socket(), "agent");
    assert!(matches!(status.service, ServiceState::Absent { .. }), "{status:?}");
    pcscd.start_again();
    let virtual_card = card(0);
    let _handle = insert(&pcscd, 0, &virtual_card, Duration::ZERO);
    agent.finishes(&id(0));
    assert_done(&virtual_card, &installation.server);
}

#[test]
fn readers_that_come_and_go_are_noticed_and_served() {
    let Some(mut pcscd) = Pcscd::start_or_skip(4) else { return };
    let installation = installation_for(4);
    let mut agent = Daemon::start(&installation, &pcscd.socket(), "agent");
    agent.hears(EventKind::ServiceFound);
    for (number, pairs) in [1, 2, 1, 2].into_iter().enumerate() {
        pcscd.terminate();
        agent.hears(EventKind::ServiceLost);
        pcscd.start_again_with(pairs);
        // Into the last reader that there is now.
        let virtual_card = card(number as u32);
        let _handle = insert(&pcscd, 2 * pairs - 1, &virtual_card, Duration::ZERO);
        agent.finishes(&id(number as u32));
        assert_done(&virtual_card, &installation.server);
        let status = agent.status(&installation, &pcscd.socket(), "agent");
        let known: Vec<_> = status.readers.iter().map(|reader| reader.reader.as_str()).collect();
        let there: Vec<_> = pcscd.readers()[..2 * pairs].iter().map(|reader| reader.name.as_str()).collect();
        assert_eq!(known, there);
    }
}
