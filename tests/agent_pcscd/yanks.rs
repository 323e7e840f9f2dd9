//! Cards pulled at random moments, and put in again until they are done.

use std::time::Duration;

use pinwright::agent::report::{EventKind, Phase};
use pinwright::sim::server::RequestStatus;
use support::agent_process::Daemon;
use support::numbered_cards::{assert_done, card, id, insert, installation_to_come, set};
use support::pcscd::Pcscd;

use crate::soak;

/// Cards, each yanked once.
const YANKS: u32 = 24;

/// With nine commands and a look before them a job takes some 60 ms, and the moments spread a little beyond it.
const DELAY: Duration = Duration::from_millis(4);
const SPREAD: u64 = 80;

#[test]
fn a_card_yanked_at_any_moment_is_settled_when_it_comes_back() {
    let yanks = YANKS * soak();
    let installation = installation_to_come(yanks);
    let mut cut_off = 0;
    let Some(mut pcscd) = Pcscd::start_or_skip(2) else { return };
    let mut agent = Daemon::start(&installation, &pcscd.socket(), "agent");
    for number in 0..yanks {
        let (virtual_card, card_id) = (card(number), id(number));
        set(&installation, &[number], RequestStatus::Approved);
        let reader = (number % 2) as usize;
        let name = pcscd.readers()[reader].name.clone();
        let in_reader = |what| move |event: &pinwright::agent::report::Event| event.event == what;
        let handle = insert(&pcscd, reader, &virtual_card, DELAY);
        agent.until("insertion", |event| {
            in_reader(EventKind::Inserted)(event) && event.reader.as_ref().is_some_and(|r| r.reader == name)
        });
        std::thread::sleep(Duration::from_millis(fastrand::u64(0..SPREAD)));
        handle.remove();
        if number % 4 < 2 {
            // pcscd goes with the card.
            pcscd.kill();
            agent.hears(EventKind::ServiceLost);
            pcscd.start_again();
        } else {
            pcscd.wait_for_card(reader, false);
        }
        let _again = insert(&pcscd, reader, &virtual_card, Duration::ZERO);
        let report = loop {
            let report = agent.ends(&card_id);
            // Word of the first insertion may come after the second one.
            if !matches!(report.phase, Phase::Waiting | Phase::Failed | Phase::Stuck) {
                break report;
            }
            cut_off += 1;
        };
        assert!(matches!(report.phase, Phase::Done | Phase::AlreadyDone), "{report:?}");
        assert_done(&virtual_card, &installation.server);
        set(&installation, &[number], RequestStatus::Completed);
    }
    println!("{yanks} cards yanked, {cut_off} of them in a way that left a word of it; none is in doubt");
    let history = installation.pinwright(&pcscd, &["--json", "history"]).exits(0).json();
    assert!(!history.to_string().contains("\"open\":true"), "{history}");
}
