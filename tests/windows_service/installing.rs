//! Put in, taken out, and what the service manager knows of it.

use std::time::Duration;

use support::waiting;
use windows_service::service::{ServiceAction, ServiceActionType, ServiceStartType, ServiceType};

use crate::machine::{Machine, assert_ended};

/// A path with a space that is not quoted has Windows look for `C:\Program.exe` first.
#[test]
fn the_manager_knows_program_account_start_and_restarts() {
    let Some(machine) = Machine::new() else { return };
    let installed = machine.run(&["--json", "agent", "install"]).exits(0).json();
    assert_eq!(installed["account"], "NT SERVICE\\pinwright");
    let service = machine.service();
    let config = service.query_config().unwrap();
    let program = machine.program.display().to_string();
    assert!(program.contains(' '), "{program}");
    assert_eq!(config.executable_path.display().to_string(), format!("\"{program}\" agent"));
    assert_eq!(config.account_name.unwrap().to_string_lossy(), "NT SERVICE\\pinwright");
    assert_eq!((config.service_type, config.start_type), (ServiceType::OWN_PROCESS, ServiceStartType::AutoStart));
    assert!(config.dependencies.is_empty(), "the Smart Card service runs only while there is a reader");
    let restart =
        |seconds| ServiceAction { action_type: ServiceActionType::Restart, delay: Duration::from_secs(seconds) };
    if let Ok(failures) = service.get_failure_actions() {
        assert_eq!(failures.actions.unwrap(), [restart(5), restart(60), restart(300)]);
    }
    for folder in ["config.d", "credentials", "journal"] {
        assert!(machine.data.join(folder).is_dir(), "{folder}");
    }
}

#[test]
fn a_second_installation_is_refused_and_changes_nothing() {
    let Some(machine) = Machine::new() else { return };
    machine.run(&["agent", "install"]).exits(0);
    let config = machine.service().query_config().unwrap();
    std::fs::remove_dir(machine.data.join("config.d")).unwrap();
    let another = machine.run(&["agent", "install", "--account", "CONTOSO\\pinwright$"]);
    another.says(2, &["there is a service of this name already", "pinwright agent uninstall"]);
    assert_eq!(machine.service().query_config().unwrap(), config);
    assert!(!machine.data.join("config.d").exists(), "a refused command makes folders");
}

#[test]
fn what_is_not_there_is_not_removed_and_not_asked() {
    let Some(machine) = Machine::new() else { return };
    machine.run(&["agent", "uninstall"]).says(2, &["there is no such service"]);
    machine.run(&["agent", "status"]).says(3, &["no agent is running", "pinwright agent install"]);
    machine.run(&["agent", "install"]).exits(0);
    machine.run(&["agent", "status"]).says(3, &["no agent is running", "sc.exe start pinwright"]);
    machine.run(&["agent", "uninstall"]).exits(0);
    waiting::until("the service's end", || {
        machine.run(&["agent", "uninstall"]).err.contains("there is no such service")
    });
}

#[test]
fn a_service_that_runs_is_stopped_and_removed() {
    let Some(machine) = Machine::new() else { return };
    machine.install("");
    let service = machine.start();
    machine.run(&["agent", "status"]).exits(0);
    let removed = machine.run(&["--json", "agent", "uninstall"]).exits(0).json();
    assert_eq!(removed["outcome"], "done");
    assert_ended(&service, 0);
    drop(service);
    assert!(machine.data.join("config.toml").exists() && machine.data.join("journal").is_dir());
}

/// What is wrong with the configuration is one more reason to remove the service.
#[test]
fn a_wrong_configuration_keeps_nobody_from_putting_in_and_taking_out() {
    let Some(machine) = Machine::new() else { return };
    std::fs::create_dir_all(&machine.data).unwrap();
    let broken = |text: &str| std::fs::write(machine.data.join("config.toml"), text).unwrap();
    broken("[server\n");
    machine.run(&["config", "check"]).exits(2);
    machine.run(&["agent", "install"]).exits(0);
    machine.protect("token");
    machine.run(&["agent", "uninstall"]).exits(0);
}
