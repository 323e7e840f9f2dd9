//! Another program that keeps the card in a long transaction.

use std::time::Duration;

use pinwright::agent::report::{EventKind, Phase};
use support::agent_process::Daemon;
use support::holding::Holder;
use support::numbered_cards::{assert_done, card, id, installation_for};
use support::pcscd::Pcscd;

/// Not a test: what [`Holder`] runs.
#[test]
#[ignore = "helper process of other tests"]
fn hold_the_card() {
    support::holding::hold_the_card();
}

#[test]
fn a_card_that_another_program_kept_for_long_is_done_when_it_lets_go() {
    let Some(pcscd) = Pcscd::start_or_skip(2) else { return };
    let installation = installation_for(1);
    let virtual_card = card(0);
    let _handle = pcscd.insert(0, virtual_card.clone());
    let holder = Holder::transact(&pcscd, 0);
    let mut agent = Daemon::start(&installation, &pcscd.socket(), "agent");
    let waits = |event: &pinwright::agent::report::Event| {
        event.event == EventKind::Phase && event.reader.as_ref().is_some_and(|report| report.phase == Phase::Waiting)
    };
    agent.until("the first look", waits);
    let threads = threads(agent.id());
    for _ in 0..3 {
        let again = agent.until("another look", waits).reader.unwrap();
        assert!(again.reason.as_ref().is_some_and(|reason| reason.contains("held by another program")), "{again:?}");
    }
    assert_eq!(self::threads(agent.id()), threads, "one that hangs is enough");
    holder.release();
    agent.until("the end", |event| event.reader.as_ref().is_some_and(|report| report.phase == Phase::Done));
    assert_eq!(agent.status(&installation, &pcscd.socket(), "agent").readers[0].card_id, Some(id(0)));
    assert_done(&virtual_card, &installation.server);
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
