//! A service that can't serve.

use std::time::Instant;

use support::waiting;
use windows_service::service::{ServiceExitCode, ServiceState};

use crate::machine::Machine;

/// It says so by its exit code, and was never said to run.
#[test]
fn a_wrong_configuration_ends_the_service_with_its_exit_code() {
    let Some(machine) = Machine::new() else { return };
    machine.install("");
    for (text, why) in [("[server\n", "no TOML"), ("[agent]\nstop_timeout = \"never\"\n", "no time"), ("", "no server")]
    {
        std::fs::write(machine.data.join("config.toml"), text).unwrap();
        let service = machine.service();
        service.start::<&str>(&[]).unwrap();
        let deadline = Instant::now() + waiting::PATIENCE;
        let ended = loop {
            let status = service.query_status().unwrap();
            assert_ne!(status.current_state, ServiceState::Running, "{why}");
            if status.current_state == ServiceState::Stopped {
                break status;
            }
            assert!(Instant::now() < deadline, "{why}: {status:?}");
        };
        assert_eq!(ended.exit_code, ServiceExitCode::ServiceSpecific(2), "{why}");
    }
    machine.configure("");
    machine
        .run(&["agent", "status"])
        .says(3, &["it has ended with exit code 2", "Get-WinEvent -ProviderName pinwright"]);
    machine.start();
    machine.run(&["agent", "status"]).exits(0);
}
