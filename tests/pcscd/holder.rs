//! Another program that holds the card.

use std::time::Duration;

use pinwright::sim::gids::GidsSettings;
use support::holding::Holder;
use support::installation::{Installation, server_for};
use support::pcscd::Pcscd;

use super::{OLD_PIN, pcscd_with, personalised};

/// Not a test: what [`Holder`] runs.
#[test]
#[ignore = "helper process of other tests"]
fn hold_the_card() {
    support::holding::hold_the_card();
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
    let installation = Installation::new(server_for(&GidsSettings::default()));
    let holder = take(pcscd, 0);
    // A client of another service, which can't be the one that holds this card.
    let Some(elsewhere) = pcscd_with(2) else { return };
    let _elsewhere_inserted = elsewhere.insert(0, personalised());
    let bystander = Holder::take(&elsewhere, 0);
    let before = card.with(|card| card.commands_seen());

    let run = installation.pinwright(pcscd, &["--json", "set-pin", "--yes", "--again"]);
    run.exits(3).says("held by another program").says("wait until the program").within(Duration::from_secs(8));
    assert!(run.elapsed > Duration::from_secs(1), "it was waited for: {run}");
    // By name and id, where the holder is one that the system tells us of.
    let pid = holder.id();
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap();
    let listed = format!("processes that use the service: {} (pid {pid})", name.trim());
    run.says(&listed);
    assert!(!run.stdout.contains(&format!("(pid {})", bystander.id())), "{run}");
    if rustix::process::geteuid().is_root() {
        assert!(!run.stdout.contains("can't be seen"), "{run}");
    }
    assert_eq!(run.json()["card_state"], "untouched");
    assert_eq!(card.with(|card| card.commands_seen()), before);
    assert!(card.with(|card| card.pin_is(OLD_PIN.as_bytes())));
    assert!(installation.server.requests().is_empty());
    holder.release();
    bystander.release();
}

#[test]
fn a_card_released_in_time_is_enrolled() {
    let Some(pcscd) = pcscd_with(2) else { return };
    let card = personalised();
    let _inserted = pcscd.insert(0, card.clone());
    let installation = Installation::new(server_for(&GidsSettings::default()));
    let holder = Holder::take(&pcscd, 0);

    let running = installation.start(&pcscd.socket(), &["--json", "set-pin", "--yes", "--again"]);
    std::thread::sleep(Duration::from_millis(700));
    holder.release();
    running.finish().exits(0).within(Duration::from_secs(6));
    let pin = installation.server.state().last_pin().unwrap();
    assert!(card.with(|card| card.pin_is(&pin)));
}

#[test]
fn two_jobs_at_once_on_one_card_take_turns() {
    let Some(pcscd) = pcscd_with(2) else { return };
    let card = personalised();
    let _inserted = pcscd.insert(0, card.clone());
    let installation = Installation::new(server_for(&GidsSettings::default()));
    // Long enough for the second to meet the first one's transaction.
    installation.server.state().change(|settings| settings.latency = Duration::from_millis(150));
    let jobs = [(); 2].map(|()| installation.start(&pcscd.socket(), &["--json", "set-pin", "--yes", "--again"]));
    for job in jobs {
        job.finish().exits(0).within(Duration::from_secs(10));
    }
    let pins = installation.server.state().pins();
    assert_eq!(pins.len(), 2);
    assert!(card.with(|card| card.pin_is(&pins[1])), "the later job's PIN is on the card");
    assert_eq!(card.with(|card| card.admin_failures()), 0);
    assert!(installation.server.violations().is_empty(), "{:?}", installation.server.violations());
}
