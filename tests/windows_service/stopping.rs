//! A service that is stopped while a card is worked on.

use std::time::{Duration, Instant};

use pinwright::sim::server::{Fault, FaultKind, Pattern};
use support::waiting;
use windows_service::service::{Service, ServiceState, ServiceStatus};

use crate::machine::{Machine, assert_done, assert_ended, assert_untouched, card};

/// What the manager was told between the request and the end.
fn stop_and_watch(service: &Service) -> Vec<ServiceStatus> {
    service.stop().unwrap();
    let deadline = Instant::now() + waiting::PATIENCE;
    let mut told: Vec<ServiceStatus> = Vec::new();
    loop {
        let status = service.query_status().unwrap();
        if status.current_state == ServiceState::Stopped {
            return told;
        }
        assert!(Instant::now() < deadline, "{told:#?}");
        if status.current_state == ServiceState::StopPending && told.last() != Some(&status) {
            told.push(status);
        }
    }
}

/// The manager gives up a service whose number does not grow within its hint.
#[track_caller]
fn assert_goes_on(told: &[ServiceStatus]) {
    assert!(told.len() >= 2, "{told:#?}");
    assert!(told.iter().all(|status| status.wait_hint >= Duration::from_secs(5)), "{told:#?}");
    assert!(told.is_sorted_by(|one, next| one.checkpoint < next.checkpoint), "{told:#?}");
}

#[test]
fn a_job_that_waits_for_a_slow_server_backs_out_of_an_untouched_card() {
    let Some(machine) = Machine::new() else { return };
    machine.install("");
    machine.server.inject(Fault::on(Pattern::Pin, FaultKind::Delay(Duration::from_secs(20))));
    let service = machine.start();
    let card = card();
    let _inserted = machine.insert(&card, Duration::ZERO);
    waiting::until("the call", || machine.server.requests().iter().any(|call| call.path.contains("serverproposedpin")));
    stop_and_watch(&service);
    assert_ended(&service, 0);
    assert_untouched(&card);
    assert!(!machine.journal().to_string().contains("\"open\":true"));
}

#[test]
fn a_write_comes_to_its_end_before_the_service_does() {
    let Some(machine) = Machine::new() else { return };
    machine.install("");
    let service = machine.start();
    let mut events = machine.events();
    let card = card();
    let _inserted = machine.insert(&card, Duration::from_secs(2));
    events.reaches("set-pin");
    assert_goes_on(&stop_and_watch(&service));
    assert_ended(&service, 0);
    assert_done(&card, &machine.server);
    let history = machine.journal();
    assert_eq!(history["records"].as_array().map(Vec::len), Some(1), "{history}");
    assert!(!history.to_string().contains("\"open\":true"), "{history}");
}
